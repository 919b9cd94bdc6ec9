// SPDX-License-Identifier: GPL-2.0-only

//! What a backing store has to do.

use kernel::prelude::*;

use scst::command::{Admitted, Command, Outcome};
use scst::kapi::file::Transfer;
use scst::proto::range::ByteRange;
use scst::proto::sense::Sense;
use scst::proto::status::Status;

/// A transfer between the initiator's buffer and the store.
#[derive(Clone, Copy)]
pub(crate) struct Io {
    /// Which way.
    pub(crate) way: Transfer,
    /// Where; not empty, and inside the medium as it was when the command came.
    pub(crate) range: ByteRange,
    /// A write ends when its data is on stable storage.
    pub(crate) durable: bool,
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

/// A backing store. The functions that take a command finish it, here or later; they are called in the submitter's
/// context, as [`scst::device::DeviceOps::exec`] is.
pub(crate) trait Store: Send + Sync + 'static {
    /// Bytes that the store holds now; `None` where that is only what the disk says.
    fn size(&self) -> Option<u64>;

    /// What was written may be lost with the power until it is flushed. Any context.
    #[inline]
    fn is_volatile(&self) -> bool {
        true
    }

    /// Moves data.
    fn transfer(&self, cmd: Command<Admitted>, io: Io);

    /// Brings what was written to `range` onto stable storage.
    fn flush(&self, cmd: Command<Admitted>, range: ByteRange, answer: Answer);

    /// Brings `range` onto stable storage and reads it back, having written the command's data there if `write` says so.
    fn verify(&self, cmd: Command<Admitted>, range: ByteRange, check: Check, write: bool);

    /// Brings everything that was written onto stable storage. Sleeps; called in process context.
    fn sync(&self) -> Result;

    /// Reads give zeroes instead of what the buffer held before.
    fn read_zero(&self) -> bool {
        false
    }

    /// Sets [`Store::read_zero`]. `EINVAL` for a store that has data.
    fn set_read_zero(&self, _on: bool) -> Result {
        Err(EINVAL)
    }
}

/// Ends a command whose work was done, or failed.
pub(crate) fn finish(cmd: Command<Admitted>, result: Result<(), Outcome>) {
    let outcome = match result {
        Ok(()) => Outcome::Good(
            cmd.decoded()
                .transfer
                .bytes(cmd.nexus().device().block_shift()),
        ),
        Err(outcome) => outcome,
    };
    cmd.finish(outcome);
}

/// How a command ends that the store failed.
#[cold]
pub(crate) fn failed(way: Transfer, error: Error) -> Outcome {
    match (error, way) {
        (ENOSPC, _) => Sense::SPACE_ALLOCATION_FAILED.into(),
        (EAGAIN | ENOMEM, _) => Outcome::Status(Status::Busy),
        (_, Transfer::Read) => Sense::READ_ERROR.into(),
        (_, Transfer::Write) => Sense::WRITE_ERROR.into(),
    }
}
