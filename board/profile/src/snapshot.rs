// SPDX-License-Identifier: MIT OR Apache-2.0
//! What SCST's sysfs tree shows at one moment, as management tools read it: names, values, and which of them are worth
//! saving. Pure data: the appliance fills it from the tree, and a [`Stack`] tells what it would look like.

use crate::board::Attributes;
use crate::board::Handler;
use crate::stack::Stack;
use crate::target::{DeviceGroup, InitiatorGroup, Lun, Target, TargetGroup};
use std::collections::BTreeMap;

/// Files of one folder that hold a value, by name.
pub type Files = BTreeMap<String, File>;

/// A file that holds a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Its first line.
    pub value: String,
    /// Whether the value goes on behind that line, or is no text: no configuration can say it.
    pub unsayable: bool,
    /// Whether a line `[key]` follows: the value is worth saving.
    pub key: bool,
    /// Whether it can be written.
    pub writable: bool,
}

/// The whole tree, and the modules that it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The core's version, such as `3.11.0-pre`; empty while it is not loaded.
    pub version: String,
    /// Loaded modules of the stack with their parameters.
    pub modules: BTreeMap<String, BTreeMap<String, String>>,
    /// The core's own files.
    pub files: Files,
    /// Sizes in bytes of the block devices that devices stand on, by the path that the device has.
    pub stores: BTreeMap<String, u64>,
    /// Handlers.
    pub handlers: BTreeMap<String, HandlerState>,
    /// Target drivers.
    pub drivers: BTreeMap<String, DriverState>,
    /// Device groups.
    pub device_groups: BTreeMap<String, DeviceGroupState>,
}

/// `handlers/<h>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandlerState {
    /// The handler's own files.
    pub files: Files,
    /// What `add_device` takes, as its `mgmt` lists it.
    pub parameters: Vec<String>,
    /// Its devices with their files.
    pub devices: BTreeMap<String, Files>,
}

/// `targets/<driver>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriverState {
    /// The driver's own files.
    pub files: Files,
    /// Its targets.
    pub targets: BTreeMap<String, TargetState>,
}

/// `targets/<driver>/<target>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetState {
    /// The target's own files.
    pub files: Files,
    /// Names of its sessions.
    pub sessions: Vec<String>,
    /// LUNs of initiators that are in no group.
    pub luns: BTreeMap<u16, LunState>,
    /// Initiator groups in the order in which they were made: the first that matches an initiator has it.
    pub groups: Vec<(String, GroupState)>,
}

/// `luns/<n>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LunState {
    /// The device behind it.
    pub device: String,
    /// The LUN's own files.
    pub files: Files,
}

/// `ini_groups/<g>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupState {
    /// The group's own files.
    pub files: Files,
    /// Its LUNs.
    pub luns: BTreeMap<u16, LunState>,
    /// Its patterns, in the order in which the folder lists them.
    pub initiators: Vec<String>,
}

/// `device_groups/<dg>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceGroupState {
    /// Its devices, in the order in which the folder lists them.
    pub devices: Vec<String>,
    /// Its target groups, in the order in which the folder lists them.
    pub target_groups: Vec<(String, TargetGroupState)>,
}

/// `device_groups/<dg>/target_groups/<tg>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetGroupState {
    /// The target group's own files.
    pub files: Files,
    /// Its targets with their files, which only targets of other boxes have; in the order of the folder.
    pub targets: Vec<(String, Files)>,
}

impl File {
    /// Takes a file's text apart: the first line is the value, a line `[key]` says that it is worth saving.
    pub fn parse(text: &str, writable: bool) -> File {
        let (value, rest) = text.split_once('\n').unwrap_or((text, ""));
        let mut lines = rest.split('\n');
        let key = lines.clone().any(|line| line == "[key]");
        // Nothing stands between the value and `[key]`, and nothing but empty lines behind it.
        let whole = lines.next() == Some("[key]") && lines.all(str::is_empty);
        let unsayable = key && !whole || text.contains(char::REPLACEMENT_CHARACTER);
        File { value: value.to_string(), unsayable, key, writable }
    }

    /// A value that somebody set.
    fn set(value: impl ToString) -> File {
        File { value: value.to_string(), unsayable: false, key: true, writable: true }
    }
}

