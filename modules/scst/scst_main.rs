// SPDX-License-Identifier: GPL-2.0-only

//! `scst`: the core of the SCSI target stack.
//!
//! Transports ([`target::TargetDriver`]) bring commands in, devices ([`device::Handler`]) carry them out, and this
//! module stands between: which initiator sees which device at which LUN, and what stops a command on its way. All of it
//! is configured below `/sys/kernel/scst_tgt`, in SCST's own words.

#![crate_name = "scst"]
#![deny(unsafe_code)]

use kernel::prelude::*;

mod access;
pub(crate) mod alive;
pub mod attention;
pub mod command;
mod copy_manager;
pub mod core;
pub mod device;
pub(crate) mod device_groups;
pub mod execute;
mod freeze;
pub mod group;
mod groups;
pub mod initiator;
pub mod kapi;
mod latency;
mod luns;
pub mod mode;
pub mod name;
pub mod nexus;
mod port_access;
mod port_groups;
#[path = "../proto/mod.rs"]
pub mod proto;
mod reservation;
mod reservation_attrs;
mod reservation_file;
mod reservation_out;
pub mod reset;
mod set_port_groups;
pub mod settle;
mod stats;
pub mod target;
mod targets;
pub mod task;
pub mod tree;
mod works;

/// The loaded module.
struct Scst;

impl kernel::Module for Scst {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        kapi::params::settle();
        kapi::global::install()?;
        // From here on dropping this value undoes everything.
        let this = Self;
        copy_manager::start(&*kapi::global::core()?)?;
        Ok(this)
    }
}

impl Drop for Scst {
    fn drop(&mut self) {
        if let Some(core) = kapi::global::remove() {
            copy_manager::stop(&core);
            core.shut_down();
        }
        kapi::sysfs::drain();
    }
}

module! {
    type: Scst,
    name: "scst",
    authors: ["scst-appliance"],
    description: "SCSI target core",
    license: "GPL",
}
