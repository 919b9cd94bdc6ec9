// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests share: the shipped profiles, and committed files that a test compares with or writes anew.
#![allow(dead_code, reason = "each test binary uses its own part")]

use board_profile::{declares_board, Board, Problems, Source};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder with the shipped boards.
pub(crate) fn boards_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the boards' folder").to_path_buf()
}

/// A shipped profile by name.
pub(crate) fn source(name: &str) -> Result<Source, String> {
    let path = format!("board/{name}.toml");
    let text = fs::read_to_string(boards_folder().join(format!("{name}.toml")));
    text.map(|text| Source { path: path.clone(), text }).map_err(|error| format!("{path}: {error}"))
}

/// The names of all shipped boards.
pub(crate) fn shipped_names() -> Vec<String> {
    let mut names: Vec<String> = toml_files(&boards_folder())
        .into_iter()
        .filter(|path| declares_board(&fs::read_to_string(path).expect("a readable profile")))
        .map(|path| path.file_stem().expect("a file name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The TOML files in a folder, in name order.
pub(crate) fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a readable folder");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

/// Loads a shipped board.
pub(crate) fn load_shipped(name: &str) -> Result<Board, Problems> {
    board_profile::load(name, &source)
}

/// Compares text with a committed file. With UPDATE_EXPECTED=1 in the environment it writes the file instead.
pub(crate) fn compare_or_write(file: &Path, text: &str) {
    if std::env::var_os("UPDATE_EXPECTED").is_some_and(|value| value == "1") {
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder to write to");
        fs::write(file, text).expect("a file to write");
        return;
    }
    let expected = fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_EXPECTED=1 writes it", file.display()));
    assert_eq!(text, expected, "{} differs; UPDATE_EXPECTED=1 writes it anew", file.display());
}

/// A small generator of repeatable random numbers (xorshift).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}
