// SPDX-License-Identifier: GPL-2.0-only
//! Logical unit numbers on the wire (SAM-5 4.7) and REPORT LUNS data (SPC-4 6.33).

use super::sense::Sense;
use super::writer::Writer;

/// The highest LUN that flat and logical-unit addressing can carry.
pub const MAX_LUN: u16 = 0x3FFF;

/// How a LUN is written in REPORT LUNS: SCST's `addr_method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddrMethod {
    /// Peripheral device addressing, code 00b. LUNs above 255 do not fit and are written flat.
    Peripheral,
    /// Flat space addressing, code 01b.
    Flat,
    /// Logical unit addressing, code 10b, with bus 0 and target 0. LUNs above 31 are written as the field's low bits.
    LogicalUnit,
}

/// The LUN in an eight-byte LUN field, or `None` where the field names nothing this stack can have: more than one
/// level, extended addressing, or a bus other than 0.
pub fn decode(_field: &[u8; 8]) -> Option<u16> {
    None
}

/// The eight-byte LUN field of `lun` (at most [`MAX_LUN`]). LUN 0 is all zero by every method.
pub fn encode(_lun: u16, _method: AddrMethod) -> [u8; 8] {
    [0; 8]
}

/// REPORT LUNS data for `luns`, in their order.
///
/// `select` and `alloc_len` are the CDB's. Returns how many bytes of `out` hold the answer.
/// Errors: 24/00 at byte 2 for a SELECT REPORT other than 0 and 2, at byte 6 for an allocation length below 16.
pub fn report_luns<I>(
    select: u8,
    alloc_len: u32,
    luns: I,
    method: AddrMethod,
    out: &mut [u8],
) -> Result<usize, Sense>
where
    I: Iterator<Item = u16> + Clone,
{
    let _ = (select, alloc_len, luns, method, Writer::new(out).stored());
    Err(Sense::INVALID_OPCODE)
}
