// SPDX-License-Identifier: MIT OR Apache-2.0
//! The initramfs archives that one run lays over the image's own.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use miette::{miette, Context as _, IntoDiagnostic as _};

use crate::enter::TreeCommand;

/// Runs in the guest.
const AGENT: &str = include_str!("agent.sh");
/// Starts the agent once init has finished.
const RUNNER: &str = include_str!("runner.sh");

/// Links at the guest's root that a folder of the same name would replace.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Whether the agent mounts a disk of packages before it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packages {
    /// It does.
    Mounted,
    /// There is none.
    None,
}

/// Writes the archive with the agent and the drivers at `modules`, in this order, below `dir`.
pub(crate) fn runner(
    tree: &Path,
    dir: &Path,
    modules: &[PathBuf],
    packages: Packages,
) -> miette::Result<PathBuf> {
    let stage = dir.join("runner");
    stage_runner(&stage, modules, packages)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write the guest's agent below {}", stage.display()))?;
    let archive = dir.join("runner.cpio");
    pack(tree, &stage, &archive)?;
    Ok(archive)
}

fn stage_runner(stage: &Path, modules: &[PathBuf], packages: Packages) -> std::io::Result<()> {
    if stage.exists() {
        fs::remove_dir_all(stage)?;
    }
    let (init, home) = (stage.join("etc/init.d"), stage.join("xtask"));
    fs::create_dir_all(&init)?;
    fs::create_dir_all(home.join("modules"))?;
    let mut load = String::new();
    for module in modules {
        let name = module.file_name().unwrap_or_default();
        fs::copy(module, home.join("modules").join(name))?;
        load.push_str(&format!("{}\n", name.to_string_lossy()));
    }
    fs::write(home.join("load"), load)?;
    if packages == Packages::Mounted {
        fs::write(home.join("with-packages"), "")?;
    }
    // Behind every script of the appliance, so that a command finds the box as its user would.
    for (path, text) in [(init.join("S99xtask"), RUNNER), (home.join("agent"), AGENT)] {
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Writes an archive of everything in the user's folder `files` below `dir`; all of it belongs to root.
pub(crate) fn files(tree: &Path, files: &Path, dir: &Path, number: usize) -> miette::Result<PathBuf> {
    let source = files
        .canonicalize()
        .into_diagnostic()
        .wrap_err_with(|| format!("--add-files {}: there is no such folder", files.display()))?;
    if !source.is_dir() {
        return Err(miette!("--add-files {}: not a folder", files.display()));
    }
    if let Some(name) =
        MERGED.iter().find(|name| source.join(name).symlink_metadata().is_ok_and(|m| m.is_dir()))
    {
        return Err(miette!(
            help = "move its files to {name}'s target: usr/{name}",
            "--add-files {}: the folder {name} would replace the guest's link /{name}",
            files.display()
        ));
    }
    let archive = dir.join(format!("files-{number}.cpio"));
    pack(tree, &source, &archive)?;
    Ok(archive)
}

/// Packs the folder `from` as a `newc` archive in which everything belongs to root, sorted by name.
fn pack(tree: &Path, from: &Path, to: &Path) -> miette::Result<()> {
    let script =
        "set -e; find . ! -name . >/tmp/list; LC_ALL=C sort /tmp/list | cpio --quiet -o -H newc -R 0:0";
    let file =
        File::create(to).into_diagnostic().wrap_err_with(|| format!("cannot write {}", to.display()))?;
    let command = TreeCommand::new(tree, "sh").args(["-c", script]).bind_ro(from, "/from").workdir("/from");
    let output = command
        .to_command()
        .stdout(file)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .into_diagnostic()
        .wrap_err("cannot run cpio in the tools tree")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(miette!("cannot pack {}: {}", from.display(), said.trim_end()));
    }
    Ok(())
}

/// Joins archives into the one file that QEMU takes, each on a boundary where the kernel looks for the next.
pub(crate) fn join(archives: &[PathBuf], to: &Path) -> miette::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut out = File::create(to)?;
        let mut written: u64 = 0;
        for archive in archives {
            let padding = written.next_multiple_of(4) - written;
            out.write_all(&[0; 4][..usize::try_from(padding).unwrap_or(0)])?;
            written += padding + std::io::copy(&mut File::open(archive)?, &mut out)?;
        }
        Ok(())
    };
    write()
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot join the guest's archives into {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_archives_begin_on_word_boundaries() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name| dir.path().join(name);
        std::fs::write(path("a"), b"12345").unwrap();
        std::fs::write(path("b"), b"0707").unwrap();
        join(&[path("a"), path("b")], &path("out")).unwrap();
        assert_eq!(std::fs::read(path("out")).unwrap(), b"12345\0\0\x000707");
    }

    #[test]
    fn the_runner_is_the_last_script_and_lists_its_drivers_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let module = dir.path().join("virtio.ko");
        std::fs::write(&module, b"m").unwrap();
        let stage = dir.path().join("stage");
        stage_runner(&stage, &[module], Packages::None).unwrap();
        assert_eq!(std::fs::read_to_string(stage.join("xtask/load")).unwrap(), "virtio.ko\n");
        assert!(!stage.join("xtask/with-packages").exists());
        let mode = std::fs::metadata(stage.join("etc/init.d/S99xtask")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn a_folder_that_would_replace_a_link_of_the_guest_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("bin")).unwrap();
        let error = files(Path::new("/nonexistent"), dir.path(), dir.path(), 0).unwrap_err();
        assert!(error.to_string().contains("/bin"), "{error}");
    }
}
