// SPDX-License-Identifier: GPL-2.0-only

//! Unit attentions of one I_T_L nexus (SAM-5 5.14): what the initiator has to be told before its next command runs.

use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Relaxed, Release};
use kernel::sync::{new_spinlock, SpinLock};

use crate::proto::attention::Queue;
use crate::proto::sense::Sense;

pub use crate::proto::attention::Precedence;

/// The queue of one nexus. Process context only, where it is not empty or is added to. The commands of a nexus without conditions take no lock.
#[pin_data]
pub struct UnitAttentions {
    /// The queue is not empty.
    pending: Atomic<i32>,
    /// Not 0: commands were cleared by another initiator, to be told after all that is in the queue.
    cleared: Atomic<i32>,
    #[pin]
    queue: SpinLock<Queue>,
}

impl UnitAttentions {
    /// A queue with `first` in it.
    pub fn new(first: Option<Sense>) -> impl PinInit<Self, Error> {
        let mut queue = Queue::new();
        if let Some(sense) = first {
            queue.raise(&sense, Precedence::First);
        }
        try_pin_init!(Self {
            pending: Atomic::new(i32::from(first.is_some())),
            cleared: Atomic::new(0),
            queue <- new_spinlock!(queue),
        }? Error)
    }

    /// Takes the next condition.
    #[inline]
    pub fn take(&self) -> Option<Sense> {
        if self.pending.load(Acquire) != 0 {
            let mut queue = self.queue.lock();
            let first = queue.take();
            self.pending.store(i32::from(!queue.is_empty()), Release);
            if first.is_some() {
                return first;
            }
        }
        let cleared = self.cleared.load(Relaxed) != 0 && self.cleared.xchg(0, Relaxed) != 0;
        cleared.then_some(Sense::COMMANDS_CLEARED_BY_ANOTHER)
    }

    /// Adds a condition, unless the same waits already.
    pub fn raise(&self, sense: Sense, precedence: Precedence) {
        let mut queue = self.queue.lock();
        queue.raise(&sense, precedence);
        self.pending.store(1, Release);
    }

    /// Commands were cleared by another initiator. Any context.
    pub(crate) fn commands_cleared(&self) {
        self.cleared.store(1, Relaxed);
    }
}
