// SPDX-License-Identifier: MIT OR Apache-2.0
//! Devices: made, told what differs, or made anew where what differs is only taken when a device is made.

use super::compare::same;
use super::{device_id, luns, module, Owner, Steps};
use crate::board::{Attributes, Handler};
use crate::plan::{Action, ObjectId};
use crate::snapshot::{File, Files, Snapshot};
use crate::spec::{device_owner, device_role, Kind, Role, DEVICE};
use crate::stack::Stack;
use crate::target::Device;
use crate::value::AttributeValue;
use std::collections::{BTreeMap, HashSet};

/// What a nullio device has when nobody says how large it is, in bytes.
const NULLIO_SIZE: &str = "2748779069440";

/// Devices that only become right by being made anew, each with the reason. Where the configuration is not ours alone
/// there is none, but a note for each.
pub(super) fn made_anew(stack: &Stack, steps: &mut Steps) -> BTreeMap<String, String> {
    let mut anew = BTreeMap::new();
    for device in &stack.devices {
        let Some(reason) = steps.live.device(device.name.as_str()).and_then(|(handler, files)| {
            if handler != device.handler.as_str() {
                return Some(format!("its handler is {handler} and should be {}", device.handler));
            }
            difference(device, files)
        }) else {
            continue;
        };
        if steps.owns() {
            anew.insert(device.name.to_string(), reason);
        } else {
            let name = &device.name;
            steps.refused.insert(name.to_string());
            steps.note(format!("device {name} is configured differently: {reason}; --force makes it anew"));
        }
    }
    anew
}

/// Devices that cannot be written: those that are there as they are, the others as they will be made.
pub(super) fn read_only(stack: &Stack, live: &Snapshot) -> HashSet<String> {
    let read_only = |device: &Device| match live.device(device.name.as_str()) {
        Some((handler, _)) if handler == Handler::Vcdrom.as_str() => true,
        Some((_, files)) => files.get("read_only").is_some_and(|file| file.value == "1"),
        None if device.handler == Handler::Vcdrom => true,
        None => device.attributes.get("read_only").is_some_and(AttributeValue::is_on),
    };
    stack.devices.iter().filter(|device| read_only(device)).map(|device| device.name.to_string()).collect()
}

/// What a device was made with, by the names of its files.
fn made_with(device: &Device) -> Attributes {
    let created = |name: &str| device_role(device.handler, name) == Role::Create;
    let mut made: Attributes = device
        .attributes
        .iter()
        .filter(|(name, _)| created(name))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    if matches!(device.handler, Handler::VdiskFileio | Handler::VdiskBlockio) {
        let path = device.filename.as_ref().map(|path| AttributeValue::Text(path.to_string()));
        made.extend(path.map(|path| ("filename".to_string(), path)));
    }
    made
}

/// Why a device that is there cannot become what it should be by writing to its files.
fn difference(device: &Device, files: &Files) -> Option<String> {
    let wanted = made_with(device);
    for (name, value) in &wanted {
        let Some(file) = files.get(name).filter(|file| !file.writable || name == "filename") else {
            continue;
        };
        if !shown(name, value, file) && overrides(device.handler, name, value).is_none() {
            return Some(format!("`{name}` is `{}` and should be `{value}`", file.value));
        }
    }
    let unwanted = files.iter().find(|(name, file)| {
        file.key
            && !file.writable
            && device_role(device.handler, name) == Role::Create
            && !wanted.contains_key(*name)
            && !decides_itself(device.handler, name)
    });
    unwanted.map(|(name, file)| format!("`{name}` is `{}` and nobody describes it", file.value))
}

/// Values that may differ from the default although nobody gave them: those of the disk below, and the write cache,
/// which initiators switch.
fn decides_itself(handler: Handler, name: &str) -> bool {
    match name {
        "nv_cache" | "thin_provisioned" => handler == Handler::VdiskBlockio,
        "write_through" => true,
        _ => false,
    }
}

/// Whether a file shows what was given.
fn shown(name: &str, value: &AttributeValue, file: &File) -> bool {
    let kind = DEVICE.attribute(name).map_or(Kind::Line(0), |attribute| attribute.kind);
    same(kind, &value.to_string(), &file.value)
}

/// Who may have set aside a value that was given: a device made anew would lose its LUNs for a moment, and as likely
/// as not show the same again. A write cache that the profile forbids goes, whoever switched it on.
fn overrides(handler: Handler, name: &str, value: &AttributeValue) -> Option<&'static str> {
    match name {
        "nv_cache" if handler == Handler::VdiskBlockio && !value.is_on() => {
            Some("a disk without a volatile cache has it always")
        }
        "write_through" if !value.is_on() => Some("an initiator may have switched the write cache off"),
        _ => None,
    }
}

