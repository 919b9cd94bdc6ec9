// SPDX-License-Identifier: GPL-2.0-only

//! A block device as a backing store, below the page cache.
//!
//! C headers: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h), [`include/linux/bio.h`](srctree/include/linux/bio.h)
//!
//! A transfer's bio lives in the command's own memory and points at the command's own pages: nothing is allocated, and
//! nothing copied. Commands come here out of another bio's submission as often as not, and the block layer only issues
//! what is submitted there once that returns; so [`BlockDevice::submit`] and [`BlockDevice::flush`] never wait for a
//! bio. What must wait ([`BlockDevice::read_at`] and its like) is for workqueues.

use core::num::NonZeroU16;
use core::ptr::{self, NonNull};

use kernel::bindings as c;
use kernel::error::{from_err_ptr, to_result};
use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed, Release};
use kernel::sync::rcu;

use super::bindings;
use super::cmnd::{Cmnd, Private};
use super::file::{Access, File, Transfer};
use super::noio::AtOnce;
use super::segments::{Fit, Segments};
use super::workq::Carrier;

/// Segments that fit a command's own memory.
pub(super) const INLINE_VECS: usize = 8;

/// Segments of one further bio: the most that one can have.
const CHAINED_VECS: usize = c::BIO_MAX_VECS as usize;

/// A bio with its segment table, in the memory of the command that it belongs to.
#[repr(C)]
pub(super) struct InlineBio {
    pub(super) bio: c::bio,
    pub(super) vecs: [c::bio_vec; INLINE_VECS],
}

/// What to move.
#[derive(Clone, Copy)]
pub struct BlockIo {
    /// Which way.
    pub way: Transfer,
    /// First byte on the device, a multiple of its logical block size.
    pub offset: u64,
    /// Bytes, from the start of the command's buffer on; a multiple of the logical block size, and not 0.
    pub len: u32,
    /// A write ends when its data is on stable storage. What a read tells is there; that is for
    /// [`BlockDevice::transfer_by_copy`] alone.
    pub durable: bool,
}

/// A block device that is open for us alone.
///
/// # Invariants
///
/// Owns one reference of an open block device file, claimed with the address of `claim`.
pub struct BlockDevice {
    file: NonNull<c::file>,
    claim: KBox<Claim>,
    /// What the device takes as it lies.
    fit: Fit,
    block_mask: u32,
    needs_stable_pages: bool,
}

/// What tells us from others who claim the device.
struct Claim {
    /// Flushes that no command waits for any more.
    detached_flushes: Atomic<i32>,
    /// A flush has failed, and nobody was told who wrote.
    untold: Atomic<bool>,
}

// SAFETY: A block device may be used from any thread.
unsafe impl Send for BlockDevice {}
// SAFETY: As above.
unsafe impl Sync for BlockDevice {}

impl BlockDevice {
    /// Opens `path` exclusively, in the caller's own name space. `ENOTBLK` for a regular file, `EINVAL` for anything else
    /// that is no block device, `EBUSY` where somebody else holds it.
    pub fn open(path: &CStr, access: Access) -> Result<Self> {
        let claim = KBox::new(
            Claim {
                detached_flushes: Atomic::new(0),
                untold: Atomic::new(false),
            },
            GFP_KERNEL,
        )?;
        let holder = (&raw const *claim).cast_mut().cast();
        // SAFETY: The path is a C string; the holder's address stays ours while the device is open.
        let file = from_err_ptr(unsafe {
            bindings::scst_helper_bdev_file_open_excl(
                path.as_char_ptr(),
                access == Access::ReadWrite,
                holder,
            )
        })
        .map_err(|e| why_not_block(path, e))?;
        let file = NonNull::new(file).ok_or(ENOENT)?;
        // SAFETY: The file is an open block device.
        let (dma_alignment, block_size, needs_stable_pages) = unsafe {
            let bdev = c::file_bdev(file.as_ptr());
            (
                bindings::scst_helper_bdev_dma_alignment(bdev),
                bindings::scst_helper_bdev_logical_block_size(bdev),
                bindings::scst_helper_bdev_stable_writes(bdev),
            )
        };
        // INVARIANT: The reference and the claim are those that the open made.
        Ok(Self {
            file,
            claim,
            fit: Fit::of_units(dma_alignment.saturating_add(1), block_size),
            block_mask: block_size.wrapping_sub(1),
            needs_stable_pages,
        })
    }

