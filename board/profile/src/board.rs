// SPDX-License-Identifier: MIT OR Apache-2.0
//! The checked board: what every stage and the appliance read. Every section serialises by itself, with the
//! profile's own key names, so that a stage can hash just the part that it reads.

use crate::stack::Stack;
use crate::value::{BoardName, DevicePath, ModuleName, PackageName, RelativePath, Serial, Size, Tty};
use crate::{Device, DeviceGroup, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::value::AttributeValue;

/// Attributes or parameters by their SCST names, in name order.
pub type Attributes = BTreeMap<String, AttributeValue>;

/// A complete board. Only the checker builds one, so its existence means that every rule holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Board {
    pub(crate) schema: u32,
    pub(crate) board: Identity,
    pub(crate) kernel: Kernel,
    pub(crate) drivers: Drivers,
    pub(crate) rootfs: Rootfs,
    pub(crate) console: Console,
    pub(crate) watchdog: Watchdog,
    pub(crate) disk: Disk,
    pub(crate) vm: Vm,
    #[serde(flatten)]
    pub(crate) stack: Stack,
}

impl Board {
    /// The board's name, which is also its file's and its image folder's.
    pub fn name(&self) -> &str {
        self.board.name.as_str()
    }

    /// One line for listings.
    pub fn description(&self) -> &str {
        &self.board.description
    }

    /// The processor architecture.
    pub fn arch(&self) -> Arch {
        self.board.arch
    }

    /// `[board]`.
    pub fn identity(&self) -> &Identity {
        &self.board
    }

    /// `[kernel]`.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// `[drivers]`.
    pub fn drivers(&self) -> &Drivers {
        &self.drivers
    }

    /// `[rootfs]`.
    pub fn rootfs(&self) -> &Rootfs {
        &self.rootfs
    }

    /// `[console]`.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// `[watchdog]`.
    pub fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }

    /// `[disk]`.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// `[vm]`.
    pub fn vm(&self) -> &Vm {
        &self.vm
    }

    /// `[scst]`, `[[device]]`, `[[target]]` and `[[device_group]]`: all that the target stack is told.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// `[scst]`.
    pub fn scst(&self) -> &Scst {
        &self.stack.scst
    }

    /// `[[device]]`, in the profile's order.
    pub fn devices(&self) -> &[Device] {
        &self.stack.devices
    }

    /// `[[target]]`, in the profile's order.
    pub fn targets(&self) -> &[Target] {
        &self.stack.targets
    }

    /// `[[device_group]]`, in the profile's order.
    pub fn device_groups(&self) -> &[DeviceGroup] {
        &self.stack.device_groups
    }

    /// The whole kernel command line: one `console=` for each terminal of `[console]`, then `[kernel] cmdline`.
    /// The kernel takes the last `console=` as `/dev/console`, so the first terminal of the list comes last.
    pub fn cmdline(&self) -> String {
        let mut words: Vec<String> = self.console.tty.iter().rev().map(console_word).collect();
        words.extend(self.kernel.cmdline.iter().cloned());
        words.join(" ")
    }
}

/// The `console=` word for one terminal; serial lines run at 115200 baud.
fn console_word(tty: &Tty) -> String {
    let name = tty.as_str();
    if name.starts_with("ttyS") || name.starts_with("ttyAMA") {
        format!("console={name},115200")
    } else {
        format!("console={name}")
    }
}

/// `[board]`: which board this is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Identity {
    /// Lower-case name, equal to the file's.
    pub name: BoardName,
    /// One line for listings.
    pub description: String,
    /// The processor architecture.
    pub arch: Arch,
}

/// A processor architecture that kernels and images are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// 64-bit x86 with UEFI.
    #[serde(rename = "x86_64")]
    X86_64,
}

impl Arch {
    /// The name as the profile, the kernel-config fragments and QEMU spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
        }
    }
}

impl std::fmt::Display for Arch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `[kernel]`: what this board adds to the kernel that all boards of its architecture share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kernel {
    /// Configuration fragments of the board's own; with any, the board gets a kernel of its own.
    pub fragments: Vec<RelativePath>,
    /// Words of the kernel command line, without `console=`.
    pub cmdline: Vec<String>,
}

/// `[drivers]`: kernel modules in the rootfs, each with what it depends on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drivers {
    /// Carried, and loaded at every boot in this order.
    pub load: Vec<ModuleName>,
    /// Carried, and loaded when a device of theirs is found, or by hand.
    pub carry: Vec<ModuleName>,
}

impl Drivers {
    /// All modules that the rootfs must carry, `load` first.
    pub fn all(&self) -> impl Iterator<Item = &ModuleName> {
        self.load.iter().chain(&self.carry)
    }
}

