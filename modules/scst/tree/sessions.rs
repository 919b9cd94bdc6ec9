// SPDX-License-Identifier: GPL-2.0-only

//! `sessions/<name>/`.

use kernel::prelude::*;
use kernel::sync::Arc;

use super::show_key;
use crate::alive::Kept;
use crate::core::sections;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent, Section};
use crate::name::Name;
use crate::target::{Session, SessionOps, TargetDirs};

struct SessionFiles(Name);

static SESSION: [Attr; 1] = [Attr::new(c"initiator_name", 0o444, 0)];

impl Attributes for SessionFiles {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        show_key(page, fmt!("{}", self.0.as_str()), false)
    }
}

struct SessionSide(Kept<dyn SessionOps>);

impl Attributes for SessionSide {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        self.0.show(id, page)
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        self.0.store(id, data)
    }
}

/// `sessions/<name>` with the core's and the driver's files.
pub(crate) fn session_dir(
    target: &TargetDirs,
    session: &Session,
    ops: &Kept<dyn SessionOps>,
) -> Result<Dir, Failed> {
    let own =
        Arc::new(SessionFiles(session.name().try_clone()?), GFP_KERNEL).map_err(Error::from)?;
    let driver = Arc::new(SessionSide(ops.clone()), GFP_KERNEL).map_err(Error::from)?;
    let list = sections([
        Section {
            attrs: &SESSION,
            data: own,
        },
        Section {
            attrs: ops.attrs(),
            data: driver,
        },
    ])?;
    let dir = Dir::new(
        Parent::Dir(&target.sessions),
        session.name().as_cstr(),
        list,
    )?;
    match dir.link(c"luns", &target.luns) {
        Ok(()) => Ok(dir),
        Err(e) => Err(Failed::from(e).with(dir)),
    }
}
