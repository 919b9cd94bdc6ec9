// SPDX-License-Identifier: MIT OR Apache-2.0
//! Build directories that outlive a run, so that `make` compiles only what changed.
//!
//! `make` goes by time stamps. It takes an object for finished that belongs to other sources, whose files carry their
//! packager's dates, and one that a killed compiler left half written. A record beside the directory says that
//! neither can be in it.

use std::path::{Path, PathBuf};

use crate::files;

/// Runs `make` on `home/build`, which is emptied before unless the last `make` there ended by itself, well or not, and
/// was made from the same `origin`.
pub(super) fn make<T>(
    home: &Path,
    origin: &str,
    make: impl FnOnce(&Path) -> miette::Result<T>,
) -> miette::Result<T> {
    let build = build_dir(home);
    let record = home.join("build-of");
    if files::read(&record).ok().as_deref() != Some(origin) {
        files::fresh_dir(&build)?;
    }
    files::remove(&record)?;
    files::make_dir(&build)?;
    let made = make(&build);
    files::write(&record, origin)?;
    made
}

/// The build directory below `home`.
pub(super) fn build_dir(home: &Path) -> PathBuf {
    home.join("build")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds one object named `object`; returns the objects that were there.
    fn compile(home: &Path, origin: &str, object: &str) -> Vec<PathBuf> {
        make(home, origin, |build| {
            let before = files::walk(build)?;
            files::write(&build.join(object), "")?;
            Ok(before)
        })
        .unwrap()
    }

    #[test]
    fn objects_of_other_sources_are_thrown_away() {
        let home = tempfile::tempdir().unwrap();
        // What an unknown build left is nobody's.
        files::write(&home.path().join("build/old.o"), "").unwrap();
        assert!(compile(home.path(), "7.3.4", "a.o").is_empty());
        assert_eq!(compile(home.path(), "7.3.4", "b.o"), [PathBuf::from("a.o")]);
        assert!(compile(home.path(), "7.3.5", "a.o").is_empty());
    }

    #[test]
    fn objects_of_a_killed_make_are_thrown_away_and_those_of_a_failed_one_are_kept() {
        let home = tempfile::tempdir().unwrap();
        compile(home.path(), "7.3.4", "a.o");
        let failed =
            make(home.path(), "7.3.4", |_| -> miette::Result<()> { miette::bail!("a typing error") });
        assert_eq!(failed.unwrap_err().to_string(), "a typing error");
        assert_eq!(compile(home.path(), "7.3.4", "b.o"), [PathBuf::from("a.o")]);
        // A panic leaves the record as a kill does: not written.
        let kill = || make(home.path(), "7.3.4", |_| -> miette::Result<()> { panic!("killed") });
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(kill)).unwrap_err();
        assert!(compile(home.path(), "7.3.4", "a.o").is_empty());
    }
}
