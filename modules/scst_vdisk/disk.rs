// SPDX-License-Identifier: GPL-2.0-only

//! A disk: what is the same over every store.

use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use scst::attention::Precedence;
use scst::command::{Admitted, Command};
use scst::device::{Create, DeviceOps};
use scst::kapi::global;
use scst::kapi::sysfs::Attr;
use scst::mode::Mode;
use scst::proto::capacity::Capacity;
use scst::proto::cdb::Command as Cdb;
use scst::proto::device_type::DeviceType;
use scst::proto::inquiry::UnmapLimits;
use scst::proto::mode::ModeState;
use scst::proto::opcode::OpDesc;
use scst::proto::range::ByteRange;
use scst::proto::sense::Sense;
use scst::proto::served;

use crate::attrs;
use crate::format::Progress;
use crate::handler::Kind;
use crate::params::Params;
use crate::sbc;
use crate::shared::Shared;
use crate::store::{Facts, Store};
use crate::unit::Unit;

/// Bytes of a physical block where the store has none: a page, which is what files are cached by.
pub(crate) const PHYSICAL_BLOCK: u32 = 4096;

/// `opt_trans_len` where the store has no opinion, in bytes.
const OPT_TRANS_LEN: u32 = 512 * 1024;

/// A virtual disk.
#[pin_data]
pub(crate) struct Disk<S> {
    pub(crate) store: S,
    pub(crate) block_shift: u32,
    /// Logical blocks of the medium.
    blocks: Atomic<u64>,
    /// The most of them that it has, whatever the store has; [`u64::MAX`] where nobody has said a number.
    pub(crate) most_blocks: Atomic<u64>,
    pub(crate) read_only: bool,
    /// No flush is needed: the store has no volatile cache, or was said to have none.
    pub(crate) nv_cache: bool,
    /// Somebody promised that what the store has acknowledged is safe, whatever the store says of itself.
    pub(crate) cache_is_safe: bool,
    /// Asked for when the disk was made.
    pub(crate) write_through: bool,
    pub(crate) removable: bool,
    /// An initiator has taken the medium out.
    pub(crate) ejected: Atomic<bool>,
    pub(crate) rotational: bool,
    /// There is no device behind the LUN.
    pub(crate) dummy: bool,
    /// Blocks can be given back.
    pub(crate) thin: bool,
    /// Somebody has said whether they can.
    pub(crate) thin_given: bool,
    /// Past the page cache.
    pub(crate) o_direct: bool,
    numa_node_id: i32,
    /// The store is closed while the ALUA state forbids access.
    pub(crate) bind_alua_state: Atomic<bool>,
    /// Initiators may set ALUA states.
    pub(crate) expl_alua: Atomic<bool>,
    physical_exponent: Atomic<u32>,
    /// First logical block at the start of a physical one.
    lowest_aligned: Atomic<u32>,
    pub(crate) formatting: Arc<Progress>,
    /// Most bytes that one UNMAP gives back.
    max_unmap: Atomic<u64>,
    /// Bytes of the units that the store gives back whole; 0 where it does not say.
    unmap_unit: Atomic<u32>,
    /// Bytes before the first of them.
    unmap_first: Atomic<u32>,
    /// READ CAPACITY (16) tells of physical blocks.
    pub(crate) lb_per_pb_exp: Atomic<bool>,
    /// `opt_trans_len` in bytes.
    pub(crate) opt_trans_len: Atomic<u32>,
    pub(crate) opt_trans_len_set: Atomic<bool>,
    #[pin]
    pub(crate) unit: Unit,
    /// The store's name. Held while the store is opened or closed, so while commands end: no command takes it.
    #[pin]
    pub(crate) filename: Mutex<Option<CString>>,
}

