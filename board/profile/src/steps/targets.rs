// SPDX-License-Identifier: MIT OR Apache-2.0
//! Targets with their LUNs, groups and sessions.

use super::luns::{self, Place};
use super::{module, target_id, Owner, Steps};
use crate::plan::ObjectId;
use crate::snapshot::{GroupState, TargetState};
use crate::spec::{GROUP, TARGET};
use crate::target::{InitiatorGroup, Target};
use std::collections::BTreeMap;

/// One target.
pub(super) fn target(target: &Target, steps: &mut Steps) {
    let (driver, name, id) = (target.driver, &target.name, target_id(target));
    let (folder, object) = (format!("targets/{driver}/{name}"), format!("{driver}/{name}"));
    let state = steps.live.drivers.get(driver.as_str()).and_then(|driver| driver.targets.get(name.as_str()));
    let state = state.cloned();
    match &state {
        Some(_) => steps.present(id.clone()),
        None => {
            let needs = [module(driver.as_str())];
            steps.write(id.clone(), &needs, format!("targets/{driver}/mgmt"), format!("add_target {name}"));
        }
    }
    let state = state.unwrap_or_default();
    let needs = [id];
    steps.attributes(
        &Owner { path: &folder, object: &folder, spec: &TARGET, index: 0 },
        &needs,
        &target.attributes,
        &state.files,
    );
    let place = Place { folder: &folder, object: &object, needs: &needs };
    luns::wanted(&place, &target.luns, &state.luns, steps);
    groups(target, &place, &state, steps);
    sessions(target, &needs, &state, steps);
}

/// A session that came up without its group would show the LUNs of another, so it needs all groups.
fn sessions(target: &Target, needs: &[ObjectId], state: &TargetState, steps: &mut Steps) {
    let (driver, name) = (target.driver, &target.name);
    let groups = target.groups.iter().flat_map(|group| group_ids(&format!("{driver}/{name}"), group));
    let needs: Vec<ObjectId> = needs.iter().cloned().chain(groups).collect();
    for session in &target.sessions {
        let object = ObjectId::new("session", format!("{driver}/{name}/{session}"));
        if state.sessions.iter().any(|there| there == session.as_str()) {
            steps.present(object);
            continue;
        }
        let data = format!("add_session {name} {session}");
        steps.write(object, &needs, format!("targets/{driver}/mgmt"), data);
    }
}

/// A group and its initiators.
fn group_ids(owner: &str, group: &InitiatorGroup) -> Vec<ObjectId> {
    let owner = format!("{owner}/{}", group.name);
    let pattern = |pattern| ObjectId::new("initiator", format!("{owner}/{pattern}"));
    [ObjectId::new("group", &owner)].into_iter().chain(group.initiators.iter().map(pattern)).collect()
}

/// All groups of a target. A pattern that another group has moves over, so that its sessions are never without a
/// group; what nobody describes goes last.
fn groups(target: &Target, place: &Place<'_>, state: &TargetState, steps: &mut Steps) {
    let mut left: BTreeMap<String, Vec<String>> =
        state.groups.iter().map(|(name, group)| (name.clone(), group.initiators.clone())).collect();
    order(target, place, state, steps);
    for group in &target.groups {
        add_group(group, place, state, &mut left, steps);
    }
    for (name, patterns) in left {
        let folder = format!("{}/ini_groups/{name}", place.folder);
        let described = target.groups.iter().any(|group| group.name.as_str() == name);
        if described {
            for pattern in patterns {
                let object = ObjectId::new("initiator", format!("{}/{name}/{pattern}", place.object));
                steps.remove(&object, format!("{folder}/initiators/mgmt"), format!("del {pattern}"));
            }
            continue;
        }
        let object = ObjectId::new("group", format!("{}/{name}", place.object));
        if steps.owns() && !patterns.is_empty() {
            // Its sessions must leave it first.
            let initiators = ObjectId::new("initiators", format!("{}/{name}", place.object));
            steps.remove(&initiators, format!("{folder}/initiators/mgmt"), "clear".into());
        }
        steps.remove(&object, format!("{}/ini_groups/mgmt", place.folder), format!("del {name}"));
    }
}

