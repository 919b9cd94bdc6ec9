// SPDX-License-Identifier: MIT OR Apache-2.0
//! The operating system's files, as one initramfs archive.
//!
//! Sources, each named where two of them meet: busybox, the program `appliance`, kernel modules, `overlay/rootfs`,
//! the board's Debian packages, the board's own overlay, and what is written from the profile.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic as _, WrapErr as _};

use super::drivers;
use super::kernel::Kernel;
use super::modules::Modules;
use super::packages::Unpacked;
use super::program::Program;
use super::tools::ToolsTree;
use crate::board::{Board, Own};
use crate::ctx::Ctx;
use crate::files;
use crate::layout::Layout;
use crate::sources::Sources;
use crate::stamp::{Inputs, Stamp, StampFile};
use crate::step::{self, Step};

/// Mount points and places for state, with their permissions.
const DIRECTORIES: [(&str, u32); 12] = [
    ("proc", 0o755),
    ("sys", 0o755),
    ("dev", 0o755),
    ("run", 0o755),
    ("tmp", 0o1777),
    ("root", 0o700),
    ("mnt", 0o755),
    ("config", 0o755),
    ("data", 0o755),
    ("var/log", 0o755),
    ("var/lib", 0o755),
    ("etc", 0o755),
];

/// zstd's level: 19 makes the archive 4 % smaller than 12 and takes four times as long.
const COMPRESSION: &str = "-12";

/// What decides about the archive's content beside the stage's inputs.
const CODE: &str = concat!(
    include_str!("rootfs.rs"),
    include_str!("drivers.rs"),
    include_str!("../layout.rs"),
    include_str!("../module_index.rs")
);

/// A board's root file system.
#[derive(Debug)]
pub(crate) struct Rootfs {
    dir: PathBuf,
    files: Vec<String>,
    stamp: Stamp,
}

impl Rootfs {
    /// The archive, `newc` compressed with zstd: what the kernel unpacks as its root.
    pub(crate) fn initramfs(&self) -> PathBuf {
        self.dir.join("initramfs.cpio.zst")
    }

    /// Every path in the archive but its directories, sorted, without the leading slash.
    pub(crate) fn files(&self) -> &[String] {
        &self.files
    }

    /// The system's description of itself, as it stands in `/etc/os-release`.
    pub(crate) fn os_release(&self) -> PathBuf {
        self.dir.join("os-release")
    }

    /// The record of the build.
    pub(crate) fn stamp(&self) -> &Stamp {
        &self.stamp
    }
}

/// What a root file system is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// The drivers come from here.
    pub(crate) kernel: &'a Kernel,
    /// The target stack.
    pub(crate) modules: &'a Modules,
    /// The program on the appliance.
    pub(crate) program: &'a Program,
    /// The board's Debian packages.
    pub(crate) packages: &'a Unpacked,
}

/// Puts the root file system of `board` together.
pub(crate) fn build(
    ctx: &Ctx,
    sources: &Sources,
    tools: &ToolsTree,
    parts: Parts<'_>,
    board: &Board,
) -> miette::Result<Rootfs> {
    let folder = super::board_folder(board, parts.kernel.flavor());
    let dir = ctx.target.join("rootfs").join(folder);
    let overlay = ctx.root.join("overlay/rootfs");
    let mut inputs = Inputs::new();
    inputs.value("source_date_epoch", sources.source_date_epoch.to_string());
    inputs.text("the stage's code", CODE);
    inputs.value("version", env!("CARGO_PKG_VERSION"));
    inputs.value("compression", COMPRESSION);
    inputs.value("kernel", parts.kernel.stamp().digest());
    inputs.value("modules", parts.modules.stamp().digest());
    inputs.value("program", parts.program.stamp().digest());
    inputs.value("packages", parts.packages.stamp().digest());
    tools.versions(&mut inputs, &["busybox-static", "kmod", "zstd"]);
    inputs.tree("overlay/rootfs", &overlay, |_| true)?;
    for Own { name, path } in board_overlays(board) {
        inputs.tree(&name, &path, |_| true)?;
    }
    inputs.text("the board's profile", board.flat());
    let stamp = StampFile::new(dir.join("stamp.json"), &dir);
    let stamp = step::stage(ctx, "rootfs", &stamp, &inputs, |step| {
        let os_release = os_release(board);
        let layout = lay_out(ctx, tools, parts, board, &os_release, step)?;
        let listed: String = layout.sources().map(|(path, source)| format!("{path}\t{source}\n")).collect();
        files::write(&dir.join("files"), listed)?;
        files::write(&dir.join("os-release"), os_release)?;
        pack(sources, tools, &layout, &dir, step)?;
        Ok(["initramfs.cpio.zst", "files", "os-release"].map(PathBuf::from).to_vec())
    })?;
    let listed = files::read(&dir.join("files"))?;
    let files =
        listed.lines().filter_map(|line| line.split_once('\t')).map(|(path, _)| path.to_owned()).collect();
    Ok(Rootfs { dir, files, stamp })
}

