// SPDX-License-Identifier: GPL-2.0-only

//! A SCSI host: what the midlayer sends commands to.
//!
//! C header: [`include/scsi/scsi_host.h`](srctree/include/scsi/scsi_host.h)
//!
//! Implement [`HostOps`], hold a [`Host`]. Dropping the host removes it with all its devices, and waits for the
//! commands in flight; so it must not be dropped with a lock held that a command needs to end.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem;
use core::ptr::NonNull;

use kernel::bindings as c;
use kernel::device::Device;
use kernel::module::ModuleMetadata;
use kernel::prelude::*;
use kernel::str::{as_char_ptr_in_const_context, CStr};
use kernel::sync::{rcu, Arc};

use super::bindings::{self, scsi_cmnd, scsi_device, Scsi_Host};
use super::cmnd::{self, Aborted, Cmnd, Late};
use super::sdev::{Identity, Sdev};

/// Milliseconds that one step of error handling waits for a command before the next, stronger step is tried.
const EH_STEP_MS: u32 = 10_000;

/// Commands that a host takes at once, over all LUNs and CPUs. Memory for all of them exists as long as the host, about a
/// kilobyte and a half each, so this is what a session costs.
pub const CAN_QUEUE: u32 = 512;

/// Pieces that the data of a command may be in.
pub const SG_TABLESIZE: u32 = 0xFFFF;

/// LUNs are numbered below this.
pub const MAX_LUN: u32 = 16384;

/// In the template's first byte of flags: nothing here has to settle after a reset.
const SKIP_SETTLE_DELAY: u8 = 1 << 5;

/// In the second: commands run in the submitter's context, where a backing store may have to wait for a free request.
const QUEUECOMMAND_MAY_BLOCK: u8 = 1 << 0;

/// What error handling reached. What it tried in vain, or found nothing left to do for, is not reported.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// One command was aborted.
    Abort,
    /// One logical unit was reset.
    LunReset(u64),
    /// All logical units were reset.
    TargetReset,
}

/// What stands behind a host.
pub trait HostOps: Send + Sync + Sized + 'static {
    /// The module whose code this is; an open device of the host keeps it loaded.
    type Module: ModuleMetadata;

    /// The host template's name.
    const NAME: &'static CStr;

    /// Takes a command. May be called from any process and interrupted by I/O of its own: must not wait for other
    /// commands. Ends by `cmnd.done()`, here or later; or gives the command back, and gets it again after a while.
    fn queue(&self, cmnd: Cmnd) -> Result<(), Cmnd>;

    /// Commands that logical unit `lun` takes at once. Any context.
    fn queue_depth(&self, lun: u64) -> u32;

    /// What is written to logical unit `lun` must not change meanwhile. Sleeps.
    fn needs_stable_pages(&self, lun: u64) -> bool;

    /// A reset that was begun.
    type Reset<'a>: UnderReset
    where
        Self: 'a;

    /// Has every command end that `what` concerns, whichever host it came by. Does not wait for them. Called by error
    /// handling, must not allocate.
    fn reset(&self, what: Recovery) -> Self::Reset<'_>;

    /// Error handling succeeded in `what`.
    fn recovered(&self, what: Recovery);
}

/// A reset that was begun: every command that it concerns is to end. Called by error handling, must not allocate.
pub trait UnderReset {
    /// Whether they have ended.
    fn is_clear(&self) -> bool;

    /// They have.
    fn complete(&self);

    /// They have not, and nobody waits for them any more.
    fn give_up(&self);
}

/// A registered SCSI host.
///
/// # Invariants
///
/// `shost` was added; the first word of its host data is a pointer that `Arc::into_raw` gave.
pub struct Host<T: HostOps> {
    shost: NonNull<Scsi_Host>,
    _ops: PhantomData<Arc<T>>,
}

// SAFETY: A host may be used and removed from any thread.
unsafe impl<T: HostOps> Send for Host<T> {}
// SAFETY: As above.
unsafe impl<T: HostOps> Sync for Host<T> {}