/// The first group that matches an initiator has it, and groups are in the order in which they were made. Nothing but
/// making them anew changes that, which costs sessions their LUNs, so a note says what the next boot will do.
fn order(target: &Target, place: &Place<'_>, state: &TargetState, steps: &mut Steps) {
    let wild = |group: &InitiatorGroup| group.initiators.iter().any(|pattern| pattern.is_wild());
    let made = |group: &InitiatorGroup| {
        let there = state.groups.iter().position(|(name, _)| name == group.name.as_str());
        // What comes now comes behind all that is there.
        there.unwrap_or(state.groups.len())
    };
    let wrong = target.groups.iter().enumerate().find_map(|(at, first)| {
        let mut later = target.groups[at + 1..].iter();
        let before = later.find(|second| made(second) < made(first) && (wild(first) || wild(second)))?;
        Some((&first.name, &before.name))
    });
    if let Some((first, second)) = wrong {
        steps.note(format!(
            "target {}: the group {second} comes before {first}, and should come behind it; where both match an initiator, the first has it; `appliance unload` and `appliance load` change that",
            place.object
        ));
    }
}

/// A group gets its LUNs before its initiators, so that nobody is in a group that is not complete.
fn add_group(
    group: &InitiatorGroup,
    owner: &Place<'_>,
    state: &TargetState,
    left: &mut BTreeMap<String, Vec<String>>,
    steps: &mut Steps,
) {
    let name = &group.name;
    let object = format!("{}/{name}", owner.object);
    let id = ObjectId::new("group", &object);
    let there = state.groups.iter().find(|(known, _)| known == name.as_str()).map(|(_, state)| state);
    match there {
        Some(_) => steps.present(id.clone()),
        None => steps.write(
            id.clone(),
            owner.needs,
            format!("{}/ini_groups/mgmt", owner.folder),
            format!("create {name}"),
        ),
    }
    let empty = GroupState::default();
    let there = there.unwrap_or(&empty);
    let folder = format!("{}/ini_groups/{name}", owner.folder);
    let needs = [id];
    let own = Owner { path: &folder, object: &folder, spec: &GROUP, index: 0 };
    steps.attributes(&own, &needs, &group.attributes, &there.files);
    let place = Place { folder: &folder, object: &object, needs: &needs };
    luns::wanted(&place, &group.luns, &there.luns, steps);
    for pattern in &group.initiators {
        initiator(pattern.as_str(), name.as_str(), &place, owner.folder, left, steps);
    }
}

fn initiator(
    pattern: &str,
    group: &str,
    place: &Place<'_>,
    target: &str,
    left: &mut BTreeMap<String, Vec<String>>,
    steps: &mut Steps,
) {
    let object = ObjectId::new("initiator", format!("{}/{pattern}", place.object));
    let take = |patterns: &mut Vec<String>| {
        patterns.iter().position(|known| known == pattern).map(|at| patterns.remove(at)).is_some()
    };
    if left.get_mut(group).is_some_and(take) {
        steps.present(object);
        return;
    }
    let elsewhere = left.iter_mut().find(|(_, patterns)| patterns.iter().any(|known| known == pattern));
    match elsewhere {
        Some((from, _)) if !steps.owns() => {
            steps.note(format!("{object} is in the group {from}; --force moves it"));
        }
        Some((from, patterns)) => {
            let path = format!("{target}/ini_groups/{from}/initiators/mgmt");
            steps.write(object, place.needs, path, format!("move {pattern} {group}"));
            take(patterns);
        }
        None => {
            let path = format!("{}/initiators/mgmt", place.folder);
            steps.write(object, place.needs, path, format!("add {pattern}"));
        }
    }
}
