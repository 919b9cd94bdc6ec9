// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel: one per architecture and flavour, shared by every board.

use std::path::{Path, PathBuf};

use super::tools::ToolsTree;
use crate::board::Board;
use crate::cli::Flavor;
use crate::ctx::Ctx;

/// A built kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    dir: PathBuf,
    source: PathBuf,
    release: String,
    flavor: Flavor,
}

impl Kernel {
    /// The kernel that firmware or QEMU starts.
    pub(crate) fn bzimage(&self) -> PathBuf {
        self.dir.join("out/bzImage")
    }

    /// `lib/modules/<release>` of this kernel: its drivers and their dependency list.
    pub(crate) fn modules_dir(&self) -> PathBuf {
        self.dir.join("out/lib/modules").join(&self.release)
    }

    /// The final configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("out/config")
    }

    /// What `uname -r` says.
    pub(crate) fn release(&self) -> &str {
        &self.release
    }

    /// The build directory (`O=`), which modules are compiled against.
    pub(crate) fn build_dir(&self) -> PathBuf {
        self.dir.join("build")
    }

    /// The kernel's sources.
    pub(crate) fn source_dir(&self) -> &Path {
        &self.source
    }

    /// Which of the two builds this is.
    pub(crate) fn flavor(&self) -> Flavor {
        self.flavor
    }
}

/// Configures and compiles the kernel that `board` runs on.
pub(crate) fn build(
    _ctx: &Ctx,
    _tools: &ToolsTree,
    _board: &Board,
    _flavor: Flavor,
) -> miette::Result<Kernel> {
    miette::bail!("this stage is not written yet")
}
