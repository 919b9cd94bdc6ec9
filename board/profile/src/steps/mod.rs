// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a stack becomes steps: what differs from what is there, in an order in which every step is possible. Nothing
//! at all is there when a board comes up, so the same code makes both the whole plan and the difference.
//!
//! What goes comes first (targets, sessions, LUNs, members of groups, devices), then what comes: modules, the core,
//! devices, targets with their LUNs, groups and attributes, device groups. A target's sessions come last, when all
//! of its LUNs are there: the SCSI host of a session scans its LUNs once, when it appears. Two things are out of turn:
//! numbers that must make way for others do so between the core and the devices, and a drive gives its disc back where
//! the drive is told everything else.

mod compare;
mod devices;
mod groups;
mod luns;
mod numbers;
mod removal;
mod targets;

use crate::board::{Attributes, Handler};
use crate::plan::{Action, ObjectId, Plan, Policy, Step};
use crate::snapshot::{Files, Snapshot};
use crate::spec::{names_of, old_name_of, Attribute, Role, Spec};
use crate::stack::Stack;
use crate::target::{Driver, Target};
use compare::{default_of, same, set_without_key};
use std::collections::HashSet;
use std::fmt::Display;

/// The steps that make `live` be the stack.
pub(crate) fn plan(stack: &Stack, live: &Snapshot, policy: Policy) -> Plan {
    let mut steps = Steps {
        live: live.clone(),
        policy,
        gone: HashSet::new(),
        refused: HashSet::new(),
        read_only: HashSet::new(),
        unreached: groups::unreached(stack),
        told: HashSet::new(),
        plan: Plan::default(),
    };
    let anew = devices::made_anew(stack, &mut steps);
    removal::remove(stack, &anew, &mut steps);
    steps.read_only = devices::read_only(stack, &steps.live);
    modules(stack, &mut steps);
    let core = [module("scst")];
    let files = steps.live.files.clone();
    let owner = Owner { path: "", object: "scst", spec: &crate::spec::SCST, index: 0 };
    steps.attributes(&owner, &core, &stack.scst.attributes, &files);
    numbers::settle(stack, &mut steps);
    stack.devices.iter().for_each(|device| devices::device(device, &mut steps));
    stack.targets.iter().for_each(|target| targets::target(target, &mut steps));
    stack.device_groups.iter().for_each(|group| groups::device_group(stack, group, &mut steps));
    steps.plan
}

/// The steps so far, and what will be there once they are taken, as far as later steps ask.
struct Steps {
    live: Snapshot,
    policy: Policy,
    /// Removals among the steps.
    gone: HashSet<ObjectId>,
    /// Devices that are something else than described and stay so: nothing is written to them.
    refused: HashSet<String>,
    /// Devices that cannot be written, so that none of their LUNs can.
    read_only: HashSet<String>,
    /// Devices that no target leads to when the groups are as described: the core closes their stores.
    unreached: HashSet<String>,
    /// Attributes that were written out of turn.
    told: HashSet<ObjectId>,
    plan: Plan,
}

/// An object that has attributes.
struct Owner<'a> {
    /// Its folder below SCST's own, empty for that itself.
    path: &'a str,
    /// Its name in objects' names.
    object: &'a str,
    spec: &'static Spec,
    /// Which of the roles of its attributes is its own.
    index: usize,
}

impl Steps {
    fn push(&mut self, object: ObjectId, needs: &[ObjectId], action: Action) {
        // What is made anew must be gone before.
        let gone = Some(removal::of(&object)).filter(|gone| self.gone.contains(gone));
        let needs = needs.iter().cloned().chain(gone).collect();
        self.plan.steps.push(Step { object, needs, action, note: None });
    }

    fn write(&mut self, object: ObjectId, needs: &[ObjectId], path: impl Display, data: impl Display) {
        self.push(object, needs, Action::Write { path: path.to_string(), data: data.to_string() });
    }

    /// The same with a word to the reader.
    fn noted(&mut self, note: String) {
        if let Some(step) = self.plan.steps.last_mut() {
            step.note = Some(note);
        }
    }

    fn present(&mut self, object: ObjectId) {
        self.plan.present.push(object);
    }

    fn note(&mut self, note: impl Into<String>) {
        self.plan.notes.push(note.into());
    }

