// SPDX-License-Identifier: GPL-2.0-only

//! Management commands as works: whoever writes one waits for its end, but not for ever.
//!
//! A work runs on a thread of its own, so that one which waits for something slow holds up nobody else's. It acts as the
//! process that wrote the command: file names mean what they meant to the writer. A writer that has waited long enough,
//! or is killed, leaves; the work goes on, and `last_sysfs_mgmt_res` tells how it ended.
//!
//! A work may outlive the directory whose file was written, so it owns what it needs; what belongs to another module, it
//! holds by [`crate::alive`].

use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Relaxed, Release};
use kernel::sync::Arc;

use crate::kapi::caller::Caller;
use crate::kapi::done::Done;
use crate::kapi::workq::Threads;

/// Milliseconds that a writer waits.
const PATIENCE_MS: u32 = 15_000;

/// The works, and how the last one ended.
pub(crate) struct Works {
    threads: Threads,
    state: Arc<State>,
}

struct State {
    /// Works that were asked for and have not ended.
    pending: Atomic<i32>,
    /// How the last one ended: 0 or a negative errno.
    last: Atomic<i32>,
}

/// One work.
#[pin_data]
struct Job {
    #[pin]
    done: Done,
    /// Valid once it is done.
    result: Atomic<i32>,
}

impl Works {
    /// No works.
    pub(crate) fn new() -> Result<Self> {
        let state = State {
            pending: Atomic::new(0),
            last: Atomic::new(0),
        };
        Ok(Self {
            threads: Threads::new(c"scst_mgmt")?,
            state: Arc::new(state, GFP_KERNEL)?,
        })
    }

    /// Runs `command` and waits for it. `EAGAIN` where that takes too long, `ERESTARTSYS` where the caller is killed; in
    /// both cases the command goes on.
    pub(crate) fn run(&self, command: impl FnOnce() -> Result + Send + 'static) -> Result {
        let job = self.queue(command)?;
        if cfg!(scst_force_eagain) {
            return Err(EAGAIN);
        }
        job.done.wait_killable(PATIENCE_MS)?;
        kernel::error::to_result(job.result.load(Relaxed))
    }

    /// Runs `command` without waiting for it. For what removes a directory of which the caller uses a file.
    pub(crate) fn start(&self, command: impl FnOnce() -> Result + Send + 'static) -> Result {
        self.queue(command).map(|_| ())
    }

    /// How the last work ended, 0 or a negative errno. `EAGAIN` while any is under way.
    pub(crate) fn last_result(&self) -> Result<i32> {
        if self.state.pending.load(Acquire) != 0 {
            return Err(EAGAIN);
        }
        Ok(self.state.last.load(Relaxed))
    }

    /// Waits for the works that were asked for. Not to be called by one.
    pub(crate) fn drain(&self) {
        self.threads.flush();
    }

    fn queue(&self, command: impl FnOnce() -> Result + Send + 'static) -> Result<Arc<Job>> {
        let caller = Caller::current()?;
        let job = Arc::pin_init(
            try_pin_init!(Job {
                done <- Done::new(),
                result: Atomic::new(0),
            }? Error),
            GFP_KERNEL,
        )?;
        let (state, work) = (self.state.clone(), job.clone());
        self.state.pending.fetch_add(1, Relaxed);
        let queued = self
            .threads
            .spawn(move || state.end(&work, run_as(caller, command)));
        if let Err(e) = queued {
            self.state.pending.fetch_sub(1, Relaxed);
            return Err(e);
        }
        Ok(job)
    }
}

/// Runs the command as the caller. What the command owns is gone when this returns, and what the caller's paths hold: who
/// has waited for it may unmount them.
fn run_as(caller: Caller, command: impl FnOnce() -> Result) -> Result {
    let _as_caller = caller.enter();
    command()
}

impl State {
    /// Publishes the result before anybody is told that the work has ended.
    fn end(&self, job: &Job, result: Result) {
        let errno = result.err().map_or(0, |e| e.to_errno());
        self.last.store(errno, Relaxed);
        self.pending.fetch_sub(1, Release);
        job.result.store(errno, Relaxed);
        job.done.set();
    }
}
