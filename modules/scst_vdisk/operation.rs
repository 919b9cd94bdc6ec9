// SPDX-License-Identifier: GPL-2.0-only

//! What takes several steps on a store: WRITE SAME, UNMAP, GET LBA STATUS, COMPARE AND WRITE, FORMAT UNIT. All of it
//! sleeps.

use kernel::prelude::*;
use kernel::sync::Arc;

use scst::command::{Admitted, Command, Outcome};
use scst::execute::cut;
use scst::kapi::bdev::Bounce;
use scst::kapi::cmnd::Cmnd;
use scst::kapi::file::Transfer;
use scst::proto::range::{byte_range, ByteRange};
use scst::proto::sense::Sense;
use scst::proto::status::Status;
use scst::proto::unmap::{self, STATUS_LEN_MAX};

use crate::format::Format;
use crate::store::{failed, taken, Durability};
use crate::writers::Writers;

/// An open store, for those who may wait.
pub(crate) trait Medium {
    /// Who writes to it.
    fn writers(&self) -> &Arc<Writers>;

    /// Bytes that reads and writes are multiples of, or like to be.
    fn unit(&self) -> u32;

    /// Fills `into` from `offset` on.
    fn read(&self, offset: u64, into: &mut Bounce) -> Result;

    /// Writes `from` at `offset`.
    fn write(&self, offset: u64, from: &Bounce) -> Result;

    /// Gives the storage behind `range` back. `EOPNOTSUPP` where there is no way.
    fn give_back(&self, range: ByteRange) -> Result;

    /// Makes `range` read as zeroes, if possible without storage behind it. `EOPNOTSUPP` where there is no way.
    fn zero(&self, range: ByteRange) -> Result;

    /// Whether there is storage behind `offset`, and how many bytes from there on are alike.
    fn extent(&self, offset: u64) -> Result<(bool, u64)>;

    /// A moment in the history of what could not be brought onto stable storage.
    type Moment;

    /// This moment.
    fn now(&self) -> Self::Moment;

    /// Brings `range` onto stable storage. An error also where something that was written since `then` could not be brought
    /// there by others, who were told of it.
    fn make_stable(&self, range: ByteRange, then: &Self::Moment) -> Result;

    /// Brings everything onto stable storage, for somebody else than those who wrote: where that fails, the next who asks for
    /// the same is told.
    fn make_stable_for_others(&self) -> Result;

    /// That something could not be brought onto stable storage is told to nobody: the next who asks for that is told.
    fn tell_next(&self);
}

/// The disk that an operation is for.
#[derive(Clone, Copy)]
pub(crate) struct Geometry {
    /// log2 of the bytes of a logical block.
    pub(crate) block_shift: u32,
    /// Logical blocks of the medium.
    pub(crate) blocks: u64,
}

/// What to do. Ranges are not empty, and inside the medium as it was when the command came.
pub(crate) enum Operation {
    /// Writes the initiator's one block, or zeroes, to all of a range.
    WriteSame {
        range: ByteRange,
        block_size: u32,
        /// Zeroes need no storage behind them.
        unmap: bool,
        /// The initiator sends no block: zeroes.
        zeroes: bool,
        durability: Durability,
    },
    /// Gives storage back, as the initiator's list says.
    Unmap {
        geometry: Geometry,
        list_len: u32,
        max_blocks: u32,
        durability: Durability,
    },
    /// Tells what is behind the blocks from `lba` on.
    Status {
        geometry: Geometry,
        lba: u64,
        alloc_len: u32,
    },
    /// Writes the second half of the initiator's data if the first is what is there.
    CompareAndWrite {
        range: ByteRange,
        durability: Durability,
    },
    /// Gives all storage back.
    Format(Format),
}

impl Operation {
    /// Does it on `medium`.
    pub(crate) fn carry_out<M: Medium>(self, medium: &M, cmd: &Command<Admitted>) -> Outcome {
        let cmnd = cmd.cmnd();
        let then = medium.now();
        let result = match self {
            Self::WriteSame {
                range,
                block_size,
                unmap,
                zeroes,
                durability,
            } => {
                let _writer = medium.writers().enter_in_turn(range);
                same_block(cmnd, block_size, zeroes)
                    .and_then(|block| write_same(medium, cmd, range, &block, unmap))
                    .and_then(|()| flush_if(medium, cmd, (range, &then), durability))
            }
            Self::Unmap {
                geometry,
                list_len,
                max_blocks,
                durability,
            } => unmap_list(medium, cmd, geometry, (list_len, max_blocks)).and_then(|touched| {
                match touched.len {
                    0 => Ok(()),
                    _ => flush_if(medium, cmd, (touched, &then), durability),
                }
            }),
            Self::Status {
                geometry,
                lba,
                alloc_len,
            } => return status(medium, cmd, geometry, lba, alloc_len),
            Self::CompareAndWrite { range, durability } => {
                compare_and_write(medium, cmd, range, |range| {
                    flush_if(medium, cmd, (range, &then), durability)
                })
            }
            Self::Format(format) => format.carry_out(medium, || cmd.is_aborted()),
        };
        match result {
            Ok(()) => taken(cmd),
            Err(outcome) => outcome,
        }
    }
}

