// SPDX-License-Identifier: MIT OR Apache-2.0
//! A made-up sysfs tree of a target stack, and what is read from it.

use super::*;
use std::os::unix::fs::symlink;

fn put(root: &Root, path: &str, content: &str) {
    let place = root.at(&format!("{SYSFS_ROOT}/{path}"));
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, content).unwrap();
}

fn link(root: &Root, path: &str, target: &str) {
    let place = root.at(&format!("{SYSFS_ROOT}/{path}"));
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    symlink(target, place).unwrap();
}

/// Two devices on one target, one of them also in a group that a second session belongs to.
pub(crate) fn populate(root: &Root) {
    put(root, "version", "SCST version: 3.11.0-pre\nmore\n");
    put(root, "handlers/vdisk_fileio/mgmt", "help");
    put(root, "handlers/vdisk_fileio/type", "0 - disk");
    link(root, "handlers/vdisk_fileio/disk1", "../../devices/disk1");
    put(root, "handlers/vdisk_nullio/mgmt", "help");
    link(root, "handlers/vdisk_nullio/null10", "../../devices/null10");
    put(root, "devices/disk1/size", "1073741824\n[key]\n");
    put(root, "devices/disk1/blocksize", "512\n");
    put(root, "devices/disk1/read_only", "0\n");
    put(root, "devices/disk1/filename", "/data/disk1.img\n[key]\n");
    link(root, "devices/disk1/handler", "../../handlers/vdisk_fileio");
    put(root, "devices/null10/size_mb", "2048\n");
    put(root, "devices/null10/read_only", "1\n[key]\n");
    put(root, "devices/null10/active", "0\n[key]\n");
    link(root, "devices/null10/handler", "../../handlers/vdisk_nullio");
    put(root, "targets/copy_manager/copy_manager_tgt/luns/mgmt", "");
    put(root, "targets/scst_local/mgmt", "help");
    let target = "targets/scst_local/scst_local_tgt";
    put(root, &format!("{target}/luns/mgmt"), "help");
    for (lun, device, read_only) in
        [("0", "disk1", "0\n"), ("10", "null10", "1\n[key]\n"), ("9", "disk1", "0\n")]
    {
        put(root, &format!("{target}/luns/{lun}/read_only"), read_only);
        link(root, &format!("{target}/luns/{lun}/device"), &format!("../../../../../devices/{device}"));
    }
    put(root, &format!("{target}/ini_groups/mgmt"), "help");
    put(root, &format!("{target}/ini_groups/blue/luns/mgmt"), "help");
    put(root, &format!("{target}/ini_groups/blue/luns/0/read_only"), "1\n[key]\n");
    link(root, &format!("{target}/ini_groups/blue/luns/0/device"), "../../../../../../devices/disk1");
    put(root, &format!("{target}/sessions/scst_local_host/host_no"), "3\n");
    put(root, &format!("{target}/sessions/scst_local_host/active_commands"), "2\n");
    for (file, count) in [
        ("read_cmd_count", 3000),
        ("read_io_count_kb", 12000),
        ("write_cmd_count", 5),
        ("write_io_count_kb", 20),
    ] {
        put(root, &format!("{target}/sessions/scst_local_host/{file}"), &format!("{count}\n"));
    }
    put(root, "targets/scst_local/stats", "Aborts: 1, Device Resets: 0, Target Resets: 0\n");
    put(root, "device_groups/dg/mgmt", "help");
    put(root, "device_groups/dg/target_groups/here/state", "standby\n[key]\n");
    link(root, "device_groups/dg/target_groups/here/tgt", "../../../../targets/scst_local/scst_local_tgt");
    link(root, "device_groups/dg/devices/disk1", "../../../devices/disk1");
    link(root, &format!("{target}/sessions/scst_local_host/luns"), "../../luns");
    put(root, &format!("{target}/sessions/second/host_no"), "4\n");
    link(root, &format!("{target}/sessions/second/luns"), "../../ini_groups/blue/luns");
}

fn live() -> Live {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    populate(&root);
    Live::read(&root)
}

#[test]
fn devices_have_handler_size_and_backing() {
    let live = live();
    assert_eq!(live.version.as_deref(), Some("SCST version: 3.11.0-pre"));
    let names: Vec<&str> = live.devices.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["disk1", "null10"]);
    let disk = &live.devices[0];
    assert_eq!(
        (disk.bytes, disk.block_bytes, disk.luns, disk.read_only),
        (Some(1 << 30), Some(512), 3, false)
    );
    assert_eq!(disk.filename.as_deref(), Some("/data/disk1.img"));
    assert_eq!((live.devices[1].bytes, live.devices[1].read_only), (Some(2 << 30), true));
    assert_eq!(live.handlers[0].devices, ["disk1"]);
    assert_eq!((disk.state, live.devices[1].state), (DeviceState::Ready, DeviceState::Inactive));
}

#[test]
fn targets_have_sessions_groups_and_luns_in_order() {
    let live = live();
    assert_eq!(live.targets.len(), 1, "the core's own target is not the appliance's");
    let target = &live.targets[0];
    let luns: Vec<_> =
        target.luns.iter().map(|lun| (lun.group.as_deref(), lun.lun.as_str(), lun.device.as_str())).collect();
    let blue = Some("blue");
    assert_eq!(
        luns,
        [(None, "0", "disk1"), (None, "9", "disk1"), (None, "10", "null10"), (blue, "0", "disk1")]
    );
    assert!(target.luns[2].read_only && target.luns[3].read_only && !target.luns[0].read_only);
    let sessions: Vec<_> = target
        .sessions
        .iter()
        .map(|s| (s.name.as_str(), s.group.as_deref(), s.host, s.active_commands))
        .collect();
    assert_eq!(sessions, [("scst_local_host", None, Some(3), Some(2)), ("second", blue, Some(4), None)]);
}

#[test]
fn counters_states_and_resets_are_there() {
    let live = live();
    let io = Io { reads: 3000, writes: 5, read_kib: 12000, written_kib: 20 };
    assert_eq!(live.targets[0].sessions[0].io, io);
    assert_eq!(live.targets[0].sessions[1].io, Io::default());
    assert_eq!(live.error_handling["scst_local"], "Aborts: 1, Device Resets: 0, Target Resets: 0");
    let group = &live.target_groups[0];
    assert_eq!(
        (group.device_group.as_str(), group.name.as_str(), group.state.as_str()),
        ("dg", "here", "standby")
    );
    assert_eq!(
        (group.devices.as_slice(), group.targets.as_slice()),
        (&["disk1".to_string()][..], &["tgt".to_string()][..])
    );
}

#[test]
fn a_box_without_a_target_stack_has_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Live::read(&Root::new(folder.path())), Live::default());
}
