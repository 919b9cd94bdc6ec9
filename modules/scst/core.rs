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

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use crate::attention::Precedence;
use crate::device::{Create, Device, DeviceDirs, Handler};
use crate::kapi::livemap::Counted;
use crate::kapi::sysfs::{Dir, Failed, Section};
use crate::name::Name;
use crate::nexus::Nexus;
use crate::proto::lun::MAX_LUN;
use crate::proto::mgmt;
use crate::proto::sense::Sense;
use crate::target::{Lun, Port, Session, SessionOps, Target, TargetDriver};
use crate::tree::{self, Tree};

/// The core's state.
#[pin_data]
pub struct Core {
    #[pin]
    admin: Mutex<Admin>,
    /// Result of the last management command, 0 or a negative errno.
    pub(crate) last_result: Atomic<i32>,
    /// Upper half of the numbers that default identities are made from.
    pub(crate) setup_id: Atomic<i32>,
}

/// What the lock guards.
struct Admin {
    tree: Option<Tree>,
    handlers: KVec<HandlerEntry>,
    devices: KVec<DeviceEntry>,
    drivers: KVec<DriverEntry>,
}

struct HandlerEntry {
    handler: Arc<dyn Handler>,
    dir: Option<Dir>,
}

/// A device, or the name of one that is being made or removed.
struct DeviceEntry {
    name: Name,
    family: &'static str,
    device: Option<Arc<Device>>,
}

