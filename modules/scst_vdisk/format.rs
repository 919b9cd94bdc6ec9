// SPDX-License-Identifier: GPL-2.0-only

//! FORMAT UNIT (SBC-3 5.3): a thin disk gives all its storage back, a thick one stays as it is.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Full, Relaxed};
use kernel::sync::Arc;

use scst::command::{Admitted, Command, Outcome};
use scst::proto::cdb::{Command as Cdb, FormatUnit};
use scst::proto::format;
use scst::proto::range::ByteRange;
use scst::proto::sense::Sense;
use scst::proto::status::Status;

use crate::disk::Disk;
use crate::operation::{Medium, Operation};
use crate::store::{finish, Store};

/// Bytes that are given back between two looks at the progress.
const STEP: u64 = 256 << 20;

/// How far a format has come.
pub(crate) struct Progress(Atomic<u32>);

/// No format is running; otherwise the number is by one more than the 65536ths that are done.
const IDLE: u32 = 0;

/// None is running, and the last one failed, whose command had been answered before.
const FAILED: u32 = u32::MAX;

impl Progress {
    /// Of a disk that is not being formatted.
    pub(crate) fn new() -> Self {
        Self(Atomic::new(IDLE))
    }

    /// Commands have to be told something. Any context.
    #[inline]
    fn is_to_be_told(&self) -> bool {
        self.0.load(Relaxed) != IDLE
    }

    /// What commands are told while a format is running (SBC-3 4.33), and after one that failed unseen. Any context.
    pub(crate) fn sense(&self) -> Option<Sense> {
        match self.0.load(Relaxed) {
            IDLE => None,
            FAILED => Some(Sense::FORMAT_FAILED),
            running => {
                let done = u16::try_from(running.saturating_sub(1));
                Some(Sense::formatting(done.unwrap_or(u16::MAX)))
            }
        }
    }

    fn has_failed(&self) -> bool {
        self.0.load(Relaxed) == FAILED
    }

    fn set(&self, done: u64, all: u64) {
        let parts = done.saturating_mul(1 << 16).checked_div(all).unwrap_or(0);
        let parts = u32::try_from(parts.min(0xFFFF)).unwrap_or(0);
        self.0.store(parts.saturating_add(1), Relaxed);
    }
}

/// A format under way; there is one at most. It is over when this goes.
pub(crate) struct Format {
    progress: Arc<Progress>,
    /// Not empty.
    whole: ByteRange,
    /// What is given back is not so after a loss of power, unless it is flushed.
    volatile: bool,
}

impl Drop for Format {
    fn drop(&mut self) {
        self.progress.0.store(IDLE, Relaxed);
    }
}

impl Format {
    /// `None` while another is running.
    fn begin(progress: &Arc<Progress>, whole: ByteRange, volatile: bool) -> Option<Self> {
        let begun = progress.0.cmpxchg(IDLE, 1, Full);
        begun
            .or_else(|_| progress.0.cmpxchg(FAILED, 1, Full))
            .ok()?;
        Some(Self {
            progress: progress.clone(),
            whole,
            volatile,
        })
    }

    /// Gives everything back for good, with or without a write cache: unless `stop` says that nobody wants it any more. Sleeps.
    pub(crate) fn carry_out<M: Medium>(
        self,
        medium: &M,
        stop: impl Fn() -> bool,
    ) -> Result<(), Outcome> {
        let then = medium.now();
        self.give_back(medium, &stop)?;
        if !self.volatile {
            return Ok(());
        }
        medium.make_stable(self.whole, &then).map_err(|_| {
            if stop() {
                medium.tell_next();
            }
            Sense::FORMAT_FAILED.into()
        })
    }

    /// [`Format::carry_out`] for a command that was answered before: that it failed is what commands are told until another
    /// format does better, and what cannot be made stable is told also to whoever flushes next. Sleeps.
    pub(crate) fn carry_out_unasked<M: Medium>(self, medium: &M) {
        let is_done = self.give_back(medium, || false).is_ok();
        if !is_done || (self.volatile && medium.make_stable_for_others().is_err()) {
            pr_err!("a format that was answered before has failed\n");
            let progress = self.progress.clone();
            drop(self);
            // Not where another has begun meanwhile.
            let _ = progress.0.cmpxchg(IDLE, FAILED, Full);
        }
    }

    fn give_back<M: Medium>(&self, medium: &M, stop: impl Fn() -> bool) -> Result<(), Outcome> {
        let mut at: u64 = 0;
        while at < self.whole.len {
            if stop() {
                return Err(Outcome::Status(Status::TaskAborted));
            }
            let len = STEP.min(self.whole.len.saturating_sub(at));
            let offset = self.whole.offset.saturating_add(at);
            let range = ByteRange { offset, len };
            let _writer = medium.writers().enter_in_turn(range);
            match medium.give_back(range) {
                // What cannot be given back stays.
                Ok(()) | Err(EOPNOTSUPP) => {}
                Err(_) => return Err(Sense::FORMAT_FAILED.into()),
            }
            at = at.saturating_add(len);
            self.progress.set(at, self.whole.len);
        }
        Ok(())
    }
}

/// Whether a command is answered while the disk is being formatted.
fn is_answered_meanwhile(command: &Cdb) -> bool {
    matches!(command, Cdb::Inquiry { .. } | Cdb::RequestSense { .. })
}

impl<S: Store> Disk<S> {
    /// What keeps a command from being carried out because of a format.
    #[inline]
    pub(crate) fn format_in_the_way(&self, command: &Cdb) -> Option<Sense> {
        if !self.thin || !self.formatting.is_to_be_told() || is_answered_meanwhile(command) {
            return None;
        }
        // Another one can be begun then.
        let is_way_out = matches!(command, Cdb::FormatUnit(_)) && self.formatting.has_failed();
        self.formatting.sense().filter(|_| !is_way_out)
    }

    /// FORMAT UNIT.
    pub(crate) fn format(&self, cmd: Command<Admitted>, request: &FormatUnit) {
        let mut list = [0; format::HEADER_MAX];
        let sent = match request.data {
            true => cmd.cmnd().copy_from_buffer(0, &mut list),
            false => 0,
        };
        let allowed = format::immed(request, list.get(..sent).unwrap_or(&[]))
            .and_then(|immed| Ok((immed, self.range_to_write(0, 0)?)));
        let immed = match allowed {
            Ok((immed, _)) => immed,
            Err(sense) => return cmd.finish(sense.into()),
        };
        let whole = self.whole();
        if !self.thin || whole.len == 0 {
            return finish(cmd, Ok(()));
        }
        match Format::begin(&self.formatting, whole, self.needs_flushes()) {
            None => cmd.finish(Sense::FORMAT_IN_PROGRESS.into()),
            Some(format) if immed => match self.store.format_unasked(format) {
                Ok(()) => finish(cmd, Ok(())),
                Err(_) => cmd.finish(Outcome::Status(Status::Busy)),
            },
            Some(format) => self.store.operate(cmd, Operation::Format(format)),
        }
    }
}