impl<S: Store> Disk<S> {
    /// A disk over `store`. `EEXIST` where its default serial number is taken.
    pub(crate) fn new(
        kind: Kind,
        request: &Create<'_>,
        (mut params, facts): (Params, Option<Facts>),
        store: S,
        shared: &Arc<Shared>,
    ) -> Result<impl PinInit<Self, Error>> {
        let nv_cache = params.nv_cache || facts.as_ref().is_some_and(|facts| !facts.volatile);
        let default_mode = ModeState::new(!params.write_through && !nv_cache, params.tst);
        let id = params.t10_dev_id.as_ref();
        let unit = Unit::new(kind, request, id, default_mode, shared)?;
        let filename = params.take_filename();
        let unmaps = facts.as_ref().map(|facts| facts.max_unmap > 0);
        let discards = kind == Kind::Block && unmaps == Some(true);
        if params.thin_provisioned == Some(true) && unmaps == Some(false) {
            // An initiator that believed it would have zeroes written wherever it frees something.
            pr_warn!(
                "{}: not thin, as the device below cannot discard\n",
                request.name
            );
            params.thin_provisioned = Some(false);
        }
        let binds_by_default = kind == Kind::Block;
        let formatting = Arc::new(Progress::new(), GFP_KERNEL)?;
        let disk = try_pin_init!(Self {
            store,
            block_shift: params.block_shift,
            blocks: Atomic::new(0),
            most_blocks: Atomic::new(u64::MAX),
            read_only: params.read_only,
            nv_cache,
            cache_is_safe: params.nv_cache,
            write_through: params.write_through,
            removable: params.removable,
            ejected: Atomic::new(false),
            rotational: params.rotational,
            dummy: params.dummy,
            thin: params.thin_provisioned.unwrap_or(discards),
            thin_given: params.thin_provisioned.is_some(),
            o_direct: params.o_direct,
            numa_node_id: params.numa_node_id,
            bind_alua_state: Atomic::new(params.bind_alua_state.unwrap_or(binds_by_default)),
            expl_alua: Atomic::new(false),
            physical_exponent: Atomic::new(0),
            lowest_aligned: Atomic::new(0),
            formatting,
            max_unmap: Atomic::new(sbc::WRITE_SAME_MAX),
            unmap_unit: Atomic::new(0),
            unmap_first: Atomic::new(0),
            lb_per_pb_exp: Atomic::new(true),
            opt_trans_len: Atomic::new(OPT_TRANS_LEN),
            opt_trans_len_set: Atomic::new(false),
            unit <- unit,
            filename <- new_mutex!(filename),
        }? Error);
        Ok(disk.pin_chain(move |disk| {
            if let Some(facts) = facts {
                disk.blocks.store(disk.take_over(&facts), Relaxed);
            }
            Ok(())
        }))
    }

    /// Takes over what opening the store told. Returns the logical blocks of the medium.
    fn take_over(&self, facts: &Facts) -> u64 {
        let exponent = exponent(facts.physical_block_size, self.block_shift);
        self.physical_exponent.store(exponent.into(), Relaxed);
        // What the device says may be the first block of a larger unit that it likes.
        let aligned = facts
            .alignment_offset
            .checked_rem(facts.physical_block_size);
        let aligned = aligned.unwrap_or(0);
        let aligned = match aligned & self.block_size().wrapping_sub(1) {
            0 => aligned.wrapping_shr(self.block_shift),
            // No logical block begins where a physical one does.
            _ => 0,
        };
        self.lowest_aligned.store(aligned, Relaxed);
        // One that was made before anybody knew, and cannot: it takes UNMAP for the hint that it is.
        let max_unmap = match facts.max_unmap {
            0 => sbc::WRITE_SAME_MAX,
            most => most,
        };
        self.max_unmap.store(max_unmap, Relaxed);
        let (unit, first) = facts.unmap_units.unwrap_or((0, 0));
        self.unmap_unit.store(unit, Relaxed);
        self.unmap_first.store(first, Relaxed);
        if !self.opt_trans_len_set.load(Relaxed) {
            self.opt_trans_len
                .store(facts.optimal_io.unwrap_or(OPT_TRANS_LEN), Relaxed);
        }
        let there_are = facts.size.wrapping_shr(self.block_shift);
        there_are.min(self.most_blocks.load(Relaxed))
    }

    /// Opens the store, and tells the initiators. Nothing happens where it is open.
    pub(crate) fn activate(&self) -> Result {
        let filename = self.filename.lock();
        if self.store.is_open() {
            return Ok(());
        }
        self.open(&filename)?;
        self.ejected.store(false, Relaxed);
        let core = global::core()?;
        self.unit.announce_medium(&core, None);
        core.capacity_changed(self.unit.name());
        Ok(())
    }

    /// Opens the store. Returns whether another number of blocks is in it.
    fn open(&self, filename: &Option<CString>) -> Result<bool> {
        let facts = self.store.open(filename.as_deref().ok_or(EINVAL)?)?;
        let blocks = self.take_over(&facts);
        Ok(self.blocks.xchg(blocks, Relaxed) != blocks)
    }

    /// Opens the store again that was closed while no port led to the medium, which is the same as before but for its size.
    /// Returns whether it was closed.
    fn reopen(&self) -> Result<bool> {
        let filename = self.filename.lock();
        if self.store.is_open() {
            return Ok(false);
        }
        if !self.open(&filename)? {
            return Ok(true);
        }
        global::core()?.for_each_nexus(self.unit.name(), &mut |nexus| {
            nexus
                .unit_attentions()
                .raise(Sense::CAPACITY_CHANGED, Precedence::Last);
            nexus.reread_later();
        });
        Ok(true)
    }

