// SPDX-License-Identifier: GPL-2.0-only

//! One command of the SCSI midlayer, from `queuecommand` to `scsi_done`.
//!
//! C header: [`include/scsi/scsi_cmnd.h`](srctree/include/scsi/scsi_cmnd.h)

use core::mem::{self, MaybeUninit};
use core::ptr::NonNull;

use kernel::bindings as c;
use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Full, Relaxed, Release};
use kernel::sync::rcu;

use super::bindings;
use super::segments::Segments;

/// Bytes that a parked command's owner may keep in the command's own memory.
pub(crate) const SLOT_BYTES: usize = 128;

/// Our part of the memory that the midlayer allocates with every command (`cmd_size`), so that nothing on the I/O path
/// allocates.
#[repr(C)]
pub(crate) struct Private {
    /// Runs a parked command on a workqueue.
    pub(super) work: MaybeUninit<c::work_struct>,
    /// The bio of a parked command that fits one, with its page table.
    pub(super) bio: MaybeUninit<super::bdev::InlineBio>,
    /// What the owner parked.
    slot: MaybeUninit<[u64; SLOT_BYTES / 8]>,
    /// What to do with it, a function pointer whose type the parker knows.
    pub(super) run: *const (),
    /// One of the states below.
    state: Atomic<i32>,
    /// When the command came in, in nanoseconds; 0 while nobody wants to know.
    started: Atomic<i64>,
}

/// Not ours: never queued, or given back.
const IDLE: i32 = 0;
/// Ours, and to be given back.
const RUNNING: i32 = 1;
/// Still ours, but error handling waits for us to let go of it, and gives it back itself.
const ABORTING: i32 = 2;
/// Not ours any more, and nobody will give it back but error handling: its initiator gets no answer.
const SWALLOWED: i32 = 3;

/// Where a command's data goes, seen from the initiator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// No data.
    None,
    /// Data-In: from us to the initiator.
    In,
    /// Data-Out: from the initiator to us.
    Out,
}

/// How a command ended, as the midlayer wants it.
pub struct Completion<'a> {
    /// SAM status byte.
    pub status: u8,
    /// Bytes of the buffer that were not used.
    pub resid: u32,
    /// Sense data; empty unless the status is CHECK CONDITION.
    pub sense: &'a [u8],
}

/// A command that is ours until [`Cmnd::done`].
///
/// # Invariants
///
/// The pointer is a command that the midlayer queued to us and that was not given back; `Private` at its end is
/// initialised and its state is not `IDLE`.
pub struct Cmnd(NonNull<bindings::scsi_cmnd>);

// SAFETY: A command may be completed from any thread and any context.
unsafe impl Send for Cmnd {}
// SAFETY: Shared access only reads what does not change while the command is ours.
unsafe impl Sync for Cmnd {}

impl Cmnd {
    /// Takes the command over.
    ///
    /// # Safety
    ///
    /// Called once for each call of `queuecommand`, with its argument.
    pub(super) unsafe fn from_queue(ptr: NonNull<bindings::scsi_cmnd>) -> Self {
        // INVARIANT: By this function's contract; the state is set here.
        let this = Self(ptr);
        this.private_state().store(RUNNING, Release);
        this.started().store(0, Relaxed);
        this
    }

    fn started(&self) -> &Atomic<i64> {
        // SAFETY: `Private` is initialised by `init_cmd_priv`, and this field is shared as an atomic only.
        unsafe { &(*self.private().as_ptr()).started }
    }

    /// Starts the command's clock.
    pub(crate) fn start_clock(&self) {
        self.started().store(super::now_ns() as i64, Relaxed);
    }

    /// Nanoseconds since the clock was started, if it was.
    #[inline]
    pub(crate) fn clock(&self) -> Option<u64> {
        match self.started().load(Relaxed) {
            0 => None,
            start => Some(super::now_ns().saturating_sub(start as u64)),
        }
    }

    fn raw(&self) -> &bindings::scsi_cmnd {
        // SAFETY: By the type's invariant.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn private(&self) -> NonNull<Private> {
        private_of(self.0)
    }

    fn private_state(&self) -> &Atomic<i32> {
        // SAFETY: `Private` is initialised by `init_cmd_priv` and only its state is reached by other threads.
        unsafe { &(*self.private().as_ptr()).state }
    }

    /// The command descriptor block, at most 32 bytes.
    #[inline]
    pub fn cdb(&self) -> &[u8] {
        let raw = self.raw();
        raw.cmnd
            .get(..usize::from(raw.cmd_len))
            .unwrap_or(&raw.cmnd)
    }

    /// The logical unit, as the midlayer numbers it.
    #[inline]
    pub fn lun(&self) -> u64 {
        // SAFETY: A queued command has a device.
        unsafe { (*self.raw().device).lun }
    }

    /// Which way the initiator expects data to go.
    #[inline]
    pub fn direction(&self) -> Direction {
        match self.raw().sc_data_direction {
            c::dma_data_direction::DMA_FROM_DEVICE => Direction::In,
            c::dma_data_direction::DMA_TO_DEVICE => Direction::Out,
            _ => Direction::None,
        }
    }

