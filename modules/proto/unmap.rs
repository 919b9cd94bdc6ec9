// SPDX-License-Identifier: GPL-2.0-only
//! Logical block provisioning: UNMAP's parameter list and GET LBA STATUS data (SBC-3).

use super::sense::Sense;
use super::writer::Writer;

/// A range of logical blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// The first one.
    pub lba: u64,
    /// How many; 0 is legal.
    pub count: u32,
}

/// The ranges that an UNMAP parameter list names, in its order.
///
/// An empty list names none. Errors: 1A/00 for a list that ends within its header or before the descriptors that it
/// announces; 26/00 at byte 2 for more than `max_blocks` blocks in all. A descriptor that is announced in part does not
/// count (SBC-3).
pub fn unmap_list(
    list: &[u8],
    max_blocks: u32,
) -> Result<impl Iterator<Item = Blocks> + '_, Sense> {
    let descriptors = if list.is_empty() {
        list
    } else {
        let (header, rest) = list
            .split_first_chunk::<8>()
            .ok_or(Sense::PARAMETER_LIST_LENGTH_ERROR)?;
        let &[_, _, high, low, ..] = header;
        rest.get(..usize::from(u16::from_be_bytes([high, low])))
            .ok_or(Sense::PARAMETER_LIST_LENGTH_ERROR)?
    };
    let ranges = descriptors.chunks_exact(16).filter_map(blocks_of);
    let sum = ranges.clone().fold(0_u64, |sum, range| {
        sum.saturating_add(u64::from(range.count))
    });
    if sum > u64::from(max_blocks) {
        return Err(Sense::invalid_field_in_parameter_list(2));
    }
    Ok(ranges)
}

fn blocks_of(descriptor: &[u8]) -> Option<Blocks> {
    let (lba, rest) = descriptor.split_first_chunk()?;
    Some(Blocks {
        lba: u64::from_be_bytes(*lba),
        count: u32::from_be_bytes(*rest.first_chunk()?),
    })
}

/// What is behind a range of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Data, or nobody knows.
    Mapped = 0,
    /// Nothing.
    Deallocated = 1,
}

/// Most descriptors that one answer holds.
pub const STATUS_MAX: usize = 64;

/// Bytes of the longest answer.
pub const STATUS_LEN_MAX: usize = 8 + 16 * STATUS_MAX;

/// GET LBA STATUS data from `lba` on, on a unit of `blocks` blocks. `status` says for a block what is behind it, and how
/// many blocks from there on are alike, at least one. Returns how many bytes of `out` hold the answer.
///
/// Only whole descriptors are answered, at least one (SBC-3). Error: 21/00 for a block behind the last.
pub fn lba_status<E>(
    lba: u64,
    blocks: u64,
    mut status: impl FnMut(u64) -> Result<(Status, u64), E>,
    out: &mut [u8],
) -> Result<Result<usize, Sense>, E> {
    if lba >= blocks {
        return Ok(Err(Sense::LBA_OUT_OF_RANGE));
    }
    let room = out.len().saturating_sub(8).checked_div(16).unwrap_or(0);
    let room = room.clamp(1, STATUS_MAX);
    let mut w = Writer::new(out);
    w.u64(0);
    let (mut at, mut written) = (lba, 0_usize);
    while at < blocks && written < room {
        let (what, alike) = status(at)?;
        let left = blocks.saturating_sub(at);
        let count = u32::try_from(alike.clamp(1, left)).unwrap_or(u32::MAX);
        w.u64(at);
        w.u32(count);
        w.bytes(&[what as u8, 0, 0, 0]);
        at = at.saturating_add(u64::from(count));
        written = written.saturating_add(1);
    }
    let following = w.total().saturating_sub(4);
    w.patch_u32(0, u32::try_from(following).unwrap_or(u32::MAX));
    Ok(Ok(w.stored()))
}
