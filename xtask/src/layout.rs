// SPDX-License-Identifier: MIT OR Apache-2.0
//! The files of a root file system, each with the source that put it there, and their archive.
//!
//! `/bin`, `/sbin`, `/lib` and `/lib64` are links into `/usr`; whatever is put below them lands there.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cpio::newc::{self, ModeFileType};
use miette::{IntoDiagnostic as _, WrapErr as _};

use crate::files;

/// The links that make one tree of two.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Directory { mode: u32 },
    File { mode: u32, from: PathBuf },
    Text { mode: u32, bytes: Vec<u8> },
    Link { target: String },
    CharDevice { mode: u32, major: u32, minor: u32 },
}

#[derive(Debug, Clone)]
struct Entry {
    kind: Kind,
    source: String,
}

/// A root file system being put together. Paths have no leading slash.
#[derive(Debug, Default)]
pub(crate) struct Layout(BTreeMap<String, Entry>);

impl Layout {
    /// An empty root with the links of a merged `/usr`.
    pub(crate) fn new() -> miette::Result<Self> {
        let mut layout = Self::default();
        for dir in MERGED {
            layout.put_raw(dir.to_owned(), Kind::Link { target: format!("usr/{dir}") }, "the merged /usr")?;
            layout.directory(&format!("usr/{dir}"), 0o755, "the merged /usr")?;
        }
        Ok(layout)
    }

    /// Adds a directory; a second source may ask for the same one.
    pub(crate) fn directory(&mut self, path: &str, mode: u32, source: &str) -> miette::Result<()> {
        self.put(path, Kind::Directory { mode }, source)
    }

    /// Adds a file whose content is `bytes`.
    pub(crate) fn text(&mut self, path: &str, bytes: impl Into<Vec<u8>>, source: &str) -> miette::Result<()> {
        self.put(path, Kind::Text { mode: 0o644, bytes: bytes.into() }, source)
    }

    /// Adds the file `from` with the permissions of a file of the repository.
    pub(crate) fn file(&mut self, path: &str, from: &Path, source: &str) -> miette::Result<()> {
        self.file_with(path, from, files::image_mode, source)
    }

    fn file_with(
        &mut self,
        path: &str,
        from: &Path,
        mode: impl Fn(&fs::Metadata) -> u32,
        source: &str,
    ) -> miette::Result<()> {
        let meta = fs::metadata(from)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot read {}", from.display()))?;
        self.put(path, Kind::File { mode: mode(&meta), from: from.to_owned() }, source)
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str, source: &str) -> miette::Result<()> {
        self.put(path, Kind::Link { target: target.to_owned() }, source)
    }

    /// Adds a character device.
    pub(crate) fn char_device(
        &mut self,
        path: &str,
        major: u32,
        minor: u32,
        source: &str,
    ) -> miette::Result<()> {
        self.put(path, Kind::CharDevice { mode: 0o600, major, minor }, source)
    }

    /// Adds everything below the folder `dir` of the repository.
    pub(crate) fn overlay(&mut self, dir: &Path, source: &str) -> miette::Result<()> {
        self.tree(dir, files::image_mode, source)
    }

    /// Adds everything below the folder `dir`, whose files were unpacked with the permissions that they are to have.
    pub(crate) fn unpacked(&mut self, dir: &Path, source: &str) -> miette::Result<()> {
        self.tree(dir, |meta| meta.mode() & 0o7777, source)
    }

    fn tree(&mut self, dir: &Path, mode: impl Fn(&fs::Metadata) -> u32, source: &str) -> miette::Result<()> {
        for path in files::walk(dir)? {
            let from = dir.join(&path);
            let name =
                path.to_str().ok_or_else(|| miette::miette!("{}: its name is no UTF-8", from.display()))?;
            if from.is_symlink() {
                let target = fs::read_link(&from).into_diagnostic()?;
                self.link(name, &target.to_string_lossy(), source)?;
            } else {
                self.file_with(name, &from, &mode, source)?;
            }
        }
        Ok(())
    }

