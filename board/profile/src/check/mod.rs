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

use crate::board::Board;
use crate::inherit::Flattened;
use crate::problem::Problem;
use crate::spec::ROOT;
use view::View;

/// The board that a flattened tree describes. It counts only if `problems` stays empty.
pub(crate) fn board(flattened: &Flattened, problems: &mut Vec<Problem>) -> Option<Board> {
    let root = View::root(&ROOT, &flattened.root);
    let board = sections::identity(&root, flattened, problems);
    let drivers = sections::drivers(&root);
    let disk = sections::disk(&root.table("disk"), problems);
    let vm = sections::vm(&root.table("vm"), disk.as_ref(), &drivers, problems);
    let (devices, names) = devices::all(&root, disk.as_ref(), problems);
    let (targets, target_names) = targets::all(&root, &names, problems);
    let device_groups = groups::all(&root, &names, &target_names, problems);
    Some(Board {
        schema: 1,
        kernel: sections::kernel(&root.table("kernel")),
        rootfs: sections::rootfs(&root.table("rootfs")),
        console: sections::console(&root.table("console"), problems),
        watchdog: sections::watchdog(&root.table("watchdog"), problems),
        scst: sections::scst(&root.table("scst"), problems),
        board: board?,
        drivers,
        disk: disk?,
        vm: vm?,
        devices,
        targets,
        device_groups,
    })
}
