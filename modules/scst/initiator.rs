// SPDX-License-Identifier: GPL-2.0-only

//! The initiator port of a session: who reservations belong to.

use kernel::prelude::*;
use kernel::sync::{new_spinlock, SpinLock};

use crate::proto::pr_id::TransportId;

/// An initiator port that is logged in. RESERVE belongs to it for as long as it is; persistent reservations belong to its
/// TransportID, which may be given another value at any time, for the commands that come then.
#[pin_data]
pub struct Initiator {
    #[pin]
    id: SpinLock<TransportId>,
}

impl Initiator {
    /// A port that its driver has not named yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            id <- new_spinlock!(TransportId::NONE),
        })
    }

    /// Gives it the TransportID `bytes`. `EINVAL` for what cannot be one.
    pub(crate) fn set_id(&self, bytes: &[u8]) -> Result {
        let id = TransportId::of_session(bytes).map_err(|_| EINVAL)?;
        *self.id.lock() = id;
        Ok(())
    }

    /// Its TransportID.
    pub(crate) fn id(&self) -> TransportId {
        self.id.lock().clone()
    }

    /// Calls `f` with its TransportID, without a copy. `f` must not sleep, nor use this port.
    pub(crate) fn with_id<T>(&self, f: impl FnOnce(&TransportId) -> T) -> T {
        f(&self.id.lock())
    }
}
