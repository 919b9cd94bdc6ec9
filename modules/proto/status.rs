// SPDX-License-Identifier: GPL-2.0-only
//! SCSI status codes (SAM-5 5.3.1).

/// How a command ended, as the byte the initiator sees.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The command did what it was asked.
    Good = 0x00,
    /// Sense data says what happened.
    CheckCondition = 0x02,
    /// PRE-FETCH found room; no error.
    ConditionMet = 0x04,
    /// Try again; nothing was done.
    Busy = 0x08,
    /// Another initiator holds the logical unit.
    ReservationConflict = 0x18,
    /// The task set has no room; try again when a command of yours has ended.
    TaskSetFull = 0x28,
    /// An auto contingent allegiance is in effect.
    AcaActive = 0x30,
    /// Aborted by another initiator, with TAS set.
    TaskAborted = 0x40,
}

impl From<Status> for u8 {
    fn from(status: Status) -> u8 {
        status as u8
    }
}
