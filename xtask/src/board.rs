// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the name that a user typed to a checked board.

use std::fs;
use std::path::{Path, PathBuf};

use board_profile::{Loader, Source};
use miette::IntoDiagnostic as _;

pub(crate) use board_profile::Board;

use crate::ctx::Ctx;

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

    /// The folder with the profiles, which their relative paths start from.
    pub(crate) fn folder(ctx: &Ctx) -> PathBuf {
        ctx.root.join("board")
    }

    /// Loads the board called `name`, or the one in the file `name` if that is a path.
    pub(crate) fn load(&self, name: &str) -> miette::Result<Board> {
        Ok(board_profile::load(name, self)?)
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
