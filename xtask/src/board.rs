// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the name that a user typed to a checked board.

use std::fs;
use std::path::{Path, PathBuf};

use board_profile::{Loader, Source};
use miette::IntoDiagnostic as _;

use crate::ctx::Ctx;

/// A checked board, and where the files that it names stand.
#[derive(Debug)]
pub(crate) struct Board {
    profile: board_profile::Board,
    /// The profile's own folder, then the one of what it may inherit.
    folders: [PathBuf; 2],
    root: PathBuf,
}

impl std::ops::Deref for Board {
    type Target = board_profile::Board;

    fn deref(&self) -> &board_profile::Board {
        &self.profile
    }
}

impl Board {
    /// The file or folder that the profile, or one that it inherits, calls `relative`.
    pub(crate) fn own(&self, relative: &str) -> Own {
        let [mine, shared] = self.folders.each_ref().map(|folder| folder.join(relative));
        let path = if !mine.exists() && shared.exists() { shared } else { mine };
        let name = path.strip_prefix(&self.root).unwrap_or(&path).display().to_string();
        Own { name, path }
    }
}

/// A file or folder that a profile names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Own {
    /// What messages call it: its path, from the repository's root if it is below.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// The profiles of the repository, and where else a name may lead.
#[derive(Debug)]
pub(crate) struct Boards {
    folder: PathBuf,
    shown_below: PathBuf,
}

impl Boards {
    /// The profiles in `board/`.
    pub(crate) fn new(ctx: &Ctx) -> Self {
        Self { folder: Self::folder(ctx), shown_below: ctx.root.clone() }
    }

    /// The folder with the repository's profiles.
    pub(crate) fn folder(ctx: &Ctx) -> PathBuf {
        ctx.root.join("board")
    }

    /// Loads the board called `name`, or the one in the file `name` if that is a path.
    pub(crate) fn load(&self, name: &str) -> miette::Result<Board> {
        let profile = board_profile::load(name, self)?;
        let path = self.path(name);
        let own = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let own = own.canonicalize().into_diagnostic()?;
        Ok(Board { profile, folders: [own, self.folder.clone()], root: self.shown_below.clone() })
    }

    /// The name of every profile that is a board of its own, rather than something to inherit.
    pub(crate) fn boards(&self) -> miette::Result<Vec<String>> {
        let mut boards = Vec::new();
        for name in self.names() {
            let text = fs::read_to_string(self.path(&name)).into_diagnostic()?;
            if board_profile::declares_board(&text) {
                boards.push(name);
            }
        }
        Ok(boards)
    }

    /// The file of the profile called `name`; a name with a slash or an ending is a path already.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        match name.contains('/') || name.ends_with(".toml") {
            true => PathBuf::from(name),
            false => self.folder.join(format!("{name}.toml")),
        }
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.shown_below).unwrap_or(path).display().to_string()
    }
}

impl Loader for Boards {
    fn load(&self, name: &str) -> Result<Source, String> {
        let path = self.path(name);
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", self.shown(&path)))?;
        Ok(Source { path: self.shown(&path), text })
    }

    fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let files = entries.filter_map(Result::ok).map(|entry| entry.path());
        let profiles = files.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
        let mut names: Vec<_> =
            profiles.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_board_stand_beside_its_profile_and_those_of_its_parent_beside_that() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let profile = "schema = 1\n[board]\nname = \"x\"\narch = \"x86_64\"\n\
                       [drivers]\nload = [\"virtio_pci\", \"virtio_blk\"]\n";
        for (path, text) in [("else/x.toml", profile), ("else/a", ""), ("board/a", ""), ("board/b", "")] {
            crate::files::write(&root.join(path), text).unwrap();
        }
        let boards = Boards { folder: root.join("board"), shown_below: root.clone() };
        let board = boards.load(root.join("else/x.toml").to_str().unwrap()).unwrap();
        let name = |relative: &str| board.own(relative).name;
        assert_eq!([name("a"), name("b"), name("c")], ["else/a", "board/b", "else/c"]);
    }
}
