// SPDX-License-Identifier: GPL-2.0-only
//! Asymmetric access states of target port groups (SPC-4 5.15.2.4).

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
}
