// SPDX-License-Identifier: GPL-2.0-only

//! A map from small integers that is read without locks, and whose entries drain before they go.
//!
//! C headers: [`include/linux/xarray.h`](srctree/include/linux/xarray.h),
//! [`include/linux/percpu-refcount.h`](srctree/include/linux/percpu-refcount.h)
//!
//! This is what a LUN lookup on the I/O path needs: an RCU read, a per-CPU reference, nothing that two CPUs share.

use core::marker::PhantomData;
use core::ops::Deref;
use core::pin::Pin;
use core::ptr::NonNull;

use kernel::bindings as c;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::rcu;
use kernel::sync::{Arc, Completion};
use kernel::types::Opaque;

use super::bindings;

/// A value with a per-CPU count of its users, that can be shut down once.
///
/// # Invariants
///
/// `refs` is initialised; the initial reference is given up by [`Counted::kill`] alone.
#[repr(C)]
#[pin_data(PinnedDrop)]
pub struct Counted<T> {
    #[pin]
    refs: Opaque<c::percpu_ref>,
    #[pin]
    drained: Completion,
    #[pin]
    value: T,
}

// SAFETY: The count may be used from any thread.
unsafe impl<T: Send> Send for Counted<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for Counted<T> {}

impl<T> Counted<T> {
    /// Counts the users of `value`.
    pub fn new(value: impl PinInit<T, Error>) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                refs <- Opaque::try_ffi_init(|slot| {
                    // SAFETY: `slot` is writable memory for a `percpu_ref` that does not move.
                    to_result(unsafe {
                        c::percpu_ref_init(slot, Some(Self::released), c::PERCPU_REF_ALLOW_REINIT, c::GFP_KERNEL)
                    })
                }),
                drained <- Completion::new(),
                value <- value,
            }? Error),
            GFP_KERNEL,
        )
    }

    /// The value, for those who do not do I/O on it.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// From now on users are counted in one place, so that [`Self::users`] can tell how many there are. Sleeps.
    pub(crate) fn count_exactly(&self) {
        // SAFETY: By the type's invariant.
        unsafe { c::percpu_ref_switch_to_atomic(self.refs.get(), None) };
    }

    /// Users, in between [`Self::count_exactly`] and [`Self::count_loosely`]. Sleeps.
    pub(crate) fn users(&self) -> usize {
        // SAFETY: By the type's invariant. Where the count is exact already this waits for nothing.
        let all = unsafe {
            c::percpu_ref_switch_to_atomic_sync(self.refs.get());
            bindings::scst_helper_percpu_ref_users(self.refs.get())
        };
        all as usize
    }

    /// From now on users are counted on their own CPUs again. Sleeps.
    pub(crate) fn count_loosely(&self) {
        // SAFETY: By the type's invariant; the count was made to allow this.
        unsafe { c::percpu_ref_switch_to_percpu(self.refs.get()) };
    }

    /// # Safety
    ///
    /// Called by C when the last user of a killed count has gone, in any context.
    unsafe extern "C" fn released(refs: *mut c::percpu_ref) {
        // CAST: `refs` is the first field of a `Counted` (`repr(C)`, `Opaque` is transparent).
        let this = refs.cast::<Self>();
        // SAFETY: Whoever killed the count holds an `Arc` to it until `drained` was completed.
        unsafe { &(*this).drained }.complete_all();
    }

    /// Lets no new user in. Once only.
    fn kill(&self) {
        // SAFETY: By the type's invariant; the map calls this for an entry that it has just taken out, so once.
        unsafe { c::percpu_ref_kill_and_confirm(self.refs.get(), None) };
    }
}

#[pinned_drop]
impl<T> PinnedDrop for Counted<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Nobody refers to the count any more.
        unsafe { c::percpu_ref_exit(self.refs.get()) };
    }
}

/// A user of an entry: as long as it lives, the entry does not go.
///
/// # Invariants
///
/// Owns one reference of the count.
pub struct Live<T>(NonNull<Counted<T>>);

// SAFETY: The reference may be given up on any thread, in any context.
unsafe impl<T: Sync> Send for Live<T> {}
// SAFETY: A shared `Live` gives shared access to the value only.
unsafe impl<T: Sync> Sync for Live<T> {}

