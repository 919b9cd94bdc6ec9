// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a board becomes steps. A target's sessions come last, when all of its LUNs are there: the SCSI host of a
//! session scans its LUNs once, when it appears.

use crate::board::{Attributes, Board, Handler};
use crate::plan::{Action, ObjectId, Plan, Step};
use crate::spec::{device_role, Role};
use crate::target::{Device, DeviceGroup, Driver, InitiatorGroup, Lun, Target, TargetGroup};
use std::fmt::Display;

/// The steps of a board: modules, the core, devices, targets, device groups.
pub(crate) fn plan(board: &Board) -> Plan {
    let mut steps = Steps(Vec::new());
    modules(board, &mut steps);
    let core = [module("scst")];
    steps.attributes("scst", "", &core, &board.scst.attributes);
    board.devices.iter().for_each(|device| add_device(device, &mut steps));
    board.targets.iter().for_each(|target| add_target(target, &mut steps));
    board.device_groups.iter().for_each(|group| device_group(board, group, &mut steps));
    Plan { steps: steps.0 }
}

/// The steps so far.
struct Steps(Vec<Step>);

impl Steps {
    fn push(&mut self, object: ObjectId, needs: &[ObjectId], action: Action) {
        self.0.push(Step { object, needs: needs.to_vec(), action });
    }

    fn write(&mut self, object: ObjectId, needs: &[ObjectId], path: impl Display, data: impl Display) {
        self.push(object, needs, Action::Write { path: path.to_string(), data: data.to_string() });
    }

    /// One write for each attribute of an object whose files are in `folder`.
    fn attributes(&mut self, owner: &str, folder: &str, needs: &[ObjectId], attributes: &Attributes) {
        for (name, value) in attributes {
            let object = ObjectId::new("attribute", format!("{owner}/{name}"));
            self.write(object, needs, format!("{folder}{name}"), value);
        }
    }
}

fn module(name: &str) -> ObjectId {
    ObjectId::new("module", name)
}

fn device_id(name: impl Display) -> ObjectId {
    ObjectId::new("device", name)
}

fn target_id(target: &Target) -> ObjectId {
    ObjectId::new("target", format!("{}/{}", target.driver, target.name))
}

/// The core always; handlers and target drivers when the board has objects of theirs.
fn modules(board: &Board, steps: &mut Steps) {
    steps.push(module("scst"), &[], modprobe(board, "scst", &[]));
    let mut handlers: Vec<&str> = board.devices.iter().map(|device| device.handler.module()).collect();
    handlers.dedup();
    for name in handlers {
        steps.push(module(name), &[module("scst")], modprobe(board, name, &[]));
    }
    if board.targets.iter().any(|target| target.driver == Driver::ScstLocal) {
        // The profile names its targets itself, so the driver's own one would only be in the way.
        steps.push(
            module("scst_local"),
            &[module("scst")],
            modprobe(board, "scst_local", &["add_default_tgt=0"]),
        );
    }
}

fn modprobe(board: &Board, module: &str, fixed: &[&str]) -> Action {
    let given = board.scst.parameters.get(module).into_iter().flatten();
    let given = given.map(|(name, value)| format!("{name}={value}"));
    let params = fixed.iter().map(|param| param.to_string()).chain(given).collect();
    Action::Modprobe { module: module.to_string(), params }
}

fn add_device(device: &Device, steps: &mut Steps) {
    let (name, handler) = (&device.name, device.handler);
    let mut needs = vec![module(handler.module())];
    let path = device.filename.as_ref().map(|path| path.as_str());
    if let (Handler::VdiskFileio, Some(path), Some(size)) = (handler, path, device.size) {
        let file = ObjectId::new("file", path);
        steps.push(file.clone(), &[], Action::CreateFile { path: path.to_string(), size: size.bytes() });
        needs.push(file);
    }
    let created = |attribute: &str| device_role(handler, attribute) == Role::Create;
    let (at_creation, afterwards): (Attributes, Attributes) =
        device.attributes.clone().into_iter().partition(|(attribute, _)| created(attribute));
    let mut words = vec![format!("add_device {name}")];
    let mut parameters = Vec::new();
    if let (Handler::VdiskFileio | Handler::VdiskBlockio, Some(path)) = (handler, path) {
        parameters.push(format!("filename={path}"));
    }
    parameters.extend(at_creation.iter().map(|(attribute, value)| format!("{attribute}={value}")));
    // The size is checked against the block size as soon as it is read, so it comes behind it.
    if let (Handler::VdiskNullio, Some(size)) = (handler, device.size) {
        parameters.push(format!("size={}", size.bytes()));
    }
    if !parameters.is_empty() {
        words.push(parameters.join("; "));
    }
    let id = device_id(name);
    steps.write(id.clone(), &needs, format!("handlers/{handler}/mgmt"), words.join(" "));
    written_afterwards(device, &id, afterwards, steps);
}

/// What a device is told once it is there.
fn written_afterwards(device: &Device, id: &ObjectId, attributes: Attributes, steps: &mut Steps) {
    let owner = format!("devices/{}", device.name);
    let folder = format!("{owner}/");
    let needs = [id.clone()];
    if let (Handler::VdiskBlockio, Some(size)) = (device.handler, device.size) {
        let object = ObjectId::new("attribute", format!("{owner}/size"));
        steps.write(object, &needs, format!("{folder}size"), size.bytes());
    }
    steps.attributes(&owner, &folder, &needs, &attributes);
    if let (Handler::Vcdrom, Some(path)) = (device.handler, &device.filename) {
        let object = ObjectId::new("medium", &device.name);
        steps.write(object, &needs, format!("{folder}filename"), path);
    }
}

