// SPDX-License-Identifier: GPL-2.0-only

//! The process that asked for something, for another thread to act as: where its file names lead, and what it may open.
//!
//! C headers: [`include/linux/fs_struct.h`](srctree/include/linux/fs_struct.h),
//! [`include/linux/cred.h`](srctree/include/linux/cred.h)
//!
//! A kernel thread has a root of its own, which is empty. Only the process that wrote a file name knows what it means: it
//! may have another root than init, and other rights. Where the kernel injects faults, those that the process asked for
//! (`fail-nth`) are met by who acts for it.

use core::ptr::NonNull;

use kernel::bindings as c;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::task::Task;
use kernel::types::NotThreadSafe;

use super::bindings;

/// Root directory, working directory and credentials of a process.
///
/// # Invariants
///
/// `fs` was made by `scst_helper_fs_copy`; we own one reference of `cred`.
pub struct Caller {
    fs: NonNull<c::fs_struct>,
    cred: *const c::cred,
    task: ARef<Task>,
}

// SAFETY: Paths and credentials belong to no thread.
unsafe impl Send for Caller {}
// SAFETY: A shared `Caller` is only read, by C under `fs`'s own lock.
unsafe impl Sync for Caller {}

impl Caller {
    /// The current process, as it is now. Process context.
    pub fn current() -> Result<Self> {
        // SAFETY: A process, and a kernel thread, has both.
        unsafe {
            let fs = NonNull::new(bindings::scst_helper_fs_copy()).ok_or(ENOMEM)?;
            let cred = bindings::scst_helper_get_current_cred();
            // INVARIANT: Both were just made for us.
            Ok(Self {
                fs,
                cred,
                task: ARef::from(&**kernel::current!()),
            })
        }
    }

    /// Acts as the caller until the result is dropped: for kernel threads.
    pub fn enter(&self) -> Entered<'_> {
        // SAFETY: Both live as long as the result, which gives back what was there before. Nobody but the thread itself
        // looks at what is replaced here: others see its `real_fs` and `real_cred`.
        // The task's memory exists while we refer to it.
        unsafe {
            bindings::scst_helper_take_faults(self.task.as_ptr());
            // INVARIANT: What C returns is what the thread had.
            Entered {
                fs: bindings::scst_helper_fs_swap(self.fs.as_ptr()),
                cred: bindings::scst_helper_override_creds(self.cred),
                caller: self,
                _thread: NotThreadSafe,
            }
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant; nobody acts as this caller any more, as that borrows it.
        unsafe {
            bindings::scst_helper_fs_free(self.fs.as_ptr());
            bindings::scst_helper_put_cred(self.cred);
        }
    }
}

/// The current thread acts as a [`Caller`].
///
/// # Invariants
///
/// `fs` and `cred` are the thread's own, taken when this was made.
pub struct Entered<'a> {
    fs: *mut c::fs_struct,
    cred: *const c::cred,
    caller: &'a Caller,
    _thread: NotThreadSafe,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant, on the same thread; the caller's task exists while it refers to it.
        unsafe {
            bindings::scst_helper_override_creds(self.cred);
            bindings::scst_helper_fs_swap(self.fs);
            bindings::scst_helper_give_faults_back(self.caller.task.as_ptr());
        }
    }
}