impl<T> Deref for Live<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type's invariant the entry exists.
        unsafe { &self.0.as_ref().value }
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        // SAFETY: By the type's invariant the count is above zero, so one more may be taken also after it was killed.
        unsafe { bindings::scst_helper_percpu_ref_get(self.0.as_ref().refs.get()) };
        // INVARIANT: The reference was just taken.
        Self(self.0)
    }
}

impl<T> Drop for Live<T> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scst_helper_percpu_ref_put(self.0.as_ref().refs.get()) };
    }
}

/// An entry that has left its map and lets no new user in.
pub struct Retired<T>(Arc<Counted<T>>);

impl<T> Retired<T> {
    /// # Safety
    ///
    /// `ptr` must be null, or a pointer that a map has just given up.
    unsafe fn new(ptr: *mut core::ffi::c_void) -> Option<Self> {
        let ptr = NonNull::new(ptr)?.cast::<Counted<T>>();
        // SAFETY: By this function's contract; the map's reference is now ours.
        let entry = unsafe { Arc::from_raw(ptr.as_ptr()) };
        entry.kill();
        Some(Self(entry))
    }
}

impl<T> Retired<T> {
    /// The value, for those who do not do I/O on it.
    pub fn value(&self) -> &T {
        self.0.value()
    }
}

/// Never dropped with users: whoever does not [`drain`] it waits here.
impl<T> Drop for Retired<T> {
    fn drop(&mut self) {
        wait_for_readers();
        self.0.drained.wait_for_completion();
    }
}

/// A reader may have found a pointer before it left its map and be about to look at the count. The count's own grace period
/// runs meanwhile, so that whoever waits for this first and for the users then waits for one, not for two.
fn wait_for_readers() {
    rcu::synchronize_rcu();
}

/// Waits until all of `retired` have no users any more, which takes no longer than for one of them, and hands them to
/// `f` with their places. Sleeps.
pub fn drain<T, const N: usize>(
    retired: [Option<Retired<T>>; N],
    mut f: impl FnMut(usize, Arc<Counted<T>>),
) {
    if retired.iter().all(Option::is_none) {
        return;
    }
    wait_for_readers();
    for entry in retired.iter().flatten() {
        entry.0.drained.wait_for_completion();
    }
    for (at, entry) in retired.into_iter().enumerate() {
        if let Some(entry) = entry {
            let entry = core::mem::ManuallyDrop::new(entry);
            // SAFETY: Read once from what is never dropped.
            f(at, unsafe { core::ptr::read(&entry.0) });
        }
    }
}

/// The map. Readers take no lock; writers are serialised by the map's own lock and may sleep.
///
/// # Invariants
///
/// Every entry is a pointer that `Arc::into_raw` gave.
#[pin_data(PinnedDrop)]
pub struct LiveMap<T> {
    #[pin]
    xa: Opaque<c::xarray>,
    _entries: PhantomData<Arc<Counted<T>>>,
}

// SAFETY: An xarray may be used from any thread.
unsafe impl<T: Send + Sync> Send for LiveMap<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for LiveMap<T> {}