fn write_failed(error: Error) -> Outcome {
    failed(Transfer::Write, error)
}

/// Brings what was written to `range` since `then` onto stable storage, if it has to be there now.
fn flush_if<M: Medium>(
    medium: &M,
    cmd: &Command<Admitted>,
    (range, then): (ByteRange, &M::Moment),
    durability: Durability,
) -> Result<(), Outcome> {
    if !durability.is_due(cmd) {
        return Ok(());
    }
    medium.make_stable(range, then).map_err(|e| {
        if cmd.is_aborted() {
            medium.tell_next();
        }
        write_failed(e)
    })
}

/// The block that WRITE SAME repeats.
fn same_block(cmnd: &Cmnd, block_size: u32, zeroes: bool) -> Result<Bounce, Outcome> {
    let mut block = Bounce::new(block_size as usize, block_size).map_err(write_failed)?;
    if !zeroes && cmnd.copy_from_buffer(0, block.bytes_mut()) < block_size as usize {
        return Err(Sense::INVALID_FIELD_IN_CDB.into());
    }
    Ok(block)
}

fn write_same<M: Medium>(
    medium: &M,
    cmd: &Command<Admitted>,
    range: ByteRange,
    block: &Bounce,
    unmap: bool,
) -> Result<(), Outcome> {
    if unmap && block.bytes().iter().all(|byte| *byte == 0) {
        match medium.zero(range) {
            Err(EOPNOTSUPP) => {}
            other => return other.map_err(write_failed),
        }
    }
    in_pieces(
        medium,
        || cmd.is_aborted(),
        range,
        |at, piece| {
            // A piece is smaller than the largest blocks.
            let done = at.checked_rem(block.bytes().len() as u64).unwrap_or(0) as usize;
            let pattern = block.bytes().iter().cycle().skip(done);
            for (to, from) in piece.bytes_mut().iter_mut().zip(pattern) {
                *to = *from;
            }
            medium
                .write(range.offset.saturating_add(at), piece)
                .map_err(write_failed)
        },
    )
}

/// Calls `f` with a buffer for one piece of `range` after the other, and how far into it each begins, until `stop` says that
/// nobody wants it any more: a long way must not outlast the initiator's patience. There is memory for all if there is
/// for the first.
fn in_pieces<M: Medium>(
    medium: &M,
    stop: impl Fn() -> bool,
    range: ByteRange,
    mut f: impl FnMut(u64, &mut Bounce) -> Result<(), Outcome>,
) -> Result<(), Outcome> {
    let left = |at: u64| usize::try_from(range.len.saturating_sub(at)).unwrap_or(usize::MAX);
    let mut piece = Bounce::new(left(0), medium.unit()).map_err(write_failed)?;
    let mut at: u64 = 0;
    while at < range.len {
        if stop() {
            return Err(Outcome::Status(Status::TaskAborted));
        }
        piece.shorten(left(at));
        f(at, &mut piece)?;
        at = at.saturating_add(piece.bytes().len() as u64);
    }
    Ok(())
}

/// COMPARE AND WRITE, with `flush` behind it. Nobody else writes to the range meanwhile.
fn compare_and_write<M: Medium>(
    medium: &M,
    cmd: &Command<Admitted>,
    range: ByteRange,
    flush: impl FnOnce(ByteRange) -> Result<(), Outcome>,
) -> Result<(), Outcome> {
    let _alone = match medium.writers().alone(range, || cmd.is_aborted()) {
        Ok(alone) => alone,
        Err(ECANCELED) => return Err(Outcome::Status(Status::TaskAborted)),
        Err(error) => return Err(write_failed(error)),
    };
    compare(medium, cmd, range)?;
    write(medium, cmd, range)?;
    flush(range)
}