    fn raw(&self) -> *mut c::block_device {
        // SAFETY: The file is an open block device.
        unsafe { c::file_bdev(self.file.as_ptr()) }
    }

    /// Bytes on the device.
    pub fn size(&self) -> u64 {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_bdev_nr_bytes(self.raw()) }
    }

    /// Bytes of the smallest unit that the device reads and writes.
    pub fn logical_block_size(&self) -> u32 {
        self.block_mask.wrapping_add(1)
    }

    /// Bytes of the smallest unit that the device writes without reading first.
    pub fn physical_block_size(&self) -> u32 {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_bdev_physical_block_size(self.raw()) }
    }

    /// Bytes before the first physical block that begins on the device, as on a partition; 0 where nobody knows.
    pub fn alignment_offset(&self) -> u32 {
        // SAFETY: By the type's invariant.
        let bytes = unsafe { bindings::scst_helper_bdev_alignment_offset(self.raw()) };
        u32::try_from(bytes).unwrap_or(0)
    }

    /// Bytes that the device likes best; 0 where it does not say.
    pub fn optimal_io_size(&self) -> u32 {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_bdev_io_opt(self.raw()) }
    }

    /// Most bytes that one discard covers; 0 where the device knows none.
    pub fn max_discard_bytes(&self) -> u64 {
        // SAFETY: By the type's invariant.
        u64::from(unsafe { bindings::scst_helper_bdev_max_discard_sectors(self.raw()) })
            << SECTOR_SHIFT
    }

    /// Bytes of the units that the device discards, and where the first of them begins; `None` where it does not say.
    pub fn discard_units(&self) -> Option<(u32, u32)> {
        // SAFETY: By the type's invariant.
        let bytes = unsafe { bindings::scst_helper_bdev_discard_granularity(self.raw()) };
        // SAFETY: As above.
        let first = unsafe { c::bdev_discard_alignment(self.raw()) };
        (bytes > 0).then_some((bytes, first))
    }

    /// The device has a volatile cache, so that flushes mean something.
    pub fn has_write_cache(&self) -> bool {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_bdev_write_cache(self.raw()) }
    }

    /// The device refuses writes.
    pub fn is_read_only(&self) -> bool {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_bdev_read_only(self.raw()) }
    }

    /// What is written must not change meanwhile: the device computes something from it, and writes it then.
    pub fn needs_stable_pages(&self) -> bool {
        self.needs_stable_pages
    }

    /// Starts a transfer; `done` is called when it has ended, in any context. Does not wait for the device.
    ///
    /// Gives the command back where this way is closed: its segments do not fit the device's alignment, they may change as they
    /// are written, or there is no memory at hand for more of them than a command has room for. [`BlockDevice::transfer_by_copy`] is the other way.
    pub fn submit<T: Carrier + 'static>(
        &self,
        cmd: T,
        io: BlockIo,
        done: fn(T, Result),
    ) -> Result<(), T> {
        let (cmnd, rest) = cmd.split();
        if self.needs_stable_pages && io.way == Transfer::Write && !cmnd.has_stable_buffer() {
            return Err(T::join(cmnd, rest));
        }
        let private = cmnd.private().as_ptr();
        // SAFETY: The private memory is the command's, which is ours; `private` stays valid until it is given back.
        let (bio, vecs) = unsafe { inline_parts(private) };
        // SAFETY: As above; the table has room for as many segments as it says.
        unsafe { c::bio_init(bio, self.raw(), vecs, INLINE_VECS as u16, opf(io)) };
        let Some(children) = self.build(bio, cmnd.segments(), io) else {
            // SAFETY: Initialised above and never submitted.
            unsafe { c::bio_uninit(bio) };
            return Err(T::join(cmnd, rest));
        };
        cmnd.park(rest);
        // SAFETY: The bios are built over pages that stay while the command is parked, which it is until the first bio
        // has ended, and that ends last.
        unsafe {
            (*private).run = done as *const ();
            (*bio).bi_private = private.cast();
            (*bio).bi_end_io = Some(if io.durable {
                flush_ended::<T>
            } else {
                ended::<T>
            });
            let _now = AtOnce::enter();
            children.submit();
            c::submit_bio(bio);
        }
        Ok(())
    }

    /// Starts emptying the device's volatile cache; as [`BlockDevice::submit`].
    pub fn flush<T: Carrier + 'static>(&self, cmd: T, done: fn(T, Result)) {
        let (cmnd, rest) = cmd.split();
        let private = cmnd.park(rest).as_ptr();
        // SAFETY: The private memory is the parked command's, which is ours alone until `ended` takes it.
        unsafe {
            let (bio, _) = inline_parts(private);
            c::bio_init(bio, self.raw(), ptr::null_mut(), 0, FLUSH);
            (*private).run = done as *const ();
            (*bio).bi_private = private.cast();
            (*bio).bi_end_io = Some(flush_ended::<T>);
            let _now = AtOnce::enter();
            c::submit_bio(bio);
        }
    }

    /// Starts emptying the device's volatile cache for nobody: only [`BlockDevice::take_untold`] tells how it ended. Says whether there was memory
    /// to start it.
    pub fn flush_detached(&self) -> bool {
        // SAFETY: The global pool exists; the allocation does not wait.
        let bio = unsafe {
            c::bio_alloc_bioset(self.raw(), 0, FLUSH, c::GFP_NOWAIT, &raw mut c::fs_bio_set)
        };
        if bio.is_null() {
            return false;
        }
        self.claim.detached_flushes.fetch_add(1, Relaxed);
        // SAFETY: The bio is ours until it is submitted; the claim stays until the count is 0 again.
        unsafe {
            (*bio).bi_private = (&raw const *self.claim).cast_mut().cast();
            (*bio).bi_end_io = Some(detached_flush_ended);
            let _now = AtOnce::enter();
            c::submit_bio(bio);
        }
        true
    }

    /// Empties the device's volatile cache. Sleeps; not from a submitter's context.
    pub fn sync(&self) -> Result {
        // SAFETY: By the type's invariant.
        to_result(unsafe { c::blkdev_issue_flush(self.raw()) })
    }

    /// [`BlockDevice::sync`] for somebody else than those who wrote: they are told by [`BlockDevice::take_untold`].
    pub fn sync_for_others(&self) -> Result {
        self.sync().inspect_err(|_| self.tell_next())
    }

    /// A flush has failed, and who asked for it is not told. Any context.
    pub fn tell_next(&self) {
        self.claim.untold.store(true, Relaxed);
    }

    /// Waits until the flushes have ended that nobody waits for. Sleeps.
    pub fn wait_for_detached(&self) {
        while self.claim.detached_flushes.load(Relaxed) != 0 {
            super::msleep(1);
        }
    }

    /// Whether a flush has failed of which nobody was told who wrote. Says so once. Any context.
    pub fn take_untold(&self) -> bool {
        self.claim.untold.load(Relaxed) && self.claim.untold.xchg(false, Relaxed)
    }

    /// Reads whole logical blocks. Sleeps; not from a submitter's context.
    pub fn read_at(&self, offset: u64, into: &mut Bounce) -> Result {
        // SAFETY: The buffer is `Bounce`'s own, mapped, and writable for as long as the call lasts.
        unsafe {
            self.read_write(
                offset,
                into.0.as_mut_ptr(),
                into.0.len(),
                c::req_op_REQ_OP_READ,
            )
        }
    }

    /// Tells the device that `len` bytes from `offset` on are not needed any more. `EOPNOTSUPP` where it does not care.
    /// Sleeps; not from a submitter's context.
    pub fn discard(&self, offset: u64, len: u64) -> Result {
        let (sector, sectors) = (offset >> SECTOR_SHIFT, len >> SECTOR_SHIFT);
        // SAFETY: By the type's invariant.
        to_result(unsafe { c::blkdev_issue_discard(self.raw(), sector, sectors, c::GFP_KERNEL) })
    }

    /// Makes `len` bytes from `offset` on read as zeroes, without storage behind them where the device can do that. Sleeps;
    /// not from a submitter's context.
    pub fn zero(&self, offset: u64, len: u64) -> Result {
        let (sector, sectors) = (offset >> SECTOR_SHIFT, len >> SECTOR_SHIFT);
        // SAFETY: By the type's invariant.
        to_result(unsafe { c::blkdev_issue_zeroout(self.raw(), sector, sectors, c::GFP_KERNEL, 0) })
    }

    /// Writes whole logical blocks. Sleeps; not from a submitter's context.
    pub fn write_at(&self, offset: u64, from: &Bounce) -> Result {
        // SAFETY: As above; a write only reads the buffer.
        unsafe {
            self.read_write(
                offset,
                from.0.as_ptr().cast_mut(),
                from.0.len(),
                c::req_op_REQ_OP_WRITE,
            )
        }
    }

    /// # Safety
    ///
    /// `data` must be `len` bytes from `kmalloc`, writable where `op` reads.
    unsafe fn read_write(&self, offset: u64, data: *mut u8, len: usize, op: c::req_op) -> Result {
        // SAFETY: By this function's contract and the type's invariant.
        to_result(unsafe {
            c::bdev_rw_virt(self.raw(), offset >> SECTOR_SHIFT, data.cast(), len, op)
        })
    }

    /// Moves data through a buffer of our own, piece by piece: slow, and always possible. Sleeps; not from a submitter's
    /// context.
    pub fn transfer_by_copy(&self, cmnd: &Cmnd, io: BlockIo) -> Result {
        let mut at: u32 = 0;
        while at < io.len {
            let mut piece = Bounce::new(
                io.len.saturating_sub(at) as usize,
                self.logical_block_size(),
            )?;
            let offset = io.offset.saturating_add(u64::from(at));
            match io.way {
                Transfer::Read => {
                    self.read_at(offset, &mut piece)?;
                    cmnd.copy_to_buffer(at as usize, &piece.0);
                }
                Transfer::Write => {
                    cmnd.copy_from_buffer(at as usize, &mut piece.0);
                    self.write_at(offset, &piece)?;
                }
            }
            at = at.saturating_add(piece.0.len() as u32);
        }
        if io.durable && io.way == Transfer::Write {
            self.sync()?;
        }
        Ok(())
    }

    /// Lays the segments out: the first ones into the inline bio, the rest into children of it. `None` where that is
    /// not possible.
    fn build(&self, bio: *mut c::bio, mut segments: Segments<'_>, io: BlockIo) -> Option<Children> {
        // SAFETY: `bio` was initialised with its table by the caller and is not submitted.
        let inline = unsafe { self.fill(bio, INLINE_VECS, &mut segments, io, io.offset) }?;
        let mut left = u64::from(io.len).checked_sub(inline)?;
        let mut children = Children::none();
        while left > 0 {
            // None left: the initiator's buffer is shorter than what it asked for.
            let vecs = NonZeroU16::new(segments.size_hint().0.min(CHAINED_VECS) as u16)?.get();
            let at = io
                .offset
                .checked_add(u64::from(io.len))?
                .checked_sub(left)?;
            // SAFETY: The global pool exists; the allocation does not wait, so it cannot wait for itself.
            let child = NonNull::new(unsafe {
                c::bio_alloc_bioset(
                    self.raw(),
                    vecs,
                    opf(io),
                    c::GFP_NOWAIT,
                    &raw mut c::fs_bio_set,
                )
            })?;
            children.push(child);
            let (child, room) = (child.as_ptr(), usize::from(vecs));
            // SAFETY: Just allocated with room for so many segments.
            let bytes = unsafe { self.fill(child, room, &mut segments, io, at) }?;
            left = left.checked_sub(bytes).filter(|_| bytes > 0)?;
        }
        children.chain_to(bio);
        Some(children)
    }

    /// Fills one bio with segments from byte `at` of the device on. Returns its bytes; `None` for a segment that the
    /// device cannot take as it is.
    ///
    /// # Safety
    ///
    /// `bio` must be initialised, empty, and have room for `room` segments.
    unsafe fn fill(
        &self,
        bio: *mut c::bio,
        room: usize,
        segments: &mut Segments<'_>,
        io: BlockIo,
        at: u64,
    ) -> Option<u64> {
        let left = io.offset.checked_add(u64::from(io.len))?.checked_sub(at)?;
        // SAFETY: By this function's contract the table has `room` entries, of which nothing is known.
        let table = unsafe { core::slice::from_raw_parts_mut((*bio).bi_io_vec.cast(), room) };
        let (used, bytes) = segments.fill(table, left);
        if !used.iter().all(|v| self.fit.takes(v)) {
            return None;
        }
        // SAFETY: The bio is ours until it is submitted.
        unsafe {
            (*bio).bi_vcnt = used.len() as u16;
            (*bio).bi_iter.bi_size = u32::try_from(bytes).ok()?;
            (*bio).bi_iter.bi_sector = at >> SECTOR_SHIFT;
        }
        Some(bytes)
    }
}

