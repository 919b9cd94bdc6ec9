// SPDX-License-Identifier: MIT OR Apache-2.0
//! One build at a time per directory that builds write to.

use std::fs::File;
use std::path::Path;

use miette::{IntoDiagnostic as _, WrapErr as _};
use rustix::fs::{flock, FlockOperation};
use rustix::io::Errno;

use crate::files;

/// Held as long as the value lives; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `dir`, waiting for another build if one has it.
    pub(crate) fn take(dir: &Path) -> miette::Result<Self> {
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
