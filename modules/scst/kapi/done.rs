// SPDX-License-Identifier: GPL-2.0-only

//! Waiting for something to be done, but not for ever.
//!
//! C header: [`include/linux/completion.h`](srctree/include/linux/completion.h)

use kernel::bindings as c;
use kernel::prelude::*;
use kernel::types::Opaque;

/// Something that is done once.
#[pin_data]
pub struct Done {
    #[pin]
    inner: Opaque<c::completion>,
}

// SAFETY: A completion may be used from any thread.
unsafe impl Send for Done {}
// SAFETY: As above.
unsafe impl Sync for Done {}

impl Done {
    /// Not yet done.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is writable memory for a completion that does not move.
            inner <- Opaque::ffi_init(|slot| unsafe { c::init_completion(slot) }),
        })
    }

    /// It is done. Any context.
    pub fn set(&self) {
        // SAFETY: Initialised by `new`.
        unsafe { c::complete_all(self.inner.get()) };
    }

    /// Waits until it is done: for `ms` milliseconds, then `EAGAIN`; or until the process is killed, then `ERESTARTSYS`.
    pub fn wait_killable(&self, ms: u32) -> Result {
        // SAFETY: Initialised by `new`; `msecs_to_jiffies` takes any number.
        let left = unsafe {
            let jiffies = c::__msecs_to_jiffies(ms);
            c::wait_for_completion_killable_timeout(self.inner.get(), jiffies)
        };
        match left {
            0 => Err(EAGAIN),
            1.. => Ok(()),
            _ => Err(ERESTARTSYS),
        }
    }
}
