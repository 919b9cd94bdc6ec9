// SPDX-License-Identifier: GPL-2.0-only
//! Which commands a reservation stops (SPC-4 5.13.1, SBC-3 4.17, and SPC-2 5.5 for RESERVE).

use super::command::Command;
use super::opcode::Op;
use super::pr::Kind;

/// What a command is to reservations. A column of the command table: every command has its class there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Passes every reservation.
    Always,
    /// Tells of the unit, not of its data: passes persistent reservations (REPORT CAPABILITIES says so under ALLOW
    /// COMMANDS), but not RESERVE.
    Status,
    /// Reads data: passes reservations that exclude writers only.
    Read,
    /// Changes data, or what others see: stopped by all reservations.
    Change,
    /// START STOP UNIT: passes where it only starts the unit.
    StartStop,
    /// PREVENT ALLOW MEDIUM REMOVAL: passes where it allows.
    Prevent,
    /// RESERVE and RELEASE of SPC-2: persistent reservations answer them by rules of their own.
    Reserve,
    /// PERSISTENT RESERVE IN and OUT: stopped by RESERVE, whoever holds it.
    Persistent,
}

/// How a nexus stands to a persistent reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Holds it.
    Holder,
    /// Registered.
    Registrant,
    /// Neither.
    Stranger,
}

/// What becomes of RESERVE or RELEASE where there are registrants (SPC-3 5.6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compatible {
    /// It is carried out: nobody is registered.
    Proceed,
    /// It is GOOD and does nothing: the nexus may use the unit anyway.
    Nothing,
    /// RESERVATION CONFLICT.
    Conflict,
}

impl Access {
    /// The class of a command.
    pub const fn of(op: Op) -> Self {
        match op {
            Op::RequestSense
            | Op::Inquiry
            | Op::ReadCapacity10
            | Op::ReadCapacity16
            | Op::ReportLuns
            | Op::LogSense
            | Op::GetConfiguration
            | Op::GetEventStatus
            | Op::ReportTargetPortGroups => Self::Always,
            Op::TestUnitReady
            | Op::ModeSense6
            | Op::ModeSense10
            | Op::ReportSupportedOpcodes
            | Op::ReportSupportedTmFunctions => Self::Status,
            Op::Read6
            | Op::Read10
            | Op::Read12
            | Op::Read16
            | Op::Verify10
            | Op::Verify12
            | Op::Verify16
            | Op::GetLbaStatus
            | Op::ReadToc
            | Op::ReadDiscInformation
            | Op::ReadTrackInformation => Self::Read,
            Op::FormatUnit
            | Op::Write6
            | Op::Write10
            | Op::Write12
            | Op::Write16
            | Op::WriteAndVerify10
            | Op::WriteAndVerify12
            | Op::WriteAndVerify16
            | Op::WriteSame10
            | Op::WriteSame16
            | Op::Unmap
            | Op::CompareAndWrite
            | Op::SynchronizeCache10
            | Op::SynchronizeCache16
            | Op::ModeSelect6
            | Op::ModeSelect10
            | Op::LogSelect
            | Op::SendDiagnostic
            | Op::SetTargetPortGroups => Self::Change,
            Op::StartStopUnit => Self::StartStop,
            Op::PreventAllow => Self::Prevent,
            Op::Reserve6 | Op::Reserve10 | Op::Release6 | Op::Release10 => Self::Reserve,
            Op::PrReadKeys
            | Op::PrReadReservation
            | Op::PrReportCapabilities
            | Op::PrReadFullStatus
            | Op::PrRegister
            | Op::PrReserve
            | Op::PrRelease
            | Op::PrClear
            | Op::PrPreempt
            | Op::PrPreemptAndAbort
            | Op::PrRegisterAndIgnore
            | Op::PrRegisterAndMove => Self::Persistent,
        }
    }

    /// Whether a command of this class passes a persistent reservation of `kind`, for a nexus of that standing. RESERVE
    /// and RELEASE do; [`compatible`] says what becomes of them.
    #[inline]
    pub fn passes_persistent(self, command: &Command, kind: Kind, standing: Standing) -> bool {
        if kind.grants_all(standing) {
            return true;
        }
        match self {
            Self::Read => !kind.excludes_readers(),
            Self::Change | Self::StartStop | Self::Prevent => self.is_harmless(command),
            Self::Always | Self::Status | Self::Reserve | Self::Persistent => true,
        }
    }

    /// Whether a command of this class passes RESERVE; `own` says that its nexus holds it.
    #[inline]
    pub fn passes_reserve(self, command: &Command, own: bool) -> bool {
        match self {
            Self::Persistent => false,
            _ if own => true,
            Self::Always => true,
            Self::Status | Self::Read => false,
            Self::Change | Self::StartStop | Self::Prevent => self.is_harmless(command),
            // Releasing what another nexus holds is GOOD and does nothing.
            Self::Reserve => matches!(command, Command::Release),
        }
    }

    /// START without a load or another power condition; ALLOW.
    fn is_harmless(self, command: &Command) -> bool {
        match *command {
            Command::StartStopUnit {
                power, loej, start, ..
            } => power == 0 && !loej && start,
            Command::PreventAllow { prevent } => prevent == 0,
            _ => false,
        }
    }
}

/// What becomes of RESERVE or RELEASE from a nexus of that standing; `registered` says that anybody is.
pub fn compatible(reservation: Option<Kind>, registered: bool, standing: Standing) -> Compatible {
    match reservation {
        _ if !registered => Compatible::Proceed,
        Some(kind) if kind.grants_all(standing) => Compatible::Nothing,
        _ => Compatible::Conflict,
    }
}