impl<T: HostOps> Host<T> {
    /// Adds a host below `parent`. Commands may arrive before this returns.
    pub fn new(parent: &Device, ops: Arc<T>) -> Result<Self> {
        let template = &Template::<T>::TABLE;
        if template.skip_settle_delay() != 1 || template.queuecommand_may_block() != 1 {
            return Err(EINVAL);
        }
        // SAFETY: The template is static.
        let shost =
            unsafe { bindings::scsi_host_alloc(template, mem::size_of::<*const T>() as i32) };
        let shost = NonNull::new(shost).ok_or(ENOMEM)?;
        let ptr = Arc::into_raw(ops);
        // SAFETY: The host is ours alone until it is added, and its host data has room for a pointer.
        let ret = unsafe {
            let raw = shost.as_ptr();
            *ops_slot::<T>(raw) = ptr;
            (*raw).max_id = 1;
            (*raw).max_channel = 0;
            (*raw).max_lun = u64::from(MAX_LUN);
            // Until INQUIRY has told the SCSI level, LUNs 1 to 7 would go into reserved bits of the CDB.
            (*raw).set_no_scsi2_lun_in_cdb(1);
            (*raw).max_cmd_len = 32;
            (*raw).nr_hw_queues = kernel::cpu::nr_cpu_ids();
            // All of them share `CAN_QUEUE` commands, or a session would cost that many for each CPU.
            (*raw).set_host_tagset(1);
            bindings::scst_helper_add_host(raw, super::device::raw(parent))
        };
        // A scheduler keeps requests of its own for each disk, and has nothing to put in order before a queue that the
        // backing store's disk has again. Nothing is scanned yet, so no disk has read the flags.
        // SAFETY: The host is ours, and nobody changes its flags but us.
        unsafe { (*shost.as_ptr()).tag_set.flags |= c::BLK_MQ_F_NO_SCHED_BY_DEFAULT };
        if ret != 0 {
            // SAFETY: The host was not added, so nobody uses the pointer; our reference goes.
            unsafe {
                drop(Arc::from_raw(ptr));
                bindings::scsi_host_put(shost.as_ptr());
            }
            return Err(match Error::from_errno(ret) {
                // The host has no name: Linux does not look whether there was memory for it.
                EINVAL => ENOMEM,
                other => other,
            });
        }
        // INVARIANT: Added above.
        Ok(Self {
            shost,
            _ops: PhantomData,
        })
    }

    /// The number in `hostN`.
    pub fn number(&self) -> u32 {
        // SAFETY: By the type's invariant.
        unsafe { (*self.shost.as_ptr()).host_no }
    }

    /// The host's own device, `hostN`.
    pub fn device(&self) -> &Device {
        // SAFETY: By the type's invariant.
        unsafe { Device::from_raw(&raw mut (*self.shost.as_ptr()).shost_gendev) }
    }

    /// The host as a member of its class, `scsi_host/hostN`: where its attributes are.
    pub fn class_device(&self) -> &Device {
        // SAFETY: By the type's invariant.
        unsafe { Device::from_raw(&raw mut (*self.shost.as_ptr()).shost_dev) }
    }

    /// Probes logical unit `lun`, and makes a SCSI device of it if it answers. Sleeps; sends commands.
    pub fn scan_lun(&self, lun: u32) {
        // SAFETY: By the type's invariant.
        unsafe {
            bindings::scsi_scan_target(
                super::device::raw(self.device()),
                0,
                0,
                u64::from(lun),
                bindings::scsi_scan_mode_SCSI_SCAN_MANUAL,
            );
        }
        self.mend();
    }

