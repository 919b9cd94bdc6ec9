// SPDX-License-Identifier: MIT OR Apache-2.0
//! Board profiles: TOML text to a checked [`Board`] to a pure, ordered [`Plan`].
//!
//! No I/O happens here: profiles come from a [`Loader`], and what is to be done on the appliance is only described.
//! The build system and the appliance share this crate, so both apply the same rules.
//!
//! ```text
//! text ─ parse ─ shape (each file by itself) ─ merge (`inherit`) ─ check (between keys) ─ Board ─ Plan
//!                                 │                                    │                    └ flat text
//!                                 └───────────── Problems ─────────────┘
//! ```
//!
//! * [`load`] finds a profile by name, flattens what it inherits and checks everything; [`Board::from_flat`] does
//!   the same for the one text that an image carries. Both report every finding of the run as [`Problems`]: a miette
//!   diagnostic, a plain text ([`Problems::plain`]), and JSON by serde.
//! * [`Board`] has one accessor for each section. Every section is a struct of its own that serialises with the
//!   profile's key names, so that a build stage can hash just the part that it reads. Nothing that has a default is
//!   left open.
//! * [`Board::plan`] gives the steps that bring the board up, each with the steps that it needs. A step prints as a
//!   person would type it.
//! * [`Board::flat`], [`diff`], [`template`] and `json_schema` (feature `schema`) are the other texts.
//!
//! Keys are described once, in `spec`: the checker and the JSON schema are both made from that. Serde does not read
//! profiles here, since it stops at the first mistake and knows nothing of which file a merged value came from.
//!
//! ```
//! use board_profile::{load, Source};
//!
//! let loader = |name: &str| match name {
//!     "tiny" => Ok(Source {
//!         path: "board/tiny.toml".into(),
//!         text: "schema = 1\n[board]\nname = \"tiny\"\n[vm]\nmemroy = \"1 GiB\"\n".into(),
//!     }),
//!     _ => Err("no such file".to_string()),
//! };
//! let problems = load("tiny", &loader).expect_err("`memroy` is no key");
//! assert!(problems.plain().contains("did you mean `memory`?"));
//! ```

mod board;
mod check;
mod conf;
mod inherit;
mod plan;
mod problem;
#[cfg(feature = "schema")]
mod schema;
mod snapshot;
mod source;
mod spec;
mod stack;
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
pub use plan::{Action, ObjectId, Plan, Policy, Step, SYSFS_ROOT};
pub use problem::{Problem, Problems};
#[cfg(feature = "schema")]
pub use schema::json_schema;
pub use snapshot::{
    DeviceGroupState, DriverState, File, Files, GroupState, HandlerState, LunState, Snapshot,
    TargetGroupState, TargetState,
};
pub use source::{Loader, Source};
pub use stack::Stack;
pub use target::{
    AluaState, Device, DeviceGroup, Driver, InitiatorGroup, Lun, RemoteTarget, Target, TargetGroup,
};
pub use text::{board_of, declares_board, diff, template, Change};
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
