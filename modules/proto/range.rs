// SPDX-License-Identifier: GPL-2.0-only
//! From a range of logical blocks to a range of bytes, checked.

use super::sense::Sense;

/// A range of bytes in a backing store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub offset: u64,
    /// Length in bytes; 0 is legal.
    pub len: u64,
}

impl ByteRange {
    /// Every byte that there can be.
    pub const EVERYTHING: Self = Self {
        offset: 0,
        len: u64::MAX,
    };
}

/// The bytes of `blocks` logical blocks from `lba` on, where a block is `1 << block_shift` bytes
/// and the medium has `capacity` blocks.
///
/// A range that ends past the last block is LOGICAL BLOCK ADDRESS OUT OF RANGE; an empty range just
/// behind the last block is good (SBC-3 4.5).
#[inline]
pub fn byte_range(
    lba: u64,
    blocks: u32,
    block_shift: u32,
    capacity: u64,
) -> Result<ByteRange, Sense> {
    let end = lba
        .checked_add(u64::from(blocks))
        .filter(|&end| end <= capacity)
        .ok_or(Sense::LBA_OUT_OF_RANGE)?;
    // A capacity whose last byte has no 64-bit address is a mistake of the caller; it must not wrap
    // here either.
    let end = shift_left(end, block_shift).ok_or(Sense::LBA_OUT_OF_RANGE)?;
    let offset = shift_left(lba, block_shift).ok_or(Sense::LBA_OUT_OF_RANGE)?;
    Ok(ByteRange {
        offset,
        len: end.saturating_sub(offset),
    })
}

/// `value << shift` unless a bit would be lost.
fn shift_left(value: u64, shift: u32) -> Option<u64> {
    let shifted = value.checked_shl(shift)?;
    (shifted.checked_shr(shift)? == value).then_some(shifted)
}
