// SPDX-License-Identifier: GPL-2.0-only

//! The target driver: what is the same for all sessions.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::Arc;

use scst::kapi::device::RootDevice;
use scst::kapi::sysfs::{Attr, Attributes, Page};
use scst::target::{Session, SessionOps, TargetDriver};
use scst::tree;

use crate::session::LocalSession;

/// The driver's name: of its directory, its root device and its SCSI hosts.
pub(crate) const NAME: &CStr = c"scst_local";

/// What error handling did since the module was loaded, over all sessions.
pub(crate) struct Stats {
    pub(crate) aborts: Atomic<i32>,
    pub(crate) device_resets: Atomic<i32>,
    pub(crate) target_resets: Atomic<i32>,
}

/// The driver.
pub(crate) struct Driver {
    root: Arc<RootDevice>,
    stats: Arc<Stats>,
    /// Sessions made so far: each gets a TransportID of its own.
    sessions: Atomic<i32>,
}

impl Driver {
    pub(crate) fn new(root: Arc<RootDevice>) -> Result<Self> {
        let stats = Stats {
            aborts: Atomic::new(0),
            device_resets: Atomic::new(0),
            target_resets: Atomic::new(0),
        };
        Ok(Self {
            root,
            stats: Arc::new(stats, GFP_KERNEL)?,
            sessions: Atomic::new(0),
        })
    }
}

const STATS: u16 = 0;
const VERSION: u16 = 1;

static ATTRS: [Attr; 2] = [
    Attr::new(c"stats", 0o444, STATS),
    Attr::new(c"version", 0o444, VERSION),
];

impl Attributes for Driver {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        match id {
            STATS => page.print(fmt!(
                "Aborts: {}, Device Resets: {}, Target Resets: {}\n",
                self.stats.aborts.load(Relaxed),
                self.stats.device_resets.load(Relaxed),
                self.stats.target_resets.load(Relaxed)
            )),
            VERSION => page.print(fmt!("{}/20110901\n", tree::VERSION)),
            _ => return Err(EIO),
        }
        Ok(())
    }
}

impl TargetDriver for Driver {
    fn name(&self) -> &'static CStr {
        NAME
    }

    fn attrs(&self) -> &'static [Attr] {
        &ATTRS
    }

    fn scsi_transport_version(&self) -> u16 {
        tree::SAS as u16
    }

    fn connect(&self, session: &Arc<Session>) -> Result<Arc<dyn SessionOps>> {
        let number = self.sessions.fetch_add(1, Relaxed) as u32;
        let local = LocalSession::connect(session.clone(), &self.root, self.stats.clone(), number)?;
        Ok(local)
    }
}
