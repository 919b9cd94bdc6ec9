// SPDX-License-Identifier: GPL-2.0-only

//! Device groups: devices whose target ports are grouped alike, for asymmetric access (SPC-4 5.15).
//!
//! What they say is kept and shown. They name devices and targets of this machine, which leave their groups when they go,
//! and targets of other machines, which are only a number.
//!
//! The groups go in the three steps of [`crate::core`].

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::Arc;

use crate::core::{Admin, Core};
use crate::device::Device;
use crate::kapi::sysfs::Dir;
use crate::name::Name;
use crate::proto::alua::AccessState;
use crate::tree;

/// Devices and the groups of target ports that lead to them. Dropped in this order: the directories of target groups are
/// inside the group's.
pub(crate) struct DeviceGroup {
    name: Arc<Name>,
    devices: KVec<Arc<Device>>,
    target_groups: KVec<TargetGroup>,
    /// Taken out when the group goes.
    dirs: Option<DeviceGroupDirs>,
}

/// The directories of a device group, children first.
pub(crate) struct DeviceGroupDirs {
    pub(crate) devices: Dir,
    pub(crate) target_groups: Dir,
    /// Held for its contents' sake.
    pub(crate) _dir: Dir,
}

/// Target ports that lead to the devices in the same way. Dropped in this order, too.
struct TargetGroup {
    name: Arc<Name>,
    access: Arc<Access>,
    members: KVec<Member>,
    /// Taken out when the group goes.
    dir: Option<Dir>,
}

/// What a target port group says; shared with its files, and to be shared with the nexuses that it concerns.
pub(crate) struct Access {
    /// Target port group identifier, 0 while none is set.
    pub(crate) group_id: Atomic<i32>,
    /// The PREF bit.
    pub(crate) preferred: Atomic<i32>,
    /// The code of an [`AccessState`].
    state: Atomic<i32>,
}

impl Access {
    fn new() -> Self {
        Self {
            group_id: Atomic::new(0),
            preferred: Atomic::new(0),
            state: Atomic::new(AccessState::Active as i32),
        }
    }

    /// How well the devices are reached.
    pub(crate) fn state(&self) -> AccessState {
        AccessState::from_code(self.state.load(Relaxed) as u8).unwrap_or_default()
    }

    /// Sets it.
    pub(crate) fn set_state(&self, state: AccessState) {
        self.state.store(state as i32, Relaxed);
    }
}

/// A target of a group.
enum Member {
    /// Of this machine, by the very name that it has: a link to its directory.
    Here(Arc<Name>),
    /// Of another: a directory of its own, with its relative target port identifier. Taken out when it goes.
    Elsewhere(Arc<Name>, Option<Dir>),
}

impl Member {
    fn name(&self) -> &Name {
        match self {
            Self::Here(name) | Self::Elsewhere(name, _) => name,
        }
    }
}

impl Core {
    /// `create G`. `EEXIST` for a name that is taken.
    pub(crate) fn create_device_group(&self, name: &str) -> Result {
        let name = Arc::new(Name::new(name)?, GFP_KERNEL)?;
        Ok(self.locked(|admin| {
            let groups = &mut admin.device_groups;
            groups.reserve(1, GFP_KERNEL).map_err(Error::from)?;
            let tree = admin.tree.as_ref().ok_or(ENODEV)?;
            let dirs = tree::device_group_dirs(&tree.device_groups, &name)?;
            let group = DeviceGroup {
                name,
                devices: KVec::new(),
                target_groups: KVec::new(),
                dirs: Some(dirs),
            };
            groups.push_within_capacity(group).map_err(|_| ENOMEM)?;
            Ok(())
        })?)
    }

    /// `del G`, with all that is in it. `EINVAL` where there is none.
    pub(crate) fn del_device_group(&self, name: &str) -> Result {
        let content = {
            let mut admin = self.admin();
            let group = admin.device_group(name)?;
            let empty = DeviceGroup {
                name: group.name.clone(),
                devices: KVec::new(),
                target_groups: KVec::new(),
                dirs: None,
            };
            core::mem::replace(group, empty)
        };
        drop(content);
        self.admin()
            .device_groups
            .retain(|g| g.dirs.is_some() || g.name.as_str() != name);
        Ok(())
    }

