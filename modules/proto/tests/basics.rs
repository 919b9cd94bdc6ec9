// SPDX-License-Identifier: GPL-2.0-only
//! Ranges, inline text, the bounded writer, status codes.

use core::fmt::Write;
use proto::device_type::DeviceType;
use proto::range::{byte_range, ByteRange};
use proto::sense::Sense;
use proto::status::Status;
use proto::text::{Overflow, Text};
use proto::writer::Writer;

#[test]
fn ranges_at_the_end_of_the_medium() {
    let capacity = 131_072;
    let good = |offset, len| Ok(ByteRange { offset, len });
    let beyond = Err(Sense::LBA_OUT_OF_RANGE);
    let cases = [
        (0, 0, good(0, 0)),
        (0, 131_072, good(0, 67_108_864)),
        (131_071, 1, good(131_071 * 512, 512)),
        (131_071, 2, beyond),
        (131_072, 0, good(67_108_864, 0)),
        (131_072, 1, beyond),
        (131_073, 0, beyond),
        (u64::MAX, 0, beyond),
        (u64::MAX, 1, beyond),
        (u64::MAX, u32::MAX, beyond),
    ];
    for (lba, blocks, expected) in cases {
        assert_eq!(
            byte_range(lba, blocks, 9, capacity),
            expected,
            "{lba}+{blocks}"
        );
    }
}

#[test]
fn ranges_that_have_no_byte_address() {
    assert_eq!(
        byte_range(1 << 55, 1, 9, u64::MAX),
        Err(Sense::LBA_OUT_OF_RANGE)
    );
    assert_eq!(
        byte_range((1 << 55) - 1, 0, 9, u64::MAX).map(|range| range.offset),
        Ok(u64::MAX - 511)
    );
    assert_eq!(
        byte_range(u64::MAX - 1, 1, 0, u64::MAX).map(|range| range.len),
        Ok(1)
    );
    assert_eq!(byte_range(1, 1, 64, u64::MAX), Err(Sense::LBA_OUT_OF_RANGE));
}

#[test]
fn text_is_whole_or_unchanged() {
    let mut text = Text::<4>::new();
    assert!(text.is_empty());
    assert_eq!(text.push_str("abc"), Ok(()));
    assert_eq!(text.push_str("de"), Err(Overflow));
    assert_eq!(text.as_str(), "abc");
    assert!(write!(text, "{}", 10).is_err());
    assert!(write!(text, "{}", 1).is_ok());
    assert_eq!((text.as_str(), text.len()), ("abc1", 4));
    assert_eq!(text.push_str(""), Ok(()));
    text.clear();
    assert!(!text.push_truncated("ab\u{20AC}"));
    assert_eq!(text.as_str(), "ab");
    assert!(text.push_truncated("cd"));
    assert!(!text.push_truncated("e"));
    assert_eq!(format!("{text} {text:?}"), "abcd \"abcd\"");
    assert_eq!(Text::<4>::copy_of("abcd"), Ok(text));
    assert_eq!(Text::<4>::copy_of("abcde"), Err(Overflow));
    assert_ne!(Text::<4>::copy_of("a"), Text::<4>::copy_of("b"));
}

#[test]
fn the_writer_counts_past_its_end() {
    let mut out = [0xEE; 5];
    let mut w = Writer::new(&mut out);
    w.u16(0x0102);
    w.u24(0xFF03_0405);
    assert_eq!((w.total(), w.stored()), (5, 5));
    w.u64(6);
    w.fill(7, 3);
    w.zero_to(20);
    w.zero_to(3);
    w.padded(b"ab", 4);
    assert_eq!((w.total(), w.stored()), (24, 5));
    w.patch_u32(3, 0xAABB_CCDD);
    w.patch_u8(100, 1);
    assert_eq!(out, [1, 2, 3, 0xAA, 0xBB]);
}

#[test]
fn the_writer_pads_and_cuts() {
    let mut out = [0xEE; 12];
    let mut w = Writer::new(&mut out);
    w.padded(b"abcdef", 4);
    w.padded(b"x", 3);
    w.zero_to(9);
    w.u32(0x0102_0304);
    assert_eq!(w.stored(), 12);
    assert_eq!(out, *b"abcdx  \0\0\x01\x02\x03");
}

#[test]
fn codes() {
    assert_eq!(u8::from(Status::ReservationConflict), 0x18);
    assert_eq!(u8::from(Status::TaskAborted), 0x40);
    for code in 0..=u8::MAX {
        assert!(DeviceType::from_code(code).is_none_or(|found| found.code() == code));
    }
    assert_eq!(DeviceType::from_code(5), Some(DeviceType::CdRom));
}
