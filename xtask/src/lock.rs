// SPDX-License-Identifier: MIT OR Apache-2.0
//! One build at a time per directory that builds write to.

use std::fs::File;
use std::path::Path;

use miette::{IntoDiagnostic as _, WrapErr as _};
use rustix::fs::{flock, FlockOperation};
use rustix::io::Errno;

use crate::ctx::Ctx;
use crate::files;

/// Held as long as the value lives; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the build outputs of this clone, for a whole build.
    pub(crate) fn of_outputs(ctx: &Ctx) -> miette::Result<Self> {
        Self::take(&ctx.target)
    }

    /// Takes one folder of the cache, which several clones share, for as long as something is fetched into it.
    pub(crate) fn of_cache(ctx: &Ctx, folder: &str) -> miette::Result<Self> {
        Self::take(&ctx.cache.join(folder))
    }

    /// Takes the folder of a guest's disks, which one run at a time may write to.
    ///
    /// # Errors
    /// Another run has it: a guest may be on for days, so nobody waits for it.
    pub(crate) fn of_guest(dir: &Path) -> miette::Result<Self> {
        // Beside the folder, which a scenario empties.
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let path = dir.with_file_name(format!(".{name}.lock"));
        let file = open(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(miette::miette!(
                help = "end that run, or use another clone of the repository",
                "another run uses the guest's disks in {}",
                dir.display()
            )),
            other => other.into_diagnostic().wrap_err_with(|| format!("cannot lock {}", path.display())),
        }?;
        Ok(Self { _file: file })
    }

    /// Takes the lock of `dir`, waiting for another build if one has it.
    fn take(dir: &Path) -> miette::Result<Self> {
        let path = dir.join(".build-lock");
        let file = open(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {
                eprintln!("waiting for another build to leave {}", dir.display());
                flock(&file, FlockOperation::LockExclusive)
            }
            other => other,
        }
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot lock {}", path.display()))?;
        Ok(Self { _file: file })
    }
}

/// Opens a lock's file, whose folder is made.
fn open(path: &Path) -> miette::Result<File> {
    path.parent().map_or(Ok(()), files::make_dir)?;
    let file = File::options().create(true).append(true).open(path);
    file.into_diagnostic().wrap_err_with(|| format!("cannot open {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{channel, RecvTimeoutError};
    use std::time::Duration;

    use super::*;

    fn clone_of(dir: &Path, name: &str) -> Ctx {
        let root = dir.join(name);
        Ctx {
            target: root.join("target"),
            root,
            cache: dir.join("cache"),
            jobs: 1,
            offline: true,
            locked: false,
            dry_run: None,
            mirror: None,
        }
    }

    /// Asserts that `second` is granted when `first` is let go of, and not before.
    fn waits(first: Lock, second: impl FnOnce() -> miette::Result<Lock> + Send + 'static) {
        let (sender, taken) = channel();
        std::thread::spawn(move || sender.send(second().map(drop)));
        let early = taken.recv_timeout(Duration::from_millis(200));
        assert!(matches!(early, Err(RecvTimeoutError::Timeout)), "{early:?}");
        drop(first);
        taken.recv_timeout(Duration::from_secs(10)).unwrap().unwrap();
    }

    #[test]
    fn builds_of_one_clone_wait_for_each_other_and_two_clones_in_the_cache_only() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (clone_of(dir.path(), "one"), clone_of(dir.path(), "two"));
        let outputs = Lock::of_outputs(&one).unwrap();
        let tools = Lock::of_cache(&one, "tools").unwrap();
        drop((Lock::of_outputs(&two).unwrap(), Lock::of_cache(&two, "packages").unwrap()));
        waits(tools, move || Lock::of_cache(&two, "tools"));
        waits(outputs, move || Lock::of_outputs(&one));
    }

    #[test]
    fn a_guests_disks_belong_to_one_run_even_if_it_empties_their_folder() {
        let dir = tempfile::tempdir().unwrap();
        let disks = dir.path().join("vm/board-release");
        let first = Lock::of_guest(&disks).unwrap();
        files::fresh_dir(&disks).unwrap();
        let refused = Lock::of_guest(&disks).unwrap_err().to_string();
        assert!(refused.ends_with("vm/board-release"), "{refused}");
        let _other = Lock::of_guest(&dir.path().join("vm/board-debug")).unwrap();
        drop(first);
        Lock::of_guest(&disks).unwrap();
    }
}
