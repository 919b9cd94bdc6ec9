// SPDX-License-Identifier: GPL-2.0-only

//! The tree below `/sys/kernel/scst_tgt`: which files there are, and what reading and writing them does.
//!
//! What stands behind a file of the tree names its object and finds it anew each time, or holds it where the directory goes
//! with it. What it keeps besides is the module that the object belongs to ([`crate::alive`]), as a command that was written to
//! the file may run longer than the file exists ([`crate::works`]).

use kernel::prelude::*;

use crate::core::sections;
use crate::kapi::sysfs::{Dir, Page, Parent};
use crate::proto::mgmt;

mod device_groups;
mod devices;
mod drivers;
mod groups;
mod handlers;
mod luns;
mod root;
mod sessions;
mod settings;
mod statistics;
mod targets;
mod trace;

pub(crate) use device_groups::{device_group_dirs, remote_target_dir, target_group_dir};
pub(crate) use devices::device_dirs;
pub(crate) use drivers::driver_dir;
pub(crate) use groups::group_dirs;
pub(crate) use handlers::handler_dir;
pub(crate) use luns::{publish_lun, unpublish_lun};
pub(crate) use sessions::{nexus_dir, session_dir};
pub(crate) use targets::target_dirs;
pub use targets::SAS;

/// The version of the interface that the tree follows.
pub const VERSION: &str = "3.11.0-pre";

/// The fixed directories, children first.
pub(crate) struct Tree {
    pub(crate) handlers: Dir,
    pub(crate) devices: Dir,
    pub(crate) targets: Dir,
    pub(crate) device_groups: Dir,
    /// Empty: nothing here keeps memory for data.
    _sgv: Dir,
    _root: Dir,
}

impl Tree {
    pub(crate) fn new() -> Result<Self> {
        let root = Dir::with(Parent::Kernel, c"scst_tgt", root::ROOT, root::Root::new()?)?;
        Ok(Self {
            handlers: Dir::empty(Parent::Dir(&root), c"handlers")?,
            devices: Dir::empty(Parent::Dir(&root), c"devices")?,
            targets: Dir::empty(Parent::Dir(&root), c"targets")?,
            device_groups: device_groups::root_dir(&root)?,
            _sgv: Dir::empty(Parent::Dir(&root), c"sgv")?,
            _root: root,
        })
    }
}

/// What was written, as text without the newline that `echo` adds.
pub fn text(data: &[u8]) -> Result<&str> {
    let text = core::str::from_utf8(data).map_err(|_| EINVAL)?;
    Ok(text.strip_suffix('\n').unwrap_or(text))
}

/// An errno for a management word that is refused.
pub fn refused(error: mgmt::Error) -> Error {
    match error {
        mgmt::Error::Inval => EINVAL,
        mgmt::Error::Range => ERANGE,
    }
}

/// The words of a management command, without what follows its first separator.
fn first_words(text: &str) -> Result<mgmt::Words<'_>> {
    Ok(mgmt::words(mgmt::segments(text).next().ok_or(EINVAL)?))
}

/// The parameters of a management command whose leading words were taken from `words`: the first one may follow them
/// without a separator.
fn params_of<'a>(text: &'a str, words: &mgmt::Words<'a>) -> mgmt::Segments<'a> {
    let rest = words.rest();
    let after = match (rest.as_ptr() as usize).checked_sub(text.as_ptr() as usize) {
        Some(at) if !rest.is_empty() => text.get(at..),
        _ => text.split_once([';', '\n']).map(|(_, after)| after),
    };
    mgmt::segments(after.unwrap_or(""))
}

/// Prints a value, and below it the mark that makes configuration tools save it.
pub fn show_key(page: &mut Page<'_>, value: core::fmt::Arguments<'_>, key: bool) -> Result {
    page.print(value);
    page.push(b"\n");
    if key {
        page.push(b"[key]\n");
    }
    Ok(())
}
