// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads SCST's sysfs tree as its own management tools do: first lines, `[key]` lines, folders and links.

use crate::block::SIZE_UNIT_BYTES;
use crate::root::{self, Root};
use board_profile::{
    DeviceGroupState, DriverState, File, Files, GroupState, HandlerState, LunState, Snapshot,
    TargetGroupState, TargetState, SYSFS_ROOT,
};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Modules whose parameters a profile may give.
const MODULES: [&str; 3] = ["scst", "scst_vdisk", "scst_local"];
/// Files that hold no setting: help texts, the last result, and lists of commands in flight.
const NO_SETTINGS: [&str; 4] = ["mgmt", "last_sysfs_mgmt_res", "trace_cmds", "trace_mcmds"];
/// How a handler's help text begins the list of what `add_device` takes.
const PARAMETERS: &str = "The following parameters available:";

/// What is there now. What vanishes meanwhile is left out.
pub(crate) fn read(root: &Root) -> Snapshot {
    let tree = root.at(SYSFS_ROOT);
    let version = root::first_line(&tree.join("version")).unwrap_or_default();
    let handlers: BTreeMap<String, HandlerState> =
        folders(&tree.join("handlers")).map(|(name, place)| (name, handler(&tree, &place))).collect();
    Snapshot {
        version: version.trim_start_matches("SCST version: ").to_string(),
        modules: MODULES
            .into_iter()
            .filter_map(|name| Some((name.to_string(), module(&root.at("/sys/module").join(name))?)))
            .collect(),
        files: files(&tree),
        stores: stores(root, &handlers),
        handlers,
        drivers: folders(&tree.join("targets")).map(|(name, place)| (name, driver(&place))).collect(),
        device_groups: folders(&tree.join("device_groups"))
            .map(|(name, place)| (name, device_group(&place)))
            .collect(),
    }
}

/// The sizes of the disks behind devices, as the block layer has them.
fn stores(root: &Root, handlers: &BTreeMap<String, HandlerState>) -> BTreeMap<String, u64> {
    let devices = handlers.values().flat_map(|state| state.devices.values());
    let paths = devices.filter_map(|files| files.get("filename")).map(|file| file.value.clone());
    let size = |path: &str| {
        let disk = fs::canonicalize(root.at(path)).ok()?;
        let sectors = root.at("/sys/class/block").join(disk.file_name()?).join("size");
        root::first_line(&sectors)?.parse::<u64>().ok()?.checked_mul(SIZE_UNIT_BYTES)
    };
    let disks = paths.filter(|path| path.starts_with("/dev/"));
    disks.filter_map(|path| Some((path.clone(), size(&path)?))).collect()
}

/// A loaded module's parameters.
fn module(place: &Path) -> Option<BTreeMap<String, String>> {
    place.is_dir().then(|| {
        let folder = place.join("parameters");
        let names = root::names(&folder);
        names
            .into_iter()
            .filter_map(|name| Some((name.clone(), root::first_line(&folder.join(name))?)))
            .collect()
    })
}

/// Everything in a folder, in the order in which the folder lists it.
fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let named = |entry: fs::DirEntry| Some((entry.file_name().into_string().ok()?, entry.path()));
    entries.flatten().filter_map(named).collect()
}

/// Folders in a folder, without those that only a link leads to.
fn folders(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    entries(folder).into_iter().filter(|(_, place)| place.is_dir() && !place.is_symlink())
}

/// Names of links in a folder; `module` is the kernel's own.
fn links(folder: &Path) -> impl Iterator<Item = String> {
    let links = entries(folder).into_iter().filter(|(name, place)| name != "module" && place.is_symlink());
    links.map(|(name, _)| name)
}

/// Files that can be read and hold a value.
fn files(folder: &Path) -> Files {
    let files = entries(folder).into_iter().filter_map(|(name, place)| {
        let found = fs::symlink_metadata(&place).ok().filter(|found| found.is_file())?;
        let mode = found.permissions().mode();
        if mode & 0o444 == 0 || NO_SETTINGS.contains(&name.as_str()) {
            return None;
        }
        // One that cannot be read has an empty value, as for SCST's own tool.
        let text = fs::read(&place).unwrap_or_default();
        Some((name, File::parse(&String::from_utf8_lossy(&text), mode & 0o222 != 0)))
    });
    files.collect()
}

fn handler(tree: &Path, place: &Path) -> HandlerState {
    let help = fs::read_to_string(place.join("mgmt")).unwrap_or_default();
    let listed = help.lines().find_map(|line| line.strip_prefix(PARAMETERS)).unwrap_or_default();
    let listed = listed.split(',').map(str::trim).filter(|name| !name.is_empty());
    HandlerState {
        files: files(place),
        parameters: listed.map(str::to_string).collect(),
        devices: links(place).map(|name| (name.clone(), files(&tree.join("devices").join(name)))).collect(),
    }
}

fn driver(place: &Path) -> DriverState {
    let targets = folders(place).filter(|(name, _)| name != "module");
    DriverState {
        files: files(place),
        targets: targets.map(|(name, place)| (name, target(&place))).collect(),
    }
}

fn target(place: &Path) -> TargetState {
    let mut sessions: Vec<String> = folders(&place.join("sessions")).map(|(name, _)| name).collect();
    sessions.sort();
    TargetState {
        files: files(place),
        sessions,
        luns: luns(&place.join("luns")),
        groups: made_order(folders(&place.join("ini_groups")))
            .into_iter()
            .map(|(name, place)| (name, group(&place)))
            .collect(),
    }
}

/// In the order in which they were made. A listing has no order, but sysfs numbers what it makes, ever upwards.
fn made_order(folders: impl Iterator<Item = (String, PathBuf)>) -> Vec<(String, PathBuf)> {
    let mut folders: Vec<_> = folders.collect();
    let number = |place: &PathBuf| fs::symlink_metadata(place).map_or(0, |found| found.ino());
    folders.sort_by_cached_key(|(_, place)| number(place));
    folders
}

fn luns(folder: &Path) -> BTreeMap<u16, LunState> {
    let lun = |(number, place): (String, PathBuf)| {
        let link = links(&place).next()?;
        let device = fs::read_link(place.join(link)).ok()?.file_name()?.to_str()?.to_string();
        Some((number.parse().ok()?, LunState { device, files: files(&place) }))
    };
    folders(folder).filter_map(lun).collect()
}

fn group(place: &Path) -> GroupState {
    let initiators = entries(&place.join("initiators")).into_iter().filter(|(name, _)| name != "mgmt");
    GroupState {
        files: files(place),
        luns: luns(&place.join("luns")),
        initiators: initiators.map(|(name, _)| name).collect(),
    }
}

fn device_group(place: &Path) -> DeviceGroupState {
    let groups = folders(&place.join("target_groups"));
    DeviceGroupState {
        devices: links(&place.join("devices")).collect(),
        target_groups: groups.map(|(name, place)| (name, target_group(&place))).collect(),
    }
}

/// A target of this box is a link, one of another box a folder.
fn target_group(place: &Path) -> TargetGroupState {
    let targets = entries(place).into_iter().filter(|(name, place)| name != "module" && place.is_dir());
    let own = |place: &Path| if place.is_symlink() { Files::new() } else { files(place) };
    TargetGroupState {
        files: files(place),
        targets: targets.map(|(name, place)| (name, own(&place))).collect(),
    }
}
