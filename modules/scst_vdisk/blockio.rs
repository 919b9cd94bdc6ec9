// SPDX-License-Identifier: GPL-2.0-only

//! A block device, below the page cache. Transfers start in the submitter's context and end in the device's interrupt;
//! only what has to wait runs on a workqueue.

use core::ops::Deref;

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::Arc;

use scst::command::{Admitted, Command, Outcome};
use scst::kapi::bdev::{self, BlockDevice, Bounce};
use scst::kapi::file::{Access, Transfer};
use scst::kapi::livemap::Live;
use scst::kapi::workq::WorkQueue;
use scst::proto::range::ByteRange;

use crate::cache_off::CacheOff;
use crate::format::Format;
use crate::job::Job;
use crate::operation::{Medium, Operation};
use crate::store::{
    failed, finish, not_open, Answer, Check, Facts, Io, Ready, Request, Slot, Store,
};
use crate::verify::read_back;
use crate::writers::{Writer, Writers};

/// Largest logical block that a block device is served with: what one page of the page cache above it holds.
const BLOCK_MAX: u32 = 4096;

/// A block device, or the place for one.
pub(crate) struct BlockIo {
    // Dropped first: it waits for those who still use the device.
    queue: WorkQueue,
    device: Slot<Device>,
    access: Access,
    /// Bytes of a logical block of the disk.
    block_size: u32,
    /// What was acknowledged was lost as the device was closed, or before, and no initiator was told.
    owes: Atomic<bool>,
}

/// An open block device.
struct Device {
    device: BlockDevice,
    writers: Arc<Writers>,
}

impl Deref for Device {
    type Target = BlockDevice;

    fn deref(&self) -> &BlockDevice {
        &self.device
    }
}

impl Medium for Device {
    fn writers(&self) -> &Arc<Writers> {
        &self.writers
    }

    fn unit(&self) -> u32 {
        self.logical_block_size()
    }

    fn read(&self, offset: u64, into: &mut Bounce) -> Result {
        self.device.read_at(offset, into)
    }

    fn write(&self, offset: u64, from: &Bounce) -> Result {
        self.device.write_at(offset, from)
    }

    fn give_back(&self, range: ByteRange) -> Result {
        self.device.discard(range.offset, range.len)
    }

    fn zero(&self, range: ByteRange) -> Result {
        self.device.zero(range.offset, range.len)
    }

    fn extent(&self, offset: u64) -> Result<(bool, u64)> {
        // Nobody can ask a block device.
        Ok((true, self.device.size().saturating_sub(offset)))
    }

    /// A write that fails says so itself, and each flush tells whoever waits for it.
    type Moment = ();

    fn now(&self) {}

    fn make_stable(&self, _range: ByteRange, (): &()) -> Result {
        self.device.sync()
    }

    fn make_stable_for_others(&self) -> Result {
        self.device.sync_for_others()
    }

    fn tell_next(&self) {
        self.device.tell_next();
    }
}

/// What `f` works on, on the queue.
type Errand<P> = Job<(Live<Device>, P)>;

impl BlockIo {
    /// A store for devices that are opened for `access`, with blocks of `block_size` bytes; commands that have to wait run
    /// up to `threads` at once.
    pub(crate) fn new(
        queue_name: &CStr,
        threads: u32,
        access: Access,
        block_size: u32,
    ) -> Result<Self> {
        Ok(Self {
            queue: WorkQueue::new(queue_name, threads)?,
            device: Slot::new()?,
            access,
            block_size,
            owes: Atomic::new(false),
        })
    }

    fn run<P: Send + 'static>(&self, cmd: Command<Admitted>, errand: P, f: fn(Errand<P>)) {
        match self.device.get() {
            Some(device) => {
                let errand = (device, errand);
                self.queue.run(Job { cmd, errand }, f);
            }
            None => not_open(cmd),
        }
    }
}

