// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values that no two objects share, `rel_tgt_id` of targets and `usn` of devices. SCST refuses one that another object
//! has, so where they move from object to object, who has one and gets another is told first, and in a circle one of
//! them takes a free number for the moment.

use super::{below, device_id, Steps};
use crate::plan::ObjectId;
use crate::snapshot::Files;
use crate::stack::Stack;
use std::collections::{HashMap, HashSet};

/// An object with such a value, or one that gets it.
struct Holder {
    /// Its folder below SCST's own, which is also its name in those of its attributes.
    folder: String,
    id: ObjectId,
    /// Whether it is there already.
    there: bool,
    live: Option<String>,
    wanted: Option<String>,
    /// What it can get instead for good, where nobody describes what it has.
    instead: Instead,
}

enum Instead {
    /// Nothing: it keeps what it has.
    Nothing,
    /// Any number that is free.
    Free,
    /// This one.
    Given(String),
}

/// Writes what has to be written before others so that every value finds its object.
pub(super) fn settle(stack: &Stack, steps: &mut Steps) {
    let targets = targets(stack, steps);
    Numbers::new("rel_tgt_id", targets).settle(steps);
    let devices = devices(stack, steps);
    Numbers::new("usn", devices).settle(steps);
}

fn targets(stack: &Stack, steps: &Steps) -> Vec<Holder> {
    let mut holders = Vec::new();
    for (driver, state) in &steps.live.drivers {
        for (name, state) in &state.targets {
            let object = format!("{driver}/{name}");
            let live = state.files.get("rel_tgt_id").map(|file| file.value.clone());
            holders.push(Holder {
                folder: format!("targets/{object}"),
                id: ObjectId::new("target", &object),
                there: true,
                // A target starts without a number.
                live: live.filter(|live| live != "0"),
                wanted: None,
                instead: Instead::Nothing,
            });
        }
    }
    for target in &stack.targets {
        let object = format!("{}/{}", target.driver, target.name);
        let wanted = target.attributes.get("rel_tgt_id").map(ToString::to_string);
        let instead = if steps.owns() { Instead::Free } else { Instead::Nothing };
        describe(&mut holders, format!("targets/{object}"), super::target_id(target), wanted, instead);
    }
    holders
}

fn devices(stack: &Stack, steps: &Steps) -> Vec<Holder> {
    let mut holders = Vec::new();
    for (name, files) in steps.live.handlers.values().flat_map(|state| &state.devices) {
        let object = format!("devices/{name}");
        let live = files.get("usn").map(|file| file.value.clone());
        let (id, instead) = (device_id(name), Instead::Nothing);
        holders.push(Holder { folder: object, id, there: true, live, wanted: None, instead });
    }
    for device in stack.devices.iter().filter(|device| !steps.refused.contains(device.name.as_str())) {
        let object = format!("devices/{}", device.name);
        let wanted = device.attributes.get("usn").map(ToString::to_string);
        let default = steps.live.device(device.name.as_str()).and_then(|(_, files)| default_usn(files));
        let instead = default.filter(|_| steps.owns()).map_or(Instead::Nothing, Instead::Given);
        describe(&mut holders, object, device_id(&device.name), wanted, instead);
    }
    holders
}

/// The serial number that a device is made with: what stands before its name in the identification that it is made
/// with, too.
fn default_usn(files: &Files) -> Option<String> {
    let id = files.get("t10_dev_id").filter(|id| !id.key)?;
    id.value.split_once('-').map(|(usn, _)| usn.to_string())
}

/// Says what an object should have.
fn describe(
    holders: &mut Vec<Holder>,
    folder: String,
    id: ObjectId,
    wanted: Option<String>,
    instead: Instead,
) {
    match holders.iter_mut().find(|holder| holder.folder == folder) {
        Some(holder) => {
            holder.wanted = wanted;
            holder.instead = instead;
        }
        None => holders.push(Holder { folder, id, there: false, live: None, wanted, instead }),
    }
}

