// SPDX-License-Identifier: MIT OR Apache-2.0
//! A virtual machine as data, and the QEMU command line that it stands for.

use std::path::{Path, PathBuf};

use board_profile::{Arch, Bus, Size};

/// The file descriptor that carries the guest's first serial port when no terminal does.
pub(super) const CONSOLE_FD: i32 = 10;
/// The file descriptor of QEMU's control channel.
pub(super) const QMP_FD: i32 = 11;
/// The file descriptor of the first virtio port; the others follow in order.
pub(super) const FIRST_PORT_FD: i32 = 12;

/// Four levels of page tables. With five, a kernel with KASAN takes its own memory for foreign in an interrupt that
/// comes while it identifies the boot processor: it clears that processor's features first, and reads "five levels"
/// from there. Four are also fewer to translate.
const PAGING: &str = "la57=off";

/// What executes the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accel {
    /// The processor itself, through `/dev/kvm`.
    Kvm,
    /// QEMU's translator, one host thread per virtual processor.
    Tcg,
}

/// How the guest comes up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Boot {
    /// UEFI firmware, which finds the boot loader on the first disk.
    Firmware {
        /// The firmware's code, never written.
        code: PathBuf,
        /// A copy of the firmware's variables that belongs to this machine.
        vars: PathBuf,
    },
    /// QEMU loads the kernel itself.
    Direct {
        /// The kernel (bzImage).
        kernel: PathBuf,
        /// The initramfs.
        initrd: PathBuf,
        /// The kernel command line.
        cmdline: String,
    },
    /// A kernel and nothing else, for the accelerator probe: it must get as far as missing its root.
    Probe {
        /// The kernel (bzImage).
        kernel: PathBuf,
    },
}

/// The format of a disk's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Block N of the disk is block N of the file.
    Raw,
    /// QEMU's own format.
    Qcow2,
}

/// One disk of the machine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Disk {
    /// The file behind it.
    pub(crate) path: PathBuf,
    /// The file's format.
    pub(crate) format: Format,
    /// How it is attached.
    pub(crate) bus: Bus,
    /// Its serial number, as the guest sees it; at most 20 characters.
    pub(crate) serial: String,
    /// Whether the guest may write.
    pub(crate) access: Access,
    /// What the guest sees it as.
    pub(crate) medium: Medium,
    /// A file with a log of what was written and flushed, for a disk that loses with the power what was not.
    pub(crate) log: Option<PathBuf>,
}

/// What kind of drive a file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medium {
    /// A disk, or a stick.
    Disk,
    /// A disc in a CD drive on the SATA controller, whatever the bus says; it is read-only.
    Cd,
}

/// Whether a guest may write to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It may.
    ReadWrite,
    /// Writes are refused.
    ReadOnly,
}

/// A file for all that a machine has in its memory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SavedState {
    /// It can be saved there while the machine runs.
    To(PathBuf),
    /// The machine goes on from there instead of booting.
    From(PathBuf),
}

/// Where the first serial port leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsoleTo {
    /// To the terminal that xtask was started from; Ctrl-A X ends QEMU.
    Terminal,
    /// To xtask, which keeps a log.
    Log,
}

/// What a reset of the guest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnReset {
    /// The guest boots again.
    Boot,
    /// QEMU ends.
    Exit,
}

/// A virtual machine, complete.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Machine {
    /// A name for process lists.
    pub(crate) name: String,
    /// The processor architecture.
    pub(crate) arch: Arch,
    /// What executes it.
    pub(crate) accel: Accel,
    /// Memory.
    pub(crate) memory: Size,
    /// Virtual processors.
    pub(crate) cpus: u32,
    /// How it comes up.
    pub(crate) boot: Boot,
    /// Disks in the order in which the guest finds them; firmware boots from the first.
    pub(crate) disks: Vec<Disk>,
    /// Where the first serial port leads.
    pub(crate) console: ConsoleTo,
    /// Names of the virtio ports between guest and xtask.
    pub(crate) ports: Vec<&'static str>,
    /// Whether what the guest writes to its disks is thrown away at the end.
    pub(crate) snapshot: bool,
    /// Whether QEMU waits for a debugger on TCP port 1234.
    pub(crate) gdb: bool,
    /// What a reset does.
    pub(crate) on_reset: OnReset,
    /// Where its state can be saved, or comes from.
    pub(crate) state: Option<SavedState>,
    /// Further arguments for QEMU, as the user gave them.
    pub(crate) extra: Vec<String>,
}

