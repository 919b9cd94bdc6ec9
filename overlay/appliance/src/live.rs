// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the target stack serves right now, read from its sysfs tree.

use crate::root::{self, Root};
use board_profile::SYSFS_ROOT;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The target that the core makes for itself; nobody configures it.
const CORE_DRIVER: &str = "copy_manager";

/// The whole configuration.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Live {
    /// The core's version; none if it is not loaded.
    pub(crate) version: Option<String>,
    /// Handlers, by name.
    pub(crate) handlers: Vec<Handler>,
    /// Devices, by name.
    pub(crate) devices: Vec<Device>,
    /// Targets of all drivers, by driver and name.
    pub(crate) targets: Vec<Target>,
    /// Aborts and resets that target drivers count, by driver.
    pub(crate) error_handling: BTreeMap<String, String>,
    /// ALUA states, by device group and target group.
    pub(crate) target_groups: Vec<TargetGroup>,
}

/// A device handler.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Handler {
    pub(crate) name: String,
    /// Names of the devices that it serves.
    pub(crate) devices: Vec<String>,
}

/// A device.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Device {
    pub(crate) name: String,
    /// Its handler; none for a SCSI device that nobody took.
    pub(crate) handler: Option<String>,
    /// Size in bytes, where the handler tells it.
    pub(crate) bytes: Option<u64>,
    /// Logical block in bytes, where the handler tells it.
    pub(crate) block_bytes: Option<u64>,
    pub(crate) read_only: bool,
    /// Backing file or block device.
    pub(crate) filename: Option<String>,
    /// Number of LUNs that show it, over all targets and groups.
    pub(crate) luns: usize,
    pub(crate) state: DeviceState,
}

/// Whether a device answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeviceState {
    /// It does.
    Ready,
    /// Its backing is closed.
    Inactive,
    /// Somebody holds its commands back.
    Blocked,
    /// A drive without a medium.
    Empty,
}

/// An ALUA target group.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TargetGroup {
    pub(crate) device_group: String,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) devices: Vec<String>,
    pub(crate) targets: Vec<String>,
}

/// A target.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Target {
    pub(crate) driver: String,
    pub(crate) name: String,
    pub(crate) sessions: Vec<Session>,
    pub(crate) luns: Vec<Lun>,
}

/// One initiator's connection to a target.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Session {
    pub(crate) name: String,
    /// The initiator group that decides what it sees; none for the target's own LUNs.
    pub(crate) group: Option<String>,
    /// The number of the SCSI host that the session is, for scst_local.
    pub(crate) host: Option<u32>,
    /// Commands in flight.
    pub(crate) active_commands: Option<u64>,
    /// What it did since it is there, or since somebody reset the counters.
    pub(crate) io: Io,
}

/// Counters of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Io {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) read_kib: u64,
    pub(crate) written_kib: u64,
}

/// A device at a number.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Lun {
    /// The initiator group that sees it; none for all that are in no group.
    pub(crate) group: Option<String>,
    pub(crate) lun: String,
    pub(crate) device: String,
    pub(crate) read_only: bool,
}

impl Live {
    /// Reads the tree below `root`. What vanishes meanwhile is left out.
    pub(crate) fn read(root: &Root) -> Live {
        let tree = root.at(SYSFS_ROOT);
        let version = root::first_line(&tree.join("version"));
        let targets = read_targets(&tree.join("targets"));
        let each = |folder: &str| -> Vec<(String, PathBuf)> {
            let folder = tree.join(folder);
            root::names(&folder).into_iter().map(|name| (name.clone(), folder.join(name))).collect()
        };
        let handlers =
            each("handlers").into_iter().map(|(name, place)| Handler { name, devices: links(&place) });
        let devices = each("devices").into_iter().map(|(name, place)| read_device(name, &place, &targets));
        let counted =
            |(name, place): (String, PathBuf)| Some((name, root::first_line(&place.join("stats"))?));
        let groups = each("device_groups").into_iter().flat_map(|(name, place)| target_groups(&name, &place));
        Live {
            version,
            handlers: handlers.collect(),
            devices: devices.collect(),
            error_handling: each("targets").into_iter().filter_map(counted).collect(),
            target_groups: groups.collect(),
            targets,
        }
    }
}

fn target_groups(device_group: &str, place: &Path) -> Vec<TargetGroup> {
    let devices = links(&place.join("devices"));
    let folder = place.join("target_groups");
    let groups = root::names(&folder).into_iter().map(|name| (folder.join(&name), name));
    groups
        .filter(|(place, _)| place.is_dir())
        .map(|(place, name)| TargetGroup {
            device_group: device_group.to_string(),
            name,
            state: root::first_line(&place.join("state")).unwrap_or_else(|| "?".into()),
            devices: devices.clone(),
            targets: root::names(&place).into_iter().filter(|name| place.join(name).is_dir()).collect(),
        })
        .collect()
}

