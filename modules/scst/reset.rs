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
use crate::kapi::global;
use crate::kapi::host::UnderReset;
use crate::kapi::livemap::Live;
use crate::kapi::tasks::Ending;
use crate::nexus::Nexus;
use crate::proto::device_type::DeviceType;
use crate::proto::sense::Sense;
use crate::target::Session;

/// A reset by a session, of which every command is to end that is under way when it begins.
pub struct Reset<'a> {
    session: &'a Session,
    units: Units,
}

/// What is reset.
enum Units {
    /// The unit that this nexus leads to, whatever is put in its place meanwhile; `None` where there is none.
    One(Option<Live<Nexus>>),
    /// All that the session sees.
    All,
}

impl<'a> Reset<'a> {
    /// Begins to reset the unit that is logical unit `lun` now. Called by error handling, allocates nothing.
    pub fn of_unit(session: &'a Session, lun: u64) -> Self {
        let lun = u32::try_from(lun).ok();
        let unit = lun.and_then(|lun| session.luns.get(lun));
        Self::begin(session, Units::One(unit))
    }

    /// Begins to reset all units that the session sees. Called by error handling, allocates nothing.
    pub fn of_all(session: &'a Session) -> Self {
        Self::begin(session, Units::All)
    }

    /// Has every command of the units end that is under way now: the session's own as ended by a reset, those of other
    /// initiators as the unit's TAS says. Does not wait for them.
    fn begin(session: &'a Session, units: Units) -> Self {
        let this = Self { session, units };
        this.for_each_nexus(&mut |nexus| {
            nexus.tasks().abort(if this.is_own(nexus) {
                Ending::Reset
            } else {
                nexus.device().ending_by_others()
            });
            nexus.tasks().tell_apart();
        });
        this
    }

    fn is_own(&self, nexus: &Nexus) -> bool {
        core::ptr::eq(nexus.it(), &*self.session.it)
    }

    /// Calls `f`, which may sleep, for every nexus of what is reset, and for those in whose place another is and whose
    /// commands have yet to end.
    fn for_each_nexus(&self, f: &mut dyn FnMut(&Nexus)) {
        let Ok(core) = global::core() else { return };
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
        self.for_each_unit(&mut |own| own.device().for_each_replaced(|nexus| f(nexus.value())));
    }

    /// Calls `f` for the session's own nexus to every unit that is reset.
    fn for_each_unit(&self, f: &mut dyn FnMut(&Nexus)) {
        if let Units::One(unit) = &self.units {
            return unit.iter().for_each(|unit| f(unit));
        }
        let luns = &self.session.luns;
        let mut next = luns.first();
        while let Some(lun) = next {
            if let Some(nexus) = luns.get(lun) {
                f(&nexus);
            }
            next = luns.at_or_after(lun.saturating_add(1));
        }
    }

    /// Whether what `nexus` leads to, at `lun` of its session, is reset.
    fn concerns(&self, lun: u32, nexus: &Nexus) -> bool {
        let leads_there = |own: &Nexus| Arc::ptr_eq(own.device(), nexus.device());
        if let Units::One(unit) = &self.units {
            return unit.as_ref().is_some_and(|unit| leads_there(unit));
        }
        let luns = &self.session.luns;
        let is_at = |own: u32| luns.get(own).is_some_and(|own| leads_there(&own));
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

impl UnderReset for Reset<'_> {
    fn is_clear(&self) -> bool {
        let mut clear = true;
        self.for_each_nexus(&mut |nexus| clear &= nexus.tasks().have_gone());
        clear
    }

    /// The units are reset, and their initiators told.
    fn complete(&self) {
        let Ok(core) = global::core() else { return };
        self.for_each_unit(&mut |nexus| core.reset_occurred(nexus.device()));
    }

    /// Other initiators' commands end without an answer, if they do so at all: they are told of it now, as no reset will have
    /// occurred that tells them. Whether one had any is known only while it has some yet. Of a drive nobody else is told: Linux
    /// takes that for another disc.
    fn give_up(&self) {
        self.for_each_nexus(&mut |nexus| {
            let is_silent = nexus.device().ending_by_others() == Ending::Silence;
            let may_have_had = nexus.device().device_type() != DeviceType::CdRom;
            if !self.is_own(nexus) && is_silent && (may_have_had || !nexus.tasks().have_gone()) {
                nexus.unit_attentions().commands_cleared();
            }
        });
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
