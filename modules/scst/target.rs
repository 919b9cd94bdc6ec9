// SPDX-License-Identifier: GPL-2.0-only

//! Target drivers, targets, sessions, and the LUNs that they show.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use crate::alive::Kept;
use crate::group::Group;
use crate::initiator::Initiator;
use crate::kapi::host::Sent;
use crate::kapi::livemap::LiveMap;
use crate::kapi::sysfs::{Attr, Attributes, Dir};
use crate::latency::Latency;
use crate::name::Name;
use crate::nexus::Nexus;
use crate::stats::Stats;

/// A transport that logical units are exported by, as a directory in `targets/`.
///
/// Its code must stay loaded until [`crate::core::Core::unregister_driver`] has returned.
pub trait TargetDriver: Attributes {
    /// The directory's name.
    fn name(&self) -> &'static CStr;

    /// The driver's own files in `targets/<driver>/`.
    fn attrs(&self) -> &'static [Attr];

    /// Whether targets and sessions are made by those who configure the driver, by a file `mgmt`.
    fn is_managed(&self) -> bool {
        true
    }

    /// Whether devices that refuse writes can be mapped by hand.
    fn takes_read_only(&self) -> bool {
        true
    }

    /// SCSI transport version descriptor of a new target (SPC-4 6.6.2); `None` where the driver's targets claim none, and
    /// have no files for the versions.
    fn scsi_transport_version(&self) -> Option<u16>;

    /// The most pieces that the data of a command may be in.
    fn sg_tablesize(&self) -> u32;

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

    /// A LUN's capacity or identity has changed, perhaps as another device took its place. Sleeps.
    fn lun_changed(&self, lun: u16);

    /// The device at a LUN takes another number of commands at once. Sleeps.
    fn limit_changed(&self, lun: u16);

    /// Commands that came in at `lun`, or at all LUNs, and were not yet given back. `None` where that cannot be told for a
    /// second, as LUNs come or go. Sleeps.
    fn commands(&self, lun: Option<u16>) -> Option<u32>;

    /// Calls `f`, which must not sleep, for every command that came in and was not yet given back. `false` where that
    /// cannot be told now, as LUNs come or go.
    fn list_commands(&self, _f: &mut dyn FnMut(Sent<'_>)) -> bool {
        true
    }

    /// The initiator aborts commands, or resets units. `None` where that cannot be told now.
    fn is_recovering(&self) -> Option<bool> {
        Some(false)
    }

    /// Disconnects; no command arrives after this returns. Sleeps.
    fn close(&self);
}

/// What a target port says of itself.
pub struct Port {
    /// Relative target port identifier, 0 while none is set.
    pub rel_tgt_id: Atomic<i32>,
    /// SCSI transport version descriptor that somebody chose, 0 for the driver's own.
    pub(crate) scsi_transport_version: Atomic<i32>,
    /// The driver's own.
    pub(crate) driver_version: u16,
    /// Physical transport version descriptor, 0 while none is set.
    pub phys_transport_version: Atomic<i32>,
    /// Not 0: initiators learn of changes by unit attentions alone, nothing is scanned for them.
    pub(crate) aen_disabled: Atomic<i32>,
}

impl Port {
    /// A port as a driver's new target has it.
    pub(crate) fn new(driver_version: u16) -> Self {
        Self {
            rel_tgt_id: Atomic::new(0),
            scsi_transport_version: Atomic::new(0),
            driver_version,
            phys_transport_version: Atomic::new(0),
            aen_disabled: Atomic::new(0),
        }
    }

    /// The relative target port identifier.
    pub fn relative_id(&self) -> u16 {
        self.rel_tgt_id.load(Relaxed) as u16
    }

    /// The SCSI transport version descriptor that the port claims (SPC-4 6.6.2).
    pub fn scsi_version(&self) -> u16 {
        match self.scsi_transport_version.load(Relaxed) {
            0 => self.driver_version,
            chosen => chosen as u16,
        }
    }

