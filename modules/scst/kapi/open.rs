// SPDX-License-Identifier: GPL-2.0-only

//! Opening a name only if it stands for something of the right kind.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)
//!
//! An open is more than a look: that of a FIFO takes locks that a reader of sysfs may hold above ours, and that of a
//! device may start what it drives. So a name is looked up first, and what it stands for is opened only when its kind is
//! known.

use core::ptr::NonNull;

use kernel::bindings as c;
use kernel::error::from_err_ptr;
use kernel::prelude::*;
use kernel::str::CStr;

use super::bindings;

/// Opens `path` as the current thread sees it, without waiting for anything. `EINVAL` for what is of none of `kinds`
/// (`S_IFMT` of a mode). The reference is the caller's. Sleeps.
pub(super) fn open(path: &CStr, flags: u32, kinds: &[u32]) -> Result<NonNull<c::file>> {
    let found = Found::look_up(path)?;
    if !kinds.contains(&found.kind()) {
        return Err(EINVAL);
    }
    found.open(flags | c::O_LARGEFILE | c::O_NONBLOCK)
}

/// Makes `path`, a regular file that must not exist. The reference is the caller's. Sleeps.
pub(super) fn create(path: &CStr, flags: u32, mode: u16) -> Result<NonNull<c::file>> {
    let flags = flags | c::O_LARGEFILE | c::O_CREAT | c::O_EXCL;
    // SAFETY: The path is a C string.
    let file = from_err_ptr(unsafe { c::filp_open(path.as_char_ptr(), flags as i32, mode) })?;
    NonNull::new(file).ok_or(ENOENT)
}

/// What a name stands for, not opened.
///
/// # Invariants
///
/// Owns one reference of a file that was opened with `O_PATH`.
struct Found(NonNull<c::file>);

impl Found {
    fn look_up(path: &CStr) -> Result<Self> {
        // SAFETY: The path is a C string.
        let file = unsafe { c::filp_open(path.as_char_ptr(), c::O_PATH as i32, 0) };
        // INVARIANT: The reference is the one that `filp_open` made.
        Ok(Self(NonNull::new(from_err_ptr(file)?).ok_or(ENOENT)?))
    }

    fn kind(&self) -> u32 {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_file_mode_type(self.0.as_ptr()) as u32 }
    }

    /// Opens the very thing that was found, with every check of an open.
    fn open(&self, flags: u32) -> Result<NonNull<c::file>> {
        // SAFETY: By the type's invariant.
        let file = unsafe { bindings::scst_helper_file_reopen(self.0.as_ptr(), flags as i32) };
        NonNull::new(from_err_ptr(file)?).ok_or(ENOENT)
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_file_close(self.0.as_ptr()) };
    }
}