    /// Makes sure that what was added is known to the midlayer as added; see the helper. Sleeps.
    fn mend(&self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_host_mend(self.shost.as_ptr()) };
    }

    /// Removes the SCSI device of `lun`, flushing its caches first. Sleeps; sends commands.
    pub fn remove_lun(&self, lun: u32) {
        self.mend();
        match self.sdev(lun) {
            Some(sdev) => sdev.remove(),
            // A device that somebody else is removing is not found, but still flushes.
            // SAFETY: By the type's invariant.
            None => unsafe { bindings::scst_helper_host_settle(self.shost.as_ptr()) },
        }
    }

    /// Has the SCSI device of `lun` read its identity and its capacity again; one of another type takes its place where
    /// the type has changed. Sleeps; sends commands.
    pub fn rescan_lun(&self, lun: u32) {
        let Some(sdev) = self.sdev(lun) else { return };
        if sdev.identify() == Identity::OtherType {
            sdev.remove();
            return self.scan_lun(lun);
        }
        sdev.rescan();
        self.limit_lun(lun);
    }

    /// Has the SCSI device of `lun` take as many commands at once as [`HostOps::queue_depth`] says now. Sleeps.
    pub fn limit_lun(&self, lun: u32) {
        if let Some(sdev) = self.sdev(lun) {
            // SAFETY: The device is one of this host, which is not removed before we return.
            unsafe { Template::<T>::change_queue_depth(sdev.as_ptr(), CAN_QUEUE as i32) };
        }
    }

    /// Commands of `lun`, or of all LUNs, that the midlayer has sent and that are still with us.
    pub fn commands(&self, lun: Option<u32>) -> u32 {
        let mut tally = Tally {
            lun: lun.map(u64::from),
            count: 0,
        };
        // SAFETY: By the type's invariant; the callback is called before this returns, with a pointer to `tally`.
        unsafe {
            let tally = (&raw mut tally).cast();
            bindings::scsi_host_busy_iter(self.shost.as_ptr(), Some(tally_one), tally);
        }
        tally.count
    }

    /// Calls `f` for every command that the midlayer has sent and that is still with us. `f` must not sleep.
    pub fn for_each_command(&self, f: &mut dyn FnMut(Sent<'_>)) {
        let mut f = f;
        // SAFETY: By the type's invariant; the callback is called before this returns, with a pointer to `f`.
        unsafe {
            let f = (&raw mut f).cast();
            bindings::scsi_host_busy_iter(self.shost.as_ptr(), Some(show_one), f);
        }
    }

    /// Error handling is at work: commands are being aborted, or units reset.
    pub fn is_recovering(&self) -> bool {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_host_in_recovery(self.shost.as_ptr()) }
    }

    fn sdev(&self, lun: u32) -> Option<Sdev> {
        // SAFETY: By the type's invariant.
        unsafe { Sdev::lookup(self.shost.as_ptr(), lun) }
    }
}

impl<T: HostOps> Drop for Host<T> {
    fn drop(&mut self) {
        self.mend();
        let shost = self.shost.as_ptr();
        // SAFETY: By the type's invariant. After the removal the midlayer calls us for this host no more, also where
        // somebody keeps the host's memory alive by an open device; for a reset by ioctl see `Template::reset`.
        unsafe {
            bindings::scsi_remove_host(shost);
            drop(Arc::from_raw(*ops_slot::<T>(shost)));
            bindings::scsi_host_put(shost);
        }
    }
}

/// # Safety
///
/// `shost` must be a host made by [`Host::new`] for the same `T`.
unsafe fn ops_slot<T>(shost: *mut Scsi_Host) -> *mut *const T {
    // SAFETY: By this function's contract the host data holds one pointer.
    unsafe { (&raw mut (*shost).hostdata).cast() }
}

/// # Safety
///
/// As [`ops_slot`], and the host not yet dropped.
unsafe fn ops<'a, T>(shost: *mut Scsi_Host) -> &'a T {
    // SAFETY: By this function's contract.
    unsafe { &**ops_slot::<T>(shost) }
}

/// # Safety
///
/// `cmd` must be a command of a host made for the same `T`.
unsafe fn host_of(cmd: *mut scsi_cmnd) -> *mut Scsi_Host {
    // SAFETY: By this function's contract.
    unsafe { (*(*cmd).device).host }
}

struct Template<T>(PhantomData<T>);

