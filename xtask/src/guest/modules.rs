// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which kernel modules a driver needs, in the order in which they must be loaded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use miette::{miette, Context as _, IntoDiagnostic as _};

/// The files of `wanted` and of everything they depend on, dependencies first, from a kernel's module directory.
///
/// What is built into the kernel needs no file. Fails where a name is neither a module nor built in.
pub(crate) fn closure(modules_dir: &Path, wanted: &[&str]) -> miette::Result<Vec<PathBuf>> {
    let read = |name: &str| {
        let path = modules_dir.join(name);
        std::fs::read_to_string(&path)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot read {}", path.display()))
    };
    let dependencies = parse(&read("modules.dep")?);
    let built_in: Vec<String> = read("modules.builtin")?.lines().map(module_name).collect();
    let mut files: Vec<PathBuf> = Vec::new();
    for name in wanted {
        match dependencies.get(*name) {
            // The file lists the nearest dependency first, so the last one has to be loaded first.
            Some((file, needs)) => {
                for path in needs.iter().rev().chain([file]) {
                    let path = modules_dir.join(path);
                    if !files.contains(&path) {
                        files.push(path);
                    }
                }
            }
            None if built_in.iter().any(|b| b == name) => {}
            None => {
                return Err(miette!(
                    help = "switch its option on in kernel-config/fragments/",
                    "this kernel has no module {name}, and it is not built in: {}",
                    modules_dir.display()
                ));
            }
        }
    }
    Ok(files)
}

/// `modules.dep`: module name to its file and the files it needs.
fn parse(text: &str) -> BTreeMap<String, (String, Vec<String>)> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(file, needs)| {
            let needs = needs.split_whitespace().map(str::to_owned).collect();
            (module_name(file), (file.to_owned(), needs))
        })
        .collect()
}

/// The name that the kernel gives a module's file: without folder and endings, `_` for `-`.
fn module_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let dep = "kernel/virtio.ko:\nkernel/virtio_ring.ko: kernel/virtio.ko\n\
                   kernel/virtio-pci.ko: kernel/virtio_ring.ko kernel/virtio.ko\n\
                   kernel/virtio_console.ko: kernel/virtio_ring.ko kernel/virtio.ko\n";
        std::fs::write(dir.path().join("modules.dep"), dep).unwrap();
        std::fs::write(dir.path().join("modules.builtin"), "kernel/fs/ext4/ext4.ko\n").unwrap();
        let files = closure(dir.path(), &["virtio_pci", "ext4", "virtio_console"]).unwrap();
        let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["virtio.ko", "virtio_ring.ko", "virtio-pci.ko", "virtio_console.ko"]);
        assert!(closure(dir.path(), &["erofs"]).unwrap_err().to_string().contains("no module erofs"));
    }
}