struct Numbers {
    name: &'static str,
    holders: Vec<Holder>,
    /// Objects that cannot get what they should have: writing it will say so.
    stuck: HashSet<usize>,
    /// The steps after which a value is free.
    freed: HashMap<String, ObjectId>,
}

impl Numbers {
    fn new(name: &'static str, holders: Vec<Holder>) -> Numbers {
        Numbers { name, holders, stuck: HashSet::new(), freed: HashMap::new() }
    }

    /// Whether an object that is there gets another value.
    fn moves(&self, at: usize) -> bool {
        let holder = &self.holders[at];
        holder.there && holder.wanted.is_some() && holder.wanted != holder.live && !self.stuck.contains(&at)
    }

    /// Who else has what this object should have.
    fn in_the_way(&self, at: usize) -> Option<usize> {
        let wanted = self.holders[at].wanted.as_ref()?;
        (0..self.holders.len())
            .find(|other| *other != at && self.holders[*other].live.as_ref() == Some(wanted))
    }

    /// Resolves one conflict after the other. Every turn an object gets what it should have, or what nobody wants, or
    /// is stuck; so it ends.
    fn settle(mut self, steps: &mut Steps) {
        let conflict = |numbers: &Numbers| {
            let mut all = 0..numbers.holders.len();
            all.find(|at| !numbers.stuck.contains(at) && numbers.in_the_way(*at).is_some())
        };
        while let Some(start) = conflict(&self) {
            let (mut at, mut seen) = (start, HashSet::from([start]));
            // The end of the chain of those that wait for each other.
            let holder = loop {
                match self.in_the_way(at) {
                    Some(next) if self.moves(next) && seen.insert(next) => at = next,
                    holder => break holder,
                }
            };
            match holder {
                None => self.write_wanted(at, steps),
                Some(holder) if self.moves(holder) => {
                    let free = self.free();
                    self.make_way(holder, free, at, steps);
                }
                Some(holder) => match &self.holders[holder].instead {
                    Instead::Free if self.holders[holder].wanted.is_none() => {
                        let free = self.free();
                        self.make_way(holder, free, at, steps);
                    }
                    Instead::Given(value) if self.holders[holder].wanted.is_none() && self.is_free(value) => {
                        let value = value.clone();
                        self.make_way(holder, value, at, steps);
                    }
                    _ => drop(self.stuck.insert(at)),
                },
            }
        }
    }

    fn is_free(&self, value: &str) -> bool {
        let has =
            |holder: &Holder| [&holder.live, &holder.wanted].into_iter().flatten().any(|has| has == value);
        !self.holders.iter().any(has)
    }

    /// The least number that nobody has or wants.
    fn free(&self) -> String {
        (1u32..).map(|number| number.to_string()).find(|number| self.is_free(number)).unwrap_or_default()
    }

    fn make_way(&mut self, at: usize, value: String, whom: usize, steps: &mut Steps) {
        let object = ObjectId::new("interim", format!("{}/{}", self.holders[at].folder, self.name));
        let note = format!(
            "`{}` of {} makes way for {}",
            self.name, self.holders[at].folder, self.holders[whom].folder
        );
        self.write(at, object, value, steps);
        steps.noted(note);
    }

    fn write_wanted(&mut self, at: usize, steps: &mut Steps) {
        let object = ObjectId::new("attribute", format!("{}/{}", self.holders[at].folder, self.name));
        let value = self.holders[at].wanted.clone().unwrap_or_default();
        steps.told.insert(object.clone());
        self.write(at, object, value, steps);
    }

    fn write(&mut self, at: usize, object: ObjectId, value: String, steps: &mut Steps) {
        let holder = &mut self.holders[at];
        let freed = self.freed.get(&value).cloned();
        let needs: Vec<ObjectId> = [holder.id.clone()].into_iter().chain(freed).collect();
        steps.write(object.clone(), &needs, below(&holder.folder, self.name), &value);
        if let Some(before) = holder.live.replace(value.clone()) {
            self.freed.insert(before, object);
        }
        let files = steps.live.files_of(&holder.folder);
        if let Some(file) = files.and_then(|files| files.get_mut(self.name)) {
            file.value = value;
        }
    }
}
