// SPDX-License-Identifier: GPL-2.0-only
//! Log pages: what LOG SENSE tells, and what LOG SELECT takes, which is nothing (SPC-4).

use super::sense::Sense;
use super::writer::Writer;

/// Supported Log Pages.
const SUPPORTED: u8 = 0x00;
/// Informational Exceptions.
const EXCEPTIONS: u8 = 0x2F;
/// The pages, in ascending order.
const PAGES: [u8; 2] = [SUPPORTED, EXCEPTIONS];

/// The subpage that lists pages with their subpages.
const ALL_SUBPAGES: u8 = 0xFF;

/// LOG SENSE data. Returns how many bytes of `out` hold it.
///
/// Errors: 24/00 at byte 1 for saving, which is not supported; at byte 2 for a page that is not there, at byte 3 for a
/// subpage, at byte 5 for a first parameter behind the last.
pub fn sense(
    save: bool,
    page: u8,
    subpage: u8,
    pointer: u16,
    out: &mut [u8],
) -> Result<usize, Sense> {
    check(save, page)?;
    let mut w = Writer::new(out);
    match (page, subpage) {
        (SUPPORTED, 0) => {
            w.bytes(&[SUPPORTED, 0, 0, 0]);
            w.bytes(&PAGES);
        }
        (SUPPORTED, ALL_SUBPAGES) => {
            const SPF: u8 = 0x40;
            w.bytes(&[SPF | SUPPORTED, ALL_SUBPAGES, 0, 0]);
            w.bytes(&[SUPPORTED, 0, SUPPORTED, ALL_SUBPAGES, EXCEPTIONS, 0]);
        }
        (EXCEPTIONS, 0) if pointer == 0 => {
            const BINARY_LIST: u8 = 0x03;
            const NO_TEMPERATURE: u8 = 0xFF;
            w.bytes(&[EXCEPTIONS, 0, 0, 0]);
            w.bytes(&[0, 0, BINARY_LIST, 4, 0, 0, NO_TEMPERATURE, 0]);
        }
        (EXCEPTIONS, 0) => return Err(Sense::invalid_field_in_cdb(5)),
        _ => return Err(Sense::invalid_field_in_cdb(3)),
    }
    let following = w.total().saturating_sub(4);
    w.patch_u16(2, u16::try_from(following).unwrap_or(u16::MAX));
    Ok(w.stored())
}

/// Whether a LOG SELECT is good: parameters can be brought back to their defaults, which they always have, and none can be
/// set.
///
/// Errors: 24/00 as [`sense`], and at byte 1 for a reset with a parameter list; 26/00 for a list.
pub fn select(reset: bool, save: bool, page: u8, subpage: u8, list_len: u32) -> Result<(), Sense> {
    check(save, page)?;
    match (subpage, list_len, reset) {
        (1.., _, _) => Err(Sense::invalid_field_in_cdb(3)),
        (_, 0, _) => Ok(()),
        (_, _, true) => Err(Sense::invalid_field_in_cdb_bit(1, 1)),
        (_, _, false) => Err(Sense::invalid_field_in_parameter_list(0)),
    }
}

fn check(save: bool, page: u8) -> Result<(), Sense> {
    if save {
        return Err(Sense::invalid_field_in_cdb_bit(1, 0));
    }
    if !PAGES.contains(&page) {
        return Err(Sense::invalid_field_in_cdb_bit(2, 5));
    }
    Ok(())
}
