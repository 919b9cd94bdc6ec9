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
    /// Takes what a build needs for itself: the build outputs, then the cache, which several clones share.
    pub(crate) fn for_build(ctx: &Ctx) -> miette::Result<[Self; 2]> {
        Ok([Self::take(&ctx.target)?, Self::take(&ctx.cache)?])
    }

    /// Takes the lock of `dir`, waiting for another build if one has it.
    fn take(dir: &Path) -> miette::Result<Self> {
        let path = dir.join(".build-lock");
        files::make_dir(dir)?;
        let open = File::options().create(true).append(true).open(&path);
        let file = open.into_diagnostic().wrap_err_with(|| format!("cannot open {}", path.display()))?;
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

    #[test]
    fn builds_of_one_clone_and_of_two_that_share_a_cache_wait_for_each_other() {
        let dir = tempfile::tempdir().unwrap();
        for other in ["one", "two"] {
            let held = Lock::for_build(&clone_of(dir.path(), "one")).unwrap();
            let other = clone_of(dir.path(), other);
            let (sender, taken) = channel();
            let waits = std::thread::spawn(move || sender.send(Lock::for_build(&other).map(drop)));
            let early = taken.recv_timeout(Duration::from_millis(200));
            assert!(matches!(early, Err(RecvTimeoutError::Timeout)), "{early:?}");
            drop(held);
            taken.recv_timeout(Duration::from_secs(10)).unwrap().unwrap();
            waits.join().unwrap().unwrap();
        }
    }
}
