// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an heir gets, changes, adds and takes away; the kernel command line; and the differences between boards.

use board_profile::{diff, load, Board, Change, Source};

const PARENT: &str = r#"
schema = 1

[kernel]
cmdline = ["panic=10", "quiet"]

[drivers]
load = ["virtio_pci", "virtio_blk"]
carry = ["igb"]

[console]
tty = ["ttyS0"]

[vm]
cpus = 4

[[device]]
name = "disk1"
handler = "vdisk_fileio"
filename = "/data/disk1.img"
size = "64 MiB"
rotational = false

[[target]]
name = "tgt"
sessions = ["host"]

[[target.lun]]
lun = 0
device = "disk1"
"#;

const HEIR: &str = r#"
schema = 1
inherit = ["parent"]

[board]
name = "heir"

[kernel]
cmdline = ["-quiet", "panic=10", "loglevel=4"]

[drivers]
load = ["igb"]

[console]
tty = ["tty0"]

[vm]
memory = "1 GiB"

[[device]]
name = "disk1"
size = "128 MiB"
attributes = { rotational = true }

[[device]]
name = "null1"
handler = "vdisk_nullio"

[[target]]
name = "tgt"

[[target.lun]]
lun = 1
device = "null1"

[[target.lun]]
lun = 0
device = "disk1"
read_only = true
"#;

fn board(heir: &str) -> Board {
    let loader = |name: &str| {
        let text = if name == "parent" { PARENT } else { heir };
        Ok(Source { path: format!("{name}.toml"), text: text.to_string() })
    };
    load("heir", &loader).unwrap_or_else(|problems| panic!("{}", problems.plain()))
}

fn words<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(T::to_string).collect()
}

#[test]
fn lists_are_joined_and_items_taken_away() {
    let board = board(HEIR);
    assert_eq!(board.kernel().cmdline, ["panic=10", "loglevel=4"]);
    assert_eq!(words(&board.drivers().load), ["virtio_pci", "virtio_blk", "igb"]);
    assert_eq!(words(&board.drivers().carry), [""; 0], "what is loaded need not be carried twice");
}

#[test]
fn tables_are_laid_over_each_other() {
    let board = board(HEIR);
    assert_eq!((board.vm().cpus, board.vm().memory.bytes()), (4, 1 << 30));
}

#[test]
fn repeated_tables_change_the_one_with_their_name() {
    let board = board(HEIR);
    let names: Vec<&str> = board.devices().iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["disk1", "null1"]);
    let disk = &board.devices()[0];
    assert_eq!(disk.size.map(|size| size.bytes()), Some(128 << 20));
    assert_eq!(disk.filename.as_ref().map(|path| path.as_str()), Some("/data/disk1.img"));
    assert!(disk.attributes["rotational"].is_on(), "`attributes` and the table itself are the same place");
    let luns: Vec<(u16, bool)> = board.targets()[0].luns.iter().map(|lun| (lun.lun, lun.read_only)).collect();
    assert_eq!(luns, [(0, true), (1, false)]);
    assert_eq!(words(&board.targets()[0].sessions), ["host"]);
}

#[test]
fn the_first_terminal_is_the_last_console() {
    assert_eq!(board(HEIR).cmdline(), "console=tty0 console=ttyS0,115200 panic=10 loglevel=4");
}

#[test]
fn differences_are_named_by_key() {
    let other = HEIR.replace("1 GiB", "2 GiB").replace("read_only = true", "").replace("null1", "null2");
    let changes = diff(&board(HEIR), &board(&other));
    let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
    for key in [
        "vm.memory",
        "device.null1.name",
        "device.null2.name",
        "target.tgt.lun.0.read_only",
        "target.tgt.lun.1.device",
    ] {
        assert!(keys.contains(&key), "{key} is not in {keys:?}");
    }
    assert_eq!(keys.len(), 7, "{keys:?}");
    let memory =
        Change { key: "vm.memory".into(), from: Some("\"1 GiB\"".into()), to: Some("\"2 GiB\"".into()) };
    assert!(changes.contains(&memory));
}

fn json(section: &impl serde::Serialize) -> String {
    serde_json::to_string(section).expect("a section serialises")
}

#[test]
fn sections_serialise_by_themselves() {
    let left = board(HEIR);
    let right = board(&HEIR.replace("1 GiB", "2 GiB"));
    assert_eq!(json(left.drivers()), json(right.drivers()));
    assert_ne!(json(left.vm()), json(right.vm()));
}
