// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tools tree: a Debian release in the user's cache, with everything that a build runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::ctx::Ctx;
use crate::enter::TreeCommand;

/// A complete tools tree.
#[derive(Debug)]
pub(crate) struct ToolsTree {
    root: PathBuf,
}

impl ToolsTree {
    /// A command that runs `program` inside the tree.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> TreeCommand {
        TreeCommand::new(&self.root, program)
    }

    /// Where the tree stands on the host.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

/// Makes the tree, or finds the one that an earlier run made.
pub(crate) fn build(_ctx: &Ctx) -> miette::Result<ToolsTree> {
    miette::bail!("this stage is not written yet")
}
