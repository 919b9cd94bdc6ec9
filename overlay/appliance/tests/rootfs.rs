// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scripts of the root file system, as far as a host can tell: they parse, they can be run, and the list
//! functions that they share do what they say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn rootfs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rootfs")
}

fn scripts() -> Vec<PathBuf> {
    let folder = fs::read_dir(rootfs().join("etc/init.d")).unwrap();
    let mut scripts: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    scripts.push(rootfs().join("init"));
    scripts
}

fn shell(script: &str) -> String {
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_script_parses_and_can_be_run() {
    assert!(scripts().len() > 10);
    for script in scripts() {
        let name = script.display();
        let status = Command::new("sh").arg("-n").arg(&script).status().unwrap();
        assert!(status.success(), "{name} does not parse");
        let is_sourced = script.ends_with("functions");
        let mode = fs::metadata(&script).unwrap().permissions().mode();
        assert_eq!(mode & 0o111 != 0, !is_sourced, "{name} has mode {mode:o}");
        let text = fs::read_to_string(&script).unwrap();
        assert_eq!(text.starts_with("#!/bin/sh\n"), !is_sourced, "{name}");
        assert!(text.contains("# SPDX-License-Identifier: MIT OR Apache-2.0\n"), "{name}");
    }
}

#[test]
fn lists_are_read_without_comments_and_blanks() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    fs::write(&list, "# drivers\n  nvme  \n\nahci # disks\nlast").unwrap();
    let functions = rootfs().join("etc/init.d/functions");
    let read = |file: &Path| shell(&format!(". {}; lines {}", functions.display(), file.display()));
    assert_eq!(read(&list), "nvme\nahci\nlast\n");
    assert_eq!(read(&folder.path().join("nosuch")), "");
}

#[test]
fn a_login_exists_only_where_the_build_asks_for_it() {
    let inittab = fs::read_to_string(rootfs().join("etc/inittab")).unwrap();
    for line in inittab.lines().filter(|line| !line.starts_with('#')) {
        assert!(!line.contains("/sh") && !line.contains("getty") && !line.contains("login"), "{line}");
    }
    assert!(!rootfs().join("etc/appliance/console").exists());
}
