// SPDX-License-Identifier: GPL-2.0-only

//! A store that keeps nothing: what the rest of the stack costs.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};

use scst::command::{Admitted, Command, Outcome};
use scst::kapi::file::Transfer;
use scst::proto::range::ByteRange;

use crate::cache_off::CacheOff;
use crate::format::Format;
use crate::operation::Operation;
use crate::store::{finish, Answer, Check, Facts, Request, Store};

/// Nothing.
pub(crate) struct NullIo {
    read_zero: Atomic<bool>,
}

impl NullIo {
    /// Reads leave the buffer as it is.
    pub(crate) fn new() -> Self {
        Self {
            read_zero: Atomic::new(false),
        }
    }
}

impl Store for NullIo {
    const HAS_BACKING: bool = false;

    fn open(&self, _path: &CStr) -> Result<Facts> {
        Err(EINVAL)
    }

    fn close(&self) -> Result {
        Err(EINVAL)
    }

    fn is_open(&self) -> bool {
        true
    }

    fn size(&self) -> Option<u64> {
        None
    }

    #[inline]
    fn transfer(&self, cmd: Command<Admitted>, request: Request) {
        if request.way == Transfer::Read && self.read_zero.load(Relaxed) {
            cmd.cmnd()
                .zero_buffer(0, usize::try_from(request.range.len).unwrap_or(usize::MAX));
        }
        cmd.finish(Outcome::Good(request.range.len));
    }

    fn finish_stable(&self, cmd: Command<Admitted>, off: CacheOff) {
        off.stable(cmd);
    }

    fn flush(&self, cmd: Command<Admitted>, _range: ByteRange, _answer: Answer) {
        finish(cmd, Ok(()));
    }

    fn verify(&self, cmd: Command<Admitted>, _range: ByteRange, _check: Check, _write: bool) {
        finish(cmd, Ok(()));
    }

    fn operate(&self, cmd: Command<Admitted>, _operation: Operation) {
        finish(cmd, Ok(()));
    }

    fn format_unasked(&self, _format: Format) -> Result {
        Ok(())
    }

    fn sync(&self) -> Result {
        Ok(())
    }

    fn read_zero(&self) -> bool {
        self.read_zero.load(Relaxed)
    }

    fn set_read_zero(&self, on: bool) -> Result {
        self.read_zero.store(on, Relaxed);
        Ok(())
    }
}
