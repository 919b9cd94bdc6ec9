// SPDX-License-Identifier: GPL-2.0-only

//! The block command set (SBC-3): commands that reach the store.

use scst::command::{Admitted, Command, Outcome};
use scst::device::DeviceOps;
use scst::kapi::file::Transfer;
use scst::proto::cdb::Command as Cdb;
use scst::proto::opcode::Flags;
use scst::proto::range::{byte_range, ByteRange};
use scst::proto::sense::Sense;

use crate::cache_off::CacheOff;
use crate::disk::Disk;
use crate::operation::{Geometry, Operation};
use crate::store::{check, finish, not_open, Answer, Check, Durability, Request, Store};

/// Most bytes that one WRITE SAME writes.
pub(crate) const WRITE_SAME_MAX: u64 = 256 << 20;

impl<S: Store> Disk<S> {
    /// Carries a command out and finishes it, here or later.
    #[inline]
    pub(crate) fn execute(&self, cmd: Command<Admitted>) {
        if let Some(sense) = self
            .lacks_medium(&cmd)
            .or_else(|| self.format_in_the_way(&cmd.decoded().command))
        {
            return cmd.finish(sense.into());
        }
        match cmd.decoded().command {
            Cdb::Read {
                lba, blocks, fua, ..
            } => match self.range(lba, blocks) {
                Ok(range) if range.len > 0 => self.store.transfer(
                    cmd,
                    Request {
                        way: Transfer::Read,
                        range,
                        durability: Durability {
                            asked: fua,
                            safe: !fua || !self.needs_flushes(),
                        },
                    },
                ),
                other => self.nothing_to_move(cmd, other),
            },
            Cdb::Write {
                lba, blocks, fua, ..
            } => match self.range_to_write(lba, blocks) {
                Ok(range) if range.len > 0 => self.store.transfer(
                    cmd,
                    Request {
                        way: Transfer::Write,
                        range,
                        durability: self.durability(fua),
                    },
                ),
                other => self.nothing_to_move(cmd, other),
            },
            other => self.execute_other(cmd, other),
        }
    }

    /// Whether a closed store matters not: a port that does not lead to the medium tells its size nevertheless.
    fn is_known_from_before(&self, cmd: &Command<Admitted>, command: &Cdb) -> bool {
        matches!(command, Cdb::ReadCapacity10 | Cdb::ReadCapacity16 { .. })
            && self.blocks() != 0
            && !cmd.nexus().port_access().state.is_accessible()
    }

    /// Commands that are not reads or writes.
    #[inline(never)]
    fn execute_other(&self, cmd: Command<Admitted>, command: Cdb) {
        if cmd.decoded().op.flags.has(Flags::MEDIUM)
            && !self.store.is_open()
            && !self.is_known_from_before(&cmd, &command)
        {
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
                immed,
                power,
                no_flush,
                loej,
                start,
            } => self.start_stop(cmd, power, (loej, start), (no_flush, answer(immed))),
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
            Cdb::ModeSelect(request) => {
                if let Some(cmd) = self.unit.put_off(cmd, &request) {
                    self.mode_select(cmd, &request);
                }
            }
            Cdb::FormatUnit(request) => self.format(cmd, &request),
            Cdb::WriteSame { .. }
            | Cdb::CompareAndWrite { .. }
            | Cdb::Unmap { .. }
            | Cdb::GetLbaStatus { .. } => match self.operation(&cmd, command) {
                Ok(Some(operation)) => self.store.operate(cmd, operation),
                Ok(None) => finish(cmd, Ok(())),
                Err(sense) => cmd.finish(sense.into()),
            },
            other => {
                let outcome = self.answer(&cmd, other);
                cmd.finish(outcome);
            }
        }
    }

    /// What a command asks to be done in several steps; nothing for an empty range.
    fn operation(&self, cmd: &Command<Admitted>, command: Cdb) -> Result<Option<Operation>, Sense> {
        if !self.serves(cmd.decoded().op) {
            return Err(cmd.decoded().op.not_supported());
        }
        let geometry = Geometry {
            block_shift: self.block_shift,
            blocks: self.blocks(),
        };
        match command {
            Cdb::WriteSame {
                lba,
                blocks,
                unmap,
                ndob,
            } => self.write_same(cmd, (lba, blocks), unmap, ndob).map(Some),
            Cdb::CompareAndWrite {
                lba, blocks, fua, ..
            } => {
                let range = self.range_to_write(lba, blocks)?;
                let durability = self.durability(fua);
                Ok((range.len > 0).then_some(Operation::CompareAndWrite { range, durability }))
            }
            Cdb::Unmap { list_len } => {
                self.range_to_write(0, 0)?;
                let max_blocks = self.max_unmap_blocks();
                Ok((list_len > 0).then_some(Operation::Unmap {
                    geometry,
                    list_len,
                    max_blocks,
                    durability: self.durability(false),
                }))
            }
            Cdb::GetLbaStatus { lba, alloc_len } => Ok(Some(Operation::Status {
                geometry,
                lba,
                alloc_len,
            })),
            _ => Err(cmd.decoded().op.not_supported()),
        }
    }

    /// WRITE SAME. A range without an end is not what an initiator of ours means (WSNZ).
    fn write_same(
        &self,
        cmd: &Command<Admitted>,
        (lba, blocks): (u64, u32),
        unmap: bool,
        ndob: bool,
    ) -> Result<Operation, Sense> {
        let length_at = if cmd.decoded().op.cdb_len() == 16 {
            10
        } else {
            7
        };
        if blocks == 0 {
            return Err(Sense::invalid_field_in_cdb(length_at));
        }
        if unmap && !self.thin {
            return Err(Sense::invalid_field_in_cdb_bit(1, 3));
        }
        if ndob && !unmap {
            return Err(Sense::invalid_field_in_cdb_bit(1, 0));
        }
        let range = self.range_to_write(lba, blocks)?;
        if range.len > WRITE_SAME_MAX {
            return Err(Sense::invalid_field_in_cdb(length_at));
        }
        Ok(Operation::WriteSame {
            range,
            block_size: self.block_size(),
            unmap,
            zeroes: ndob,
            durability: self.durability(false),
        })
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
            other => self.nothing_to_move(cmd, other),
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
    pub(crate) fn range_to_write(&self, lba: u64, blocks: u32) -> Result<ByteRange, Sense> {
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
    fn durability(&self, fua: bool) -> Durability {
        Durability {
            asked: fua,
            safe: !self.needs_flushes(),
        }
    }

    /// Ends the command when everything that was acknowledged with a write cache, or still will be, is on stable storage.
    pub(crate) fn finish_without_cache(&self, cmd: Command<Admitted>, off: CacheOff) {
        match self.needs_flushes() {
            true => self.store.finish_stable(cmd, off),
            false => off.stable(cmd),
        }
    }

    /// Ends a command for an empty range, or for one that does not exist: which nobody knows of a store that is closed.
    #[cold]
    fn nothing_to_move(&self, cmd: Command<Admitted>, range: Result<ByteRange, Sense>) {
        if !self.store.is_open() {
            return not_open(cmd);
        }
        finish(cmd, range.map(|_| ()).map_err(Outcome::Check));
    }

    /// Whether what is written may be lost before it is flushed. Asked anew each time: the device below may be given a
    /// cache while it is in use.
    #[inline]
    pub(crate) fn needs_flushes(&self) -> bool {
        !self.cache_is_safe && self.store.is_volatile()
    }
}

fn answer(immed: bool) -> Answer {
    if immed {
        Answer::First
    } else {
        Answer::Afterwards
    }
}
