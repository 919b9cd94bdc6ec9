// SPDX-License-Identifier: GPL-2.0-only
//! FORMAT UNIT: what its CDB and parameter list may ask of a disk without protection information and without defects
//! (SBC-3 5.3).

use super::command::FormatUnit;
use super::sense::Sense;

/// Bytes of the longest parameter list header.
pub const HEADER_MAX: usize = 8;

/// PROTECTION FIELD USAGE, in byte 0 of the header.
const PROTECTION_FIELD_USAGE: u8 = 0x07;
/// FOV, in byte 1 of the header: the bits of [`OPTIONS`] mean something.
const FOV: u8 = 0x80;
/// DPRY, DCRT, STPF, IP and DSP.
const OPTIONS: u8 = 0x7C;
/// IP: an initialization pattern follows the header.
const INITIALIZATION_PATTERN: u8 = 0x08;
/// IMMED.
const IMMED: u8 = 0x02;

/// Whether a format is to be answered before it is done. `list` is the parameter list, as far as it was sent; a command
/// without FMTDATA has none.
///
/// Errors: 24/00 at the field for protection information, or for a defect list in another format than that of short blocks;
/// 1A/00 for a list shorter than its header; 26/00 at the field for protection information, an initialization pattern,
/// options that FOV does not announce, and for a defect list that is not empty.
pub fn immed(request: &FormatUnit, list: &[u8]) -> Result<bool, Sense> {
    if request.pinfo != 0 {
        return Err(Sense::invalid_field_in_cdb_bit(1, 7));
    }
    if !request.data {
        return Ok(false);
    }
    if request.list_format != 0 {
        return Err(Sense::invalid_field_in_cdb_bit(1, 2));
    }
    let (protection, options, interval, defects) = header(request.long_list, list)?;
    if protection & PROTECTION_FIELD_USAGE != 0 {
        return Err(Sense::invalid_field_in_parameter_list_bit(0, 2));
    }
    let refused = if options & FOV == 0 {
        options & OPTIONS
    } else {
        options & INITIALIZATION_PATTERN
    };
    if let Some(bit) = refused.checked_ilog2() {
        return Err(Sense::invalid_field_in_parameter_list_bit(1, bit as u8));
    }
    if let Some(bit) = interval.checked_ilog2() {
        let field = if bit > 3 { 7 } else { 3 };
        return Err(Sense::invalid_field_in_parameter_list_bit(3, field));
    }
    if defects != 0 {
        let at = if request.long_list { 4 } else { 2 };
        return Err(Sense::invalid_field_in_parameter_list(at));
    }
    Ok(options & IMMED != 0)
}

/// Bytes 0 and 1 of the header, P_I_INFORMATION with PROTECTION INTERVAL EXPONENT, and DEFECT LIST LENGTH.
fn header(long: bool, list: &[u8]) -> Result<(u8, u8, u8, u32), Sense> {
    let cut_short = Sense::PARAMETER_LIST_LENGTH_ERROR;
    if long {
        let &[protection, options, _, interval, a, b, c, d] =
            list.first_chunk().ok_or(cut_short)?;
        Ok((
            protection,
            options,
            interval,
            u32::from_be_bytes([a, b, c, d]),
        ))
    } else {
        let &[protection, options, a, b] = list.first_chunk().ok_or(cut_short)?;
        Ok((protection, options, 0, u16::from_be_bytes([a, b]).into()))
    }
}
