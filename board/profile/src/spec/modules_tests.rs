// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of this crate against the sources of the kernel modules: what a profile may say is what they take.

use super::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../modules")
}

/// What the module lists for a kind of device: the text of the arm `Self::KIND` of its `parameters`.
fn listed(kind: &str) -> BTreeSet<String> {
    let source = fs::read_to_string(modules().join("scst_vdisk/handler.rs")).expect("the module's source");
    let (_, function) = source.split_once("fn parameters(self)").expect("the list of parameters");
    let (_, arm) = function.split_once(&format!("Self::{kind} =>")).expect("an arm for the kind");
    let text = arm.split('"').nth(1).expect("a text");
    text.split(',')
        .map(|name| name.trim_matches(|c: char| c.is_whitespace() || c == '\\').to_string())
        .collect()
}

/// What this crate knows to be given when a device is made, supported or not.
fn known(handler: Handler) -> BTreeSet<String> {
    let own = match handler {
        Handler::VdiskFileio | Handler::VdiskBlockio => &["filename"][..],
        Handler::VdiskNullio => &["size", "size_mb"],
        Handler::Vcdrom => &[],
    };
    // Everybody has `size_mb` for the help line that names `size`.
    let attributes = DEVICE.attributes.iter().filter(|attribute| attribute.name != "size_mb");
    let given = attributes.filter(|attribute| {
        matches!(attribute.role(device_owner(handler)), Role::Create | Role::Unsupported)
    });
    given.map(|attribute| attribute.name).chain(own.iter().copied()).map(str::to_string).collect()
}

#[test]
fn parameters_of_devices_are_those_of_the_module() {
    let kinds = ["File", "Block", "Null", "CdRom"];
    for (handler, kind) in Handler::ALL.into_iter().zip(kinds) {
        assert_eq!(known(handler), listed(kind), "{handler}");
    }
}

/// Every name of a file in the sources of a module.
fn files(folders: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in folders {
        for entry in fs::read_dir(modules().join(folder)).expect("the module's folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(path).expect("a readable source");
                let pieces: Vec<&str> = text.split('"').collect();
                // `c"name"`, and not the end of another text.
                let quoted = pieces.windows(2).filter_map(|pair| {
                    let before = pair[0].strip_suffix('c')?;
                    (!before.ends_with(|c: char| c.is_alphanumeric() || c == '_')).then_some(pair[1])
                });
                names.extend(quoted.map(str::to_string));
            }
        }
    }
    names
}

#[test]
fn every_attribute_of_a_profile_is_a_file_of_a_module() {
    let tree = files(&["scst/tree", "scst", "scst_vdisk", "scst_local"]);
    for spec in [&SCST, &DEVICE, &TARGET, &GROUP] {
        let written = spec.attributes.iter().filter(|attribute| attribute.roles.contains('w'));
        let names = written.map(|attribute| attribute.name);
        let missing: Vec<&str> = names.filter(|name| !tree.contains(*name)).collect();
        assert_eq!(missing, Vec::<&str>::new(), "{}: no module has these files", spec.title);
    }
}