    /// Whether initiators are told of changes as they happen.
    pub(crate) fn tells(&self) -> bool {
        self.aen_disabled.load(Relaxed) == 0
    }
}

/// One I_T nexus: an initiator at a target port, and what is kept for it over all its LUNs.
pub struct ItNexus {
    /// The initiator's name.
    pub(crate) initiator: Name,
    /// Who it is to reservations.
    pub(crate) identity: Arc<Initiator>,
    pub(crate) port: Arc<Port>,
    pub(crate) stats: Stats,
    pub(crate) latency: Latency,
    /// Not 0: the initiator has to be told, once at any LUN, that its list of LUNs is another (3F/0E).
    pub(crate) luns_changed: Atomic<i32>,
    /// How REPORT LUNS writes the LUNs, an [`crate::group::addr_method`].
    pub(crate) addr_method: Atomic<i32>,
}

/// A session: an I_T nexus while it is logged in, and what it sees.
#[pin_data]
pub struct Session {
    /// Where the session belongs.
    driver: Kept<dyn TargetDriver>,
    pub(crate) target: Arc<Name>,
    /// The name of its directory: the initiator's, made different from the others of its target.
    name: Name,
    pub(crate) it: Arc<ItNexus>,
    /// What the initiator sees.
    #[pin]
    pub(crate) luns: LiveMap<Nexus>,
    /// Held while what the initiator sees is changed; no command needs it.
    #[pin]
    pub(crate) layout: Mutex<()>,
    /// The group whose LUNs it sees; `None` for the target's own. Changed under the configuration's lock.
    #[pin]
    group: Mutex<Option<Arc<Name>>>,
    /// Set once the driver has connected it, taken out when it goes.
    #[pin]
    pub(crate) ops: Mutex<Option<Kept<dyn SessionOps>>>,
    #[pin]
    pub(crate) dir: Mutex<Option<SessionDirs>>,
    /// Not 0: on its way out, it sees nothing any more.
    pub(crate) gone: Atomic<i32>,
    /// Ascending in the order in which sessions are made, and never used again.
    pub(crate) number: u64,
}

/// The directories of a session but those of its LUNs, children first.
pub(crate) struct SessionDirs {
    pub(crate) _latency: Dir,
    pub(crate) dir: Dir,
}

/// What a new session is made of.
pub(crate) struct NewSession {
    pub(crate) driver: Kept<dyn TargetDriver>,
    pub(crate) target: Arc<Name>,
    pub(crate) name: Name,
    pub(crate) initiator: Name,
    pub(crate) port: Arc<Port>,
    pub(crate) number: u64,
}

impl Session {
    pub(crate) fn new(new: NewSession) -> Result<Arc<Self>> {
        let it = ItNexus {
            initiator: new.initiator,
            identity: Arc::pin_init(Initiator::new(), GFP_KERNEL)?,
            port: new.port,
            stats: Stats::new()?,
            latency: Latency::new()?,
            luns_changed: Atomic::new(0),
            addr_method: Atomic::new(0),
        };
        let it = Arc::new(it, GFP_KERNEL)?;
        Arc::pin_init(
            try_pin_init!(Self {
                driver: new.driver,
                target: new.target,
                name: new.name,
                it,
                luns <- LiveMap::new(),
                layout <- new_mutex!(()),
                group <- new_mutex!(None),
                ops <- new_mutex!(None),
                dir <- new_mutex!(None),
                gone: Atomic::new(0),
                number: new.number,
            }? Error),
            GFP_KERNEL,
        )
    }

    /// The driver's name.
    pub(crate) fn driver(&self) -> &CStr {
        self.driver.name()
    }

    /// The name of the session's directory, unlike any other of its target.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The initiator's name.
    pub fn initiator(&self) -> &Name {
        &self.it.initiator
    }

    /// Names the initiator port: the driver does before the first command, and again whenever the name changes. `EINVAL`
    /// for what cannot be a TransportID.
    pub fn set_transport_id(&self, id: &[u8]) -> Result {
        self.it.identity.set_id(id)
    }

    /// The group that it sees the LUNs of.
    pub(crate) fn group(&self) -> Option<Arc<Name>> {
        self.group.lock().clone()
    }

    /// Puts it in another group. Under the configuration's lock.
    pub(crate) fn set_group(&self, group: Option<Arc<Name>>) {
        let before = core::mem::replace(&mut *self.group.lock(), group);
        drop(before);
    }

    /// Whether it sees the LUNs of the group of this name.
    pub(crate) fn is_in(&self, group: Option<&str>) -> bool {
        self.group.lock().as_ref().map(|g| g.as_str()) == group
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
    /// The target's own LUNs first, then its initiator groups in the order in which they were made.
    pub(crate) groups: KVec<Group>,
    pub(crate) sessions: KVec<Arc<Session>>,
    pub(crate) dirs: Option<TargetDirs>,
    /// What somebody has written down about it.
    pub(crate) comment: KVec<u8>,
    /// Kept for those who configure it; nothing here forwards.
    pub(crate) forward_src: bool,
    pub(crate) forward_dst: bool,
    /// On its way out: its name is taken, but nothing can be added.
    pub(crate) removing: bool,
}

impl Target {
    /// The group of this name, or the target's own LUNs.
    pub(crate) fn group_named(&self, name: Option<&str>) -> Option<&Group> {
        self.groups.iter().find(|g| g.group_name() == name)
    }

    /// As [`Self::group_named`].
    pub(crate) fn group_named_mut(&mut self, name: Option<&str>) -> Option<&mut Group> {
        self.groups.iter_mut().find(|g| g.group_name() == name)
    }

    /// The group whose LUNs an initiator of this name sees: the first that takes it, or the target's own.
    pub(crate) fn group_for(&self, initiator: &str) -> Option<&Group> {
        self.groups
            .iter()
            .find(|g| g.name.is_some() && g.takes(initiator))
            .or_else(|| self.group_named(None))
    }
}

/// The directories of a target, children first.
pub(crate) struct TargetDirs {
    pub(crate) sessions: Dir,
    pub(crate) ini_groups: Dir,
    /// The target's own.
    pub(crate) dir: Dir,
}