/// Values that were given and do not hold: a note for each says why the device stays as it is.
fn overridden(device: &Device, files: &Files, steps: &mut Steps) {
    for (name, value) in &made_with(device) {
        let differing = files.get(name).filter(|file| !file.writable && !shown(name, value, file));
        if let (Some(file), Some(who)) = (differing, overrides(device.handler, name, value)) {
            steps.note(format!(
                "device {}: `{name}` is `{}` and not `{value}`, since {who}; if the profile changed, `appliance unload` and `appliance load` make the device anew",
                device.name, file.value
            ));
        }
    }
}

/// One device.
pub(super) fn device(device: &Device, steps: &mut Steps) {
    if steps.refused.contains(device.name.as_str()) {
        return steps.present(device_id(&device.name));
    }
    match steps.live.device(device.name.as_str()).map(|(_, files)| files.clone()) {
        Some(files) => update(device, &files, steps),
        None => add(device, steps),
    }
}

fn update(device: &Device, files: &Files, steps: &mut Steps) {
    if let Some(file) = backing_file(device) {
        steps.present(file);
        resized_file(device, files, steps);
    }
    steps.present(device_id(&device.name));
    overridden(device, files, steps);
    let taken = |name: &str| files.get(name).is_some_and(|file| file.writable);
    let written = device
        .attributes
        .iter()
        .filter(|(name, _)| device_role(device.handler, name) == Role::Write || taken(name));
    let written: Attributes = written.map(|(name, value)| (name.clone(), value.clone())).collect();
    written_afterwards(device, &written, &as_if_reached(device, files, steps), steps);
    undescribed(device, files, steps);
}

/// The files of a device as they would be if a target led to it: what the core has closed, since none does, it opens
/// again itself.
fn as_if_reached(device: &Device, files: &Files, steps: &Steps) -> Files {
    let mut files = files.clone();
    if closed_by_the_core(device, &files, steps) {
        files
            .entry("active".into())
            .and_modify(|file| *file = File { value: "1".into(), key: false, ..*file });
    }
    files
}

fn closed_by_the_core(device: &Device, files: &Files, steps: &Steps) -> bool {
    let given = |name: &str| device.attributes.get(name).map(AttributeValue::is_on);
    let shown = || files.get("bind_alua_state").is_some_and(|file| file.value == "1");
    is_closed(files)
        && steps.unreached.contains(device.name.as_str())
        && given("active").unwrap_or(true)
        && given("bind_alua_state").unwrap_or_else(shown)
}

/// A file is made once; what the profile says of its size later changes nothing.
fn resized_file(device: &Device, files: &Files, steps: &mut Steps) {
    let there = files.get("size").map(|file| file.value.clone());
    if let (Some(size), Some(there), Some(path)) = (device.size, there, &device.filename) {
        if there != size.bytes().to_string() {
            let bytes = size.bytes();
            steps.note(format!(
                "device {} has {there} bytes, the profile says {bytes}: left as it is; `truncate -s {bytes} {path}` and `resync_size` change that",
                device.name
            ));
        }
    }
}

fn backing_file(device: &Device) -> Option<ObjectId> {
    let path = device.filename.as_ref().filter(|_| device.size.is_some())?;
    (device.handler == Handler::VdiskFileio).then(|| ObjectId::new("file", path))
}

fn add(device: &Device, steps: &mut Steps) {
    let (name, handler) = (&device.name, device.handler);
    let mut needs = vec![module(handler.module())];
    if let (Some(file), Some(path), Some(size)) = (backing_file(device), &device.filename, device.size) {
        let action = Action::CreateFile { path: path.to_string(), size: size.bytes() };
        steps.push(file.clone(), &[], action);
        needs.push(file);
    }
    let created = |attribute: &str| device_role(handler, attribute) == Role::Create;
    let (at_creation, afterwards): (Attributes, Attributes) =
        device.attributes.clone().into_iter().partition(|(attribute, _)| created(attribute));
    let mut words = vec![format!("add_device {name}")];
    let mut parameters = Vec::new();
    if let (Handler::VdiskFileio | Handler::VdiskBlockio, Some(path)) = (handler, &device.filename) {
        parameters.push(format!("filename={}", in_command(path.as_str())));
    }
    parameters.extend(at_creation.iter().map(|(attribute, value)| format!("{attribute}={value}")));
    // The size is checked against the block size as soon as it is read, so it comes behind it.
    if let (Handler::VdiskNullio, Some(size)) = (handler, device.size) {
        parameters.push(format!("size={}", size.bytes()));
    }
    if !parameters.is_empty() {
        words.push(parameters.join("; "));
    }
    steps.write(device_id(name), &needs, format!("handlers/{handler}/mgmt"), words.join(" "));
    let sizeless = Device { size: device.size.filter(|_| handler != Handler::VdiskNullio), ..device.clone() };
    written_afterwards(&sizeless, &afterwards, &Files::new(), steps);
}

/// A path as the value of a parameter: in quotes if it has what separates words. SCST has no quoting, so a path that
/// needs none gets none.
fn in_command(path: &str) -> String {
    match path.contains([' ', '=', ';']) {
        true => format!("\"{path}\""),
        false => path.to_string(),
    }
}

