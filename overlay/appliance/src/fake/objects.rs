// SPDX-License-Identifier: MIT OR Apache-2.0
//! Management commands of the made-up target stack: what appears, what goes, and what is refused.

use super::tables::{
    self, BLOCKIO, COPY_MANAGER, CORE, GROUP, HANDLERS, REMOTE_TARGET, SESSION, TARGET, TARGET_GROUP,
};
use super::{Fake, Outcome};
use std::fs;

/// The core's part of the tree.
pub(super) fn core(fake: &Fake) {
    fake.put("version", "SCST version: 3.11.0-pre\nSCST kver: 7.3\n", 0o444);
    fake.attributes("", CORE);
    for folder in ["devices", "handlers", "targets", "device_groups", "sgv"] {
        fake.folder(folder);
    }
    fake.mgmt("device_groups", "Usage: echo \"create group_name\" >mgmt\n");
    fake.attributes("targets/copy_manager", COPY_MANAGER);
    target(fake, "copy_manager", "copy_manager_tgt");
    let session = "targets/copy_manager/copy_manager_tgt/sessions/copy_manager_sess";
    fake.attributes(session, SESSION);
    fake.link(&format!("{session}/luns"), "targets/copy_manager/copy_manager_tgt/luns");
}

/// The part of the virtual devices' module.
pub(super) fn handlers(fake: &Fake) {
    for (name, kind, parameters, _) in HANDLERS {
        let folder = format!("handlers/{name}");
        fake.put(&format!("{folder}/type"), &format!("{kind}\n"), 0o444);
        let help = format!("Usage\n\nThe following parameters available: {parameters}\n\n");
        fake.mgmt(&folder, &help);
    }
}

/// The part of the local driver's module.
pub(super) fn driver(fake: &Fake) {
    fake.mgmt("targets/scst_local", "Usage\n\nThe following parameters available: session_name\n");
    fake.put("targets/scst_local/stats", "Aborts: 0, Device Resets: 0, Target Resets: 0\n", 0o444);
}

/// A write to the `mgmt` in a folder.
pub(super) fn manage(fake: &Fake, folder: &str, command: &str) -> Outcome {
    let (command, rest) = command.split_once(' ').unwrap_or((command, ""));
    let parts: Vec<&str> = folder.split('/').collect();
    match parts.as_slice() {
        ["handlers", handler] => handle(fake, handler, command, rest),
        ["targets", driver] => drive(fake, driver, command, rest),
        ["targets", _, _, .., "luns"] => luns(fake, folder, command, rest),
        ["targets", _, _, "ini_groups"] => groups(fake, folder, command, rest),
        ["targets", _, _, "ini_groups", _, "initiators"] => initiators(fake, folder, command, rest),
        ["device_groups", ..] => device_groups(fake, &parts, command, rest),
        _ => Err("ENOENT"),
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| c.is_whitespace() || c == '=').filter(|word| !word.is_empty()).collect()
}

fn handle(fake: &Fake, handler: &str, command: &str, rest: &str) -> Outcome {
    let (name, parameters) = rest.split_once(' ').unwrap_or((rest, ""));
    let path = format!("devices/{name}");
    match command {
        "add_device" if name.is_empty() || name.contains(['/', '.']) => Err("EINVAL"),
        "add_device" if fake.exists(&path) => Err("EEXIST"),
        "add_device" => {
            let made = add_device(fake, handler, name, parameters);
            if made.is_err() && fake.exists(&path) {
                fake.remove(&path);
            }
            made
        }
        "del_device" if !fake.exists(&path) => Err("EINVAL"),
        "del_device" => {
            del_device(fake, name);
            Ok(())
        }
        _ => Err("EINVAL"),
    }
}

