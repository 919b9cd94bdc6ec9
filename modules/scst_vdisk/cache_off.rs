// SPDX-License-Identifier: GPL-2.0-only

//! A write cache that has been turned off (WCE), and what was acknowledged with it.

use kernel::sync::Arc;

use scst::attention::Precedence;
use scst::command::{Admitted, Command, Outcome};
use scst::kapi::global;
use scst::kapi::livemap::Live;
use scst::mode::{Mode, Version};
use scst::nexus::Nexus;
use scst::proto::mode::ModeState;
use scst::proto::sense::Sense;
use scst::proto::status::Status;

use crate::store::finish;
use crate::writers::{wait_for, Writers};

/// The mode parameters are without a cache now, and not all is stable yet that was written with one. If the command ends
/// early, they have one again: else initiators that find no cache would never ask for the rest.
pub(crate) struct CacheOff {
    nexus: Live<Nexus>,
    mode: Arc<Mode>,
    /// What to go back to, and from when; `None` where there was no cache before, or once the command is carried out.
    before: Option<(ModeState, Version)>,
}

impl CacheOff {
    /// `cmd` has set `after` instead of `before`; that has been in effect since `version`.
    pub(crate) fn new(
        cmd: &Command<Admitted>,
        mode: &Arc<Mode>,
        (before, after, version): (ModeState, ModeState, Version),
    ) -> Self {
        let back = match (before.wce, mode.cache_goes_off()) {
            (true, _) => Some(before),
            // Another command has turned it off, and may be cut short without getting past this one.
            (false, true) => Some(ModeState { wce: true, ..after }),
            (false, false) => None,
        };
        Self {
            nexus: cmd.hold_nexus(),
            mode: mode.clone(),
            before: back.map(|back| (back, version)),
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
        flush: impl FnOnce(&Command<Admitted>) -> Result<(), Outcome>,
    ) {
        if let Err(early) = wait_for(writers, &cmd) {
            drop(self);
            return cmd.finish(early);
        }
        // A flush that fails says so to its initiator, or to the next who flushes, and the cache is off.
        self.before = None;
        let result = match flush(&cmd) {
            // Another command that wanted the same was cut short: what it went back to is not what this one may call done.
            Ok(()) if self.mode.wce() => Err(Outcome::Status(Status::Busy)),
            other => other,
        };
        finish(cmd, result);
    }
}

impl Drop for CacheOff {
    fn drop(&mut self) {
        let back = self.before.take();
        if back.is_some_and(|(back, version)| self.mode.replace(version, &back).is_some()) {
            // Its initiator too: an earlier command of its own may have ended well that wanted no cache.
            tell_all(&self.nexus, Sense::MODE_PARAMETERS_CHANGED);
        }
        self.mode.cache_went_off();
    }
}

/// Raises a condition at every nexus to the device but `by`. Sleeps.
pub(crate) fn tell_others(by: &Nexus, sense: Sense) {
    tell(by, sense, |nexus| !core::ptr::eq(nexus, by));
}

/// Raises a condition at every nexus to the device that `of` leads to. Sleeps.
fn tell_all(of: &Nexus, sense: Sense) {
    tell(of, sense, |_| true);
}

fn tell(of: &Nexus, sense: Sense, who: impl Fn(&Nexus) -> bool) {
    let Ok(core) = global::core() else { return };
    core.for_each_nexus(of.device().name().as_str(), &mut |nexus| {
        if who(nexus) {
            nexus.unit_attentions().raise(sense, Precedence::Last);
        }
    });
}
