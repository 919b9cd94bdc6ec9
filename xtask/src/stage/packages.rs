// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian packages for an image, with everything they need.
//!
//! apt resolves the dependencies against the snapshot of the mirror that the tools tree was made from, as if
//! nothing were installed. Packages whose role the image fills itself are left out, and so is what nobody reads on
//! an appliance, but for the licences. A shared library is carried only if some carried file asks for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic as _, WrapErr as _};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

use super::archives;
use super::tools::ToolsTree;
use crate::ctx::Ctx;
use crate::debian::Packages;
use crate::files;
use crate::sources::Sources;
use crate::stamp::{Inputs, Stamp, StampFile};
use crate::step::{self, Step};

/// Packages whose role busybox or the image's own files fill.
const FILLED: [&str; 26] = [
    "base-files",
    "base-passwd",
    "bash",
    "bsdutils",
    "coreutils",
    "cdebconf",
    "dash",
    "debconf",
    "debianutils",
    "diffutils",
    "dpkg",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "init-system-helpers",
    "libc-bin",
    "login",
    "mount",
    "ncurses-bin",
    "passwd",
    "sed",
    "sysvinit-utils",
    "tar",
    "util-linux",
    "lsb-base",
];

/// The folder with one folder per package, for people.
const DOCUMENTATION: &str = "usr/share/doc";

/// Folders of a package that nothing on an appliance reads.
const UNREAD: [&str; 8] = [
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/locale/",
    "usr/share/lintian/",
    "usr/share/bash-completion/",
    "usr/share/bug/",
    "usr/share/zsh/",
    "usr/lib/x86_64-linux-gnu/gconv/",
];

/// The folder that holds shared libraries and nothing else by that name.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// Unpacked packages.
#[derive(Debug)]
pub(crate) struct Unpacked {
    dir: PathBuf,
    packages: Packages,
    stamp: Stamp,
}

impl Unpacked {
    /// The files, laid out as below `/`.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was unpacked.
    pub(crate) fn packages(&self) -> &Packages {
        &self.packages
    }

    /// The record of the unpacking.
    pub(crate) fn stamp(&self) -> &Stamp {
        &self.stamp
    }
}

/// Unpacks `names` and what they need. The same set of names is unpacked once, whoever asks for it.
pub(crate) fn build(
    ctx: &Ctx,
    sources: &Sources,
    tools: &ToolsTree,
    names: &[String],
) -> miette::Result<Unpacked> {
    let mut names = names.to_vec();
    names.sort();
    names.dedup();
    let mut inputs = Inputs::new();
    inputs.text("the stage's code", concat!(include_str!("packages.rs"), include_str!("archives.rs")));
    inputs.value("package names", names.join(" "));
    inputs.text("tools tree", tools.packages().to_text());
    let id = files::digest(names.join(" "));
    let home = ctx.target.join("packages").join(&id[..12]);
    let stamp = StampFile::new(home.join("stamp.json"), &home);
    let stamp = step::stage(ctx, "packages", &stamp, &inputs, |step| {
        files::make_dir(&home)?;
        let aside = home.join("root.partial");
        files::fresh_dir(&aside)?;
        let carried = |name: &str| is_carried(name, &names);
        let archives = match names.is_empty() {
            true => Vec::new(),
            false => archives::fetch(ctx, sources, tools, step, &names, carried)?,
        };
        let mut used = String::new();
        let mut asked_for = BTreeSet::new();
        for archive in &archives {
            let paths = unpack(tools, step, &archive.path, &aside)?;
            if names.contains(&archive.name) {
                asked_for.extend(paths);
            }
            let sha256 = files::digest_file(&archive.path).into_diagnostic()?;
            used += &format!("{} {} {sha256}\n", archive.name, archive.version);
        }
        prune(&aside, &asked_for)?;
        files::write(&home.join("packages"), used)?;
        files::replace(&aside, &home.join("root"))?;
        let unpacked = files::walk(&home.join("root"))?.into_iter().map(|path| Path::new("root").join(path));
        Ok(unpacked.chain([PathBuf::from("packages")]).collect())
    })?;
    let packages = Packages::read(&home.join("packages"))?;
    Ok(Unpacked { dir: home.join("root"), packages, stamp })
}

