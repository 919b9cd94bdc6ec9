// SPDX-License-Identifier: GPL-2.0-only
//! FORMAT UNIT: what is taken, and each way to be refused.

use proto::cdb::{parse, Command};
use proto::format::{immed, HEADER_MAX};
use proto::sense::Sense;

/// What a FORMAT UNIT with this byte 1 says to `list`.
fn format(byte1: u8, list: &[u8]) -> Result<bool, Sense> {
    let decoded = parse(&[0x04, byte1, 0, 0, 0, 0]).expect("all of byte 1 has a meaning");
    assert!(decoded.transfer.bytes(9) <= HEADER_MAX as u64);
    match decoded.command {
        Command::FormatUnit(request) => immed(&request, list),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_format_of_the_whole_medium_is_taken() {
    for byte1 in [0x00, 0x08, 0x0F, 0x20, 0x2F] {
        assert_eq!(format(byte1, &[]), Ok(false), "{byte1:02x} has no list");
    }
    assert_eq!(format(0x10, &[0, 0, 0, 0]), Ok(false));
    assert_eq!(format(0x18, &[0, 0x02, 0, 0]), Ok(true));
    assert_eq!(
        format(0x10, &[0, 0xF6, 0, 0, 0xFF]),
        Ok(true),
        "options announced by FOV"
    );
    assert_eq!(format(0x30, &[0, 0x02, 0, 0, 0, 0, 0, 0]), Ok(true));
}

#[test]
fn protection_information_is_refused() {
    let in_cdb = Sense::invalid_field_in_cdb_bit(1, 7);
    assert_eq!(format(0x40, &[]), Err(in_cdb));
    assert_eq!(format(0xD0, &[0, 0, 0, 0]), Err(in_cdb));
    let usage = Sense::invalid_field_in_parameter_list_bit(0, 2);
    assert_eq!(format(0x10, &[0x01, 0, 0, 0]), Err(usage));
    let information = Sense::invalid_field_in_parameter_list_bit(3, 7);
    assert_eq!(format(0x30, &[0, 0, 0, 0x1F, 0, 0, 0, 0]), Err(information));
    let exponent = Sense::invalid_field_in_parameter_list_bit(3, 3);
    assert_eq!(format(0x30, &[0, 0, 0, 0x01, 0, 0, 0, 0]), Err(exponent));
}

#[test]
fn a_list_that_ends_in_its_header_is_refused() {
    for len in 0..4 {
        let cut_short = Err(Sense::PARAMETER_LIST_LENGTH_ERROR);
        assert_eq!(format(0x10, &vec![0; len]), cut_short);
        assert_eq!(format(0x30, &vec![0; len + 4]), cut_short);
    }
}

#[test]
fn patterns_options_and_defects_are_refused_where_they_stand() {
    let at = Sense::invalid_field_in_parameter_list_bit;
    assert_eq!(
        format(0x10, &[0, 0x08, 0, 0]),
        Err(at(1, 3)),
        "IP without FOV"
    );
    assert_eq!(format(0x10, &[0, 0x88, 0, 0]), Err(at(1, 3)), "IP");
    assert_eq!(
        format(0x10, &[0, 0x44, 0, 0]),
        Err(at(1, 6)),
        "DPRY without FOV"
    );
    assert_eq!(
        format(0x10, &[0, 0x04, 0, 0]),
        Err(at(1, 2)),
        "DSP without FOV"
    );
    let list = Sense::invalid_field_in_parameter_list;
    assert_eq!(format(0x10, &[0, 0, 0, 8]), Err(list(2)), "a defect list");
    assert_eq!(
        format(0x30, &[0, 0, 0, 0, 0, 0, 0, 8]),
        Err(list(4)),
        "a long one"
    );
    let format_of_list = Sense::invalid_field_in_cdb_bit(1, 2);
    assert_eq!(format(0x15, &[0, 0, 0, 0]), Err(format_of_list));
}

#[test]
fn the_progress_is_in_the_sense() {
    let mut fixed = [0; 18];
    Sense::formatting(0x8000).write(false, &mut fixed);
    assert_eq!(&fixed[12..18], [0x04, 0x04, 0, 0x80, 0x80, 0x00]);
}
