// SPDX-License-Identifier: GPL-2.0-only
//! Logical unit numbers on the wire (SAM-5 4.7) and REPORT LUNS data (SPC-4 6.33).

use super::sense::Sense;
use super::writer::Writer;

/// The highest LUN that flat and logical-unit addressing can carry.
pub const MAX_LUN: u16 = 0x3FFF;

/// How a LUN is written in REPORT LUNS: SCST's `addr_method`.
///
/// SCST writes all 14 bits behind each code, so that a peripheral LUN above 255 is the number that
/// Linux shows; SAM-5 would split them into bus and LUN. Reading follows the same rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddrMethod {
    /// Peripheral device addressing, code 00b.
    Peripheral,
    /// Flat space addressing, code 01b.
    Flat,
    /// Logical unit addressing, code 10b.
    LogicalUnit,
}

/// The LUN in an eight-byte LUN field, or `None` where the field names nothing this stack can have:
/// more than one level, or extended addressing.
pub const fn decode(field: &[u8; 8]) -> Option<u16> {
    match *field {
        // The low six bits of the first byte are the number's upper bits; 11b above them is
        // extended addressing.
        [high, low, 0, 0, 0, 0, 0, 0] if high >> 6 != 0b11 => {
            Some(u16::from_be_bytes([high & 0x3F, low]))
        }
        _ => None,
    }
}

/// The eight-byte LUN field of `lun` (at most [`MAX_LUN`]). LUN 0 is all zero by every method.
pub const fn encode(lun: u16, method: AddrMethod) -> [u8; 8] {
    let code: u16 = match method {
        _ if lun == 0 => 0b00,
        AddrMethod::Peripheral => 0b00,
        AddrMethod::Flat => 0b01,
        AddrMethod::LogicalUnit => 0b10,
    };
    let [high, low] = ((code << 14) | (lun & MAX_LUN)).to_be_bytes();
    [high, low, 0, 0, 0, 0, 0, 0]
}

/// REPORT LUNS data for `luns`, in their order.
///
/// `select` and `alloc_len` are the CDB's. Returns how many bytes of `out` hold the answer. Errors:
/// 24/00 at byte 2 for a SELECT REPORT above 2, at byte 6 for an allocation length below
/// 16.
pub fn report_luns<I>(
    select: u8,
    alloc_len: u32,
    luns: I,
    method: AddrMethod,
    out: &mut [u8],
) -> Result<usize, Sense>
where
    I: Iterator<Item = u16>,
{
    if select > 2 {
        return Err(Sense::invalid_field_in_cdb(2));
    }
    if alloc_len < 16 {
        return Err(Sense::invalid_field_in_cdb(6));
    }
    let mut w = Writer::new(out);
    w.zero_to(HEADER_LEN);
    // There are no well known logical units.
    let count = if select == 1 { 0 } else { usize::MAX };
    for lun in luns.take(count) {
        w.bytes(&encode(lun, method));
    }
    let list_len = w.total().saturating_sub(HEADER_LEN);
    w.patch_u32(0, u32::try_from(list_len).unwrap_or(u32::MAX));
    Ok(w.stored())
}

/// Length of the header of REPORT LUNS data, in bytes.
const HEADER_LEN: usize = 8;