struct DriverEntry {
    driver: Arc<dyn TargetDriver>,
    dir: Option<Dir>,
    targets: KVec<Target>,
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
                }),
                last_result: Atomic::new(0),
                setup_id: Atomic::new(0),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Takes the tree down, at the end of the core module.
    pub(crate) fn shut_down(&self) {
        let tree = self.admin.lock().tree.take();
        drop(tree);
    }

    // --- handlers and devices ----------------------------------------------------------------------------------------

    /// Makes `handlers/<name>`.
    pub fn register_handler(&self, handler: Arc<dyn Handler>) -> Result {
        Ok(self.locked(|admin| {
            admin.handlers.reserve(1, GFP_KERNEL).map_err(Error::from)?;
            let tree = admin.tree.as_ref().ok_or(ENODEV)?;
            let dir = tree::handler_dir(&tree.handlers, &handler)?;
            admin
                .handlers
                .push_within_capacity(HandlerEntry {
                    handler,
                    dir: Some(dir),
                })
                .map_err(|_| ENOMEM)?;
            Ok(())
        })?)
    }

    /// Runs `f` under the lock. A half-made directory that a failure brings along is dropped after the lock is free.
    fn locked<T>(&self, f: impl FnOnce(&mut Admin) -> Result<T, Failed>) -> Result<T, Failed> {
        f(&mut self.admin.lock())
    }

    /// Deletes the handler's devices, LUNs first, and its directory. After this no code of the handler runs any more.
    pub fn unregister_handler(&self, name: &CStr) {
        // The directory first: nobody adds a device any more.
        let dir = self
            .admin
            .lock()
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
        self.admin
            .lock()
            .handlers
            .retain(|h| h.handler.name() != name);
    }

    fn any_device_of(&self, handler: &CStr) -> Option<Arc<Device>> {
        let admin = self.admin.lock();
        admin
            .devices
            .iter()
            .filter_map(|d| d.device.as_ref())
            .find(|d| d.handler() == handler)
            .cloned()
    }

    /// `add_device NAME [p=v; …]`
    pub(crate) fn add_device(
        &self,
        handler: &Arc<dyn Handler>,
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
            self.admin
                .lock()
                .devices
                .retain(|d| d.name.as_str() != name.as_str());
        }
        result
    }

    fn reserve_device(&self, name: Name, family: &'static str) -> Result {
        let mut admin = self.admin.lock();
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
        handler: &Arc<dyn Handler>,
        name: &Name,
        params: mgmt::Segments<'_>,
    ) -> Result {
        let setup_id = self.setup_id.load(Relaxed) as u32;
        let ops = handler.create(&Create {
            name: name.as_str(),
            params,
            setup_id,
        })?;
        let device = Device::new(name.try_clone()?, handler.name(), ops)?;
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
            let admin = self.admin.lock();
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
            let mut admin = self.admin.lock();
            let entry = admin
                .devices
                .iter_mut()
                .find(|d| d.device.as_ref().is_some_and(|d| Arc::ptr_eq(d, device)))
                .ok_or(EBUSY)?;
            entry.device = None;
        }
        while let Some((driver, target, lun)) = self.any_lun_of(device) {
            if self.del_lun(driver, target.as_str(), lun).is_err() {
                crate::kapi::msleep(5);
            }
        }
        let dirs = device.dirs().lock().take();
        if let Some(handler_dir) = self.admin.lock().handler_dir(device.handler()) {
            handler_dir.unlink(device.name().as_cstr());
        }
        drop(dirs);
        let gone = {
            let mut admin = self.admin.lock();
            let at = admin
                .devices
                .iter()
                .position(|d| d.name.as_str() == device.name().as_str());
            at.map(|at| admin.devices.remove(at))
        };
        drop(gone);
        Ok(())
    }

    fn any_lun_of(&self, device: &Arc<Device>) -> Option<(&'static CStr, Name, u16)> {
        let admin = self.admin.lock();
        for entry in admin.drivers.iter() {
            for target in entry.targets.iter() {
                if let Some(lun) = target.luns.iter().find(|l| Arc::ptr_eq(&l.device, device)) {
                    return Some((entry.driver.name(), target.name.try_clone().ok()?, lun.lun));
                }
            }
        }
        None
    }

    /// The device's capacity is another now: every initiator is told, and has the new one read.
    pub fn capacity_changed(&self, device: &str) {
        self.device_changed(device, Sense::CAPACITY_CHANGED);
    }

    /// The device says something else of itself now.
    pub fn identity_changed(&self, device: &str) {
        self.device_changed(device, Sense::INQUIRY_DATA_CHANGED);
    }

    fn device_changed(&self, device: &str, sense: Sense) {
        let Ok(users) = self.users_of(device) else {
            return;
        };
        for (session, lun) in users.iter() {
            if let Some(nexus) = session.luns.get(u32::from(*lun)) {
                nexus.unit_attentions().raise(sense, Precedence::Last);
            }
        }
        for (session, lun) in users.iter() {
            if let Some(ops) = session.ops() {
                ops.lun_changed(*lun);
            }
        }
    }

    /// The device was reset: the initiators of all its nexuses are told before anything else. Called by error handling,
    /// allocates nothing.
    pub fn reset_occurred(&self, device: &Arc<Device>) {
        let admin = self.admin.lock();
        for target in admin.drivers.iter().flat_map(|d| d.targets.iter()) {
            for lun in target
                .luns
                .iter()
                .filter(|l| Arc::ptr_eq(&l.device, device))
            {
                for session in target.sessions.iter() {
                    if let Some(nexus) = session.luns.get(u32::from(lun.lun)) {
                        nexus
                            .unit_attentions()
                            .raise(Sense::POWER_ON_RESET, Precedence::First);
                    }
                }
            }
        }
    }

    fn users_of(&self, device: &str) -> Result<KVec<(Arc<Session>, u16)>> {
        let admin = self.admin.lock();
        let mut users = KVec::new();
        for target in admin.drivers.iter().flat_map(|d| d.targets.iter()) {
            for lun in target
                .luns
                .iter()
                .filter(|l| l.device.name().as_str() == device)
            {
                for session in target.sessions.iter() {
                    users.push((session.clone(), lun.lun), GFP_KERNEL)?;
                }
            }
        }
        Ok(users)
    }

    // --- drivers and targets -----------------------------------------------------------------------------------------

    /// Makes `targets/<name>`.
    pub fn register_driver(&self, driver: Arc<dyn TargetDriver>) -> Result {
        Ok(self.locked(|admin| {
            admin.drivers.reserve(1, GFP_KERNEL).map_err(Error::from)?;
            let tree = admin.tree.as_ref().ok_or(ENODEV)?;
            let dir = tree::driver_dir(&tree.targets, &driver)?;
            let entry = DriverEntry {
                driver,
                dir: Some(dir),
                targets: KVec::new(),
            };
            admin
                .drivers
                .push_within_capacity(entry)
                .map_err(|_| ENOMEM)?;
            Ok(())
        })?)
    }

    /// Deletes the driver's targets with their sessions, and its directory. After this no code of the driver runs.
    pub fn unregister_driver(&self, name: &CStr) {
        while let Some(target) = self.any_target_of(name) {
            if self.del_target(name, target.as_str()).is_err() {
                crate::kapi::msleep(5);
            }
        }
        let dir = self
            .admin
            .lock()
            .drivers
            .iter_mut()
            .find(|d| d.driver.name() == name)
            .and_then(|d| d.dir.take());
        drop(dir);
        // A target that was added between the two steps above.
        while let Some(target) = self.any_target_of(name) {
            if self.del_target(name, target.as_str()).is_err() {
                crate::kapi::msleep(5);
            }
        }
        self.admin
            .lock()
            .drivers
            .retain(|d| d.driver.name() != name);
    }

    fn any_target_of(&self, driver: &CStr) -> Option<Name> {
        let admin = self.admin.lock();
        let entry = admin.drivers.iter().find(|d| d.driver.name() == driver)?;
        entry.targets.first().and_then(|t| t.name.try_clone().ok())
    }

    /// `add_target NAME`, without sessions.
    pub fn add_target(&self, driver: &CStr, name: &str) -> Result {
        let name = Name::new(name)?;
        Ok(self.locked(|admin| {
            let entry = admin.driver(driver)?;
            if entry
                .targets
                .iter()
                .any(|t| t.name.as_str() == name.as_str())
            {
                return Err(EEXIST.into());
            }
            entry.targets.reserve(1, GFP_KERNEL).map_err(Error::from)?;
            let version = entry.driver.scsi_transport_version();
            let port = Arc::new(Port::new(version), GFP_KERNEL).map_err(Error::from)?;
            let parent = entry.dir.as_ref().ok_or(ENODEV)?;
            let dirs = Some(tree::target_dirs(
                parent,
                entry.driver.name(),
                &name,
                &port,
            )?);
            let target = Target {
                name,
                port,
                luns: KVec::new(),
                sessions: KVec::new(),
                dirs,
                removing: false,
            };
            entry
                .targets
                .push_within_capacity(target)
                .map_err(|_| ENOMEM)?;
            Ok(())
        })?)
    }

    /// `del_target NAME`: its sessions are closed, its LUNs removed. `ENOENT` where there is none, `EBUSY` while it is
    /// on its way out already.
    pub fn del_target(&self, driver: &CStr, name: &str) -> Result {
        {
            let mut admin = self.admin.lock();
            let target = admin
                .driver(driver)?
                .targets
                .iter_mut()
                .find(|t| t.name.as_str() == name)
                .ok_or(ENOENT)?;
            if core::mem::replace(&mut target.removing, true) {
                return Err(EBUSY);
            }
        }
        while let Some(session) = self.any_session_of(driver, name) {
            if self.del_session(driver, name, session.as_str()).is_err() {
                crate::kapi::msleep(5);
            }
        }
        while let Some(lun) = self.any_lun_of_target(driver, name) {
            if self.del_lun(driver, name, lun).is_err() {
                crate::kapi::msleep(5);
            }
        }
        let dirs = self
            .admin
            .lock()
            .target(driver, name)
            .ok()
            .and_then(|t| t.dirs.take());
        drop(dirs);
        let gone = {
            let mut admin = self.admin.lock();
            let entry = admin.driver(driver)?;
            let at = entry.targets.iter().position(|t| t.name.as_str() == name);
            at.map(|at| entry.targets.remove(at))
        };
        drop(gone);
        Ok(())
    }

    fn any_session_of(&self, driver: &CStr, target: &str) -> Option<Name> {
        let mut admin = self.admin.lock();
        let target = admin.target(driver, target).ok()?;
        target
            .sessions
            .first()
            .and_then(|s| s.name().try_clone().ok())
    }

    fn any_lun_of_target(&self, driver: &CStr, target: &str) -> Option<u16> {
        self.admin
            .lock()
            .target(driver, target)
            .ok()?
            .luns
            .first()
            .map(|l| l.lun)
    }

    // --- sessions ----------------------------------------------------------------------------------------------------

    /// `add_session TARGET NAME`. `EINVAL` for an unknown target, `EEXIST` for a name that any target of the driver has:
    /// it is the name of a device too.
    pub fn add_session(&self, driver: &CStr, target: &str, name: &str) -> Result {
        let name = Name::new(name)?;
        let (session, ops) = {
            let mut admin = self.admin.lock();
            let entry = admin.driver(driver)?;
            if entry
                .targets
                .iter()
                .flat_map(|t| t.sessions.iter())
                .any(|s| s.name().as_str() == name.as_str())
            {
                return Err(EEXIST);
            }
            let ops = entry.driver.clone();
            let target = entry
                .targets
                .iter_mut()
                .find(|t| t.name.as_str() == target && !t.removing)
                .ok_or(EINVAL)?;
            let session = Session::new(name.try_clone()?, target.port.clone())?;
            for lun in target.luns.iter().filter(|l| !l.removing) {
                session
                    .luns
                    .insert(u32::from(lun.lun), new_nexus(lun, &session)?)?;
            }
            target.sessions.push(session.clone(), GFP_KERNEL)?;
            (session, ops)
        };
        let result = ops
            .connect(&session)
            .and_then(|ops| self.publish_session(driver, target, &session, ops));
        if result.is_err() {
            self.forget_session(driver, target, &session);
        }
        result
    }

    /// Makes the session's directory and shows its LUNs to the initiator.
    fn publish_session(
        &self,
        driver: &CStr,
        target: &str,
        session: &Arc<Session>,
        ops: Arc<dyn SessionOps>,
    ) -> Result {
        *session.ops.lock() = Some(ops.clone());
        let dir = self.locked(|admin| {
            let target = admin.target(driver, target)?;
            let dirs = target.dirs.as_ref().ok_or(ENODEV)?;
            tree::session_dir(dirs, session, &ops)
        });
        let dir = dir
            .map_err(Error::from)
            .and_then(|dir| ops.link(&dir).map(|()| dir))
            .inspect_err(|_| {
                *session.ops.lock() = None;
                ops.close();
            })?;
        *session.dir.lock() = Some(dir);
        for lun in session.lun_list()?.iter() {
            ops.lun_added(*lun);
        }
        Ok(())
    }

    /// `del_session TARGET NAME`. `EINVAL` for an unknown target or session, `EBUSY` while it is not yet connected or on
    /// its way out.
    pub fn del_session(&self, driver: &CStr, target: &str, name: &str) -> Result {
        let session = {
            let mut admin = self.admin.lock();
            let target = admin.target(driver, target).map_err(|_| EINVAL)?;
            target
                .sessions
                .iter()
                .find(|s| s.name().as_str() == name)
                .cloned()
                .ok_or(EINVAL)?
        };
        // Whoever takes this out is the one who removes the session.
        let ops = session.ops.lock().take().ok_or(EBUSY)?;
        ops.close();
        drop(ops);
        self.forget_session(driver, target, &session);
        Ok(())
    }

    /// Drains what the session sees, removes its directory, and takes it off its target.
    fn forget_session(&self, driver: &CStr, target: &str, session: &Arc<Session>) {
        while let Some(lun) = session.luns.first() {
            if let Some(nexus) = session.luns.remove(lun) {
                nexus.value().device().ops().detached();
            }
        }
        let dir = session.dir.lock().take();
        drop(dir);
        if let Ok(target) = self.admin.lock().target(driver, target) {
            target.sessions.retain(|s| !Arc::ptr_eq(s, session));
        }
    }

    // --- LUNs --------------------------------------------------------------------------------------------------------

    /// `add DEVICE LUN [read_only=0|1]`. `EINVAL` for an unknown device or target or a number that is no LUN, `EEXIST`
    /// for a LUN that is in use.
    pub fn add_lun(
        &self,
        driver: &CStr,
        target: &str,
        device: &str,
        lun: u16,
        read_only: bool,
    ) -> Result {
        if lun > MAX_LUN {
            return Err(EINVAL);
        }
        let sessions = self.locked(|admin| {
            let device = admin.device(device)?;
            let target = admin.target(driver, target)?;
            if target.removing {
                return Err(ENOENT.into());
            }
            if target.luns.iter().any(|l| l.lun == lun) {
                return Err(EEXIST.into());
            }
            let sessions = target.all_sessions()?;
            target.luns.reserve(1, GFP_KERNEL).map_err(Error::from)?;
            let luns_dir = &target.dirs.as_ref().ok_or(ENODEV)?.luns;
            let mut new = Lun {
                lun,
                device,
                read_only,
                dir: None,
                export: 0,
                removing: false,
            };
            tree::publish_lun(luns_dir, &mut new)?;
            // What fails from here on is undone by the removal of a LUN that no session sees.
            target.luns.push_within_capacity(new).map_err(|_| ENOMEM)?;
            Ok(sessions)
        })?;
        let result = self.show_lun(driver, target, lun, &sessions);
        if result.is_err() {
            let _ = self.del_lun(driver, target, lun);
        }
        result
    }

    /// Makes the nexuses of a new LUN, then tells the initiators.
    fn show_lun(
        &self,
        driver: &CStr,
        target: &str,
        lun: u16,
        sessions: &KVec<Arc<Session>>,
    ) -> Result {
        {
            let mut admin = self.admin.lock();
            let target = admin.target(driver, target)?;
            let entry = target
                .luns
                .iter()
                .find(|l| l.lun == lun && !l.removing)
                .ok_or(ENOENT)?;
            for session in sessions.iter() {
                match session
                    .luns
                    .insert(u32::from(lun), new_nexus(entry, session)?)
                {
                    // A session that was made meanwhile has it already.
                    Err(e) if e != EEXIST => return Err(e),
                    _ => {}
                }
            }
        }
        for session in sessions.iter() {
            luns_changed(session, lun);
            if let Some(ops) = session.ops() {
                ops.lun_added(lun);
            }
        }
        Ok(())
    }

    /// `del LUN`. `EINVAL` where there is none, `EBUSY` while it is on its way out. Waits for the commands in flight.
    pub fn del_lun(&self, driver: &CStr, target: &str, lun: u16) -> Result {
        let (sessions, device, export, dir) = {
            let mut admin = self.admin.lock();
            let target = admin.target(driver, target)?;
            let sessions = target.all_sessions()?;
            let entry = target
                .luns
                .iter_mut()
                .find(|l| l.lun == lun)
                .ok_or(EINVAL)?;
            if core::mem::replace(&mut entry.removing, true) {
                return Err(EBUSY);
            }
            (
                sessions,
                entry.device.clone(),
                entry.export,
                entry.dir.take(),
            )
        };
        for session in sessions.iter() {
            // The initiator flushes its own caches through a LUN that is still whole.
            if let Some(ops) = session.ops() {
                ops.lun_removed(lun);
            }
            if session.luns.remove(u32::from(lun)).is_some() {
                luns_changed(session, lun);
            }
        }
        device.ops().detached();
        tree::unpublish_lun(&device, export, dir);
        let gone = {
            let mut admin = self.admin.lock();
            let target = admin.target(driver, target)?;
            let at = target.luns.iter().position(|l| l.lun == lun);
            at.map(|at| target.luns.remove(at))
        };
        drop(gone);
        Ok(())
    }

    /// `clear`: every LUN of the target.
    pub fn clear_luns(&self, driver: &CStr, target: &str) -> Result {
        self.admin.lock().target(driver, target)?;
        while let Some(lun) = self.any_lun_of_target(driver, target) {
            if self.del_lun(driver, target, lun).is_err() {
                crate::kapi::msleep(5);
            }
        }
        Ok(())
    }
}

