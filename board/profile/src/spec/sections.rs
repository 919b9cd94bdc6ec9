// SPDX-License-Identifier: MIT OR Apache-2.0
//! The keys of a profile that describe the image and the machine.

use super::format::{KERNEL_WORD, LINE, MODULE, PACKAGE, PROFILE, RELATIVE, SERIAL, TTY};
use super::stack::{DEVICE, DEVICE_GROUP, SCST, TARGET};
use super::{defaulted, optional, required, Fallback, Kind, SizeRule, Spec};

const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

/// A whole profile.
pub(crate) static ROOT: Spec = Spec {
    title: "the profile",
    doc: "A board: everything that one appliance image is made of.",
    id: None,
    attributes: &[],
    keys: &[
        required("schema", Kind::Number(1, 1), "Version of this format; 1 today. A profile that is only inherited has it too."),
        optional(
            "inherit",
            Kind::List(&PROFILE),
            "Profiles that this one starts from, by name. Keys given here win over inherited ones; lists are joined, \
             inherited items first, and an item \"-x\" takes an inherited x away; a repeated table with an inherited \
             one's name (LUN number, serial) changes that one.",
        ),
        optional("board", Kind::Table(&BOARD), "Which board this is."),
        optional("kernel", Kind::Table(&KERNEL), "What the board adds to the kernel that all boards share."),
        optional("drivers", Kind::Table(&DRIVERS), "Kernel modules in the image, each with what it depends on."),
        optional("rootfs", Kind::Table(&ROOTFS), "What the board adds to the root file system."),
        optional("console", Kind::Table(&CONSOLE), "Who talks to a person at the box."),
        optional("watchdog", Kind::Table(&WATCHDOG), "The hardware that resets a hung box."),
        optional("disk", Kind::Table(&DISK), "The partitions of the image."),
        optional("vm", Kind::Table(&VM), "The virtual machine that runs the image."),
        optional("scst", Kind::Table(&SCST), "Attributes of the target core, by SCST's names."),
        optional("device", Kind::Tables(&DEVICE), "An SCST device. Attributes stand here by SCST's names."),
        optional("target", Kind::Tables(&TARGET), "An SCST target with its sessions and LUNs."),
        optional("device_group", Kind::Tables(&DEVICE_GROUP), "Devices that share their ALUA states."),
    ],
};

static BOARD: Spec = Spec {
    title: "[board]",
    doc: "Which board this is.",
    id: None,
    attributes: &[],
    keys: &[
        required(
            "name",
            Kind::Text(&PROFILE),
            "The board's name, equal to its file's; images are named after it.",
        ),
        defaulted("description", Kind::Text(&LINE), Fallback::Text(""), "One line for listings."),
        defaulted(
            "arch",
            Kind::Choice(&[("x86_64", "64-bit x86 with UEFI")]),
            Fallback::Text("x86_64"),
            "Processor architecture.",
        ),
    ],
};

static KERNEL: Spec = Spec {
    title: "[kernel]",
    doc: "What the board adds to the kernel that all boards of its architecture share.",
    id: None,
    attributes: &[],
    keys: &[
        optional(
            "fragments",
            Kind::List(&RELATIVE),
            "Kernel configuration fragments of the board's own, relative to the profile's folder. With any of them \
             the board gets a kernel of its own.",
        ),
        optional("cmdline", Kind::List(&KERNEL_WORD), "Words of the kernel command line; consoles come from [console]."),
    ],
};

static DRIVERS: Spec = Spec {
    title: "[drivers]",
    doc: "Kernel modules in the image, each with what it depends on.",
    id: None,
    attributes: &[],
    keys: &[
        optional("load", Kind::List(&MODULE), "Carried, and loaded at every boot in this order."),
        optional(
            "carry",
            Kind::List(&MODULE),
            "Carried, and loaded when a device of theirs is found, or by hand.",
        ),
    ],
};

static ROOTFS: Spec = Spec {
    title: "[rootfs]",
    doc: "What the board adds to the root file system.",
    id: None,
    attributes: &[],
    keys: &[
        optional("packages", Kind::List(&PACKAGE), "Debian packages, carried with the libraries they need."),
        optional(
            "overlay",
            Kind::List(&RELATIVE),
            "Folders laid over the root file system, relative to the profile's folder.",
        ),
    ],
};

