// SPDX-License-Identifier: GPL-2.0-only

//! Who writes where, so that COMPARE AND WRITE is alone on its blocks (SBC-3: an uninterrupted series of actions).
//!
//! Until the first COMPARE AND WRITE comes, a write is counted on its own CPU alone. That command takes this count away and
//! waits until it is zero. From then on writes are counted by where on the medium they are, in [`STRIPES`] numbers; COMPARE
//! AND WRITE marks those of its range and waits until nobody else is in them.

use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Full, Release};
use kernel::sync::{new_condvar, new_mutex, Arc, CondVar, Mutex, MutexGuard};
use kernel::time::msecs_to_jiffies;

use scst::command::{Admitted, Command, Outcome};
use scst::kapi::file::Transfer;
use scst::kapi::livemap::Live;
use scst::proto::range::ByteRange;
use scst::proto::status::Status;

use crate::store::{failed, Ready, Slot};

/// Numbers that writes are counted in.
const STRIPES: usize = 64;

/// log2 of the bytes of the medium that belong to one number. Few writes are in more than two.
const STRIPE_SHIFT: u32 = 23;

/// A COMPARE AND WRITE has or wants the stripe; the bits below count its writers.
const MARK: u32 = 1 << 31;

/// Milliseconds after which somebody who waits for writers looks again, whoever wakes him.
const LOOK_AGAIN_MS: u32 = 10;

/// The writers of one medium.
#[pin_data]
pub(crate) struct Writers {
    /// Where writers are counted before the first COMPARE AND WRITE.
    uncharted: Slot<()>,
    stripes: [Atomic<u32>; STRIPES],
    /// Held by one COMPARE AND WRITE at a time, and by who waits until there is none.
    #[pin]
    turn: Mutex<()>,
    #[pin]
    waiting: Mutex<()>,
    /// A writer has left a marked stripe.
    #[pin]
    left: CondVar,
}

/// Somebody who writes; COMPARE AND WRITE on the same blocks waits until this goes, in any context.
///
/// Nobody looks inside: it counts until it is dropped.
#[allow(dead_code)]
pub(crate) enum Writer {
    /// Nobody asks where.
    Uncharted(Live<()>),
    /// In the stripes of a range.
    Charted(Charted),
}

/// A writer that is counted in the stripes of its range.
pub(crate) struct Charted {
    writers: Arc<Writers>,
    range: ByteRange,
}

impl Drop for Charted {
    fn drop(&mut self) {
        self.writers.leave(stripes_of(self.range));
    }
}

/// Marked stripes; they are free again when this goes.
pub(crate) struct Alone<'a> {
    writers: &'a Writers,
    range: ByteRange,
    _turn: MutexGuard<'a, ()>,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        for stripe in self.writers.of(stripes_of(self.range)) {
            stripe.fetch_sub(MARK, Release);
        }
    }
}

/// The first stripe of a range, and how many it is in.
type Stretch = (usize, usize);

fn stripes_of(range: ByteRange) -> Stretch {
    let first = range.offset.wrapping_shr(STRIPE_SHIFT);
    let last = range.offset.saturating_add(range.len.saturating_sub(1));
    let more = last.wrapping_shr(STRIPE_SHIFT).saturating_sub(first);
    let count = usize::try_from(more).unwrap_or(STRIPES).saturating_add(1);
    ((first % STRIPES as u64) as usize, count.min(STRIPES))
}

impl Writers {
    /// Nobody writes.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let uncharted = Slot::new()?;
        uncharted.put(Ready::new(())?)?;
        let stripes = [const { Atomic::new(0) }; STRIPES];
        Arc::pin_init(
            pin_init!(Self {
                uncharted,
                stripes,
                turn <- new_mutex!(()),
                waiting <- new_mutex!(()),
                left <- new_condvar!(),
            }),
            GFP_KERNEL,
        )
    }

    fn of(&self, (first, count): Stretch) -> impl Iterator<Item = &Atomic<u32>> {
        let stripes = self.stripes.iter();
        stripes.cycle().skip(first).take(count)
    }

    /// Lets somebody write to `range`, unless a COMPARE AND WRITE is there. Any context.
    #[inline]
    pub(crate) fn enter(self: &Arc<Self>, range: ByteRange) -> Option<Writer> {
        match self.uncharted.get() {
            Some(live) => Some(Writer::Uncharted(live)),
            None => self.enter_stripes(range).map(Writer::Charted),
        }
    }

    /// [`Writers::enter`], once no COMPARE AND WRITE is there. Sleeps.
    pub(crate) fn enter_in_turn(self: &Arc<Self>, range: ByteRange) -> Writer {
        let mut turn = None;
        loop {
            if let Some(writer) = self.enter(range) {
                return writer;
            }
            // Marks are made and taken away by who has the turn, so there are none then.
            turn.get_or_insert_with(|| self.turn.lock());
        }
    }

    #[cold]
    fn enter_stripes(self: &Arc<Self>, range: ByteRange) -> Option<Charted> {
        let (first, count) = stripes_of(range);
        for (before, stripe) in self.of((first, count)).enumerate() {
            if stripe.fetch_add(1, Acquire) & MARK != 0 {
                self.leave((first, before.saturating_add(1)));
                return None;
            }
        }
        Some(Charted {
            writers: self.clone(),
            range,
        })
    }

    fn leave(&self, stretch: Stretch) {
        for stripe in self.of(stretch) {
            if stripe.fetch_sub(1, Full) & MARK != 0 {
                self.left.notify_all();
            }
        }
    }

    /// Waits until nobody else writes to `range`, and lets nobody do so while the result lives. `ECANCELED` where `stop` says
    /// that nobody wants it any more. Sleeps; not for somebody who writes.
    pub(crate) fn alone(&self, range: ByteRange, stop: impl Fn() -> bool) -> Result<Alone<'_>> {
        let turn = self.turn.lock();
        // Who has not been counted in a stripe is waited for here, once.
        self.uncharted.clear_and(|()| Ok(()))?;
        for stripe in self.of(stripes_of(range)) {
            stripe.fetch_add(MARK, Full);
        }
        let alone = Alone {
            writers: self,
            range,
            _turn: turn,
        };
        let mut waiting = self.waiting.lock();
        while self.of(stripes_of(range)).any(|s| s.load(Acquire) != MARK) {
            if stop() {
                return Err(ECANCELED);
            }
            let jiffies = msecs_to_jiffies(LOOK_AGAIN_MS);
            let _ = self.left.wait_interruptible_timeout(&mut waiting, jiffies);
        }
        drop(waiting);
        Ok(alone)
    }
}

/// Waits until those have ended who write anywhere now. Sleeps; not for somebody who writes.
pub(crate) fn wait_for(writers: &Writers, cmd: &Command<Admitted>) -> Result<(), Outcome> {
    match writers.alone(ByteRange::EVERYTHING, || cmd.is_aborted()) {
        Ok(_alone) => Ok(()),
        Err(ECANCELED) => Err(Outcome::Status(Status::TaskAborted)),
        Err(error) => Err(failed(Transfer::Write, error)),
    }
}
