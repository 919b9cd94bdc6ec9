// SPDX-License-Identifier: MIT OR Apache-2.0
//! `[[device]]`: what each handler needs, and what the devices must not do to each other.

use super::attributes;
use super::unique::Unique;
use super::view::{Found, View};
use super::Backings;
use crate::board::{Attributes, Disk, Handler};
use crate::problem::{Place, Problem};
use crate::spec::device_owner;
use crate::target::Device;
use crate::value::{AttributeValue, DeviceName, DevicePath, Size};
use std::collections::HashMap;

/// Where the appliance can keep files over a reboot.
const WRITABLE: [&str; 2] = ["/data/", "/config/"];

/// All devices, and every device name in the profile, those of broken devices too.
pub(super) fn all<'a>(
    root: &View<'a>,
    disk: Option<&Disk>,
    backings: Backings,
    problems: &mut Vec<Problem>,
) -> (Vec<Device>, Unique<'a>) {
    let mut names = Unique::new("device", "give each device a name of its own");
    let mut devices = Vec::new();
    for view in root.tables("device") {
        let name = view.text("name", problems);
        if let Some((name, place)) = name {
            names.note(name, place, problems);
        }
        let device = device(&view, name, problems);
        devices.extend(device.map(|device| (device, view)));
    }
    if backings == Backings::OfTheImage {
        devices.iter().for_each(|(device, view)| check_place(view, device, problems));
        shared_files(&devices, problems);
        same_identities(&devices, problems);
        config_files(&devices, disk, problems);
    }
    (devices.into_iter().map(|(device, _)| device).collect(), names)
}

fn device(view: &View<'_>, name: Option<Found<'_, &str>>, problems: &mut Vec<Problem>) -> Option<Device> {
    let handler = view.choice::<Handler>("handler", problems);
    let filename = view.text("filename", problems);
    let size = view.size("size", problems);
    let handler = handler?;
    let attributes = attributes::read(view, device_owner(handler), &format!("handler {handler}"), problems);
    check_filename(view, handler, filename, problems);
    check_size(handler, filename, size, problems);
    check_blocks(view, handler, &attributes, size, problems);
    check_caching(view, handler, &attributes, problems);
    check_threads(view, &attributes, problems);
    Some(Device {
        name: DeviceName::checked(name?.0),
        handler,
        filename: filename.map(|(path, _)| DevicePath::checked(path)),
        size: size.map(|(size, _)| size),
        attributes,
    })
}

/// Each handler stands on something else.
fn check_filename(
    view: &View<'_>,
    handler: Handler,
    filename: Option<Found<'_, &str>>,
    problems: &mut Vec<Problem>,
) {
    let example = match handler {
        Handler::VdiskBlockio => "/dev/disk/by-serial/<serial>",
        _ => "/data/<name>.img",
    };
    match (handler, filename) {
        (Handler::VdiskFileio | Handler::VdiskBlockio, None) if view.node("filename").is_none() => {
            let message = format!("a {handler} device stands on something, and no `filename` says on what");
            problems
                .push(Problem::at(view.place, message).help(format!("add `filename`, such as {example}")));
        }
        (Handler::VdiskNullio, Some((_, place))) => {
            let message = "a vdisk_nullio device stores nothing and takes no `filename`";
            problems.push(Problem::at(place, message).help("drop it, or use vdisk_fileio"));
        }
        _ => {}
    }
}

/// What an image's devices stand on must be there after the next boot, too.
fn check_place(view: &View<'_>, device: &Device, problems: &mut Vec<Problem>) {
    let Some(path) = device.filename.as_ref().map(DevicePath::as_str) else { return };
    let place = view.place_of("filename");
    match device.handler {
        Handler::VdiskFileio if !writable(path) && !path.starts_with("/dev/") => {
            let message = format!("`{path}` is not on a partition that keeps what is written");
            let help = "put the file below /data or /config; the rest of the file system is memory";
            problems.push(Problem::at(place, message).help(help));
        }
        Handler::VdiskBlockio if path.starts_with('/') && !path.starts_with("/dev/") => {
            let message = format!("`{path}` is not a block device");
            let help =
                "name one below /dev, such as /dev/disk/by-serial/<serial>, or use vdisk_fileio for a file";
            problems.push(Problem::at(place, message).help(help));
        }
        _ => {}
    }
}

/// A path that is not even absolute was reported by the first pass.
fn writable(path: &str) -> bool {
    !path.starts_with('/')
        || WRITABLE.iter().any(|folder| path.strip_prefix(folder).is_some_and(|file| !file.is_empty()))
}

fn check_size(
    handler: Handler,
    filename: Option<Found<'_, &str>>,
    size: Option<Found<'_, Size>>,
    problems: &mut Vec<Problem>,
) {
    let Some((_, place)) = size else { return };
    let on_device = filename.is_some_and(|(path, _)| path.starts_with("/dev/"));
    let (message, help) = match handler {
        Handler::Vcdrom => ("a vcdrom device has the size of its medium", "drop `size`"),
        Handler::VdiskFileio if on_device => ("a block device has a size of its own", "drop `size`"),
        _ => return,
    };
    problems.push(Problem::at(place, message).help(help));
}

