// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a built image and a run's wishes to a machine, and from a machine to a guest that takes commands.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use board_profile::{Arch, Size};
use miette::{Context as _, IntoDiagnostic as _};

use super::agent::{self, Agent, Limits};
use super::archive::{self, Packages};
use super::{firmware, packages};
use crate::module_index::ModuleIndex;
use crate::pipeline::Built;
use crate::vm::machine::{Accel, Access, Boot, ConsoleTo, Disk, Format, Machine, OnReset};
use crate::vm::running::{StartError, Vm};

/// What the agent itself is reached through.
const AGENT_MODULES: [&str; 2] = ["virtio_pci", "virtio_console"];
/// The file of all archives that one run adds.
const INITRD: &str = "initrd.img";

/// What a guest needs of a build.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// The root of the tools tree.
    pub(crate) tree: PathBuf,
    /// The kernel.
    pub(crate) kernel: PathBuf,
    /// The kernel's modules, all of them.
    pub(crate) modules: PathBuf,
    /// The image's initramfs.
    pub(crate) initramfs: PathBuf,
    /// The image's kernel command line.
    pub(crate) cmdline: String,
}

impl From<&Built> for Parts {
    fn from(built: &Built) -> Self {
        Self {
            tree: built.tools.root().to_owned(),
            kernel: built.kernel.bzimage(),
            modules: built.kernel.modules_dir(),
            initramfs: built.rootfs.initramfs().to_owned(),
            cmdline: built.image.cmdline().to_owned(),
        }
    }
}

/// Which way into the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    /// As on a real box: firmware, boot loader, unified kernel image.
    Firmware,
    /// QEMU loads kernel and initramfs: the same operating system, seconds earlier.
    Direct,
}

/// Who gives the guest its orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// A person at the console; the image boots as it ships.
    Terminal,
    /// The agent, which the run brings.
    Agent,
    /// Nobody; the image boots as it ships and its console is watched.
    Watch,
}

/// What one run adds to or changes of the board's machine.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    /// Which way in.
    pub(crate) through: Through,
    /// Who gives orders.
    pub(crate) control: Control,
    /// What executes the guest.
    pub(crate) accel: Accel,
    /// Memory.
    pub(crate) memory: Size,
    /// Virtual processors.
    pub(crate) cpus: u32,
    /// The disks, the image's first.
    pub(crate) disks: Vec<Disk>,
    /// A disk of packages.
    pub(crate) packages: Option<Disk>,
    /// Folders laid over the root file system, in order.
    pub(crate) add_files: Vec<PathBuf>,
    /// Further words of the kernel command line.
    pub(crate) cmdline: Vec<String>,
    /// Whether the guest's writes are thrown away.
    pub(crate) snapshot: bool,
    /// Whether QEMU waits for a debugger.
    pub(crate) gdb: bool,
    /// What a reset does.
    pub(crate) on_reset: OnReset,
    /// Further arguments for QEMU.
    pub(crate) qemu_args: Vec<String>,
}

/// Prepares everything below `dir` that `wishes` needs, and describes the machine.
pub(crate) fn machine(parts: &Parts, name: &str, wishes: &Wishes, dir: &Path) -> miette::Result<Machine> {
    std::fs::create_dir_all(dir)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot make {}", dir.display()))?;
    let additions = additions(parts, wishes, dir)?;
    let boot = match wishes.through {
        Through::Direct => direct(parts, wishes, additions, dir)?,
        Through::Firmware => through_firmware(parts, wishes, &additions, dir)?,
    };
    Ok(Machine {
        name: name.to_owned(),
        arch: Arch::X86_64,
        accel: wishes.accel,
        memory: wishes.memory,
        cpus: wishes.cpus,
        boot,
        disks: wishes.disks.iter().chain(&wishes.packages).cloned().collect(),
        console: if wishes.control == Control::Terminal { ConsoleTo::Terminal } else { ConsoleTo::Log },
        ports: if wishes.control == Control::Agent { agent::PORTS.to_vec() } else { Vec::new() },
        snapshot: wishes.snapshot,
        gdb: wishes.gdb,
        on_reset: wishes.on_reset,
        state: None,
        extra: wishes.qemu_args.clone(),
    })
}

