// SPDX-License-Identifier: GPL-2.0-only

//! A disk: what is the same over every store.

use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::Arc;

use scst::command::{Admitted, Command};
use scst::device::{Create, DeviceOps};
use scst::kapi::global;
use scst::kapi::sysfs::Attr;
use scst::proto::capacity::Capacity;
use scst::proto::device_type::DeviceType;
use scst::proto::mode::ModeState;
use scst::proto::opcode::OpDesc;
use scst::proto::range::ByteRange;

use crate::attrs;
use crate::handler::Kind;
use crate::params::Params;
use crate::sbc;
use crate::serials::Serials;
use crate::store::Store;
use crate::unit::Unit;

/// Bytes of a physical block where the store has none: a page, which is what files are cached by.
pub(crate) const PHYSICAL_BLOCK: u32 = 4096;

/// What a disk is made from, beside its store.
pub(crate) struct New {
    /// What was asked for.
    pub(crate) params: Params,
    /// Bytes in the store.
    pub(crate) size: u64,
    /// Bytes that the store writes without reading.
    pub(crate) physical_block_size: u32,
    /// Bytes of a transfer that the store likes.
    pub(crate) opt_trans_len: u32,
    /// What is written may be lost with the power until it is flushed.
    pub(crate) volatile: bool,
}

/// A virtual disk.
#[pin_data]
pub(crate) struct Disk<S> {
    pub(crate) store: S,
    pub(crate) block_shift: u32,
    /// Logical blocks of the medium.
    blocks: Atomic<u64>,
    pub(crate) read_only: bool,
    /// No flush is needed: the store has no volatile cache, or was said to have none.
    pub(crate) nv_cache: bool,
    /// Somebody promised that what the store has acknowledged is safe, whatever the store says of itself.
    pub(crate) cache_is_safe: bool,
    /// Asked for when the disk was made.
    pub(crate) write_through: bool,
    pub(crate) removable: bool,
    pub(crate) rotational: bool,
    physical_exponent: u8,
    /// READ CAPACITY (16) tells of physical blocks.
    pub(crate) lb_per_pb_exp: Atomic<bool>,
    /// `opt_trans_len` in bytes.
    pub(crate) opt_trans_len: Atomic<u32>,
    pub(crate) opt_trans_len_set: Atomic<bool>,
    pub(crate) filename: Option<CString>,
    #[pin]
    pub(crate) unit: Unit,
}

impl<S: Store> Disk<S> {
    /// A disk over `store`. `EEXIST` where its default serial number is taken.
    pub(crate) fn new(
        kind: Kind,
        request: &Create<'_>,
        new: New,
        store: S,
        serials: &Arc<Serials>,
    ) -> Result<impl PinInit<Self, Error>> {
        let New {
            mut params,
            size,
            physical_block_size,
            opt_trans_len,
            volatile,
        } = new;
        let nv_cache = params.nv_cache || !volatile;
        let default_mode = ModeState::new(!params.write_through && !nv_cache, params.tst);
        let id = params.t10_dev_id.as_ref();
        let unit = Unit::new(kind, request, id, default_mode, serials)?;
        let filename = params.take_filename();
        Ok(try_pin_init!(Self {
            store,
            block_shift: params.block_shift,
            blocks: Atomic::new(size.wrapping_shr(params.block_shift)),
            read_only: params.read_only,
            nv_cache,
            cache_is_safe: params.nv_cache,
            write_through: params.write_through,
            removable: params.removable,
            rotational: params.rotational,
            physical_exponent: exponent(physical_block_size, params.block_shift),
            lb_per_pb_exp: Atomic::new(true),
            opt_trans_len: Atomic::new(opt_trans_len),
            opt_trans_len_set: Atomic::new(false),
            filename,
            unit <- unit,
        }? Error))
    }

    /// Logical blocks of the medium.
    #[inline]
    pub(crate) fn blocks(&self) -> u64 {
        self.blocks.load(Relaxed)
    }

    /// Bytes of a logical block.
    pub(crate) fn block_size(&self) -> u32 {
        1_u32.wrapping_shl(self.block_shift)
    }

    /// Bytes of the medium.
    pub(crate) fn size(&self) -> u64 {
        self.blocks().wrapping_shl(self.block_shift)
    }

    /// All of the medium.
    pub(crate) fn whole(&self) -> ByteRange {
        ByteRange {
            offset: 0,
            len: self.size(),
        }
    }

    /// Gives the medium another size, and tells the initiators if it is one. With no lock held.
    pub(crate) fn resize(&self, bytes: u64) -> Result {
        let blocks = bytes.wrapping_shr(self.block_shift);
        if self.blocks.xchg(blocks, Relaxed) != blocks {
            global::core()?.capacity_changed(self.unit.name());
        }
        Ok(())
    }

    /// What READ CAPACITY tells.
    pub(crate) fn capacity(&self) -> Capacity {
        Capacity {
            blocks: self.blocks(),
            block_size: self.block_size(),
            physical_exponent: if self.lb_per_pb_exp.load(Relaxed) {
                self.physical_exponent
            } else {
                0
            },
            lbpme: false,
            lbprz: false,
        }
    }
}

/// log2 of the logical blocks in a physical one.
fn exponent(physical: u32, block_shift: u32) -> u8 {
    let exponent = physical
        .checked_ilog2()
        .unwrap_or(0)
        .saturating_sub(block_shift);
    u8::try_from(exponent.min(15)).unwrap_or(0)
}

impl<S: Store> DeviceOps for Disk<S> {
    fn device_type(&self) -> DeviceType {
        DeviceType::Disk
    }

    fn block_shift(&self) -> u32 {
        self.block_shift
    }

    fn is_read_only(&self) -> bool {
        self.read_only
    }

    fn descriptor_sense(&self) -> bool {
        self.unit.mode.d_sense()
    }

    fn serves(&self, op: &OpDesc) -> bool {
        sbc::serves(op.op)
    }

    fn exec(&self, cmd: Command<Admitted>) {
        self.execute(cmd);
    }

    fn detached(&self) {
        if let Err(e) = self.store.sync() {
            pr_err!(
                "{}: flushing what was acknowledged has failed: {}\n",
                self.unit.name(),
                e.to_errno()
            );
        }
    }

    fn attrs(&self) -> &'static [Attr] {
        attrs::of(self.unit.kind)
    }
}