    /// Nobody changes the initiator's buffer while it is being written from.
    pub fn has_stable_buffer(&self) -> bool {
        // SAFETY: The command's device, and so its queue, stay while the command is ours.
        unsafe { bindings::scst_helper_cmnd_stable_writes(self.0.as_ptr()) }
    }

    /// Bytes of the initiator's buffer.
    #[inline]
    pub fn buffer_len(&self) -> u32 {
        self.raw().sdb.length
    }

    /// The pages of the initiator's buffer.
    #[inline]
    pub fn segments(&self) -> Segments<'_> {
        let table = &self.raw().sdb.table;
        // SAFETY: The table describes the buffer for as long as the command is ours.
        unsafe { Segments::new(table.sgl, table.nents) }
    }

    /// Whether the initiator's buffer is there to be written to. Where data goes the other way, the pages may be of a file
    /// that the initiator can only read.
    #[inline]
    fn takes_data(&self) -> bool {
        self.direction() == Direction::In
    }

    /// Copies `bytes` into the initiator's buffer, `offset` bytes from its start; what does not fit is left out, and all of
    /// it where data goes the other way. Returns the bytes copied. Any context.
    pub fn copy_to_buffer(&self, offset: usize, bytes: &[u8]) -> usize {
        if !self.takes_data() {
            return 0;
        }
        let table = &self.raw().sdb.table;
        // SAFETY: The table describes the buffer, `bytes` are readable; C bounds the copy by both.
        unsafe {
            c::sg_pcopy_from_buffer(
                table.sgl,
                table.nents,
                bytes.as_ptr().cast(),
                bytes.len(),
                skip(offset),
            )
        }
    }

    /// Copies the initiator's data from `offset` on into `bytes`. Returns the bytes copied. Any context.
    pub fn copy_from_buffer(&self, offset: usize, bytes: &mut [u8]) -> usize {
        let table = &self.raw().sdb.table;
        // SAFETY: The table describes the buffer, `bytes` are writable; C bounds the copy by both.
        unsafe {
            c::sg_pcopy_to_buffer(
                table.sgl,
                table.nents,
                bytes.as_mut_ptr().cast(),
                bytes.len(),
                skip(offset),
            )
        }
    }

    /// Fills `len` bytes of the initiator's buffer, from `offset` on, with zeroes, unless data goes the other way. Any
    /// context.
    pub fn zero_buffer(&self, offset: usize, len: usize) {
        if !self.takes_data() {
            return;
        }
        let table = &self.raw().sdb.table;
        // SAFETY: The table describes the buffer; C bounds the copy by it.
        unsafe { c::sg_zero_buffer(table.sgl, table.nents, len, skip(offset)) };
    }

    /// The initiator does not wait for this command any more: its error handling waits for us to let go of it.
    pub fn is_aborted(&self) -> bool {
        self.private_state().load(Relaxed) == ABORTING
    }

    /// Gives the command back: the one place where a command ends. Any context.
    pub fn done(self, end: Completion<'_>) {
        let ptr = self.0.as_ptr();
        // SAFETY: The command is ours until `hand_over`; the sense buffer holds `SCSI_SENSE_BUFFERSIZE` bytes.
        unsafe {
            (*ptr).result = i32::from(end.status);
            (*ptr).resid_len = end.resid;
            let n = end.sense.len().min(c_sense_len());
            core::ptr::copy_nonoverlapping(end.sense.as_ptr(), (*ptr).sense_buffer, n);
        }
        self.hand_over();
    }

    /// Gives the command back as one that a reset has ended: the midlayer sends it again. Any context.
    pub(crate) fn reset(self) {
        let ptr = self.0.as_ptr();
        // SAFETY: The command is ours until `hand_over`.
        unsafe {
            (*ptr).result = (bindings::scsi_host_status_DID_RESET << 16) as i32;
            (*ptr).resid_len = (*ptr).sdb.length;
        }
        self.hand_over();
    }

    fn hand_over(self) {
        let ptr = self.0.as_ptr();
        // Error handling that finds the command idle may reuse it as soon as this section has ended.
        let _guard = rcu::read_lock();
        let before = self.private_state().xchg(IDLE, Full);
        mem::forget(self);
        if before == RUNNING {
            // SAFETY: Queued once, given back once: nobody else saw `RUNNING`.
            unsafe { bindings::scsi_done(ptr) };
        }
    }

    /// Forgets the command without an answer: its initiator's patience ends, and its error handling finds nobody here.
    /// Any context.
    pub(crate) fn vanish(self) {
        let _guard = rcu::read_lock();
        let state = self.private_state();
        if state.cmpxchg(RUNNING, SWALLOWED, Full).is_err() {
            // Error handling waits for us already.
            state.store(IDLE, Release);
        }
        mem::forget(self);
    }

    /// Gives the command back as if it had never come; the midlayer brings it again. How long it was held back does not
    /// count against its time, which the midlayer looks at where the command has to be sent again.
    pub(super) fn give_back(self) {
        // SAFETY: The command is ours; the clock is a variable of C's that anybody may read.
        unsafe { (*self.0.as_ptr()).jiffies_at_alloc = (&raw const c::jiffies).read_volatile() };
        self.private_state().store(IDLE, Release);
        mem::forget(self);
    }

    /// Leaves the command in its own memory together with `payload`, for a callback that knows where to find it.
    ///
    /// [`Cmnd::unpark`] is the way back.
    pub(super) fn park<T: Send + 'static>(self, payload: T) -> NonNull<Private> {
        const { assert!(mem::size_of::<(Cmnd, T)>() <= SLOT_BYTES && mem::align_of::<(Cmnd, T)>() <= 8) };
        let private = self.private();
        // SAFETY: The slot is ours while the command is, large and aligned enough by the assertion.
        unsafe {
            (&raw mut (*private.as_ptr()).slot)
                .cast::<(Cmnd, T)>()
                .write((self, payload))
        };
        private
    }

    /// The way back from [`Cmnd::park`].
    ///
    /// # Safety
    ///
    /// `private` must come from `park::<T>` and be taken once.
    pub(super) unsafe fn unpark<T: Send + 'static>(private: NonNull<Private>) -> (Cmnd, T) {
        // SAFETY: By this function's contract.
        unsafe {
            (&raw const (*private.as_ptr()).slot)
                .cast::<(Cmnd, T)>()
                .read()
        }
    }
}