impl Target {
    fn all_sessions(&self) -> Result<KVec<Arc<Session>>> {
        let mut sessions = KVec::with_capacity(self.sessions.len(), GFP_KERNEL)?;
        for session in self.sessions.iter() {
            sessions
                .push_within_capacity(session.clone())
                .map_err(|_| ENOMEM)?;
        }
        Ok(sessions)
    }
}

impl Admin {
    fn handler_dir(&self, handler: &CStr) -> Option<&Dir> {
        self.handlers
            .iter()
            .find(|h| h.handler.name() == handler)
            .and_then(|h| h.dir.as_ref())
    }

    fn driver(&mut self, name: &CStr) -> Result<&mut DriverEntry> {
        self.drivers
            .iter_mut()
            .find(|d| d.driver.name() == name)
            .ok_or(ENOENT)
    }

    fn target(&mut self, driver: &CStr, name: &str) -> Result<&mut Target> {
        self.driver(driver)?
            .targets
            .iter_mut()
            .find(|t| t.name.as_str() == name)
            .ok_or(ENOENT)
    }

    fn device(&self, name: &str) -> Result<Arc<Device>> {
        self.devices
            .iter()
            .find(|d| d.name.as_str() == name)
            .and_then(|d| d.device.clone())
            .ok_or(EINVAL)
    }
}

fn new_nexus(lun: &Lun, session: &Session) -> Result<Arc<Counted<Nexus>>> {
    Counted::new(Nexus::new(
        lun.device.clone(),
        session.port.clone(),
        lun.read_only,
    ))
}

/// Tells the session, on every LUN but the one that came or went, that its list is another.
fn luns_changed(session: &Session, changed: u16) {
    session.luns.for_each(|lun, nexus| {
        if lun != u32::from(changed) {
            nexus
                .unit_attentions()
                .raise(Sense::REPORTED_LUNS_CHANGED, Precedence::Last);
        }
    });
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
