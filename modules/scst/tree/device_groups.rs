// SPDX-License-Identifier: GPL-2.0-only

//! `device_groups/`, with its target groups and the targets of other machines.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

use super::{refused, show_key, text};
use crate::device_groups::DeviceGroupDirs;
use crate::kapi::global;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent};
use crate::name::Name;
use crate::port_groups::{Access, RemotePort};
use crate::proto::alua::AccessState;
use crate::proto::mgmt;

/// A management command of these files: a word, and a name to the end of the line.
fn command(data: &[u8]) -> Result<(&str, &str)> {
    let line = text(data)?.lines().next().unwrap_or("").trim();
    let (word, name) = line
        .split_once(|c: char| c.is_ascii_whitespace())
        .ok_or(EINVAL)?;
    Ok((word, name.trim_start()))
}

// --- device_groups/ --------------------------------------------------------------------------------------------------

struct Root;

static ROOT: [Attr; 1] = [Attr::new(c"mgmt", 0o644, 0)];

pub(super) fn root_dir(parent: &Dir) -> Result<Dir, Failed> {
    let files = Arc::new(Root, GFP_KERNEL).map_err(Error::from)?;
    Dir::with(Parent::Dir(parent), c"device_groups", &ROOT, files)
}

impl Attributes for Root {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        page.push(
            b"Usage: echo \"create GROUP\" >mgmt\n\
              \x20      echo \"del GROUP\" >mgmt\n",
        );
        Ok(())
    }

    fn store(&self, _id: u16, data: &[u8]) -> Result {
        let core = global::core()?;
        match command(data)? {
            (word, name) if mgmt::is(word, "create") || mgmt::is(word, "add") => {
                core.create_device_group(name)
            }
            (word, name) if mgmt::is(word, "del") => core.del_device_group(name),
            _ => Err(EINVAL),
        }
    }
}

// --- device_groups/<dg>/ ---------------------------------------------------------------------------------------------

/// `devices/` of a group.
struct Devices(Arc<Name>);

/// `target_groups/` of a group.
struct TargetGroups(Arc<Name>);

static MGMT: [Attr; 1] = [Attr::managed(c"mgmt", 0o644, 0)];

pub(crate) fn device_group_dirs(parent: &Dir, name: &Arc<Name>) -> Result<DeviceGroupDirs, Failed> {
    let devices = Arc::new(Devices(name.clone()), GFP_KERNEL).map_err(Error::from)?;
    let groups = Arc::new(TargetGroups(name.clone()), GFP_KERNEL).map_err(Error::from)?;
    let dir = Dir::empty(Parent::Dir(parent), name.as_cstr())?;
    let devices = match Dir::with(Parent::Dir(&dir), c"devices", &MGMT, devices) {
        Ok(devices) => devices,
        Err(failed) => return Err(failed.with(dir)),
    };
    match Dir::with(Parent::Dir(&dir), c"target_groups", &MGMT, groups) {
        Ok(target_groups) => Ok(DeviceGroupDirs {
            devices,
            target_groups,
            _dir: dir,
        }),
        Err(failed) => Err(failed.with(devices).with(dir)),
    }
}

impl Attributes for Devices {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        page.push(
            b"Usage: echo \"add DEVICE\" >mgmt\n\
              \x20      echo \"del DEVICE\" >mgmt\n",
        );
        Ok(())
    }

    fn store(&self, _id: u16, data: &[u8]) -> Result {
        let (core, group) = (global::core()?, self.0.as_str());
        match command(data)? {
            (word, name) if mgmt::is(word, "add") => core.group_device(group, name),
            (word, name) if mgmt::is(word, "del") => core.ungroup_device(group, name),
            _ => Err(EINVAL),
        }
    }
}

impl Attributes for TargetGroups {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        page.push(
            b"Usage: echo \"create GROUP\" >mgmt\n\
              \x20      echo \"del GROUP\" >mgmt\n",
        );
        Ok(())
    }

    fn store(&self, _id: u16, data: &[u8]) -> Result {
        let core = global::core()?;
        match command(data)? {
            (word, name) if mgmt::is(word, "create") || mgmt::is(word, "add") => {
                core.create_target_group(&self.0, name)
            }
            (word, name) if mgmt::is(word, "del") => core.del_target_group(self.0.as_str(), name),
            _ => Err(EINVAL),
        }
    }
}

