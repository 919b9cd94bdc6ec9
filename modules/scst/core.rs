// SPDX-License-Identifier: GPL-2.0-only

//! The configuration: which handlers, devices, drivers, targets, sessions and LUNs there are, and how they come and go.
//!
//! One lock guards the lists. It is held for looking up, adding and taking out only: nothing that waits for I/O, for a
//! user of a file in sysfs or for another module is called under it. So whatever goes, goes in three steps:
//!
//! 1. under the lock, it is marked and its directories are taken out of it; its name stays taken;
//! 2. without the lock, it is disconnected, drained, and its directories are removed;
//! 3. under the lock, it leaves its list.
//!
//! No command needs this lock.

use core::ops::{Deref, DerefMut};

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::lock::mutex::MutexBackend;
use kernel::sync::lock::Guard;
use kernel::sync::{new_mutex, Arc, Mutex};

use crate::alive::{Count, Kept};
use crate::attention::Precedence;
use crate::copy_manager;
use crate::device::{Create, Device, DeviceDirs, Handler};
use crate::device_groups::DeviceGroup;
use crate::group::{Group, Place};
use crate::kapi::noio::NoIo;
use crate::kapi::params;
use crate::kapi::sysfs::{Dir, Failed, Section};
use crate::kapi::workq::{Threads, WorkQueue};
use crate::name::Name;
use crate::nexus::Nexus;
use crate::proto::device_type::DeviceType;
use crate::proto::mgmt;
use crate::proto::sense::Sense;
use crate::target::{Session, Target, TargetDriver};
use crate::tree::{self, Tree};
use crate::works::Works;

/// The core's state.
#[pin_data]
pub struct Core {
    #[pin]
    admin: Mutex<Admin>,
    works: Works,
    /// Part with devices that others have replaced, where nobody is to wait for that.
    partings: Threads,
    /// Runs commands that change what others may do: PERSISTENT RESERVE OUT, SET TARGET PORT GROUPS.
    change_queue: WorkQueue,
    /// Held while commands are held back or let go, not while those under way are waited for.
    #[pin]
    pub(crate) freezes: Mutex<()>,
    /// The root's `threads`: what each device has that was given no number of its own. Held while a device is told its number,
    /// so that the last to be told is the last to have been worked out.
    #[pin]
    pool: Mutex<i32>,
    /// Upper half of the numbers that default identities are made from.
    pub(crate) setup_id: Atomic<i32>,
}

/// What the lock guards.
pub(crate) struct Admin {
    pub(crate) tree: Option<Tree>,
    handlers: KVec<HandlerEntry>,
    devices: KVec<DeviceEntry>,
    pub(crate) drivers: KVec<DriverEntry>,
    sessions_made: u64,
    pub(crate) device_groups: KVec<DeviceGroup>,
}

struct HandlerEntry {
    handler: Arc<dyn Handler>,
    dir: Option<Dir>,
    /// Those who still refer to it or to one of its devices.
    alive: Count,
}

/// A device, or the name of one that is being made or removed.
struct DeviceEntry {
    name: Name,
    family: &'static str,
    device: Option<Arc<Device>>,
}

/// A driver, and what belongs to it.
pub(crate) struct DriverEntry {
    pub(crate) driver: Arc<dyn TargetDriver>,
    /// Those who still refer to it or to its side of a session.
    pub(crate) alive: Count,
    pub(crate) dir: Option<Dir>,
    pub(crate) targets: KVec<Target>,
}

