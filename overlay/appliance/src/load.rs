// SPDX-License-Identifier: MIT OR Apache-2.0
//! `appliance load` and `appliance plan`: from the profile's text to the running target stack.

use crate::execute;
use crate::machine::Linux;
use crate::report::Report;
use crate::root::Root;
use board_profile::{Board, Plan};
use std::fs;

/// The plan of the flat profile at `path`, or what is wrong with it, ready to print.
pub(crate) fn plan(root: &Root, path: &str) -> Result<Plan, String> {
    let text = fs::read_to_string(root.at(path)).map_err(|error| {
        format!("error: {path}: {error}\n  help: the build puts the profile there; rebuild the image, or name one with --profile\n")
    })?;
    Ok(Board::from_flat(path, &text).map_err(|problems| problems.plain())?.plan())
}

/// Takes every step of the profile at `path` that can be taken, with the program `modprobe` for modules.
pub(crate) fn load(root: &Root, path: &str, modprobe: &str) -> Report {
    match plan(root, path) {
        Ok(plan) => execute::execute(&execute::tasks(&plan), &mut Linux::new(root, modprobe)),
        Err(errors) => Report::unusable(errors),
    }
}