/// The archives of this run, in the order in which they are laid over each other.
fn additions(parts: &Parts, wishes: &Wishes, dir: &Path) -> miette::Result<Vec<PathBuf>> {
    let mut archives = Vec::new();
    if wishes.control == Control::Agent {
        let (mounted, extra) = match wishes.packages {
            Some(_) => (Packages::Mounted, &packages::MODULES[..]),
            None => (Packages::None, &[][..]),
        };
        let files = drivers(parts, &[&AGENT_MODULES[..], extra].concat())?;
        archives.push(archive::runner(&parts.tree, dir, &files, mounted)?);
    }
    for (number, folder) in wishes.add_files.iter().enumerate() {
        archives.push(archive::files(&parts.tree, folder, dir, number)?);
    }
    Ok(archives)
}

/// The files of the drivers `names` and of all that they need, in the order in which they are to be loaded.
fn drivers(parts: &Parts, names: &[&str]) -> miette::Result<Vec<PathBuf>> {
    let chosen = ModuleIndex::read(&parts.modules)?.closure(names).map_err(|missing| {
        miette::miette!(
            help = "switch its option on in kernel-config/fragments/",
            "this kernel has no module {}, and it is not built in: {}",
            missing.join(", "),
            parts.modules.display()
        )
    })?;
    Ok(chosen.iter().map(|path| parts.modules.join(path)).collect())
}

fn direct(parts: &Parts, wishes: &Wishes, additions: Vec<PathBuf>, dir: &Path) -> miette::Result<Boot> {
    let archives = [vec![parts.initramfs.clone()], additions].concat();
    let initrd = match &archives[..] {
        [only] => only.clone(),
        several => {
            let joined = dir.join(INITRD);
            archive::join(several, &joined)?;
            joined
        }
    };
    let words = [std::slice::from_ref(&parts.cmdline), &wishes.cmdline[..]].concat();
    Ok(Boot::Direct { kernel: parts.kernel.clone(), initrd, cmdline: words.join(" ") })
}

/// The image boots as it ships; what the run adds is put beside it on the working copy of the disk.
fn through_firmware(
    parts: &Parts,
    wishes: &Wishes,
    additions: &[PathBuf],
    dir: &Path,
) -> miette::Result<Boot> {
    let disk = wishes.disks.first().ok_or_else(|| miette::miette!("a boot through firmware needs a disk"))?;
    let is_working_copy = disk.format == Format::Raw && disk.access == Access::ReadWrite;
    let disk = &disk.path;
    if additions.is_empty() && wishes.cmdline.is_empty() {
        // Nothing was ever added to an image that cannot be written, or not by mtools.
        if is_working_copy {
            firmware::remove_addon(&parts.tree, disk)?;
        }
    } else {
        let joined = dir.join(INITRD);
        archive::join(additions, &joined)?;
        firmware::install_addon(&parts.tree, disk, &joined, &wishes.cmdline.join(" "), dir)?;
    }
    firmware::boot(&parts.tree, dir)
}

/// A running guest with its agent.
#[derive(Debug)]
pub(crate) struct Guest {
    /// The machine.
    pub(crate) vm: Vm,
    /// What runs commands in it.
    pub(crate) agent: Agent,
}

impl Guest {
    /// Starts a machine that was made for [`Control::Agent`]; its logs go to `dir`.
    pub(crate) fn start(tree: &Path, machine: &Machine, dir: &Path) -> Result<Self, StartError> {
        let (vm, ports) = Vm::start(tree, machine, dir)?;
        let agent = Agent::attach(ports, vm.console(), vm.activity())?;
        Ok(Self { vm, agent })
    }
}

/// How patient one is with a guest: it depends on what executes it and on how much the kernel checks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// What one second of an idle machine with hardware virtualisation becomes.
    factor: f64,
}

impl Pace {
    /// The pace of a kernel with or without checkers, under `accel`, beside `neighbours` other guests.
    pub(crate) fn new(accel: Accel, flavor: crate::cli::Flavor, neighbours: usize) -> Self {
        let accel = if accel == Accel::Tcg { 3.0 } else { 1.0 };
        let flavor = if flavor == crate::cli::Flavor::Debug { 6.0 } else { 1.0 };
        let company = if neighbours > 0 { 2.0 } else { 1.0 };
        Self { factor: accel * flavor * company }
    }

    /// `seconds` at this pace.
    pub(crate) fn duration(self, seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds * self.factor)
    }

    /// Limits that end `seconds` from now at this pace, and allow `silence` seconds without any sign of life.
    pub(crate) fn limits(self, seconds: f64, silence: f64) -> Limits {
        Limits { until: Instant::now() + self.duration(seconds), silence: self.duration(silence) }
    }
}
