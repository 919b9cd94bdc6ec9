// SPDX-License-Identifier: GPL-2.0-only

//! Small files that keep state over a restart: read and written whole, and never found half-written.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/fs_struct.h`](srctree/include/linux/fs_struct.h)
//!
//! Whatever thread asks, names mean what they mean to the init process: the state is the machine's.

use core::ptr::NonNull;

use kernel::bindings as c;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::str::{CStr, CString};
use kernel::types::NotThreadSafe;

use super::{bindings, open};

/// Bytes at the start of a file that say that it is whole.
pub const MARK: usize = 8;

/// The bytes of `path`. `EFBIG` beyond `limit` bytes, `EINVAL` for what is no regular file. Sleeps.
pub fn read(path: &CStr, limit: usize) -> Result<KVVec<u8>> {
    let _root = InitRoot::enter();
    let file = Handle::open(path, c::O_RDONLY)?;
    let size = file.size()?;
    if size > limit {
        return Err(EFBIG);
    }
    let mut bytes = KVVec::from_elem(0_u8, size, GFP_KERNEL)?;
    let read = file.read(&mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Writes `bytes` to `path`, and when they are on stable storage, `mark` over their first [`MARK`], which must not be one.
/// When this returns, the file is found after a loss of power; when it fails, there may be a file without its mark.
/// Sleeps.
pub fn write(path: &CStr, bytes: &[u8], mark: &[u8; MARK]) -> Result {
    let _root = InitRoot::enter();
    let file = Handle::open_or_create(path)?;
    // The mark of what was there before goes first: a file that is cut is whole no more.
    file.write(&[0; MARK])?;
    file.sync()?;
    file.truncate()?;
    file.write(bytes)?;
    file.sync()?;
    file.write(mark)?;
    file.sync()?;
    sync_parent(path)
}

/// [`write`], after what was there and `is_whole` has gone to `previous`: one of the two always is. When this fails, `path`
/// may be a file without its mark, and `previous` then is what was there. Files have `limit` bytes at most. Sleeps.
pub fn write_keeping(
    path: &CStr,
    previous: &CStr,
    (bytes, mark): (&[u8], &[u8; MARK]),
    limit: usize,
    is_whole: impl FnOnce(&[u8]) -> Result<bool>,
) -> Result {
    match read(path, limit) {
        // What is not whole must not take the place of the one before it.
        Ok(mut before) => {
            if is_whole(&before)? {
                let head = before.first_chunk_mut::<MARK>().ok_or(EINVAL)?;
                let mark = core::mem::replace(head, [0; MARK]);
                write(previous, &before, &mark)?;
            }
        }
        // Whether it is whole is not known: it stays as it is.
        Err(e) if e == ENOMEM || e == EIO => return Err(e),
        Err(_) => {}
    }
    write(path, bytes, mark)
}

/// Removes `path`, for good when this returns. It need not exist. Sleeps.
pub fn remove(path: &CStr) -> Result {
    let _root = InitRoot::enter();
    match Handle::open(path, c::O_RDONLY) {
        Ok(file) => file.unlink()?,
        Err(e) if e == ENOENT => return Ok(()),
        Err(e) => return Err(e),
    }
    sync_parent(path)
}

/// Whether files can be made beside `path`: its directory exists. `ENOMEM` where nobody knows. Sleeps.
pub fn has_parent(path: &CStr) -> Result<bool> {
    let _root = InitRoot::enter();
    match open_parent(path) {
        Err(ENOMEM) => Err(ENOMEM),
        found => Ok(found.is_ok()),
    }
}

/// Brings a name that was made or removed onto stable storage.
fn sync_parent(path: &CStr) -> Result {
    open_parent(path)?.sync()
}

fn open_parent(path: &CStr) -> Result<Handle> {
    let bytes = path.to_bytes();
    let end = bytes.iter().rposition(|b| *b == b'/').ok_or(EINVAL)?;
    let parent = bytes.get(..end.max(1)).ok_or(EINVAL)?;
    let parent = CString::try_from_fmt(fmt!(
        "{}",
        core::str::from_utf8(parent).map_err(|_| EINVAL)?
    ))?;
    Handle::open_as(&parent, c::O_RDONLY | c::O_DIRECTORY, c::S_IFDIR)
}

/// An open file or directory.
///
/// # Invariants
///
/// Owns one reference of an open file.
struct Handle(NonNull<c::file>);

impl Handle {
    /// Opens a regular file.
    fn open(path: &CStr, flags: u32) -> Result<Self> {
        Self::open_as(path, flags, c::S_IFREG)
    }

    fn open_as(path: &CStr, flags: u32, kind: u32) -> Result<Self> {
        // INVARIANT: The reference is handed over.
        open::open(path, flags, &[kind]).map(Self)
    }

    /// Opens a regular file for reading and writing, one that is made for it where there is none.
    fn open_or_create(path: &CStr) -> Result<Self> {
        match Self::open(path, c::O_RDWR) {
            // INVARIANT: The reference is handed over.
            Err(e) if e == ENOENT => open::create(path, c::O_RDWR, 0o644).map(Self),
            other => other,
        }
    }

    fn size(&self) -> Result<usize> {
        // SAFETY: The file is open.
        let size = unsafe { bindings::scst_helper_file_size(self.0.as_ptr()) };
        usize::try_from(size).map_err(|_| EFBIG)
    }

    /// Fills `into` from the start of the file on; fewer bytes only where it ends.
    fn read(&self, into: &mut [u8]) -> Result<usize> {
        let mut at: c::loff_t = 0;
        let mut read: usize = 0;
        while let Some(rest) = into.get_mut(read..).filter(|rest| !rest.is_empty()) {
            // SAFETY: The file is open, the rest is writable, the position ours.
            let n = unsafe {
                c::kernel_read(
                    self.0.as_ptr(),
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

    /// Writes `bytes` at the start of the file.
    fn write(&self, bytes: &[u8]) -> Result {
        let mut at: c::loff_t = 0;
        let mut written: usize = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            // SAFETY: The file is open, the rest is readable, the position ours.
            let n = unsafe {
                c::kernel_write(self.0.as_ptr(), rest.as_ptr().cast(), rest.len(), &mut at)
            };
            match usize::try_from(n) {
                Ok(0) => return Err(EIO),
                Ok(n) => written = written.saturating_add(n),
                Err(_) => return Err(Error::from_errno(n as i32)),
            }
        }
        Ok(())
    }

    fn truncate(&self) -> Result {
        // SAFETY: The file is open for writing.
        to_result(unsafe { bindings::scst_helper_file_truncate(self.0.as_ptr()) })
    }

    fn sync(&self) -> Result {
        // SAFETY: The file is open.
        to_result(unsafe { c::vfs_fsync_range(self.0.as_ptr(), 0, i64::MAX, 0) })
    }

    fn unlink(&self) -> Result {
        // SAFETY: The file is open, so its entry has a directory.
        to_result(unsafe { bindings::scst_helper_file_unlink(self.0.as_ptr()) })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_file_close(self.0.as_ptr()) };
    }
}

/// The current thread looks names up as the init process does.
///
/// # Invariants
///
/// The pointer is what the thread had before.
pub(crate) struct InitRoot(*mut c::fs_struct, NotThreadSafe);

impl InitRoot {
    /// Begins that, for kernel threads.
    pub(crate) fn enter() -> Self {
        // SAFETY: The init process's own lives as long as the machine. Nobody but the thread looks at what is replaced
        // here.
        // INVARIANT: What C returns is what the thread had.
        unsafe {
            let init = bindings::scst_helper_fs_init();
            Self(bindings::scst_helper_fs_swap(init), NotThreadSafe)
        }
    }
}

impl Drop for InitRoot {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant, on the same thread.
        unsafe { bindings::scst_helper_fs_swap(self.0) };
    }
}
