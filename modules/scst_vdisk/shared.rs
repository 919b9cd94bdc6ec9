// SPDX-License-Identifier: GPL-2.0-only

//! What the devices of all handlers share.

use kernel::prelude::*;
use kernel::sync::Arc;

use scst::kapi::workq::WorkQueue;

use crate::serials::Serials;

/// The module's own.
pub(crate) struct Shared {
    /// For commands that write small files.
    pub(crate) queue: WorkQueue,
    /// Serial numbers, which no two devices have in common.
    pub(crate) serials: Arc<Serials>,
}

impl Shared {
    /// Nothing taken, nothing to do.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let this = Self {
            queue: WorkQueue::new(c"scst_vdisk", 0)?,
            serials: Serials::new()?,
        };
        Ok(Arc::new(this, GFP_KERNEL)?)
    }
}
