// SPDX-License-Identifier: GPL-2.0-only

//! Scopes of a task on the way to a disk: its allocations start no I/O, and it is not made to wait for others' writes.
//!
//! C header: [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h)

use kernel::bindings as c;

use super::bindings;

/// While this lives, no allocation of the current task starts I/O: memory reclaim could otherwise wait for a LUN that
/// waits for this very allocation.
pub struct NoIo {
    flags: u32,
    /// The scope belongs to the task that opened it.
    _not_send: core::marker::PhantomData<*mut ()>,
}

impl NoIo {
    /// Opens the scope.
    pub fn enter() -> Self {
        // SAFETY: Changes a flag of the current task only.
        let flags = unsafe { bindings::scst_helper_memalloc_noio_save() };
        Self {
            flags,
            _not_send: core::marker::PhantomData,
        }
    }
}

impl Drop for NoIo {
    fn drop(&mut self) {
        // SAFETY: `flags` is what the matching call returned in this very task, which the type cannot leave.
        unsafe { bindings::scst_helper_memalloc_noio_restore(self.flags) };
    }
}

/// While this lives, the current task may write to a file's cache as long as the file's own device keeps up, however much
/// others wait to write: what waits for them to write may be waiting for this task.
pub struct LocalThrottle {
    flags: u32,
    /// The scope belongs to the task that opened it.
    _not_send: core::marker::PhantomData<*mut ()>,
}

impl LocalThrottle {
    /// Opens the scope.
    pub fn enter() -> Self {
        // SAFETY: Changes a flag of the current task only.
        let flags = unsafe { bindings::scst_helper_local_throttle_enter() };
        Self {
            flags,
            _not_send: core::marker::PhantomData,
        }
    }
}

impl Drop for LocalThrottle {
    fn drop(&mut self) {
        // SAFETY: `flags` is what the matching call returned in this very task, which the type cannot leave.
        unsafe { bindings::scst_helper_local_throttle_leave(self.flags) };
    }
}

/// While this lives, what the current task submits to a disk is handed over at once, even from within another submission, as
/// far as there is stack for it.
pub(super) struct AtOnce {
    /// What the outer submission keeps for later.
    kept: *mut c::bio_list,
}

impl AtOnce {
    /// Opens the scope. Any context.
    #[inline]
    pub(super) fn enter() -> Self {
        // SAFETY: Takes a pointer of the current task, which `drop` gives back.
        let kept = unsafe { bindings::scst_helper_bio_list_take() };
        Self { kept }
    }
}

impl Drop for AtOnce {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The list is the outer submission's, which goes on when this one has returned; the pointer keeps the type in
        // the task that it came from.
        unsafe { bindings::scst_helper_bio_list_give_back(self.kept) };
    }
}
