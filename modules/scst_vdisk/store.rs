// SPDX-License-Identifier: GPL-2.0-only

//! What a backing store has to do.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::Arc;

use scst::command::{Admitted, Command, Outcome};
use scst::kapi::cmnd::Cmnd;
use scst::kapi::file::Transfer;
use scst::kapi::livemap::{Counted, Live, LiveMap};
use scst::proto::range::ByteRange;
use scst::proto::sense::Sense;
use scst::proto::status::Status;

use crate::cache_off::CacheOff;
use crate::format::Format;
use crate::operation::Operation;

/// Whether what is written has to be on stable storage when its command ends.
#[derive(Clone, Copy)]
pub(crate) struct Durability {
    /// It was asked for.
    pub(crate) asked: bool,
    /// What was written is safe in any case.
    pub(crate) safe: bool,
}

impl Durability {
    /// Whether that is so now: also without a write cache. To be asked by who counts as a writer, so that whoever turns the
    /// cache off and waits for the writers has them all stable. Any context.
    #[inline]
    pub(crate) fn is_due(self, cmd: &Command<Admitted>) -> bool {
        !self.safe && (self.asked || !cmd.nexus().device().caches_writes())
    }
}

/// A transfer that was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    /// Which way.
    pub(crate) way: Transfer,
    /// Where; not empty, and inside the medium as it was when the command came.
    pub(crate) range: ByteRange,
    /// Of a write; or of what a read tells.
    pub(crate) durability: Durability,
}

impl Request {
    /// The transfer as it is to be done now. A write counts as a writer already.
    #[inline]
    pub(crate) fn now(self, cmd: &Command<Admitted>) -> Io {
        Io {
            way: self.way,
            range: self.range,
            durable: match self.way {
                Transfer::Write => self.durability.is_due(cmd),
                Transfer::Read => self.durability.asked && !self.durability.safe,
            },
        }
    }
}

/// A transfer between the initiator's buffer and the store.
#[derive(Clone, Copy)]
pub(crate) struct Io {
    /// Which way.
    pub(crate) way: Transfer,
    /// Where; not empty, and inside the medium as it was when the command came.
    pub(crate) range: ByteRange,
    /// A write ends when its data is on stable storage; what a read tells is there.
    pub(crate) durable: bool,
}

impl Io {
    /// Bytes to move: no more than the initiator's buffer holds.
    #[inline]
    pub(crate) fn wanted(&self, cmnd: &Cmnd) -> u64 {
        self.range.len.min(u64::from(cmnd.buffer_len()))
    }
}

/// When a command whose work may take long is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Before the work: the IMMED bit.
    First,
    /// After it.
    Afterwards,
}

/// What is read back, and against what.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Every block can be read.
    Readable,
    /// Every block holds what the initiator's buffer does.
    Equal,
}

/// What BYTCHK asks for.
pub(crate) fn check(compare: bool) -> Check {
    if compare {
        Check::Equal
    } else {
        Check::Readable
    }
}

/// What may be opened and closed while commands run: each holds what it uses, and closing waits for them.
pub(crate) struct Slot<T: Send + Sync>(Arc<LiveMap<T>>);

/// The only place in a [`Slot`].
const PLACE: u32 = 0;

/// Something open that has a [`Slot`] to go to, and all the memory for that.
pub(crate) struct Ready<T>(Arc<Counted<T>>);

impl<T: Send + Sync> Ready<T> {
    /// Makes `open` ready.
    pub(crate) fn new(open: T) -> Result<Self> {
        Ok(Self(Counted::new(Ok(open))?))
    }
}

impl<T: Send + Sync> Slot<T> {
    /// Nothing open.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Arc::pin_init(LiveMap::new(), GFP_KERNEL)?))
    }

    /// What is open, for as long as the result lives. Any context.
    #[inline]
    pub(crate) fn get(&self) -> Option<Live<T>> {
        self.0.get(PLACE)
    }

    /// Makes `open` the one that is open. `EEXIST` where there is one.
    pub(crate) fn put(&self, open: Ready<T>) -> Result {
        self.0.insert(PLACE, open.0)
    }

    /// Closes what is open, having waited for those who use it, and then done `last`.
    pub(crate) fn clear_and(&self, last: impl FnOnce(&T) -> Result) -> Result {
        match self.0.remove(PLACE) {
            Some(open) => last(open.value()),
            None => Ok(()),
        }
    }
}

/// What opening a store tells of it.
pub(crate) struct Facts {
    /// Bytes in it.
    pub(crate) size: u64,
    /// Bytes that it writes without reading.
    pub(crate) physical_block_size: u32,
    /// Bytes before the first of these.
    pub(crate) alignment_offset: u32,
    /// Bytes of a transfer that it likes, if it has an opinion.
    pub(crate) optimal_io: Option<u32>,
    /// What is written may be lost with the power until it is flushed.
    pub(crate) volatile: bool,
    /// Most bytes that it can be told at once are not needed any more.
    pub(crate) max_unmap: u64,
    /// Bytes of the units that it gives back whole, and where the first of them begins; `None` where it does not say.
    pub(crate) unmap_units: Option<(u32, u32)>,
}

