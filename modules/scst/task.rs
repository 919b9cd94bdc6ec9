// SPDX-License-Identifier: GPL-2.0-only

//! A command's place in the task set of its nexus.

use core::ops::Deref;

use crate::kapi::livemap::Live;
use crate::kapi::tasks::{Ending, Ticket};
use crate::nexus::Nexus;

/// A command's hold on its nexus, as long as the command lives. PREEMPT AND ABORT waits for those of a preempted nexus,
/// a reset for those of all.
pub struct Task {
    nexus: Live<Nexus>,
    ticket: Ticket,
    /// The ticket has not been given back.
    counted: bool,
}

impl Task {
    /// A command has come over `nexus`.
    #[inline]
    pub(crate) fn enter(nexus: Live<Nexus>) -> Self {
        let ticket = nexus.tasks().enter();
        Self {
            nexus,
            ticket,
            counted: true,
        }
    }

    /// How it has to end if it was aborted after it came: the initiator must not take it for carried out.
    #[inline]
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.nexus.tasks().ending(self.ticket)
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
        self.uncount();
    }
}
