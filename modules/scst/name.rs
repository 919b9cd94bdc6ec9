// SPDX-License-Identifier: GPL-2.0-only

//! Names of objects, which are names of directories too.

use kernel::prelude::*;
use kernel::str::{CStr, CString};

/// A name that was given from outside: fit for a directory.
pub struct Name(CString);

/// Bytes of a name: a directory with a longer one could not be opened, and no event of a device below it be sent.
const MAX: usize = 255;

impl Name {
    /// `EINVAL` for what cannot be the name of a directory, `ENAMETOOLONG` for one that nobody could open.
    pub fn new(text: &str) -> Result<Self> {
        if text.len() > MAX {
            return Err(ENAMETOOLONG);
        }
        if matches!(text, "" | "." | "..") || text.contains(['\0', '/']) {
            return Err(EINVAL);
        }
        Ok(Self(CString::try_from_fmt(fmt!("{text}"))?))
    }

    /// `base` with `_` and a number behind it.
    pub(crate) fn numbered(base: &Self, number: u32) -> Result<Self> {
        Ok(Self(CString::try_from_fmt(fmt!(
            "{}_{number}",
            base.as_str()
        ))?))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // Made from a `str`, so it is one.
        self.0.to_str().unwrap_or("")
    }

    /// The name as C wants it.
    pub fn as_cstr(&self) -> &CStr {
        &self.0
    }

    /// A copy.
    pub fn try_clone(&self) -> Result<Self> {
        Self::new(self.as_str())
    }
}
