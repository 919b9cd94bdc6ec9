// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which modules a kernel has, and what each needs, as depmod writes it down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::files;

/// A kernel's modules and what is built into it.
#[derive(Debug, Default)]
pub(crate) struct ModuleIndex {
    /// Name to path below the modules' folder.
    paths: BTreeMap<String, PathBuf>,
    /// Name to the names of what it needs.
    needs: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
}

impl ModuleIndex {
    /// Reads the index files in `dir`, a kernel's `lib/modules/<release>`.
    pub(crate) fn read(dir: &Path) -> miette::Result<Self> {
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

    /// The paths of `wanted` and of all that they need, each behind what it needs; what is built in has none.
    ///
    /// # Errors
    /// The names of those that this kernel has neither as a module nor built in.
    pub(crate) fn closure(&self, wanted: &[&str]) -> Result<Vec<PathBuf>, Vec<String>> {
        let there = |name: &String| self.paths.contains_key(name) || self.builtin.contains(name);
        let names: Vec<String> = wanted.iter().map(|name| name_of(name)).collect();
        let missing: Vec<_> = names.iter().filter(|name| !there(name)).cloned().collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let (mut seen, mut chosen) = (BTreeSet::new(), Vec::new());
        names.iter().for_each(|name| self.visit(name, &mut seen, &mut chosen));
        Ok(chosen)
    }

    /// Adds what `name` needs and then `name`; soft dependencies may run in circles, which `seen` breaks.
    fn visit<'a>(&'a self, name: &'a str, seen: &mut BTreeSet<&'a str>, chosen: &mut Vec<PathBuf>) {
        let Some(path) = self.paths.get(name) else { return };
        if seen.insert(name) {
            self.needs.get(name).into_iter().flatten().for_each(|need| self.visit(need, seen, chosen));
            chosen.push(path.clone());
        }
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
        let softdep = "softdep usb_storage pre: uas post: none\nsoftdep uas pre: usb-storage\n";
        let index = ModuleIndex::parse(DEP, "kernel/s/sd_mod.ko\n", softdep);
        index.closure(wanted).map(|paths| paths.iter().map(|p| format!("{} ", p.display())).collect())
    }

    #[test]
    fn a_driver_brings_what_it_needs_and_comes_behind_it() {
        assert_eq!(chosen(&["ahci"]).unwrap(), "kernel/a/libata.ko kernel/a/libahci.ko kernel/a/ahci.ko ");
        assert_eq!(chosen(&["usb-storage", "sd_mod"]).unwrap(), "kernel/u/uas.ko kernel/u/usb-storage.ko ");
        assert_eq!(
            chosen(&["libata", "ahci"]).unwrap(),
            "kernel/a/libata.ko kernel/a/libahci.ko kernel/a/ahci.ko "
        );
    }

    #[test]
    fn a_driver_that_is_not_there_is_named() {
        assert_eq!(chosen(&["ahci", "ahcii", "none"]).unwrap_err(), ["ahcii", "none"]);
    }
}
