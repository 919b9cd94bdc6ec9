// SPDX-License-Identifier: MIT OR Apache-2.0
//! Actions on a made-up system in a folder.

use super::*;
use std::os::unix::fs::PermissionsExt;

struct Fake {
    folder: tempfile::TempDir,
    root: Root,
}

fn fake() -> Fake {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    let mgmt = root.at("/sys/kernel/scst_tgt/handlers/vdisk_fileio");
    fs::create_dir_all(&mgmt).unwrap();
    fs::write(mgmt.join("mgmt"), "").unwrap();
    Fake { folder, root }
}

fn run(fake: &Fake, action: Action) -> Result<Option<String>, Trouble> {
    Linux::new(&fake.root, "false").run(&action)
}

fn create(path: &str, size: u64) -> Action {
    Action::CreateFile { path: path.into(), size }
}

fn write(path: &str, data: &str) -> Action {
    Action::Write { path: path.into(), data: data.into() }
}

#[test]
fn a_write_is_the_data_and_nothing_more() {
    let fake = fake();
    let command = "add_device disk1 filename=/data/disk1.img";
    assert_eq!(run(&fake, write("handlers/vdisk_fileio/mgmt", command)), Ok(None));
    let place = fake.root.at("/sys/kernel/scst_tgt/handlers/vdisk_fileio/mgmt");
    assert_eq!(fs::read_to_string(place).unwrap(), command);
}

#[test]
fn a_missing_handler_is_not_made_up() {
    let fake = fake();
    let trouble = run(&fake, write("handlers/vdisk_blockio/mgmt", "add_device x")).unwrap_err();
    assert_eq!(trouble.errno, "ENOENT");
    assert!(trouble.advice.contains("module is not loaded"), "{}", trouble.advice);
    assert!(!fake.root.at("/sys/kernel/scst_tgt/handlers/vdisk_blockio").exists());
}

#[test]
fn a_backing_file_is_sparse_and_has_its_size() {
    use std::os::unix::fs::MetadataExt;
    let fake = fake();
    fs::create_dir(fake.root.at("/data")).unwrap();
    assert_eq!(run(&fake, create("/data/luns/disk1.img", 1 << 30)), Ok(None));
    let made = fs::metadata(fake.root.at("/data/luns/disk1.img")).unwrap();
    assert_eq!(made.len(), 1 << 30);
    assert!(made.blocks() < 1024);
    assert_eq!(fs::read_dir(fake.root.at("/data/luns")).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_backing_file_is_not_made_where_nothing_is_mounted() {
    let fake = fake();
    let trouble = run(&fake, create("/data/disk1.img", 4096)).unwrap_err();
    assert!(trouble.message.contains("/data is not there"), "{}", trouble.message);
    assert!(!fake.root.at("/data").exists());
}

#[test]
fn an_existing_file_keeps_its_content_and_size() {
    let fake = fake();
    fs::create_dir(fake.root.at("/data")).unwrap();
    fs::write(fake.root.at("/data/disk1.img"), "precious").unwrap();
    let note = run(&fake, create("/data/disk1.img", 4)).unwrap().expect("a note about the size");
    assert!(note.contains("has 8 bytes, the profile says 4"), "{note}");
    assert_eq!(run(&fake, create("/data/disk1.img", 8)), Ok(None));
    assert_eq!(fs::read_to_string(fake.root.at("/data/disk1.img")).unwrap(), "precious");
}

#[test]
fn a_file_that_cannot_be_made_leaves_nothing() {
    let fake = fake();
    fs::create_dir(fake.root.at("/data")).unwrap();
    let trouble = run(&fake, create("/data/huge.img", u64::MAX)).unwrap_err();
    assert!(!trouble.advice.is_empty());
    assert_eq!(fs::read_dir(fake.root.at("/data")).unwrap().count(), 0);
}

#[test]
fn modprobe_gets_module_and_parameters_and_its_words_are_kept() {
    let fake = fake();
    let program = fake.folder.path().join("modprobe");
    let said = fake.folder.path().join("said");
    fs::write(
        &program,
        format!("#!/bin/sh\necho \"$@\" >{}\necho 'not found' >&2\ntest $1 = good\n", said.display()),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut linux = Linux::new(&fake.root, program.to_str().unwrap());
    let load =
        |module: &str| Action::Modprobe { module: module.into(), params: vec!["a=1".into(), "b=2".into()] };
    assert_eq!(linux.run(&load("good")), Ok(None));
    assert_eq!(fs::read_to_string(&said).unwrap(), "good a=1 b=2\n");
    assert_eq!(linux.run(&load("bad")).unwrap_err().message, "not found");
}

/// Reads EAGAIN as often as asked, then `result`; gives back the number of waits.
fn settle_after(again: usize, result: &str) -> (io::Result<()>, Duration) {
    let mut left = again;
    let mut waited = Duration::ZERO;
    let read = || {
        if left == 0 {
            return Ok(format!("{result}\n"));
        }
        left -= 1;
        Err(Errno::AGAIN.into())
    };
    let outcome = settled(read, |pause| waited += pause);
    (outcome, waited)
}

#[test]
fn background_work_is_waited_for_and_its_result_counts() {
    assert!(settle_after(0, "0").0.is_ok());
    let (outcome, waited) = settle_after(20, "0");
    assert!(outcome.is_ok());
    assert!(waited > Duration::from_secs(1) && waited < Duration::from_secs(3), "{waited:?}");
    assert_eq!(settle_after(3, "-17").0.unwrap_err().raw_os_error(), Some(17));
    assert!(settle_after(3, "nonsense").0.is_err());
}

#[test]
fn background_work_that_never_ends_is_given_up() {
    let (outcome, waited) = settle_after(usize::MAX, "0");
    assert_eq!(errno_of(&outcome.unwrap_err()), Some(Errno::TIMEDOUT));
    assert!(waited >= BACKGROUND_LIMIT);
}

#[test]
fn who_has_a_value_that_no_two_may_share_is_named() {
    let fake = fake();
    let tree = fake.root.at(SYSFS_ROOT);
    for (owner, name, value) in [
        ("targets/scst_local/one", "rel_tgt_id", "7"),
        ("targets/scst_local/two", "rel_tgt_id", "8"),
        ("targets/copy_manager/copy_manager_tgt", "rel_tgt_id", "0"),
        ("devices/disk1", "usn", "left"),
        ("devices/disk2", "usn", "right"),
    ] {
        fs::create_dir_all(tree.join(owner)).unwrap();
        fs::write(tree.join(owner).join(name), format!("{value}\n[key]\n")).unwrap();
    }
    let linux = Linux::new(&fake.root, "false");
    for (path, data, errno, named) in [
        ("targets/scst_local/one/rel_tgt_id", "8", Errno::BADSLT, "the target two has it"),
        ("devices/disk2/usn", "left", Errno::EXIST, "the device disk1 has it"),
        ("devices/disk2/usn", "gone", Errno::EXIST, "another device has it"),
        ("handlers/vdisk_nullio/mgmt", "add_device x", Errno::EXIST, "it exists already"),
    ] {
        let advice = linux.write_advice(path, data, &errno.into());
        assert!(advice.contains(named), "{path}: {advice}");
    }
}
