// SPDX-License-Identifier: MIT OR Apache-2.0
//! `appliance load` and `appliance plan`: from the profile's text to the running target stack.

use crate::execute;
use crate::links;
use crate::machine::Linux;
use crate::report::Report;
use crate::root::Root;
use board_profile::{Board, Plan};
use std::fs;
use std::time::Duration;

/// The plan of the flat profile at `path`, or what is wrong with it, ready to print.
pub(crate) fn plan(root: &Root, path: &str) -> Result<Plan, String> {
    Ok(board(root, path)?.plan())
}

fn board(root: &Root, path: &str) -> Result<Board, String> {
    let text = fs::read_to_string(root.at(path)).map_err(|error| {
        format!("error: {path}: {error}\n  help: the build puts the profile there; rebuild the image, or name one with --profile\n")
    })?;
    Board::from_flat(path, &text).map_err(|problems| problems.plain())
}

/// Takes every step of the profile at `path` that can be taken, with the program `modprobe` for modules. Disks that
/// the profile names and that are not there yet are waited for; one that never comes costs its own LUNs.
pub(crate) fn load(root: &Root, path: &str, wait: Duration, modprobe: &str) -> Report {
    let board = match board(root, path) {
        Ok(board) => board,
        Err(errors) => return Report::unusable(errors),
    };
    let disks: Vec<&str> = disks(&board).collect();
    let waited = if disks.is_empty() { Ok(true) } else { links::wait_for_devices(root, &disks, wait) };
    let mut report = execute::execute(&execute::tasks(&board.plan()), &mut Linux::new(root, modprobe));
    report.notes.extend(waited.err().map(|error| format!("new disks are not seen: {error}")));
    report
}

/// Block devices that the board's LUNs stand on.
fn disks(board: &Board) -> impl Iterator<Item = &str> {
    let files = board.devices().iter().filter_map(|device| device.filename.as_ref());
    files.map(|file| file.as_str()).filter(|file| file.starts_with("/dev/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::State;
    use board_profile::{Action, SYSFS_ROOT};

    const PROFILE: &str = r#"
schema = 1
[board]
name = "try"
description = "two disks on one target"
arch = "x86_64"
[drivers]
load = ["virtio_pci", "virtio_blk"]
[[device]]
name = "disk1"
handler = "vdisk_fileio"
filename = "/data/disk1.img"
size = "1 MiB"
[[device]]
name = "null1"
handler = "vdisk_nullio"
size = "1 GiB"
[[target]]
driver = "scst_local"
name = "tgt"
sessions = ["host"]
[[target.lun]]
lun = 0
device = "disk1"
[[target.lun]]
lun = 1
device = "null1"
"#;

    /// A system on which every file that the profile's plan writes to is there, and the plan itself.
    fn system() -> (tempfile::TempDir, Root, Plan) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        fs::create_dir_all(root.at("/data")).unwrap();
        fs::write(root.at("/profile.toml"), PROFILE).unwrap();
        let plan = plan(&root, "/profile.toml").unwrap_or_else(|errors| panic!("{errors}"));
        for step in &plan.steps {
            if let Action::Write { path, .. } = &step.action {
                let file = root.at(&format!("{SYSFS_ROOT}/{path}"));
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "").unwrap();
            }
        }
        (folder, root, plan)
    }

    #[test]
    fn a_good_profile_comes_up_whole() {
        let (_folder, root, plan) = system();
        let report = load(&root, "/profile.toml", Duration::ZERO, "true");
        assert_eq!((report.state, report.up), (State::Up, plan.steps.len()), "{:?}", report.failures);
        assert!(plan.steps.len() >= 9);
        assert_eq!(fs::metadata(root.at("/data/disk1.img")).unwrap().len(), 1 << 20);
        let written =
            fs::read_to_string(root.at(&format!("{SYSFS_ROOT}/handlers/vdisk_fileio/mgmt"))).unwrap();
        assert_eq!(written, "add_device disk1 filename=/data/disk1.img");
    }

    #[test]
    fn a_missing_handler_costs_its_lun_and_the_other_comes_up() {
        let (_folder, root, plan) = system();
        fs::remove_file(root.at(&format!("{SYSFS_ROOT}/handlers/vdisk_fileio/mgmt"))).unwrap();
        let report = load(&root, "/profile.toml", Duration::ZERO, "true");
        let failed: Vec<_> = report.failures.iter().map(|failure| failure.object.as_str()).collect();
        let skipped: Vec<_> = report.skipped.iter().map(|skipped| skipped.object.as_str()).collect();
        assert_eq!((failed, skipped), (vec!["device disk1"], vec!["lun scst_local/tgt/0"]));
        assert_eq!((report.state, report.up), (State::Degraded, plan.steps.len() - 2));
        let luns = format!("{SYSFS_ROOT}/targets/scst_local/tgt/luns/mgmt");
        assert_eq!(fs::read_to_string(root.at(&luns)).unwrap(), "add null1 1");
    }

    #[test]
    fn a_bad_profile_touches_nothing_and_is_explained() {
        let (_folder, root, _) = system();
        fs::write(root.at("/profile.toml"), PROFILE.replace("lun = 1", "lun = 0")).unwrap();
        let report = load(&root, "/profile.toml", Duration::ZERO, "true");
        assert_eq!((report.state, report.exit_status()), (State::Unusable, 2));
        assert!(report.profile_errors.contains("/profile.toml:"), "{}", report.profile_errors);
        assert!(!root.at("/data/disk1.img").exists());
        let report = load(&root, "/nosuch.toml", Duration::ZERO, "true");
        assert!(report.profile_errors.contains("/nosuch.toml"), "{}", report.profile_errors);
    }
}