impl<T: HostOps> Template<T> {
    const TABLE: bindings::scsi_host_template = {
        // SAFETY: Numbers, and pointers that may be null.
        let mut t: bindings::scsi_host_template = unsafe { mem::zeroed() };
        t.module = T::Module::THIS_MODULE.as_ptr();
        t.name = as_char_ptr_in_const_context(T::NAME);
        // What `lsscsi -H` prints.
        t.proc_name = as_char_ptr_in_const_context(T::NAME);
        t.cmd_size = mem::size_of::<cmnd::Private>() as u32;
        t.queuecommand = Some(Self::queuecommand);
        t.init_cmd_priv = Some(Self::init_cmd_priv);
        t.eh_abort_handler = Some(Self::abort);
        t.eh_device_reset_handler = Some(Self::device_reset);
        t.eh_target_reset_handler = Some(Self::target_reset);
        t.eh_host_reset_handler = Some(Self::host_reset);
        t.sdev_configure = Some(Self::sdev_configure);
        t.change_queue_depth = Some(Self::change_queue_depth);
        t.can_queue = CAN_QUEUE as i32;
        t.cmd_per_lun = 64;
        t.this_id = -1;
        t.sg_tablesize = SG_TABLESIZE as u16;
        // 32 MiB less one sector, and segments as long as the block layer can merge them: no device of ours has a DMA
        // engine with limits. Nothing is said of alignment either, so that the block layer's smallest holds.
        t.max_sectors = 0xFFFF;
        t.max_segment_size = u32::MAX;
        // The setters of C's bit fields are no constants; `Host::new` checks that these are the bits meant.
        t._bitfield_1 =
            bindings::__BindgenBitfieldUnit::new([SKIP_SETTLE_DELAY, QUEUECOMMAND_MAY_BLOCK]);
        t
    };

    /// # Safety
    ///
    /// Called by the midlayer with a command that it hands over to a host of ours.
    unsafe extern "C" fn queuecommand(
        shost: *mut Scsi_Host,
        cmd: *mut scsi_cmnd,
    ) -> bindings::scsi_qc_status {
        // SAFETY: The host is ours and exists while commands arrive.
        let ops = unsafe { ops::<T>(shost) };
        let Some(ptr) = NonNull::new(cmd) else {
            return 0;
        };
        // SAFETY: This is the one call of `queuecommand` for this command.
        match ops.queue(unsafe { Cmnd::from_queue(ptr) }) {
            Ok(()) => 0,
            Err(cmnd) => {
                cmnd.give_back();
                DEVICE_BUSY
            }
        }
    }

    /// # Safety
    ///
    /// Called by the midlayer with memory of `cmd_size` behind a new command.
    unsafe extern "C" fn init_cmd_priv(_shost: *mut Scsi_Host, cmd: *mut scsi_cmnd) -> i32 {
        if let Some(cmd) = NonNull::new(cmd) {
            // SAFETY: By this function's contract.
            unsafe { cmnd::init_private(cmd) };
        }
        0
    }

    /// Waits as long as a backing store has the command. Failing would be no use: stronger steps of error handling wait
    /// for the same, and hold up every LUN of the host meanwhile, where this holds up only commands that are late too.
    ///
    /// # Safety
    ///
    /// Called by the midlayer's error handling with a command that it owns.
    unsafe extern "C" fn abort(cmd: *mut scsi_cmnd) -> i32 {
        let Some(ptr) = NonNull::new(cmd) else {
            return FAILED;
        };
        // SAFETY: By this function's contract.
        let aborted = unsafe { Late::new(ptr) }.abort();
        // The midlayer sends it again with the mark that it was aborted, and takes a second abort of the same command for a
        // first one that has failed: then all of the host would wait for its store.
        // SAFETY: As above; until this returns nobody else looks at the command.
        unsafe { (*cmd).eh_eflags = 0 };
        if aborted == Aborted::Now {
            // SAFETY: The host is ours.
            unsafe { ops::<T>(host_of(cmd)) }.recovered(Recovery::Abort);
        }
        SUCCESS
    }

