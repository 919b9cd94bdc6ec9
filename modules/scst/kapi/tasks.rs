// SPDX-License-Identifier: GPL-2.0-only

//! The users of an object, counted per CPU in two halves, so that those who came before a moment can be told from those
//! who came after it, and waited for while others come.
//!
//! C header: [`include/linux/percpu-refcount.h`](srctree/include/linux/percpu-refcount.h)

use core::pin::Pin;

use kernel::bindings as c;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Full, Relaxed, Release};
use kernel::sync::rcu;
use kernel::types::Opaque;

use super::bindings;

/// The tasks of one nexus.
#[pin_data(PinnedDrop)]
pub struct TaskSet {
    #[pin]
    even: Half,
    #[pin]
    odd: Half,
    /// Parity of the half that counts who comes now.
    current: Atomic<i32>,
    /// The other half is cut off, and not yet drained.
    cut: Atomic<i32>,
}

/// What a task gets when it enters, and gives back when it leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ticket(i32);

/// # Invariants
///
/// `refs` is initialised. It is killed only by [`TaskSet::cut_off`] and made live again only by [`TaskSet::drain`], in
/// turns.
#[repr(C)]
#[pin_data]
struct Half {
    #[pin]
    refs: Opaque<c::percpu_ref>,
    /// Set when the last user of a killed `refs` has gone.
    empty: Atomic<i32>,
}

// SAFETY: The counts may be used from any thread.
unsafe impl Send for TaskSet {}
// SAFETY: As above.
unsafe impl Sync for TaskSet {}

impl Half {
    fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            refs <- Opaque::try_ffi_init(|slot| {
                // SAFETY: `slot` is writable memory for a `percpu_ref` that does not move.
                to_result(unsafe {
                    c::percpu_ref_init(
                        slot,
                        Some(Self::emptied),
                        c::PERCPU_REF_ALLOW_REINIT,
                        c::GFP_KERNEL,
                    )
                })
            }),
            empty: Atomic::new(0),
        }? Error)
    }

    /// # Safety
    ///
    /// Called by C when the last user of a killed count has gone, in any context.
    unsafe extern "C" fn emptied(refs: *mut c::percpu_ref) {
        // CAST: `refs` is the first field of a `Half` (`repr(C)`, `Opaque` is transparent).
        let this = refs.cast::<Self>();
        // SAFETY: The half exists until whoever waits for this very store has seen it.
        unsafe { &(*this).empty }.store(1, Release);
    }
}

impl TaskSet {
    /// Nobody.
    pub fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            even <- Half::new(),
            odd <- Half::new(),
            current: Atomic::new(0),
            cut: Atomic::new(0),
        }? Error)
    }

    fn half(&self, parity: i32) -> &Half {
        if parity == 0 {
            &self.even
        } else {
            &self.odd
        }
    }

    /// One more user, until the ticket is given to [`TaskSet::leave`]. Any context.
    #[inline]
    pub fn enter(&self) -> Ticket {
        // Whoever cuts this half off waits for the section, and so counts us.
        let _guard = rcu::read_lock();
        let parity = self.current.load(Acquire);
        // SAFETY: By the invariant of `Half`; a half that is current within this section is not empty before it ends.
        unsafe { bindings::scst_helper_percpu_ref_get(self.half(parity).refs.get()) };
        Ticket(parity)
    }

    /// The user with this ticket has gone; each ticket is given back once. Any context.
    #[inline]
    pub fn leave(&self, ticket: Ticket) {
        // SAFETY: By the invariant of `Half`. A ticket given back twice would make the count wrong, for which C warns, but
        // what it counts is not freed by it.
        unsafe { bindings::scst_helper_percpu_ref_put(self.half(ticket.0).refs.get()) };
    }

    /// Whether the user with this ticket came before the last [`TaskSet::cut_off`]. Any context.
    #[inline]
    pub fn is_cut_off(&self, ticket: Ticket) -> bool {
        self.current.load(Relaxed) != ticket.0
    }

    /// Tells those who are here now from those who come later. Followed by [`TaskSet::drain`]; the caller sees to it that
    /// nobody else does either meanwhile.
    pub fn cut_off(&self) {
        if self.cut.xchg(1, Full) != 0 {
            return;
        }
        let old = self.current.load(Relaxed);
        self.current.store(old ^ 1, Release);
        // SAFETY: By the invariant of `Half`: it was current, so it is live. The grace period that C waits for before it
        // looks at the count begins after the store above.
        unsafe { c::percpu_ref_kill_and_confirm(self.half(old).refs.get(), None) };
    }

    /// Waits until those whom [`TaskSet::cut_off`] told apart have gone. Sleeps.
    pub fn drain(&self) {
        if self.cut.load(Acquire) == 0 {
            return;
        }
        let old = self.half(self.current.load(Relaxed) ^ 1);
        while old.empty.load(Acquire) == 0 {
            super::msleep(1);
        }
        old.empty.store(0, Relaxed);
        // SAFETY: By the invariant of `Half`: it was killed and has become empty, and nobody enters it.
        unsafe { c::percpu_ref_reinit(old.refs.get()) };
        self.cut.store(0, Release);
    }
}

#[pinned_drop]
impl PinnedDrop for TaskSet {
    fn drop(self: Pin<&mut Self>) {
        // C still looks at a count that is being cut off. Whoever did that keeps the set until it is drained, so this does
        // not wait.
        self.drain();
        // SAFETY: Nobody refers to the counts any more.
        unsafe {
            c::percpu_ref_exit(self.even.refs.get());
            c::percpu_ref_exit(self.odd.refs.get());
        }
    }
}