fn add_device(fake: &Fake, handler: &str, name: &str, parameters: &str) -> Outcome {
    let (.., listed, rows) = HANDLERS.iter().find(|(known, ..)| *known == handler).ok_or("ENOENT")?;
    let folder = format!("devices/{name}");
    fake.attributes(&folder, rows);
    fake.link(&format!("{folder}/handler"), &format!("handlers/{handler}"));
    let mut filename = None;
    for segment in parameters.split(';').filter(|segment| !segment.trim().is_empty()) {
        let &[parameter, value] = words(segment).as_slice() else { return Err("EINVAL") };
        if !listed.split(", ").any(|known| known == parameter) {
            return Err("EINVAL");
        }
        fake.set(rows, &folder, parameter, value)?;
        filename = if parameter == "filename" { Some(value) } else { filename };
    }
    match (handler, filename) {
        ("vdisk_fileio" | "vdisk_blockio", None) => return Err("EINVAL"),
        ("vdisk_fileio", Some(path)) => {
            let found = fs::metadata(fake.root.at(path)).map_err(|_| "ENOENT")?;
            fake.set(rows, &folder, "size", &found.len().to_string())?;
        }
        ("vdisk_blockio", Some(path)) if !fake.root.at(path).exists() => return Err("ENOENT"),
        ("vdisk_blockio", _) if is_closed(fake, &folder) => fake.set(rows, &folder, "size", "0")?,
        _ => {}
    }
    fake.link(&format!("handlers/{handler}/{name}"), &folder);
    Ok(())
}

fn is_closed(fake: &Fake, device: &str) -> bool {
    fake.value(&format!("{device}/active")) == "0"
}

/// A disk has no size until it was opened, and reads that of its store when it is told to.
pub(super) fn resize(fake: &Fake, device: &str, file: &str) -> Outcome {
    let size = format!("{device}/size");
    match file {
        "resync_size" if is_closed(fake, device) => return Err("EMEDIUMTYPE"),
        "resync_size" => {}
        "active" if fake.value(&size) == "0" && !is_closed(fake, device) => {}
        _ => return Ok(()),
    }
    let path = fake.root.at(&fake.value(&format!("{device}/filename")));
    let disk = fs::canonicalize(path).map_err(|_| "ENOENT")?;
    let sectors = fake.root.at("/sys/class/block").join(disk.file_name().ok_or("ENOENT")?).join("size");
    let sectors = fs::read_to_string(sectors).map_err(|_| "ENOENT")?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| "EINVAL");
    let (bytes, block) = (number(&sectors)? * 512, number(&fake.value(&format!("{device}/blocksize")))?);
    fake.set(BLOCKIO, device, "size", &(bytes - bytes % block).to_string())
}

fn del_device(fake: &Fake, name: &str) {
    for driver in fake.names("targets") {
        for target in fake.names(&format!("targets/{driver}")) {
            let target = format!("targets/{driver}/{target}");
            let groups = fake.names(&format!("{target}/ini_groups"));
            let groups = groups.into_iter().map(|group| format!("{target}/ini_groups/{group}"));
            for owner in std::iter::once(target.clone()).chain(groups) {
                for lun in fake.names(&format!("{owner}/luns")) {
                    let link = fs::read_link(fake.at(&format!("{owner}/luns/{lun}/device")));
                    if link.is_ok_and(|link| link.ends_with(name)) {
                        fake.remove(&format!("{owner}/luns/{lun}"));
                    }
                }
            }
        }
    }
    for group in fake.names("device_groups").into_iter().filter(|name| name != "mgmt") {
        let member = format!("device_groups/{group}/devices/{name}");
        if fake.exists(&member) {
            fake.remove(&member);
        }
    }
    let handler = fs::read_link(fake.at(&format!("devices/{name}/handler"))).unwrap();
    let handler = handler.file_name().unwrap().to_str().unwrap().to_string();
    fake.remove(&format!("handlers/{handler}/{name}"));
    fake.remove(&format!("devices/{name}"));
}

fn target(fake: &Fake, driver: &str, name: &str) {
    let folder = format!("targets/{driver}/{name}");
    fake.attributes(&folder, TARGET);
    fake.mgmt(&format!("{folder}/luns"), "Usage\n\nThe following parameters available: read_only\n");
    fake.mgmt(&format!("{folder}/ini_groups"), "Usage\n");
    fake.folder(&format!("{folder}/sessions"));
}

