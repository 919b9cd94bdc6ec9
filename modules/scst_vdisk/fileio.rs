// SPDX-License-Identifier: GPL-2.0-only

//! A file or block device, through the page cache or past it. File systems sleep and call back into the block layer, so all
//! of it runs on a workqueue of the device; what can be started there and left alone, ends where the storage ends it.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::Arc;

use scst::command::{Admitted, Command, Outcome};
use scst::kapi::aio;
use scst::kapi::bdev::Bounce;
use scst::kapi::cmnd::Cmnd;
use scst::kapi::file::{Access, Errors, File, Transfer};
use scst::kapi::livemap::Live;
use scst::kapi::workq::WorkQueue;
use scst::proto::range::ByteRange;

use crate::cache_off::CacheOff;
use crate::disk;
use crate::format::Format;
use crate::job::Job;
use crate::operation::{Medium, Operation};
use crate::sbc::WRITE_SAME_MAX;
use crate::store::{
    failed, finish, not_open, Answer, Check, Facts, Io, Ready, Request, Slot, Store,
};
use crate::verify::read_back;
use crate::writers::{Writer, Writers};

/// What a piece that is moved by ourselves is a multiple of.
const PAGE: u32 = 4096;

/// A file, or the place for one.
pub(crate) struct FileIo {
    // Dropped first: it waits for those who still use the file.
    queue: WorkQueue,
    image: Slot<Image>,
    access: Access,
    /// Bytes of a logical block.
    block_size: u32,
    /// Past the page cache.
    o_direct: bool,
    /// Transfers are started, and not waited for.
    is_async: Atomic<bool>,
    /// What was acknowledged was lost as the file was closed, or before, and no initiator was told.
    owes: Atomic<bool>,
}

/// An open file.
pub(crate) struct Image {
    /// By the page cache. Where `direct` is, what has no data of its own goes here: flushes, holes.
    file: File,
    /// Past it, and then for all data: the cache keeps what it has read in units larger than a block, so what it writes would
    /// undo what has passed it by since then.
    direct: Option<File>,
    writers: Arc<Writers>,
}

/// What `f` works on, on the queue.
type Errand<P> = Job<(Live<Image>, P)>;

impl FileIo {
    /// A store for files that are opened for `access`, with blocks of `block_size` bytes, serving up to `threads` commands at
    /// once.
    pub(crate) fn new(
        queue_name: &CStr,
        threads: u32,
        access: Access,
        block_size: u32,
        (o_direct, is_async): (bool, bool),
    ) -> Result<Self> {
        Ok(Self {
            queue: WorkQueue::new(queue_name, threads)?,
            image: Slot::new()?,
            access,
            block_size,
            o_direct,
            is_async: Atomic::new(is_async),
            owes: Atomic::new(false),
        })
    }

    /// Has `range` brought onto stable storage. Where that fails, the next command that asks for the same is told so too.
    fn flush_for_nobody(&self, image: Live<Image>, range: ByteRange) -> Result {
        self.queue.spawn(move || {
            let file = &image.file;
            if file.sync_range_for_others(range.offset, range.len).is_err() {
                pr_err!("a flush that nobody waited for has failed\n");
            }
        })
    }

    fn run<P: Send + 'static>(&self, cmd: Command<Admitted>, errand: P, f: fn(Errand<P>)) {
        match self.image.get() {
            Some(image) => {
                let errand = (image, errand);
                self.queue.run(Job { cmd, errand }, f);
            }
            None => not_open(cmd),
        }
    }
}

impl Store for FileIo {
    fn open(&self, path: &CStr) -> Result<Facts> {
        let file = File::open(path, self.access)?;
        let direct = match self.o_direct {
            true => Some(File::open_direct(path, self.access)?),
            false => None,
        };
        // Blocks that are part of a larger one of the storage have to be put together in the page cache, and then all of them:
        // what the cache put together would undo what passed it by.
        let direct = direct.filter(|direct| self.block_size.checked_rem(direct.unit()) == Some(0));
        let size = file.size();
        let writers = Writers::new()?;
        let image = Image {
            file,
            direct,
            writers,
        };
        self.image.put(Ready::new(image)?)?;
        if self.owes.xchg(false, Relaxed) {
            self.image
                .get()
                .iter()
                .for_each(|image| image.file.tell_next());
        }
        Ok(Facts {
            size,
            physical_block_size: disk::PHYSICAL_BLOCK,
            alignment_offset: 0,
            optimal_io: None,
            volatile: true,
            max_unmap: WRITE_SAME_MAX,
            unmap_units: None,
        })
    }