impl Store for BlockIo {
    fn open(&self, path: &CStr) -> Result<Facts> {
        let device = BlockDevice::open(path, self.access)?;
        if self.block_size < device.logical_block_size() || self.block_size > BLOCK_MAX {
            return Err(EINVAL);
        }
        let facts = Facts {
            size: device.size(),
            physical_block_size: device.physical_block_size(),
            alignment_offset: device.alignment_offset(),
            optimal_io: Some(device.optimal_io_size()).filter(|bytes| *bytes > 0),
            volatile: device.has_write_cache(),
            max_unmap: device.max_discard_bytes(),
            unmap_units: device.discard_units(),
        };
        let writers = Writers::new()?;
        self.device.put(Ready::new(Device { device, writers })?)?;
        if self.owes.xchg(false, Relaxed) {
            self.device.get().iter().for_each(|open| open.tell_next());
        }
        Ok(facts)
    }

    fn close(&self) -> Result {
        self.sync()?;
        self.device.clear_and(|open| {
            let last = open.device.sync_for_others();
            open.device.wait_for_detached();
            if open.device.take_untold() {
                self.owes.store(true, Relaxed);
            }
            last
        })
    }

    fn forget_debt(&self) {
        self.owes.store(false, Relaxed);
    }

    fn is_open(&self) -> bool {
        self.device.get().is_some()
    }

    fn size(&self) -> Option<u64> {
        self.device.get().map(|device| device.size())
    }

    #[inline]
    fn is_volatile(&self) -> bool {
        self.device
            .get()
            .is_none_or(|device| device.has_write_cache())
    }

    fn needs_stable_pages(&self) -> bool {
        // The initiator is not told again when the store is opened, and must not have all its writes copied then.
        self.device
            .get()
            .is_none_or(|device| device.needs_stable_pages())
    }

    #[inline]
    fn transfer(&self, cmd: Command<Admitted>, request: Request) {
        let Some(device) = self.device.get() else {
            return not_open(cmd);
        };
        let writer = match request.way {
            Transfer::Read => None,
            Transfer::Write => match device.writers.enter(request.range) {
                Some(writer) => Some(writer),
                None => return self.transfer_by_copy(cmd, request),
            },
        };
        let io = block_io(&cmd, request.now(&cmd), device.logical_block_size());
        let done: fn(_, _) = match (io.way, io.durable) {
            (Transfer::Read, _) => read_done,
            (Transfer::Write, false) => write_done,
            (Transfer::Write, true) => durable_write_done,
        };
        if io.way == Transfer::Read && io.durable {
            return self.transfer_by_copy(cmd, request);
        }
        // The transfer may end, and with it the last use of the device, before it was started altogether.
        let job = Job {
            cmd,
            errand: (writer, device.clone()),
        };
        if let Err(job) = device.submit(job, io, done) {
            let Job { cmd, errand } = job;
            drop(errand);
            self.transfer_by_copy(cmd, request);
        }
    }

    fn finish_stable(&self, cmd: Command<Admitted>, off: CacheOff) {
        let Some(device) = self.device.get() else {
            // It was flushed when it was closed.
            return off.stable(cmd);
        };
        let errand = (device, off);
        self.queue.run(Job { cmd, errand }, |Job { cmd, errand }| {
            let (device, off) = errand;
            off.flush(cmd, &device.writers, |cmd| {
                let flushed = device.sync();
                let result = match device.take_untold() {
                    true => Err(EIO),
                    false => flushed,
                };
                told(cmd, &device, result).map_err(write_failed)
            });
        });
    }

    fn flush(&self, cmd: Command<Admitted>, _range: ByteRange, answer: Answer) {
        let Some(device) = self.device.get() else {
            return not_open(cmd);
        };
        if device.take_untold() {
            let failure = told(&cmd, &device, Err(EIO));
            return finish(cmd, failure.map_err(write_failed));
        }
        if answer == Answer::First && device.flush_detached() {
            return finish(cmd, Ok(()));
        }
        let job = Job {
            cmd,
            errand: (None, device.clone()),
        };
        device.flush(job, flush_done);
    }

    fn verify(&self, cmd: Command<Admitted>, range: ByteRange, check: Check, write: bool) {
        self.run(cmd, (range, check, write), |Job { cmd, errand }| {
            let (device, (range, check, write)) = errand;
            let writer = write.then(|| device.writers.enter_in_turn(range));
            let result = verify(&device, &cmd, range, check, write);
            drop(writer);
            finish(cmd, result);
        });
    }