/// Blocks are powers of two between 512 and a page, and sizes are made of whole ones.
fn check_blocks(
    view: &View<'_>,
    handler: Handler,
    attributes: &Attributes,
    size: Option<Found<'_, Size>>,
    problems: &mut Vec<Problem>,
) {
    let given = match attributes.get("blocksize") {
        Some(AttributeValue::Number(bytes)) => u64::try_from(*bytes).unwrap_or_default(),
        _ => handler.default_blocksize(),
    };
    if !given.is_power_of_two() || !(512..=4096).contains(&given) {
        let message = match given.is_power_of_two() {
            true => format!("`blocksize` is {given}, and blocks have 512 to 4096 bytes"),
            false => format!("`blocksize` is {given}, which is not a power of two"),
        };
        problems.push(Problem::at(view.place_of("blocksize"), message).help("use 512, 1024, 2048 or 4096"));
        return;
    }
    let transfer = match attributes.get("opt_trans_len") {
        Some(AttributeValue::Number(bytes)) => {
            Some((*bytes as u64, view.place_of("opt_trans_len"), "opt_trans_len"))
        }
        _ => None,
    };
    let size = size.map(|(size, place)| (size.bytes(), place, "size"));
    for (bytes, place, key) in [size, transfer].into_iter().flatten() {
        // What is not even a multiple of 512 was reported by the first pass.
        if bytes % 512 == 0 && bytes % given != 0 {
            let message = format!("`{key}` is {bytes} bytes, which is no whole number of blocks of {given}");
            let below = bytes - bytes % given;
            let help = format!(
                "use {} or {}",
                Size::from_bytes(below),
                Size::from_bytes(below.saturating_add(given))
            );
            problems.push(Problem::at(place, message).help(help));
        }
    }
}

/// Switches that SCST refuses together.
fn check_caching(view: &View<'_>, handler: Handler, attributes: &Attributes, problems: &mut Vec<Problem>) {
    let on = |name: &str| attributes.get(name).is_some_and(AttributeValue::is_on);
    if handler == Handler::VdiskFileio && on("read_only") {
        for name in ["write_through", "nv_cache"].into_iter().filter(|name| on(name)) {
            let message = format!("SCST refuses `{name}` together with `read_only`");
            problems.push(Problem::at(view.place_of(name), message).help("drop one of them"));
        }
    }
    if on("o_direct") && !on("async") {
        let message = "SCST takes `o_direct` only together with `async`";
        problems.push(
            Problem::at(view.place_of("o_direct"), message).help("add `async = true`, or drop `o_direct`"),
        );
    }
}

/// A device without threads of its own shares none: SCST shows neither word there.
fn check_threads(view: &View<'_>, attributes: &Attributes, problems: &mut Vec<Problem>) {
    let none = matches!(attributes.get("threads_num"), Some(AttributeValue::Number(0)));
    if none && attributes.contains_key("threads_pool_type") {
        let message =
            "with `threads_num = 0` the device has no threads that `threads_pool_type` could be about";
        let help = "drop one of them";
        problems.push(Problem::at(view.place_of("threads_pool_type"), message).help(help));
    }
}

/// Two devices that write one file would destroy it.
fn shared_files(devices: &[(Device, View<'_>)], problems: &mut Vec<Problem>) {
    let reads = |device: &Device| {
        device.handler == Handler::Vcdrom
            || device.attributes.get("read_only").is_some_and(AttributeValue::is_on)
    };
    let mut first: HashMap<&str, &(Device, View<'_>)> = HashMap::new();
    for entry in devices {
        let (device, view) = entry;
        let Some(path) = device.filename.as_ref().map(DevicePath::as_str) else { continue };
        let (other, before) = first.entry(path).or_insert(entry);
        let harmless = std::ptr::eq(other, device) || (reads(device) && reads(other));
        if !harmless {
            let message =
                format!("the devices `{}` and `{}` stand on the same file", other.name, device.name);
            let help = "give each its own, or make both `read_only`";
            let problem = Problem::at(view.place_of("filename"), message).help(help);
            problems.push(problem.other(before.place_of("filename"), "first here"));
        }
    }
}

/// Initiators take two LUNs with one identification for two paths to one disk.
fn same_identities(devices: &[(Device, View<'_>)], problems: &mut Vec<Problem>) {
    for key in ["usn", "t10_dev_id", "naa_id", "eui64_id"] {
        let mut seen: HashMap<String, &Place> = HashMap::new();
        for (device, view) in devices {
            let Some(value) = device.attributes.get(key) else { continue };
            let value = value.to_string().trim_start_matches("0x").to_lowercase();
            let place = view.place_of(key);
            if let Some(first) = seen.insert(value, place) {
                let message = format!("`{key}` of `{}` is also that of another device", device.name);
                let help = "give each device its own; initiators would take both for one disk";
                problems.push(Problem::at(place, message).help(help).other(first, "first here"));
            }
        }
    }
}

/// The config partition does not grow, so the files on it must fit.
fn config_files(devices: &[(Device, View<'_>)], disk: Option<&Disk>, problems: &mut Vec<Problem>) {
    let Some(disk) = disk else { return };
    let mut used = 0u64;
    for (device, view) in devices {
        let path = device.filename.as_ref().map(DevicePath::as_str).unwrap_or_default();
        let (Handler::VdiskFileio, Some(size), true) =
            (device.handler, device.size, path.starts_with("/config/"))
        else {
            continue;
        };
        used = used.saturating_add(size.bytes());
        if used >= disk.config.bytes() {
            let message =
                format!("the files of devices on /config do not fit: the partition has {}", disk.config);
            let help = "put the file below /data, which grows to the disk, or enlarge `config` in [disk]";
            problems.push(Problem::at(view.place_of("size"), message).help(help));
            return;
        }
    }
}
