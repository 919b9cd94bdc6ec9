// SPDX-License-Identifier: GPL-2.0-only
//! REPORT and SET TARGET PORT GROUPS: as captured, and whatever the bytes.

mod common;

use common::{answer, fixed, hex};
use proptest::collection::vec;
use proptest::prelude::*;
use proto::alua::AccessState;
use proto::port_groups::{changes, check_length, Cause, Change, Group, Report, LIST_MAX};
use proto::sense::{FieldIn, Sense, Specific};

const NEAR: Group = Group {
    id: 0x101,
    preferred: false,
    state: AccessState::Active,
    cause: Cause::Implicit,
};

const FAR: Group = Group { id: 0x102, ..NEAR };

fn report(format: u8, groups: &[(Group, &[u16])], room: usize) -> Vec<u8> {
    answer(room, |out| {
        let mut report = Report::new(format, out).expect("a format that there is");
        for (group, ports) in groups {
            report.group(*group, ports.iter().copied());
        }
        report.finish()
    })
}

#[test]
fn two_groups_are_as_captured() {
    let groups: [(Group, &[u16]); 2] = [(NEAR, &[3]), (FAR, &[9])];
    let body = "00 cf 01 01 00 02 00 01 00 00 00 03  00 cf 01 02 00 02 00 01 00 00 00 09";
    assert_eq!(report(0, &groups, 255), hex(&format!("00 00 00 18 {body}")));
    assert_eq!(
        report(1, &groups, 255),
        hex(&format!("00 00 00 1c 10 00 00 00 {body}"))
    );
}

#[test]
fn each_field_has_its_place() {
    let group = Group {
        id: 0xABCD,
        preferred: true,
        state: AccessState::Offline,
        cause: Cause::Explicit,
    };
    assert_eq!(
        report(0, &[(group, &[0x1234, 7])], 64)[4..],
        hex("8e cf ab cd 00 01 00 02  00 00 12 34  00 00 00 07")
    );
}

#[test]
fn a_unit_without_groups_reports_none() {
    assert_eq!(report(0, &[], 64), hex("00 00 00 00"));
    assert_eq!(report(1, &[], 64), hex("00 00 00 04 10 00 00 00"));
}

#[test]
fn the_length_is_that_of_the_whole() {
    let groups: [(Group, &[u16]); 2] = [(NEAR, &[3]), (FAR, &[9])];
    assert_eq!(report(0, &groups, 4), hex("00 00 00 18"));
    assert_eq!(report(0, &groups, 0), hex(""));
    // The number of ports is written after the ports, which may have been cut off.
    assert_eq!(
        report(0, &groups, 12),
        hex("00 00 00 18 00 cf 01 01 00 02 00 01")
    );
}

#[test]
fn more_ports_than_can_be_counted_are_left_out() {
    let ports: Vec<u16> = (1..=300).collect();
    let data = report(0, &[(NEAR, &ports)], 4096);
    assert_eq!(data.len(), 4 + 8 + 255 * 4);
    assert_eq!(data[11], 255);
}

#[test]
fn other_formats_are_refused() {
    for format in 2..8 {
        let sense = Report::new(format, &mut []).err().expect("refused");
        assert_eq!(
            fixed(sense),
            hex("70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cf 00 01")
        );
    }
}

#[test]
fn lists_end_with_a_descriptor() {
    for (len, fits) in [(0, true), (4, true), (8, true), (7, false), (9, false)] {
        assert_eq!(check_length(len).is_ok(), fits, "{len}");
    }
    assert!(check_length(LIST_MAX as u32).is_ok());
    assert_eq!(LIST_MAX, 260, "64 descriptors");
    for len in [LIST_MAX as u32 + 4, u32::MAX, 0xFFFF_FFFC] {
        assert_eq!(check_length(len), Err(Sense::invalid_field_in_cdb(6)));
    }
}

fn of(list: &str) -> Vec<Result<Change, Sense>> {
    changes(&hex(list)).collect()
}

#[test]
fn a_list_names_groups_and_their_states() {
    let asked: Vec<_> = of("00 00 00 00  01 00 01 01  03 00 00 07")
        .into_iter()
        .map(|change| change.map(|c| (c.state, c.group)))
        .collect();
    assert_eq!(
        asked,
        [
            Ok((AccessState::NonOptimized, 0x101)),
            Ok((AccessState::Unavailable, 7)),
        ]
    );
    assert_eq!(of("00 00 00 00"), []);
    assert_eq!(of(""), []);
}

#[test]
fn what_is_wrong_is_pointed_at() {
    for state in ["04", "0d", "0e", "0f"] {
        let wrong = of(&format!("00 00 00 00  00 00 00 01  {state} 00 00 02"));
        assert_eq!(
            wrong[1],
            Err(Sense::invalid_field_in_parameter_list_bit(8, 3)),
            "{state}"
        );
    }
    let second = of("00 00 00 00  00 00 00 01  01 00 00 02")[1].expect("a change");
    assert_eq!(
        second.no_such_group(),
        Sense::invalid_field_in_parameter_list(10)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_list_is_understood_or_refused(list in vec(any::<u8>(), 0..300)) {
        let asked: Vec<_> = changes(&list).collect();
        prop_assert_eq!(asked.len(), (list.len() / 4).saturating_sub(1));
        for (number, change) in asked.into_iter().enumerate() {
            let at = 4 * (number + 1);
            match change {
                Ok(change) => {
                    prop_assert_eq!(change.state as u8, list[at] & 0x0F);
                    prop_assert_eq!(change.group.to_be_bytes().to_vec(), list[at + 2..at + 4].to_vec());
                }
                Err(sense) => {
                    let points_here = matches!(
                        sense.specific,
                        Specific::Field { place: FieldIn::ParameterList, byte, .. } if usize::from(byte) == at
                    );
                    prop_assert!(points_here);
                }
            }
        }
    }

    #[test]
    fn any_report_says_how_long_it_is(
        format in 0..2_u8,
        sizes in vec(0..300_usize, 0..6),
        room in 0..8192_usize,
    ) {
        let ports: Vec<u16> = (0..300).collect();
        let groups: Vec<_> = sizes.iter().map(|&n| (NEAR, &ports[..n])).collect();
        let data = report(format, &groups, room);
        let whole = 4 + 4 * usize::from(format) + sizes.iter().map(|&n| 8 + 4 * n.min(255)).sum::<usize>();
        prop_assert_eq!(data.len(), whole.min(room));
        if let Some(length) = data.first_chunk::<4>() {
            prop_assert_eq!(u32::from_be_bytes(*length) as usize, whole - 4);
        }
    }
}
