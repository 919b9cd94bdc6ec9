// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes before anything comes: what nobody describes, and what is in the way of a device that is made anew.

use super::luns::Place;
use super::{device_id, devices, Steps};
use crate::board::Handler;
use crate::plan::ObjectId;
use crate::snapshot::{LunState, TargetState};
use crate::stack::Stack;
use crate::target::{Driver, Lun, Target};
use std::collections::BTreeMap;

/// The object that a removal brings about.
pub(super) fn of(object: &ObjectId) -> ObjectId {
    ObjectId::new("removal", object)
}

impl Steps {
    /// Takes something away if the configuration is ours alone, and says that it stays if not.
    pub(super) fn remove(&mut self, object: &ObjectId, path: String, data: String) -> bool {
        if !self.owns() {
            self.note(format!("{object} is not described and stays; --force removes it"));
            return false;
        }
        self.write(of(object), &[], path, data);
        self.gone.insert(of(object));
        true
    }
}

/// Everything that goes; `anew` are devices that go only to come again.
pub(super) fn remove(stack: &Stack, anew: &BTreeMap<String, String>, steps: &mut Steps) {
    device_groups(stack, steps);
    let driver = Driver::ScstLocal;
    let live: Vec<(String, TargetState)> = steps
        .live
        .drivers
        .get(driver.as_str())
        .map(|state| state.targets.clone().into_iter().collect())
        .unwrap_or_default();
    let goes = going(stack, anew, steps);
    for (name, state) in live {
        match stack.targets.iter().find(|target| target.name.as_str() == name) {
            Some(target) => {
                sessions(target, &state, steps);
                luns_of(target, &state, &goes, steps);
            }
            None => {
                let object = ObjectId::new("target", format!("{driver}/{name}"));
                if steps.remove(&object, format!("targets/{driver}/mgmt"), format!("del_target {name}")) {
                    forget(steps, |targets| drop(targets.remove(&name)));
                }
            }
        }
    }
    for (handler, name, reason) in goes.into_values() {
        let object = device_id(&name);
        if steps.remove(&object, format!("handlers/{handler}/mgmt"), format!("del_device {name}")) {
            if let Some(reason) = reason {
                steps.noted(reason);
            }
            steps.live.handlers.values_mut().for_each(|state| drop(state.devices.remove(&name)));
            for group in steps.live.device_groups.values_mut() {
                group.devices.retain(|device| *device != name);
            }
        }
    }
}

/// Devices that go: handler, name, and the reason for those that come again.
type Going = BTreeMap<String, (String, String, Option<String>)>;

/// Only devices of handlers that the profile knows are its business.
fn going(stack: &Stack, anew: &BTreeMap<String, String>, steps: &Steps) -> Going {
    let known = |handler: &str| Handler::ALL.iter().any(|known| known.as_str() == handler);
    let mut going = Going::new();
    for (handler, state) in steps.live.handlers.iter().filter(|(handler, _)| known(handler)) {
        for name in state.devices.keys() {
            let described = stack.devices.iter().any(|device| device.name.as_str() == name);
            let seen = devices::seen_at(name, steps);
            let reason = anew.get(name).map(|why| format!("device {name} is made anew, since {why}; {seen}"));
            if !described || reason.is_some() {
                going.insert(name.clone(), (handler.clone(), name.clone(), reason));
            }
        }
    }
    going
}

/// Changes what is remembered of the driver's targets.
fn forget(steps: &mut Steps, change: impl FnOnce(&mut BTreeMap<String, TargetState>)) {
    if let Some(driver) = steps.live.drivers.get_mut(Driver::ScstLocal.as_str()) {
        change(&mut driver.targets);
    }
}

fn sessions(target: &Target, state: &TargetState, steps: &mut Steps) {
    let (driver, name) = (target.driver, &target.name);
    for session in &state.sessions {
        if target.sessions.iter().any(|wanted| wanted.as_str() == session) {
            continue;
        }
        let object = ObjectId::new("session", format!("{driver}/{name}/{session}"));
        steps.remove(&object, format!("targets/{driver}/mgmt"), format!("del_session {name} {session}"));
    }
}

