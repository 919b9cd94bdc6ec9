// SPDX-License-Identifier: GPL-2.0-only

//! The one pointer by which the other modules reach the core.

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::core::Core;

kernel::sync::global_lock! {
    // SAFETY: Initialised in `install`, which module init calls before anything else can run.
    unsafe(uninit) static CORE: Mutex<Option<Arc<Core>>> = None;
}

/// Publishes the core. Called once, at the start of the core module's init.
pub(crate) fn install(core: Arc<Core>) {
    // SAFETY: Called once per load of the module, before any user of the lock.
    unsafe { CORE.init() };
    *CORE.lock() = Some(core);
}

/// Takes the core back, at the end of the core module; no other module is loaded any more then.
pub(crate) fn remove() -> Option<Arc<Core>> {
    CORE.lock().take()
}

/// The core. `ENODEV` while it is being loaded or unloaded.
pub fn core() -> Result<Arc<Core>> {
    CORE.lock().clone().ok_or(ENODEV)
}
