// SPDX-License-Identifier: MIT OR Apache-2.0
//! `[[device_group]]`: ALUA groups of devices and the target port groups of each.

use super::suggest;
use super::unique::Unique;
use super::view::View;
use crate::problem::Problem;
use crate::target::{DeviceGroup, RemoteTarget, TargetGroup};
use crate::value::{DeviceName, GroupName, TargetName};

/// All device groups.
pub(super) fn all<'a>(
    root: &View<'a>,
    devices: &Unique<'a>,
    targets: &Unique<'a>,
    problems: &mut Vec<Problem>,
) -> Vec<DeviceGroup> {
    let mut names = Unique::new("device group", "give each device group a name of its own");
    let mut members = Unique::new(
        "device group member",
        "a device is in one device group at most; drop it from one of them",
    );
    let mut groups = Vec::new();
    for group in root.tables("device_group") {
        let name = group.text("name", problems);
        if let Some((name, place)) = name {
            names.note(name, place, problems);
        }
        for (device, place) in group.list("devices") {
            members.note(device, place, problems);
        }
        known(&group, "devices", "device", devices, problems);
        let target_groups = target_groups(&group, targets, problems);
        let devices = group.list("devices").iter().map(|(text, _)| DeviceName::checked(text)).collect();
        if let Some((name, _)) = name {
            groups.push(DeviceGroup { name: GroupName::checked(name), devices, target_groups });
        }
    }
    groups
}

fn target_groups<'a>(view: &View<'a>, targets: &Unique<'a>, problems: &mut Vec<Problem>) -> Vec<TargetGroup> {
    let mut names = Unique::new("target group", "give each target group a name of its own");
    let mut numbers = Unique::new("target group number", "give each target group a `group_id` of its own");
    let mut members = Unique::new(
        "target group member",
        "a target is in one target group of a device group; drop it from one",
    );
    let mut groups = Vec::new();
    for group in view.tables("target_group") {
        let name = group.text("name", problems);
        if let Some((name, place)) = name {
            names.note(name, place, problems);
        }
        let number = group.number("group_id", problems);
        if let Some((number, place)) = number.filter(|(number, _)| *number != 0) {
            numbers.note(&number.to_string(), place, problems);
        }
        for (target, place) in group.list("targets") {
            members.note(target, place, problems);
        }
        known(&group, "targets", "target", targets, problems);
        let (preferred, state) = (group.flag("preferred", problems), group.choice("state", problems));
        let remote_targets = remote_targets(&group, targets, &mut members, problems);
        let targets = group.list("targets").iter().map(|(text, _)| TargetName::checked(text)).collect();
        let number = number.and_then(|(number, _)| u16::try_from(number).ok());
        if let (Some((name, _)), Some(group_id), Some(state)) = (name, number, state) {
            let name = GroupName::checked(name);
            groups.push(TargetGroup { name, group_id, preferred, state, targets, remote_targets });
        }
    }
    groups
}

fn remote_targets<'a>(
    view: &View<'a>,
    targets: &Unique<'a>,
    members: &mut Unique<'a>,
    problems: &mut Vec<Problem>,
) -> Vec<RemoteTarget> {
    let mut remote = Vec::new();
    for target in view.tables("remote_target") {
        let name = target.text("name", problems);
        if let Some((name, place)) = name {
            members.note(name, place, problems);
            if targets.has(name) {
                let message = format!("`{name}` is a target of this board, not a remote one");
                problems.push(Problem::at(place, message).help("name it in `targets` instead"));
            }
        }
        let number = target.number("rel_tgt_id", problems).and_then(|(number, _)| u16::try_from(number).ok());
        if let (Some((name, _)), Some(rel_tgt_id)) = (name, number) {
            remote.push(RemoteTarget { name: TargetName::checked(name), rel_tgt_id });
        }
    }
    remote
}

/// Reports names in a list that nothing has.
fn known(view: &View<'_>, key: &str, what: &str, all: &Unique<'_>, problems: &mut Vec<Problem>) {
    for (name, place) in view.list(key).into_iter().filter(|(name, _)| !all.has(name)) {
        let none = format!("add a `[[{what}]]` with that name");
        let help = suggest::help(name, all.names(), &none);
        problems.push(Problem::at(place, format!("there is no {what} `{name}`")).help(help));
    }
}