/// Names of the symbolic links in a folder; `module` is the kernel's own.
fn links(folder: &Path) -> Vec<String> {
    let is_link = |name: &String| name != "module" && folder.join(name).is_symlink();
    root::names(folder).into_iter().filter(is_link).collect()
}

/// The last part of what a link points to.
fn link_name(link: &Path) -> Option<String> {
    Some(fs::read_link(link).ok()?.file_name()?.to_str()?.to_string())
}

fn number<T: std::str::FromStr>(file: &Path) -> Option<T> {
    root::first_line(file)?.parse().ok()
}

fn read_device(name: String, place: &Path, targets: &[Target]) -> Device {
    let bytes = number::<u64>(&place.join("size"))
        .or_else(|| Some(number::<u64>(&place.join("size_mb"))?.saturating_mul(1 << 20)));
    Device {
        handler: link_name(&place.join("handler")),
        bytes,
        block_bytes: number(&place.join("blocksize")),
        // A CD-ROM drive has no file that says so.
        read_only: number::<u32>(&place.join("read_only")) != Some(0),
        filename: root::first_line(&place.join("filename")).filter(|name| name != "none"),
        state: device_state(place),
        luns: targets.iter().flat_map(|target| &target.luns).filter(|lun| lun.device == name).count(),
        name,
    }
}

fn device_state(place: &Path) -> DeviceState {
    let shows = |file: &str| root::first_line(&place.join(file)).unwrap_or_default();
    match (shows("active").as_str(), shows("block").as_str(), shows("filename").as_str()) {
        ("0", ..) => DeviceState::Inactive,
        (_, block, _) if !block.is_empty() && !block.starts_with('0') => DeviceState::Blocked,
        (.., "none") => DeviceState::Empty,
        _ => DeviceState::Ready,
    }
}

fn read_targets(folder: &Path) -> Vec<Target> {
    let drivers = root::names(folder).into_iter().filter(|driver| driver != CORE_DRIVER);
    drivers
        .flat_map(|driver| {
            let place = folder.join(&driver);
            let names = root::names(&place)
                .into_iter()
                .filter(|name| folder.join(&driver).join(name).join("luns").is_dir());
            names.map(|name| read_target(&driver, &place.join(&name), name)).collect::<Vec<_>>()
        })
        .collect()
}

fn read_target(driver: &str, place: &Path, name: String) -> Target {
    let sessions = place.join("sessions");
    let mut luns = read_luns(&place.join("luns"), None);
    for group in root::names(&place.join("ini_groups")) {
        luns.extend(read_luns(&place.join("ini_groups").join(&group).join("luns"), Some(&group)));
    }
    let sessions = root::names(&sessions).into_iter().filter(|name| sessions.join(name).is_dir());
    Target {
        driver: driver.to_string(),
        sessions: sessions.map(|name| read_session(&place.join("sessions").join(&name), name)).collect(),
        luns,
        name,
    }
}

fn read_luns(folder: &Path, group: Option<&str>) -> Vec<Lun> {
    let numbers = root::names(folder).into_iter().filter(|name| folder.join(name).is_dir());
    numbers
        .map(|lun| Lun {
            group: group.map(str::to_string),
            device: link_name(&folder.join(&lun).join("device")).unwrap_or_else(|| "?".into()),
            read_only: number::<u32>(&folder.join(&lun).join("read_only")) == Some(1),
            lun,
        })
        .collect()
}

fn read_io(place: &Path) -> Io {
    let count = |file: &str| number(&place.join(file)).unwrap_or_default();
    Io {
        reads: count("read_cmd_count"),
        writes: count("write_cmd_count"),
        read_kib: count("read_io_count_kb"),
        written_kib: count("write_io_count_kb"),
    }
}

/// A session's `luns` link ends in `ini_groups/<group>/luns` or in the target's own `luns`.
fn read_session(place: &Path, name: String) -> Session {
    let luns = fs::read_link(place.join("luns")).unwrap_or_default();
    let mut parts = luns.iter().rev().skip(1).map(|part| part.to_string_lossy().into_owned());
    let group = parts.next().filter(|_| parts.next().as_deref() == Some("ini_groups"));
    Session {
        group,
        host: number(&place.join("host_no")),
        active_commands: number(&place.join("active_commands")),
        io: read_io(place),
        name,
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
pub(crate) mod tests;