impl Drop for BlockDevice {
    fn drop(&mut self) {
        self.wait_for_detached();
        // Whoever has just counted down may still be in our code.
        rcu::synchronize_rcu();
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_bdev_file_close(self.file.as_ptr()) };
    }
}

/// A buffer that the device can transfer to and from.
pub struct Bounce(KVec<u8>);

/// Most bytes of one buffer.
const BOUNCE_MAX: usize = 32 * 1024;

impl Bounce {
    /// A buffer of `wanted` bytes, or as many as one buffer has. Without I/O where the caller is in a scope without.
    pub fn new(wanted: usize, block_size: u32) -> Result<Self> {
        let len = wanted.min(BOUNCE_MAX.max(block_size as usize));
        // A power of two, so that the allocator aligns it to itself.
        let mut buffer = KVec::with_capacity(len.next_power_of_two(), GFP_KERNEL)?;
        buffer.resize(len, 0, GFP_KERNEL)?;
        Ok(Self(buffer))
    }

    /// What is in it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Leaves the first `len` bytes of it, where it has more.
    pub fn shorten(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// What is in it, to be filled.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

const SECTOR_SHIFT: u32 = 9;

const fn flag(bit: c::req_flag_bits) -> c::blk_opf_t {
    1 << bit
}

const FLUSH: c::blk_opf_t = c::req_op_REQ_OP_WRITE | flag(c::req_flag_bits___REQ_PREFLUSH);

/// Operation and flags of a bio: somebody waits for it.
fn opf(io: BlockIo) -> c::blk_opf_t {
    let sync = flag(c::req_flag_bits___REQ_SYNC) | flag(c::req_flag_bits___REQ_IDLE);
    match io.way {
        Transfer::Read => c::req_op_REQ_OP_READ,
        Transfer::Write if io.durable => {
            c::req_op_REQ_OP_WRITE | sync | flag(c::req_flag_bits___REQ_FUA)
        }
        Transfer::Write => c::req_op_REQ_OP_WRITE | sync,
    }
}

/// Tells a file that is no block device from a thing that is neither.
#[cold]
fn why_not_block(path: &CStr, error: Error) -> Error {
    match error {
        ENOTBLK if File::open(path, Access::ReadOnly).is_err() => EINVAL,
        other => other,
    }
}

/// The bio and its table in a command's private memory.
///
/// # Safety
///
/// `private` must be the private memory of a command.
unsafe fn inline_parts(private: *mut Private) -> (*mut c::bio, *mut c::bio_vec) {
    // SAFETY: By this function's contract; nothing is read.
    unsafe {
        let inline: *mut InlineBio = (&raw mut (*private).bio).cast::<InlineBio>();
        (&raw mut (*inline).bio, (&raw mut (*inline).vecs).cast())
    }
}

/// Bios beyond the inline one, linked by `bi_next`; given back if they are not submitted.
struct Children(*mut c::bio);

impl Children {
    const fn none() -> Self {
        Self(ptr::null_mut())
    }

    fn push(&mut self, bio: NonNull<c::bio>) {
        // SAFETY: The bio is ours until it is submitted.
        unsafe { (*bio.as_ptr()).bi_next = self.0 };
        self.0 = bio.as_ptr();
    }

    fn pop(&mut self) -> Option<NonNull<c::bio>> {
        let first = NonNull::new(self.0)?;
        // SAFETY: As above.
        unsafe { self.0 = core::mem::replace(&mut (*first.as_ptr()).bi_next, ptr::null_mut()) };
        Some(first)
    }

    /// From here on `parent` ends after all of them.
    fn chain_to(&self, parent: *mut c::bio) {
        let mut next = self.0;
        while !next.is_null() {
            // SAFETY: None of them is submitted yet.
            unsafe {
                c::bio_chain(next, parent);
                next = (*next).bi_next;
            }
        }
    }

    fn submit(mut self) {
        while let Some(bio) = self.pop() {
            // SAFETY: Built and chained; from here on it is the block layer's.
            unsafe { c::submit_bio(bio.as_ptr()) };
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        while let Some(bio) = self.pop() {
            // SAFETY: Never submitted, and chained to nothing, as chaining is the last step that can fail.
            unsafe { c::bio_put(bio.as_ptr()) };
        }
    }
}

/// # Safety
///
/// Called by C once, when the inline bio of a command that was parked for the same `T` has ended. Any context.
unsafe extern "C" fn ended<T: Carrier + 'static>(bio: *mut c::bio) {
    // The store, and the code that ends the command, go only when everybody has left.
    let _guard = rcu::read_lock();
    // SAFETY: By this function's contract: `run` is a function of this very type, and a `T::Rest` is parked.
    unsafe {
        let result = to_result(c::blk_status_to_errno((*bio).bi_status));
        let Some(private) = NonNull::new((*bio).bi_private.cast::<Private>()) else {
            return;
        };
        c::bio_uninit(bio);
        let done = core::mem::transmute::<*const (), fn(T, Result)>((*private.as_ptr()).run);
        let (cmnd, rest) = Cmnd::unpark::<T::Rest>(private);
        done(T::join(cmnd, rest), result);
    }
}

/// The device ends a flush, and a write that needs one, with its flush queue locked. A command that ends may itself be
/// part of a flush, of the device that the initiator sees, and lock that one's queue; so it does not end in here.
///
/// # Safety
///
/// As [`ended`].
unsafe extern "C" fn flush_ended<T: Carrier + 'static>(bio: *mut c::bio) {
    // SAFETY: By this function's contract; the work item is not in use while a bio is.
    unsafe {
        let private = (*bio).bi_private.cast::<Private>();
        let work = (&raw mut (*private).work).cast::<c::work_struct>();
        bindings::scst_helper_init_work(work, Some(ended_later::<T>));
        c::kblockd_schedule_work(work);
    }
}

/// # Safety
///
/// Called by C with the work item of a private area whose inline bio has ended, as [`ended`] wants it.
unsafe extern "C" fn ended_later<T: Carrier + 'static>(work: *mut c::work_struct) {
    // CAST: `work` is the first field of `Private`.
    // SAFETY: By this function's contract.
    unsafe { ended::<T>(inline_parts(work.cast()).0) };
}

/// # Safety
///
/// Called by C when the bio of [`BlockDevice::flush_detached`] has ended. Any context.
unsafe extern "C" fn detached_flush_ended(bio: *mut c::bio) {
    let _guard = rcu::read_lock();
    // SAFETY: By this function's contract the claim is alive until its count is 0.
    unsafe {
        let claim: *const Claim = (*bio).bi_private.cast();
        if (*bio).bi_status != 0 {
            pr_err!("scst: a cache flush that nobody waits for has failed\n");
            (*claim).untold.store(true, Relaxed);
        }
        c::bio_put(bio);
        (*claim).detached_flushes.fetch_sub(1, Release);
    }
}
