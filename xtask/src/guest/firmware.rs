// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a boot through firmware needs: the firmware's variables, and a run's archives on the boot partition.
//!
//! The archives go into an add-on that the unified kernel image's stub picks up from `/loader/addons`, on the
//! working copy of the disk. The unified kernel image itself is booted as it ships.

use std::path::{Path, PathBuf};

use miette::{miette, Context as _, IntoDiagnostic as _};

use crate::enter::TreeCommand;
use crate::vm::machine::Boot;

/// Where the stub looks for add-ons of every kernel image.
const ADDON: &str = "::/loader/addons/xtask.addon.efi";
/// The GPT type of an EFI system partition.
const ESP_TYPE: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
/// Bytes in the sectors that partition tables count in.
const SECTOR: u64 = 512;

/// The firmware's code in the tools tree, and a fresh copy of its variables below `dir`.
pub(crate) fn boot(tree: &Path, dir: &Path) -> miette::Result<Boot> {
    let share = tree.join("usr/share/OVMF");
    let vars = dir.join("efi-vars.fd");
    std::fs::copy(share.join("OVMF_VARS_4M.fd"), &vars)
        .into_diagnostic()
        .wrap_err_with(|| format!("no UEFI firmware in {}", share.display()))?;
    Ok(Boot::Firmware { code: "/usr/share/OVMF/OVMF_CODE_4M.fd".into(), vars })
}

/// Puts `initrd` and the words `cmdline` on the boot partition of `disk` as an add-on.
pub(crate) fn install_addon(
    tree: &Path,
    disk: &Path,
    initrd: &Path,
    cmdline: &str,
    dir: &Path,
) -> miette::Result<()> {
    let addon = make_addon(tree, initrd, cmdline, dir)?;
    let esp = esp(tree, disk)?;
    // The folder may be there already, and mmd has no way to accept that quietly.
    let _ = mtools(tree, disk, "mmd").args(["-D", "s", "-i", &esp, "::/loader/addons"]).to_command().output();
    let copy =
        mtools(tree, disk, "mcopy").bind_ro(&addon, "/addon").args(["-o", "-i", &esp, "/addon", ADDON]);
    run(copy, "cannot copy the run's add-on to the boot partition").map(drop)
}

/// Takes the add-on of an earlier run off the boot partition of `disk`.
pub(crate) fn remove_addon(tree: &Path, disk: &Path) -> miette::Result<()> {
    let esp = esp(tree, disk)?;
    let listed = mtools(tree, disk, "mdir").args(["-b", "-i", &esp, ADDON]).to_command().output();
    if listed.into_diagnostic().wrap_err("cannot run mdir in the tools tree")?.status.success() {
        run(mtools(tree, disk, "mdel").args(["-i", &esp, ADDON]), "cannot remove an earlier run's add-on")?;
    }
    Ok(())
}

fn make_addon(tree: &Path, initrd: &Path, cmdline: &str, dir: &Path) -> miette::Result<PathBuf> {
    let command = TreeCommand::new(tree, "ukify")
        .args(["build", "--stub=/usr/lib/systemd/boot/efi/addonx64.efi.stub", "--initrd=/initrd"])
        .args([&format!("--cmdline={cmdline}"), "--output=/out/xtask.addon.efi"])
        .bind_ro(initrd, "/initrd")
        .bind_rw(dir, "/out");
    run(command, "cannot make the run's add-on")?;
    Ok(dir.join("xtask.addon.efi"))
}

/// The boot partition of `disk` as mtools takes it: the file and an offset in bytes.
fn esp(tree: &Path, disk: &Path) -> miette::Result<String> {
    Ok(format!("/disk@@{}", partition(tree, disk, |_, kind| kind == ESP_TYPE)?))
}

/// The offset in bytes of the first partition of `disk` whose name and type `wanted` accepts.
pub(crate) fn partition(
    tree: &Path,
    disk: &Path,
    wanted: impl Fn(&str, &str) -> bool,
) -> miette::Result<u64> {
    let columns = ["--raw", "--noheadings", "--output", "START,TYPE,NAME", "/disk"];
    let command = TreeCommand::new(tree, "partx").args(columns).bind_ro(disk, "/disk");
    let table = run(command, "cannot read the partition table")?;
    find_partition(&table, wanted)
        .ok_or_else(|| miette!("{}: no such partition; the table is:\n{}", disk.display(), table.trim_end()))
}

fn find_partition(table: &str, wanted: impl Fn(&str, &str) -> bool) -> Option<u64> {
    table.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (start, kind) = (words.next()?, words.next()?);
        wanted(words.next().unwrap_or_default(), kind).then(|| start.parse::<u64>().ok())?.map(|s| s * SECTOR)
    })
}

fn mtools(tree: &Path, disk: &Path, program: &str) -> TreeCommand {
    TreeCommand::new(tree, program).env("MTOOLS_SKIP_CHECK", "1").bind_rw(disk, "/disk")
}

/// Runs a command to its end and returns what it printed; its own words are the error.
pub(crate) fn run(command: TreeCommand, failure: &str) -> miette::Result<String> {
    let output = command.to_command().output().into_diagnostic().wrap_err_with(|| failure.to_owned())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(miette!("{failure}: {}", said.trim_end()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_found_by_name_and_by_type() {
        let table = "2048 c12a7328-f81f-11d2-ba4b-00a0c93ec93b esp\n\
                     206848 0fc63daf-8483-4772-8e79-3d69d8477de4 data\n4096 0fc63daf-8483-4772-8e79-3d69d8477de4\n";
        assert_eq!(find_partition(table, |_, kind| kind == ESP_TYPE), Some(2048 * 512));
        assert_eq!(find_partition(table, |name, _| name == "data"), Some(206_848 * 512));
        assert_eq!(find_partition(table, |name, _| name == "config"), None);
    }
}