/// The board's own overlays.
fn board_overlays(board: &Board) -> impl Iterator<Item = Own> + use<'_> {
    board.rootfs().overlay.iter().map(|path| board.own(path.as_str()))
}

fn lay_out(
    ctx: &Ctx,
    tools: &ToolsTree,
    parts: Parts<'_>,
    board: &Board,
    os_release: &str,
    step: &Step,
) -> miette::Result<Layout> {
    let mut layout = Layout::new()?;
    for (path, mode) in DIRECTORIES {
        layout.directory(path, mode, "the standard directories")?;
    }
    // The kernel opens these for the first process before anything could be mounted on /dev.
    layout.char_device("dev/console", 5, 1, "the standard devices")?;
    layout.char_device("dev/null", 1, 3, "the standard devices")?;
    layout.file("usr/bin/busybox", &tools.root().join("usr/bin/busybox"), "busybox")?;
    layout.file("usr/sbin/appliance", parts.program.path(), "overlay/appliance")?;
    layout.overlay(&ctx.root.join("overlay/rootfs"), "overlay/rootfs")?;
    layout.unpacked(parts.packages.dir(), "the board's [rootfs] packages")?;
    for Own { name, path } in board_overlays(board) {
        layout.overlay(&path, &name)?;
    }
    drivers::lay_out(&mut layout, tools, parts, board, step)?;
    from_profile(&mut layout, board, os_release)?;
    applets(&mut layout, tools, step)?;
    Ok(layout)
}

/// What init and the loader read, written from the board.
fn from_profile(layout: &mut Layout, board: &Board, os_release: &str) -> miette::Result<()> {
    let source = "the board's profile";
    let lines = |names: Vec<&str>| names.iter().map(|name| format!("{name}\n")).collect::<String>();
    layout.text("etc/appliance/profile.toml", board.flat(), source)?;
    let load = board.drivers().load.iter().map(|name| name.as_str()).collect();
    layout.text("etc/appliance/modules", lines(load), source)?;
    if board.console().shell {
        let terminals = board.console().tty.iter().map(|tty| tty.as_str()).collect();
        layout.text("etc/appliance/console", lines(terminals), source)?;
    }
    if board.watchdog().enabled {
        layout.text("etc/appliance/watchdog", format!("{}\n", board.watchdog().timeout_s), source)?;
    }
    layout.text("etc/os-release", os_release, source)?;
    layout.text("etc/hostname", format!("{}\n", board.name()), source)
}

fn os_release(board: &Board) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let name = board.name();
    format!(
        "NAME=\"SCST appliance\"\nID=scst-appliance\nPRETTY_NAME=\"SCST appliance {version} ({name})\"\n\
         VERSION_ID={version}\nIMAGE_ID={name}\nIMAGE_VERSION={version}\n"
    )
}

/// A link for every busybox applet whose place nothing else took.
fn applets(layout: &mut Layout, tools: &ToolsTree, step: &Step) -> miette::Result<()> {
    let listed = step.read(&tools.command("busybox").arg("--list-full"))?;
    let names: BTreeSet<_> = listed.lines().map(str::trim).filter(|name| name.contains('/')).collect();
    let taken = |layout: &Layout, name: &str| {
        let base = name.rsplit('/').next().unwrap_or(name);
        ["usr/bin", "usr/sbin"].iter().any(|dir| layout.has(&format!("{dir}/{base}")))
    };
    for name in names {
        if !taken(layout, name) {
            layout.link(name, "/usr/bin/busybox", "busybox")?;
        }
    }
    Ok(())
}

/// Writes the archive aside, compresses it and puts it in place.
fn pack(
    sources: &Sources,
    tools: &ToolsTree,
    layout: &Layout,
    dir: &Path,
    step: &Step,
) -> miette::Result<()> {
    let mtime = u32::try_from(sources.source_date_epoch).into_diagnostic()?;
    let plain = dir.join("initramfs.cpio");
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::new(fs::File::create(&plain)?);
        layout.write_cpio(mtime, &mut out)?;
        out.flush()
    };
    write().into_diagnostic().wrap_err_with(|| format!("cannot write {}", plain.display()))?;
    let aside = "/out/initramfs.cpio.zst.partial";
    let compress = tools.command("zstd").bind_rw(dir, "/out").args([COMPRESSION, "-q", "-f", "-T1", "--rm"]);
    step.run(&compress.args(["/out/initramfs.cpio", "-o", aside]))?;
    files::replace(&dir.join("initramfs.cpio.zst.partial"), &dir.join("initramfs.cpio.zst"))
}
