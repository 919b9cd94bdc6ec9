// SPDX-License-Identifier: MIT OR Apache-2.0
//! Device groups with their target groups.

use super::{device_id, module, target_id, Steps};
use crate::plan::ObjectId;
use crate::snapshot::{Files, TargetGroupState};
use crate::stack::Stack;
use crate::target::{AluaState, DeviceGroup, TargetGroup};
use std::collections::HashSet;
use std::fmt::Display;

/// Devices whose groups, as described, have targets of this box and none that leads to the medium.
pub(super) fn unreached(stack: &Stack) -> HashSet<String> {
    let leads = |group: &TargetGroup| matches!(group.state, AluaState::Active | AluaState::Nonoptimized);
    let unreached = stack.device_groups.iter().filter(|group| {
        let mut own = group.target_groups.iter().filter(|group| !group.targets.is_empty()).peekable();
        own.peek().is_some() && !own.any(leads)
    });
    unreached.flat_map(|group| &group.devices).map(ToString::to_string).collect()
}

/// One device group.
pub(super) fn device_group(stack: &Stack, group: &DeviceGroup, steps: &mut Steps) {
    let name = &group.name;
    let id = ObjectId::new("device_group", name);
    let state = steps.live.device_groups.get(name.as_str()).cloned();
    match &state {
        Some(_) => steps.present(id.clone()),
        None => steps.write(id.clone(), &[module("scst")], "device_groups/mgmt", format!("create {name}")),
    }
    let state = state.unwrap_or_default();
    for device in &group.devices {
        let object = ObjectId::new("device_group_device", format!("{name}/{device}"));
        if state.devices.iter().any(|there| there == device.as_str()) {
            steps.present(object);
            continue;
        }
        let needs = [id.clone(), device_id(device)];
        steps.write(object, &needs, format!("device_groups/{name}/devices/mgmt"), format!("add {device}"));
    }
    for target_group in &group.target_groups {
        let there = state.target_groups.iter().find(|(known, _)| known == target_group.name.as_str());
        add_target_group(stack, name.as_str(), &id, target_group, there.map(|(_, state)| state), steps);
    }
}

/// The state comes last: it takes effect on the targets that are in the group by then.
fn add_target_group(
    stack: &Stack,
    owner: &str,
    needs: &ObjectId,
    group: &TargetGroup,
    there: Option<&TargetGroupState>,
    steps: &mut Steps,
) {
    let name = &group.name;
    let id = ObjectId::new("target_group", format!("{owner}/{name}"));
    let parent = format!("device_groups/{owner}/target_groups");
    match there {
        Some(_) => steps.present(id.clone()),
        None => {
            let needs = std::slice::from_ref(needs);
            steps.write(id.clone(), needs, format!("{parent}/mgmt"), format!("create {name}"));
        }
    }
    let (folder, own) = (format!("{parent}/{name}"), [id]);
    let empty = TargetGroupState::default();
    let state = there.unwrap_or(&empty);
    number(&folder, "group_id", group.group_id, &own, &state.files, steps);
    targets(stack, owner, group, &folder, &own, state, steps);
    value(&folder, "preferred", u8::from(group.preferred), &own, &state.files, steps);
    value(&folder, "state", group.state.as_str(), &own, &state.files, steps);
}

/// A number, which only making the object anew takes away again: 0 is that of one just made.
fn number(folder: &str, key: &str, number: u16, needs: &[ObjectId], files: &Files, steps: &mut Steps) {
    match files.get(key) {
        None if number == 0 => {}
        Some(file) if number == 0 && file.value != "0" => steps.note(format!(
            "{folder}/{key} is {} and should be none, and nothing takes a number away: it stays until `appliance unload` and `appliance load`",
            file.value
        )),
        _ => value(folder, key, number, needs, files, steps),
    }
}

fn value(folder: &str, key: &str, value: impl Display, needs: &[ObjectId], files: &Files, steps: &mut Steps) {
    let path = format!("{folder}/{key}");
    let (object, value) = (ObjectId::new("attribute", &path), value.to_string());
    match files.get(key) {
        Some(file) if file.value == value => steps.present(object),
        _ => steps.write(object, needs, path, value),
    }
}

fn targets(
    stack: &Stack,
    owner: &str,
    group: &TargetGroup,
    folder: &str,
    own: &[ObjectId],
    state: &TargetGroupState,
    steps: &mut Steps,
) {
    let name = &group.name;
    for target in &group.targets {
        let object = ObjectId::new("target_group_target", format!("{owner}/{name}/{target}"));
        let local = stack.targets.iter().find(|local| local.name == *target).map(target_id);
        let needs: Vec<ObjectId> = own.iter().cloned().chain(local).collect();
        match state.targets.iter().any(|(there, _)| there == target.as_str()) {
            true => steps.present(object),
            false => steps.write(object, &needs, format!("{folder}/mgmt"), format!("add {target}")),
        }
    }
    for target in &group.remote_targets {
        let object = ObjectId::new("target_group_target", format!("{owner}/{name}/{}", target.name));
        let there = state.targets.iter().find(|(there, _)| there == target.name.as_str());
        match there {
            Some(_) => steps.present(object.clone()),
            None => {
                steps.write(object.clone(), own, format!("{folder}/mgmt"), format!("add {}", target.name));
            }
        }
        let none = Files::new();
        let files = there.map_or(&none, |(_, files)| files);
        let folder = format!("{folder}/{}", target.name);
        number(&folder, "rel_tgt_id", target.rel_tgt_id, &[object], files, steps);
    }
}