    fn close(&self) -> Result {
        self.sync()?;
        self.image.clear_and(|image| {
            let last = image.file.sync();
            if image.file.take_untold() {
                self.owes.store(true, Relaxed);
            }
            last
        })
    }

    fn forget_debt(&self) {
        self.owes.store(false, Relaxed);
    }

    fn needs_stable_pages(&self) -> bool {
        // As with a block device: whoever finds the LUN is asked once.
        self.o_direct
            && self
                .image
                .get()
                .is_none_or(|image| image.data().needs_stable_pages())
    }

    fn is_open(&self) -> bool {
        self.image.get().is_some()
    }

    fn size(&self) -> Option<u64> {
        self.image.get().map(|image| image.file.size())
    }

    fn transfer(&self, cmd: Command<Admitted>, request: Request) {
        // A read that is to tell what is stable has to wait first.
        let waits = request.way == Transfer::Read && request.now(&cmd).durable;
        if self.is_async.load(Relaxed) && !waits {
            self.run(cmd, request, start);
        } else {
            self.run(cmd, request, |Job { cmd, errand }| {
                let (image, request) = errand;
                let writer = image.writer(request);
                let io = request.now(&cmd);
                let result = image.transfer(&cmd, io);
                drop(writer);
                finish(cmd, result);
            });
        }
    }

    fn finish_stable(&self, cmd: Command<Admitted>, off: CacheOff) {
        let Some(image) = self.image.get() else {
            // It was flushed when it was closed.
            return off.stable(cmd);
        };
        let errand = (image, off);
        self.queue.run(Job { cmd, errand }, |Job { cmd, errand }| {
            let (image, off) = errand;
            off.flush(cmd, &image.writers, |cmd| {
                flush(cmd, &image.file, ByteRange::EVERYTHING)
            });
        });
    }

    fn flush(&self, cmd: Command<Admitted>, range: ByteRange, answer: Answer) {
        let Some(image) = self.image.get() else {
            return not_open(cmd);
        };
        if answer == Answer::First && self.flush_for_nobody(image, range).is_ok() {
            return finish(cmd, Ok(()));
        }
        self.run(cmd, range, |Job { cmd, errand }| {
            let (image, range) = errand;
            let result = flush(&cmd, &image.file, range);
            finish(cmd, result);
        });
    }

    fn verify(&self, cmd: Command<Admitted>, range: ByteRange, check: Check, write: bool) {
        self.run(cmd, (range, check, write), |Job { cmd, errand }| {
            let (image, (range, check, write)) = errand;
            let writer = write.then(|| image.writers.enter_in_turn(range));
            let result = image.verify(&cmd, range, check, write);
            drop(writer);
            finish(cmd, result);
        });
    }

    fn operate(&self, cmd: Command<Admitted>, operation: Operation) {
        self.run(cmd, operation, |Job { cmd, errand }| {
            let (image, operation) = errand;
            let outcome = operation.carry_out(&*image, &cmd);
            cmd.finish(outcome);
        });
    }

    fn format_unasked(&self, format: Format) -> Result {
        let image = self.image.get().ok_or(ENODEV)?;
        self.queue.spawn(move || format.carry_out_unasked(&*image))
    }

    fn sync_later(&self) {
        if let Some(image) = self.image.get() {
            let _ = self.flush_for_nobody(image, ByteRange::EVERYTHING);
        }
    }

    fn set_threads(&self, most: u32) {
        self.queue.limit(most);
    }

    fn sync(&self) -> Result {
        self.image.get().map_or(Ok(()), |image| image.file.sync())
    }

    fn is_async(&self) -> bool {
        self.is_async.load(Relaxed)
    }

    fn set_async(&self, on: bool) -> Result {
        self.is_async.store(on, Relaxed);
        Ok(())
    }
}

impl Image {
    /// Counts a write among the writers. Sleeps while a COMPARE AND WRITE is where it goes.
    fn writer(&self, request: Request) -> Option<Writer> {
        (request.way == Transfer::Write).then(|| self.writers.enter_in_turn(request.range))
    }

    /// What reads and writes data.
    fn data(&self) -> &File {
        self.direct.as_ref().unwrap_or(&self.file)
    }