/// What a kernel is told that QEMU emulates. Every processor's TSC is the host's clock, which needs no watchdog; and the
/// watchdog of 7.3 hangs a boot that is slow: it waits for another processor with its interrupts off, by a clock that is
/// still jiffies and so stands still, while that processor waits in `stop_machine` for this one.
///
/// A starved emulator is no hung kernel: on a busy host its processors stand still for long, so the watchdogs of tasks
/// (60 s), of RCU (21 s) and of processors (twice 10 s) wait longer than by the kernel's configuration. What really hangs
/// is still told of before a scenario's deadline.
const TOLD_UNDER_TCG: &str = "tsc=reliable sysctl.kernel.hung_task_timeout_secs=240 \
    rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=40";
/// What systemd-stub takes further words of the command line from, among the strings of SMBIOS type 11.
const STUB_WORDS: &str = "io.systemd.stub.kernel-cmdline-extra";

impl Machine {
    /// QEMU's program for this machine's architecture.
    pub(crate) fn program(&self) -> &'static str {
        match self.arch {
            Arch::X86_64 => "qemu-system-x86_64",
        }
    }

    /// QEMU's arguments. A pure function: the same machine always gives the same words.
    pub(crate) fn argv(&self) -> Vec<String> {
        let mut args = Args::default();
        args.two("-name", &self.name).words(&["-nodefaults", "-no-user-config", "-display", "none"]);
        args.two("-machine", "q35");
        match self.accel {
            Accel::Kvm => args.two("-accel", "kvm").two("-cpu", format!("host,{PAGING}")),
            Accel::Tcg => args.two("-accel", "tcg,thread=multi").two("-cpu", format!("max,{PAGING}")),
        };
        args.two("-smp", self.cpus).two("-m", format!("{}M", self.memory.bytes() >> 20));
        self.boot_args(&mut args);
        disk_args(&mut args, &self.disks, &self.boot);
        self.channel_args(&mut args);
        if self.snapshot {
            args.words(&["-snapshot"]);
        }
        if self.gdb {
            args.words(&["-gdb", "tcp:127.0.0.1:1234", "-S"]);
        }
        if self.on_reset == OnReset::Exit {
            args.words(&["-no-reboot"]);
        }
        if let Some(SavedState::From(path)) = &self.state {
            args.two("-incoming", format!("file:{}", path.display()));
        }
        args.0.extend(self.extra.iter().cloned());
        args.0
    }

    fn channel_args(&self, args: &mut Args) {
        match self.console {
            ConsoleTo::Terminal => args.two("-serial", "mon:stdio"),
            ConsoleTo::Log => {
                args.two("-chardev", format!("socket,id=console,fd={CONSOLE_FD}"));
                args.two("-serial", "chardev:console");
                args.two("-chardev", format!("socket,id=qmp,fd={QMP_FD}"));
                args.two("-mon", "chardev=qmp,mode=control")
            }
        };
        if !self.ports.is_empty() {
            args.two("-device", format!("virtio-serial-pci,id=ports,max_ports={}", self.ports.len() + 1));
        }
        for (fd, port) in (FIRST_PORT_FD..).zip(&self.ports) {
            args.two("-chardev", format!("socket,id={port},fd={fd}"));
            args.two("-device", format!("virtserialport,bus=ports.0,chardev={port},name={port}"));
        }
    }

    fn boot_args(&self, args: &mut Args) {
        let told = if self.accel == Accel::Tcg { TOLD_UNDER_TCG } else { "" };
        match &self.boot {
            Boot::Firmware { code, vars } => {
                args.two("-drive", format!("if=pflash,unit=0,format=raw,readonly=on,file={}", quoted(code)));
                args.two("-drive", format!("if=pflash,unit=1,format=raw,snapshot=off,file={}", quoted(vars)));
                if !told.is_empty() {
                    args.two("-smbios", format!("type=11,value={STUB_WORDS}={told}"));
                }
            }
            Boot::Direct { kernel, initrd, cmdline } => {
                args.two("-kernel", kernel.display()).two("-initrd", initrd.display());
                args.two("-append", format!("{cmdline} {told}").trim_end());
            }
            Boot::Probe { kernel } => {
                args.two("-kernel", kernel.display()).two("-append", "console=ttyS0 panic=-1");
            }
        }
    }
}