/// LUNs of a target that stays, and of its groups that stay.
fn luns_of(target: &Target, state: &TargetState, goes: &Going, steps: &mut Steps) {
    let (driver, name) = (target.driver, target.name.to_string());
    let folder = format!("targets/{driver}/{name}");
    let object = format!("{driver}/{name}");
    let gone =
        luns(&Place { folder: &folder, object: &object, needs: &[] }, &target.luns, &state.luns, goes, steps);
    forget(steps, |targets| {
        if let Some(target) = targets.get_mut(&name) {
            target.luns.retain(|lun, _| !gone.contains(lun));
        }
    });
    for (group, state) in &state.groups {
        // A group that goes takes its LUNs along.
        let Some(wanted) = target.groups.iter().find(|wanted| wanted.name.as_str() == group) else {
            continue;
        };
        let (folder, object) = (format!("{folder}/ini_groups/{group}"), format!("{object}/{group}"));
        let place = Place { folder: &folder, object: &object, needs: &[] };
        let gone = luns(&place, &wanted.luns, &state.luns, goes, steps);
        forget(steps, |targets| {
            let groups = targets.get_mut(&name).into_iter().flat_map(|target| &mut target.groups);
            for (_, state) in groups.filter(|(name, _)| name == group) {
                state.luns.retain(|lun, _| !gone.contains(lun));
            }
        });
    }
}

/// LUNs that nobody describes, and those of devices that go. Gives back the numbers of those that are gone then.
fn luns(
    place: &Place<'_>,
    wanted: &[Lun],
    live: &BTreeMap<u16, LunState>,
    goes: &Going,
    steps: &mut Steps,
) -> Vec<u16> {
    let described: std::collections::HashSet<u16> = wanted.iter().map(|lun| lun.lun).collect();
    let mut gone = Vec::new();
    for (number, state) in live {
        let with_its_device = steps.owns() && goes.contains_key(&state.device);
        if (!described.contains(number) || with_its_device)
            && steps.remove(&place.id(*number), place.mgmt(), format!("del {number}"))
        {
            gone.push(*number);
        }
    }
    gone
}

fn device_groups(stack: &Stack, steps: &mut Steps) {
    for (name, state) in steps.live.device_groups.clone() {
        let Some(wanted) = stack.device_groups.iter().find(|group| group.name.as_str() == name) else {
            let object = ObjectId::new("device_group", &name);
            if steps.remove(&object, "device_groups/mgmt".into(), format!("del {name}")) {
                steps.live.device_groups.remove(&name);
            }
            continue;
        };
        for device in &state.devices {
            if !wanted.devices.iter().any(|wanted| wanted.as_str() == device) {
                let object = ObjectId::new("device_group_device", format!("{name}/{device}"));
                steps.remove(&object, format!("device_groups/{name}/devices/mgmt"), format!("del {device}"));
            }
        }
        let parent = format!("device_groups/{name}/target_groups");
        for (group, state) in &state.target_groups {
            let wanted = wanted.target_groups.iter().find(|wanted| wanted.name.as_str() == group);
            let Some(wanted) = wanted else {
                let object = ObjectId::new("target_group", format!("{name}/{group}"));
                steps.remove(&object, format!("{parent}/mgmt"), format!("del {group}"));
                continue;
            };
            let remote = wanted.remote_targets.iter().map(|target| &target.name);
            let names: Vec<&str> = wanted.targets.iter().chain(remote).map(|name| name.as_str()).collect();
            for (target, _) in &state.targets {
                if !names.contains(&target.as_str()) {
                    let object = ObjectId::new("target_group_target", format!("{name}/{group}/{target}"));
                    steps.remove(&object, format!("{parent}/{group}/mgmt"), format!("del {target}"));
                }
            }
        }
    }
}