static CONSOLE: Spec = Spec {
    title: "[console]",
    doc: "Who talks to a person at the box.",
    id: None,
    attributes: &[],
    keys: &[
        defaulted(
            "shell",
            Kind::Flag,
            Fallback::Flag(false),
            "Offer a root shell on the terminals. Off unless asked for.",
        ),
        optional(
            "tty",
            Kind::List(&TTY),
            "Terminals for kernel messages and the shell; the first is /dev/console.",
        ),
    ],
};

static WATCHDOG: Spec = Spec {
    title: "[watchdog]",
    doc: "The hardware that resets a hung box. Its driver is named in [drivers].",
    id: None,
    attributes: &[],
    keys: &[
        defaulted("enabled", Kind::Flag, Fallback::Flag(false), "Arm the watchdog at boot."),
        defaulted(
            "timeout_s",
            Kind::Number(5, 600),
            Fallback::Number(60),
            "Seconds without a sign of life until the reset.",
        ),
    ],
};

static ESP_SIZE: SizeRule = SizeRule {
    min: 64 * MIB,
    max: TIB,
    multiple: MIB,
    why: "it holds the boot loader and two images of the system, in whole MiB",
};
static CONFIG_SIZE: SizeRule = SizeRule {
    min: 8 * MIB,
    max: TIB,
    multiple: MIB,
    why: "it is an ext4 file system with a journal, in whole MiB",
};
static DATA_SIZE: SizeRule = SizeRule {
    min: 16 * MIB,
    max: 16 * TIB,
    multiple: MIB,
    why: "it is an ext4 file system with a journal, in whole MiB",
};
static MEMORY_SIZE: SizeRule = SizeRule {
    min: 48 * MIB,
    max: 4 * TIB,
    multiple: MIB,
    why: "the kernel and its root file system must fit, in whole MiB",
};
static VM_DISK_SIZE: SizeRule =
    SizeRule { min: MIB, max: 64 * TIB, multiple: 4096, why: "disks come in whole blocks of 4096 bytes" };

static DISK: Spec = Spec {
    title: "[disk]",
    doc: "The partitions of the image.",
    id: None,
    attributes: &[],
    keys: &[
        defaulted(
            "esp",
            Kind::Size(&ESP_SIZE),
            Fallback::Mib(256),
            "EFI system partition: boot loader and both image slots.",
        ),
        defaulted("config", Kind::Size(&CONFIG_SIZE), Fallback::Mib(32), "Partition mounted at /config."),
        defaulted(
            "data",
            Kind::Size(&DATA_SIZE),
            Fallback::Mib(64),
            "Partition mounted at /data, in the image; it grows to the disk at first boot.",
        ),
    ],
};

const BUS: Kind = Kind::Choice(&[
    ("virtio", "virtio-blk"),
    ("scsi", "a SCSI disk on virtio-scsi"),
    ("nvme", "NVMe"),
    ("ahci", "SATA on AHCI"),
    ("usb", "USB storage on xHCI"),
]);

static VM: Spec = Spec {
    title: "[vm]",
    doc: "The virtual machine that runs the image.",
    id: None,
    attributes: &[],
    keys: &[
        defaulted("memory", Kind::Size(&MEMORY_SIZE), Fallback::Mib(512), "Memory of the guest."),
        defaulted("cpus", Kind::Number(1, 256), Fallback::Number(2), "Number of virtual processors."),
        defaulted(
            "disk_size",
            Kind::Size(&VM_DISK_SIZE),
            Fallback::Mib(2048),
            "Size of the disk that the image is put on.",
        ),
        defaulted("disk_bus", BUS, Fallback::Text("virtio"), "How the disk with the image is attached."),
        optional("disk", Kind::Tables(&VM_DISK), "A further virtual disk, for blockio devices."),
    ],
};

static VM_DISK: Spec = Spec {
    title: "[[vm.disk]]",
    doc: "A further virtual disk.",
    id: Some("serial"),
    attributes: &[],
    keys: &[
        required(
            "serial",
            Kind::Text(&SERIAL),
            "Serial number; the guest finds the disk as /dev/disk/by-serial/<serial>.",
        ),
        required("size", Kind::Size(&VM_DISK_SIZE), "Size of the disk."),
        defaulted("bus", BUS, Fallback::Text("virtio"), "How the disk is attached."),
    ],
};