    /// Closes the store, having brought everything onto stable storage. Returns whether it was open.
    pub(crate) fn deactivate(&self) -> Result<bool> {
        let _filename = self.filename.lock();
        if !self.store.is_open() {
            return Ok(false);
        }
        self.store.close()?;
        Ok(true)
    }

    /// Gives the disk another store, to be opened later. `EINVAL` while the present one is open.
    pub(crate) fn rename_store(&self, path: &str) -> Result {
        if !path.starts_with('/') || path.contains(char::is_control) {
            return Err(EINVAL);
        }
        let path = CString::try_from_fmt(fmt!("{path}"))?;
        let mut filename = self.filename.lock();
        if self.store.is_open() {
            return Err(EINVAL);
        }
        if filename.as_deref() != Some(&*path) {
            // What was said, and lost, was said of another medium.
            self.most_blocks.store(u64::MAX, Relaxed);
            self.store.forget_debt();
        }
        *filename = Some(path);
        Ok(())
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

    /// Blocks that were given back read as zeroes: a hole in a file does, what a device discarded need not.
    pub(crate) fn reads_zeroes(&self) -> bool {
        self.thin && self.unit.kind == Kind::File
    }

    /// Most blocks that one UNMAP gives back.
    pub(crate) fn max_unmap_blocks(&self) -> u32 {
        let blocks = self.max_unmap.load(Relaxed).wrapping_shr(self.block_shift);
        u32::try_from(blocks).unwrap_or(u32::MAX)
    }

    /// What one UNMAP covers, and best covers: physical blocks where the store knows no units of its own.
    pub(crate) fn unmap_limits(&self) -> UnmapLimits {
        let blocks = |bytes: u32| bytes.wrapping_shr(self.block_shift);
        let unit = self.unmap_unit.load(Relaxed);
        let first = self.unmap_first.load(Relaxed);
        let is_told = first > 0 && first & self.block_size().wrapping_sub(1) == 0;
        UnmapLimits {
            max_lbas: self.max_unmap_blocks(),
            granularity: match blocks(unit) {
                0 => self.physical_blocks(),
                blocks => blocks,
            },
            alignment: is_told.then(|| blocks(first)),
        }
    }

    /// Logical blocks in a physical one.
    pub(crate) fn physical_blocks(&self) -> u32 {
        1_u32.wrapping_shl(self.physical_exponent.load(Relaxed))
    }

    /// What READ CAPACITY tells.
    pub(crate) fn capacity(&self) -> Capacity {
        let (exponent, aligned) = match self.lb_per_pb_exp.load(Relaxed) {
            true => (
                self.physical_exponent.load(Relaxed),
                self.lowest_aligned.load(Relaxed),
            ),
            false => (0, 0),
        };
        Capacity {
            blocks: self.blocks(),
            block_size: self.block_size(),
            physical_exponent: u8::try_from(exponent).unwrap_or(0),
            lowest_aligned: u16::try_from(aligned).unwrap_or(0),
            lbpme: self.thin,
            lbprz: self.reads_zeroes(),
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

    fn mode(&self) -> Option<Arc<Mode>> {
        Some(self.unit.mode.clone())
    }

    fn serves(&self, op: &OpDesc) -> bool {
        served::by_device(op, DeviceType::Disk, self.thin)
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

    fn exec_put_off(&self, cmd: Command<Admitted>) {
        match cmd.decoded().command {
            Cdb::ModeSelect(request) => self.mode_select(cmd, &request),
            _ => self.execute(cmd),
        }
    }

    fn set_threads(&self, most: u32) {
        self.store.set_threads(most);
    }

    fn needs_stable_pages(&self) -> bool {
        self.store.needs_stable_pages()
    }

    fn sets_port_groups(&self) -> bool {
        self.expl_alua.load(Relaxed)
    }

    fn reached(&self, is_reached: bool) -> Result<bool> {
        match (self.bind_alua_state.load(Relaxed), is_reached) {
            (false, _) => Ok(false),
            (true, true) => self.reopen(),
            (true, false) => self.deactivate(),
        }
    }

    fn numa_node_id(&self) -> i32 {
        self.numa_node_id
    }

    fn reset(&self) {
        self.unit.reset();
        // Nobody asks for what was acknowledged to be made stable, once the initiators find that there is no cache. It may have
        // gone off by a command that the reset has cut short.
        if !self.unit.mode.wce() && self.needs_flushes() {
            self.store.sync_later();
        }
    }

    fn attrs(&self) -> &'static [Attr] {
        attrs::of(self.unit.kind, self.thin)
    }
}
