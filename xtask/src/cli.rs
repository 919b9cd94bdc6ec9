// SPDX-License-Identifier: MIT OR Apache-2.0
//! The verbs and their flags. `--help` is where a new user learns what there is.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Builds, runs and tests SCSI storage appliances.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, max_term_width = 100, after_help = FIRST_STEPS)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const FIRST_STEPS: &str = "First steps:
  cargo xtask doctor         is everything here that a build needs?
  cargo xtask build-image    board profile in, bootable disk image out
  cargo xtask run            boot it in QEMU
  cargo xtask test           prove it";

/// Flags that every verb takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Jobs to run at once [default: the machine's cores]
    #[arg(long, short, global = true, value_name = "N", help_heading = "Build")]
    pub(crate) jobs: Option<usize>,
    /// Fetch nothing: use what an earlier build left in the cache
    #[arg(long, global = true, help_heading = "Build")]
    pub(crate) offline: bool,
    /// Use only what the lock files name; refuse a newer patch release instead of taking it
    #[arg(long, global = true, help_heading = "Build")]
    pub(crate) locked: bool,
    /// Debian mirror to fetch from [default: the one that the host's own apt uses]
    #[arg(long, global = true, value_name = "URL", help_heading = "Build")]
    pub(crate) mirror: Option<String>,
}

/// Which board, and which flavour of its kernel.
#[derive(Debug, Clone, Args)]
pub(crate) struct BoardArgs {
    /// Board profile: a name in board/, or a path to a TOML file
    #[arg(long, short, value_name = "BOARD", default_value = "qemu-x86_64")]
    pub(crate) board: String,
    /// Kernel flavour
    #[arg(long, value_enum, default_value_t = Flavor::Release)]
    pub(crate) flavor: Flavor,
}

/// The two builds of one kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flavor {
    /// What ships.
    Release,
    /// The same with every checker switched on: KASAN, lockdep, kmemleak, fault injection.
    Debug,
}

impl Flavor {
    /// The name as it stands in file names and manifests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Debug => "debug",
        }
    }
}

/// Everything that xtask can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Build a board's image
    #[command(visible_alias = "build")]
    BuildImage(BuildImage),
    /// Boot a board's image in QEMU, or run a command in it
    Run(Run),
    /// Run everything that CI runs: host tests, golden tests, boot scenarios
    Test(Test),
    /// Say whether everything is here that a build needs, and what is wrong
    Doctor(Doctor),
    /// Say which input makes a stage run, or made it run the last time
    Why(Why),
    /// List, check, show and compare board profiles
    #[command(subcommand)]
    Board(BoardVerb),
    /// Edit the kernel's configuration and save the difference as a fragment
    Menuconfig(Menuconfig),
    /// Format host crates and in-kernel crates alike
    Fmt(Fmt),
    /// Try any bytes at all on what reads CDBs, parameter lists and files, under libFuzzer
    Fuzz(Fuzz),
    /// Run clippy over host crates and in-kernel crates alike
    Lint,
    /// Write the project file with which rust-analyzer understands modules/
    Ide,
    /// Remove build outputs
    Clean(Clean),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Print the manual page
    Man,
    /// Fetch the tools tree anew and write what it consists of to kernel-config/tools.lock
    Lock,
}

/// `build-image`.
#[derive(Debug, Args)]
pub(crate) struct BuildImage {
    #[command(flatten)]
    pub(crate) board: BoardArgs,
    /// Image types to make beside the disk and the unified kernel image
    #[arg(long = "type", value_enum, value_delimiter = ',', value_name = "TYPE")]
    pub(crate) types: Vec<ImageType>,
    /// Stop after this stage
    #[arg(long, value_enum, value_name = "STAGE")]
    pub(crate) until: Option<StageName>,
    /// Print the manifest as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a board's image can be packed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageType {
    /// A raw GPT disk image (always made).
    Disk,
    /// The unified kernel image, for netboot and updates (always made).
    Uki,
    /// The disk in QEMU's compressed format.
    Qcow2,
    /// A CD or USB stick that boots by UEFI.
    Iso,
}

