// SPDX-License-Identifier: GPL-2.0-only

//! The target driver: what is the same for all sessions.

use kernel::prelude::*;
use kernel::str::{CStr, CString};
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use scst::kapi::device::{RootDevice, VirtualDevice};
use scst::kapi::sysfs::{Attr, Attributes, Page};
use scst::target::{Session, SessionOps, TargetDriver};
use scst::tree;

use crate::session::LocalSession;

/// The driver's name: of its directory, its root device and its SCSI hosts.
pub(crate) const NAME: &CStr = c"scst_local";

/// What error handling did since the module was loaded, over all sessions. What it tried in vain is not counted.
pub(crate) struct Stats {
    pub(crate) aborts: Atomic<i32>,
    pub(crate) device_resets: Atomic<i32>,
    pub(crate) target_resets: Atomic<i32>,
}

/// The driver.
#[pin_data]
pub(crate) struct Driver {
    root: Arc<RootDevice>,
    stats: Arc<Stats>,
    /// Number of the next session: each gets a TransportID of its own.
    sessions: Atomic<i32>,
    /// Held while a session's device is named and registered.
    #[pin]
    naming: Mutex<()>,
}

impl Driver {
    pub(crate) fn new(root: Arc<RootDevice>) -> Result<Arc<Self>> {
        let stats = Stats {
            aborts: Atomic::new(0),
            device_resets: Atomic::new(0),
            target_resets: Atomic::new(0),
        };
        let stats = Arc::new(stats, GFP_KERNEL)?;
        Arc::pin_init(
            try_pin_init!(Self {
                root,
                stats,
                sessions: Atomic::new(1),
                naming <- new_mutex!(()),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// The device that the host of session `number` hangs from. It is called like the session; where another target's
    /// session has that name, with the number behind it.
    fn device(&self, session: &CStr, number: u32) -> Result<VirtualDevice> {
        let _naming = self.naming.lock();
        match VirtualDevice::new(&self.root, session) {
            Err(e) if e == EEXIST => {
                let name = CString::try_from_fmt(fmt!("{}:{number}", session.to_str()?))?;
                VirtualDevice::new(&self.root, &name)
            }
            device => device,
        }
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

    fn scsi_transport_version(&self) -> Option<u16> {
        Some(tree::SAS)
    }

    fn sg_tablesize(&self) -> u32 {
        scst::kapi::host::SG_TABLESIZE
    }

    fn connect(&self, session: &Arc<Session>) -> Result<Arc<dyn SessionOps>> {
        let number = self.sessions.fetch_add(1, Relaxed) as u32;
        let device = self.device(session.name().as_cstr(), number)?;
        let local = LocalSession::connect(session.clone(), device, self.stats.clone(), number)?;
        Ok(local)
    }
}