    /// Moves data. Where the storage below cannot take the initiator's buffer as it lies, past the page cache, it is copied.
    fn transfer(&self, cmd: &Command<Admitted>, io: Io) -> Result<(), Outcome> {
        let cmnd = cmd.cmnd();
        if io.way == Transfer::Write {
            self.holds(io.range).map_err(|e| failed(io.way, e))?;
        } else if io.durable {
            flush(cmd, &self.file, io.range)?;
            self.file.forget_range(io.range.offset, io.range.len);
        }
        let before = self.file.mark_errors();
        let moved = match &self.direct {
            Some(direct) if may_change(direct, cmnd, io.way) => copy_data(direct, cmnd, io),
            Some(direct) => match move_data(direct, cmnd, io) {
                Err(EINVAL) => copy_data(direct, cmnd, io),
                other => other,
            },
            None => move_data(&self.file, cmnd, io),
        };
        moved
            .and_then(|()| match io.durable && io.way == Transfer::Write {
                true => told(cmd, &self.file, make_stable(&self.file, io.range, &before)),
                false => Ok(()),
            })
            .map_err(|e| failed(io.way, e))
    }
}

impl Image {
    /// Checks what is stored, having written the command's data there if `write` says so. Sleeps.
    ///
    /// What the page cache holds could differ from what the storage below it does; so it goes there first, and comes back
    /// from there.
    fn verify(
        &self,
        cmd: &Command<Admitted>,
        range: ByteRange,
        check: Check,
        write: bool,
    ) -> Result<(), Outcome> {
        if write {
            let way = Transfer::Write;
            self.transfer(
                cmd,
                Io {
                    way,
                    range,
                    durable: true,
                },
            )?;
        } else {
            flush(cmd, &self.file, range)?;
        }
        self.file.forget_range(range.offset, range.len);
        compare(self.data(), cmd, range, check)
    }

    /// The file is as long as it was when the disk got its size. Writing would make it longer again, and what was lost
    /// with its end would read as zeroes.
    fn holds(&self, range: ByteRange) -> Result {
        match range.offset.saturating_add(range.len) > self.file.size() {
            true => Err(EIO),
            false => Ok(()),
        }
    }
}

impl Medium for Image {
    fn writers(&self) -> &Arc<Writers> {
        &self.writers
    }

    fn unit(&self) -> u32 {
        unit(self.data())
    }

    fn read(&self, offset: u64, into: &mut Bounce) -> Result {
        fill(self.data(), offset, into)
    }

    fn write(&self, offset: u64, from: &Bounce) -> Result {
        self.holds(ByteRange {
            offset,
            len: from.bytes().len() as u64,
        })?;
        self.data().write_at(offset, from.bytes())
    }

    fn give_back(&self, range: ByteRange) -> Result {
        self.file.punch_hole(range.offset, range.len)
    }

    fn zero(&self, range: ByteRange) -> Result {
        self.holds(range)?;
        self.file.punch_hole(range.offset, range.len)
    }

    fn extent(&self, offset: u64) -> Result<(bool, u64)> {
        self.file.extent(offset)
    }

    type Moment = Errors;

    fn now(&self) -> Errors {
        self.file.mark_errors()
    }

    fn make_stable(&self, range: ByteRange, then: &Errors) -> Result {
        make_stable(&self.file, range, then)
    }

    fn make_stable_for_others(&self) -> Result {
        self.file.sync()
    }

    fn tell_next(&self) {
        self.file.tell_next();
    }
}

/// What a transfer that was started needs until it ends.
type Started = ((Live<Image>, Io), Option<Writer>);

/// Starts a transfer that `ended` ends, unless it is over at once.
fn start(Job { cmd, errand }: Errand<Request>) {
    let (image, request) = errand;
    if request.way == Transfer::Write && image.holds(request.range).is_err() {
        return cmd.finish(failed(request.way, EIO));
    }
    let writer = image.writer(request);
    let io = request.now(&cmd);
    // The transfer may end, and with it the last use of the image, before it was started altogether.
    let kept = image.clone();
    // Through the page cache there is nothing to start, and what the cache lost has to be asked for.
    let direct = kept.direct.as_ref();
    let Some(file) = direct.filter(|file| !may_change(file, cmd.cmnd(), io.way)) else {
        let result = image.transfer(&cmd, io);
        drop(writer);
        return finish(cmd, result);
    };
    let request = aio::FileIo {
        way: io.way,
        pos: io.range.offset,
        len: io.wanted(cmd.cmnd()),
        durable: io.durable,
    };
    let errand = ((image, io), writer);
    let Some((Job { cmd, errand }, result)) = file.start(Job { cmd, errand }, request, ended)
    else {
        return;
    };
    let ((image, io), _writer) = errand;
    match result {
        Ok(moved) if moved == request.len => finish(cmd, Ok(())),
        Ok(_) | Err(EINVAL | ENOMEM) => {
            let result = image.transfer(&cmd, io);
            finish(cmd, result);
        }
        Err(e) => {
            started_told(&cmd, &image, io);
            cmd.finish(failed(io.way, e));
        }
    }
}

