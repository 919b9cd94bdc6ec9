// SPDX-License-Identifier: GPL-2.0-only

//! `ini_groups/` with its `mgmt`, and `ini_groups/<group>/`.

use kernel::prelude::*;
use kernel::sync::Arc;

use super::luns::luns_dir;
use super::settings::{SettingsFiles, SETTINGS};
use super::{first_words, refused, text};
use crate::core::Core;
use crate::group::{GroupDirs, Place};
use crate::kapi::global;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent};
use crate::proto::mgmt;

/// `ini_groups/mgmt`; the place is the target's.
pub(super) struct GroupsMgmt(pub(super) Place);

pub(super) static GROUPS: [Attr; 1] = [Attr::managed(c"mgmt", 0o644, 0)];

impl Attributes for GroupsMgmt {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        page.push(
            b"Usage: echo \"create GROUP\" >mgmt\n\
              \x20      echo \"del GROUP\" >mgmt\n",
        );
        Ok(())
    }

    fn store(&self, _id: u16, data: &[u8]) -> Result {
        let text = text(data)?;
        self.command(&*global::core()?, text)
    }
}

impl GroupsMgmt {
    fn command(&self, core: &Core, text: &str) -> Result {
        let (driver, target) = (self.0.driver.name(), self.0.target.as_str());
        let mut words = first_words(text)?;
        let command = words.required().map_err(refused)?;
        let group = words.required().map_err(refused)?;
        words.end().map_err(refused)?;
        if mgmt::is(command, "create") {
            core.add_group(driver, target, group)
        } else if mgmt::is(command, "del") {
            core.del_group(driver, target, group)
        } else {
            Err(EINVAL)
        }
    }
}

/// `initiators/mgmt`
struct InitiatorsMgmt(Place);

static INITIATORS: [Attr; 1] = [Attr::managed(c"mgmt", 0o644, 0)];

impl Attributes for InitiatorsMgmt {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        page.push(
            b"Usage: echo \"add PATTERN\" >mgmt\n\
              \x20      echo \"del PATTERN\" >mgmt\n\
              \x20      echo \"move PATTERN GROUP\" >mgmt\n\
              \x20      echo \"clear\" >mgmt\n\n\
              In a pattern, * stands for any characters, ? for one, and ! for the contrary of what follows.\n",
        );
        Ok(())
    }

    fn store(&self, _id: u16, data: &[u8]) -> Result {
        let text = text(data)?;
        self.command(&*global::core()?, text)
    }
}

impl InitiatorsMgmt {
    fn command(&self, core: &Core, text: &str) -> Result {
        let mut words = first_words(text)?;
        let command = words.required().map_err(refused)?;
        if mgmt::is(command, "clear") {
            words.end().map_err(refused)?;
            return core.clear_initiators(&self.0);
        }
        let pattern = words.required().map_err(refused)?;
        if mgmt::is(command, "move") {
            let to = words.required().map_err(refused)?;
            words.end().map_err(refused)?;
            return core.move_initiator(&self.0, pattern, to);
        }
        words.end().map_err(refused)?;
        if mgmt::is(command, "add") {
            core.add_initiator(&self.0, pattern)
        } else if mgmt::is(command, "del") {
            core.del_initiator(&self.0, pattern)
        } else {
            Err(EINVAL)
        }
    }
}

/// `ini_groups/<group>/` with its LUNs and initiators.
pub(crate) fn group_dirs(parent: &Dir, place: &Place) -> Result<GroupDirs, Failed> {
    let name = place.group.as_ref().ok_or(EINVAL)?;
    let settings = Arc::new(SettingsFiles(place.clone()), GFP_KERNEL).map_err(Error::from)?;
    let initiators = Arc::new(InitiatorsMgmt(place.clone()), GFP_KERNEL).map_err(Error::from)?;
    let dir = Dir::with(Parent::Dir(parent), name.as_cstr(), &SETTINGS, settings)?;
    let luns = match luns_dir(&dir, place) {
        Ok(luns) => luns,
        Err(failed) => return Err(failed.with(dir)),
    };
    match Dir::with(Parent::Dir(&dir), c"initiators", &INITIATORS, initiators) {
        Ok(initiators) => Ok(GroupDirs {
            luns,
            initiators: Some(initiators),
            _dir: Some(dir),
        }),
        Err(failed) => Err(failed.with(luns).with(dir)),
    }
}
