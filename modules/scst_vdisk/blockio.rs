// SPDX-License-Identifier: GPL-2.0-only

//! A block device, below the page cache. Transfers start in the submitter's context and end in the device's interrupt;
//! only what has to wait runs on a workqueue.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::Arc;

use scst::command::{Admitted, Command, Outcome};
use scst::kapi::bdev::{self, BlockDevice};
use scst::kapi::file::Transfer;
use scst::kapi::workq::WorkQueue;
use scst::proto::range::ByteRange;

use crate::job::Job;
use crate::store::{failed, finish, Answer, Check, Io, Store};
use crate::verify::read_back;

/// An open block device.
pub(crate) struct BlockIo {
    // Dropped first: it waits for those who still use the device.
    queue: WorkQueue,
    device: Arc<BlockDevice>,
}

impl BlockIo {
    /// Serves `device`; commands that have to wait run up to `threads` at once.
    pub(crate) fn new(device: BlockDevice, queue_name: &CStr, threads: u32) -> Result<Self> {
        Ok(Self {
            queue: WorkQueue::new(queue_name, threads)?,
            device: Arc::new(device, GFP_KERNEL)?,
        })
    }

    fn run<P: Send + 'static>(
        &self,
        cmd: Command<Admitted>,
        errand: P,
        f: fn(Job<(Arc<BlockDevice>, P)>),
    ) {
        self.queue.run(
            Job {
                cmd,
                errand: (self.device.clone(), errand),
            },
            f,
        );
    }
}

impl Store for BlockIo {
    fn size(&self) -> Option<u64> {
        Some(self.device.size())
    }

    #[inline]
    fn is_volatile(&self) -> bool {
        self.device.has_write_cache()
    }

    #[inline]
    fn transfer(&self, cmd: Command<Admitted>, io: Io) {
        let io = block_io(&cmd, io, self.device.logical_block_size());
        let done = match io.way {
            Transfer::Read => read_done,
            Transfer::Write => write_done,
        };
        if let Err(cmd) = self.device.submit(cmd, io, done) {
            self.transfer_by_copy(cmd, io);
        }
    }

    fn flush(&self, cmd: Command<Admitted>, _range: ByteRange, answer: Answer) {
        if answer == Answer::First && self.device.flush_detached() {
            return finish(cmd, Ok(()));
        }
        self.device.flush(cmd, write_done);
    }

    fn verify(&self, cmd: Command<Admitted>, range: ByteRange, check: Check, write: bool) {
        self.run(
            cmd,
            (range, check, write),
            |Job {
                 cmd,
                 errand: (device, (range, check, write)),
             }| {
                let result = verify(&device, &cmd, range, check, write);
                finish(cmd, result);
            },
        );
    }

    fn sync(&self) -> Result {
        self.device.sync()
    }
}

impl BlockIo {
    /// The way for commands whose buffers the device cannot take.
    #[cold]
    fn transfer_by_copy(&self, cmd: Command<Admitted>, io: bdev::BlockIo) {
        self.run(
            cmd,
            io,
            |Job {
                 cmd,
                 errand: (device, io),
             }| {
                let result = device.transfer_by_copy(cmd.cmnd(), io);
                match io.way {
                    Transfer::Read => read_done(cmd, result),
                    Transfer::Write => write_done(cmd, result),
                }
            },
        );
    }
}

/// What to ask the device for: no more than the initiator's buffer holds, in whole blocks of the device.
#[inline]
fn block_io(cmd: &Command<Admitted>, io: Io, block_size: u32) -> bdev::BlockIo {
    let buffer = u64::from(cmd.cmnd().buffer_len()).next_multiple_of(u64::from(block_size));
    bdev::BlockIo {
        way: io.way,
        offset: io.range.offset,
        len: u32::try_from(io.range.len.min(buffer)).unwrap_or(u32::MAX),
        durable: io.durable,
    }
}

fn read_done(cmd: Command<Admitted>, result: Result) {
    finish(cmd, result.map_err(|e| failed(Transfer::Read, e)));
}

fn write_done(cmd: Command<Admitted>, result: Result) {
    finish(cmd, result.map_err(|e| failed(Transfer::Write, e)));
}

fn verify(
    device: &BlockDevice,
    cmd: &Command<Admitted>,
    range: ByteRange,
    check: Check,
    write: bool,
) -> Result<(), Outcome> {
    let block_size = device.logical_block_size();
    let before = if write {
        let io = block_io(
            cmd,
            Io {
                way: Transfer::Write,
                range,
                durable: true,
            },
            block_size,
        );
        device.transfer_by_copy(cmd.cmnd(), io)
    } else {
        device.sync()
    };
    before.map_err(|e| failed(Transfer::Write, e))?;
    read_back(cmd.cmnd(), range, check, block_size, |offset, piece| {
        device.read_at(offset, piece)
    })
}
