// SPDX-License-Identifier: GPL-2.0-only

//! `targets/<driver>/`, and the words of its `mgmt`.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::Arc;

use super::{first_words, params_of, refused, text};
use crate::alive::Kept;
use crate::core::{sections, Core};
use crate::kapi::global;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent, Section};
use crate::proto::mgmt;
use crate::target::TargetDriver;

struct DriverFiles {
    driver: Kept<dyn TargetDriver>,
}

static DRIVER: [Attr; 1] = [Attr::managed(c"mgmt", 0o644, 0)];

pub(crate) fn driver_dir(parent: &Dir, driver: Kept<dyn TargetDriver>) -> Result<Dir, Failed> {
    let files = Arc::new(
        DriverFiles {
            driver: driver.clone(),
        },
        GFP_KERNEL,
    )
    .map_err(Error::from)?;
    let own = Arc::new(DriverSide(driver), GFP_KERNEL).map_err(Error::from)?;
    let (name, attrs) = (own.0.name(), own.0.attrs());
    let mgmt: &[Attr] = if own.0.is_managed() { &DRIVER } else { &[] };
    let list = sections([
        Section {
            attrs: mgmt,
            data: files,
        },
        Section { attrs, data: own },
    ])?;
    Dir::new(Parent::Dir(parent), name, list)
}

struct DriverSide(Kept<dyn TargetDriver>);

impl Attributes for DriverSide {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        self.0.show(id, page)
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        self.0.store(id, data)
    }
}

impl Attributes for DriverFiles {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        page.push(
            b"Usage: echo \"add_target NAME [session_name=S; [session_name=S2; ...]]\" >mgmt\n\
              \x20      echo \"del_target NAME\" >mgmt\n\
              \x20      echo \"add_session TARGET SESSION\" >mgmt\n\
              \x20      echo \"del_session TARGET SESSION\" >mgmt\n\n\
              The following parameters available: session_name\n",
        );
        Ok(())
    }

    fn store(&self, _id: u16, data: &[u8]) -> Result {
        self.command(&*global::core()?, text(data)?)
    }
}

impl DriverFiles {
    fn name(&self) -> &'static CStr {
        self.driver.name()
    }

    fn command(&self, core: &Core, text: &str) -> Result {
        let mut words = first_words(text)?;
        let command = words.required().map_err(refused)?;
        let target = words.required().map_err(refused)?;
        if mgmt::is(command, "add_target") {
            return self.add_target(core, target, params_of(text, &words));
        }
        if mgmt::is(command, "del_target") {
            words.end().map_err(refused)?;
            return core.del_target(self.name(), target);
        }
        if mgmt::is(command, "add_session") {
            let session = words.required().map_err(refused)?;
            words.end().map_err(refused)?;
            return core.add_session(self.name(), target, session);
        }
        if mgmt::is(command, "del_session") {
            let session = words.required().map_err(refused)?;
            words.end().map_err(refused)?;
            return core.del_session(self.name(), target, session);
        }
        Err(EINVAL)
    }

    /// The target with all its sessions, or nothing of it.
    fn add_target(&self, core: &Core, target: &str, params: mgmt::Segments<'_>) -> Result {
        for segment in params.clone() {
            let mut words = mgmt::words(segment);
            let key = words.required().map_err(refused)?;
            words.required().map_err(refused)?;
            words.end().map_err(refused)?;
            if !mgmt::is(key, "session_name") {
                return Err(EINVAL);
            }
        }
        core.add_target(self.name(), target)?;
        for segment in params {
            let session = mgmt::words(segment).nth(1).ok_or(EINVAL)?;
            if let Err(e) = core.add_session(self.name(), target, session) {
                let _ = core.del_target(self.name(), target);
                return Err(e);
            }
        }
        Ok(())
    }
}
