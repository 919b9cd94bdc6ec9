// SPDX-License-Identifier: MIT OR Apache-2.0
//! The in-kernel Rust, compiled out of tree.

use std::path::{Path, PathBuf};

use super::kernel::Kernel;
use super::tools::ToolsTree;
use crate::ctx::Ctx;

/// The target stack's modules.
#[derive(Debug)]
pub(crate) struct Modules {
    dir: PathBuf,
}

impl Modules {
    /// The directory with the stripped `*.ko` files.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Compiles `modules/` against `kernel`.
pub(crate) fn build(_ctx: &Ctx, _tools: &ToolsTree, _kernel: &Kernel) -> miette::Result<Modules> {
    miette::bail!("this stage is not written yet")
}