fn add_target(target: &Target, steps: &mut Steps) {
    let (driver, name, id) = (target.driver, &target.name, target_id(target));
    let folder = format!("targets/{driver}/{name}");
    let needs = [id.clone()];
    steps.write(
        id,
        &[module(driver.as_str())],
        format!("targets/{driver}/mgmt"),
        format!("add_target {name}"),
    );
    steps.attributes(&folder, &format!("{folder}/"), &needs, &target.attributes);
    add_luns(&folder, &format!("{driver}/{name}"), &needs, &target.luns, steps);
    // A session that came up without its group would show the LUNs of another, so it needs all groups.
    let mut session_needs = needs.to_vec();
    for group in &target.groups {
        session_needs.extend(group_ids(&format!("{driver}/{name}"), group));
        add_group(&folder, &format!("{driver}/{name}"), &needs, group, steps);
    }
    for session in &target.sessions {
        let object = ObjectId::new("session", format!("{driver}/{name}/{session}"));
        let data = format!("add_session {name} {session}");
        steps.write(object, &session_needs, format!("targets/{driver}/mgmt"), data);
    }
}

/// A group and its initiators.
fn group_ids(owner: &str, group: &InitiatorGroup) -> Vec<ObjectId> {
    let owner = format!("{owner}/{}", group.name);
    let pattern = |pattern| ObjectId::new("initiator", format!("{owner}/{pattern}"));
    [ObjectId::new("group", &owner)].into_iter().chain(group.initiators.iter().map(pattern)).collect()
}

/// LUNs of a target or of a group; each needs its owner and its device.
fn add_luns(folder: &str, owner: &str, needs: &[ObjectId], luns: &[Lun], steps: &mut Steps) {
    for lun in luns {
        let object = ObjectId::new("lun", format!("{owner}/{}", lun.lun));
        let needs: Vec<ObjectId> = needs.iter().cloned().chain([device_id(&lun.device)]).collect();
        let read_only = if lun.read_only { " read_only=1" } else { "" };
        let data = format!("add {} {}{read_only}", lun.device, lun.lun);
        steps.write(object, &needs, format!("{folder}/luns/mgmt"), data);
    }
}

/// A group gets its LUNs before its initiators, so that nobody is in a group that is not complete.
fn add_group(folder: &str, owner: &str, needs: &[ObjectId], group: &InitiatorGroup, steps: &mut Steps) {
    let name = &group.name;
    let id = ObjectId::new("group", format!("{owner}/{name}"));
    steps.write(id.clone(), needs, format!("{folder}/ini_groups/mgmt"), format!("create {name}"));
    let folder = format!("{folder}/ini_groups/{name}");
    let needs = [id];
    steps.attributes(&folder, &format!("{folder}/"), &needs, &group.attributes);
    add_luns(&folder, &format!("{owner}/{name}"), &needs, &group.luns, steps);
    for pattern in &group.initiators {
        let object = ObjectId::new("initiator", format!("{owner}/{name}/{pattern}"));
        steps.write(object, &needs, format!("{folder}/initiators/mgmt"), format!("add {pattern}"));
    }
}

fn device_group(board: &Board, group: &DeviceGroup, steps: &mut Steps) {
    let name = &group.name;
    let id = ObjectId::new("device_group", name);
    steps.write(id.clone(), &[module("scst")], "device_groups/mgmt", format!("create {name}"));
    for device in &group.devices {
        let object = ObjectId::new("device_group_device", format!("{name}/{device}"));
        let needs = [id.clone(), device_id(device)];
        steps.write(object, &needs, format!("device_groups/{name}/devices/mgmt"), format!("add {device}"));
    }
    for target_group in &group.target_groups {
        add_target_group(board, name.as_str(), &id, target_group, steps);
    }
}

/// The state comes last: it takes effect on the targets that are in the group by then.
fn add_target_group(board: &Board, owner: &str, needs: &ObjectId, group: &TargetGroup, steps: &mut Steps) {
    let name = &group.name;
    let id = ObjectId::new("target_group", format!("{owner}/{name}"));
    let parent = format!("device_groups/{owner}/target_groups");
    steps.write(id.clone(), std::slice::from_ref(needs), format!("{parent}/mgmt"), format!("create {name}"));
    let folder = format!("{parent}/{name}");
    let attribute = |key: &str| ObjectId::new("attribute", format!("{folder}/{key}"));
    let own = [id.clone()];
    steps.write(attribute("group_id"), &own, format!("{folder}/group_id"), group.group_id);
    for target in &group.targets {
        let object = ObjectId::new("target_group_target", format!("{owner}/{name}/{target}"));
        let local = board.targets.iter().find(|local| local.name == *target).map(target_id);
        let needs: Vec<ObjectId> = own.iter().cloned().chain(local).collect();
        steps.write(object, &needs, format!("{folder}/mgmt"), format!("add {target}"));
    }
    for target in &group.remote_targets {
        let object = ObjectId::new("target_group_target", format!("{owner}/{name}/{}", target.name));
        steps.write(object.clone(), &own, format!("{folder}/mgmt"), format!("add {}", target.name));
        let path = format!("{folder}/{}/rel_tgt_id", target.name);
        steps.write(ObjectId::new("attribute", &path), &[object], &path, target.rel_tgt_id);
    }
    steps.write(attribute("preferred"), &own, format!("{folder}/preferred"), u8::from(group.preferred));
    steps.write(attribute("state"), &own, format!("{folder}/state"), group.state.as_str());
}
