// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files: their digests, lists of them in a fixed order, and writing so that no reader ever sees half of one.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic as _, WrapErr as _};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of some bytes, in hexadecimal.
pub(crate) fn digest(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of a file's content, in hexadecimal.
pub(crate) fn digest_file(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Everything below `dir` that is not a directory, as sorted paths relative to `dir`.
///
/// # Errors
/// Fails where a directory cannot be read; a missing `dir` is such a case.
pub(crate) fn walk(dir: &Path) -> miette::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    walk_into(dir, Path::new(""), &mut found)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot list the files below {}", dir.display()))?;
    found.sort();
    Ok(found)
}

fn walk_into(root: &Path, below: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            walk_into(root, &path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// The permissions that a file of the repository has in an image: git knows "executable" and nothing else, and what
/// group and others may do depends on whoever cloned. A file that only its owner may read stays that, and special bits
/// stay.
pub(crate) fn image_mode(meta: &fs::Metadata) -> u32 {
    let mode = meta.mode();
    let plain = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
    let private = if mode & 0o077 == 0 { 0o700 } else { 0o777 };
    plain & private | mode & 0o7000
}

/// Reads a text file; the error names it.
pub(crate) fn read(path: &Path) -> miette::Result<String> {
    fs::read_to_string(path).into_diagnostic().wrap_err_with(|| format!("cannot read {}", path.display()))
}

/// Makes a directory with its parents; the error names it.
pub(crate) fn make_dir(path: &Path) -> miette::Result<()> {
    fs::create_dir_all(path).into_diagnostic().wrap_err_with(|| format!("cannot make {}", path.display()))
}

/// Makes an empty directory, removing whatever stood there.
pub(crate) fn fresh_dir(path: &Path) -> miette::Result<()> {
    remove(path)?;
    make_dir(path)
}

/// Removes a file or a directory with all below it; that there is none is no error.
pub(crate) fn remove(path: &Path) -> miette::Result<()> {
    let gone = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match gone {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).into_diagnostic().wrap_err_with(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file aside and renames it, so that a reader sees the old content or all of the new.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> miette::Result<()> {
    let aside = partial(path);
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    fs::write(&aside, content)
        .and_then(|()| fs::rename(&aside, path))
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", path.display()))
}

/// Copies a file's content and permissions to `to`, whose folder is made.
pub(crate) fn copy(from: &Path, to: &Path) -> miette::Result<()> {
    if let Some(parent) = to.parent() {
        make_dir(parent)?;
    }
    fs::copy(from, to)
        .map(drop)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Puts a finished directory or file in the place of an older one.
pub(crate) fn replace(finished: &Path, place: &Path) -> miette::Result<()> {
    if finished.is_dir() {
        remove(place)?;
    }
    fs::rename(finished, place)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot rename {} to {}", finished.display(), place.display()))
}

/// The name beside `path` under which its successor is made.
pub(crate) fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}
