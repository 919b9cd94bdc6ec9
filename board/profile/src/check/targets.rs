// SPDX-License-Identifier: MIT OR Apache-2.0
//! `[[target]]`: sessions, LUNs and initiator groups, and the names that must be unique over all of them.

use super::unique::Unique;
use super::view::View;
use super::{attributes, suggest};
use crate::problem::Problem;
use crate::target::{InitiatorGroup, Lun, Target};
use crate::value::{AttributeValue, DeviceName, GroupName, Pattern, SessionName, TargetName};

/// All targets, and every target name in the profile.
pub(super) fn all<'a>(
    root: &View<'a>,
    devices: &Unique<'a>,
    problems: &mut Vec<Problem>,
) -> (Vec<Target>, Unique<'a>) {
    let mut names = Unique::new("target", "give each target a name of its own");
    // A session is a device on one bus that all targets share.
    let mut sessions =
        Unique::new("session", "session names are unique over all targets; give it another one");
    let mut ports = Unique::new("relative target port", "give each target a `rel_tgt_id` of its own");
    let mut targets = Vec::new();
    for view in root.tables("target") {
        let name = view.text("name", problems);
        if let Some((name, place)) = name {
            names.note(name, place, problems);
        }
        let driver = view.choice("driver", problems);
        let attributes = attributes::read(&view, 0, "the target", problems);
        if let Some(AttributeValue::Number(port)) = attributes.get("rel_tgt_id") {
            ports.note(&port.to_string(), view.place_of("rel_tgt_id"), problems);
        }
        for (session, place) in view.list("sessions") {
            sessions.note(session, place, problems);
        }
        let sessions = view.list("sessions").iter().map(|(text, _)| SessionName::checked(text)).collect();
        let (luns, groups) = (luns(&view, devices, problems), groups(&view, devices, problems));
        if let (Some((name, _)), Some(driver)) = (name, driver) {
            let name = TargetName::checked(name);
            targets.push(Target { name, driver, sessions, attributes, luns, groups });
        }
    }
    (targets, names)
}

fn luns<'a>(view: &View<'a>, devices: &Unique<'a>, problems: &mut Vec<Problem>) -> Vec<Lun> {
    let mut numbers = Unique::new("LUN", "give each device a LUN of its own");
    let mut luns = Vec::new();
    for lun in view.tables("lun") {
        let number = lun.number("lun", problems);
        if let Some((number, place)) = number {
            numbers.note(&number.to_string(), place, problems);
        }
        let device = lun.text("device", problems);
        let read_only = lun.flag("read_only", problems);
        if let Some((device, place)) = device {
            if !devices.has(device) {
                let message = format!("there is no device `{device}`");
                let help = suggest::help(device, devices.names(), "add a `[[device]]` with that name");
                problems.push(Problem::at(place, message).help(help));
            }
        }
        let number = number.and_then(|(number, _)| u16::try_from(number).ok());
        if let (Some(lun), Some((device, _))) = (number, device) {
            luns.push(Lun { lun, device: DeviceName::checked(device), read_only });
        }
    }
    luns
}

fn groups<'a>(view: &View<'a>, devices: &Unique<'a>, problems: &mut Vec<Problem>) -> Vec<InitiatorGroup> {
    let mut names = Unique::new("initiator group", "give each group of a target a name of its own");
    let mut patterns =
        Unique::new("initiator", "an initiator is in one group of a target; the first would win");
    let mut groups = Vec::new();
    for group in view.tables("group") {
        let name = group.text("name", problems);
        if let Some((name, place)) = name {
            names.note(name, place, problems);
        }
        for (pattern, place) in group.list("initiators") {
            patterns.note(pattern, place, problems);
        }
        let initiators = group.list("initiators").iter().map(|(text, _)| Pattern::checked(text)).collect();
        let attributes = attributes::read(&group, 0, "an initiator group", problems);
        let luns = luns(&group, devices, problems);
        if let Some((name, _)) = name {
            groups.push(InitiatorGroup { name: GroupName::checked(name), initiators, attributes, luns });
        }
    }
    groups
}
