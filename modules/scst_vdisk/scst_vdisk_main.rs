// SPDX-License-Identifier: GPL-2.0-only

//! `scst_vdisk`: virtual disks and CD-ROM drives. One block command set over a [`store::Store`]: a file (`vdisk_fileio`), a
//! block device (`vdisk_blockio`), or nothing (`vdisk_nullio`); and a drive (`vcdrom`) whose discs are files.
//!
//! | file | |
//! |---|---|
//! | `handler`, `params` | `add_device`: its parameters, and what is made of them |
//! | `unit`, `mode`, `saved`, `identity`, `serials`, `shared` | what every device is and says of itself |
//! | `attrs` | which files it has |
//! | `disk`, `disk_attrs` | a disk and its files |
//! | `sbc`, `answers` | a disk's commands: those that reach the store, and those that the state alone answers |
//! | `cdrom`, `mmc` | a drive and its files; its commands |
//! | `removal` | media that initiators take out and put back |
//! | `store` | what a backing store has to do |
//! | `fileio`, `blockio`, `nullio` | the stores |
//! | `operation`, `verify`, `job` | what takes several steps, reading back, and commands on a workqueue |
//!
//! Locks: `Unit::identity`, and inside it `Serials::taken`; on a worker `Saved::turn`. Commands that move data take none. And outside of every
//! other lock `Disk::filename` and `Cdrom::filename`, which no command takes.

#![crate_name = "scst_vdisk"]
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use scst::core::Core;
use scst::kapi::global;
use scst::kapi::params::IntParam;

mod answers;
mod attrs;
mod blockio;
mod cache_off;
mod cdrom;
mod disk;
mod disk_attrs;
mod fileio;
mod format;
mod handler;
mod identity;
mod job;
mod mmc;
mod nullio;
mod operation;
mod params;
mod removal;
mod saved;
mod sbc;
mod serials;
mod shared;
mod store;
mod unit;
mod verify;
mod writers;

use handler::{Kind, Vdisk};

/// Commands that one device runs at once where they have to wait, unless the parameter says otherwise.
const DEFAULT_THREADS: u32 = 8;

/// The loaded module: its handlers are registered.
struct ScstVdisk {
    core: Arc<Core>,
}

impl kernel::Module for ScstVdisk {
    fn init(module: &'static ThisModule) -> Result<Self> {
        // Dropped on failure, which unregisters what was registered.
        let this = Self {
            core: global::core()?,
        };
        let shared = shared::Shared::new()?;
        let threads = threads(module);
        for kind in Kind::ALL {
            let handler = Arc::new(Vdisk::new(kind, shared.clone(), threads), GFP_KERNEL)?;
            this.core.register_handler(handler)?;
        }
        Ok(this)
    }
}

impl Drop for ScstVdisk {
    fn drop(&mut self) {
        for kind in Kind::ALL {
            self.core.unregister_handler(kind.name());
        }
    }
}

/// The parameter `num_threads`, made a number of threads that makes sense.
fn threads(module: &'static ThisModule) -> u32 {
    let Some(param) = IntParam::of(module, c"num_threads") else {
        return DEFAULT_THREADS;
    };
    match u32::try_from(param.get()) {
        Ok(n) if n > 0 => n,
        _ => {
            pr_err!("num_threads can not be less than 1, using {DEFAULT_THREADS}\n");
            param.set(DEFAULT_THREADS as i32);
            DEFAULT_THREADS
        }
    }
}

module! {
    type: ScstVdisk,
    name: "scst_vdisk",
    authors: ["scst-appliance"],
    description: "Virtual disks over files, block devices and nothing for the SCSI target stack",
    license: "GPL",
}
