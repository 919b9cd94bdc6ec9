// SPDX-License-Identifier: MIT OR Apache-2.0
//! Board profiles: TOML text to a checked [`Board`] to a pure, ordered [`Plan`]. No I/O happens here; the build
//! system and the appliance share this crate, so both apply the same rules.

mod board;
mod check;
mod inherit;
mod plan;
mod problem;
#[cfg(feature = "schema")]
mod schema;
mod source;
mod spec;
mod steps;
mod target;
mod text;
mod tree;
mod value;

use std::path::Path;

pub use board::{
    Arch, Attributes, Backing, Board, Bus, Console, Disk, Drivers, Handler, Identity, Kernel, Rootfs, Scst,
    Vm, VmDisk, Watchdog,
};
pub use plan::{Action, ObjectId, Plan, Step, SYSFS_ROOT};
pub use problem::{Problem, Problems};
#[cfg(feature = "schema")]
pub use schema::json_schema;
pub use source::{Loader, Source};
pub use target::{
    AluaState, Device, DeviceGroup, Driver, InitiatorGroup, Lun, RemoteTarget, Target, TargetGroup,
};
pub use text::{declares_board, diff, template, Change};
pub use value::{
    AttributeValue, BoardName, DeviceName, DevicePath, GroupName, ModuleName, PackageName, Pattern,
    RelativePath, Serial, SessionName, Size, TargetName, Tty,
};

/// Loads the profile called `name` through `loader`, flattens what it inherits, and checks everything.
///
/// # Errors
/// Every finding of the run, in all files.
pub fn load(name: &str, loader: &dyn Loader) -> Result<Board, Problems> {
    let mut problems = Vec::new();
    let flattened = inherit::flatten(name, loader, &mut problems).map(|flattened| {
        let file = Path::new(flattened.top.name()).file_stem();
        let file_name = file.map(|stem| stem.to_string_lossy().into_owned());
        inherit::Flattened { file_name, ..flattened }
    });
    finish(flattened, problems)
}

/// The board, unless there was anything to complain about.
fn finish(flattened: Option<inherit::Flattened>, mut problems: Vec<Problem>) -> Result<Board, Problems> {
    match flattened.and_then(|flattened| check::board(&flattened, &mut problems)) {
        Some(board) if problems.is_empty() => Ok(board),
        // A board that cannot be made without anybody saying why would be a mistake of this crate.
        None if problems.is_empty() => Err(Problems::new(vec![Problem::nowhere("the board cannot be made")])),
        _ => Err(Problems::new(problems)),
    }
}
