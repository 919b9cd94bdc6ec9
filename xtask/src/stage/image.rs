// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bootable image: one unified kernel image, and a disk around it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use miette::{IntoDiagnostic as _, WrapErr as _};

use super::convert;
use super::kernel::Kernel;
use super::rootfs::Rootfs;
use super::tools::ToolsTree;
use crate::board::Board;
use crate::ctx::Ctx;
use crate::files;
use crate::sources::Sources;
use crate::stamp::{Inputs, Stamp, StampFile};
use crate::step::{self, Step};

/// The tools that make an image.
const MAKERS: [&str; 6] =
    ["systemd-ukify", "systemd-boot-efi", "systemd-repart", "dosfstools", "mtools", "e2fsprogs"];
/// The boot loader in the tools tree.
const LOADER: &str = "usr/lib/systemd/boot/efi/systemd-bootx64.efi";
/// The description of an image, in the image's folder.
const MANIFEST: &str = "manifest.json";
/// The file systems of the disk are made with sectors of this size, which every firmware can read.
const SECTOR_BYTES: u32 = 512;

/// A board's image files.
#[derive(Debug)]
pub(crate) struct Image {
    dir: PathBuf,
    cmdline: String,
    stamp: Stamp,
}

impl Image {
    /// The directory with everything below.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The raw disk image, sparse.
    pub(crate) fn disk(&self) -> PathBuf {
        self.dir.join("disk.img")
    }

    /// The unified kernel image: netboot and update payload.
    pub(crate) fn uki(&self) -> PathBuf {
        self.dir.join("appliance.efi")
    }

    /// What the image consists of, as JSON.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.dir.join(MANIFEST)
    }

    /// The kernel command line inside the unified kernel image.
    pub(crate) fn cmdline(&self) -> &str {
        &self.cmdline
    }

    /// The record of the build.
    pub(crate) fn stamp(&self) -> &Stamp {
        &self.stamp
    }
}

/// Packs kernel and root file system into the unified kernel image and the disk.
pub(crate) fn build(
    ctx: &Ctx,
    sources: &Sources,
    tools: &ToolsTree,
    kernel: &Kernel,
    rootfs: &Rootfs,
    board: &Board,
) -> miette::Result<Image> {
    let dir = ctx.target.join("images").join(super::board_folder(board, kernel.flavor()));
    let definitions = ctx.root.join("images/disk");
    let cmdline = board.cmdline();
    let mut inputs = Inputs::new();
    inputs.value("source_date_epoch", sources.source_date_epoch.to_string());
    inputs.text("the stage's code", include_str!("image.rs"));
    inputs.value("version", env!("CARGO_PKG_VERSION"));
    inputs.value("kernel", kernel.stamp().output("out/bzImage").unwrap_or_default());
    inputs.value("rootfs", rootfs.stamp().digest());
    inputs.value("the board's name", board.name());
    inputs.value("the board's command line", &cmdline);
    for (name, bytes) in sizes(board) {
        inputs.value(format!("the board's [disk] {name}"), format!("{bytes} bytes"));
    }
    inputs.tree("images/disk", &definitions, |_| true)?;
    tools.versions(&mut inputs, &MAKERS);
    let stamp = StampFile::new(dir.join("stamp.json"), &dir);
    let stamp = step::stage(ctx, "image", &stamp, &inputs, |step| {
        let maker = Maker { sources, tools, step, board, work: dir.join("work.partial") };
        files::fresh_dir(&maker.work)?;
        maker.uki(kernel, rootfs, &cmdline)?;
        maker.esp(&definitions.join("loader.conf"))?;
        maker.disk(&definitions)?;
        // What was made from the older image, and what describes it, must not stand beside the new one.
        files::remove(&dir.join(MANIFEST))?;
        convert::remove(&dir)?;
        for name in ["appliance.efi", "disk.img"] {
            files::replace(&maker.work.join(name), &dir.join(name))?;
        }
        files::remove(&maker.work)?;
        Ok(["appliance.efi", "disk.img"].map(PathBuf::from).to_vec())
    })?;
    Ok(Image { dir, cmdline, stamp })
}

/// The partitions by the names of their definitions, with their sizes in bytes.
fn sizes(board: &Board) -> [(&'static str, u64); 3] {
    let disk = board.disk();
    [("esp", disk.esp.bytes()), ("config", disk.config.bytes()), ("data", disk.data.bytes())]
}

/// What the steps of this stage have in common; everything is made in `work`, seen as `/work`.
struct Maker<'a> {
    sources: &'a Sources,
    tools: &'a ToolsTree,
    step: &'a Step,
    board: &'a Board,
    work: PathBuf,
}

