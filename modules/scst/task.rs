// SPDX-License-Identifier: GPL-2.0-only

//! A command's place in the task set of its nexus.
//!
//! A transport that hands over commands of the Linux midlayer knows one task attribute, SIMPLE: such commands are carried out
//! in any order, and at once. Where the Control mode page forbids that, they are carried out one after another.

use core::ops::Deref;

use kernel::sync::atomic::{Atomic, Full, Relaxed, Release};

use crate::kapi::livemap::Live;
use crate::kapi::tasks::{Ending, Ticket};
use crate::nexus::Nexus;
use crate::proto::opcode::Flags;
use crate::proto::optable;

/// A command's hold on its nexus, as long as the command lives. PREEMPT AND ABORT waits for those of a preempted nexus, a reset
/// for those of all.
pub struct Task {
    nexus: Live<Nexus>,
    ticket: Ticket,
    /// [`crate::device::Device::aborts`] when it came.
    aborts: i32,
    /// The ticket has not been given back.
    counted: bool,
    in_order: Order,
}

impl Task {
    /// A command has come over `nexus`.
    #[inline]
    pub(crate) fn enter(nexus: Live<Nexus>, in_order: Order) -> Self {
        let ticket = nexus.tasks().enter();
        Self {
            ticket,
            aborts: nexus.device().aborts(),
            nexus,
            counted: true,
            in_order,
        }
    }

    /// How it has to end if it was aborted after it came: the initiator must not take it for carried out.
    #[inline]
    pub(crate) fn ending(&self) -> Option<Ending> {
        let own = self.nexus.tasks().ending(self.ticket);
        if own.is_some() || self.nexus.device().aborts() == self.aborts {
            return own;
        }
        Some(self.nexus.device().ending_by_others())
    }

    /// The command ends without an answer. An initiator that had no hand in that has to be told.
    pub(crate) fn tell_silence(&self) {
        if self.nexus.tasks().ending(self.ticket).is_none() {
            self.nexus.unit_attentions().commands_cleared();
        }
    }

    /// The next command may be carried out where they are one at a time. Before the initiator hears of the end.
    #[inline]
    pub(crate) fn end_turn(&mut self) {
        if self.in_order == Order::Turn {
            self.in_order = Order::Any;
            self.nexus.turn().end();
        }
    }

    /// Nobody waits for the command any more: for one that may itself wait for PREEMPT AND ABORT.
    pub(crate) fn uncount(&mut self) {
        if core::mem::replace(&mut self.counted, false) {
            self.nexus.tasks().leave(self.ticket);
        }
    }

    /// A hold on the nexus that does not count as a command.
    pub(crate) fn hold_nexus(&self) -> Live<Nexus> {
        self.nexus.clone()
    }
}

impl Deref for Task {
    type Target = Nexus;

    #[inline]
    fn deref(&self) -> &Nexus {
        &self.nexus
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.end_turn();
        self.uncount();
    }
}

/// Whether a command is one of those that are carried out one at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// It is not.
    Any,
    /// It is, and it has the turn.
    Turn,
}

impl Order {
    /// Of a command with this CDB that has come over `nexus`; `None` where it is another's turn. Any context.
    #[inline]
    pub(crate) fn of(nexus: &Nexus, cdb: &[u8]) -> Option<Self> {
        if nexus.device().keeps_order() {
            Self::take_turn(nexus, cdb)
        } else {
            Some(Self::Any)
        }
    }

    #[cold]
    fn take_turn(nexus: &Nexus, cdb: &[u8]) -> Option<Self> {
        let opcode = cdb.first().copied().unwrap_or(0);
        let mut rows = optable::rows_of(opcode).iter();
        // What only asks goes before what waits, and alters nothing.
        if rows.any(|op| op.flags.has(Flags::HEAD_OF_QUEUE) && !op.is_write()) {
            return Some(Self::Any);
        }
        nexus.turn().take().then_some(Self::Turn)
    }
}

/// Held by one command at a time.
pub(crate) struct Turn(Atomic<i32>);

impl Turn {
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(0))
    }

    fn take(&self) -> bool {
        self.0.load(Relaxed) == 0 && self.0.cmpxchg(0, 1, Full).is_ok()
    }

    fn end(&self) {
        self.0.store(0, Release);
    }
}
