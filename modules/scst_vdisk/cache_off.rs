// SPDX-License-Identifier: GPL-2.0-only

//! A write cache that has been turned off (WCE), and what was acknowledged with it.

use scst::attention::Precedence;
use scst::command::{Admitted, Command, Outcome};
use scst::kapi::global;
use scst::kapi::livemap::Live;
use scst::mode::Version;
use scst::nexus::Nexus;
use scst::proto::mode::ModeState;
use scst::proto::sense::Sense;

use crate::store::finish;
use crate::writers::{wait_for, Writers};

/// The mode parameters are without a cache now, and not all is stable yet that was written with one. If the command ends
/// early, they are again what they were: else initiators that find no cache would never ask for the rest.
pub(crate) struct CacheOff {
    nexus: Live<Nexus>,
    /// What to go back to, and from when; `None` where there was no cache before, or once the command is carried out.
    before: Option<(ModeState, Version)>,
}

impl CacheOff {
    /// `cmd` has set other parameters than `before`; they have been in effect since `version`.
    pub(crate) fn new(cmd: &Command<Admitted>, before: &ModeState, version: Version) -> Self {
        Self {
            nexus: cmd.hold_nexus(),
            before: before.wce.then_some((*before, version)),
        }
    }

    /// Ends the command: nothing that was written can be lost.
    pub(crate) fn stable(mut self, cmd: Command<Admitted>) {
        self.before = None;
        finish(cmd, Ok(()));
    }

    /// Ends the command after `flush`, once nobody writes any more who began with a cache. Sleeps.
    pub(crate) fn flush(
        mut self,
        cmd: Command<Admitted>,
        writers: &Writers,
        flush: impl FnOnce() -> Result<(), Outcome>,
    ) {
        if let Err(early) = wait_for(writers, &cmd) {
            drop(self);
            return cmd.finish(early);
        }
        // A flush that fails says so to its initiator, and the cache is off.
        self.before = None;
        finish(cmd, flush());
    }
}

impl Drop for CacheOff {
    fn drop(&mut self) {
        let Some((before, version)) = self.before else {
            return;
        };
        let device = self.nexus.device();
        let mode = device.ops().mode();
        if mode.is_some_and(|mode| mode.replace(version, &before).is_some()) {
            tell_others(&self.nexus, Sense::MODE_PARAMETERS_CHANGED);
        }
    }
}

/// Raises a condition at every nexus to the device but `by`. Sleeps.
pub(crate) fn tell_others(by: &Nexus, sense: Sense) {
    let Ok(core) = global::core() else { return };
    core.for_each_nexus(by.device().name().as_str(), &mut |nexus| {
        if !core::ptr::eq(nexus, by) {
            nexus.unit_attentions().raise(sense, Precedence::Last);
        }
    });
}