impl Maker<'_> {
    fn command(&self, program: &str) -> crate::enter::TreeCommand {
        let epoch = self.sources.source_date_epoch.to_string();
        self.tools.command(program).bind_rw(&self.work, "/making").env("SOURCE_DATE_EPOCH", epoch)
    }

    fn uki(&self, kernel: &Kernel, rootfs: &Rootfs, cmdline: &str) -> miette::Result<()> {
        let ukify = self
            .command("ukify")
            .bind_ro(kernel.bzimage(), "/in/bzImage")
            .bind_ro(rootfs.initramfs(), "/in/initramfs")
            .bind_ro(rootfs.os_release(), "/in/os-release")
            .args(["build", "--linux=/in/bzImage", "--initrd=/in/initramfs", "--os-release=@/in/os-release"])
            .args([format!("--cmdline={cmdline}"), format!("--uname={}", kernel.release())]);
        self.step.run(&ukify.arg("--output=/making/appliance.efi"))
    }

    /// Lays out the content of the EFI system partition, every time stamp fixed.
    fn esp(&self, loader_conf: &Path) -> miette::Result<()> {
        let esp = self.work.join("esp");
        let uki = format!("EFI/Linux/appliance_{}.efi", env!("CARGO_PKG_VERSION"));
        files::copy(&self.tools.root().join(LOADER), &esp.join("EFI/BOOT/BOOTX64.EFI"))?;
        files::copy(&self.work.join("appliance.efi"), &esp.join(uki))?;
        files::copy(loader_conf, &esp.join("loader/loader.conf"))?;
        clamp_times(&esp, self.sources.source_date_epoch)
    }

    fn disk(&self, definitions: &Path) -> miette::Result<()> {
        let own = self.work.join("definitions");
        for path in files::walk(definitions)?.iter().filter(|path| path.to_string_lossy().contains('-')) {
            files::copy(&definitions.join(path), &own.join(path))?;
            let size = size_of(path, self.board)?;
            let text = format!("[Partition]\nSizeMinBytes={size}\nSizeMaxBytes={size}\n");
            files::write(&own.join(format!("{}.d/size.conf", path.display())), text)?;
        }
        let repart = self
            .command("systemd-repart")
            .bind_ro(self.work.join("esp"), "/esp")
            .args([
                "--empty=create",
                "--size=auto",
                "--offline=yes",
                "--dry-run=no",
                "--definitions=/making/definitions",
            ])
            // mke2fs takes the last -E, so repart's own wishes are repeated beside the seed that it leaves to chance.
            .env(
                "SYSTEMD_REPART_MKFS_OPTIONS_EXT4",
                format!("-E nodiscard,lazy_itable_init=1,hash_seed={}", uuid("ext4")),
            )
            .arg(format!("--sector-size={SECTOR_BYTES}"))
            .arg(format!("--seed={}", uuid(&format!("disk of {}", self.board.name()))));
        self.step.run(&repart.arg("/making/disk.img"))
    }
}

/// The size that the board gives the partition defined in `NN-name.conf`.
fn size_of(definition: &Path, board: &Board) -> miette::Result<u64> {
    let stem = definition.file_stem().unwrap_or_default().to_string_lossy();
    let name = stem.split_once('-').map_or("", |(_, name)| name);
    sizes(board).into_iter().find(|(known, _)| *known == name).map(|(_, bytes)| bytes).ok_or_else(|| {
        miette::miette!(
            help = "a board's [disk] has esp, config and data",
            "images/disk/{}: no board gives a size for \"{name}\"",
            definition.display()
        )
    })
}

/// A UUID that is always the same for the same text.
fn uuid(text: &str) -> String {
    let hex = files::digest(text);
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// Sets the times of everything below `dir`, and of `dir` itself, to `epoch`.
pub(super) fn clamp_times(dir: &Path, epoch: u64) -> miette::Result<()> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
    let times = fs::FileTimes::new().set_accessed(time).set_modified(time);
    let clamp = |path: &Path| {
        let set = fs::File::open(path).and_then(|file| file.set_times(times));
        set.into_diagnostic().wrap_err_with(|| format!("cannot set the time of {}", path.display()))
    };
    for path in files::walk(dir)? {
        let inside = path.ancestors().filter(|path| !path.as_os_str().is_empty());
        inside.map(|path| dir.join(path)).try_for_each(|path| clamp(&path))?;
    }
    clamp(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_stable_and_well_formed() {
        let one = uuid("disk of x");
        assert_eq!(one, uuid("disk of x"));
        assert_ne!(one, uuid("disk of y"));
        let lengths: Vec<_> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!((one.as_bytes()[14], one.as_bytes()[19]), (b'4', b'8'));
    }

    #[test]
    fn times_are_clamped_with_their_folders() {
        let dir = tempfile::tempdir().unwrap();
        files::write(&dir.path().join("a/b/c"), "x").unwrap();
        clamp_times(dir.path(), 1_794_700_800).unwrap();
        for path in ["", "a", "a/b", "a/b/c"] {
            let time = fs::metadata(dir.path().join(path)).unwrap().modified().unwrap();
            assert_eq!(
                time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(),
                1_794_700_800,
                "{path}"
            );
        }
    }
}