    /// `add D` in a device group. `EINVAL` for an unknown device, `EEXIST` for one that any group has.
    pub(crate) fn group_device(&self, group: &str, device: &str) -> Result {
        let mut admin = self.admin();
        let device = admin.device(device)?;
        if admin.device_groups.iter().any(|g| g.has(&device)) {
            return Err(EEXIST);
        }
        let group = admin.device_group(group)?;
        group.devices.reserve(1, GFP_KERNEL)?;
        let dirs = device.dirs().lock();
        let target = &dirs.as_ref().ok_or(EINVAL)?.dir;
        let here = &group.dirs.as_ref().ok_or(EINVAL)?.devices;
        here.link(device.name().as_cstr(), target)?;
        drop(dirs);
        group
            .devices
            .push_within_capacity(device)
            .map_err(|_| ENOMEM)?;
        Ok(())
    }

    /// `del D` in a device group. `EINVAL` where it is not in there.
    pub(crate) fn ungroup_device(&self, group: &str, device: &str) -> Result {
        let gone = {
            let mut admin = self.admin();
            let group = admin.device_group(group)?;
            group.take_device(|d| d.name().as_str() == device)
        };
        gone.map(drop).ok_or(EINVAL)
    }

    /// `create T` in a device group. `EEXIST` for a name that is taken.
    pub(crate) fn create_target_group(&self, group: &Arc<Name>, name: &str) -> Result {
        let name = Arc::new(Name::new(name)?, GFP_KERNEL)?;
        let access = Arc::new(Access::new(), GFP_KERNEL)?;
        Ok(self.locked(|admin| {
            let entry = admin.device_group(group.as_str())?;
            let groups = &mut entry.target_groups;
            groups.reserve(1, GFP_KERNEL).map_err(Error::from)?;
            let parent = &entry.dirs.as_ref().ok_or(EINVAL)?.target_groups;
            let dir = tree::target_group_dir(parent, group, &name, &access)?;
            let new = TargetGroup {
                name,
                access,
                members: KVec::new(),
                dir: Some(dir),
            };
            groups.push_within_capacity(new).map_err(|_| ENOMEM)?;
            Ok(())
        })?)
    }

    /// `del T` in a device group, with all that is in it. `EINVAL` where there is none.
    pub(crate) fn del_target_group(&self, group: &str, name: &str) -> Result {
        let content = {
            let mut admin = self.admin();
            let target_group = admin.device_group(group)?.target_group(name)?;
            let empty = TargetGroup {
                name: target_group.name.clone(),
                access: target_group.access.clone(),
                members: KVec::new(),
                dir: None,
            };
            core::mem::replace(target_group, empty)
        };
        drop(content);
        if let Ok(group) = self.admin().device_group(group) {
            group
                .target_groups
                .retain(|t| t.dir.is_some() || t.name.as_str() != name);
        }
        Ok(())
    }

    /// `add TARGET` in a target group: a target of this machine, or else the name of one of another. `EEXIST` where any
    /// target group of the device group has it.
    pub(crate) fn group_target(&self, group: &str, target_group: &str, name: &str) -> Result {
        let remote = Arc::new(Name::new(name)?, GFP_KERNEL)?;
        Ok(self.locked(|admin| {
            let entry = admin.device_group(group)?;
            if entry.target_groups.iter().any(|t| t.has(name)) {
                return Err(EEXIST.into());
            }
            let members = &mut entry.target_group(target_group)?.members;
            members.reserve(1, GFP_KERNEL).map_err(Error::from)?;
            let here = link_target(admin, group, target_group, name)?;
            let entry = admin.device_group(group)?.target_group(target_group)?;
            let member = match here {
                Some(name) => Member::Here(name),
                None => {
                    let parent = entry.dir.as_ref().ok_or(EINVAL)?;
                    let dir = tree::remote_target_dir(parent, &remote)?;
                    Member::Elsewhere(remote, Some(dir))
                }
            };
            entry
                .members
                .push_within_capacity(member)
                .map_err(|_| ENOMEM)?;
            Ok(())
        })?)
    }

