// SPDX-License-Identifier: GPL-2.0-only

//! Media that initiators take out and put back: PREVENT ALLOW MEDIUM REMOVAL for every unit, and START STOP
//! UNIT for disks that are removable (SBC-3 has both).

use kernel::sync::atomic::Relaxed;

use scst::attention::Precedence;
use scst::command::{Admitted, Command, Outcome};
use scst::core::Core;
use scst::kapi::global;
use scst::nexus::Nexus;
use scst::proto::mmc::MediaEvent;
use scst::proto::opcode::Flags;
use scst::proto::range::ByteRange;
use scst::proto::sense::Sense;

use crate::disk::Disk;
use crate::store::{Answer, Store};
use crate::unit::Unit;

impl Unit {
    /// Whether some initiator keeps the medium from being removed.
    pub(crate) fn is_locked(&self, core: &Core) -> bool {
        let mut locked = false;
        core.for_each_nexus(self.name(), &mut |nexus| {
            locked |= nexus.drive().prevents_removal();
        });
        locked
    }

    /// Tells every initiator, but not the one that did it, that there is another medium, or the same one again.
    pub(crate) fn announce_medium(&self, core: &Core, by: Option<&Nexus>) {
        core.for_each_nexus(self.name(), &mut |nexus| {
            if by.is_some_and(|by| core::ptr::eq(by, nexus)) {
                return;
            }
            nexus.drive().raise(MediaEvent::NewMedia);
            nexus
                .unit_attentions()
                .raise(Sense::MEDIUM_CHANGED, Precedence::Last);
        });
    }
}

/// PREVENT ALLOW MEDIUM REMOVAL. The second bit of PREVENT is of media changers.
pub(crate) fn prevent_allow(cmd: &Command<Admitted>, prevent: u8) -> Outcome {
    let drive = cmd.nexus().drive();
    match prevent & 1 {
        0 => drive.allow_removal(),
        _ => drive.prevent_removal(),
    }
    Outcome::Good(0)
}

impl<S: Store> Disk<S> {
    /// What keeps every command from its work that needs the medium.
    #[inline]
    pub(crate) fn medium_sense(&self) -> Option<Sense> {
        self.ejected.load(Relaxed).then_some(Sense::TRAY_OPEN)
    }

    /// Whether the medium is out and the command needs it.
    #[inline]
    pub(crate) fn lacks_medium(&self, cmd: &Command<Admitted>) -> Option<Sense> {
        self.medium_sense()
            .filter(|_| cmd.decoded().op.flags.has(Flags::MEDIUM))
    }

    /// START STOP UNIT. There is nothing to spin up or down, and no power condition to be in: what was acknowledged goes to
    /// stable storage, and the medium of a removable disk goes out or in.
    pub(crate) fn start_stop(
        &self,
        cmd: Command<Admitted>,
        power: u8,
        (loej, start): (bool, bool),
        (no_flush, answer): (bool, Answer),
    ) {
        let result = match (power, loej && self.removable, start) {
            (0, true, false) => self.eject(),
            (0, true, true) => self.load(cmd.nexus()),
            (0, false, true) => self.medium_sense().map_or(Ok(()), Err),
            _ => Ok(()),
        };
        let range = if no_flush {
            ByteRange { offset: 0, len: 0 }
        } else {
            self.whole()
        };
        match result {
            Ok(()) => self.flush(cmd, range, answer),
            Err(sense) => cmd.finish(sense.into()),
        }
    }

    /// Takes the medium out: commands that have begun end as they would have. 53/02 while somebody prevents that.
    fn eject(&self) -> Result<(), Sense> {
        let core = global::core().map_err(|_| Sense::NOT_READY)?;
        if self.unit.is_locked(&core) {
            return Err(Sense::MEDIUM_REMOVAL_PREVENTED);
        }
        self.ejected.store(true, Relaxed);
        Ok(())
    }

    /// Puts the medium back, for the initiator behind `by`, which knows and so is not told.
    fn load(&self, by: &Nexus) -> Result<(), Sense> {
        let core = global::core().map_err(|_| Sense::NOT_READY)?;
        if self.ejected.xchg(false, Relaxed) {
            self.unit.announce_medium(&core, Some(by));
        }
        Ok(())
    }
}