impl<T> LiveMap<T> {
    /// An empty map.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is writable memory for an xarray that does not move.
            xa <- Opaque::ffi_init(|slot| unsafe { c::xa_init_flags(slot, 0) }),
            _entries: PhantomData,
        })
    }

    /// The entry at `index`, unless it is on its way out. Any context.
    #[inline]
    pub fn get(&self, index: u32) -> Option<Live<T>> {
        let _guard = rcu::read_lock();
        let mut gone = None;
        loop {
            // SAFETY: The xarray is initialised and we are in an RCU read section.
            let entry = NonNull::new(unsafe { c::xa_load(self.xa.get(), index as usize) })?
                .cast::<Counted<T>>();
            // SAFETY: An entry that was found under RCU is not freed before the section ends (`retire` waits for it).
            if unsafe { bindings::scst_helper_percpu_ref_tryget_live(entry.as_ref().refs.get()) } {
                // INVARIANT: The reference was just taken.
                return Some(Live(entry));
            }
            // It left the map before it was killed: what has come in its place is there by now.
            if gone.replace(entry) == Some(entry) {
                return None;
            }
        }
    }

    /// The entry at `index` itself, for whoever keeps it from being taken out meanwhile. Any context.
    pub(crate) fn entry(&self, index: u32) -> Option<Arc<Counted<T>>> {
        let live = self.get(index)?;
        // SAFETY: The entry is in the map, which owns a reference, and `live` keeps it there or its owner waiting.
        unsafe {
            let ptr = live.0.as_ptr().cast_const();
            let borrowed = core::mem::ManuallyDrop::new(Arc::from_raw(ptr));
            Some((*borrowed).clone())
        }
    }

    /// Puts `value` at `index`. `EEXIST` where there is one.
    pub fn insert(&self, index: u32, value: Arc<Counted<T>>) -> Result {
        let ptr = Arc::into_raw(value);
        // SAFETY: The xarray is initialised; the pointer is aligned, so it is a valid entry.
        let ret = unsafe {
            bindings::scst_helper_xa_insert(
                self.xa.get(),
                index as usize,
                ptr.cast_mut().cast(),
                c::GFP_KERNEL,
            )
        };
        if ret != 0 {
            // SAFETY: The map did not take the pointer.
            drop(unsafe { Arc::from_raw(ptr) });
            return Err(if ret == -(c::EBUSY as i32) {
                EEXIST
            } else {
                Error::from_errno(ret)
            });
        }
        Ok(())
    }

    /// Puts `value` at `index` in the place of what is there; users find the one or the other. Sleeps.
    pub fn replace(&self, index: u32, value: Arc<Counted<T>>) -> Result<Option<Retired<T>>> {
        let ptr = Arc::into_raw(value);
        let mut old = core::ptr::null_mut();
        // SAFETY: The xarray is initialised; the pointer is aligned, so it is a valid entry.
        let ret = unsafe {
            bindings::scst_helper_xa_replace(
                self.xa.get(),
                index as usize,
                ptr.cast_mut().cast(),
                c::GFP_KERNEL,
                &mut old,
            )
        };
        if ret != 0 {
            // SAFETY: The map did not take the pointer.
            drop(unsafe { Arc::from_raw(ptr) });
            return Err(Error::from_errno(ret));
        }
        // SAFETY: By the type's invariant an entry is a pointer of `Arc::into_raw`, and this one is no longer in the map.
        Ok(unsafe { Retired::new(old) })
    }

    /// Takes the entry at `index` out: no new user finds it. Those that it has may still be at work.
    pub fn retire(&self, index: u32) -> Option<Retired<T>> {
        // SAFETY: The xarray is initialised; what comes out is as in `replace`.
        unsafe { Retired::new(c::xa_erase(self.xa.get(), index as usize)) }
    }

    /// Takes the entry at `index` out and waits until its users have gone. Sleeps.
    pub fn remove(&self, index: u32) -> Option<Arc<Counted<T>>> {
        let mut removed = None;
        drain([self.retire(index)], |_, entry| removed = Some(entry));
        removed
    }

    /// Calls `f` with every index and value, in ascending order. `f` must not sleep.
    pub fn for_each(&self, mut f: impl FnMut(u32, &T)) {
        let mut index: usize = 0;
        let _guard = rcu::read_lock();
        // SAFETY: The xarray is initialised; entries found under RCU exist until the section ends.
        let mut ptr = unsafe { c::xa_find(self.xa.get(), &mut index, usize::MAX, c::XA_PRESENT) };
        while let Some(entry) = NonNull::new(ptr) {
            // SAFETY: As above.
            f(index as u32, unsafe {
                &entry.cast::<Counted<T>>().as_ref().value
            });
            // SAFETY: As above.
            ptr = unsafe { c::xa_find_after(self.xa.get(), &mut index, usize::MAX, c::XA_PRESENT) };
        }
    }

    /// The first index that is in use, if any.
    pub fn first(&self) -> Option<u32> {
        self.at_or_after(0)
    }

    /// The first index from `start` on that is in use, if any.
    pub fn at_or_after(&self, start: u32) -> Option<u32> {
        let mut index: usize = start as usize;
        let _guard = rcu::read_lock();
        // SAFETY: The xarray is initialised.
        let ptr = unsafe { c::xa_find(self.xa.get(), &mut index, usize::MAX, c::XA_PRESENT) };
        (!ptr.is_null()).then_some(index as u32)
    }
}

#[pinned_drop]
impl<T> PinnedDrop for LiveMap<T> {
    fn drop(self: Pin<&mut Self>) {
        while let Some(index) = self.first() {
            self.remove(index);
        }
    }
}
