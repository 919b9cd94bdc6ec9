// SPDX-License-Identifier: GPL-2.0-only
//! LOG SENSE and LOG SELECT.
#![allow(missing_docs)]

mod common;

use common::{answer, hex};
use proto::log::{select, sense};
use proto::sense::Sense;

fn page(page: u8, subpage: u8) -> Vec<u8> {
    answer(64, |out| sense(false, page, subpage, 0, out).unwrap())
}

#[test]
fn the_list_of_pages_lists_what_is_answered() {
    assert_eq!(page(0, 0), hex("00 00 00 02 00 2f"));
    assert_eq!(page(0, 0xFF), hex("40 ff 00 06 00 00 00 ff 2f 00"));
    for code in 0..0x40_u8 {
        let listed = page(0, 0)[4..].contains(&code);
        assert_eq!(
            sense(false, code, 0, 0, &mut [0; 64]).is_ok(),
            listed,
            "{code:x}"
        );
        assert_eq!(select(true, false, code, 0, 0).is_ok(), listed, "{code:x}");
    }
}

#[test]
fn no_exception_and_no_temperature() {
    assert_eq!(page(0x2F, 0), hex("2f 00 00 08 00 00 03 04 00 00 ff 00"));
    assert_eq!(
        answer(6, |out| sense(false, 0x2F, 0, 0, out).unwrap()),
        hex("2f 00 00 08 00 00")
    );
}

#[test]
fn what_must_be_refused() {
    let out = &mut [0; 64];
    assert_eq!(
        sense(true, 0, 0, 0, out),
        Err(Sense::invalid_field_in_cdb_bit(1, 0))
    );
    assert_eq!(
        sense(false, 1, 0, 0, out),
        Err(Sense::invalid_field_in_cdb_bit(2, 5))
    );
    assert_eq!(
        sense(false, 0, 1, 0, out),
        Err(Sense::invalid_field_in_cdb(3))
    );
    assert_eq!(
        sense(false, 0x2F, 0xFF, 0, out),
        Err(Sense::invalid_field_in_cdb(3))
    );
    assert_eq!(
        sense(false, 0x2F, 0, 1, out),
        Err(Sense::invalid_field_in_cdb(5))
    );
    assert_eq!(
        select(false, false, 0, 0, 4),
        Err(Sense::invalid_field_in_parameter_list(0))
    );
    assert_eq!(
        select(true, false, 0, 0, 4),
        Err(Sense::invalid_field_in_cdb_bit(1, 1))
    );
    assert_eq!(
        select(true, true, 0, 0, 0),
        Err(Sense::invalid_field_in_cdb_bit(1, 0))
    );
    assert_eq!(
        select(true, false, 0, 2, 0),
        Err(Sense::invalid_field_in_cdb(3))
    );
}