impl Core {
    /// The core with its empty tree in `/sys/kernel/scst_tgt`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let tree = Tree::new()?;
        Arc::pin_init(
            try_pin_init!(Self {
                admin <- new_mutex!(Admin {
                    tree: Some(tree),
                    handlers: KVec::new(),
                    devices: KVec::new(),
                    drivers: KVec::new(),
                    sessions_made: 0,
                    device_groups: KVec::new(),
                }),
                works: Works::new()?,
                partings: Threads::new(c"scst_part")?,
                change_queue: WorkQueue::new(c"scst_change", 0)?,
                freezes <- new_mutex!(()),
                pool <- new_mutex!(params::scst_threads()),
                setup_id: Atomic::new(0),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Takes the tree down, at the end of the core module.
    pub(crate) fn shut_down(&self) {
        let (groups, tree) = {
            let mut admin = self.admin();
            (core::mem::take(&mut admin.device_groups), admin.tree.take())
        };
        for mut group in groups {
            drop(group.take_content());
        }
        drop(tree);
        self.works.drain();
        // What an initiator changed may still be told to others, by somebody who holds the core.
        self.change_queue.flush();
        self.partings.flush();
    }

    /// What runs management commands.
    pub(crate) fn works(&self) -> &Works {
        &self.works
    }

    /// What waits for devices that were replaced.
    pub(crate) fn partings(&self) -> &Threads {
        &self.partings
    }

    /// What runs commands that change what others may do.
    pub(crate) fn change_queue(&self) -> &WorkQueue {
        &self.change_queue
    }

    /// Makes `handlers/<name>`.
    pub fn register_handler(&self, handler: Arc<dyn Handler>) -> Result {
        let alive = Count::new()?;
        Ok(self.locked(|admin| {
            admin.handlers.reserve(1, GFP_KERNEL).map_err(Error::from)?;
            let tree = admin.tree.as_ref().ok_or(ENODEV)?;
            let dir = tree::handler_dir(&tree.handlers, alive.keep(&handler))?;
            admin
                .handlers
                .push_within_capacity(HandlerEntry {
                    handler,
                    dir: Some(dir),
                    alive,
                })
                .map_err(|_| ENOMEM)?;
            Ok(())
        })?)
    }

    /// The configuration, locked. No allocation under the lock starts I/O: error handling of a LUN may want the lock too.
    pub(crate) fn admin(&self) -> Locked<'_> {
        let scope = NoIo::enter();
        Locked {
            admin: self.admin.lock(),
            _scope: scope,
        }
    }

    /// Runs `f` under the lock. A half-made directory that a failure brings along is dropped after the lock is free.
    pub(crate) fn locked<T>(
        &self,
        f: impl FnOnce(&mut Admin) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        f(&mut self.admin())
    }

    /// Deletes the handler's devices, LUNs first, and its directory. After this no code of the handler runs any more.
    pub fn unregister_handler(&self, name: &CStr) {
        // The directory first: nobody adds a device any more.
        let dir = self
            .admin()
            .handlers
            .iter_mut()
            .find(|h| h.handler.name() == name)
            .and_then(|h| h.dir.take());
        while let Some(device) = self.any_device_of(name) {
            if self.remove_device(&device).is_err() {
                // Somebody else is at it; their removal ends by itself.
                crate::kapi::msleep(5);
            }
        }
        drop(dir);
        // Whoever removed a LUN or a session of theirs may still hold a device, and a work the handler.
        if let Some(alive) = self.alive_of(name) {
            alive.wait();
        }
        // Its workqueue goes with it, which waits for what may want the lock.
        let gone = take(&mut self.admin().handlers, |h| h.handler.name() == name);
        drop(gone);
    }

    /// The count of the handler's users.
    fn alive_of(&self, handler: &CStr) -> Option<Count> {
        let admin = self.admin();
        let entry = admin.handlers.iter().find(|h| h.handler.name() == handler);
        entry.map(|h| h.alive.clone())
    }

    fn any_device_of(&self, handler: &CStr) -> Option<Arc<Device>> {
        let admin = self.admin();
        let found = admin.devices().find(|d| d.handler() == handler);
        found.cloned()
    }

    /// `add_device NAME [p=v; …]`
    pub(crate) fn add_device(
        &self,
        handler: &Kept<dyn Handler>,
        name: &str,
        params: mgmt::Segments<'_>,
    ) -> Result {
        // Dots belong to the names of SCSI devices.
        if name.contains('.') {
            return Err(EINVAL);
        }
        let name = Name::new(name)?;
        self.reserve_device(name.try_clone()?, handler.family())?;
        let result = self.make_device(handler, &name, params);
        if result.is_err() {
            self.admin()
                .devices
                .retain(|d| d.name.as_str() != name.as_str());
        }
        result?;
        copy_manager::assign(self, name.as_str());
        Ok(())
    }

    fn reserve_device(&self, name: Name, family: &'static str) -> Result {
        // The handler's directory links to the device beside its own files.
        if matches!(name.as_str(), "mgmt" | "type" | "trace_level") {
            return Err(EEXIST);
        }
        let mut admin = self.admin();
        if admin
            .devices
            .iter()
            .any(|d| d.name.as_str() == name.as_str())
        {
            return Err(EEXIST);
        }
        admin.devices.push(
            DeviceEntry {
                name,
                family,
                device: None,
            },
            GFP_KERNEL,
        )?;
        Ok(())
    }

    fn make_device(
        &self,
        handler: &Kept<dyn Handler>,
        name: &Name,
        params: mgmt::Segments<'_>,
    ) -> Result {
        let setup_id = self.setup_id.load(Relaxed) as u32;
        let ops = handler.create(&Create {
            name: name.as_str(),
            params,
            setup_id,
        })?;
        let device = Device::new(
            name.try_clone()?,
            handler.name(),
            handler.keep(ops),
            handler.threads(),
        )?;
        device.reservations().load(name)?;
        // A device that finds no place is closed after the lock is free.
        let _keep = device.clone();
        Ok(self.locked(|admin| {
            let tree = admin.tree.as_ref().ok_or(ENODEV)?;
            let handler_dir = admin.handler_dir(handler.name()).ok_or(ENODEV)?;
            let dirs = tree::device_dirs(&tree.devices, handler_dir, &device)?;
            *device.dirs().lock() = Some(dirs);
            if let Some(entry) = admin
                .devices
                .iter_mut()
                .find(|d| d.name.as_str() == name.as_str())
            {
                entry.device = Some(device);
            }
            Ok(())
        })?)
    }

    /// `del_device NAME`, for a device of any handler of `family`.
    pub(crate) fn del_device(&self, family: &str, name: &str) -> Result {
        let device = {
            let admin = self.admin();
            let entry = admin
                .devices
                .iter()
                .find(|d| d.name.as_str() == name && d.family == family)
                .ok_or(EINVAL)?;
            entry.device.clone().ok_or(EBUSY)?
        };
        self.remove_device(&device)
    }

    /// Removes the LUNs that show the device, then the device. `EBUSY` where somebody else is removing it.
    fn remove_device(&self, device: &Arc<Device>) -> Result {
        {
            // From here on no LUN can be added.
            let mut admin = self.admin();
            let entry = admin
                .devices
                .iter_mut()
                .find(|d| d.device.as_ref().is_some_and(|d| Arc::ptr_eq(d, device)))
                .ok_or(EBUSY)?;
            entry.device = None;
        }
        self.release_device(device);
        while let Some((place, lun)) = self.any_lun_of(device) {
            if self.del_lun(&place, lun).is_err() {
                crate::kapi::msleep(5);
            }
        }
        // Only now: out of its group, every port would lead to the medium.
        self.admin().ungroup_gone_device(device);
        let dirs = device.dirs().lock().take();
        if let Some(handler_dir) = self.admin().handler_dir(device.handler()) {
            handler_dir.unlink(device.name().as_cstr());
        }
        drop(dirs);
        let is_it = |d: &DeviceEntry| d.name.as_str() == device.name().as_str();
        let gone = take(&mut self.admin().devices, is_it);
        drop(gone);
        Ok(())
    }

    fn any_lun_of(&self, device: &Arc<Device>) -> Option<(Place, u16)> {
        let admin = self.admin();
        for entry in admin.drivers.iter() {
            for target in entry.targets.iter() {
                for group in target.groups.iter() {
                    let found = group
                        .luns
                        .iter()
                        .find(|(_, l)| Arc::ptr_eq(&l.device, device));
                    if let Some((lun, _)) = found {
                        let driver = entry.alive.keep(&entry.driver);
                        let place = Place::of_target(driver, &target.name);
                        return Some((place.with_group(group.name.clone()), *lun));
                    }
                }
            }
        }
        None
    }

    /// The device's capacity is another now: every initiator is told, and has the new one read.
    pub fn capacity_changed(&self, device: &str) {
        self.device_changed(device, Sense::CAPACITY_CHANGED, |_| true);
    }

    /// The device says something else of itself now.
    ///
    /// Linux takes any unit attention of a drive for another disc, and has what is mounted fail. Where initiators are made to
    /// read what changed, which needs no medium, that is all that those of a drive are told.
    pub fn identity_changed(&self, device: &str) {
        self.device_changed(device, Sense::INQUIRY_DATA_CHANGED, |nexus| {
            nexus.device().device_type() != DeviceType::CdRom || !nexus.is_told_at_once()
        });
    }

    fn device_changed(&self, device: &str, sense: Sense, raises: impl Fn(&Nexus) -> bool) {
        self.for_each_nexus(device, &mut |nexus| {
            if raises(nexus) {
                nexus.unit_attentions().raise(sense, Precedence::Last);
            }
            nexus.reread_later();
        });
        // Without memory, those who do not ask are not made to: they are told all the same.
        if let Ok(users) = self.users_of(device) {
            self.reread_by(&users);
        }
    }

    /// Calls `f` for every nexus of the device, with the configuration locked: `f` must neither sleep nor come back here.
    /// Allocates nothing.
    pub fn for_each_nexus(&self, device: &str, f: &mut dyn FnMut(&Nexus)) {
        let admin = self.admin();
        for session in admin.sessions() {
            session.luns.for_each(|_, nexus| {
                if nexus.device().name().as_str() == device {
                    f(nexus);
                }
            });
        }
    }

    /// Gives the device another limit of commands that one nexus takes at once. The initiators keep to it, so that none has
    /// to be told that its task set is full.
    pub(crate) fn limit_commands(&self, device: &Arc<Device>, limit: u32) {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        device.max_tgt_dev_commands.store(limit, Relaxed);
        let Ok(users) = self.users_of(device.name().as_str()) else {
            return;
        };
        for (session, lun) in users.iter() {
            if let Some(ops) = session.ops() {
                ops.limit_changed(*lun);
            }
        }
    }

    /// Has the device carry out as many commands at once as was said of it, for as many initiators as it has. Sleeps.
    pub(crate) fn apply_threads(&self, device: &Device) {
        let pool = self.pool.lock();
        device.apply_threads(pool.unsigned_abs());
    }

    /// The root's `threads`.
    pub(crate) fn pool(&self) -> i32 {
        *self.pool.lock()
    }

    /// Gives another number of threads to the devices that have none of their own. Sleeps.
    pub(crate) fn set_pool(&self, threads: i32) -> Result {
        let mut devices = KVec::new();
        {
            let admin = self.admin();
            for device in admin.devices() {
                devices.push(device.clone(), GFP_KERNEL)?;
            }
        }
        *self.pool.lock() = threads;
        for device in devices {
            self.apply_threads(&device);
        }
        Ok(())
    }

    /// Whether the device refuses writes. `EINVAL` for an unknown device.
    pub(crate) fn is_read_only(&self, device: &str) -> Result<bool> {
        Ok(self.admin().device(device)?.is_read_only())
    }

    pub(crate) fn users_of(&self, device: &str) -> Result<KVec<(Arc<Session>, u16)>> {
        let admin = self.admin();
        let mut users = KVec::new();
        for session in admin.sessions() {
            for lun in session.lun_list()?.iter() {
                let here = session
                    .luns
                    .get(u32::from(*lun))
                    .is_some_and(|n| n.device().name().as_str() == device);
                if here {
                    users.push((session.clone(), *lun), GFP_KERNEL)?;
                }
            }
        }
        Ok(users)
    }
}

/// The lock, and around it the scope in which no allocation starts I/O.
pub(crate) struct Locked<'a> {
    admin: Guard<'a, Admin, MutexBackend>,
    _scope: NoIo,
}

impl Deref for Locked<'_> {
    type Target = Admin;