/// The image fills the role of some packages, unless the board asks for one of these by its name.
fn is_carried(name: &str, asked_for: &[String]) -> bool {
    !FILLED.contains(&name) || asked_for.iter().any(|asked| asked == name)
}

/// Unpacks one archive; returns the paths in it, relative to the root.
fn unpack(tools: &ToolsTree, step: &Step, archive: &Path, into: &Path) -> miette::Result<Vec<PathBuf>> {
    let unpack = tools.command("dpkg-deb").bind_ro(archive, "/in.deb").bind_rw(into, "/out");
    let listed = step.read(&unpack.superuser().args(["--vextract", "/in.deb", "/out"]))?;
    Ok(listed.lines().map(|line| line.trim_start_matches("./").into()).collect())
}

/// Takes out what nobody reads, and every shared library that nothing asks for and that is not one of `asked_for`.
fn prune(root: &Path, asked_for: &BTreeSet<PathBuf>) -> miette::Result<()> {
    let files_of_root = files::walk(root)?;
    let unread = |path: &&PathBuf| {
        UNREAD.iter().any(|folder| path.starts_with(folder)) && !is_licence(&root.join(path))
    };
    for path in files_of_root.iter().filter(unread) {
        files::remove(&root.join(path))?;
    }
    let carried: Vec<_> = files_of_root.iter().filter(|path| !unread(path)).collect();
    let (libraries, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
        carried.into_iter().partition(|path| is_library(path) && !asked_for.contains(*path));
    let needed = needed_libraries(root, &others, &libraries)?;
    for path in libraries.iter().filter(|path| !needed.contains(path.as_path())) {
        files::remove(&root.join(path))?;
    }
    Ok(())
}

/// What a package's licence demands that copies of it come with: its `copyright`, or a link to another package's folder.
fn is_licence(path: &Path) -> bool {
    let in_folder = |folder: Option<&Path>| folder.is_some_and(|folder| folder.ends_with(DOCUMENTATION));
    match path.is_symlink() {
        true => in_folder(path.parent()),
        false => path.ends_with("copyright") && in_folder(path.parent().and_then(Path::parent)),
    }
}

/// A shared library, or a link to one, directly in the folder of libraries.
fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.parent() == Some(Path::new(LIBRARIES)) && (name.ends_with(".so") || name.contains(".so."))
}

/// The libraries that `users` ask for, and those that these ask for, with the links on the way.
fn needed_libraries(
    root: &Path,
    users: &[&PathBuf],
    libraries: &[&PathBuf],
) -> miette::Result<BTreeSet<PathBuf>> {
    let by_name: BTreeMap<_, _> =
        libraries.iter().filter_map(|path| Some((path.file_name()?.to_owned(), (*path).clone()))).collect();
    let mut needed = BTreeSet::new();
    let mut open: VecDeque<PathBuf> = users.iter().map(|path| (*path).clone()).collect();
    while let Some(path) = open.pop_front() {
        let full = root.join(&path);
        let meta = fs::symlink_metadata(&full).into_diagnostic()?;
        let mut asked: Vec<std::ffi::OsString> = match meta.is_symlink() {
            true => fs::read_link(&full).into_diagnostic()?.file_name().map(Into::into).into_iter().collect(),
            false => asks_for(&full)?.into_iter().map(Into::into).collect(),
        };
        // The C library loads this one when a thread is cancelled or exits, without naming it in its header.
        if path.file_name() == Some("libc.so.6".as_ref()) {
            asked.push("libgcc_s.so.1".into());
        }
        let found = asked.iter().filter_map(|name| by_name.get(name));
        for library in found.filter(|library| !needed.contains(*library)).cloned().collect::<Vec<_>>() {
            open.push_back(library.clone());
            needed.insert(library);
        }
    }
    Ok(needed)
}