/// A backing store. The functions that take a command finish it, here or later; they are called in the submitter's
/// context, as [`scst::device::DeviceOps::exec`] is.
pub(crate) trait Store: Send + Sync + 'static {
    /// Opens the store at `path`, in the context of the process that named it. Sleeps.
    fn open(&self, path: &CStr) -> Result<Facts>;

    /// Closes the store, having brought everything onto stable storage; waits for the commands that use it. What comes
    /// then is answered that the store is not ready. Where the data cannot be brought there, the store stays open.
    fn close(&self) -> Result;

    /// What was lost of the store that was closed concerns nobody who uses the next one. Called with none open.
    fn forget_debt(&self) {}

    /// The store is open. Any context.
    fn is_open(&self) -> bool;

    /// Bytes that the store holds now; `None` where it is not open, or where that is only what the disk says.
    fn size(&self) -> Option<u64>;

    /// There is a store that can be opened.
    const HAS_BACKING: bool = true;

    /// What was written may be lost with the power until it is flushed. Any context.
    #[inline]
    fn is_volatile(&self) -> bool {
        true
    }

    /// What is written must not change meanwhile. Any context.
    fn needs_stable_pages(&self) -> bool {
        false
    }

    /// Moves data.
    fn transfer(&self, cmd: Command<Admitted>, request: Request);

    /// Ends a command once everything is on stable storage that was written by those who write now: who comes later sees to
    /// that itself, as the write cache is off.
    fn finish_stable(&self, cmd: Command<Admitted>, off: CacheOff);

    /// Brings what was written to `range` onto stable storage.
    fn flush(&self, cmd: Command<Admitted>, range: ByteRange, answer: Answer);

    /// Brings `range` onto stable storage and reads it back, having written the command's data there if `write` says so.
    fn verify(&self, cmd: Command<Admitted>, range: ByteRange, check: Check, write: bool);

    /// Carries out what takes several steps.
    fn operate(&self, cmd: Command<Admitted>, operation: Operation);

    /// Carries out a format whose command is answered before it is done. An error where it was not begun.
    fn format_unasked(&self, format: Format) -> Result;

    /// Brings everything that was written onto stable storage. Where that fails, the next command that asks for the same is
    /// told so too, as no initiator is told here. Sleeps; called in process context.
    fn sync(&self) -> Result;

    /// Carries out as many commands at once as `most` that have to wait. Sleeps.
    fn set_threads(&self, _most: u32) {}

    /// Begins to bring everything that was written onto stable storage, as far as there is memory for that; as
    /// [`Store::sync`] otherwise. Does not wait.
    fn sync_later(&self) {}

    /// Transfers are started, and not waited for.
    fn is_async(&self) -> bool {
        false
    }

    /// Sets [`Store::is_async`]. `EINVAL` for a store that knows one way only.
    fn set_async(&self, _on: bool) -> Result {
        Err(EINVAL)
    }

    /// Reads give zeroes instead of what the buffer held before.
    fn read_zero(&self) -> bool {
        false
    }

    /// Sets [`Store::read_zero`]. `EINVAL` for a store that has data.
    fn set_read_zero(&self, _on: bool) -> Result {
        Err(EINVAL)
    }
}

/// Ends a command whose store is not open: perhaps since its port ceased to lead to the medium, after it was let pass.
#[cold]
pub(crate) fn not_open(cmd: Command<Admitted>) {
    let by_port = cmd.port_refusal();
    cmd.finish(
        by_port
            .unwrap_or(Sense::MANUAL_INTERVENTION_REQUIRED)
            .into(),
    );
}

/// Ends a command whose work was done, or failed.
pub(crate) fn finish(cmd: Command<Admitted>, result: Result<(), Outcome>) {
    let outcome = match result {
        Ok(()) => taken(&cmd),
        Err(outcome) => outcome,
    };
    cmd.finish(outcome);
}

/// The outcome of a command that moved all the data that its CDB names; what the initiator's buffer holds beyond that is
/// its residual.
#[inline]
pub(crate) fn taken(cmd: &Command<Admitted>) -> Outcome {
    let device = cmd.nexus().device();
    Outcome::Good(cmd.decoded().transfer.bytes(device.block_shift()))
}

/// How a command ends that the store failed.
#[cold]
pub(crate) fn failed(way: Transfer, error: Error) -> Outcome {
    match (error, way) {
        (ENOSPC | EDQUOT, _) => Sense::SPACE_ALLOCATION_FAILED.into(),
        (EROFS | EPERM, Transfer::Write) => Sense::WRITE_PROTECTED.into(),
        (ENODEV | ENXIO, _) => Sense::MANUAL_INTERVENTION_REQUIRED.into(),
        (EAGAIN | ENOMEM, _) => Outcome::Status(Status::Busy),
        (_, Transfer::Read) => Sense::READ_ERROR.into(),
        (_, Transfer::Write) => Sense::WRITE_ERROR.into(),
    }
}