/// A command that was lost on the way is answered, so that the initiator does not wait for ever; no path does this.
impl Drop for Cmnd {
    fn drop(&mut self) {
        pr_err!(
            "scst: command {:02x} dropped unanswered\n",
            self.cdb().first().copied().unwrap_or(0)
        );
        const HARDWARE_ERROR_INTERNAL_TARGET_FAILURE: [u8; 18] =
            [0x70, 0, 4, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x44, 0, 0, 0, 0, 0];
        // INVARIANT: `self` is not used again; the copy is consumed by `done`.
        let last = Self(self.0);
        last.done(Completion {
            status: crate::proto::status::Status::CheckCondition as u8,
            resid: 0,
            sense: &HARDWARE_ERROR_INTERNAL_TARGET_FAILURE,
        });
    }
}

/// An offset into a buffer as C wants it; one beyond every buffer stays beyond.
fn skip(offset: usize) -> c::off_t {
    c::off_t::try_from(offset).unwrap_or(c::off_t::MAX)
}

const fn c_sense_len() -> usize {
    bindings::SCSI_SENSE_BUFFERSIZE as usize
}

/// The driver-private memory behind a command.
pub(super) fn private_of(cmnd: NonNull<bindings::scsi_cmnd>) -> NonNull<Private> {
    // CAST: The midlayer allocates `cmd_size` bytes directly behind the command.
    // SAFETY: One past the command is inside the same allocation, as `cmd_size` is the size of `Private`.
    unsafe { cmnd.add(1).cast() }
}

/// Initialises the private memory, once for each command that the midlayer allocates.
///
/// # Safety
///
/// `cmnd` must be a command whose host has `cmd_size` set to the size of [`Private`], not yet in use.
pub(super) unsafe fn init_private(cmnd: NonNull<bindings::scsi_cmnd>) {
    // SAFETY: By this function's contract.
    unsafe {
        let private = private_of(cmnd).as_ptr();
        (&raw mut (*private).state).write(Atomic::new(IDLE));
        (&raw mut (*private).started).write(Atomic::new(0));
    }
}

/// What error handling asks of a command that is late.
pub(super) struct Late(NonNull<bindings::scsi_cmnd>);

impl Late {
    /// # Safety
    ///
    /// `cmnd` must be a command of a host of ours that the midlayer's error handling owns.
    pub(super) unsafe fn new(cmnd: NonNull<bindings::scsi_cmnd>) -> Self {
        Self(cmnd)
    }

    fn state(&self) -> &Atomic<i32> {
        // SAFETY: `Private` was initialised when the command was allocated.
        unsafe { &(*private_of(self.0).as_ptr()).state }
    }

    /// Marks the command aborted, and waits until whoever works on it has let go. Sleeps.
    pub(super) fn abort(&self) -> Aborted {
        // An earlier attempt may have marked it; it may have been swallowed, or be so just now.
        let found = match self.state().cmpxchg(RUNNING, ABORTING, Full) {
            Ok(_) | Err(ABORTING) | Err(SWALLOWED) => Aborted::Now,
            Err(_) => Aborted::Before,
        };
        while self.state().load(Acquire) != IDLE
            && self.state().cmpxchg(SWALLOWED, IDLE, Full).is_err()
        {
            super::msleep(5);
        }
        // Whoever has just made it idle may still be in `scsi_done`.
        rcu::synchronize_rcu();
        found
    }
}

/// How an attempt to abort a command ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aborted {
    /// It ended because of that.
    Now,
    /// It had ended by itself.
    Before,
}

/// Whether somebody here still works on a command that the midlayer has started.
pub(super) fn is_ours(cmnd: NonNull<bindings::scsi_cmnd>) -> bool {
    matches!(Late(cmnd).state().load(Acquire), RUNNING | ABORTING)
}
