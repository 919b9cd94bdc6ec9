// SPDX-License-Identifier: GPL-2.0-only

//! Commands that the disk's state answers, without its store.

use kernel::sync::atomic::Relaxed;

use scst::command::{Admitted, Command, Outcome};
use scst::execute::cut;
use scst::proto::cdb::{Command as Cdb, ModeSelect};
use scst::proto::device_type::DeviceType;
use scst::proto::inquiry::{BlockLimits, BlockPages, Provisioning, ROTATION_RATE};
use scst::proto::sense::Sense;

use crate::cache_off::CacheOff;
use crate::disk::{Disk, PHYSICAL_BLOCK};
use crate::removal::prevent_allow;
use crate::sbc::WRITE_SAME_MAX;
use crate::store::{finish, taken, Store};
use crate::unit::{log, sense_data, Face, ModeFace};

/// MAXIMUM TRANSFER LENGTH, in bytes.
const MAX_TRANSFER: u32 = 8 << 20;

/// MEDIUM ROTATION RATE of a device that does not rotate (SBC-3 6.5.3).
const NON_ROTATING: u16 = 1;

impl<S: Store> Disk<S> {
    /// Answers a command, or refuses it.
    pub(crate) fn answer(&self, cmd: &Command<Admitted>, command: Cdb) -> Outcome {
        match command {
            Cdb::TestUnitReady | Cdb::SendDiagnostic { .. } => taken(cmd),
            Cdb::PreventAllow { prevent } => prevent_allow(cmd, prevent),
            Cdb::RequestSense { desc, alloc_len } => {
                let formatting = || self.formatting.sense();
                let sense = self.medium_sense().or_else(formatting);
                let sense = sense.unwrap_or(Sense::NO_SENSE);
                sense_data(cmd, &sense, desc, alloc_len)
            }
            Cdb::Inquiry {
                evpd,
                page,
                alloc_len,
            } => self.inquiry(cmd, evpd.then_some(page), alloc_len),
            Cdb::ReadCapacity10 => self.read_capacity_10(cmd),
            Cdb::ReadCapacity16 { alloc_len } => self.read_capacity_16(cmd, alloc_len),
            Cdb::ModeSense(request) => self.unit.mode_sense(cmd, &request, &self.mode_face()),
            Cdb::LogSense { .. } | Cdb::LogSelect { .. } => log(cmd, command),
            _ => cmd.decoded().op.not_supported().into(),
        }
    }

    fn inquiry(&self, cmd: &Command<Admitted>, page: Option<u8>, alloc_len: u32) -> Outcome {
        let block = self.block_pages();
        let face = Face {
            device_type: if self.dummy {
                DeviceType::Unknown
            } else {
                DeviceType::Disk
            },
            not_connected: self.dummy,
            removable: self.removable,
            volatile_cache: !self.nv_cache,
            block: Some(&block),
        };
        self.unit.inquiry(cmd, page, alloc_len, &face)
    }

    /// Pages B0h and B1h.
    fn block_pages(&self) -> BlockPages {
        let blocks = |bytes: u32| bytes.wrapping_shr(self.block_shift);
        let optimal = self.opt_trans_len.load(Relaxed).min(MAX_TRANSFER);
        BlockPages {
            limits: BlockLimits {
                max_compare_and_write: u8::try_from(blocks(MAX_TRANSFER)).unwrap_or(u8::MAX),
                granularity: u16::try_from(blocks(PHYSICAL_BLOCK)).unwrap_or(0).max(1),
                max_transfer: blocks(MAX_TRANSFER),
                optimal_transfer: blocks(optimal),
                max_write_same: WRITE_SAME_MAX.wrapping_shr(self.block_shift),
                wsnz: true,
                unmap: self.thin.then(|| self.unmap_limits()),
            },
            rotation_rate: if self.rotational {
                ROTATION_RATE
            } else {
                NON_ROTATING
            },
            provisioning: self.thin.then(|| Provisioning {
                lbprz: self.reads_zeroes(),
            }),
        }
    }

    fn read_capacity_10(&self, cmd: &Command<Admitted>) -> Outcome {
        let mut buf = [0; 8];
        let n = self.capacity().read_capacity_10(&mut buf);
        cmd.respond(buf.get(..n).unwrap_or(&[]))
    }

    fn read_capacity_16(&self, cmd: &Command<Admitted>, alloc_len: u32) -> Outcome {
        let mut buf = [0; 32];
        let n = self.capacity().read_capacity_16(cut(&mut buf, alloc_len));
        cmd.respond(buf.get(..n).unwrap_or(&[]))
    }

    fn mode_face(&self) -> ModeFace {
        ModeFace {
            device_type: DeviceType::Disk,
            block_size: self.block_size(),
            blocks: self.blocks(),
            locked: false,
            wce_changeable: !self.nv_cache,
        }
    }

    /// MODE SELECT. Where there is no write cache any more, what was in it goes to stable storage before the answer.
    pub(crate) fn mode_select(&self, cmd: Command<Admitted>, request: &ModeSelect) {
        match self.unit.mode_select(&cmd, request, &self.mode_face()) {
            Err(sense) => cmd.finish(sense.into()),
            Ok((_, after, _)) if after.wce => finish(cmd, Ok(())),
            // Also where it was off before: another command may still be waiting for what was in it.
            Ok(change) => {
                let off = CacheOff::new(&cmd, &self.unit.mode, change);
                self.finish_without_cache(cmd, off);
            }
        }
    }
}
