// SPDX-License-Identifier: GPL-2.0-only

//! Device groups: devices whose target ports are grouped alike, for asymmetric access (SPC-4 5.15).
//!
//! How groups are made and changed. They name devices and targets of this machine, which leave their groups when they go,
//! and targets of other machines, which are only a number. What the groups then mean for commands is in [`crate::access`].
//!
//! The groups go in the three steps of [`crate::core`].

use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::Arc;

use crate::core::{Admin, Core};
use crate::device::Device;
use crate::kapi::sysfs::{Dir, Failed};
use crate::name::Name;
use crate::port_groups::{Access, Groups, Member, PortGroups, RemotePort, TargetGroup};
use crate::target::Port;
use crate::tree;

/// Devices and the groups of target ports that lead to them.
pub(crate) struct DeviceGroup {
    name: Arc<Name>,
    pub(crate) devices: KVec<Arc<Device>>,
    /// Shared with the devices.
    pub(crate) ports: Arc<PortGroups>,
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

/// What is left of a device group that goes. Dropped in this order: the directories of target groups are inside the group's.
pub(crate) struct Content {
    _target_groups: KVec<TargetGroup>,
    _dirs: Option<DeviceGroupDirs>,
}

impl Core {
    /// `create G`. `EEXIST` for a name that is taken.
    pub(crate) fn create_device_group(&self, name: &str) -> Result {
        let name = Arc::new(Name::new(name)?, GFP_KERNEL)?;
        let ports = Arc::pin_init(PortGroups::new(), GFP_KERNEL)?;
        Ok(self.locked(|admin| {
            let groups = &mut admin.device_groups;
            groups.reserve(1, GFP_KERNEL).map_err(Error::from)?;
            let tree = admin.tree.as_ref().ok_or(ENODEV)?;
            let dirs = tree::device_group_dirs(&tree.device_groups, &name)?;
            let group = DeviceGroup {
                name,
                devices: KVec::new(),
                ports,
                dirs: Some(dirs),
            };
            groups.push_within_capacity(group).map_err(|_| ENOMEM)?;
            Ok(())
        })?)
    }

    /// `del G`, with all that is in it. `EINVAL` where there is none.
    pub(crate) fn del_device_group(&self, name: &str) -> Result {
        let (content, devices) = {
            let mut admin = self.admin();
            let group = admin.device_group(name)?;
            let devices = core::mem::take(&mut group.devices);
            let content = group.take_content();
            for device in devices.iter() {
                device.set_port_groups(None);
            }
            admin.follow(&devices, None);
            (content, devices)
        };
        drop(content);
        self.reread(&devices);
        self.admin()
            .device_groups
            .retain(|g| g.dirs.is_some() || g.name.as_str() != name);
        Ok(())
    }

    /// `add D` in a device group. `EINVAL` for an unknown device, `EEXIST` for one that any group has.
    pub(crate) fn group_device(&self, group: &str, device: &str) -> Result {
        let (device, ports) = {
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
            let pushed = group.devices.push_within_capacity(device.clone());
            pushed.map_err(|_| ENOMEM)?;
            let ports = group.ports.clone();
            device.set_port_groups(Some(ports.clone()));
            admin.follow(core::slice::from_ref(&device), Some(&ports));
            (device, ports)
        };
        self.settle_store(&ports, &device);
        self.reread(&[device]);
        Ok(())
    }

    /// `del D` in a device group. `EINVAL` where it is not in there.
    pub(crate) fn ungroup_device(&self, group: &str, device: &str) -> Result {
        let gone = {
            let mut admin = self.admin();
            let group = admin.device_group(group)?;
            let gone = group.take_device(|d| d.name().as_str() == device);
            let gone = gone.ok_or(EINVAL)?;
            admin.follow(core::slice::from_ref(&gone), None);
            gone
        };
        self.reread(&[gone]);
        Ok(())
    }

