// SPDX-License-Identifier: MIT OR Apache-2.0
//! `kernel-config/sources.toml`: which kernel, and which Debian release its tools come from.

use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Deserialize;

use crate::ctx::Ctx;
use crate::files;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sources {
    /// Seconds since 1970 that outputs carry as their time.
    pub(crate) source_date_epoch: u64,
    /// `[kernel]`.
    pub(crate) kernel: KernelSource,
    /// `[tools]`.
    pub(crate) tools: ToolsSource,
}

/// `[kernel]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KernelSource {
    /// Such as `7.3`.
    pub(crate) series: String,
    /// The suite that has the package.
    pub(crate) suite: String,
    /// The major version of clang and LLVM.
    pub(crate) llvm: u32,
}

impl KernelSource {
    /// The Debian package with the sources.
    pub(crate) fn package(&self) -> String {
        format!("linux-source-{}", self.series)
    }
}

/// `[tools]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolsSource {
    /// The Debian release.
    pub(crate) suite: String,
    /// What is installed in it.
    pub(crate) packages: Vec<String>,
}

impl Sources {
    /// Reads the repository's file.
    pub(crate) fn read(ctx: &Ctx) -> miette::Result<Self> {
        let path = ctx.root.join("kernel-config/sources.toml");
        toml::from_str(&files::read(&path)?)
            .into_diagnostic()
            .wrap_err_with(|| format!("in {}", path.display()))
    }
}
