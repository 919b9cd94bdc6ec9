// SPDX-License-Identifier: GPL-2.0-only

//! The users of an object, counted per CPU in two halves, so that those who came before a moment can be told from those
//! who came after it, and waited for while others come; and marked, so that those who came before can be made to end in
//! another way.
//!
//! C header: [`include/linux/percpu-refcount.h`](srctree/include/linux/percpu-refcount.h)

use core::pin::Pin;

use kernel::bindings as c;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Full, Relaxed, Release};
use kernel::sync::{new_mutex, rcu, Mutex};
use kernel::types::Opaque;

use super::bindings;

/// The tasks of one nexus.
#[pin_data(PinnedDrop)]
pub struct TaskSet {
    #[pin]
    even: Half,
    #[pin]
    odd: Half,
    /// What a task finds when it enters, see [`PARITY`] and what follows it.
    mark: Atomic<i32>,
    #[pin]
    rounds: Mutex<Rounds>,
}

/// In a mark: which half counts who comes now.
const PARITY: i32 = 1;
/// In a mark: how the tasks end that were aborted last, an [`Ending`].
const ENDING: i32 = 0b110;
/// In a mark: one abort more. The number wraps.
const ONE_ABORT: i32 = 0b1000;

/// How an aborted task ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Without an answer.
    Silence = 0,
    /// With the status TASK ABORTED.
    TaskAborted = 0b010,
    /// Its initiator has reset the logical unit, and knows by that.
    Reset = 0b100,
}

/// The waits for those who are here. A round lets new tasks be counted in the other half, and ends when the half that
/// counted before is empty.
struct Rounds {
    /// Rounds that have ended, wrapping.
    ended: u32,
    /// The number of ended rounds that somebody waits for.
    wanted: u32,
    /// A round has begun, and not ended.
    running: bool,
}

/// What a task gets when it enters, and gives back when it leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ticket(i32);

/// # Invariants
///
/// `refs` is initialised. It is killed when a round begins and made live again when that ends, with the rounds locked.
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
            mark: Atomic::new(0),
            rounds <- new_mutex!(Rounds {
                ended: 0,
                wanted: 0,
                running: false,
            }),
        }? Error)
    }

    fn half(&self, parity: i32) -> &Half {
        if parity & PARITY == 0 {
            &self.even
        } else {
            &self.odd
        }
    }

    /// One more user, until the ticket is given to [`TaskSet::leave`]. Any context.
    #[inline]
    pub fn enter(&self) -> Ticket {
        // Whoever begins a round waits for the section, and so counts us.
        let _guard = rcu::read_lock();
        let mark = self.mark.load(Acquire);
        // SAFETY: By the invariant of `Half`; a half that is current within this section is not empty before it ends.
        unsafe { bindings::scst_helper_percpu_ref_get(self.half(mark).refs.get()) };
        Ticket(mark)
    }

    /// The user with this ticket has gone; each ticket is given back once. Any context.
    #[inline]
    pub fn leave(&self, ticket: Ticket) {
        // SAFETY: By the invariant of `Half`. A ticket given back twice would make the count wrong, for which C warns, but
        // what it counts is not freed by it.
        unsafe { bindings::scst_helper_percpu_ref_put(self.half(ticket.0).refs.get()) };
    }

    /// How the user with this ticket has to end if it came before the last [`TaskSet::abort`]. Any context.
    #[inline]
    pub fn ending(&self, ticket: Ticket) -> Option<Ending> {
        let mark = self.mark.load(Relaxed);
        if (mark ^ ticket.0) & !(PARITY | ENDING) == 0 {
            return None;
        }
        Some(match mark & ENDING {
            0b010 => Ending::TaskAborted,
            0b100 => Ending::Reset,
            _ => Ending::Silence,
        })
    }

    /// Those who are here now have to end, and how. Any context; does not wait for them.
    pub fn abort(&self, ending: Ending) {
        self.update(|mark| (mark.wrapping_add(ONE_ABORT) & !ENDING) | ending as i32);
    }

    fn update(&self, f: impl Fn(i32) -> i32) {
        let mut mark = self.mark.load(Relaxed);
        while let Err(now) = self.mark.cmpxchg(mark, f(mark), Full) {
            mark = now;
        }
    }

    /// Tells those who are here now from those who come later, for [`TaskSet::have_gone`]. Process context.
    pub fn tell_apart(&self) {
        let mut rounds = self.rounds.lock();
        // The round that is running does not tell those who have come since it began.
        let more = 1 + u32::from(rounds.running);
        rounds.wanted = rounds.ended.wrapping_add(more);
        self.advance(&mut rounds);
    }

    /// Whether all those have gone who were here when anybody called [`TaskSet::tell_apart`]. To be asked until it says
    /// so. Process context.
    pub fn have_gone(&self) -> bool {
        let mut rounds = self.rounds.lock();
        self.advance(&mut rounds);
        rounds.ended == rounds.wanted
    }

    /// Waits for that. Sleeps.
    pub fn wait(&self) {
        while !self.have_gone() {
            super::msleep(1);
        }
    }

    /// Ends the round whose half is empty, and begins one that is wanted.
    fn advance(&self, rounds: &mut Rounds) {
        let mark = self.mark.load(Relaxed);
        let old = self.half(mark ^ PARITY);
        if rounds.running && old.empty.load(Acquire) != 0 {
            old.empty.store(0, Relaxed);
            // SAFETY: By the invariant of `Half`: it was killed and has become empty, and nobody enters it.
            unsafe { c::percpu_ref_reinit(old.refs.get()) };
            rounds.running = false;
            rounds.ended = rounds.ended.wrapping_add(1);
        }
        if rounds.running || rounds.ended == rounds.wanted {
            return;
        }
        rounds.running = true;
        self.update(|mark| mark ^ PARITY);
        // SAFETY: By the invariant of `Half`: it was current, so it is live. The grace period that C waits for before it
        // looks at the count begins after the update.
        unsafe { c::percpu_ref_kill_and_confirm(self.half(mark).refs.get(), None) };
    }
}

#[pinned_drop]
impl PinnedDrop for TaskSet {
    fn drop(self: Pin<&mut Self>) {
        // C still looks at a count whose round has not ended. There are no users, so this takes a grace period at most.
        self.wait();
        // SAFETY: Nobody refers to the counts any more.
        unsafe {
            c::percpu_ref_exit(self.even.refs.get());
            c::percpu_ref_exit(self.odd.refs.get());
        }
    }
}
