// SPDX-License-Identifier: MIT OR Apache-2.0
//! Takes the target stack down: target drivers first, so that nobody asks, then handlers, then the core.
//!
//! The modules take their own configuration down when they go, with the last flush of every backing store.

use crate::machine;
use crate::root::{self, Root};
use board_profile::SYSFS_ROOT;
use std::process::Command;

const CORE: &str = "scst";

/// Unloads every module of the target stack with the program `modprobe`; returns what stays, each with the reason.
pub(crate) fn unload(root: &Root, modprobe: &str) -> Vec<String> {
    let mut stays = Vec::new();
    for module in order(root) {
        // An earlier removal may have taken it along.
        if !root.at("/sys/module").join(&module).exists() {
            continue;
        }
        if let Err(reason) = remove(modprobe, &module) {
            stays.push(format!("module {module} stays: {reason}; `mount` and `lsof` tell who uses its LUNs"));
        }
    }
    stays
}

/// The loaded modules of the stack, users before what they use.
fn order(root: &Root) -> Vec<String> {
    if !root.at("/sys/module").join(CORE).exists() {
        return Vec::new();
    }
    let drivers = root::names(&root.at(SYSFS_ROOT).join("targets"));
    let users = root::names(&root.at("/sys/module").join(CORE).join("holders"));
    let (targets, handlers): (Vec<_>, Vec<_>) = users.into_iter().partition(|user| drivers.contains(user));
    targets.into_iter().chain(handlers).chain([CORE.to_string()]).collect()
}

fn remove(modprobe: &str, module: &str) -> Result<(), String> {
    let output = Command::new(modprobe).args(["-r", module]).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(machine::last_words(&output.stderr))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A system with the three modules, and a modprobe that removes all but `scst_vdisk`.
    fn system() -> (tempfile::TempDir, Root, String) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        for place in ["scst/holders/scst_vdisk", "scst/holders/scst_local", "scst_vdisk", "scst_local"] {
            fs::create_dir_all(root.at("/sys/module").join(place)).unwrap();
        }
        fs::create_dir_all(root.at("/sys/kernel/scst_tgt/targets/scst_local")).unwrap();
        let program = folder.path().join("modprobe");
        let script = format!(
            "#!/bin/sh\necho $2 >>{0}/asked\n[ $2 = scst_vdisk ] && {{ echo busy >&2; exit 1; }}\nrm -r {0}/sys/module/$2\n",
            folder.path().display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        (folder, root, program.to_str().unwrap().to_string())
    }

    #[test]
    fn targets_go_first_and_what_stays_is_named() {
        let (folder, root, program) = system();
        let stays = unload(&root, &program);
        let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
        assert_eq!(asked, "scst_local\nscst_vdisk\nscst\n");
        assert_eq!(stays.len(), 1);
        assert!(stays[0].contains("scst_vdisk stays: busy"), "{stays:?}");
    }

    #[test]
    fn a_box_without_a_stack_is_done_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(unload(&Root::new(folder.path()), "false").is_empty());
    }
}