    /// # Safety
    ///
    /// Called by the midlayer's error handling, or for an ioctl, with a command of a host of ours.
    unsafe extern "C" fn device_reset(cmd: *mut scsi_cmnd) -> i32 {
        // SAFETY: By this function's contract.
        unsafe {
            Self::reset(
                cmd,
                Recovery::LunReset((*(*cmd).device).lun),
                Some(EH_STEP_MS),
            )
        }
    }

    /// # Safety
    ///
    /// As [`Self::device_reset`].
    unsafe extern "C" fn target_reset(cmd: *mut scsi_cmnd) -> i32 {
        // SAFETY: By this function's contract.
        unsafe { Self::reset(cmd, Recovery::TargetReset, Some(EH_STEP_MS)) }
    }

    /// The last step before error handling takes its commands back, pages and all: it waits as long as a backing store
    /// has them. Whoever asks by ioctl takes nothing back, and holds up all of the host meanwhile.
    ///
    /// # Safety
    ///
    /// As [`Self::device_reset`].
    unsafe extern "C" fn host_reset(cmd: *mut scsi_cmnd) -> i32 {
        // SAFETY: By this function's contract.
        unsafe { Self::reset(cmd, Recovery::TargetReset, None) }
    }

    /// Aborts the commands of what is reset, and waits until they have ended.
    ///
    /// A reset that was asked for by ioctl may come when the host is going, or gone: then it fails. Error handling's own
    /// resets come only while the host has commands, so never later than its removal.
    ///
    /// # Safety
    ///
    /// `cmd` must be a command of a host of ours.
    unsafe fn reset(cmd: *mut scsi_cmnd, what: Recovery, timeout_ms: Option<u32>) -> i32 {
        // SAFETY: By this function's contract; whoever sends a command holds its device, which holds the host's memory.
        let (shost, asked) = unsafe { (host_of(cmd), (*cmd).submitter) };
        if asked != bindings::scsi_cmnd_submitter_SUBMITTED_BY_SCSI_RESET_IOCTL {
            // SAFETY: Error handling runs, so the host is not removed.
            return verdict(unsafe { Self::abort_and_tell(shost, what, timeout_ms) });
        }
        // SAFETY: The host's memory exists. The lock is tried, not waited for: whoever removes the host holds it while
        // the host's disks flush, which this reset holds up.
        let live = unsafe { bindings::scst_helper_host_hold(shost) };
        if !live {
            return FAILED;
        }
        // SAFETY: The host is not removed before it is let go.
        let done = unsafe { Self::abort_and_tell(shost, what, Some(EH_STEP_MS)) };
        // SAFETY: Held above.
        unsafe { bindings::scst_helper_host_let_go(shost) };
        verdict(done)
    }

    /// Aborts, waits, and tells the driver when it was not in vain.
    ///
    /// # Safety
    ///
    /// `shost` must be a host of ours that is not removed while this runs.
    unsafe fn abort_and_tell(
        shost: *mut Scsi_Host,
        what: Recovery,
        timeout_ms: Option<u32>,
    ) -> bool {
        // SAFETY: By this function's contract.
        let ops = unsafe { ops::<T>(shost) };
        let reset = ops.reset(what);
        let mut waited: u32 = 0;
        // SAFETY: By this function's contract.
        while unsafe { busy(shost, what) } || !reset.is_clear() {
            if timeout_ms.is_some_and(|t| waited >= t) {
                reset.give_up();
                return false;
            }
            super::msleep(5);
            waited = waited.saturating_add(5);
        }
        // Whoever has just let a command go may still be in `scsi_done`.
        rcu::synchronize_rcu();
        reset.complete();
        ops.recovered(what);
        true
    }

    /// # Safety
    ///
    /// Called by the midlayer with a device of a host of ours that it is setting up.
    unsafe extern "C" fn sdev_configure(
        sdev: *mut scsi_device,
        limits: *mut c::queue_limits,
    ) -> i32 {
        // SAFETY: By this function's contract.
        unsafe {
            if ops::<T>((*sdev).host).needs_stable_pages((*sdev).lun) {
                bindings::scst_helper_limits_stable_writes(limits);
            }
            Self::change_queue_depth(sdev, CAN_QUEUE as i32);
            // A command that was given back comes again as soon as another has ended.
            (*sdev).max_device_blocked = 1;
        }
        0
    }

