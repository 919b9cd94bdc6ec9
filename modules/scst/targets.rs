// SPDX-License-Identifier: GPL-2.0-only

//! How drivers, targets and sessions come and go. The three steps are those of [`crate::core`].

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Relaxed, Release};
use kernel::sync::Arc;

use crate::alive::{Count, Kept};
use crate::core::{take, Admin, Core, DriverEntry};
use crate::group::{addr_method, Group, Place, Settings};
use crate::kapi::global;
use crate::name::Name;
use crate::settle::{publish_nexus, Announce, BATCH};
use crate::target::{NewSession, Port, Session, SessionOps, Target, TargetDriver};
use crate::tree;

impl Core {
    /// Makes `targets/<name>`.
    pub fn register_driver(&self, driver: Arc<dyn TargetDriver>) -> Result {
        let alive = Count::new()?;
        Ok(self.locked(|admin| {
            admin.drivers.reserve(1, GFP_KERNEL).map_err(Error::from)?;
            let tree = admin.tree.as_ref().ok_or(ENODEV)?;
            let dir = tree::driver_dir(&tree.targets, alive.keep(&driver))?;
            let entry = DriverEntry {
                driver,
                alive,
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
        self.del_targets(name);
        let dir = self
            .admin()
            .drivers
            .iter_mut()
            .find(|d| d.driver.name() == name)
            .and_then(|d| d.dir.take());
        drop(dir);
        // A target that was added between the two steps above.
        self.del_targets(name);
        // Works and notifications may still hold the driver, or its side of a session.
        let alive = self.admin().driver(name).ok().map(|d| d.alive.clone());
        if let Some(alive) = alive {
            alive.wait();
        }
        let gone = take(&mut self.admin().drivers, |d| d.driver.name() == name);
        drop(gone);
    }

    fn del_targets(&self, driver: &CStr) {
        while let Some(target) = self.any_target_of(driver) {
            if self.del_target(driver, target.as_str()).is_err() {
                crate::kapi::msleep(5);
            }
        }
    }

    fn any_target_of(&self, driver: &CStr) -> Option<Arc<Name>> {
        let admin = self.admin();
        let entry = admin.drivers.iter().find(|d| d.driver.name() == driver)?;
        entry.targets.first().map(|t| t.name.clone())
    }

    /// `add_target NAME`, without sessions. `EEXIST` for a name that is taken, by a target or a file.
    pub fn add_target(&self, driver: &CStr, name: &str) -> Result {
        let name = Arc::new(Name::new(name)?, GFP_KERNEL)?;
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
            let mut groups = KVec::with_capacity(1, GFP_KERNEL).map_err(Error::from)?;
            let version = entry.driver.scsi_transport_version().unwrap_or(0);
            let port = Arc::new(Port::new(version), GFP_KERNEL).map_err(Error::from)?;
            let parent = entry.dir.as_ref().ok_or(ENODEV)?;
            let place = Place::of_target(entry.alive.keep(&entry.driver), &name);
            let (dirs, luns) = tree::target_dirs(parent, &place, &port)?;
            groups
                .push_within_capacity(Group::new(None, luns))
                .map_err(|_| ENOMEM)?;
            let target = Target {
                name,
                port,
                groups,
                sessions: KVec::new(),
                dirs: Some(dirs),
                comment: KVec::new(),
                forward_src: false,
                forward_dst: false,
                removing: false,
            };
            entry
                .targets
                .push_within_capacity(target)
                .map_err(|_| ENOMEM)?;
            Ok(())
        })?)
    }

    /// `del_target NAME`: its sessions are closed, its LUNs and groups removed. `ENOENT` where there is none, `EBUSY`
    /// while it is on its way out already.
    pub fn del_target(&self, driver: &CStr, name: &str) -> Result {
        let mut place = {
            let mut admin = self.admin();
            let entry = admin.driver(driver)?;
            let driver = entry.alive.keep(&entry.driver);
            let target = entry
                .targets
                .iter_mut()
                .find(|t| t.name.as_str() == name)
                .ok_or(ENOENT)?;
            if core::mem::replace(&mut target.removing, true) {
                return Err(EBUSY);
            }
            if let Some(own) = target.group_named_mut(None) {
                own.removing = true;
            }
            Place::of_target(driver, &target.name)
        };
        while let Some(session) = self.any_session_of(driver, name) {
            if self.close_session(&session).is_err() {
                crate::kapi::msleep(5);
            }
        }
        // Only now: out of its group, the port would lead to every medium.
        self.admin().ungroup_gone_target(&place.target);
        while let Some(group) = self.any_group_of(&place) {
            place.group = Some(group);
            if self.drop_group(&place).is_err() {
                crate::kapi::msleep(5);
            }
        }
        place.group = None;
        let _ = self.clear_luns(&place);
        let dirs = {
            let mut admin = self.admin();
            let target = admin.target(driver, name)?;
            let own = target.group_named_mut(None).and_then(|g| g.dirs.take());
            (own, target.dirs.take())
        };
        drop(dirs);
        let gone = {
            let mut admin = self.admin();
            let entry = admin.driver(driver)?;
            let at = entry.targets.iter().position(|t| t.name.as_str() == name);
            at.map(|at| entry.targets.remove(at))
        };
        drop(gone);
        self.settle_all_stores();
        Ok(())
    }

    fn any_session_of(&self, driver: &CStr, target: &str) -> Option<Arc<Session>> {
        let mut admin = self.admin();
        let target = admin.target(driver, target).ok()?;
        target.sessions.first().cloned()
    }

    /// `add_session TARGET INITIATOR`. `EINVAL` for an unknown target. An initiator that is there already gets a second
    /// session, with a number behind its name.
    pub fn add_session(&self, driver: &CStr, target: &str, initiator: &str) -> Result {
        let initiator = Name::new(initiator)?;
        let (session, driver) = {
            let mut admin = self.admin();
            let number = admin.next_session();
            let entry = admin.driver(driver)?;
            let driver = entry.alive.keep(&entry.driver);
            let target = entry
                .targets
                .iter_mut()
                .find(|t| t.name.as_str() == target && !t.removing)
                .ok_or(EINVAL)?;
            let session = Session::new(NewSession {
                driver: driver.clone(),
                target: target.name.clone(),
                name: target.free_session_name(&initiator)?,
                initiator,
                port: target.port.clone(),
                number,
            })?;
            if let Some(group) = target.group_for(session.initiator().as_str()) {
                join(&session, group);
            }
            target.sessions.push(session.clone(), GFP_KERNEL)?;
            (session, driver)
        };
        let result = self
            .settle_all(&session)
            .and_then(|()| {
                // The list is not another, it is the first.
                session.it.luns_changed.store(0, Relaxed);
                driver.connect(&session)
            })
            .and_then(|ops| self.publish_session(&session, driver.keep(ops)));
        if result.is_err() {
            self.forget_session(&session);
        }
        result
    }

    /// Makes the session's directory and shows its LUNs to the initiator.
    fn publish_session(&self, session: &Arc<Session>, ops: Kept<dyn SessionOps>) -> Result {
        *session.ops.lock() = Some(ops.clone());
        let dir = self.locked(|admin| {
            let target = admin.target(session.driver(), session.target.as_str())?;
            tree::session_dir(target, session, &ops)
        });
        let dir = dir
            .map_err(Error::from)
            .and_then(|dirs| ops.link(&dirs.dir).map(|()| dirs))
            .inspect_err(|_| {
                *session.ops.lock() = None;
                ops.close();
            })?;
        *session.dir.lock() = Some(dir);
        if session.ops().is_none() {
            // Deleted meanwhile, by somebody who found no directory to take.
            let dir = session.dir.lock().take();
            drop(dir);
            return Err(ENODEV);
        }
        self.announce_luns(session, &ops).inspect_err(|_| {
            *session.ops.lock() = None;
            ops.close();
        })
    }

    /// Shows what the session has seen since before it was connected.
    fn announce_luns(&self, session: &Arc<Session>, ops: &Kept<dyn SessionOps>) -> Result {
        let _layout = session.layout.lock();
        for lun in session.lun_list()?.iter() {
            if let Some(nexus) = session.luns.entry(u32::from(*lun)) {
                publish_nexus(session, *lun, &nexus)?;
            }
            ops.lun_added(*lun);
        }
        Ok(())
    }

    /// Settles everything that the session sees or might.
    fn settle_all(&self, session: &Arc<Session>) -> Result {
        let luns = {
            let mut admin = self.admin();
            let target = admin.target(session.driver(), session.target.as_str())?;
            let group = session.group();
            match target.group_named(group.as_ref().map(|g| g.as_str())) {
                Some(group) => group.lun_list()?,
                None => KVec::new(),
            }
        };
        self.settle(session, &luns, Announce::Yes)
    }

    /// `del_session TARGET INITIATOR`: the first session of this initiator. `EINVAL` for an unknown target or session,
    /// `EBUSY` while it is not yet connected or on its way out.
    pub fn del_session(&self, driver: &CStr, target: &str, initiator: &str) -> Result {
        let session = {
            let mut admin = self.admin();
            let target = admin.target(driver, target).map_err(|_| EINVAL)?;
            let mut sessions = target
                .sessions
                .iter()
                .filter(|s| s.initiator().as_str() == initiator);
            let first = sessions.next().cloned().ok_or(EINVAL)?;
            match first.ops() {
                Some(_) => first,
                None => sessions.find(|s| s.ops().is_some()).cloned().ok_or(EBUSY)?,
            }
        };
        self.close_session(&session)
    }

    /// Closes a session. `EBUSY` while it is not yet connected or on its way out.
    pub fn close_session(&self, session: &Arc<Session>) -> Result {
        // Whoever takes this out is the one who removes the session.
        let ops = session.ops.lock().take().ok_or(EBUSY)?;
        ops.close();
        drop(ops);
        self.forget_session(session);
        Ok(())
    }

    /// Has a session closed without waiting for it: for the writer of a file in the session's own directory.
    pub fn close_session_later(&self, session: &Arc<Session>) -> Result {
        let session = session.clone();
        self.works()
            .start(move || global::core()?.close_session(&session))
    }

    /// Drains what the session sees, removes its directory, and takes it off its target.
    fn forget_session(&self, session: &Arc<Session>) {
        session.gone.store(1, Release);
        while let Some(lun) = session.luns.first() {
            let mut batch = [lun as u16; BATCH];
            let mut count = 0;
            session.luns.for_each(|lun, _| {
                if let Some(slot) = batch.get_mut(count) {
                    *slot = lun as u16;
                    count += 1;
                }
            });
            let _ = self.settle(session, batch.get(..count).unwrap_or(&[]), Announce::Yes);
        }
        let dir = session.dir.lock().take();
        drop(dir);
        let mut admin = self.admin();
        if let Ok(target) = admin.target(session.driver(), session.target.as_str()) {
            target.sessions.retain(|s| !Arc::ptr_eq(s, session));
        }
    }

    /// Runs `f` with the target, under the lock. `ENOENT` where it has gone.
    pub(crate) fn with_target<T>(
        &self,
        place: &Place,
        f: impl FnOnce(&mut Target) -> Result<T>,
    ) -> Result<T> {
        let mut admin = self.admin();
        f(admin.target(place.driver.name(), place.target.as_str())?)
    }

    /// Sets a target's relative identifier. `EBADSLT` where another target has it.
    pub(crate) fn set_relative_id(&self, port: &Arc<Port>, id: u16) -> Result {
        let admin: &Admin = &self.admin();
        let mut targets = admin.drivers.iter().flat_map(|d| d.targets.iter());
        if targets.any(|t| t.port.relative_id() == id && !Arc::ptr_eq(&t.port, port)) {
            return Err(EBADSLT);
        }
        port.rel_tgt_id.store(i32::from(id), Relaxed);
        Ok(())
    }
}

/// The session sees the group's LUNs from now on.
pub(crate) fn join(session: &Session, group: &Group) {
    session.set_group(group.name.clone());
    follow(session, &group.settings);
}

/// The session and its nexuses do as `settings` of its group say.
pub(crate) fn follow(session: &Session, settings: &Settings) {
    let method = addr_method(settings.addr_method);
    session.it.addr_method.store(method, Relaxed);
    let hole = settings.black_hole;
    session.luns.for_each(|_, nexus| nexus.set_black_hole(hole));
}

impl Target {
    /// A name that no session of the target has: the initiator's, with a number where that is taken.
    fn free_session_name(&self, initiator: &Name) -> Result<Name> {
        let mut name = initiator.try_clone()?;
        let mut number: u32 = 0;
        while self
            .sessions
            .iter()
            .any(|s| s.name().as_str() == name.as_str())
        {
            number = number.checked_add(1).ok_or(EEXIST)?;
            name = Name::numbered(initiator, number)?;
        }
        Ok(name)
    }
}