/// `[rootfs]`: what the board adds to the root file system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rootfs {
    /// Debian packages, carried with the libraries they need.
    pub packages: Vec<PackageName>,
    /// Folders laid over the root file system, relative to the profile's folder, in order.
    pub overlay: Vec<RelativePath>,
}

/// `[console]`: who talks to a person at the box.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Console {
    /// Whether a root shell is offered on the terminals.
    pub shell: bool,
    /// Terminals that get kernel messages and, if asked for, the shell; the first is `/dev/console`.
    pub tty: Vec<Tty>,
}

/// `[watchdog]`: the hardware that resets a hung box.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Watchdog {
    /// Whether init arms it.
    pub enabled: bool,
    /// Seconds without a sign of life until the reset.
    pub timeout_s: u32,
}

/// `[disk]`: the partitions of the image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disk {
    /// The EFI system partition with the boot loader and both image slots.
    pub esp: Size,
    /// The partition mounted at `/config`.
    pub config: Size,
    /// The partition mounted at `/data`, as it is in the image; it grows to the disk at first boot.
    pub data: Size,
}

impl Disk {
    /// What GPT and alignment take beside the partitions: 1 MiB before and 1 MiB behind them.
    pub const OVERHEAD: Size = Size::from_mib(2);

    /// The least size of a disk that holds all partitions.
    pub fn total(&self) -> Size {
        let sum = [self.esp, self.config, self.data, Self::OVERHEAD];
        Size::from_bytes(sum.iter().fold(0, |all, size| all.saturating_add(size.bytes())))
    }
}

/// `[vm]`: the virtual machine that runs this board's image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Vm {
    /// Memory of the guest.
    pub memory: Size,
    /// Number of virtual processors.
    pub cpus: u32,
    /// Size of the disk that the image is put on.
    pub disk_size: Size,
    /// How the disk with the image is attached.
    pub disk_bus: Bus,
    /// Disks beside it, for blockio devices.
    #[serde(rename = "disk", skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<VmDisk>,
}

/// `[[vm.disk]]`: one more virtual disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VmDisk {
    /// Serial number; the guest finds the disk as `/dev/disk/by-serial/<serial>`.
    pub serial: Serial,
    /// Size of the disk.
    pub size: Size,
    /// How it is attached.
    pub bus: Bus,
}

/// How a virtual disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bus {
    /// virtio-blk.
    Virtio,
    /// A SCSI disk on virtio-scsi.
    Scsi,
    /// NVMe.
    Nvme,
    /// SATA on AHCI.
    Ahci,
    /// USB storage on xHCI.
    Usb,
}

impl Bus {
    /// The name as the profile spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Bus::Virtio => "virtio",
            Bus::Scsi => "scsi",
            Bus::Nvme => "nvme",
            Bus::Ahci => "ahci",
            Bus::Usb => "usb",
        }
    }

    /// The kernel modules without which the guest does not see such a disk.
    pub fn modules(self) -> &'static [&'static str] {
        match self {
            Bus::Virtio => &["virtio_pci", "virtio_blk"],
            Bus::Scsi => &["virtio_pci", "virtio_scsi"],
            Bus::Nvme => &["nvme"],
            Bus::Ahci => &["ahci"],
            Bus::Usb => &["xhci_pci", "usb_storage"],
        }
    }
}

/// `[scst]`: attributes of the target core itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scst {
    /// Files directly below `/sys/kernel/scst_tgt`.
    #[serde(flatten)]
    pub attributes: Attributes,
    /// Module parameters, by module.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Attributes>,
}

/// What a device handler is, and which module brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handler {
    /// A disk backed by a file, through the page cache.
    VdiskFileio,
    /// A disk backed by a block device.
    VdiskBlockio,
    /// A disk that stores nothing.
    VdiskNullio,
    /// A CD-ROM drive whose medium is an image file.
    Vcdrom,
}

impl Handler {
    /// Every handler, in the order of SCST's own table.
    pub const ALL: [Handler; 4] =
        [Handler::VdiskFileio, Handler::VdiskBlockio, Handler::VdiskNullio, Handler::Vcdrom];

    /// The name as SCST and the profile spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Handler::VdiskFileio => "vdisk_fileio",
            Handler::VdiskBlockio => "vdisk_blockio",
            Handler::VdiskNullio => "vdisk_nullio",
            Handler::Vcdrom => "vcdrom",
        }
    }

    /// The kernel module that registers the handler.
    pub fn module(self) -> &'static str {
        "scst_vdisk"
    }

    /// The size of a block when the profile gives none, in bytes.
    pub fn default_blocksize(self) -> u64 {
        match self {
            Handler::Vcdrom => 2048,
            _ => 512,
        }
    }
}

impl std::fmt::Display for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A path of the appliance on which a device stands.
pub type Backing = DevicePath;
