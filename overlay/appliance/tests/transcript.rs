// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree of the C implementation, as a transcript recorded it: what it shows is exported, and what is exported
//! differs in nothing from it.

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn transcript() -> String {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ci/golden/transcripts/b-tree-configured.txt");
    fs::read_to_string(path).expect("the transcript")
}

/// Makes the tree again below `root`: a listing of types, modes, paths and links, then `PATH = 'CONTENT'`.
fn rebuild(root: &Path, text: &str) {
    let place = |path: &str| -> PathBuf { root.join(path.trim_start_matches('/')) };
    let listed =
        text.lines().filter(|line| line.get(2..).is_some_and(|rest| rest.contains(" /sys/kernel/scst_tgt")));
    let mut modes = Vec::new();
    for line in listed {
        let (path, link) = line.split_once(" -> ").unwrap_or((line, ""));
        let words: Vec<&str> = path.split_whitespace().collect();
        let [kind, mode, path] = words[..] else { continue };
        let place = place(path);
        fs::create_dir_all(place.parent().expect("a folder")).unwrap();
        match kind {
            "d" => fs::create_dir_all(place).unwrap(),
            "l" => symlink(link, place).unwrap(),
            "f" => {
                fs::write(&place, "").unwrap();
                modes.push((place, u32::from_str_radix(mode, 8).expect("a mode")));
            }
            _ => {}
        }
    }
    for (path, content) in text.lines().filter_map(|line| line.split_once(" = '")) {
        let place = place(&format!("/sys/kernel/scst_tgt/{}", path.trim_start()));
        if place.is_file() {
            let content = content.strip_suffix('\'').unwrap_or(content);
            let content = content.replace("\\n", "\n").replace("\\t", "\t").replace("\\'", "'");
            fs::write(place, content).unwrap();
        }
    }
    // The transcript leaves out what differs from build to build.
    fs::write(place("/sys/kernel/scst_tgt/version"), "SCST version: 3.11.0-pre\n").unwrap();
    for (place, mode) in modes {
        fs::set_permissions(place, fs::Permissions::from_mode(mode)).unwrap();
    }
    for module in ["scst", "scst_vdisk", "scst_local"] {
        fs::create_dir_all(root.join("sys/module").join(module)).unwrap();
    }
}

fn appliance(root: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_appliance"));
    command.arg("--root").arg(root).args(words).output().expect("the program runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The lines in an order that does not depend on that of folders.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_tree_of_c_is_exported_and_differs_in_nothing_from_that() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    rebuild(root, &transcript());
    let exported = appliance(root, &["export"]);
    assert!(exported.status.success(), "{}", said(&exported));
    let exported = said(&exported);
    assert_eq!(sorted(&exported), sorted(include_str!("transcript.written")), "{exported}");
    fs::write(root.join("saved.conf"), &exported).unwrap();
    let toml = said(&appliance(root, &["export", "--toml"]));
    fs::write(root.join("saved.toml"), toml).unwrap();
    for file in ["/saved.conf", "/saved.toml"] {
        let plan = said(&appliance(root, &["plan", file]));
        assert!(plan.starts_with("# nothing to do: all "), "{file}: {plan}");
        let report = said(&appliance(root, &["apply", "--force", file]));
        assert!(report.starts_with("appliance: nothing to do"), "{file}: {report}");
    }
    // A difference is seen.
    fs::write(root.join("other.conf"), exported.replace("group_id 102", "group_id 103")).unwrap();
    let plan = said(&appliance(root, &["plan", "/other.conf"]));
    assert_eq!(plan, "echo \"103\" > /sys/kernel/scst_tgt/device_groups/dg1/target_groups/tgb/group_id\n");
    // What no configuration can set is named, and not exported.
    fs::write(root.join("sys/kernel/scst_tgt/cluster_name"), "box7\n[key]\n").unwrap();
    let output = appliance(root, &["export"]);
    assert_eq!(sorted(&String::from_utf8_lossy(&output.stdout)), sorted(&exported));
    assert!(String::from_utf8_lossy(&output.stderr).contains("note: cluster_name is `box7`"), "{output:?}");
}