/// A transfer that was started has failed: it may be that what failed was to bring it, and what others wrote, onto stable storage.
/// Any context.
fn started_told(cmd: &Command<Admitted>, image: &Image, io: Io) {
    if io.durable && io.way == Transfer::Write && cmd.is_aborted() {
        image.file.tell_next();
    }
}

/// What is written past the page cache may change meanwhile, and must not.
fn may_change(direct: &File, cmnd: &Cmnd, way: Transfer) -> bool {
    way == Transfer::Write && direct.needs_stable_pages() && !cmnd.has_stable_buffer()
}

/// Ends a command whose transfer was started. Any context.
fn ended(Job { cmd, errand }: Job<Started>, result: Result<u64>) {
    let ((image, io), writer) = errand;
    if result.is_err() {
        started_told(&cmd, &image, io);
    }
    drop(writer);
    let wanted = io.wanted(cmd.cmnd());
    let result = match result {
        Ok(moved) if moved == wanted => Ok(()),
        // The file has become shorter than the disk that it was.
        Ok(_) => Err(failed(io.way, EIO)),
        Err(e) => Err(failed(io.way, e)),
    };
    finish(cmd, result);
}

/// Brings what was written to `range` since `then` onto stable storage. Sleeps.
fn make_stable(file: &File, range: ByteRange, then: &Errors) -> Result {
    file.sync_range(range.offset, range.len)?;
    // Another command's flush may have been told of what was ours.
    file.has_failed_since(then)
}

/// Moves data. `EIO` where the file is too short. Sleeps.
pub(crate) fn move_data(file: &File, cmnd: &Cmnd, io: Io) -> Result {
    let wanted = io.wanted(cmnd);
    let moved = file.transfer(cmnd, io.way, io.range.offset, wanted)?;
    // Less where the file has become shorter than the disk that it was.
    if moved < wanted {
        return Err(EIO);
    }
    Ok(())
}

/// Moves data past the page cache through a buffer of our own, which the storage takes as it lies. Sleeps.
#[cold]
fn copy_data(file: &File, cmnd: &Cmnd, io: Io) -> Result {
    let wanted = io.wanted(cmnd);
    let wanted = wanted
        .checked_next_multiple_of(u64::from(file.unit()))
        .ok_or(EINVAL)?;
    let mut at: u64 = 0;
    while at < wanted {
        let left = usize::try_from(wanted.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut piece = Bounce::new(left, unit(file))?;
        let offset = io.range.offset.saturating_add(at);
        let in_buffer = usize::try_from(at).unwrap_or(usize::MAX);
        match io.way {
            Transfer::Read => {
                fill(file, offset, &mut piece)?;
                cmnd.copy_to_buffer(in_buffer, piece.bytes());
            }
            Transfer::Write => {
                let sent = cmnd.copy_from_buffer(in_buffer, piece.bytes_mut());
                if sent < piece.bytes().len() {
                    return Err(EINVAL);
                }
                file.write_at(offset, piece.bytes())?;
            }
        }
        at = at.saturating_add(piece.bytes().len() as u64);
    }
    Ok(())
}

/// Bytes that pieces of `file` are multiples of.
fn unit(file: &File) -> u32 {
    file.unit().max(PAGE)
}

/// Fills `piece` from `offset` of `file` on. Sleeps.
fn fill(file: &File, offset: u64, piece: &mut Bounce) -> Result {
    match file.read_at(offset, piece.bytes_mut())? {
        n if n < piece.bytes().len() => Err(EIO),
        _ => Ok(()),
    }
}

/// Brings what was written to `range`, by whomever, onto stable storage. Sleeps.
fn flush(cmd: &Command<Admitted>, file: &File, range: ByteRange) -> Result<(), Outcome> {
    told(cmd, file, file.sync_range(range.offset, range.len))
        .map_err(|e| failed(Transfer::Write, e))
}

/// How bringing something onto stable storage for `cmd` went. The kernel tells each failure once: what this command does not
/// pass on, as it was aborted, is for the next to tell.
fn told(cmd: &Command<Admitted>, file: &File, result: Result) -> Result {
    result.inspect_err(|_| {
        if cmd.is_aborted() {
            file.tell_next();
        }
    })
}

/// Reads `range` of `file` and checks it. Sleeps.
pub(crate) fn compare(
    file: &File,
    cmd: &Command<Admitted>,
    range: ByteRange,
    check: Check,
) -> Result<(), Outcome> {
    read_back(cmd, range, check, unit(file), |offset, piece| {
        fill(file, offset, piece)
    })
}
