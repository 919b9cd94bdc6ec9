// SPDX-License-Identifier: MIT OR Apache-2.0
//! The in-kernel Rust, compiled out of tree by `modules/Kbuild` against one kernel.

use std::path::{Path, PathBuf};

use miette::IntoDiagnostic as _;
use serde::Deserialize;

use super::incremental;
use super::kernel::Kernel;
use super::tools::ToolsTree;
use crate::ctx::Ctx;
use crate::files;
use crate::stamp::{Inputs, Stamp, StampFile};
use crate::step::{self, Step};

/// Where the compiler sees `modules/`.
const INSIDE: &str = "/modules";
/// Where it writes.
const OUTPUT: &str = "/modules-out";

/// What becomes of whoever writes a management command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Writers {
    /// They wait for its end, within reason: what ships.
    Wait,
    /// They leave at once with `EAGAIN`, and have to ask `last_sysfs_mgmt_res`: for tests.
    Leave,
}

impl Writers {
    /// What names of builds, tests and folders end with.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Wait => "",
            Self::Leave => "-eagain",
        }
    }

    /// `make`'s further arguments; see `modules/Kbuild`.
    fn make_args(self) -> &'static [&'static str] {
        match self {
            Self::Wait => &[],
            Self::Leave => &["SCST_FORCE_EAGAIN=1"],
        }
    }
}

/// The target stack's modules.
#[derive(Debug)]
pub(crate) struct Modules {
    dir: PathBuf,
    stamp: Stamp,
    writers: Writers,
}

impl Modules {
    /// The directory with the stripped `*.ko` files and `modules.order`.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What becomes of writers with these.
    pub(crate) fn writers(&self) -> Writers {
        self.writers
    }

    /// The record of the build.
    pub(crate) fn stamp(&self) -> &Stamp {
        &self.stamp
    }
}

/// Compiles `modules/` against `kernel`; each kind of `writers` in a folder of its own, so that neither undoes the other.
pub(crate) fn build(
    ctx: &Ctx,
    tools: &ToolsTree,
    kernel: &Kernel,
    writers: Writers,
) -> miette::Result<Modules> {
    let home = ctx.target.join("modules").join(kernel.name() + writers.suffix());
    let sources = ctx.root.join("modules");
    let mut inputs = Inputs::new();
    inputs.value("kernel", kernel.stamp().digest());
    inputs.tree("modules", &sources, is_source)?;
    let stamp = StampFile::new(home.join("stamp.json"), &home);
    let name = format!("modules{}", writers.suffix());
    let stamp = step::stage(ctx, &name, &stamp, &inputs, |step| {
        // What was compiled against another kernel is of no use, and make would not notice.
        incremental::make(&home, &kernel.stamp().digest(), |build| {
            let make = make(tools, kernel, &sources, build).args(writers.make_args());
            step.run(&make.arg("modules"))?;
            collect(step, tools, kernel, build, &home.join("out"))
        })
    })?;
    Ok(Modules { dir: home.join("out"), stamp, writers })
}

/// `make` on `modules/`, its output beside the sources' mount and never in it.
pub(crate) fn make(
    tools: &ToolsTree,
    kernel: &Kernel,
    sources: &Path,
    build: &Path,
) -> crate::enter::TreeCommand {
    kernel
        .make(tools)
        .bind_ro(sources, INSIDE)
        .bind_rw(build, OUTPUT)
        .args([format!("M={INSIDE}"), format!("MO={OUTPUT}")])
}

/// What the compiler reads; host crates' manifests and texts for people are not part of it.
fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    name == "Kbuild" || name == "Makefile" || ["rs", "c", "h", "S"].contains(&ending)
}

/// Copies the modules out, without debug information, aside and then into place.
fn collect(
    step: &Step,
    tools: &ToolsTree,
    kernel: &Kernel,
    build: &Path,
    out: &Path,
) -> miette::Result<Vec<PathBuf>> {
    let order = files::read(&build.join("modules.order"))?;
    let aside = files::partial(out);
    files::fresh_dir(&aside)?;
    for object in order.lines() {
        let name = Path::new(object).with_extension("ko");
        let name = name.file_name().unwrap_or_default();
        files::copy(&build.join(name), &aside.join(name))?;
        let strip = tools.command(kernel.llvm("strip")).bind_rw(&aside, "/out").arg("--strip-debug");
        step.run(&strip.arg(Path::new("/out").join(name)))?;
    }
    std::fs::write(aside.join("modules.order"), order).into_diagnostic()?;
    files::replace(&aside, out)?;
    Ok(files::walk(out)?.into_iter().map(|path| Path::new("out").join(path)).collect())
}
