// SPDX-License-Identifier: GPL-2.0-only

//! A file or block device as a backing store, through the page cache.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use kernel::bindings as c;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};

use super::cmnd::Cmnd;
use super::segments::Fit;
use super::{bindings, open};

/// Segments that one call into the file system carries; 1 KiB of stack.
const BATCH: usize = 64;

/// Which way a transfer goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// From the store into the initiator's buffer.
    Read,
    /// From the initiator's buffer into the store.
    Write,
}

/// What a store is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// An open regular file or block device.
///
/// # Invariants
///
/// Owns one reference of an open file.
pub struct File {
    file: NonNull<c::file>,
    /// A sync has failed of which only those were told who wrote nothing. The kernel tells each failure once.
    untold: Atomic<bool>,
    /// What the storage takes as it lies, where transfers bypass the page cache.
    fit: Option<Fit>,
}

// SAFETY: A `struct file` opened without a user's descriptor may be used from any thread.
unsafe impl Send for File {}
// SAFETY: As above; positions are passed with each call.
unsafe impl Sync for File {}

impl File {
    /// Opens `path` in the caller's own name space: to be called by the process that named it, or by what acts as that
    /// process ([`super::caller`]), as kernel threads have a root of their own that is empty. What is neither a regular file nor a block device is refused (`EINVAL`).
    pub fn open(path: &CStr, access: Access) -> Result<Self> {
        Self::open_with(path, access, 0)
    }

    /// [`File::open`], for transfers that bypass the page cache. `EINVAL` where the file system cannot do that. Sleeps.
    pub fn open_direct(path: &CStr, access: Access) -> Result<Self> {
        let mut file = Self::open_with(path, access, c::O_DIRECT)?;
        let (mut memory, mut length) = (0, 0);
        // SAFETY: The file is open, both places are ours.
        unsafe { bindings::scst_helper_file_direct_units(file.raw(), &mut memory, &mut length) };
        file.fit = Some(Fit::of_units(memory, length));
        Ok(file)
    }

    fn open_with(path: &CStr, access: Access, more: u32) -> Result<Self> {
        let access = match access {
            Access::ReadOnly => c::O_RDONLY,
            Access::ReadWrite => c::O_RDWR,
        };
        // O_NOATIME keeps reads from writing.
        let flags = access | more | c::O_NOATIME;
        // INVARIANT: The reference is handed over.
        Ok(Self {
            file: open::open(path, flags, &[c::S_IFREG, c::S_IFBLK])?,
            untold: Atomic::new(false),
            fit: None,
        })
    }

    pub(super) fn raw(&self) -> *mut c::file {
        self.file.as_ptr()
    }

    /// Bytes in the file, or on the device.
    pub fn size(&self) -> u64 {
        // SAFETY: The file is open.
        unsafe { bindings::scst_helper_file_size(self.file.as_ptr()) }.max(0) as u64
    }

    /// Bytes that transfers and their places in the file are multiples of, where the page cache is bypassed; else 1.
    pub fn unit(&self) -> u32 {
        self.fit.map_or(1, Fit::unit)
    }

    /// What is written past the page cache must not change meanwhile: what is below computes something from it. Any context.
    pub fn needs_stable_pages(&self) -> bool {
        // SAFETY: The file is open.
        self.fit.is_some() && unsafe { bindings::scst_helper_file_stable_writes(self.raw()) }
    }

    /// Segments can be transferred as they lie. The block layer says otherwise only when it issues a transfer, which may have
    /// ended in part by then.
    pub(super) fn takes(&self, table: &[c::bio_vec]) -> bool {
        self.fit
            .is_none_or(|fit| table.iter().all(|segment| fit.takes(segment)))
    }

    /// Moves `len` bytes between the start of the command's buffer and offset `pos` of the file. Returns the bytes
    /// moved, which are fewer only at the end of the buffer or of the file. `EINVAL`, perhaps having moved some, where the page
    /// cache is bypassed and the storage cannot take the buffer as it lies, or not from `pos` on. Sleeps.
    pub fn transfer(&self, cmnd: &Cmnd, way: Transfer, pos: u64, len: u64) -> Result<u64> {
        let mut at = c::loff_t::try_from(pos).map_err(|_| EINVAL)?;
        let mut segments = cmnd.segments();
        let mut moved: u64 = 0;
        while moved < len {
            let mut table = [const { MaybeUninit::uninit() }; BATCH];
            let (table, bytes) = segments.fill(&mut table, len.saturating_sub(moved));
            if !self.takes(table) {
                return Err(EINVAL);
            }
            let done = self.batch(way, table, bytes, &mut at)?;
            moved = moved.saturating_add(done);
            if done < bytes || bytes == 0 {
                break;
            }
        }
        Ok(moved)
    }

