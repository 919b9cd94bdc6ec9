// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every file of the repository that can carry a comment names its licence: GPL-2.0-only below `modules/`, since it is
//! linked into the kernel, and MIT OR Apache-2.0 elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

/// What the repository consists of beside the texts of the licences.
const ROOTS: [&str; 14] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "Cargo.toml",
    "README.md",
    "board",
    "ci",
    "images",
    "kernel-config",
    "modules",
    "overlay",
    "xtask",
];
/// Recorded and generated data, byte for byte what a program writes or reads.
const DATA: [&str; 8] = ["expected", "hex", "json", "lock", "pending-snap", "plan", "txt", "written"];
/// Files whose format has no comments.
const BARE: [&str; 2] = ["overlay/rootfs/etc/group", "overlay/rootfs/etc/passwd"];

fn is_data(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let is_corpus = ending == "conf" && path.components().any(|part| part.as_os_str() == "tests");
    is_corpus || DATA.contains(&ending) || BARE.iter().any(|bare| path.ends_with(bare))
}

fn walk(path: &Path, found: &mut Vec<PathBuf>) {
    let meta = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if meta.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| walk(&entry.unwrap().path(), found));
    } else if meta.is_file() && !is_data(path) {
        found.push(path.to_owned());
    }
}

/// The licence that one of the first lines names.
fn licence(path: &Path) -> Option<String> {
    let text = fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&text);
    let named = text.lines().take(3).find_map(|line| line.split_once("SPDX-License-Identifier: "))?;
    Some(named.1.trim_end_matches("-->").trim_end_matches("*/").trim().to_owned())
}

#[test]
fn every_file_names_its_licence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    ROOTS.iter().for_each(|name| walk(&root.join(name), &mut files));
    assert!(files.len() > 200, "only {} files were found", files.len());
    let wanted = |path: &Path| match path.starts_with(root.join("modules")) {
        true => "GPL-2.0-only",
        false => "MIT OR Apache-2.0",
    };
    let wrong = files.iter().filter(|path| licence(path).as_deref() != Some(wanted(path)));
    let wrong: Vec<_> = wrong.map(|path| format!("{}: {:?}", path.display(), licence(path))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
