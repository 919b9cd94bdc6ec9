// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a guest left on its disks, read from outside while it is off.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use miette::{miette, Context as _, IntoDiagnostic as _};

use crate::enter::TreeCommand;
use crate::guest::firmware;

/// A place on a disk.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The disk's file.
    pub(super) disk: &'a Path,
    /// A partition by name; the whole disk without one.
    pub(super) partition: Option<&'a str>,
    /// A file on the partition's ext4; the partition itself without one.
    pub(super) file: Option<&'a str>,
}

/// Compares `length` bytes from `offset` at `place` with `text` over and over; the difference is the error.
pub(super) fn compare(
    tree: &Path,
    place: &Place<'_>,
    (offset, length): (u64, u64),
    text: &str,
    dir: &Path,
) -> miette::Result<()> {
    let (path, start) = locate(tree, place, dir)?;
    let start = start + offset;
    let mut found = Vec::new();
    File::open(&path)
        .and_then(|mut file| file.seek(SeekFrom::Start(start)).map(|_| file))
        .and_then(|file| file.take(length).read_to_end(&mut found))
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot read {}", path.display()))?;
    differs(&found, text.as_bytes(), length)
}

/// The file that has the bytes at `place`, and where in it they begin.
pub(super) fn locate(tree: &Path, place: &Place<'_>, dir: &Path) -> miette::Result<(PathBuf, u64)> {
    let partition = match place.partition {
        Some(wanted) => firmware::partition(tree, place.disk, |name, _| name == wanted)
            .wrap_err_with(|| format!("looking for the partition `{wanted}`"))?,
        None => 0,
    };
    Ok(match place.file {
        Some(file) => (dump(tree, place.disk, partition, file, dir)?, 0),
        None => (place.disk.to_owned(), partition),
    })
}

/// Copies `file` out of the ext4 at `partition` bytes into `disk`.
fn dump(tree: &Path, disk: &Path, partition: u64, file: &str, dir: &Path) -> miette::Result<PathBuf> {
    let copy = dir.join("outside.bin");
    if file.contains('"') {
        return Err(miette!("the file name {file} has a quote, which debugfs cannot carry"));
    }
    File::create(&copy).into_diagnostic().wrap_err_with(|| format!("cannot write {}", copy.display()))?;
    // A file system that was not unmounted has its latest state in the journal, which debugfs does not replay.
    let command = TreeCommand::new(tree, "debugfs")
        .args(["-R", &format!("dump \"{file}\" /copy"), &format!("/disk?offset={partition}")])
        .bind_ro(disk, "/disk")
        .bind_rw(&copy, "/copy");
    let output =
        command.to_command().output().into_diagnostic().wrap_err("cannot run debugfs in the tools tree")?;
    let said = String::from_utf8_lossy(&output.stderr);
    // debugfs ends with success whatever became of its request.
    if !output.status.success() || said.contains("File not found") || said.contains("Bad magic") {
        return Err(miette!("debugfs cannot read {file}: {}", said.trim_end()));
    }
    Ok(copy)
}

/// The first place where `found` is not `length` bytes of `text` over and over.
fn differs(found: &[u8], text: &[u8], length: u64) -> miette::Result<()> {
    if text.is_empty() || length == 0 {
        return Err(miette!("there is nothing to compare with"));
    }
    if found.len() as u64 != length {
        return Err(miette!("only {} of {length} bytes are there", found.len()));
    }
    match found.iter().zip(text.iter().cycle()).position(|(found, wanted)| found != wanted) {
        None => Ok(()),
        Some(at) => {
            let shown = String::from_utf8_lossy(&found[at..found.len().min(at + 16)]).into_owned();
            Err(miette!("byte {at} differs from the pattern; there stands {shown:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_compared_byte_by_byte() {
        assert!(differs(b"abcab", b"abc", 5).is_ok());
        assert!(differs(b"abcaX", b"abc", 5).unwrap_err().to_string().contains("byte 4"));
        assert!(differs(b"abc", b"abc", 5).unwrap_err().to_string().contains("only 3 of 5"));
        assert!(differs(b"", b"", 0).is_err(), "comparing nothing is no proof");
    }
}
