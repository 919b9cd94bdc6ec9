// SPDX-License-Identifier: MIT OR Apache-2.0
//! The operating system's files, as one initramfs archive.

use std::path::{Path, PathBuf};

use super::kernel::Kernel;
use super::modules::Modules;
use super::tools::ToolsTree;
use crate::board::Board;
use crate::ctx::Ctx;

/// A board's root file system.
#[derive(Debug)]
pub(crate) struct Rootfs {
    initramfs: PathBuf,
    files: Vec<String>,
}

impl Rootfs {
    /// The archive, `newc` compressed with zstd: what the kernel unpacks as its root.
    pub(crate) fn initramfs(&self) -> &Path {
        &self.initramfs
    }

    /// Every path in the archive, sorted, without the leading slash.
    pub(crate) fn files(&self) -> &[String] {
        &self.files
    }
}

/// Puts the root file system of `board` together.
pub(crate) fn build(
    _ctx: &Ctx,
    _tools: &ToolsTree,
    _kernel: &Kernel,
    _modules: &Modules,
    _board: &Board,
) -> miette::Result<Rootfs> {
    miette::bail!("this stage is not written yet")
}