    /// One batch of segments; short reads and writes are continued until the file gives no more.
    fn batch(
        &self,
        way: Transfer,
        table: &[c::bio_vec],
        bytes: u64,
        at: &mut c::loff_t,
    ) -> Result<u64> {
        let mut iter = MaybeUninit::<c::iov_iter>::uninit();
        let source = match way {
            Transfer::Read => c::ITER_DEST,
            Transfer::Write => c::ITER_SOURCE,
        };
        // SAFETY: `table` describes pages that stay while the command is ours, which the caller borrows.
        unsafe {
            c::iov_iter_bvec(
                iter.as_mut_ptr(),
                source,
                table.as_ptr(),
                table.len(),
                bytes as usize,
            )
        };
        let mut moved: u64 = 0;
        while moved < bytes {
            // SAFETY: The iterator is initialised, the file open, the position ours.
            let n = unsafe {
                match way {
                    Transfer::Read => {
                        c::vfs_iter_read(self.file.as_ptr(), iter.as_mut_ptr(), at, 0)
                    }
                    Transfer::Write => {
                        c::vfs_iter_write(self.file.as_ptr(), iter.as_mut_ptr(), at, 0)
                    }
                }
            };
            match u64::try_from(n) {
                Ok(0) => break,
                Ok(n) => moved = moved.saturating_add(n),
                Err(_) => return Err(Error::from_errno(n as i32)),
            }
        }
        Ok(moved)
    }

    /// Reads into `into` from offset `pos` on. Returns the bytes read, which are fewer only at the end of the file.
    /// Sleeps.
    pub fn read_at(&self, pos: u64, into: &mut [u8]) -> Result<usize> {
        let mut at = c::loff_t::try_from(pos).map_err(|_| EINVAL)?;
        let mut read: usize = 0;
        while let Some(rest) = into.get_mut(read..).filter(|rest| !rest.is_empty()) {
            // SAFETY: The file is open, the rest is writable, the position ours.
            let n = unsafe {
                c::kernel_read(
                    self.file.as_ptr(),
                    rest.as_mut_ptr().cast(),
                    rest.len(),
                    &mut at,
                )
            };
            match usize::try_from(n) {
                Ok(0) => break,
                Ok(n) => read = read.saturating_add(n),
                Err(_) => return Err(Error::from_errno(n as i32)),
            }
        }
        Ok(read)
    }

    /// Writes `from` at offset `pos`. `EIO` where the file takes less. Sleeps.
    pub fn write_at(&self, pos: u64, from: &[u8]) -> Result {
        let mut at = c::loff_t::try_from(pos).map_err(|_| EINVAL)?;
        let mut written: usize = 0;
        while let Some(rest) = from.get(written..).filter(|rest| !rest.is_empty()) {
            // SAFETY: The file is open, the rest is readable, the position ours.
            let n = unsafe {
                c::kernel_write(
                    self.file.as_ptr(),
                    rest.as_ptr().cast(),
                    rest.len(),
                    &mut at,
                )
            };
            match usize::try_from(n) {
                Ok(0) => return Err(EIO),
                Ok(n) => written = written.saturating_add(n),
                Err(_) => return Err(Error::from_errno(n as i32)),
            }
        }
        Ok(())
    }

    /// Gives the storage behind `len` bytes from `pos` on back: they read as zeroes. `EOPNOTSUPP`, and then they read as what was
    /// last written to them, where the file system or the block device cannot do that, or the latter not for a range that
    /// is not of whole blocks of its own. Sleeps.
    pub fn punch_hole(&self, pos: u64, len: u64) -> Result {
        let (pos, len) = (i64::try_from(pos)?, i64::try_from(len)?);
        // SAFETY: The file is open.
        match to_result(unsafe { bindings::scst_helper_punch_hole(self.file.as_ptr(), pos, len) }) {
            Err(EINVAL) => Err(EOPNOTSUPP),
            other => other,
        }
    }