impl ImageType {
    /// The name on the command line, in logs and in manifests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Uki => "uki",
            Self::Qcow2 => "qcow2",
            Self::Iso => "iso",
        }
    }
}

/// The stages of a build, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum StageName {
    /// The Debian tree that everything is built in.
    Tools,
    /// The kernel's sources.
    Source,
    /// The kernel's configuration alone, with every requested option proved; the kernel's stage makes its own.
    Config,
    /// The kernel.
    Kernel,
    /// The in-kernel Rust.
    Modules,
    /// The program on the appliance.
    Program,
    /// The board's Debian packages.
    Packages,
    /// The root file system.
    Rootfs,
    /// The unified kernel image and the disk.
    Image,
}

impl StageName {
    /// The name on the command line, in logs and in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Source => "source",
            Self::Config => "config",
            Self::Kernel => "kernel",
            Self::Modules => "modules",
            Self::Program => "program",
            Self::Packages => "packages",
            Self::Rootfs => "rootfs",
            Self::Image => "image",
        }
    }
}

/// `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `why`.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The stage to ask about [default: all of them]
    #[arg(value_enum)]
    pub(crate) stage: Option<StageName>,
    #[command(flatten)]
    pub(crate) board: BoardArgs,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `board`.
#[derive(Debug, Subcommand)]
pub(crate) enum BoardVerb {
    /// List the boards
    List(Json),
    /// Write a new board's profile, ready to edit
    New {
        /// The board's name: lower-case letters, digits, `-` and `_`
        name: String,
    },
    /// Check profiles and print every finding [default: all of them]
    Check {
        /// Boards, or paths to profiles
        boards: Vec<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Print a profile with everything it inherits, as the image carries it
    Show {
        /// A board, or a path to a profile
        #[arg(default_value = "qemu-x86_64")]
        board: String,
        #[command(flatten)]
        json: Json,
    },
    /// Print what the appliance writes to bring its LUNs up
    Plan {
        /// A board, or a path to a profile
        #[arg(default_value = "qemu-x86_64")]
        board: String,
        #[command(flatten)]
        json: Json,
    },
    /// Print what differs between two boards
    Diff {
        /// The board on the left
        left: String,
        /// The board on the right
        right: String,
        #[command(flatten)]
        json: Json,
    },
    /// Make a board of an scst.conf, or of what `appliance export` printed
    #[command(after_help = IMPORT_HELP)]
    Import {
        /// The file: TOML where its name ends in .toml, else scst.conf
        file: PathBuf,
        /// The new board's name [default: the file's, without its ending]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Print a board's target stack as scst.conf
    #[command(after_help = EXPORT_HELP)]
    Export {
        /// A board, or a path to a profile
        #[arg(default_value = "qemu-x86_64")]
        board: String,
        /// Print TOML instead: the sections of the target stack, without what it inherits
        #[arg(long)]
        toml: bool,
    },
    /// Write the JSON schema of profiles to board/profile.schema.json
    Schema,
}

const IMPORT_HELP: &str = "\
Every mistake is shown at once, with file, line and caret; then nothing is written. Devices must stand on what an
image has: files below /data or /config, block devices below /dev.

Examples:
  cargo xtask board import /etc/scst.conf --name san1
  cargo xtask build-image --board san1";

const EXPORT_HELP: &str = "\
The text is in the form in which scstadmin -write_config writes it. What SCST has no word for stays behind, and a
line on standard error says so: module parameters, and the size of a file that is made when it is missing.

Example:
  cargo xtask board export qemu-x86_64 >scst.conf";

/// A verb that a script may read.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Json {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `menuconfig`.
#[derive(Debug, Args)]
pub(crate) struct Menuconfig {
    #[command(flatten)]
    pub(crate) board: BoardArgs,
    /// The fragment to add the difference to, board/NAME.config, which a board's [kernel] fragments can name
    #[arg(long, value_name = "NAME", default_value = "local", value_parser = crate::verb::menuconfig::parse_save)]
    pub(crate) save: String,
}

/// `fmt`.
#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Change nothing; fail where something would change
    #[arg(long)]
    pub(crate) check: bool,
}

/// `fuzz`.
#[derive(Debug, Args)]
#[command(after_help = FUZZ_HELP)]
pub(crate) struct Fuzz {
    /// The targets, files of modules/proto/fuzz/fuzz_targets [default: all of them]
    pub(crate) targets: Vec<String>,
    /// For how long each target is fuzzed
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
    /// Make the committed corpus the fewest inputs that reach everything reached so far
    #[arg(long)]
    pub(crate) keep: bool,
}

const FUZZ_HELP: &str = "\
Starts from the committed corpus, modules/proto/fuzz/corpus/, and from what earlier runs left in target/fuzz/corpus/.
`cargo xtask test` runs every target over its committed corpus, without a fuzzer. A finding is printed with its
input, and ends that target; the exit status is then 1.

Examples:
  cargo xtask fuzz cdb mode
  cargo xtask fuzz --seconds 600 --keep";

/// `clean`.
#[derive(Debug, Args)]
pub(crate) struct Clean {
    /// Remove one stage's outputs only
    #[arg(value_enum)]
    pub(crate) stage: Option<StageName>,
    /// Remove the downloads, tools trees and compiler cache as well; the next build fetches everything anew
    #[arg(long, conflicts_with = "stage")]
    pub(crate) cache: bool,
}

/// `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// `run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) board: BoardArgs,
    /// Run this command as root in the guest, print its output, exit with its status
    #[arg(long, value_name = "CMD", help_heading = "Commands")]
    pub(crate) exec: Option<String>,
    /// The same with the script or program in this file
    #[arg(long, value_name = "FILE", conflicts_with = "exec", help_heading = "Commands")]
    pub(crate) exec_file: Option<PathBuf>,
    /// Boot through firmware and boot loader even for --exec, which otherwise loads the kernel directly
    #[arg(long, help_heading = "Commands")]
    pub(crate) firmware: bool,
    /// End the whole run after this many seconds
    #[arg(long, value_name = "SECONDS", help_heading = "Commands")]
    pub(crate) timeout: Option<u64>,
    /// Attach a disk: a raw or qcow2 file or a block device; the guest may not write to `FILE,ro`
    #[arg(long, value_name = "FILE[,ro]", value_parser = crate::vm::disks::parse_added, help_heading = "Guest")]
    pub(crate) add_disk: Vec<(PathBuf, crate::vm::machine::Access)>,
    /// Lay this folder's files over the guest's root, owned by root
    #[arg(long, value_name = "DIR", help_heading = "Guest")]
    pub(crate) add_files: Vec<PathBuf>,
    /// Debian packages for this run, with all that they depend on, such as `fio,perl`
    #[arg(long, value_name = "PKG,PKG", value_delimiter = ',', help_heading = "Guest")]
    pub(crate) with: Vec<String>,
    /// One more word of the kernel command line, such as kmemleak=on (repeatable)
    #[arg(long, value_name = "WORD", allow_hyphen_values = true, help_heading = "Guest")]
    pub(crate) cmdline: Vec<String>,
    /// Memory of the guest, such as 512M [default: what the profile says]
    #[arg(long, value_name = "SIZE", value_parser = board_profile::Size::parse, help_heading = "Guest")]
    pub(crate) memory: Option<board_profile::Size>,
    /// Virtual processors [default: what the profile says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=255), help_heading = "Guest")]
    pub(crate) cpus: Option<u32>,
    /// What executes the guest
    #[arg(long, value_enum, default_value_t, help_heading = "Guest")]
    pub(crate) accel: crate::vm::accel::Wanted,
    /// Throw away at the end what the guest wrote to its disks
    #[arg(long, help_heading = "Guest")]
    pub(crate) snapshot: bool,
    /// Wait for a debugger on TCP port 1234 before the first instruction
    #[arg(long, help_heading = "Guest")]
    pub(crate) gdb: bool,
    /// One more argument for QEMU (repeatable)
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, help_heading = "Guest")]
    pub(crate) qemu_arg: Vec<String>,
    /// Print the command that would start QEMU, and start nothing
    #[arg(long, help_heading = "Guest")]
    pub(crate) print: bool,
}