/// Compares the first half of the initiator's data with what is there. 1D/00 with the first differing byte.
fn compare<M: Medium>(
    medium: &M,
    cmd: &Command<Admitted>,
    range: ByteRange,
) -> Result<(), Outcome> {
    in_pieces(
        medium,
        || cmd.is_aborted(),
        range,
        |at, piece| {
            medium
                .read(range.offset.saturating_add(at), piece)
                .map_err(|e| failed(Transfer::Read, e))?;
            let len = piece.bytes().len();
            let mut sent = Bounce::new(len, medium.unit()).map_err(write_failed)?;
            cmd.cmnd()
                .copy_from_buffer(usize::try_from(at).unwrap_or(usize::MAX), sent.bytes_mut());
            let differs = sent
                .bytes()
                .iter()
                .zip(piece.bytes())
                .position(|(a, b)| a != b);
            match differs {
                None => Ok(()),
                Some(byte) => {
                    let byte = at.saturating_add(byte as u64);
                    Err(Sense::MISCOMPARE.with_information(byte).into())
                }
            }
        },
    )
}

/// Writes the second half of the initiator's data: all of it, also for an initiator that has given up, as half of it would be
/// neither what was there nor what it wanted.
fn write<M: Medium>(medium: &M, cmd: &Command<Admitted>, range: ByteRange) -> Result<(), Outcome> {
    in_pieces(
        medium,
        || false,
        range,
        |at, piece| {
            let from = usize::try_from(range.len.saturating_add(at)).unwrap_or(usize::MAX);
            if cmd.cmnd().copy_from_buffer(from, piece.bytes_mut()) < piece.bytes().len() {
                return Err(Sense::INVALID_FIELD_IN_CDB.into());
            }
            medium
                .write(range.offset.saturating_add(at), piece)
                .map_err(write_failed)
        },
    )
}

/// UNMAP. Ranges before a wrong one stay done. Returns a range that all of them are in.
fn unmap_list<M: Medium>(
    medium: &M,
    cmd: &Command<Admitted>,
    geometry: Geometry,
    (list_len, max_blocks): (u32, u32),
) -> Result<ByteRange, Outcome> {
    let mut touched = ByteRange { offset: 0, len: 0 };
    let mut list =
        KVVec::from_elem(0u8, list_len as usize, GFP_KERNEL).map_err(|_| write_failed(ENOMEM))?;
    let sent = cmd.cmnd().copy_from_buffer(0, &mut list);
    let list = list.get(..sent).unwrap_or(&[]);
    for wanted in unmap::unmap_list(list, max_blocks).map_err(Outcome::Check)? {
        let range = byte_range(
            wanted.lba,
            wanted.count,
            geometry.block_shift,
            geometry.blocks,
        )
        .map_err(Outcome::Check)?;
        if cmd.is_aborted() {
            return Err(Outcome::Status(Status::TaskAborted));
        }
        if range.len == 0 {
            continue;
        }
        let _writer = medium.writers().enter_in_turn(range);
        match medium.give_back(range) {
            // What cannot be given back stays.
            Ok(()) | Err(EOPNOTSUPP) => {}
            Err(e) => return Err(write_failed(e)),
        }
        touched = around(touched, range);
    }
    Ok(touched)
}

/// The smallest range that both are in; an empty one is nowhere.
fn around(a: ByteRange, b: ByteRange) -> ByteRange {
    if a.len == 0 {
        return b;
    }
    let end = |range: ByteRange| range.offset.saturating_add(range.len);
    let offset = a.offset.min(b.offset);
    ByteRange {
        offset,
        len: end(a).max(end(b)).saturating_sub(offset),
    }
}

/// GET LBA STATUS.
fn status<M: Medium>(
    medium: &M,
    cmd: &Command<Admitted>,
    geometry: Geometry,
    lba: u64,
    alloc_len: u32,
) -> Outcome {
    let Ok(mut data) = KVVec::from_elem(0u8, STATUS_LEN_MAX, GFP_KERNEL) else {
        return Outcome::Status(Status::Busy);
    };
    let of_block = |at: u64| block_status(medium, geometry, at);
    match unmap::lba_status(lba, geometry.blocks, of_block, cut(&mut data, alloc_len)) {
        Ok(Ok(n)) => cmd.respond(data.get(..n).unwrap_or(&[])),
        Ok(Err(sense)) => sense.into(),
        Err(e) => failed(Transfer::Read, e),
    }
}

/// What is behind a block, and how many are alike from there on. A block is deallocated when all of it is.
fn block_status<M: Medium>(
    medium: &M,
    geometry: Geometry,
    lba: u64,
) -> Result<(unmap::Status, u64)> {
    let offset = lba.checked_shl(geometry.block_shift).ok_or(EINVAL)?;
    let (mapped, bytes) = medium.extent(offset)?;
    let whole = bytes.wrapping_shr(geometry.block_shift);
    Ok(if mapped || whole == 0 {
        (unmap::Status::Mapped, whole.max(1))
    } else {
        (unmap::Status::Deallocated, whole)
    })
}
