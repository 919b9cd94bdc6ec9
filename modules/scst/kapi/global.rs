// SPDX-License-Identifier: GPL-2.0-only

//! The one pointer by which the other modules reach the core.

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::core::Core;

kernel::sync::global_lock! {
    // SAFETY: Initialised in `install`, which module init calls before anything else can run.
    unsafe(uninit) static CORE: Mutex<Option<Arc<Core>>> = None;
}

/// Makes a core and publishes it. Called once, at the start of the core module's init.
pub(crate) fn install() -> Result {
    // SAFETY: Called once per load of the module, before anything that may want the core can be reached.
    unsafe { CORE.init() };
    // Files of the tree may be used from here on; they find no core until there is one.
    let core = Core::new()?;
    *CORE.lock() = Some(core);
    Ok(())
}

/// Takes the core back, at the end of the core module; no other module is loaded any more then.
pub(crate) fn remove() -> Option<Arc<Core>> {
    CORE.lock().take()
}

/// The core. `ENODEV` while it is being loaded or unloaded.
pub fn core() -> Result<Arc<Core>> {
    CORE.lock().clone().ok_or(ENODEV)
}
