// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel modules of an image: the board's drivers, what they depend on, and the target stack.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use miette::IntoDiagnostic as _;

use super::rootfs::Parts;
use super::tools::ToolsTree;
use crate::board::Board;
use crate::files;
use crate::layout::Layout;
use crate::step::Step;

/// Where the target stack's modules stand below `lib/modules/<release>`.
const STACK: &str = "updates";
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
    let index = Index::read(&kernel.modules_dir())?;
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

/// Which modules a kernel has, and what each needs.
#[derive(Debug, Default)]
struct Index {
    /// Name to path below the modules' folder.
    paths: BTreeMap<String, PathBuf>,
    /// Name to the names of what it needs.
    needs: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
}

impl Index {
    fn read(dir: &Path) -> miette::Result<Self> {
        let optional = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
        Ok(Self::parse(
            &files::read(&dir.join("modules.dep"))?,
            &files::read(&dir.join("modules.builtin"))?,
            &optional("modules.softdep"),
        ))
    }

    fn parse(dep: &str, builtin: &str, softdep: &str) -> Self {
        let mut index = Self { builtin: builtin.lines().map(name_of).collect(), ..Self::default() };
        for (path, needs) in dep.lines().filter_map(|line| line.split_once(':')) {
            index.paths.insert(name_of(path), path.into());
            index.needs.insert(name_of(path), needs.split_whitespace().map(name_of).collect());
        }
        for line in softdep.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            if let ["softdep", module, wants @ ..] = &words[..] {
                let wanted = wants.iter().filter(|word| !word.ends_with(':')).map(|word| name_of(word));
                index.needs.entry(name_of(module)).or_default().extend(wanted);
            }
        }
        index
    }

    /// The paths of `wanted` and of all that they need; the names of those that there are not.
    fn closure(&self, wanted: &[&str]) -> Result<BTreeSet<PathBuf>, Vec<String>> {
        let there = |name: &String| self.paths.contains_key(name) || self.builtin.contains(name);
        let names: Vec<String> = wanted.iter().map(|name| name_of(name)).collect();
        let missing: Vec<_> = names.iter().filter(|name| !there(name)).cloned().collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let (mut chosen, mut open) = (BTreeSet::new(), names);
        while let Some(name) = open.pop() {
            if self.paths.contains_key(&name) && chosen.insert(name.clone()) {
                open.extend(self.needs.get(&name).cloned().unwrap_or_default());
            }
        }
        Ok(chosen.iter().map(|name| self.paths[name].clone()).collect())
    }
}

/// A module's name from a path or a name: without folder and ending, dashes as underscores, as the kernel has it.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str =
        "kernel/a/ahci.ko: kernel/a/libahci.ko kernel/a/libata.ko\nkernel/a/libahci.ko: kernel/a/libata.ko\n\
                       kernel/a/libata.ko:\nkernel/u/usb-storage.ko:\nkernel/u/uas.ko:\n";

    fn chosen(wanted: &[&str]) -> Result<String, Vec<String>> {
        let index = Index::parse(DEP, "kernel/s/sd_mod.ko\n", "softdep usb_storage pre: uas post: none\n");
        index.closure(wanted).map(|paths| paths.iter().map(|p| format!("{} ", p.display())).collect())
    }

    #[test]
    fn a_driver_brings_what_it_needs() {
        assert_eq!(chosen(&["ahci"]).unwrap(), "kernel/a/ahci.ko kernel/a/libahci.ko kernel/a/libata.ko ");
        assert_eq!(chosen(&["usb_storage"]).unwrap(), "kernel/u/uas.ko kernel/u/usb-storage.ko ");
        assert_eq!(chosen(&["usb-storage", "sd_mod"]).unwrap(), "kernel/u/uas.ko kernel/u/usb-storage.ko ");
    }

    #[test]
    fn a_driver_that_is_not_there_is_named() {
        assert_eq!(chosen(&["ahci", "ahcii", "none"]).unwrap_err(), ["ahcii", "none"]);
    }
}
