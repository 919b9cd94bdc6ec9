// SPDX-License-Identifier: GPL-2.0-only
//! UNMAP's parameter list and GET LBA STATUS data.
#![allow(missing_docs)]

mod common;

use common::hex;
use proptest::prelude::*;
use proto::sense::Sense;
use proto::unmap::{lba_status, unmap_list, Blocks, Status, STATUS_MAX};

fn listed(list: &str, max: u32) -> Result<Vec<(u64, u32)>, Sense> {
    let list = hex(list);
    let ranges = unmap_list(&list, max)?;
    Ok(ranges.map(|Blocks { lba, count }| (lba, count)).collect())
}

#[test]
fn lists_of_the_transcripts() {
    let one = "00 16 00 10 00 00 00 00 00 00 00 00 00 00 00 08 00 00 00 08 00 00 00 00";
    assert_eq!(listed(one, 8), Ok(vec![(8, 8)]));
    assert_eq!(
        listed(one, 7),
        Err(Sense::invalid_field_in_parameter_list(2))
    );
    assert_eq!(listed("", 0), Ok(vec![]));
    assert_eq!(listed("00 06 00 00 00 00 00 00", 0), Ok(vec![]));
    assert_eq!(
        listed("00 00 00 00", 0),
        Err(Sense::PARAMETER_LIST_LENGTH_ERROR)
    );
    let none = "00 16 00 10 00 00 00 00 00 00 00 00 00 00 00 08 00 00 00 00 00 00 00 00";
    assert_eq!(listed(none, 0), Ok(vec![(8, 0)]));
}

#[test]
fn the_sum_does_not_wrap() {
    let two = "00 26 00 20 00 00 00 00
               00 00 00 00 00 00 00 00 ff ff ff ff 00 00 00 00
               00 00 00 00 00 00 00 00 00 00 00 02 00 00 00 00";
    assert_eq!(
        listed(two, u32::MAX),
        Err(Sense::invalid_field_in_parameter_list(2))
    );
}

#[test]
fn descriptors_count_as_far_as_they_are_announced() {
    let tail = "00 00 00 00 00 00 00 01 00 00 00 02 00 00 00 00 00 00 00 00 00 00 00 03 00 00 00 04 00 00 00 00";
    assert_eq!(
        listed(&format!("00 26 00 20 00 00 00 00 {tail}"), 9),
        Ok(vec![(1, 2), (3, 4)])
    );
    assert_eq!(
        listed(&format!("00 26 00 1f 00 00 00 00 {tail}"), 9),
        Ok(vec![(1, 2)])
    );
    assert_eq!(
        listed(&format!("00 26 00 21 00 00 00 00 {tail}"), 9),
        Err(Sense::PARAMETER_LIST_LENGTH_ERROR)
    );
}

/// Ten blocks: four of data, then a hole.
fn half(at: u64) -> Result<(Status, u64), ()> {
    Ok(if at < 4 {
        (Status::Mapped, 4 - at)
    } else {
        (Status::Deallocated, 1 << 40)
    })
}

fn status(lba: u64, room: usize) -> Result<Vec<u8>, Sense> {
    let mut out = vec![0xEE; room];
    let len = lba_status(lba, 10, half, &mut out).unwrap()?;
    out.truncate(len);
    Ok(out)
}

#[test]
fn status_from_a_block_on() {
    let whole = "00 00 00 24 00 00 00 00
                 00 00 00 00 00 00 00 01 00 00 00 03 00 00 00 00
                 00 00 00 00 00 00 00 04 00 00 00 06 01 00 00 00";
    assert_eq!(status(1, 64), Ok(hex(whole)));
    // Room for one and a half.
    assert_eq!(
        status(1, 32),
        Ok(hex(
            "00 00 00 14 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 03 00 00 00 00"
        ))
    );
    assert_eq!(
        status(9, 24),
        Ok(hex(
            "00 00 00 14 00 00 00 00 00 00 00 00 00 00 00 09 00 00 00 01 01 00 00 00"
        ))
    );
    assert_eq!(status(10, 64), Err(Sense::LBA_OUT_OF_RANGE));
    assert_eq!(status(1, 4), Ok(hex("00 00 00 14")));
}

#[test]
fn a_failing_store_is_no_status() {
    let failed = lba_status(0, 1, |_| Err("broken"), &mut [0; 64]);
    assert_eq!(failed, Err("broken"));
}

proptest! {
    #[test]
    fn status_covers_what_it_says(lba in 0..500_u64, blocks in 1..500_u64, step in 0..20_u64, room in 0..2000_usize) {
        let mut out = vec![0; room];
        let alternate = |at: u64| Ok::<_, ()>((Status::Mapped, step.saturating_sub(at % 7)));
        let Ok(len) = lba_status(lba, blocks, alternate, &mut out).unwrap() else {
            prop_assert!(lba >= blocks);
            return Ok(());
        };
        prop_assert!(len <= room);
        let mut at = lba;
        let descriptors = out[..len].get(8..).unwrap_or(&[]).chunks_exact(16);
        prop_assert!(descriptors.len() <= STATUS_MAX);
        for descriptor in descriptors {
            prop_assert_eq!(u64::from_be_bytes(descriptor[..8].try_into().unwrap()), at);
            at += u64::from(u32::from_be_bytes(descriptor[8..12].try_into().unwrap()));
        }
        prop_assert!(at <= blocks);
    }
}
