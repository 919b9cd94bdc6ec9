// SPDX-License-Identifier: GPL-2.0-only

//! The file that keeps a device's registrations and reservation over a loss of power, and the one before it.
//!
//! The file before it stands beside it as `.1`, and counts where the file itself is not whole: it was being written when
//! the power went, so the command that changed it was never answered. Without registrations to keep there is neither; `.1`
//! goes first, so that it never stands alone.

use kernel::prelude::*;
use kernel::str::{CStr, CString};
use kernel::sync::Arc;

use crate::kapi::state_file;
use crate::name::Name;
use crate::proto::pr::{Registrant, View};
use crate::proto::pr_file::{self, SIGNATURE};
use crate::reservation::{Draft, Reservations, Turn};

/// Where files are unless somebody says otherwise.
const DIRECTORY: &str = "/var/lib/scst/pr";

/// Bytes of the longest file that is read: 15 MiB.
const MAX_BYTES: usize = 15 << 20;

/// A device's file.
pub(crate) struct StateFile {
    path: CString,
    /// Somebody said otherwise.
    pub(crate) is_set: bool,
}

impl StateFile {
    /// The file of device `name` unless somebody says otherwise.
    pub(crate) fn default_of(name: &Name) -> Result<Self> {
        Ok(Self {
            path: CString::try_from_fmt(fmt!("{DIRECTORY}/{}", name.as_str()))?,
            is_set: false,
        })
    }

    /// The file `path`.
    pub(crate) fn named(path: &str) -> Result<Self> {
        Ok(Self {
            path: CString::try_from_fmt(fmt!("{path}"))?,
            is_set: true,
        })
    }

    /// Its name.
    pub(crate) fn path(&self) -> &CStr {
        &self.path
    }

    fn previous(&self) -> Result<CString> {
        let path = self.path.to_str()?;
        CString::try_from_fmt(fmt!("{path}.1"))
    }

    /// What it keeps; `None` where there is no file. `EBADMSG` where neither it nor the one before it is whole. Sleeps.
    pub(crate) fn load(&self) -> Result<Option<Draft>> {
        match parse(&self.path) {
            Err(e) if e == ENOENT => Ok(None),
            Err(e) if e == EBADMSG => {
                pr_warn!(
                    "persistent reservations: {} is not whole, trying the one before it\n",
                    self.path.to_str()?
                );
                match parse(&self.previous()?) {
                    // The very first write was cut short.
                    Err(e) if e == ENOENT => Ok(None),
                    other => other.map(Some),
                }
            }
            other => other.map(Some),
        }
    }

    /// Keeps `state` from now on, or nothing if it is not to be kept. Sleeps.
    pub(crate) fn keep(&self, state: View<'_>) -> Result {
        if !state.head.aptpl {
            return self.forget();
        }
        let mut bytes = KVVec::from_elem(0_u8, pr_file::len(state), GFP_KERNEL)?;
        pr_file::write(state, &mut bytes);
        state_file::write_keeping(
            &self.path,
            &self.previous()?,
            (&bytes, &SIGNATURE),
            MAX_BYTES,
            |before| match parse_bytes(before) {
                Err(e) if e == ENOMEM => Err(e),
                parsed => Ok(parsed.is_ok()),
            },
        )
    }

    /// Removes it, and the one before it. Sleeps.
    pub(crate) fn forget(&self) -> Result {
        state_file::remove(&self.previous()?)?;
        state_file::remove(&self.path)
    }

    /// Whether anything can be kept in it. Sleeps.
    pub(crate) fn is_possible(&self) -> Result<bool> {
        state_file::has_parent(&self.path)
    }
}

fn parse(path: &CStr) -> Result<Draft> {
    parse_bytes(&state_file::read(path, MAX_BYTES)?)
}

fn parse_bytes(bytes: &[u8]) -> Result<Draft> {
    let count = pr_file::registrants(bytes).map_err(|_| EBADMSG)?;
    let mut slots = KVVec::from_elem(Registrant::NONE, count, GFP_KERNEL)?;
    let head = pr_file::read(bytes, &mut slots).map_err(|_| EBADMSG)?;
    Ok(Draft { head, slots })
}

impl Reservations {
    /// Reads what was kept of device `name`. A file that cannot be read is reported and left alone: the device is made
    /// all the same, without reservations, unless it was for want of memory. Sleeps; called before the device can be reached.
    pub(crate) fn load(&self, name: &Name) -> Result {
        self.use_file(StateFile::default_of(name)?, false)
            .or_else(|e| {
                if e == ENOMEM {
                    return Err(e);
                }
                pr_err!(
                    "{}: persistent reservations are lost, the file that keeps them cannot be read: error {}\n",
                    name.as_str(),
                    -e.to_errno()
                );
                Ok(())
            })
    }

    /// Keeps the state in `file` from now on. What is in that file already counts; else, if `moves`, what the device has
    /// moves there. Sleeps.
    pub(crate) fn use_file(&self, file: StateFile, moves: bool) -> Result {
        let file = Arc::new(file, GFP_KERNEL)?;
        let is_possible = file.is_possible()?;
        let turn = self.turn();
        let result = turn.load_or_move(self.file().ok().as_deref(), &file, moves);
        if result.is_ok() || !moves {
            self.set_keeps(is_possible);
            self.set_file(file);
        }
        result
    }
}

impl Turn<'_> {
    fn load_or_move(&self, from: Option<&StateFile>, to: &StateFile, moves: bool) -> Result {
        if let Some(mut kept) = to.load()? {
            self.publish(&mut kept);
        } else if moves {
            if let Some(state) = self.draft(0)?.filter(|state| state.head.aptpl) {
                to.keep(state.view())?;
                let old = from.filter(|from| from.path() != to.path());
                old.map_or(Ok(()), StateFile::forget)?;
            }
        }
        Ok(())
    }
}