fn drive(fake: &Fake, driver: &str, command: &str, rest: &str) -> Outcome {
    let words = words(rest);
    let folder = |target: &str| format!("targets/{driver}/{target}");
    match (command, words.as_slice()) {
        ("add_target", [name, ..]) if fake.exists(&folder(name)) => Err("EFAULT"),
        ("add_target", [name]) => {
            target(fake, driver, name);
            Ok(())
        }
        ("del_target", [name]) if fake.exists(&folder(name)) => {
            fake.remove(&folder(name));
            Ok(())
        }
        ("del_target", [_]) => Err("ENOENT"),
        ("add_session", [target, session]) if fake.exists(&folder(target)) => {
            let path = format!("{}/sessions/{session}", folder(target));
            if fake.exists(&path) {
                return Err("EFAULT");
            }
            fake.attributes(&path, SESSION);
            fake.put(&format!("{path}/initiator_name"), &format!("{session}\n"), 0o444);
            regroup(fake, &folder(target));
            Ok(())
        }
        ("del_session", [target, session]) => {
            let path = format!("{}/sessions/{session}", folder(target));
            if !fake.exists(&path) {
                return Err("EINVAL");
            }
            fake.remove(&path);
            Ok(())
        }
        _ => Err("EINVAL"),
    }
}

/// Puts every session into the group whose pattern has its name. Only whole names and a final `*` are known here.
fn regroup(fake: &Fake, target: &str) {
    let matches = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    };
    for session in fake.names(&format!("{target}/sessions")) {
        let groups = fake.names(&format!("{target}/ini_groups")).into_iter().filter(|group| group != "mgmt");
        let mut of_session = groups.filter(|group| {
            let patterns = fake.names(&format!("{target}/ini_groups/{group}/initiators"));
            patterns.iter().any(|pattern| matches(pattern, &session))
        });
        let link = format!("{target}/sessions/{session}/luns");
        if fake.exists(&link) {
            fake.remove(&link);
        }
        let luns = match of_session.next() {
            Some(group) => format!("{target}/ini_groups/{group}/luns"),
            None => format!("{target}/luns"),
        };
        fake.link(&link, &luns);
    }
}

fn luns(fake: &Fake, folder: &str, command: &str, rest: &str) -> Outcome {
    let words = words(rest);
    let path = |lun: &str| format!("{folder}/{lun}");
    let add = |device: &str, lun: &str, parameters: &[&str]| {
        if !fake.exists(&format!("devices/{device}")) || lun.parse::<u16>().map_or(true, |lun| lun > 16383) {
            return Err("EINVAL");
        }
        let device_read_only = fs::read_to_string(fake.at(&format!("devices/{device}/read_only")));
        let cdrom = !fake.exists(&format!("devices/{device}/read_only"));
        let given = match parameters {
            [] => false,
            ["read_only", flag] => *flag == "1",
            _ => return Err("EINVAL"),
        };
        let read_only = given || cdrom || device_read_only.is_ok_and(|shown| shown.starts_with('1'));
        fake.link(&format!("{}/device", path(lun)), &format!("devices/{device}"));
        let shown = if read_only { "1\n[key]\n" } else { "0\n" };
        fake.put(&format!("{}/read_only", path(lun)), shown, 0o444);
        Ok(())
    };
    match (command, words.as_slice()) {
        ("add", [_, lun, ..]) if fake.exists(&path(lun)) => Err("EEXIST"),
        ("add", [device, lun, parameters @ ..]) => add(device, lun, parameters),
        ("replace", [device, lun, parameters @ ..]) => {
            if fake.exists(&path(lun)) {
                fake.remove(&path(lun));
            }
            add(device, lun, parameters)
        }
        ("del", [lun]) if fake.exists(&path(lun)) => {
            fake.remove(&path(lun));
            Ok(())
        }
        _ => Err("EINVAL"),
    }
}

