// SPDX-License-Identifier: GPL-2.0-only

//! Resets of logical units (SAM-5 6.3.3): every command of the unit is aborted, over whichever nexus it came; then the unit
//! is as its initiators expect it after a reset.
//!
//! A backing store gives nothing back early. What it is at work on is marked, ends when the store has done with it, and is
//! waited for; what has yet to begin does not begin. So nothing lands after a reset was reported.

use kernel::sync::Arc;

use crate::attention::Precedence;
use crate::core::Core;
use crate::device::Device;
use crate::kapi::tasks::Ending;
use crate::nexus::Nexus;
use crate::proto::sense::Sense;
use crate::target::Session;

/// What a session resets.
pub struct Reset<'a> {
    session: &'a Session,
    lun: Option<u32>,
}

impl<'a> Reset<'a> {
    /// Of logical unit `lun`, or of all that the session sees.
    pub fn new(session: &'a Session, lun: Option<u32>) -> Self {
        Self { session, lun }
    }

    /// Has every command of the units end that is under way now: the session's own as ended by a reset, those of other
    /// initiators as the unit's TAS says. Does not wait for them. Called by error handling, allocates nothing.
    pub fn abort(&self, core: &Core) {
        self.for_each_nexus(core, &mut |nexus| {
            let own = core::ptr::eq(nexus.it(), &*self.session.it);
            nexus.tasks().abort(if own {
                Ending::Reset
            } else {
                nexus.device().ending_by_others()
            });
            nexus.tasks().tell_apart();
        });
    }

    /// Whether those commands have ended. Called by error handling, allocates nothing.
    pub fn is_clear(&self, core: &Core) -> bool {
        let mut clear = true;
        self.for_each_nexus(core, &mut |nexus| clear &= nexus.tasks().have_gone());
        clear
    }

    /// They have: the units are reset, and their initiators told. Called by error handling, allocates nothing.
    pub fn complete(&self, core: &Core) {
        self.for_each_lun(&mut |nexus| core.reset_occurred(nexus.device()));
    }

    /// Calls `f`, which may sleep, for every nexus of what is reset, and for those in whose place another is and whose
    /// commands have yet to end.
    fn for_each_nexus(&self, core: &Core, f: &mut dyn FnMut(&Nexus)) {
        let mut last = 0;
        while let Some(session) = core.next_session(last) {
            last = session.number;
            let mut next = session.luns.first();
            while let Some(lun) = next {
                if let Some(nexus) = session.luns.get(lun).filter(|n| self.concerns(lun, n)) {
                    f(&nexus);
                }
                next = session.luns.at_or_after(lun.saturating_add(1));
            }
        }
        self.for_each_lun(&mut |own| own.device().for_each_replaced(|nexus| f(nexus.value())));
    }

    /// Calls `f` for every LUN of the session that is reset.
    fn for_each_lun(&self, f: &mut dyn FnMut(&Nexus)) {
        let luns = &self.session.luns;
        let mut next = self.lun.or_else(|| luns.first());
        while let Some(lun) = next {
            if let Some(nexus) = luns.get(lun) {
                f(&nexus);
            }
            next = match self.lun {
                Some(_) => None,
                None => luns.at_or_after(lun.saturating_add(1)),
            };
        }
    }

    /// Whether what `nexus` leads to, at `lun` of its session, is reset.
    fn concerns(&self, lun: u32, nexus: &Nexus) -> bool {
        let luns = &self.session.luns;
        let is_at = |own: u32| {
            let own = luns.get(own);
            own.is_some_and(|own| Arc::ptr_eq(own.device(), nexus.device()))
        };
        if let Some(own) = self.lun {
            return is_at(own);
        }
        // Most often it has the same number there.
        if is_at(lun) {
            return true;
        }
        let mut next = luns.first();
        while let Some(own) = next {
            if is_at(own) {
                return true;
            }
            next = luns.at_or_after(own.saturating_add(1));
        }
        false
    }
}

impl Core {
    /// The device was reset: the initiators of all its nexuses are told before anything else, and hold nothing of it any
    /// more.
    fn reset_occurred(&self, device: &Arc<Device>) {
        device.reservations().reset();
        device.ops().reset();
        self.for_each_nexus(device.name().as_str(), &mut |nexus| {
            nexus.drive().allow_removal();
            nexus
                .unit_attentions()
                .raise(Sense::POWER_ON_RESET, Precedence::First);
        });
    }

    /// The first session made after number `last`.
    fn next_session(&self, last: u64) -> Option<Arc<Session>> {
        let admin = self.admin();
        let later = admin.sessions().filter(|s| s.number > last);
        later.min_by_key(|s| s.number).cloned()
    }
}
