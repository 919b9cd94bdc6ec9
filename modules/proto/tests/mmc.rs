// SPDX-License-Identifier: GPL-2.0-only
//! A CD-ROM drive's answers, against the bytes of captured transcripts and of the standard.
#![allow(missing_docs)]

mod common;

use common::{answer, hex};
use proptest::prelude::*;
use proto::cdb::{self, Command};
use proto::device_type::DeviceType;
use proto::mmc::{self, Drive, MediaEvent, MediaStatus};
use proto::sense::Sense;

const BLOCKS: u32 = 8192;

fn toc(msf: bool, format: u8, track: u8) -> Vec<u8> {
    answer(64, |out| mmc::toc(msf, format, track, BLOCKS, out).unwrap())
}

#[test]
fn toc_in_blocks_is_that_of_the_transcript() {
    let all = hex("00 12 01 01 00 14 01 00 00 00 00 00 00 14 aa 00 00 00 20 00");
    assert_eq!(toc(false, 0, 0), all);
    assert_eq!(toc(false, 0, 1), all);
    assert_eq!(
        toc(false, 0, 0xAA),
        hex("00 0a 01 01 00 14 aa 00 00 00 20 00")
    );
}

#[test]
fn toc_in_minutes_counts_the_pregap() {
    // 8192 + 150 frames are 1 minute, 51 seconds, 17 frames.
    let all = hex("00 12 01 01 00 14 01 00 00 00 02 00 00 14 aa 00 00 01 33 11");
    assert_eq!(toc(true, 0, 0), all);
}

#[test]
fn a_disc_too_long_for_minutes_ends_at_the_last_there_is() {
    let last =
        |blocks| answer(64, |out| mmc::toc(true, 0, 0xAA, blocks, out).unwrap())[8..].to_vec();
    assert_eq!(last(256 * 60 * 75 - 150 - 1), [0, 255, 59, 74]);
    assert_eq!(last(256 * 60 * 75 - 150), [0, 255, 59, 74]);
    assert_eq!(last(u32::MAX), [0, 255, 59, 74]);
}

#[test]
fn session_information_names_the_only_one() {
    assert_eq!(toc(false, 1, 0), hex("00 0a 01 01 00 14 01 00 00 00 00 00"));
}

#[test]
fn toc_refuses_what_is_not_there() {
    let mut out = [0; 64];
    for track in [2, 0x63, 0xA9, 0xAB, 0xFF] {
        let refused = mmc::toc(false, 0, track, BLOCKS, &mut out);
        assert_eq!(
            refused,
            Err(Sense::invalid_field_in_cdb(6)),
            "track {track}"
        );
    }
    for format in [2, 3, 4, 5, 15] {
        let refused = mmc::toc(false, format, 0, BLOCKS, &mut out);
        assert_eq!(
            refused,
            Err(Sense::invalid_field_in_cdb_bit(2, 3)),
            "format {format}"
        );
    }
}

#[test]
fn toc_format_stands_in_either_of_its_places() {
    let format = |text| match cdb::parse_for(DeviceType::CdRom, &hex(text))
        .unwrap()
        .command
    {
        Command::ReadToc { format, .. } => format,
        other => panic!("{other:?}"),
    };
    assert_eq!(format("43 00 00 00 00 00 00 00 ff 00"), 0);
    assert_eq!(format("43 00 02 00 00 00 00 00 ff 00"), 2);
    assert_eq!(format("43 00 00 00 00 00 00 00 0c 40"), 1);
    assert_eq!(format("43 00 02 00 00 00 00 00 0c 40"), 2);
}

#[test]
fn disc_information_is_of_a_finished_disc() {
    let all = answer(64, |out| mmc::disc_information(0, out).unwrap());
    assert_eq!(all.len(), 34);
    assert_eq!(all[..9], hex("00 20 0e 01 01 01 01 20 00"));
    let refused = mmc::disc_information(1, &mut [0; 64]);
    assert_eq!(refused, Err(Sense::invalid_field_in_cdb_bit(1, 2)));
}

#[test]
fn the_only_track_is_the_whole_disc() {
    let expected = hex(
        "00 22 01 01 00 04 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 20 00 00 00 00 00 00 00 00 00",
    );
    for (kind, address) in [(0, 0), (0, BLOCKS - 1), (1, 1), (2, 1)] {
        let got = answer(64, |out| {
            mmc::track_information(kind, address, BLOCKS, out).unwrap()
        });
        assert_eq!(got, expected, "{kind} {address}");
    }
    let refused = |kind, address| mmc::track_information(kind, address, BLOCKS, &mut [0; 64]);
    assert_eq!(refused(0, BLOCKS), Err(Sense::LBA_OUT_OF_RANGE));
    assert_eq!(refused(1, 2), Err(Sense::invalid_field_in_cdb(2)));
    assert_eq!(refused(2, 0), Err(Sense::invalid_field_in_cdb(2)));
    assert_eq!(refused(3, 1), Err(Sense::invalid_field_in_cdb_bit(1, 1)));
}