fn groups(fake: &Fake, folder: &str, command: &str, name: &str) -> Outcome {
    let path = format!("{folder}/{name}");
    let target = folder.trim_end_matches("/ini_groups");
    match command {
        "create" if name.is_empty() => Err("EINVAL"),
        "create" if fake.exists(&path) => Err("EEXIST"),
        "create" => {
            fake.attributes(&path, GROUP);
            fake.mgmt(&format!("{path}/luns"), "Usage\n");
            fake.mgmt(&format!("{path}/initiators"), "Usage\n");
            Ok(())
        }
        "del" if !fake.exists(&path) => Err("EINVAL"),
        "del" => {
            let used = fake.names(&format!("{target}/sessions")).into_iter().any(|session| {
                let link = fs::read_link(fake.at(&format!("{target}/sessions/{session}/luns")));
                link.is_ok_and(|link| link.ends_with(format!("ini_groups/{name}/luns")))
            });
            if used {
                return Err("EBUSY");
            }
            fake.remove(&path);
            Ok(())
        }
        _ => Err("EINVAL"),
    }
}

fn initiators(fake: &Fake, folder: &str, command: &str, rest: &str) -> Outcome {
    let target = folder.split("/ini_groups").next().unwrap_or_default();
    let words: Vec<&str> = rest.split_whitespace().collect();
    let put = |folder: &str, pattern: &str| {
        let path = format!("{folder}/{pattern}");
        if fake.exists(&path) {
            return Err("EEXIST");
        }
        fake.put(&path, &format!("{pattern}\n"), 0o444);
        Ok(())
    };
    match (command, words.as_slice()) {
        ("add", [pattern]) => put(folder, pattern)?,
        ("del", [pattern]) if fake.exists(&format!("{folder}/{pattern}")) => {
            fake.remove(&format!("{folder}/{pattern}"));
        }
        ("move", [pattern, group]) if fake.exists(&format!("{folder}/{pattern}")) => {
            let other = format!("{target}/ini_groups/{group}/initiators");
            if !fake.exists(&other) {
                return Err("EINVAL");
            }
            put(&other, pattern)?;
            fake.remove(&format!("{folder}/{pattern}"));
        }
        ("clear", []) => {
            for pattern in fake.names(folder).into_iter().filter(|name| name != "mgmt") {
                fake.remove(&format!("{folder}/{pattern}"));
            }
        }
        _ => return Err("EINVAL"),
    }
    regroup(fake, target);
    Ok(())
}

fn device_groups(fake: &Fake, parts: &[&str], command: &str, name: &str) -> Outcome {
    let path = format!("{}/{name}", parts.join("/"));
    match (parts, command) {
        (_, "del") if fake.exists(&path) => {
            fake.remove(&path);
            Ok(())
        }
        (_, "add" | "create") if name.is_empty() => Err("EINVAL"),
        (_, "add" | "create") if fake.exists(&path) => Err("EEXIST"),
        (["device_groups"], "create") => {
            fake.mgmt(&format!("{path}/devices"), "Usage\n");
            fake.mgmt(&format!("{path}/target_groups"), "Usage\n");
            Ok(())
        }
        (["device_groups", _, "devices"], "add") => add_member(fake, &path, name),
        (["device_groups", _, "target_groups"], "create") => {
            fake.attributes(&path, TARGET_GROUP);
            fake.mgmt(&path, "Usage\n");
            Ok(())
        }
        (["device_groups", _, "target_groups", _], "add") => {
            let local = fake.names("targets").into_iter().map(|driver| format!("targets/{driver}/{name}"));
            match local.into_iter().find(|target| fake.exists(target)) {
                Some(target) => fake.link(&path, &target),
                None => fake.attributes(&path, REMOTE_TARGET),
            }
            Ok(())
        }
        _ => Err("EINVAL"),
    }
}

/// A device is in one group at most.
fn add_member(fake: &Fake, path: &str, device: &str) -> Outcome {
    if tables::of(fake, &["devices", device]).is_none() {
        return Err("EINVAL");
    }
    let groups = fake.names("device_groups");
    if groups.iter().any(|group| fake.exists(&format!("device_groups/{group}/devices/{device}"))) {
        return Err("EEXIST");
    }
    fake.link(path, &format!("devices/{device}"));
    Ok(())
}