    /// Whether there is storage behind byte `pos`, and how many bytes from there on are alike. Sleeps.
    pub fn extent(&self, pos: u64) -> Result<(bool, u64)> {
        let data = match self.seek(pos, c::SEEK_DATA) {
            // A block device's node has no holes to tell of.
            Err(EINVAL) => {
                return Ok((
                    true,
                    self.size().max(pos.saturating_add(1)).saturating_sub(pos),
                ))
            }
            other => other?,
        };
        if data == Some(pos) {
            let hole = self.seek(pos, c::SEEK_HOLE)?.unwrap_or_else(|| self.size());
            return Ok((true, hole.saturating_sub(pos)));
        }
        let end = data.unwrap_or_else(|| self.size().max(pos.saturating_add(1)));
        Ok((false, end.saturating_sub(pos)))
    }

    /// Where what `whence` looks for is next, if anywhere.
    fn seek(&self, pos: u64, whence: u32) -> Result<Option<u64>> {
        let pos = i64::try_from(pos)?;
        // SAFETY: The file is open; its position means nothing to us.
        let found = unsafe { c::vfs_llseek(self.file.as_ptr(), pos, whence as i32) };
        match u64::try_from(found) {
            Ok(at) => Ok(Some(at)),
            Err(_) => match Error::from_errno(found as i32) {
                ENXIO => Ok(None),
                other => Err(other),
            },
        }
    }

    /// Brings `len` bytes from `pos` on, and what is needed to find them again, onto stable storage. `EIO` once where that
    /// was not possible for others either. Sleeps.
    pub fn sync_range(&self, pos: u64, len: u64) -> Result {
        // Whatever this one comes to, who wrote is told.
        let untold = self.take_untold();
        self.sync_any(pos, len)?;
        if untold {
            return Err(EIO);
        }
        Ok(())
    }

    /// Whether a sync has failed of which nobody was told who wrote. Says so once. Any context.
    pub fn take_untold(&self) -> bool {
        self.untold.load(Relaxed) && self.untold.xchg(false, Relaxed)
    }

    /// Marks the present, for [`File::has_failed_since`]. Any context.
    pub fn mark_errors(&self) -> Errors {
        // SAFETY: The file is open.
        Errors(unsafe { bindings::scst_helper_file_sample_error(self.raw()) })
    }

    /// An error of those who wrote the file's cache back, since `then` or told to nobody yet. [`File::sync_range`] tells of each
    /// once, to whoever comes first. Any context.
    pub fn has_failed_since(&self, then: &Errors) -> Result {
        // SAFETY: The file is open.
        to_result(unsafe { bindings::scst_helper_file_check_error(self.raw(), then.0) })
    }

    fn sync_any(&self, pos: u64, len: u64) -> Result {
        let Some(behind_first) = len.checked_sub(1) else {
            return Ok(());
        };
        let last = pos.saturating_add(behind_first).min(i64::MAX as u64);
        // SAFETY: The file is open.
        to_result(unsafe {
            bindings::scst_helper_file_sync(self.raw(), pos.min(last) as i64, last as i64)
        })
    }

    /// [`File::sync_range`] for somebody else than those who wrote: where it fails, the next sync does so too.
    pub fn sync_range_for_others(&self, pos: u64, len: u64) -> Result {
        self.sync_any(pos, len).inspect_err(|_| self.tell_next())
    }

    /// A sync has failed, and who asked for it is not told: the next sync fails, too. Any context.
    pub fn tell_next(&self) {
        self.untold.store(true, Relaxed);
    }

    /// Has the next read of `len` bytes from `pos` on come from the storage, as far as nobody has written to them since a
    /// sync. Sleeps.
    pub fn forget_range(&self, pos: u64, len: u64) {
        let last = pos
            .saturating_add(len.saturating_sub(1))
            .min(i64::MAX as u64);
        // SAFETY: The file is open.
        unsafe { bindings::scst_helper_file_forget(self.raw(), pos.min(last) as i64, last as i64) };
    }

    /// Brings the whole file onto stable storage, for somebody else than those who wrote: where that fails, the next sync
    /// does so too. Sleeps.
    pub fn sync(&self) -> Result {
        self.sync_range_for_others(0, u64::MAX)
    }
}

/// A moment in the history of a file's errors.
pub struct Errors(c::errseq_t);

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_file_close(self.file.as_ptr()) };
    }
}