    /// True if something stands at `path` already.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains_key(&merged(path))
    }

    /// Every path but the directories, with the source that put it there, sorted.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.0.iter().filter(|(_, entry)| !matches!(entry.kind, Kind::Directory { .. }));
        files.map(|(path, entry)| (path.as_str(), entry.source.as_str()))
    }

    fn put(&mut self, path: &str, kind: Kind, source: &str) -> miette::Result<()> {
        let path = merged(path.trim_matches('/'));
        let parents: Vec<_> = path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect();
        for parent in parents {
            self.put_raw(parent, Kind::Directory { mode: 0o755 }, source)?;
        }
        self.put_raw(path, kind, source)
    }

    fn put_raw(&mut self, path: String, kind: Kind, source: &str) -> miette::Result<()> {
        let Some(there) = self.0.get_mut(&path) else {
            self.0.insert(path, Entry { kind, source: source.to_owned() });
            return Ok(());
        };
        match (&mut there.kind, kind) {
            // A parent that was only implied takes the mode that is asked for; 0755 asks for nothing.
            (Kind::Directory { mode: old }, Kind::Directory { mode }) if *old == 0o755 || mode == 0o755 => {
                *old = if mode == 0o755 { *old } else { mode };
                Ok(())
            }
            (old, new) if *old == new => Ok(()),
            _ => Err(miette::miette!(
                help = "take the file out of one of them",
                "two sources write /{path}: {} and {source}",
                there.source
            )),
        }
    }

    /// Writes the whole as a `newc` archive: sorted, owned by root, every time stamp `mtime`.
    pub(crate) fn write_cpio(&self, mtime: u32, out: impl Write) -> io::Result<()> {
        let mut out = out;
        for (index, (path, entry)) in self.0.iter().enumerate() {
            let inode = u32::try_from(index + 1).map_err(io::Error::other)?;
            out = write_entry(path, &entry.kind, inode, mtime, out)?;
        }
        newc::trailer(out)?;
        Ok(())
    }
}

fn write_entry<W: Write>(path: &str, kind: &Kind, inode: u32, mtime: u32, out: W) -> io::Result<W> {
    let builder = newc::Builder::new(path).ino(inode).mtime(mtime).uid(0).gid(0).nlink(1);
    let (builder, content) = match kind {
        Kind::Directory { mode } => {
            (builder.mode(*mode).set_mode_file_type(ModeFileType::Directory).nlink(2), vec![])
        }
        Kind::File { mode, from } => {
            (builder.mode(*mode).set_mode_file_type(ModeFileType::Regular), fs::read(from)?)
        }
        Kind::Text { mode, bytes } => {
            (builder.mode(*mode).set_mode_file_type(ModeFileType::Regular), bytes.clone())
        }
        Kind::Link { target } => {
            (builder.mode(0o777).set_mode_file_type(ModeFileType::Symlink), target.clone().into_bytes())
        }
        Kind::CharDevice { mode, major, minor } => {
            let builder = builder.mode(*mode).set_mode_file_type(ModeFileType::Char);
            (builder.rdev_major(*major).rdev_minor(*minor), vec![])
        }
    };
    let size =
        u32::try_from(content.len()).map_err(|_| io::Error::other(format!("/{path} is 4 GiB or more")))?;
    let mut writer = builder.write(out, size);
    writer.write_all(&content)?;
    writer.finish()
}