/// The libraries and the interpreter that an ELF file names; nothing for any other file.
fn asks_for(path: &Path) -> miette::Result<Vec<String>> {
    let bytes =
        fs::read(path).into_diagnostic().wrap_err_with(|| format!("cannot read {}", path.display()))?;
    if !bytes.starts_with(b"\x7fELF") {
        return Ok(Vec::new());
    }
    elf_needs(&bytes).into_diagnostic().wrap_err_with(|| format!("{} is a damaged program", path.display()))
}

fn elf_needs(bytes: &[u8]) -> object::Result<Vec<String>> {
    type Header = object::elf::FileHeader64<object::Endianness>;
    let header = Header::parse(bytes)?;
    let endian = header.endian()?;
    let mut names = Vec::new();
    let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    for segment in header.program_headers(endian, bytes)? {
        if let Some(interpreter) = segment.interpreter(endian, bytes)? {
            names.extend(
                Path::new(&text(interpreter)).file_name().map(|name| name.to_string_lossy().into_owned()),
            );
        }
    }
    let sections = header.sections(endian, bytes)?;
    if let Some((entries, link)) = sections.dynamic(endian, bytes)? {
        let strings = sections.strings(endian, bytes, link)?;
        for entry in entries.iter().filter(|entry| entry.tag32(endian) == Some(object::elf::DT_NEEDED)) {
            names.push(text(entry.string(endian, strings)?));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_asks_for_its_libraries() {
        let own = std::env::current_exe().unwrap();
        let asked = asks_for(&own).unwrap();
        assert!(asked.contains(&"libc.so.6".to_owned()), "{asked:?}");
        assert!(asked.iter().any(|name| name.starts_with("ld-")), "the interpreter: {asked:?}");
    }

    #[test]
    fn a_package_that_the_image_fills_in_for_is_carried_if_it_is_asked_for() {
        let names = ["sg3-utils".to_owned(), "util-linux".to_owned()];
        assert!(is_carried("util-linux", &names) && is_carried("libc6", &names));
        assert!(!is_carried("bash", &names));
    }

    #[test]
    fn only_libraries_that_something_asks_for_stay() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let folder = root.join(LIBRARIES);
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        fs::create_dir_all(root.join("usr/share/doc/x")).unwrap();
        fs::copy(std::env::current_exe().unwrap(), root.join("usr/bin/x")).unwrap();
        for name in ["copyright", "changelog.gz"] {
            fs::write(root.join("usr/share/doc/x").join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("x", root.join("usr/share/doc/y")).unwrap();
        for name in ["libc.so.6.1", "libgcc_s.so.1", "libunused.so.1", "libwanted.so.1"] {
            fs::write(folder.join(name), "no ELF").unwrap();
        }
        std::os::unix::fs::symlink("libc.so.6.1", folder.join("libc.so.6")).unwrap();
        prune(root, &BTreeSet::from([Path::new(LIBRARIES).join("libwanted.so.1")])).unwrap();
        let left: Vec<_> = files::walk(root).unwrap().iter().map(|p| p.display().to_string()).collect();
        let libraries = ["libc.so.6", "libc.so.6.1", "libgcc_s.so.1", "libwanted.so.1"];
        assert_eq!(left[0], "usr/bin/x");
        assert_eq!(left[1..5], libraries.map(|name| format!("{LIBRARIES}/{name}")));
        assert_eq!(left[5..], ["usr/share/doc/x/copyright", "usr/share/doc/y"]);
    }

    #[test]
    fn the_c_library_brings_what_it_loads_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let library = |name: &str| Path::new(LIBRARIES).join(name);
        for name in ["libc.so.6", "libgcc_s.so.1"] {
            files::write(&dir.path().join(library(name)), "no ELF").unwrap();
        }
        fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
        std::os::unix::fs::symlink("../lib/libc.so.6", dir.path().join("usr/bin/user")).unwrap();
        prune(dir.path(), &BTreeSet::new()).unwrap();
        let left = files::walk(dir.path()).unwrap();
        assert_eq!(left[1..], [library("libc.so.6"), library("libgcc_s.so.1")]);
        fs::remove_file(dir.path().join("usr/bin/user")).unwrap();
        prune(dir.path(), &BTreeSet::new()).unwrap();
        assert!(files::walk(dir.path()).unwrap().is_empty());
    }
}