    fn deref(&self) -> &Admin {
        &self.admin
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Admin {
        &mut self.admin
    }
}

impl Admin {
    /// Every session of every target.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.drivers
            .iter()
            .flat_map(|d| d.targets.iter())
            .flat_map(|t| t.sessions.iter())
    }

    /// Every device that is whole.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &Arc<Device>> {
        self.devices.iter().filter_map(|d| d.device.as_ref())
    }

    fn handler_dir(&self, handler: &CStr) -> Option<&Dir> {
        self.handlers
            .iter()
            .find(|h| h.handler.name() == handler)
            .and_then(|h| h.dir.as_ref())
    }

    pub(crate) fn driver(&mut self, name: &CStr) -> Result<&mut DriverEntry> {
        self.drivers
            .iter_mut()
            .find(|d| d.driver.name() == name)
            .ok_or(ENOENT)
    }

    pub(crate) fn target(&mut self, driver: &CStr, name: &str) -> Result<&mut Target> {
        self.driver(driver)?
            .targets
            .iter_mut()
            .find(|t| t.name.as_str() == name)
            .ok_or(ENOENT)
    }

    /// The LUNs and settings of `place`. `ENOENT` for an unknown target or group.
    pub(crate) fn group(&mut self, place: &Place) -> Result<&mut Group> {
        self.target(place.driver.name(), place.target.as_str())?
            .group_named_mut(place.group_name())
            .ok_or(ENOENT)
    }

    /// The number of a new session.
    pub(crate) fn next_session(&mut self) -> u64 {
        self.sessions_made = self.sessions_made.saturating_add(1);
        self.sessions_made
    }

    pub(crate) fn device(&self, name: &str) -> Result<Arc<Device>> {
        self.devices
            .iter()
            .find(|d| d.name.as_str() == name)
            .and_then(|d| d.device.clone())
            .ok_or(EINVAL)
    }
}

/// A section of attributes for a directory.
pub(crate) fn sections<const N: usize>(list: [Section; N]) -> Result<KVec<Section>> {
    let mut sections = KVec::with_capacity(N, GFP_KERNEL)?;
    for section in list {
        sections.push_within_capacity(section).map_err(|_| ENOMEM)?;
    }
    Ok(sections)
}

impl DeviceDirs {
    /// The number of a new link in `exported/`.
    pub(crate) fn next_export(&mut self) -> u32 {
        let number = self.next_export;
        self.next_export = number.wrapping_add(1);
        number
    }
}

/// Takes the first that `is` says out of a list, for the caller to drop without the lock that guards the list.
pub(crate) fn take<T>(list: &mut KVec<T>, is: impl Fn(&T) -> bool) -> Option<T> {
    let at = list.iter().position(is)?;
    list.remove(at).ok()
}
