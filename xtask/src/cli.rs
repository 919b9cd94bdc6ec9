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
    /// Fetch the tools tree anew and write what it consists of to kernel-config/tools.lock
    Lock,
}

/// `build-image`.
#[derive(Debug, Args)]
pub(crate) struct BuildImage {
    #[command(flatten)]
    pub(crate) board: BoardArgs,
}

/// `run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) board: BoardArgs,
    /// Run this command as root in the guest, print its output, exit with its status
    #[arg(long, value_name = "CMD")]
    pub(crate) exec: Option<String>,
    /// Lay this folder's files over the guest's root
    #[arg(long, value_name = "DIR")]
    pub(crate) add_files: Vec<PathBuf>,
}

/// `test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Run only the tests whose name contains this
    pub(crate) filter: Option<String>,
}
