// SPDX-License-Identifier: MIT OR Apache-2.0
//! The second pass, over the flattened tree: sections are read with their defaults, and what must hold between keys
//! is checked. It goes on after every finding, so that one run reports all of them.

mod attributes;
mod devices;
mod groups;
mod sections;
pub(crate) mod shape;
pub(crate) mod suggest;
mod targets;
mod unique;
mod view;

use crate::board::{Board, Disk};
use crate::inherit::Flattened;
use crate::problem::Problem;
use crate::spec::ROOT;
use crate::stack::Stack;
use crate::tree::Node;
use view::View;

/// The board that a flattened tree describes. It counts only if `problems` stays empty.
pub(crate) fn board(flattened: &Flattened, problems: &mut Vec<Problem>) -> Option<Board> {
    let root = View::root(&ROOT, &flattened.root);
    let board = sections::identity(&root, flattened, problems);
    let drivers = sections::drivers(&root);
    let disk = sections::disk(&root.table("disk"), problems);
    let vm = sections::vm(&root.table("vm"), disk.as_ref(), &drivers, problems);
    let stack = stack_of(&root, disk.as_ref(), Backings::OfTheImage, problems);
    Some(Board {
        schema: 1,
        kernel: sections::kernel(&root.table("kernel")),
        rootfs: sections::rootfs(&root.table("rootfs")),
        console: sections::console(&root.table("console"), problems),
        watchdog: sections::watchdog(&root.table("watchdog"), problems),
        board: board?,
        drivers,
        disk: disk?,
        vm: vm?,
        stack,
    })
}

/// What a device may stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backings {
    /// What an image has and keeps; no two devices share one.
    OfTheImage,
    /// Whatever the running system has.
    Anywhere,
}

/// The target stack that a tree describes by itself. It counts only if `problems` stays empty.
pub(crate) fn stack(root: &Node, backings: Backings, problems: &mut Vec<Problem>) -> Stack {
    stack_of(&View::root(&ROOT, root), None, backings, problems)
}

fn stack_of(root: &View<'_>, disk: Option<&Disk>, backings: Backings, problems: &mut Vec<Problem>) -> Stack {
    let scst = sections::scst(&root.table("scst"), problems);
    let (devices, names) = devices::all(root, disk, backings, problems);
    let (targets, target_names) = targets::all(root, &names, problems);
    let device_groups = groups::all(root, &names, &target_names, problems);
    Stack { scst, devices, targets, device_groups }
}
