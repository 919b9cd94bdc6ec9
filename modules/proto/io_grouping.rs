// SPDX-License-Identifier: GPL-2.0-only
//! SCST's `io_grouping_type`.

use core::fmt;

use super::mgmt;

/// How commands of several initiators share the work, as SCST's `io_grouping_type` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoGrouping {
    /// Found out by how the initiators behave.
    Auto,
    /// All of one group together.
    ThisGroupOnly,
    /// Each initiator for itself.
    Never,
    /// Everything with the same number together; above 0.
    Explicit(u32),
}

impl IoGrouping {
    /// Reads one of the words, in any case, or a number above 0.
    pub fn parse(text: &str) -> Result<Self, mgmt::Error> {
        let text = text.trim();
        for (word, value) in [
            ("auto", Self::Auto),
            ("this_group_only", Self::ThisGroupOnly),
            ("never", Self::Never),
        ] {
            if mgmt::is(text, word) {
                return Ok(value);
            }
        }
        match mgmt::number_to(text, i32::MAX as u64)? {
            0 => Err(mgmt::Error::Inval),
            number => Ok(Self::Explicit(number as u32)),
        }
    }
}

impl fmt::Display for IoGrouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::ThisGroupOnly => f.write_str("this_group_only"),
            Self::Never => f.write_str("never"),
            Self::Explicit(number) => write!(f, "{number}"),
        }
    }
}
