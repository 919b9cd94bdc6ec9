// SPDX-License-Identifier: GPL-2.0-only
//! Asymmetric access: the states of target port groups, and what a logical unit does for a port in each (SPC-4 5.15.2).

use super::opcode::Op;
use super::sense::Sense;

/// How well a logical unit can be reached by the ports of a group; the number is the code of REPORT TARGET PORT GROUPS.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessState {
    /// Every command, at its best.
    #[default]
    Active = 0x0,
    /// Every command, by a longer way.
    NonOptimized = 0x1,
    /// Few commands; can become active.
    Standby = 0x2,
    /// Fewer still.
    Unavailable = 0x3,
    /// Not reachable here.
    Offline = 0xE,
    /// On its way from one of these to another.
    Transitioning = 0xF,
}

impl AccessState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::NonOptimized,
        Self::Standby,
        Self::Unavailable,
        Self::Offline,
        Self::Transitioning,
    ];

    /// The word that management files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::NonOptimized => "nonoptimized",
            Self::Standby => "standby",
            Self::Unavailable => "unavailable",
            Self::Offline => "offline",
            Self::Transitioning => "transitioning",
        }
    }

    /// The state that a word of [`Self::name`] stands for.
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == word)
    }

    /// The state of a code; `None` for one that has none.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == code)
    }

    /// Whether the medium can be reached: every command is carried out.
    pub const fn is_accessible(self) -> bool {
        matches!(self, Self::Active | Self::NonOptimized)
    }

    /// Whether INQUIRY says that no device is connected here (peripheral qualifier 001b).
    pub const fn is_disconnected(self) -> bool {
        matches!(self, Self::Unavailable | Self::Offline)
    }

    /// The sense of a command that is refused in this state; `None` where none is.
    pub const fn refusal(self) -> Option<Sense> {
        match self {
            Self::Active | Self::NonOptimized => None,
            Self::Standby => Some(Sense::ALUA_STANDBY),
            Self::Unavailable | Self::Offline => Some(Sense::ALUA_UNAVAILABLE),
            Self::Transitioning => Some(Sense::ALUA_TRANSITION),
        }
    }
}

/// In which states a command is carried out. A column of the command table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In every state.
    Always,
    /// In every state that lasts.
    Lasting,
    /// In those in which the unit can be managed: down to standby.
    Managed,
    /// In those in which the medium can be reached.
    Accessible,
}

impl Reach {
    /// The class of a command. Those that are not named need the medium, or a port that leads to it.
    pub const fn of(op: Op) -> Self {
        match op {
            Op::Inquiry
            | Op::ReportLuns
            | Op::RequestSense
            | Op::ReadCapacity10
            | Op::ReadCapacity16
            | Op::ReportTargetPortGroups => Self::Always,
            Op::SetTargetPortGroups => Self::Lasting,
            Op::ModeSense6
            | Op::ModeSense10
            | Op::ModeSelect6
            | Op::ModeSelect10
            | Op::LogSense
            | Op::LogSelect
            | Op::SendDiagnostic
            | Op::Reserve6
            | Op::Reserve10
            | Op::Release6
            | Op::Release10
            | Op::PrReadKeys
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
            | Op::PrRegisterAndMove => Self::Managed,
            _ => Self::Accessible,
        }
    }

    /// Whether a command of this class is carried out for a port in `state`.
    pub const fn passes(self, state: AccessState) -> bool {
        match state {
            AccessState::Active | AccessState::NonOptimized => true,
            AccessState::Standby => !matches!(self, Self::Accessible),
            AccessState::Unavailable | AccessState::Offline => {
                matches!(self, Self::Always | Self::Lasting)
            }
            AccessState::Transitioning => matches!(self, Self::Always),
        }
    }
}

/// How one target port leads to a logical unit. Kept as one number, so that whoever reads it takes no lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortAccess {
    /// The state of the port's group; active for a port that is in none.
    pub state: AccessState,
    /// The logical unit has target port groups, whether or not this port is in one.
    pub grouped: bool,
    /// The identifier of the port's group, if it is in one that has one.
    pub group: Option<u16>,
}

impl PortAccess {
    const STATE: u32 = 0x0F;
    const GROUPED: u32 = 0x10;

    /// As a number: 0 for a port to a unit without groups.
    pub const fn bits(self) -> u32 {
        let group = match self.group {
            Some(id) => (id as u32) << 16,
            None => 0,
        };
        let grouped = if self.grouped { Self::GROUPED } else { 0 };
        group | grouped | self.state as u32
    }

    /// What [`Self::bits`] gave.
    pub fn from_bits(bits: u32) -> Self {
        let id = (bits >> 16) as u16;
        Self {
            state: AccessState::from_code((bits & Self::STATE) as u8).unwrap_or_default(),
            grouped: bits & Self::GROUPED != 0,
            group: (id != 0).then_some(id),
        }
    }

    /// Whether a port of these bits leads to the medium, without taking them apart.
    #[inline]
    pub const fn is_accessible(bits: u32) -> bool {
        bits & Self::STATE <= AccessState::NonOptimized as u32
    }
}