    fn operate(&self, cmd: Command<Admitted>, operation: Operation) {
        self.run(cmd, operation, |Job { cmd, errand }| {
            let (device, operation) = errand;
            let outcome = operation.carry_out(&*device, &cmd);
            cmd.finish(outcome);
        });
    }

    fn format_unasked(&self, format: Format) -> Result {
        let device = self.device.get().ok_or(ENODEV)?;
        self.queue.spawn(move || format.carry_out_unasked(&*device))
    }

    fn sync_later(&self) {
        if let Some(device) = self.device.get() {
            let _ = device.flush_detached();
        }
    }

    fn sync(&self) -> Result {
        let open = self.device.get();
        open.map_or(Ok(()), |device| device.make_stable_for_others())
    }
}

impl BlockIo {
    /// The way for commands whose buffers the device cannot take, for writes to where a COMPARE AND WRITE is, and for reads
    /// that have to wait first.
    #[cold]
    fn transfer_by_copy(&self, cmd: Command<Admitted>, request: Request) {
        self.run(cmd, request, |Job { cmd, errand }| {
            let (device, request) = errand;
            let is_write = request.way == Transfer::Write;
            let writer = is_write.then(|| device.writers.enter_in_turn(request.range));
            let io = block_io(&cmd, request.now(&cmd), device.logical_block_size());
            let result = match (io.way, io.durable) {
                // What a read tells has to be stable; that it cannot be read has nothing to do with that.
                (Transfer::Read, true) => told(&cmd, &device, device.sync())
                    .and_then(|()| device.transfer_by_copy(cmd.cmnd(), io)),
                (Transfer::Write, true) => {
                    told(&cmd, &device, device.transfer_by_copy(cmd.cmnd(), io))
                }
                (_, false) => device.transfer_by_copy(cmd.cmnd(), io),
            };
            drop(writer);
            finish(cmd, result.map_err(|e| failed(io.way, e)));
        });
    }
}

/// What to ask the device for: no more than the initiator's buffer holds, in whole blocks of the device.
#[inline]
fn block_io(cmd: &Command<Admitted>, io: Io, block_size: u32) -> bdev::BlockIo {
    let buffer = u64::from(cmd.cmnd().buffer_len());
    let buffer = buffer
        .checked_next_multiple_of(u64::from(block_size))
        .unwrap_or(buffer);
    bdev::BlockIo {
        way: io.way,
        offset: io.range.offset,
        len: u32::try_from(io.range.len.min(buffer)).unwrap_or(u32::MAX),
        durable: io.durable,
    }
}

/// What a transfer that was started needs until it ends.
type Started = (Option<Writer>, Live<Device>);

fn read_done(job: Job<Started>, result: Result) {
    finish(job.cmd, result.map_err(|e| failed(Transfer::Read, e)));
}

fn flush_done(job: Job<Started>, result: Result) {
    let Job { cmd, errand } = job;
    let result = told(&cmd, &errand.1, result);
    drop(errand);
    finish(cmd, result.map_err(write_failed));
}

/// How a flush for `cmd` ended, or what has one in it. A failure that this command does not tell, as it was aborted, is for the
/// next to tell. Any context.
fn told(cmd: &Command<Admitted>, device: &BlockDevice, result: Result) -> Result {
    result.inspect_err(|_| {
        if cmd.is_aborted() {
            device.tell_next();
        }
    })
}

fn write_failed(error: Error) -> Outcome {
    failed(Transfer::Write, error)
}

fn durable_write_done(job: Job<Started>, result: Result) {
    let result = told(&job.cmd, &job.errand.1, result);
    write_done(job, result);
}

fn write_done(job: Job<Started>, result: Result) {
    let Job { cmd, errand } = job;
    drop(errand);
    finish(cmd, result.map_err(write_failed));
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
    told(cmd, device, before).map_err(write_failed)?;
    read_back(cmd, range, check, block_size, |offset, piece| {
        device.read_at(offset, piece)
    })
}
