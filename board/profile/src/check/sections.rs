// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sections about the image and the machine.

use super::attributes;
use super::unique::Unique;
use super::view::{Found, View};
use crate::board::{Bus, Console, Disk, Drivers, Identity, Kernel, Rootfs, Scst, Vm, VmDisk, Watchdog};
use crate::inherit::Flattened;
use crate::problem::Problem;
use crate::spec::format::PROFILE;
use crate::value::{BoardName, ModuleName, PackageName, RelativePath, Serial, Tty};
use std::sync::Arc;

/// `[board]`. The name must be the board's own, since images are named after it.
pub(super) fn identity(
    root: &View<'_>,
    flattened: &Flattened,
    problems: &mut Vec<Problem>,
) -> Option<Identity> {
    let view = root.table("board");
    let name = view.text("name", problems);
    if let Some((name, place)) = name {
        if !Arc::ptr_eq(&place.text, &flattened.top) {
            let message = format!("the board has no name of its own; `{name}` is that of {}", place.file());
            let at = root.place_of("inherit");
            problems.push(Problem::at(at, message).help("add `[board]` with a `name` to this profile"));
        } else if let Some(file) =
            flattened.file_name.as_ref().filter(|file| *file != name && (PROFILE.check)(name).is_ok())
        {
            let message = format!("the board is called `{name}`, and its file {}", place.file());
            problems.push(
                Problem::at(place, message).help(format!("write `name = \"{file}\"`, or rename the file")),
            );
        }
    }
    let description = view.text("description", problems);
    let arch = view.choice("arch", problems);
    Some(Identity { name: BoardName::checked(name?.0), description: description?.0.to_string(), arch: arch? })
}

/// `[kernel]`.
pub(super) fn kernel(view: &View<'_>) -> Kernel {
    Kernel {
        fragments: texts(view, "fragments", RelativePath::checked),
        cmdline: texts(view, "cmdline", str::to_string),
    }
}

/// `[drivers]`. What is loaded need not be carried a second time.
pub(super) fn drivers(root: &View<'_>) -> Drivers {
    let view = root.table("drivers");
    let load = texts(&view, "load", ModuleName::checked);
    let mut carry = texts(&view, "carry", ModuleName::checked);
    carry.retain(|module| !load.contains(module));
    Drivers { load, carry }
}

/// `[rootfs]`.
pub(super) fn rootfs(view: &View<'_>) -> Rootfs {
    Rootfs {
        packages: texts(view, "packages", PackageName::checked),
        overlay: texts(view, "overlay", RelativePath::checked),
    }
}

/// `[console]`.
pub(super) fn console(view: &View<'_>, problems: &mut Vec<Problem>) -> Console {
    let shell = view.flag("shell", problems);
    let tty = texts(view, "tty", Tty::checked);
    if shell && tty.is_empty() && view.node("tty").is_none_or(|node| node.value.kind() == "a list") {
        let message = "a shell is asked for, but there is no terminal to offer it on";
        problems.push(Problem::at(view.place_of("shell"), message).help("add `tty = [\"ttyS0\"]`"));
    }
    Console { shell, tty }
}

/// `[watchdog]`.
pub(super) fn watchdog(view: &View<'_>, problems: &mut Vec<Problem>) -> Watchdog {
    let enabled = view.flag("enabled", problems);
    let timeout = view.number("timeout_s", problems).and_then(|(seconds, _)| u32::try_from(seconds).ok());
    // A value of the wrong type was reported; the rest of the board is checked all the same.
    Watchdog { enabled, timeout_s: timeout.unwrap_or_default() }
}

/// `[disk]`.
pub(super) fn disk(view: &View<'_>, problems: &mut Vec<Problem>) -> Option<Disk> {
    let (esp, config, data) =
        (view.size("esp", problems), view.size("config", problems), view.size("data", problems));
    Some(Disk { esp: esp?.0, config: config?.0, data: data?.0 })
}

/// `[vm]`.
pub(super) fn vm(
    view: &View<'_>,
    disk: Option<&Disk>,
    drivers: &Drivers,
    problems: &mut Vec<Problem>,
) -> Option<Vm> {
    let memory = view.size("memory", problems);
    let cpus = view.number("cpus", problems).and_then(|(cpus, _)| u32::try_from(cpus).ok());
    let disk_size = view.size("disk_size", problems);
    if let (Some((size, place)), Some(disk)) = (disk_size, disk) {
        if size < disk.total() {
            let message =
                format!("the virtual machine's disk of {size} is smaller than the image's partitions");
            let help = format!("use {} or more, or make the partitions in [disk] smaller", disk.total());
            problems.push(Problem::at(place, message).help(help));
        }
    }
    let disk_bus = bus(view, "disk_bus", drivers, problems);
    let disks = vm_disks(view, drivers, problems);
    Some(Vm { memory: memory?.0, cpus: cpus?, disk_size: disk_size?.0, disk_bus: disk_bus?, disks })
}

fn vm_disks(view: &View<'_>, drivers: &Drivers, problems: &mut Vec<Problem>) -> Vec<VmDisk> {
    let mut serials = Unique::new("serial number", "give each disk one of its own");
    let mut disks = Vec::new();
    for disk in view.tables("disk") {
        let serial = disk.text("serial", problems);
        if let Some((serial, place)) = serial {
            serials.note(serial, place, problems);
        }
        let (size, bus) = (disk.size("size", problems), bus(&disk, "bus", drivers, problems));
        if let (Some((serial, _)), Some((size, _)), Some(bus)) = (serial, size, bus) {
            disks.push(VmDisk { serial: Serial::checked(serial), size, bus });
        }
    }
    disks
}

/// How a disk is attached; the guest must have the drivers for it.
fn bus(view: &View<'_>, key: &str, drivers: &Drivers, problems: &mut Vec<Problem>) -> Option<Bus> {
    let bus: Bus = view.choice(key, problems)?;
    let missing: Vec<String> = bus
        .modules()
        .iter()
        .filter(|module| drivers.all().all(|carried| carried.as_str() != **module))
        .map(|module| format!("\"{module}\""))
        .collect();
    if !missing.is_empty() {
        let message = format!("the guest has no driver for a disk on `{}`", bus.as_str());
        let help = format!("add {} to `load` in [drivers], or choose another bus", missing.join(", "));
        problems.push(Problem::at(view.place_of(key), message).help(help));
    }
    Some(bus)
}

/// `[scst]`.
pub(super) fn scst(view: &View<'_>, problems: &mut Vec<Problem>) -> Scst {
    let parameters = view.table("parameters");
    let modules = crate::spec::PARAMETERS.keys.iter().filter_map(|module| {
        let table = parameters.table(module.name);
        let values = attributes::read(&table, 0, "the module", problems);
        (!values.is_empty()).then(|| (module.name.to_string(), values))
    });
    let parameters = modules.collect();
    Scst { attributes: attributes::read(view, 0, "the core", problems), parameters }
}

/// A list's items as their type.
fn texts<T>(view: &View<'_>, key: &str, checked: impl Fn(&str) -> T) -> Vec<T> {
    view.list(key).into_iter().map(|(text, _): Found<'_, &str>| checked(text)).collect()
}
