// SPDX-License-Identifier: MIT OR Apache-2.0
//! `appliance load`, `apply` and `plan`: from a configuration's text to the running target stack. What is there
//! already as it should be is left alone, so doing it twice writes nothing.

use crate::execute::{self, Machine};
use crate::links;
use crate::machine::Linux;
use crate::report::Report;
use crate::root::Root;
use crate::snapshot;
use board_profile::{Plan, Policy, Stack};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A configuration, and whose the box is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The file: TOML where its name ends in `.toml`, else `scst.conf`.
    pub(crate) path: String,
    /// Whether what it does not describe goes.
    pub(crate) policy: Policy,
}

impl Source {
    /// The stack that the file describes, or what is wrong with it, ready to print.
    fn stack(&self, root: &Root) -> Result<Stack, String> {
        let path = self.path.as_str();
        // What a person names is seen from where they are.
        let place = if path.starts_with('/') { root.at(path) } else { PathBuf::from(path) };
        let text = fs::read_to_string(place).map_err(|error| {
            format!("error: {path}: {error}\n  help: name a profile or an scst.conf; the image's own profile is made by the build\n")
        })?;
        let read = match path.ends_with(".toml") {
            true => Stack::from_toml(path, &text),
            false => Stack::from_conf(path, &text),
        };
        read.map_err(|problems| problems.plain())
    }

    /// The steps that make the running target stack be as described, or what is wrong with the description.
    pub(crate) fn plan(&self, root: &Root) -> Result<Plan, String> {
        Ok(self.stack(root)?.changes(&snapshot::read(root), self.policy))
    }

    /// Takes every step that can be taken, with the program `modprobe` for modules. Disks that are named and not there
    /// yet are waited for; one that never comes costs its own LUNs.
    pub(crate) fn load(&self, root: &Root, wait: Duration, modprobe: &str) -> Report {
        self.load_on(&mut Linux::new(root, modprobe), root, wait)
    }

    /// The same on any machine whose tree is below `root`.
    fn load_on(&self, machine: &mut impl Machine, root: &Root, wait: Duration) -> Report {
        let stack = match self.stack(root) {
            Ok(stack) => stack,
            Err(errors) => return Report::unusable(errors),
        };
        let plan = stack.changes(&snapshot::read(root), self.policy);
        let disks = if plan.steps.is_empty() { Vec::new() } else { disks(&stack) };
        let waited = if disks.is_empty() { Ok(true) } else { links::wait_for_devices(root, &disks, wait) };
        let mut report = execute::execute(&plan, machine);
        report.notes.extend(waited.err().map(|error| format!("new disks are not seen: {error}")));
        report
    }
}

/// Block devices that LUNs stand on.
fn disks(stack: &Stack) -> Vec<&str> {
    let files = stack.devices().iter().filter_map(|device| device.filename.as_ref());
    files.map(|file| file.as_str()).filter(|file| file.starts_with("/dev/")).collect()
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "load_left_tests.rs"]
mod left_tests;

#[cfg(test)]
#[path = "load_numbers_tests.rs"]
mod numbers_tests;

#[cfg(test)]
#[path = "load_random_tests.rs"]
mod random_tests;
