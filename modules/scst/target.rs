// SPDX-License-Identifier: GPL-2.0-only

//! Target drivers, targets, sessions, and the LUNs that they show.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use crate::alive::Kept;
use crate::device::Device;
use crate::kapi::livemap::LiveMap;
use crate::kapi::sysfs::{Attr, Attributes, Dir};
use crate::name::Name;
use crate::nexus::Nexus;

/// A transport that logical units are exported by, as a directory in `targets/`.
///
/// Its code must stay loaded until [`crate::core::Core::unregister_driver`] has returned.
pub trait TargetDriver: Attributes {
    /// The directory's name.
    fn name(&self) -> &'static CStr;

    /// The driver's own files in `targets/<driver>/`.
    fn attrs(&self) -> &'static [Attr];

    /// SCSI transport version descriptor of a new target (SPC-4 6.6.2).
    fn scsi_transport_version(&self) -> u16;

    /// Connects a session. LUNs are in the session's map already. Called with no lock held; sleeps.
    fn connect(&self, session: &Arc<Session>) -> Result<Arc<dyn SessionOps>>;
}

/// The driver's side of a session. [`Attributes`] are its files in `sessions/<name>/`.
pub trait SessionOps: Attributes {
    /// The driver's own files.
    fn attrs(&self) -> &'static [Attr];

    /// Adds links to the session's directory.
    fn link(&self, dir: &Dir) -> Result;

    /// A LUN is in the map now: make it known to the initiator. Sleeps.
    fn lun_added(&self, lun: u16);

    /// A LUN is about to leave the map: let the initiator finish with it. Sleeps.
    fn lun_removed(&self, lun: u16);

    /// A LUN's capacity or identity has changed. Sleeps.
    fn lun_changed(&self, lun: u16);

    /// Disconnects; no command arrives after this returns. Sleeps.
    fn close(&self);
}

/// What a target port says of itself.
pub struct Port {
    /// Relative target port identifier, 0 while none is set.
    pub rel_tgt_id: Atomic<i32>,
    /// SCSI transport version descriptor.
    pub scsi_transport_version: Atomic<i32>,
    /// Physical transport version descriptor, 0 while none is set.
    pub phys_transport_version: Atomic<i32>,
}

impl Port {
    /// A port as a driver's new target has it.
    pub(crate) fn new(scsi_transport_version: u16) -> Self {
        Self {
            rel_tgt_id: Atomic::new(0),
            scsi_transport_version: Atomic::new(i32::from(scsi_transport_version)),
            phys_transport_version: Atomic::new(0),
        }
    }

    /// The relative target port identifier.
    pub fn relative_id(&self) -> u16 {
        self.rel_tgt_id.load(Relaxed) as u16
    }
}

/// One I_T nexus: an initiator that is logged in at a target.
#[pin_data]
pub struct Session {
    name: Name,
    pub(crate) port: Arc<Port>,
    /// What the initiator sees.
    #[pin]
    pub(crate) luns: LiveMap<Nexus>,
    /// Set once the driver has connected it, taken out when it goes.
    #[pin]
    pub(crate) ops: Mutex<Option<Kept<dyn SessionOps>>>,
    #[pin]
    pub(crate) dir: Mutex<Option<Dir>>,
}

impl Session {
    pub(crate) fn new(name: Name, port: Arc<Port>) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                name,
                port,
                luns <- LiveMap::new(),
                ops <- new_mutex!(None),
                dir <- new_mutex!(None),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// The initiator's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The LUNs that the initiator sees now, in ascending order.
    pub(crate) fn lun_list(&self) -> Result<KVec<u16>> {
        // Counted first: the map must not be walked and memory allocated at once.
        let mut count: usize = 0;
        self.luns.for_each(|_, _| count += 1);
        let mut luns = KVec::with_capacity(count.saturating_add(8), GFP_KERNEL)?;
        self.luns.for_each(|lun, _| {
            // A LUN that came meanwhile and does not fit is announced by a unit attention of its own.
            let _ = luns.push_within_capacity(lun as u16);
        });
        Ok(luns)
    }

    /// What the initiator sees, by LUN.
    pub fn luns(&self) -> &LiveMap<Nexus> {
        &self.luns
    }

    pub(crate) fn ops(&self) -> Option<Kept<dyn SessionOps>> {
        self.ops.lock().clone()
    }
}

/// A target. Dropped only after its sessions, LUNs and directories were taken out.
pub(crate) struct Target {
    pub(crate) name: Arc<Name>,
    pub(crate) port: Arc<Port>,
    pub(crate) luns: KVec<Lun>,
    pub(crate) sessions: KVec<Arc<Session>>,
    pub(crate) dirs: Option<TargetDirs>,
    /// On its way out: its name is taken, but nothing can be added.
    pub(crate) removing: bool,
}

/// The directories of a target, children first.
pub(crate) struct TargetDirs {
    pub(crate) luns: Dir,
    pub(crate) sessions: Dir,
    /// The target's own, held for its contents' sake.
    pub(crate) _dir: Dir,
}

/// A device at a LUN, for all sessions of the target.
pub(crate) struct Lun {
    pub(crate) lun: u16,
    pub(crate) device: Arc<Device>,
    pub(crate) read_only: bool,
    pub(crate) dir: Option<Dir>,
    /// Number of the link in the device's `exported/`.
    pub(crate) export: u32,
    /// On its way out.
    pub(crate) removing: bool,
}
