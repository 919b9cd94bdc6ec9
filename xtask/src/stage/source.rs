// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's sources, unpacked once from the tools tree's package and never written to.

use std::path::{Path, PathBuf};

use miette::IntoDiagnostic as _;

use super::tools::ToolsTree;
use crate::ctx::Ctx;
use crate::files;
use crate::lock::Lock;
use crate::sources::Sources;
use crate::stamp::{Inputs, StampFile};
use crate::step;

/// Where every stage sees the sources inside the tools tree.
pub(crate) const INSIDE: &str = "/src/linux";

/// Unpacked kernel sources.
#[derive(Debug)]
pub(crate) struct Source {
    dir: PathBuf,
    version: String,
}

impl Source {
    /// The directory with the kernel's top Makefile.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The package's version, such as `7.3.4-1~bpo13+1`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }
}

/// Unpacks the sources that the tools tree carries.
pub(crate) fn build(ctx: &Ctx, sources: &Sources, tools: &ToolsTree) -> miette::Result<Source> {
    let _lock = Lock::of_cache(ctx, "src")?;
    let package = sources.kernel.package();
    let version = tools.packages().version(&package).unwrap_or_default().to_owned();
    let home = ctx.cache.join("src").join(format!("{package}-{version}"));
    let mut inputs = Inputs::new();
    inputs.value(format!("package {package}"), &version);
    let stamp = StampFile::new(home.join("stamp.json"), &home);
    step::stage(ctx, "source", &stamp, &inputs, |step| {
        files::fresh_dir(&home)?;
        let archive = format!("/usr/src/{package}.tar.xz");
        let unpack = tools.command("tar").bind_rw(&home, "/out").env("XZ_DEFAULTS", "-T0");
        step.run(&unpack.args(["-xJf", &archive, "-C", "/out"]))?;
        std::fs::rename(home.join(&package), home.join("linux")).into_diagnostic()?;
        Ok(vec!["linux/Makefile".into(), "linux/Kconfig".into()])
    })?;
    Ok(Source { dir: home.join("linux"), version })
}
