// SPDX-License-Identifier: MIT OR Apache-2.0
//! `modules/INTERFACE.md` says which test covers which file of the management interface: all of C's files are in it, and
//! the tests that it names exist.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What stands between backquotes in the table.
fn quoted(table: &str) -> Vec<String> {
    let inside = table.split('`').skip(1).step_by(2);
    inside.map(str::to_owned).collect()
}

/// The names of the files that a recorded tree has, but for those that are named by whoever configured it.
fn recorded(transcript: &str) -> Vec<String> {
    let files = transcript
        .lines()
        .filter_map(|line| line.strip_prefix("f "))
        .filter_map(|rest| rest.split_once(" /sys/kernel/scst_tgt/"))
        .map(|(_, path)| path.trim_end());
    let named_by_nobody = |path: &&str| {
        !path.contains("/latency/") && (!path.contains("/initiators/") || path.ends_with("/mgmt"))
    };
    files.filter(named_by_nobody).filter_map(|path| path.rsplit('/').next()).map(str::to_owned).collect()
}

#[test]
fn every_file_that_c_has_is_in_the_table() {
    let table = quoted(&read("modules/INTERFACE.md"));
    let mut seen = 0;
    for transcript in ["a-tree-empty", "b-tree-configured"] {
        for file in recorded(&read(&format!("ci/golden/transcripts/{transcript}.txt"))) {
            seen += 1;
            let found = table.iter().any(|entry| *entry == file || entry.ends_with(&format!("/{file}")));
            assert!(found, "modules/INTERFACE.md does not name `{file}`, which {transcript} has");
        }
    }
    assert!(seen > 200, "the transcripts have changed their shape");
}

#[test]
fn every_test_that_the_table_names_exists() {
    let table = quoted(&read("modules/INTERFACE.md"));
    let tests: Vec<_> = table
        .iter()
        .filter_map(|entry| entry.split_once('/'))
        .filter_map(|(kind, name)| match kind {
            "golden" => Some(format!("ci/golden/transcripts/{name}.txt")),
            "scenario" => Some(format!("ci/scenarios/{name}.toml")),
            _ => None,
        })
        .filter(|path| !path.contains('…'))
        .collect();
    assert!(tests.len() > 50, "the table has changed its shape");
    for path in tests {
        assert!(
            root().join(&path).is_file(),
            "modules/INTERFACE.md names a test whose file {path} is missing"
        );
    }
}