/// What a device is told once it is there.
fn written_afterwards(device: &Device, attributes: &Attributes, files: &Files, steps: &mut Steps) {
    let path = format!("devices/{}", device.name);
    let needs = [device_id(&device.name)];
    if let (Handler::VdiskBlockio | Handler::VdiskNullio, Some(bytes)) = (device.handler, device.size) {
        size(device, &bytes.bytes().to_string(), files, steps);
    }
    let owner = Owner { path: &path, object: &path, spec: &DEVICE, index: device_owner(device.handler) };
    steps.attributes(&owner, &needs, attributes, files);
    if let (Handler::Vcdrom, Some(medium)) = (device.handler, &device.filename) {
        let object = ObjectId::new("medium", &device.name);
        match files.get("filename") {
            Some(file) if file.value == medium.as_str() => steps.present(object),
            _ => steps.write(object, &needs, format!("{path}/filename"), medium),
        }
    }
}

/// What a device has of what its description could say and does not: a disc in a drive, a size less than the disk's.
fn undescribed(device: &Device, files: &Files, steps: &mut Steps) {
    let shown = |name: &str| files.get(name).filter(|file| file.key).map(|file| file.value.as_str());
    match device.handler {
        Handler::Vcdrom if device.filename.is_none() && shown("filename").is_some() => {
            let medium = ObjectId::new("medium", &device.name);
            steps.remove(&medium, format!("devices/{}/filename", device.name), String::new());
        }
        Handler::VdiskNullio if device.size.is_none() => {
            if let Some(there) = shown("size").filter(|there| *there != NULLIO_SIZE) {
                default_size(device, there, NULLIO_SIZE, files, steps);
            }
        }
        Handler::VdiskBlockio if device.size.is_none() => {
            if let (Some(there), Some(whole)) = (shown("size"), whole_size(device, files, steps)) {
                default_size(device, there, &whole, files, steps);
            }
        }
        _ => {}
    }
}

/// What a disk that is larger than its device has in whole blocks, in bytes. One that was never opened has no size yet,
/// and gets that of its disk when it is.
fn whole_size(device: &Device, files: &Files, steps: &Steps) -> Option<String> {
    let number = |name: &str| files.get(name).and_then(|file| file.value.parse::<u64>().ok());
    let store = *steps.live.stores.get(device.filename.as_ref()?.as_str())?;
    let block = number("blocksize").filter(|block| *block > 0).unwrap_or(512);
    let (there, whole) = (number("size")?, store - store % block);
    (there < whole && !(there == 0 && is_closed(files))).then(|| whole.to_string())
}

fn is_closed(files: &Files) -> bool {
    files.get("active").is_some_and(|file| file.value == "0")
}

/// Whether the store of a device that is there will be open when everything else is as described.
fn stays_open(device: &Device, files: &Files, steps: &Steps) -> bool {
    match device.attributes.get("active") {
        _ if closed_by_the_core(device, files, steps) => false,
        Some(active) => active.is_on(),
        None => steps.owns() || !is_closed(files),
    }
}

/// A size that nobody describes. A disk reads its store's again, so that it grows with that from then on.
fn default_size(device: &Device, there: &str, bytes: &str, files: &Files, steps: &mut Steps) {
    let name = &device.name;
    let (file, data) = match device.handler {
        Handler::VdiskBlockio => ("resync_size", "1"),
        _ => ("size", bytes),
    };
    if !steps.owns() {
        steps.note(format!(
            "devices/{name}/size is {there}, which nobody describes; --force makes it {bytes}"
        ));
    } else if !stays_open(device, files, steps) {
        steps.note(format!(
            "devices/{name}/size is {there}, which nobody describes; it stays while the device is not active"
        ));
    } else {
        let object = ObjectId::new("attribute", format!("devices/{name}/size"));
        steps.write(object, &[device_id(name)], format!("devices/{name}/{file}"), data);
        steps.noted(format!("`size` is {there} and not described any more, so it gets its default"));
    }
}

fn size(device: &Device, bytes: &str, files: &Files, steps: &mut Steps) {
    let path = format!("devices/{}", device.name);
    let object = ObjectId::new("attribute", format!("{path}/size"));
    match files.get("size") {
        // A nullio device is made with its size.
        Some(file) if file.value == bytes && device.handler == Handler::VdiskNullio => {}
        Some(file) if file.value == bytes => steps.present(object),
        _ => steps.write(object, &[device_id(&device.name)], format!("{path}/size"), bytes),
    }
}

/// Where initiators see a device, for the note on what its removal interrupts.
pub(super) fn seen_at(name: &str, steps: &Steps) -> String {
    let places = luns::of_device(&steps.live, name);
    match places.is_empty() {
        true => "no LUN shows it".to_string(),
        false => format!("this interrupts {}", places.join(", ")),
    }
}