/// Values that somebody set, under their names.
fn set(attributes: &Attributes) -> Files {
    attributes.iter().map(|(name, value)| (name.clone(), File::set(value))).collect()
}

impl Snapshot {
    /// What the tree shows of a stack that is up: everything that was given, and nothing else.
    pub fn of(stack: &Stack) -> Snapshot {
        let mut snapshot = Snapshot { files: set(&stack.scst.attributes), ..Snapshot::default() };
        for device in &stack.devices {
            let mut files = set(&device.attributes);
            let size = device.size.filter(|_| device.handler != Handler::VdiskFileio);
            files.extend(size.map(|size| ("size".to_string(), File::set(size.bytes()))));
            files.extend(device.filename.as_ref().map(|path| ("filename".to_string(), File::set(path))));
            let handler = snapshot.handlers.entry(device.handler.to_string()).or_default();
            handler.devices.insert(device.name.to_string(), files);
        }
        for target in &stack.targets {
            let driver = snapshot.drivers.entry(target.driver.to_string()).or_default();
            driver.targets.insert(target.name.to_string(), TargetState::of(target));
        }
        let groups = stack.device_groups.iter();
        snapshot.device_groups =
            groups.map(|group| (group.name.to_string(), DeviceGroupState::of(group))).collect();
        snapshot
    }

    /// The files of a device or target, by its folder.
    pub(crate) fn files_of(&mut self, folder: &str) -> Option<&mut Files> {
        let mut parts = folder.splitn(3, '/');
        match (parts.next()?, parts.next()?, parts.next()) {
            ("devices", name, None) => {
                self.handlers.values_mut().find_map(|state| state.devices.get_mut(name))
            }
            ("targets", driver, Some(name)) => {
                Some(&mut self.drivers.get_mut(driver)?.targets.get_mut(name)?.files)
            }
            _ => None,
        }
    }

    /// The handler that serves a device, and the device's files.
    pub(crate) fn device(&self, name: &str) -> Option<(&str, &Files)> {
        self.handlers.iter().find_map(|(handler, state)| Some((handler.as_str(), state.devices.get(name)?)))
    }
}

impl TargetState {
    fn of(target: &Target) -> TargetState {
        TargetState {
            files: set(&target.attributes),
            sessions: target.sessions.iter().map(ToString::to_string).collect(),
            luns: luns(&target.luns),
            groups: target
                .groups
                .iter()
                .map(|group| (group.name.to_string(), GroupState::of(group)))
                .collect(),
        }
    }
}

impl GroupState {
    fn of(group: &InitiatorGroup) -> GroupState {
        GroupState {
            files: set(&group.attributes),
            luns: luns(&group.luns),
            initiators: group.initiators.iter().map(ToString::to_string).collect(),
        }
    }
}

fn luns(luns: &[Lun]) -> BTreeMap<u16, LunState> {
    let state = |lun: &Lun| {
        let read_only = lun.read_only.then(|| ("read_only".to_string(), File::set(1)));
        (lun.lun, LunState { device: lun.device.to_string(), files: read_only.into_iter().collect() })
    };
    luns.iter().map(state).collect()
}

impl DeviceGroupState {
    fn of(group: &DeviceGroup) -> DeviceGroupState {
        let target_groups = group.target_groups.iter();
        DeviceGroupState {
            devices: group.devices.iter().map(ToString::to_string).collect(),
            target_groups: target_groups
                .map(|group| (group.name.to_string(), TargetGroupState::of(group)))
                .collect(),
        }
    }
}

impl TargetGroupState {
    fn of(group: &TargetGroup) -> TargetGroupState {
        let mut files = Files::new();
        files.insert("group_id".into(), File::set(group.group_id));
        files.insert("state".into(), File::set(group.state.as_str()));
        if group.preferred {
            files.insert("preferred".into(), File::set(1));
        }
        let local = group.targets.iter().map(|target| (target.to_string(), Files::new()));
        let remote = group.remote_targets.iter().map(|target| {
            let number = ("rel_tgt_id".to_string(), File::set(target.rel_tgt_id));
            (target.name.to_string(), Files::from([number]))
        });
        TargetGroupState { files, targets: local.chain(remote).collect() }
    }
}