const RUN_HELP: &str = "\
Without --exec the guest's console is this terminal: Ctrl-A X ends QEMU, Ctrl-A H lists more.
What the guest writes is kept in target/vm/BOARD-FLAVOUR/: on the image's disk until the image is built anew,
on the profile's other disks until `cargo xtask clean`.

Exit status with --exec:
  the command's own; 128 + N if signal N killed it
  120  the guest's kernel panicked
  121  the guest powered off, or reset, before the command ended
  122  the guest hung: no output, no console line, no sign of life
  124  the time given by --timeout was up
  125  the guest did not get as far as running the command: no build, no QEMU, no boot
With the last five a message on standard error says which it was, and where the console's log is.

Examples:
  cargo xtask run
  cargo xtask run --exec 'lsscsi'
  cargo xtask run --with fio --exec 'fio --name=x --filename=/dev/sda --rw=read --size=16M'
  cargo xtask run --board generic-x86_64 --add-disk old.qcow2,ro --exec-file look.sh";

/// `test`.
#[derive(Debug, Args)]
#[command(after_help = TEST_HELP)]
pub(crate) struct Test {
    /// Run only the tests whose name contains this
    pub(crate) filter: Option<String>,
    /// List the tests instead of running them
    #[arg(long)]
    pub(crate) list: bool,
    /// Only the scenarios on this flavour of the kernel [default: release]
    #[arg(long, value_enum)]
    pub(crate) flavor: Option<Flavor>,
    /// Only the scenarios on this board [default: every board that a scenario names]
    #[arg(long, short, value_name = "BOARD")]
    pub(crate) board: Option<String>,
    /// Only scenarios, with modules that answer EAGAIN to every management command at once
    #[arg(long)]
    pub(crate) force_eagain: bool,
    /// Go on after a failure even with a FILTER; a run of everything always does
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Cut the power so many times where a scenario cuts it over and over [default: what the scenario says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cuts: Option<u32>,
    /// Write the results as JSON to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// What executes the guests
    #[arg(long, value_enum, default_value_t)]
    pub(crate) accel: crate::vm::accel::Wanted,
}

const TEST_HELP: &str = "\
Names are GROUP/TEST: host/CRATE/TEST, check/WHAT, build/BOARD-FLAVOUR, scenario/NAME@BOARD-FLAVOUR,
golden/TRANSCRIPT. A scenario whose name ends with -eagain runs with modules that let no writer wait.

Verdicts of a scenario:
  pass     every step did what it had to, and the console shows nothing that a kernel prints when it is unwell
  fail     a step did something else
  panic    the console shows a panic, Oops, BUG, WARNING, or a report of lockdep, KASAN, kmemleak or hung tasks
  hang     the guest showed no sign of life, or a deadline passed
  missing  something that the test needs is not there: QEMU, an image, a file; never a pass

Examples:
  cargo xtask test
  cargo xtask test host/board-profile
  cargo xtask test scenario/boot --board qemu-minimal
  cargo xtask test scenario/power-cuts --cuts 200
  cargo xtask test scenario/ --flavor debug --json results.json
  cargo xtask test --force-eagain --keep-going scenario/";