fn disk_args(args: &mut Args, disks: &[Disk], boot: &Boot) {
    let uses = |bus| disks.iter().any(|d| d.bus == bus);
    if uses(Bus::Scsi) {
        args.two("-device", "virtio-scsi-pci,id=scsi");
    }
    if uses(Bus::Usb) {
        args.two("-device", "qemu-xhci,id=usb");
    }
    let mut sata_ports = 0..;
    for (number, disk) in disks.iter().enumerate() {
        let format = match disk.format {
            Format::Raw => "raw",
            Format::Qcow2 => "qcow2",
        };
        let mut drive = match &disk.log {
            None => format!("if=none,id=drive{number},format={format},file={}", quoted(&disk.path)),
            Some(log) => logged(number, &disk.path, log),
        };
        if disk.access == Access::ReadOnly || disk.medium == Medium::Cd {
            drive.push_str(",readonly=on");
        }
        args.two("-drive", drive);
        let mut sata = || sata_ports.next().unwrap_or(0);
        let device = match (disk.medium, disk.bus) {
            (Medium::Cd, _) => format!("ide-cd,bus=ide.{}", sata()),
            (_, Bus::Virtio) => format!("virtio-blk-pci{}", slot(args, number)),
            (_, Bus::Scsi) => "scsi-hd,bus=scsi.0".to_owned(),
            (_, Bus::Nvme) => format!("nvme{}", slot(args, number)),
            (_, Bus::Ahci) => format!("ide-hd,bus=ide.{}", sata()),
            (_, Bus::Usb) => "usb-storage,bus=usb.0".to_owned(),
        };
        // Only the first disk is a candidate for the firmware; a LUN's backing store is none.
        let first = number == 0 && matches!(boot, Boot::Firmware { .. });
        let bootindex = if first { ",bootindex=0" } else { "" };
        let serial = doubled(&disk.serial);
        args.two(
            "-device",
            format!("{device},id=disk{number},drive=drive{number},serial={serial}{bootindex}"),
        );
    }
}

/// A disk with a log of its writes and flushes. What the host does with the two files when QEMU is killed does not matter,
/// so nobody waits for its disk.
fn logged(number: usize, disk: &Path, log: &Path) -> String {
    let child = |name: &str, path: &Path| {
        format!("{name}.driver=file,{name}.filename={},{name}.cache.no-flush=on", quoted(path))
    };
    format!("if=none,id=drive{number},driver=blklogwrites,{},{}", child("file", disk), child("log", log))
}

/// A place of its own for a PCI disk beside the first one: only there can it be unplugged while the guest runs.
fn slot(args: &mut Args, number: usize) -> String {
    if number == 0 {
        return String::new();
    }
    args.two("-device", format!("pcie-root-port,id=slot{number},chassis={number},slot={number}"));
    format!(",bus=slot{number}")
}

/// A path as the value of a QEMU option, in which a comma ends the value unless it is doubled.
fn quoted(path: &Path) -> String {
    doubled(&path.display().to_string())
}