    /// Whether what is not described may be taken away.
    fn owns(&self) -> bool {
        self.policy == Policy::Own
    }

    /// Every attribute of an object: one write for each that is not as it should be, and the default for what
    /// somebody set and nobody describes.
    fn attributes(&mut self, owner: &Owner<'_>, needs: &[ObjectId], wanted: &Attributes, files: &Files) {
        for (name, value) in wanted {
            let attribute = owner.spec.attribute(name);
            self.attribute(owner, needs, name, value, attribute, files);
        }
        let unwanted = files.iter().filter(|(name, file)| {
            let old_name = old_name_of(name).is_some_and(|new| files.contains_key(new));
            let described = names_of(name).any(|name| wanted.contains_key(name));
            let set = file.key || set_without_key(name, &file.value);
            set && file.writable && !described && !old_name && owner.spec.attribute(name).is_some()
        });
        for (name, file) in unwanted {
            self.reset(owner, needs, name, &file.value);
        }
    }

    fn attribute(
        &mut self,
        owner: &Owner<'_>,
        needs: &[ObjectId],
        name: &str,
        value: impl Display,
        attribute: Option<&Attribute>,
        files: &Files,
    ) {
        let object = ObjectId::new("attribute", format!("{}/{name}", owner.object));
        let value = value.to_string();
        if self.told.contains(&object) {
            return;
        }
        match files.get(name) {
            Some(file)
                if !file.unsayable
                    && attribute.is_some_and(|known| same(known.kind, &value, &file.value)) =>
            {
                // What is given when the object is made is no object of its own.
                if attribute.is_some_and(|known| known.role(owner.index) != Role::Create) {
                    self.present(object);
                }
            }
            _ => self.write(object, needs, below(owner.path, name), value),
        }
    }

    fn reset(&mut self, owner: &Owner<'_>, needs: &[ObjectId], name: &str, value: &str) {
        let shown = below(owner.path, name);
        match default_of(owner.spec, owner.index, name).filter(|_| self.owns()) {
            Some(default) => {
                let object = ObjectId::new("attribute", format!("{}/{name}", owner.object));
                self.write(object, needs, &shown, default);
                self.noted(format!("`{name}` is not described any more, so it gets its default"));
            }
            None => self.note(format!("{shown} is `{value}`, which nobody describes; it stays")),
        }
    }
}

/// A file's path below SCST's own folder.
pub(crate) fn below(folder: &str, name: &str) -> String {
    match folder.is_empty() {
        true => name.to_string(),
        false => format!("{folder}/{name}"),
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
fn modules(stack: &Stack, steps: &mut Steps) {
    load(stack, "scst", &[], &[], steps);
    let mut handlers: Vec<&str> =
        stack.devices.iter().map(|device| Handler::module(device.handler)).collect();
    handlers.dedup();
    for name in handlers {
        load(stack, name, &[], &[module("scst")], steps);
    }
    if stack.targets.iter().any(|target| target.driver == Driver::ScstLocal) {
        // The profile names its targets itself, so the driver's own one would only be in the way.
        load(stack, "scst_local", &["add_default_tgt=0"], &[module("scst")], steps);
    }
}

/// One module, unless it is loaded; then its parameters cannot be changed any more.
fn load(stack: &Stack, name: &str, fixed: &[&str], needs: &[ObjectId], steps: &mut Steps) {
    let given: Attributes = stack.scst.parameters.get(name).cloned().unwrap_or_default();
    if let Some(loaded) = steps.live.modules.get(name).cloned() {
        steps.present(module(name));
        for (parameter, value) in &given {
            let value = value.to_string();
            let shown = loaded.get(parameter);
            // The kernel shows switches as Y and N.
            let same =
                shown.is_none_or(|shown| *shown == value || *shown == if value == "1" { "Y" } else { "N" });
            if !same {
                let shown = shown.map_or("", String::as_str);
                steps.note(format!(
                    "module {name} is loaded with {parameter}={shown} instead of {value}; `appliance unload` and `appliance load` change that"
                ));
            }
        }
        return;
    }
    let given = given.iter().map(|(parameter, value)| format!("{parameter}={value}"));
    let params = fixed.iter().map(|param| param.to_string()).chain(given).collect();
    steps.push(module(name), needs, Action::Modprobe { module: name.to_string(), params });
}
