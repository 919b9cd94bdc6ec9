// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the running system is: `/` on the appliance, a folder with a made-up one in tests.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The folder that every absolute path of this program is below.
#[derive(Clone, Debug)]
pub(crate) struct Root(PathBuf);

impl Root {
    /// Takes `path` for `/`.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Root(path.into())
    }

    /// Where the absolute path `path` is.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }
}

/// The first line of a small file without blanks around it, if it can be read and is not empty.
pub(crate) fn first_line(path: &Path) -> Option<String> {
    let text = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_string())
}

/// Names in a folder, sorted as a person counts; none if there is no such folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_by_cached_key(|name| natural_key(name));
    names
}

/// A key that puts `lun2` before `lun10`: runs of digits compare as numbers, all else as text.
pub(crate) fn natural_key(name: &str) -> Vec<(usize, String)> {
    let mut key: Vec<(usize, String)> = Vec::new();
    let mut in_digits = None;
    for c in name.chars() {
        if in_digits != Some(c.is_ascii_digit()) {
            key.push((0, String::new()));
            in_digits = Some(c.is_ascii_digit());
        }
        if let Some((digits, run)) = key.last_mut() {
            *digits += usize::from(c.is_ascii_digit());
            run.push(c);
        }
    }
    key
}

/// Replaces a file's content so that a reader sees the old one or the new one, never a part.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let aside = path.with_extension("partial");
    let mut file = File::create(&aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_a_person() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["sda10", "sdaa", "sda2", "sdb", "10", "9"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(names(folder.path()), ["sda2", "sda10", "sdaa", "sdb", "9", "10"]);
    }
}