fn configuration(request: u8, first: u16, loaded: bool) -> Vec<u8> {
    answer(256, |out| {
        mmc::configuration(request, first, Drive { loaded }, out).unwrap()
    })
}

#[test]
fn features_follow_the_medium() {
    let profiles = "00 00 03 04 00 08 01 00";
    let fixed =
        "00 01 0b 08 00 00 00 01 02 00 00 00 00 02 07 04 00 00 00 00 00 03 0b 04 39 00 00 00";
    let random = "00 10 01 08 00 00 08 00 00 01 01 00";
    let loaded = hex(&format!(
        "00 00 00 34 00 00 00 08 {profiles} {fixed} {random}"
    ));
    assert_eq!(configuration(0, 0, true), loaded);
    assert_eq!(configuration(1, 0, true), loaded);
    let empty = hex(&format!(
        "00 00 00 28 00 00 00 00 00 00 03 04 00 08 00 00 {fixed}"
    ));
    assert_eq!(configuration(1, 0, false), empty);
    // All features: the one that needs a medium is there, and not current.
    assert_eq!(
        configuration(0, 0x10, false),
        hex("00 00 00 10 00 00 00 00 00 10 00 08 00 00 08 00 00 01 01 00")
    );
    assert_eq!(
        configuration(2, 3, true),
        hex("00 00 00 0c 00 00 00 08 00 03 0b 04 39 00 00 00")
    );
    assert_eq!(configuration(2, 0x1E, true), hex("00 00 00 04 00 00 00 08"));
    let refused = mmc::configuration(3, 0, Drive { loaded: true }, &mut [0; 64]);
    assert_eq!(refused, Err(Sense::invalid_field_in_cdb_bit(1, 1)));
}

fn events(classes: u8, event: MediaEvent, open: bool, present: bool) -> Vec<u8> {
    let status = MediaStatus { open, present };
    answer(64, |out| {
        mmc::event_status(true, classes, event, status, out).unwrap()
    })
}

#[test]
fn events_are_told_by_class() {
    assert_eq!(
        events(0x10, MediaEvent::NewMedia, false, true),
        hex("00 06 04 10 02 02 00 00")
    );
    assert_eq!(
        events(0x12, MediaEvent::Removal, true, false),
        hex("00 06 04 10 03 01 00 00")
    );
    assert_eq!(
        events(0x42, MediaEvent::NewMedia, false, true),
        hex("00 02 80 10")
    );
    let status = MediaStatus {
        open: false,
        present: false,
    };
    let refused = mmc::event_status(false, 0x10, MediaEvent::None, status, &mut [0; 8]);
    assert_eq!(refused, Err(Sense::invalid_field_in_cdb_bit(1, 0)));
}

#[test]
fn an_event_counts_as_told_when_there_is_room_for_it() {
    assert!(mmc::tells_media(0x10, 8));
    assert!(mmc::tells_media(0x10, 5));
    assert!(!mmc::tells_media(0x10, 4));
    assert!(!mmc::tells_media(0x40, 8));
}

proptest! {
    #[test]
    fn answers_are_prefixes_of_the_whole(
        msf: bool, format: u8, track: u8, blocks: u32, request: u8, first: u16, loaded: bool, kind in 0..4_u8,
        address: u32, room in 0..80_usize
    ) {
        let cut = |fill: &dyn Fn(&mut [u8]) -> Result<usize, Sense>| {
            let mut whole = [0xEE; 128];
            let mut part = vec![0xEE; room];
            match (fill(&mut whole), fill(&mut part)) {
                (Ok(all), Ok(some)) => {
                    assert_eq!(some, all.min(room));
                    assert_eq!(part[..some], whole[..some]);
                }
                (all, some) => assert_eq!(all, some),
            }
        };
        cut(&|out| mmc::toc(msf, format, track, blocks, out));
        cut(&|out| mmc::disc_information(format, out));
        cut(&|out| mmc::track_information(kind, address, blocks, out));
        cut(&|out| mmc::configuration(request, first, Drive { loaded }, out));
    }

    #[test]
    fn minutes_name_the_block(blocks in 0..256 * 60 * 75 - 150_u32) {
        let last = answer(64, |out| mmc::toc(true, 0, 0xAA, blocks, out).unwrap());
        let [_, minute, second, frame] = last[8..] else { panic!("{last:?}") };
        prop_assert!(second < 60 && frame < 75);
        prop_assert_eq!((u32::from(minute) * 60 + u32::from(second)) * 75 + u32::from(frame), blocks + 150);
    }
}
