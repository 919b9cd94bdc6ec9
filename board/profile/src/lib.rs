// SPDX-License-Identifier: MIT OR Apache-2.0
//! Board profiles: TOML text to a checked [`Board`] to a pure, ordered [`Plan`]. No I/O happens here; the build
//! system and the appliance share this crate, so both apply the same rules.

mod board;
mod plan;
mod problem;
mod source;
mod target;
mod value;

pub use board::{
    Arch, Attributes, Backing, Board, Bus, Console, Disk, Drivers, Handler, Identity, Kernel, Rootfs, Scst,
    Vm, VmDisk, Watchdog,
};
pub use plan::{Action, ObjectId, Plan, Step, SYSFS_ROOT};
pub use problem::{Problem, Problems};
pub use source::{Loader, Source};
pub use target::{
    AluaState, Device, DeviceGroup, Driver, InitiatorGroup, Lun, RemoteTarget, Target, TargetGroup,
};
pub use value::{
    AttributeValue, BoardName, DeviceName, DevicePath, GroupName, ModuleName, PackageName, Pattern,
    RelativePath, Serial, SessionName, Size, TargetName, Tty,
};

/// Loads the profile called `name` through `loader`, flattens what it inherits, and checks everything.
///
/// # Errors
/// Every finding of the run, in all files.
pub fn load(name: &str, loader: &dyn Loader) -> Result<Board, Problems> {
    let _ = (name, loader);
    unimplemented!("arrives with the checker")
}

/// True if the profile's own text declares a board (`[board] name`), rather than only what boards inherit.
pub fn declares_board(text: &str) -> bool {
    let _ = text;
    unimplemented!("arrives with the checker")
}

/// One key that differs between two boards.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The key's path, such as `vm.memory` or `device.disk1.size`.
    pub key: String,
    /// The value on the left, as TOML; none where the key is only on the right.
    pub from: Option<String>,
    /// The value on the right, as TOML; none where the key is only on the left.
    pub to: Option<String>,
}

/// What differs between two boards, in key order.
pub fn diff(left: &Board, right: &Board) -> Vec<Change> {
    let _ = (left, right);
    unimplemented!("arrives with the checker")
}

/// The text of a new board's profile, ready to edit.
pub fn template(name: &str) -> String {
    let _ = name;
    unimplemented!("arrives with the checker")
}

/// The JSON schema of a profile, as committed next to the boards.
#[cfg(feature = "schema")]
pub fn json_schema() -> String {
    unimplemented!("arrives with the checker")
}

impl Board {
    /// Checks a flat profile: one text that inherits nothing, as the image carries it. `path` is for messages.
    ///
    /// # Errors
    /// Every finding of the run.
    pub fn from_flat(path: &str, text: &str) -> Result<Board, Problems> {
        let _ = (path, text);
        unimplemented!("arrives with the checker")
    }

    /// The board as one canonical TOML text; [`Board::from_flat`] gives an equal board back.
    pub fn flat(&self) -> String {
        unimplemented!("arrives with the checker")
    }

    /// What brings the board's devices, targets and LUNs up, in order.
    pub fn plan(&self) -> Plan {
        unimplemented!("arrives with the checker")
    }
}