// --- device_groups/<dg>/target_groups/<tg>/ --------------------------------------------------------------------------

struct TargetGroup {
    device_group: Arc<Name>,
    name: Arc<Name>,
    access: Arc<Access>,
}

const MANAGE: u16 = 0;
const GROUP_ID: u16 = 1;
const PREFERRED: u16 = 2;
const STATE: u16 = 3;

static TARGET_GROUP: [Attr; 4] = [
    Attr::managed(c"mgmt", 0o644, MANAGE),
    Attr::new(c"group_id", 0o644, GROUP_ID),
    Attr::managed(c"preferred", 0o644, PREFERRED),
    Attr::managed(c"state", 0o644, STATE),
];

pub(crate) fn target_group_dir(
    parent: &Dir,
    device_group: &Arc<Name>,
    name: &Arc<Name>,
    access: &Arc<Access>,
) -> Result<Dir, Failed> {
    let files = TargetGroup {
        device_group: device_group.clone(),
        name: name.clone(),
        access: access.clone(),
    };
    let files = Arc::new(files, GFP_KERNEL).map_err(Error::from)?;
    Dir::with(Parent::Dir(parent), name.as_cstr(), &TARGET_GROUP, files)
}

impl Attributes for TargetGroup {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        match id {
            MANAGE => {
                page.push(
                    b"Usage: echo \"add TARGET\" >mgmt\n\
                      \x20      echo \"del TARGET\" >mgmt\n",
                );
                Ok(())
            }
            GROUP_ID => show_key(page, fmt!("{}", self.access.group_id.load(Relaxed)), true),
            PREFERRED => {
                let preferred = self.access.preferred.load(Relaxed);
                show_key(page, fmt!("{preferred}"), preferred != 0)
            }
            STATE => show_key(page, fmt!("{}", self.access.state().name()), true),
            _ => Err(EIO),
        }
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        match id {
            MANAGE => self.manage(data),
            GROUP_ID => {
                let id = identifier(data)?;
                let change = || self.access.group_id.store(id, Relaxed);
                global::core()?.change_group(self.device_group.as_str(), change)
            }
            PREFERRED => {
                let preferred = i32::from(mgmt::flag(text(data)?).map_err(refused)?);
                if self.access.preferred.xchg(preferred, Relaxed) == preferred {
                    return Ok(());
                }
                global::core()?.report_changed(self.device_group.as_str())
            }
            STATE => {
                let state = AccessState::from_name(text(data)?.trim_end()).ok_or(EINVAL)?;
                let group = self.device_group.as_str();
                global::core()?.set_access_state(group, &self.access, state)
            }
            _ => Err(EIO),
        }
    }
}

impl TargetGroup {
    fn manage(&self, data: &[u8]) -> Result {
        let core = global::core()?;
        let (group, target_group) = (self.device_group.as_str(), self.name.as_str());
        match command(data)? {
            (word, name) if mgmt::is(word, "add") => core.group_target(group, target_group, name),
            (word, name) if mgmt::is(word, "del") => core.ungroup_target(group, target_group, name),
            _ => Err(EINVAL),
        }
    }
}

// --- device_groups/<dg>/target_groups/<tg>/<target>/ -----------------------------------------------------------------

/// A target of another machine.
struct Remote(Arc<RemotePort>);

static REMOTE: [Attr; 1] = [Attr::new(c"rel_tgt_id", 0o644, 0)];

pub(crate) fn remote_target_dir(
    parent: &Dir,
    name: &Name,
    port: &Arc<RemotePort>,
) -> Result<Dir, Failed> {
    let files = Arc::new(Remote(port.clone()), GFP_KERNEL).map_err(Error::from)?;
    Dir::with(Parent::Dir(parent), name.as_cstr(), &REMOTE, files)
}

impl Attributes for Remote {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        show_key(page, fmt!("{}", self.0.rel_tgt_id.load(Relaxed)), true)
    }

    fn store(&self, _id: u16, data: &[u8]) -> Result {
        self.0.rel_tgt_id.store(identifier(data)?, Relaxed);
        Ok(())
    }
}

/// An identifier that a report carries in two bytes, and that is not 0.
fn identifier(data: &[u8]) -> Result<i32> {
    match mgmt::number(text(data)?).map_err(refused)? {
        id @ 1..=0xFFFF => Ok(id as i32),
        _ => Err(EINVAL),
    }
}
