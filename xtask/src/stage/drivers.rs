// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel modules of an image: the board's drivers, what they depend on, and the target stack.

use std::fs;
use std::path::{Path, PathBuf};

use miette::IntoDiagnostic as _;

use super::rootfs::Parts;
use super::tools::ToolsTree;
use crate::board::Board;
use crate::files;
use crate::layout::Layout;
use crate::module_index::ModuleIndex;
use crate::step::Step;

/// Where the target stack's modules stand below `lib/modules/<release>`.
pub(crate) const STACK: &str = "updates";
/// The index files that busybox's modprobe reads.
const INDEX: [&str; 5] =
    ["modules.dep", "modules.alias", "modules.symbols", "modules.builtin", "modules.softdep"];

/// Adds the modules and their index to `layout`.
pub(crate) fn lay_out(
    layout: &mut Layout,
    tools: &ToolsTree,
    parts: Parts<'_>,
    board: &Board,
    step: &Step,
) -> miette::Result<()> {
    let (kernel, stack) = (parts.kernel, parts.modules.dir());
    let index = ModuleIndex::read(&kernel.modules_dir())?;
    let wanted: Vec<&str> = board.drivers().all().map(|name| name.as_str()).collect();
    let chosen = index.closure(&wanted).map_err(|missing| {
        miette::miette!(
            help = "see kernel-config/fragments for the option that builds it, or take it out of [drivers]",
            "board {}: [drivers] names {}, which this kernel does not build",
            board.name(),
            missing.join(", ")
        )
    })?;
    let base = tempdir_below(stack)?;
    let staging = base.join("lib/modules").join(kernel.release());
    let mut carried = Vec::new();
    for path in &chosen {
        carried.push((path.clone(), kernel.modules_dir().join(path), "the kernel's drivers"));
    }
    for path in files::walk(stack)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "ko")) {
        carried.push((Path::new(STACK).join(&path), stack.join(&path), "modules"));
    }
    for (path, from, source) in &carried {
        files::copy(from, &staging.join(path))?;
        layout.file(&format!("lib/modules/{}/{}", kernel.release(), path.display()), from, source)?;
    }
    for name in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
        files::copy(&kernel.modules_dir().join(name), &staging.join(name))?;
    }
    let depmod = tools.command("depmod").bind_rw(&base, "/stage").args(["-b", "/stage", kernel.release()]);
    step.run(&depmod)?;
    for name in INDEX.iter().filter(|name| staging.join(name).exists()) {
        let bytes = fs::read(staging.join(name)).into_diagnostic()?;
        layout.text(&format!("lib/modules/{}/{name}", kernel.release()), bytes, "depmod")?;
    }
    files::remove(&base)
}

/// An empty folder for depmod beside the stack's modules.
fn tempdir_below(stack: &Path) -> miette::Result<PathBuf> {
    let dir = stack.with_file_name("depmod.partial");
    files::fresh_dir(&dir)?;
    Ok(dir)
}