    /// `del TARGET` in a target group. `EINVAL` where it is not in there.
    pub(crate) fn ungroup_target(&self, group: &str, target_group: &str, name: &str) -> Result {
        let dir = {
            let mut admin = self.admin();
            let entry = admin.device_group(group)?.target_group(target_group)?;
            entry.take_member(name)?
        };
        drop(dir);
        if let Ok(entry) = self
            .admin()
            .device_group(group)
            .and_then(|g| g.target_group(target_group))
        {
            entry
                .members
                .retain(|m| !matches!(m, Member::Elsewhere(n, None) if n.as_str() == name));
        }
        Ok(())
    }
}

/// Makes a link to the target of this name in a target group, if this machine has one that is not on its way out.
fn link_target(
    admin: &Admin,
    group: &str,
    target_group: &str,
    name: &str,
) -> Result<Option<Arc<Name>>> {
    let Some(target) = admin
        .drivers
        .iter()
        .flat_map(|d| d.targets.iter())
        .find(|t| t.name.as_str() == name && !t.removing)
    else {
        return Ok(None);
    };
    let to = &target.dirs.as_ref().ok_or(ENOENT)?.dir;
    let from = admin
        .device_groups
        .iter()
        .filter(|g| g.name.as_str() == group)
        .flat_map(|g| g.target_groups.iter())
        .find(|t| t.name.as_str() == target_group)
        .and_then(|t| t.dir.as_ref())
        .ok_or(EINVAL)?;
    from.link(target.name.as_cstr(), to)?;
    Ok(Some(target.name.clone()))
}

impl Admin {
    /// The device group of this name. `EINVAL` where there is none, or it is on its way out.
    fn device_group(&mut self, name: &str) -> Result<&mut DeviceGroup> {
        self.device_groups
            .iter_mut()
            .find(|g| g.name.as_str() == name && g.dirs.is_some())
            .ok_or(EINVAL)
    }

    /// A device is on its way out: it leaves its group.
    pub(crate) fn ungroup_gone_device(&mut self, device: &Arc<Device>) {
        for group in self.device_groups.iter_mut() {
            // The caller's reference is not the last.
            drop(group.take_device(|d| Arc::ptr_eq(d, device)));
        }
    }

    /// A target is on its way out: it leaves its groups.
    pub(crate) fn ungroup_gone_target(&mut self, name: &Arc<Name>) {
        let groups = self.device_groups.iter_mut();
        for group in groups.flat_map(|g| g.target_groups.iter_mut()) {
            let is_it = |m: &Member| matches!(m, Member::Here(n) if Arc::ptr_eq(n, name));
            if group.members.iter().any(is_it) {
                if let Some(dir) = &group.dir {
                    dir.unlink(name.as_cstr());
                }
            }
            group.members.retain(|m| !is_it(m));
        }
    }
}

impl DeviceGroup {
    fn has(&self, device: &Arc<Device>) -> bool {
        self.devices.iter().any(|d| Arc::ptr_eq(d, device))
    }

    /// Takes a device out with its link.
    fn take_device(&mut self, which: impl Fn(&Arc<Device>) -> bool) -> Option<Arc<Device>> {
        let at = self.devices.iter().position(which)?;
        let device = self.devices.remove(at).ok()?;
        if let Some(dirs) = &self.dirs {
            dirs.devices.unlink(device.name().as_cstr());
        }
        Some(device)
    }

    /// The target group of this name. `EINVAL` where there is none, or it is on its way out.
    fn target_group(&mut self, name: &str) -> Result<&mut TargetGroup> {
        self.target_groups
            .iter_mut()
            .find(|t| t.name.as_str() == name && t.dir.is_some())
            .ok_or(EINVAL)
    }
}

impl TargetGroup {
    fn has(&self, name: &str) -> bool {
        self.members.iter().any(|m| m.name().as_str() == name)
    }

    /// Takes a member out with its link, or its directory out of it: then its name stays taken until the directory has
    /// gone.
    fn take_member(&mut self, name: &str) -> Result<Option<Dir>> {
        let at = self.members.iter().position(|m| m.name().as_str() == name);
        let at = at.ok_or(EINVAL)?;
        match self.members.get_mut(at) {
            Some(Member::Elsewhere(_, dir)) => dir.take().map(Some).ok_or(EINVAL),
            _ => {
                if let (Ok(gone), Some(dir)) = (self.members.remove(at), &self.dir) {
                    dir.unlink(gone.name().as_cstr());
                }
                Ok(None)
            }
        }
    }
}