fn doubled(text: &str) -> String {
    text.replace(',', ",,")
}

#[derive(Default)]
struct Args(Vec<String>);

impl Args {
    fn two(&mut self, option: &str, value: impl std::fmt::Display) -> &mut Self {
        self.0.push(option.to_owned());
        self.0.push(value.to_string());
        self
    }

    fn words(&mut self, words: &[&str]) -> &mut Self {
        self.0.extend(words.iter().map(|w| (*w).to_owned()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One option with its value on each line, as a person would write it down.
    fn golden(machine: &Machine) -> String {
        let mut text = machine.program().to_owned();
        for word in machine.argv() {
            text.push_str(if word.starts_with('-') { "\n" } else { " " });
            text.push_str(&word);
        }
        text
    }

    fn disk(path: &str, bus: Bus) -> Disk {
        Disk {
            path: path.into(),
            format: Format::Raw,
            bus,
            serial: "S1".into(),
            access: Access::ReadWrite,
            medium: Medium::Disk,
            log: None,
        }
    }

    fn machine(boot: Boot) -> Machine {
        Machine {
            name: "test".into(),
            arch: Arch::X86_64,
            accel: Accel::Tcg,
            memory: Size::from_mib(256),
            cpus: 2,
            boot,
            disks: vec![disk("/images/disk.img", Bus::Virtio)],
            console: ConsoleTo::Log,
            ports: Vec::new(),
            snapshot: false,
            gdb: false,
            on_reset: OnReset::Boot,
            state: None,
            extra: Vec::new(),
        }
    }

    #[test]
    fn firmware_boot_reads_its_code_and_owns_its_variables() {
        let boot = Boot::Firmware { code: "/fw/CODE.fd".into(), vars: "/run/VARS.fd".into() };
        assert_eq!(
            golden(&machine(boot)),
            "qemu-system-x86_64
-name test
-nodefaults
-no-user-config
-display none
-machine q35
-accel tcg,thread=multi
-cpu max,la57=off
-smp 2
-m 256M
-drive if=pflash,unit=0,format=raw,readonly=on,file=/fw/CODE.fd
-drive if=pflash,unit=1,format=raw,snapshot=off,file=/run/VARS.fd
-smbios type=11,value=io.systemd.stub.kernel-cmdline-extra=tsc=reliable sysctl.kernel.hung_task_timeout_secs=240 rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=40
-drive if=none,id=drive0,format=raw,file=/images/disk.img
-device virtio-blk-pci,id=disk0,drive=drive0,serial=S1,bootindex=0
-chardev socket,id=console,fd=10
-serial chardev:console
-chardev socket,id=qmp,fd=11
-mon chardev=qmp,mode=control"
        );
    }

    #[test]
    fn direct_boot_with_ports_and_every_bus() {
        let boot = Boot::Direct {
            kernel: "/k/bzImage".into(),
            initrd: "/k/initrd".into(),
            cmdline: "console=ttyS0 quiet".into(),
        };
        let mut machine = machine(boot);
        machine.accel = Accel::Kvm;
        machine.disks =
            [Bus::Nvme, Bus::Scsi, Bus::Ahci, Bus::Ahci, Bus::Usb, Bus::Virtio].map(|b| disk("/d", b)).into();
        machine.disks[1].access = Access::ReadOnly;
        machine.disks[4].format = Format::Qcow2;
        machine.disks[3].medium = Medium::Cd;
        machine.ports = vec!["one", "two"];
        machine.snapshot = true;
        machine.gdb = true;
        machine.on_reset = OnReset::Exit;
        machine.extra = vec!["-trace".into(), "nvme*".into()];
        assert_eq!(
            golden(&machine),
            "qemu-system-x86_64
-name test
-nodefaults
-no-user-config
-display none
-machine q35
-accel kvm
-cpu host,la57=off
-smp 2
-m 256M
-kernel /k/bzImage
-initrd /k/initrd
-append console=ttyS0 quiet
-device virtio-scsi-pci,id=scsi
-device qemu-xhci,id=usb
-drive if=none,id=drive0,format=raw,file=/d
-device nvme,id=disk0,drive=drive0,serial=S1
-drive if=none,id=drive1,format=raw,file=/d,readonly=on
-device scsi-hd,bus=scsi.0,id=disk1,drive=drive1,serial=S1
-drive if=none,id=drive2,format=raw,file=/d
-device ide-hd,bus=ide.0,id=disk2,drive=drive2,serial=S1
-drive if=none,id=drive3,format=raw,file=/d,readonly=on
-device ide-cd,bus=ide.1,id=disk3,drive=drive3,serial=S1
-drive if=none,id=drive4,format=qcow2,file=/d
-device usb-storage,bus=usb.0,id=disk4,drive=drive4,serial=S1
-drive if=none,id=drive5,format=raw,file=/d
-device pcie-root-port,id=slot5,chassis=5,slot=5
-device virtio-blk-pci,bus=slot5,id=disk5,drive=drive5,serial=S1
-chardev socket,id=console,fd=10
-serial chardev:console
-chardev socket,id=qmp,fd=11
-mon chardev=qmp,mode=control
-device virtio-serial-pci,id=ports,max_ports=3
-chardev socket,id=one,fd=12
-device virtserialport,bus=ports.0,chardev=one,name=one
-chardev socket,id=two,fd=13
-device virtserialport,bus=ports.0,chardev=two,name=two
-snapshot
-gdb tcp:127.0.0.1:1234
-S
-no-reboot
-trace nvme*"
        );
    }

    #[test]
    fn an_emulated_processor_needs_no_watchdog_of_its_clock_and_patient_ones_otherwise() {
        let cmdline = "console=ttyS0".to_owned();
        let mut machine =
            machine(Boot::Direct { kernel: "/k/bzImage".into(), initrd: "/k/initrd".into(), cmdline });
        let told = format!("console=ttyS0 {TOLD_UNDER_TCG}");
        assert!(machine.argv().contains(&told), "{:?}", machine.argv());
        machine.boot = Boot::Firmware { code: "/fw/CODE.fd".into(), vars: "/run/VARS.fd".into() };
        machine.accel = Accel::Kvm;
        assert!(!machine.argv().contains(&"-smbios".to_owned()), "{:?}", machine.argv());
    }

    #[test]
    fn a_terminal_gets_the_console_and_the_monitor() {
        let mut machine = machine(Boot::Probe { kernel: "/k".into() });
        machine.console = ConsoleTo::Terminal;
        let argv = machine.argv();
        assert!(argv.windows(2).any(|w| w == ["-serial", "mon:stdio"]), "{argv:?}");
        assert!(!argv.iter().any(|w| w.contains("fd=")), "{argv:?}");
    }

    #[test]
    fn a_disk_that_loses_what_was_not_flushed_has_a_log() {
        let mut machine = machine(Boot::Probe { kernel: "/k".into() });
        machine.disks[0].log = Some("/d,log".into());
        machine.state = Some(SavedState::From("/state".into()));
        let argv = machine.argv();
        let drive = "if=none,id=drive0,driver=blklogwrites,\
            file.driver=file,file.filename=/images/disk.img,file.cache.no-flush=on,\
            log.driver=file,log.filename=/d,,log,log.cache.no-flush=on";
        assert!(argv.iter().any(|word| word == drive), "{argv:?}");
        assert!(argv.windows(2).any(|w| w == ["-incoming", "file:/state"]), "{argv:?}");
    }

    #[test]
    fn a_comma_in_a_path_does_not_end_the_option() {
        let mut machine = machine(Boot::Probe { kernel: "/k".into() });
        machine.disks = vec![disk("/a,readonly=on", Bus::Virtio)];
        assert!(machine.argv().iter().any(|w| w.ends_with("file=/a,,readonly=on")), "{:?}", machine.argv());
    }
}
