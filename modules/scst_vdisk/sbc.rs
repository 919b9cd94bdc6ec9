// SPDX-License-Identifier: GPL-2.0-only

//! The block command set (SBC-3): commands that reach the store.

use scst::command::{Admitted, Command, Outcome};
use scst::kapi::file::Transfer;
use scst::proto::cdb::Command as Cdb;
use scst::proto::opcode::{Flags, Op};
use scst::proto::range::{byte_range, ByteRange};
use scst::proto::sense::Sense;

use crate::disk::Disk;
use crate::store::{check, finish, not_open, Answer, Check, Io, Store};

/// Whether disks carry out `op`: what [`Disk::execute`] does not refuse.
pub(crate) fn serves(op: Op) -> bool {
    use Op::*;
    let transfers = matches!(
        op,
        Read6 | Read10 | Read12 | Read16 | Write6 | Write10 | Write12 | Write16
    );
    let reaches_store = matches!(
        op,
        WriteAndVerify10
            | WriteAndVerify12
            | WriteAndVerify16
            | Verify10
            | Verify12
            | Verify16
            | SynchronizeCache10
            | SynchronizeCache16
            | StartStopUnit
    );
    let is_answered = matches!(
        op,
        TestUnitReady
            | RequestSense
            | Inquiry
            | ReadCapacity10
            | ReadCapacity16
            | ModeSense6
            | ModeSense10
            | ModeSelect6
            | ModeSelect10
            | LogSense
            | LogSelect
            | PreventAllow
            | SendDiagnostic
    );
    transfers || reaches_store || is_answered
}

impl<S: Store> Disk<S> {
    /// Carries a command out and finishes it, here or later.
    #[inline]
    pub(crate) fn execute(&self, cmd: Command<Admitted>) {
        match cmd.decoded().command {
            Cdb::Read { lba, blocks, .. } => match self.range(lba, blocks) {
                Ok(range) if range.len > 0 => self.store.transfer(
                    cmd,
                    Io {
                        way: Transfer::Read,
                        range,
                        durable: false,
                    },
                ),
                other => nothing_to_move(cmd, other),
            },
            Cdb::Write {
                lba, blocks, fua, ..
            } => match self.range_to_write(lba, blocks) {
                Ok(range) if range.len > 0 => self.store.transfer(
                    cmd,
                    Io {
                        way: Transfer::Write,
                        range,
                        durable: self.is_durable(fua),
                    },
                ),
                other => nothing_to_move(cmd, other),
            },
            other => self.execute_other(cmd, other),
        }
    }

    /// Commands that are not reads or writes.
    #[inline(never)]
    fn execute_other(&self, cmd: Command<Admitted>, command: Cdb) {
        if cmd.decoded().op.flags.has(Flags::MEDIUM) && !self.store.is_open() {
            return not_open(cmd);
        }
        match command {
            Cdb::SynchronizeCache { lba, blocks, immed } => {
                match self.range_to_flush(lba, blocks) {
                    Ok(range) => self.flush(cmd, range, answer(immed)),
                    Err(sense) => cmd.finish(sense.into()),
                }
            }
            Cdb::StartStopUnit {
                immed, no_flush, ..
            } => {
                let range = if no_flush {
                    ByteRange { offset: 0, len: 0 }
                } else {
                    self.whole()
                };
                self.flush(cmd, range, answer(immed));
            }
            Cdb::Verify {
                lba,
                blocks,
                compare,
            } => self.verify(cmd, self.range(lba, blocks), check(compare), false),
            Cdb::WriteAndVerify {
                lba,
                blocks,
                compare,
            } => {
                self.verify(cmd, self.range_to_write(lba, blocks), check(compare), true);
            }
            Cdb::ModeSelect(request) => self.mode_select(cmd, &request),
            other => {
                let outcome = self.answer(&cmd, other);
                cmd.finish(outcome);
            }
        }
    }

    fn verify(
        &self,
        cmd: Command<Admitted>,
        range: Result<ByteRange, Sense>,
        check: Check,
        write: bool,
    ) {
        match range {
            Ok(range) if range.len > 0 => self.store.verify(cmd, range, check, write),
            other => nothing_to_move(cmd, other),
        }
    }

    /// Brings `range` onto stable storage, where that is not so already.
    pub(crate) fn flush(&self, cmd: Command<Admitted>, range: ByteRange, answer: Answer) {
        if range.len == 0 || !self.needs_flushes() {
            return finish(cmd, Ok(()));
        }
        self.store.flush(cmd, range, answer);
    }

    #[inline]
    fn range(&self, lba: u64, blocks: u32) -> Result<ByteRange, Sense> {
        byte_range(lba, blocks, self.block_shift, self.blocks())
    }

    #[inline]
    fn range_to_write(&self, lba: u64, blocks: u32) -> Result<ByteRange, Sense> {
        if self.unit.mode.swp() {
            return Err(Sense::SOFTWARE_WRITE_PROTECTED);
        }
        self.range(lba, blocks)
    }

    /// The range of SYNCHRONIZE CACHE, where 0 blocks are all from `lba` on (SBC-3 5.22).
    fn range_to_flush(&self, lba: u64, blocks: u32) -> Result<ByteRange, Sense> {
        let range = self.range(lba, blocks)?;
        if blocks > 0 {
            return Ok(range);
        }
        Ok(ByteRange {
            offset: range.offset,
            len: self.size().saturating_sub(range.offset),
        })
    }

    /// Whether a write has to be on stable storage when it ends.
    #[inline]
    fn is_durable(&self, fua: bool) -> bool {
        (fua || !self.unit.mode.wce()) && self.needs_flushes()
    }

    /// Whether what is written may be lost before it is flushed. Asked anew each time: the device below may be given a
    /// cache while it is in use.
    #[inline]
    fn needs_flushes(&self) -> bool {
        !self.cache_is_safe && self.store.is_volatile()
    }
}

/// An empty range, or one that does not exist.
#[cold]
fn nothing_to_move(cmd: Command<Admitted>, range: Result<ByteRange, Sense>) {
    finish(cmd, range.map(|_| ()).map_err(Outcome::Check));
}

fn answer(immed: bool) -> Answer {
    if immed {
        Answer::First
    } else {
        Answer::Afterwards
    }
}
