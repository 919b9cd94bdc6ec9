// SPDX-License-Identifier: GPL-2.0-only

//! A file or block device, through the page cache. File systems sleep and call back into the block layer, so all of it
//! runs on a workqueue of the device.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::Arc;

use scst::command::{Admitted, Command, Outcome};
use scst::kapi::cmnd::Cmnd;
use scst::kapi::file::{File, Transfer};
use scst::kapi::workq::WorkQueue;
use scst::proto::range::ByteRange;

use crate::job::Job;
use crate::store::{failed, finish, Answer, Check, Io, Store};
use crate::verify::read_back;

/// The unit that verification reads in.
const PAGE: u32 = 4096;

/// An open file.
pub(crate) struct FileIo {
    // Dropped first: it waits for those who still use the file.
    queue: WorkQueue,
    file: Arc<File>,
}

impl FileIo {
    /// Serves `file`, up to `threads` commands at once.
    pub(crate) fn new(file: File, queue_name: &CStr, threads: u32) -> Result<Self> {
        Ok(Self {
            queue: WorkQueue::new(queue_name, threads)?,
            file: Arc::new(file, GFP_KERNEL)?,
        })
    }

    fn run<P: Send + 'static>(
        &self,
        cmd: Command<Admitted>,
        errand: P,
        f: fn(Job<(Arc<File>, P)>),
    ) {
        self.queue.run(
            Job {
                cmd,
                errand: (self.file.clone(), errand),
            },
            f,
        );
    }
}

impl Store for FileIo {
    fn size(&self) -> Option<u64> {
        Some(self.file.size())
    }

    fn transfer(&self, cmd: Command<Admitted>, io: Io) {
        self.run(
            cmd,
            io,
            |Job {
                 cmd,
                 errand: (file, io),
             }| {
                let result = transfer(&file, cmd.cmnd(), io);
                finish(cmd, result);
            },
        );
    }

    fn flush(&self, cmd: Command<Admitted>, range: ByteRange, answer: Answer) {
        match answer {
            Answer::First => self.run(
                cmd,
                range,
                |Job {
                     cmd,
                     errand: (file, range),
                 }| {
                    finish(cmd, Ok(()));
                    if flush(&file, range).is_err() {
                        pr_err!("a flush that was answered before has failed\n");
                    }
                },
            ),
            Answer::Afterwards => self.run(
                cmd,
                range,
                |Job {
                     cmd,
                     errand: (file, range),
                 }| {
                    finish(cmd, flush(&file, range));
                },
            ),
        }
    }

    fn verify(&self, cmd: Command<Admitted>, range: ByteRange, check: Check, write: bool) {
        self.run(
            cmd,
            (range, check, write),
            |Job {
                 cmd,
                 errand: (file, (range, check, write)),
             }| {
                let result = verify(&file, cmd.cmnd(), range, check, write);
                finish(cmd, result);
            },
        );
    }

    fn sync(&self) -> Result {
        self.file.sync()
    }
}

/// Moves data, and brings it onto stable storage where that is asked for. Sleeps.
pub(crate) fn transfer(file: &File, cmnd: &Cmnd, io: Io) -> Result<(), Outcome> {
    let wanted = io.range.len.min(u64::from(cmnd.buffer_len()));
    let moved = file
        .transfer(cmnd, io.way, io.range.offset, wanted)
        .map_err(|e| failed(io.way, e))?;
    if moved < wanted {
        // The file has become shorter than the disk that it was.
        return Err(failed(io.way, EIO));
    }
    if io.durable {
        flush(file, io.range)?;
    }
    Ok(())
}

fn flush(file: &File, range: ByteRange) -> Result<(), Outcome> {
    file.sync_range(range.offset, range.len)
        .map_err(|e| failed(Transfer::Write, e))
}

/// Checks what is in `file`, having written the command's data there if `write` says so. Sleeps.
///
/// What the page cache holds could still differ from what the storage below it does; so it goes there first.
pub(crate) fn verify(
    file: &File,
    cmnd: &Cmnd,
    range: ByteRange,
    check: Check,
    write: bool,
) -> Result<(), Outcome> {
    if write {
        transfer(
            file,
            cmnd,
            Io {
                way: Transfer::Write,
                range,
                durable: true,
            },
        )?;
    } else {
        flush(file, range)?;
    }
    compare(file, cmnd, range, check)
}

/// Reads `range` of `file` and checks it. Sleeps.
pub(crate) fn compare(
    file: &File,
    cmnd: &Cmnd,
    range: ByteRange,
    check: Check,
) -> Result<(), Outcome> {
    read_back(cmnd, range, check, PAGE, |offset, piece| {
        match file.read_at(offset, piece.bytes_mut())? {
            n if n < piece.bytes().len() => Err(EIO),
            _ => Ok(()),
        }
    })
}