    /// `create T` in a device group. `EEXIST` for a name that is taken.
    pub(crate) fn create_target_group(&self, group: &Arc<Name>, name: &str) -> Result {
        let name = Arc::new(Name::new(name)?, GFP_KERNEL)?;
        let access = Arc::new(Access::new(), GFP_KERNEL)?;
        Ok(self.locked(|admin| {
            let entry = admin.device_group(group.as_str())?;
            let mut groups = entry.ports.lock();
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
        let content = self.change_members(group, |groups| {
            let gone = target_group(groups, name)?;
            Ok((core::mem::take(&mut gone.members), gone.dir.take()))
        })?;
        drop(content);
        if let Ok(group) = self.admin().device_group(group) {
            group
                .ports
                .lock()
                .retain(|t| t.dir.is_some() || t.name.as_str() != name);
        }
        Ok(())
    }

    /// `add TARGET` in a target group: a target of this machine, or else the name of one of another. `EEXIST` where any
    /// target group of the device group has it.
    pub(crate) fn group_target(&self, group: &str, target_group: &str, name: &str) -> Result {
        let remote = RemotePort {
            rel_tgt_id: Atomic::new(0),
        };
        let remote = (
            Arc::new(Name::new(name)?, GFP_KERNEL)?,
            Arc::new(remote, GFP_KERNEL)?,
        );
        let (devices, ports) = self.locked(|admin| {
            let admin: &Admin = admin;
            let here = admin.present_target(name);
            let ports = admin.ports_of(group)?;
            let devices = admin.devices_behind(&ports)?;
            add_member(&mut ports.lock(), target_group, here, remote)?;
            admin.follow(&devices, Some(&ports));
            Ok((devices, ports))
        })?;
        self.settle_stores(&ports);
        self.reread(&devices);
        Ok(())
    }

    /// `del TARGET` in a target group. `EINVAL` where it is not in there.
    pub(crate) fn ungroup_target(&self, group: &str, target_group: &str, name: &str) -> Result {
        let dir = self.change_members(group, |groups| {
            self::target_group(groups, target_group)?.take_member(name)
        })?;
        drop(dir);
        if let Ok(entry) = self.admin().device_group(group) {
            if let Ok(entry) = self::target_group(&mut entry.ports.lock(), target_group) {
                let is_gone =
                    |m: &Member| matches!(m, Member::Elsewhere(n, _, None) if n.as_str() == name);
                entry.members.retain(|m| !is_gone(m));
            }
        }
        Ok(())
    }

    /// Runs `change` on the target groups of a device group, and has nexuses, stores and initiators follow.
    fn change_members<T>(
        &self,
        group: &str,
        change: impl FnOnce(&mut Groups<'_>) -> Result<T>,
    ) -> Result<T> {
        let (result, devices, ports) = {
            let admin = self.admin();
            let ports = admin.ports_of(group)?;
            let devices = admin.devices_behind(&ports)?;
            let result = change(&mut ports.lock())?;
            admin.follow(&devices, Some(&ports));
            (result, devices, ports)
        };
        self.settle_stores(&ports);
        self.reread(&devices);
        Ok(result)
    }
}

/// A target of this machine: its very name, its port, and a way to its directory.
type Present<'a> = (Arc<Name>, Arc<Port>, &'a Dir);

/// Adds a target to a target group: a link to the directory of one that is `here`, or else a directory for the other.
fn add_member(
    groups: &mut Groups<'_>,
    target_group: &str,
    here: Option<Present<'_>>,
    (name, remote): (Arc<Name>, Arc<RemotePort>),
) -> Result<(), Failed> {
    if groups.iter().any(|t| t.has(name.as_str())) {
        return Err(EEXIST.into());
    }
    let entry = self::target_group(groups, target_group)?;
    entry.members.reserve(1, GFP_KERNEL).map_err(Error::from)?;
    let parent = entry.dir.as_ref().ok_or(EINVAL)?;
    let member = match here {
        Some((name, port, dir)) => {
            parent.link(name.as_cstr(), dir)?;
            Member::Here(name, port)
        }
        None => {
            let dir = tree::remote_target_dir(parent, &name, &remote)?;
            Member::Elsewhere(name, remote, Some(dir))
        }
    };
    let pushed = entry.members.push_within_capacity(member);
    pushed.map_err(|_| ENOMEM)?;
    Ok(())
}

/// The target group of this name. `EINVAL` where there is none, or it is on its way out.
fn target_group<'a>(groups: &'a mut Groups<'_>, name: &str) -> Result<&'a mut TargetGroup> {
    groups
        .iter_mut()
        .find(|t| t.name.as_str() == name && t.dir.is_some())
        .ok_or(EINVAL)
}

impl Admin {
    /// The device group of this name. `EINVAL` where there is none, or it is on its way out.
    pub(crate) fn device_group(&mut self, name: &str) -> Result<&mut DeviceGroup> {
        self.device_groups
            .iter_mut()
            .find(|g| g.name.as_str() == name && g.dirs.is_some())
            .ok_or(EINVAL)
    }

    /// The target groups of the device group of this name. `EINVAL` as above.
    pub(crate) fn ports_of(&self, name: &str) -> Result<Arc<PortGroups>> {
        let mut groups = self.device_groups.iter();
        let group = groups.find(|g| g.name.as_str() == name && g.dirs.is_some());
        Ok(group.ok_or(EINVAL)?.ports.clone())
    }

    /// The target of this name, if this machine has one that is not on its way out.
    fn present_target(&self, name: &str) -> Option<Present<'_>> {
        let mut targets = self.drivers.iter().flat_map(|d| d.targets.iter());
        let target = targets.find(|t| t.name.as_str() == name && !t.removing)?;
        let dir = &target.dirs.as_ref()?.dir;
        Some((target.name.clone(), target.port.clone(), dir))
    }

    /// A device is on its way out: it leaves its group.
    pub(crate) fn ungroup_gone_device(&mut self, device: &Arc<Device>) {
        let mut groups = self.device_groups.iter_mut();
        let gone = groups.find_map(|group| group.take_device(|d| Arc::ptr_eq(d, device)));
        if let Some(gone) = gone {
            self.follow(core::slice::from_ref(&gone), None);
            // The caller's reference is not the last.
            drop(gone);
        }
    }

    /// A target is on its way out: it leaves its groups.
    pub(crate) fn ungroup_gone_target(&mut self, name: &Arc<Name>) {
        for group in self.device_groups.iter() {
            let mut left = false;
            for target_group in group.ports.lock().iter_mut() {
                left |= target_group.take_gone(name);
            }
            if left {
                self.follow(&group.devices, Some(&group.ports));
            }
        }
    }
}

impl DeviceGroup {
    /// Whether the device is in it.
    pub(crate) fn has(&self, device: &Arc<Device>) -> bool {
        self.devices.iter().any(|d| Arc::ptr_eq(d, device))
    }

    /// Takes out what has directories. The name stays taken.
    pub(crate) fn take_content(&mut self) -> Content {
        Content {
            _target_groups: self.ports.take_all(),
            _dirs: self.dirs.take(),
        }
    }

    /// Takes a device out with its link.
    fn take_device(&mut self, which: impl Fn(&Arc<Device>) -> bool) -> Option<Arc<Device>> {
        let at = self.devices.iter().position(which)?;
        let device = self.devices.remove(at).ok()?;
        device.set_port_groups(None);
        if let Some(dirs) = &self.dirs {
            dirs.devices.unlink(device.name().as_cstr());
        }
        Some(device)
    }
}
