// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bootable image: one unified kernel image, and a disk around it.

use std::path::{Path, PathBuf};

use super::kernel::Kernel;
use super::rootfs::Rootfs;
use super::tools::ToolsTree;
use crate::board::Board;
use crate::ctx::Ctx;

/// A board's image files.
#[derive(Debug)]
pub(crate) struct Image {
    dir: PathBuf,
    cmdline: String,
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
        self.dir.join("manifest.json")
    }

    /// The kernel command line inside the unified kernel image.
    pub(crate) fn cmdline(&self) -> &str {
        &self.cmdline
    }
}

/// Packs kernel and root file system into the image types that `board` asks for.
pub(crate) fn build(
    _ctx: &Ctx,
    _tools: &ToolsTree,
    _kernel: &Kernel,
    _rootfs: &Rootfs,
    _board: &Board,
) -> miette::Result<Image> {
    miette::bail!("this stage is not written yet")
}
