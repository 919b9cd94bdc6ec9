// SPDX-License-Identifier: GPL-2.0-only

//! `scst_local`: exports the target stack's devices to the machine that it runs on.
//!
//! One session is one SCSI host. What the midlayer queues there goes to the core in the submitter's own context.

#![crate_name = "scst_local"]
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use scst::kapi::device::{self, RootDevice};
use scst::kapi::global;
use scst::kapi::params;

mod driver;
mod session;
mod transport_id;

use driver::Driver;

/// The target and session that exist from the start, unless `add_default_tgt=0`.
const DEFAULT_TARGET: &str = "scst_local_tgt";
const DEFAULT_SESSION: &str = "scst_local_host";

/// The loaded module.
struct ScstLocal;

impl kernel::Module for ScstLocal {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let core = global::core()?;
        let root = Arc::new(RootDevice::new(driver::NAME, module)?, GFP_KERNEL)?;
        core.register_driver(Driver::new(root)?)?;
        // From here on dropping this value undoes everything.
        let this = Self;
        if params::bool_param(module, c"add_default_tgt").unwrap_or(true) {
            core.add_target(driver::NAME, DEFAULT_TARGET)?;
            core.add_session(driver::NAME, DEFAULT_TARGET, DEFAULT_SESSION)?;
        }
        Ok(this)
    }
}

impl Drop for ScstLocal {
    fn drop(&mut self) {
        if let Ok(core) = global::core() {
            core.unregister_driver(driver::NAME);
        }
        // The hosts' parents are freed by code that must still be there; nothing that frees them waits for us.
        device::drain();
    }
}

module! {
    type: ScstLocal,
    name: "scst_local",
    authors: ["scst-appliance"],
    description: "SCSI target driver for the local machine",
    license: "GPL",
}