    /// Takes at most as many commands at once as the logical unit does, so that it never has to refuse one.
    ///
    /// # Safety
    ///
    /// Called by the midlayer with a device of a host of ours, in any context.
    unsafe extern "C" fn change_queue_depth(sdev: *mut scsi_device, depth: i32) -> i32 {
        // SAFETY: By this function's contract.
        unsafe {
            let most = ops::<T>((*sdev).host).queue_depth((*sdev).lun);
            let most = most.clamp(1, CAN_QUEUE) as i32;
            bindings::scsi_change_queue_depth(sdev, depth.clamp(1, most))
        }
    }
}

const DEVICE_BUSY: bindings::scsi_qc_status = bindings::scsi_qc_status_SCSI_MLQUEUE_DEVICE_BUSY;
const SUCCESS: i32 = bindings::scsi_disposition_SUCCESS as i32;
const FAILED: i32 = bindings::scsi_disposition_FAILED as i32;

const fn verdict(good: bool) -> i32 {
    if good {
        SUCCESS
    } else {
        FAILED
    }
}

/// A command that was sent and not yet given back.
pub struct Sent<'a> {
    /// Its logical unit.
    pub lun: u64,
    /// Its command descriptor block.
    pub cdb: &'a [u8],
    /// Milliseconds since it was made, or came for the last time.
    pub age_ms: u64,
}

/// # Safety
///
/// Called by the midlayer with a started command, which does not go meanwhile, and the function that was passed along.
unsafe extern "C" fn show_one(cmd: *mut scsi_cmnd, f: *mut c_void) -> bool {
    // SAFETY: By this function's contract.
    let (f, cmd) = unsafe { (&mut *f.cast::<&mut dyn FnMut(Sent<'_>)>(), &*cmd) };
    if cmnd::is_ours(NonNull::from(cmd)) {
        // SAFETY: Any number may be read, and turned into milliseconds; a command that was sent has a device.
        let (age_ms, lun) = unsafe {
            let age = (&raw const c::jiffies).read_volatile();
            let age = age.wrapping_sub(cmd.jiffies_at_alloc);
            (c::jiffies64_to_msecs(age as u64), (*cmd.device).lun)
        };
        let cdb = cmd.cmnd.get(..usize::from(cmd.cmd_len));
        f(Sent {
            lun,
            cdb: cdb.unwrap_or(&cmd.cmnd),
            age_ms,
        });
    }
    true
}

/// Commands that are with us, of one LUN or of all.
struct Tally {
    lun: Option<u64>,
    count: u32,
}

/// # Safety
///
/// Called by the midlayer with a started command and the [`Tally`] that was passed along.
unsafe extern "C" fn tally_one(cmd: *mut scsi_cmnd, tally: *mut c_void) -> bool {
    // SAFETY: By this function's contract.
    let (tally, lun) = unsafe { (&mut *tally.cast::<Tally>(), (*(*cmd).device).lun) };
    if let Some(ptr) = NonNull::new(cmd).filter(|_| tally.lun.is_none_or(|l| l == lun)) {
        tally.count = tally.count.saturating_add(u32::from(cmnd::is_ours(ptr)));
    }
    true
}

/// Whether a command of `what` is still with us.
///
/// # Safety
///
/// `shost` must be a host of ours.
unsafe fn busy(shost: *mut Scsi_Host, what: Recovery) -> bool {
    let lun = match what {
        Recovery::LunReset(lun) => Some(lun),
        Recovery::Abort | Recovery::TargetReset => None,
    };
    let mut tally = Tally { lun, count: 0 };
    // SAFETY: The callback is called before this returns, with a pointer to `tally`.
    unsafe { bindings::scsi_host_busy_iter(shost, Some(tally_one), (&raw mut tally).cast()) };
    tally.count != 0
}