/// The path with the links of the merged `/usr` followed.
fn merged(path: &str) -> String {
    let first = path.split('/').next().unwrap_or_default();
    match MERGED.contains(&first) && path.contains('/') {
        true => format!("usr/{path}"),
        false => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let mut layout = Layout::new().unwrap();
        layout.text("etc/b", "two", "overlay").unwrap();
        layout.text("/etc/a", "one", "overlay").unwrap();
        layout.link("bin/sh", "busybox", "busybox").unwrap();
        layout.directory("root", 0o700, "standard").unwrap();
        layout.char_device("dev/console", 5, 1, "standard").unwrap();
        layout
    }

    fn archive(layout: &Layout) -> Vec<u8> {
        let mut bytes = Vec::new();
        layout.write_cpio(1_794_700_800, &mut bytes).unwrap();
        bytes
    }

    /// Name, mode, owner, device and content of every entry, as another program reads them.
    fn listed(mut bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut reader = newc::Reader::new(bytes).unwrap();
            if reader.entry().is_trailer() {
                return lines;
            }
            let mut content = String::new();
            io::Read::read_to_string(&mut reader, &mut content).unwrap();
            let e = reader.entry();
            assert_eq!((e.uid(), e.gid(), e.mtime()), (0, 0, 1_794_700_800));
            lines.push(format!(
                "{} {:o} {},{} {content}",
                e.name(),
                e.mode(),
                e.rdev_major(),
                e.rdev_minor()
            ));
            bytes = reader.finish().unwrap();
        }
    }

    #[test]
    fn the_archive_is_sorted_and_complete() {
        let expected = "bin 120777 0,0 usr/bin
dev 40755 0,0 
dev/console 20600 5,1 
etc 40755 0,0 
etc/a 100644 0,0 one
etc/b 100644 0,0 two
lib 120777 0,0 usr/lib
lib64 120777 0,0 usr/lib64
root 40700 0,0 
sbin 120777 0,0 usr/sbin
usr 40755 0,0 
usr/bin 40755 0,0 
usr/bin/sh 120777 0,0 busybox
usr/lib 40755 0,0 
usr/lib64 40755 0,0 
usr/sbin 40755 0,0 ";
        assert_eq!(listed(&archive(&layout())).join("\n"), expected);
    }

    #[test]
    fn permissions_are_the_packagers_or_those_that_git_knows() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        for mode in [0o600u32, 0o640, 0o664, 0o700, 0o775, 0o4755] {
            let path = dir.path().join(format!("{mode:04o}"));
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let modes = |layout: &Layout| {
            let mode = |entry: &Entry| match entry.kind {
                Kind::File { mode, .. } => format!("{mode:04o}"),
                _ => "not a file".into(),
            };
            layout.0.values().map(mode).collect::<Vec<_>>().join(" ")
        };
        let (mut overlay, mut unpacked) = (Layout::default(), Layout::default());
        overlay.overlay(dir.path(), "overlay").unwrap();
        unpacked.unpacked(dir.path(), "packages").unwrap();
        assert_eq!(modes(&overlay), "0600 0644 0644 0700 0755 4755");
        assert_eq!(modes(&unpacked), "0600 0640 0664 0700 0775 4755");
    }

    #[test]
    fn the_order_of_sources_does_not_show() {
        let mut other = Layout::default();
        let whole = layout();
        for (path, entry) in whole.0.iter().rev() {
            other.put_raw(path.clone(), entry.kind.clone(), "another").unwrap();
        }
        assert_eq!(archive(&whole), archive(&other));
    }

    #[test]
    fn two_sources_of_one_path_are_both_named() {
        let mut layout = layout();
        let error = layout.text("etc/a", "other", "board overlay").unwrap_err().to_string();
        assert_eq!(error, "two sources write /etc/a: overlay and board overlay");
        let error = layout.text("usr/bin/sh", "", "package dash").unwrap_err().to_string();
        assert_eq!(error, "two sources write /usr/bin/sh: busybox and package dash");
        let error = layout.text("etc/a/below", "", "package x").unwrap_err().to_string();
        assert_eq!(error, "two sources write /etc/a: overlay and package x");
        layout.text("etc/a", "one", "the same content is no conflict").unwrap();
    }
}
