// SPDX-License-Identifier: GPL-2.0-only

//! Unit attentions of one I_T_L nexus (SAM-5 5.14): what the initiator has to be told before its next command runs.

use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Release};
use kernel::sync::{new_spinlock, SpinLock};

use crate::proto::sense::Sense;

/// Conditions that one nexus keeps; one more takes the place of the last.
const MAX: usize = 8;

/// The queue of one nexus. Process context only, where it is not empty or is added to. The commands of a nexus without conditions take no lock.
#[pin_data]
pub struct UnitAttentions {
    /// The queue is not empty.
    pending: Atomic<i32>,
    #[pin]
    queue: SpinLock<Queue>,
}

struct Queue {
    conditions: [Option<Sense>; MAX],
}

/// Where a condition goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Precedence {
    /// Before all others: resets and the loss of a nexus.
    First,
    /// After those that wait already.
    Last,
}

impl UnitAttentions {
    /// A queue with `first` in it.
    pub fn new(first: Option<Sense>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            pending: Atomic::new(i32::from(first.is_some())),
            queue <- new_spinlock!(Queue {
                conditions: [first, None, None, None, None, None, None, None],
            }),
        }? Error)
    }

    /// Takes the next condition.
    #[inline]
    pub fn take(&self) -> Option<Sense> {
        if self.pending.load(Acquire) == 0 {
            return None;
        }
        let mut queue = self.queue.lock();
        let first = queue.conditions.first_mut().and_then(Option::take);
        queue.conditions.rotate_left(1);
        let more = queue.conditions.iter().any(Option::is_some);
        self.pending.store(i32::from(more), Release);
        first
    }

    /// Adds a condition, unless the same waits already.
    pub fn raise(&self, sense: Sense, precedence: Precedence) {
        let mut queue = self.queue.lock();
        if queue.conditions.iter().flatten().any(|s| same(s, &sense)) {
            return;
        }
        let used = queue.conditions.iter().flatten().count();
        let slot = match precedence {
            Precedence::First => {
                queue.conditions.rotate_right(1);
                0
            }
            Precedence::Last => used.min(MAX - 1),
        };
        if let Some(slot) = queue.conditions.get_mut(slot) {
            *slot = Some(sense);
        }
        self.pending.store(1, Release);
    }
}

fn same(a: &Sense, b: &Sense) -> bool {
    (a.key as u8, a.asc, a.ascq) == (b.key as u8, b.asc, b.ascq)
}
