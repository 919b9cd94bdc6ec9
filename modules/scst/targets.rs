// SPDX-License-Identifier: GPL-2.0-only

//! How drivers, targets and sessions come and go. The three steps are those of [`crate::core`].

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::Arc;

use crate::alive::{Count, Kept};
use crate::core::{new_nexus, Core, DriverEntry};
use crate::name::Name;
use crate::target::{Port, Session, SessionOps, Target, TargetDriver};
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
        while let Some(target) = self.any_target_of(name) {
            if self.del_target(name, target.as_str()).is_err() {
                crate::kapi::msleep(5);
            }
        }
        let dir = self
            .admin()
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
        // Works and notifications may still hold the driver, or its side of a session.
        let alive = self.admin().driver(name).ok().map(|d| d.alive.clone());
        if let Some(alive) = alive {
            alive.wait();
        }
        self.admin().drivers.retain(|d| d.driver.name() != name);
    }

    fn any_target_of(&self, driver: &CStr) -> Option<Arc<Name>> {
        let admin = self.admin();
        let entry = admin.drivers.iter().find(|d| d.driver.name() == driver)?;
        entry.targets.first().map(|t| t.name.clone())
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
            let name = Arc::new(name, GFP_KERNEL).map_err(Error::from)?;
            let version = entry.driver.scsi_transport_version();
            let port = Arc::new(Port::new(version), GFP_KERNEL).map_err(Error::from)?;
            let parent = entry.dir.as_ref().ok_or(ENODEV)?;
            let driver = entry.alive.keep(&entry.driver);
            let dirs = Some(tree::target_dirs(parent, driver, &name, &port)?);
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
            let mut admin = self.admin();
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
            if self
                .del_session(driver, name, session.name().as_str())
                .is_err()
            {
                crate::kapi::msleep(5);
            }
        }
        while let Some(lun) = self.any_lun_of_target(driver, name) {
            if self.del_lun(driver, name, lun).is_err() {
                crate::kapi::msleep(5);
            }
        }
        let dirs = self
            .admin()
            .target(driver, name)
            .ok()
            .and_then(|t| t.dirs.take());
        drop(dirs);
        let gone = {
            let mut admin = self.admin();
            let entry = admin.driver(driver)?;
            let at = entry.targets.iter().position(|t| t.name.as_str() == name);
            at.map(|at| entry.targets.remove(at))
        };
        drop(gone);
        Ok(())
    }

    fn any_session_of(&self, driver: &CStr, target: &str) -> Option<Arc<Session>> {
        let mut admin = self.admin();
        let target = admin.target(driver, target).ok()?;
        target.sessions.first().cloned()
    }

    /// `add_session TARGET NAME`. `EINVAL` for an unknown target, `EEXIST` for a name that any target of the driver has:
    /// it is the name of a device too.
    pub fn add_session(&self, driver: &CStr, target: &str, name: &str) -> Result {
        let name = Name::new(name)?;
        let (session, driver_ops) = {
            let mut admin = self.admin();
            let entry = admin.driver(driver)?;
            if entry
                .targets
                .iter()
                .flat_map(|t| t.sessions.iter())
                .any(|s| s.name().as_str() == name.as_str())
            {
                return Err(EEXIST);
            }
            let ops = entry.alive.keep(&entry.driver);
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
        let result = driver_ops.connect(&session).and_then(|ops| {
            let ops = driver_ops.keep(ops);
            self.publish_session(driver, target, &session, ops)
        });
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
        ops: Kept<dyn SessionOps>,
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
        if session.ops().is_none() {
            // Deleted meanwhile, by somebody who found no directory to take.
            let dir = session.dir.lock().take();
            drop(dir);
            return Err(ENODEV);
        }
        let luns = session.lun_list().inspect_err(|_| {
            *session.ops.lock() = None;
            ops.close();
        })?;
        for lun in luns.iter() {
            ops.lun_added(*lun);
        }
        Ok(())
    }

    /// `del_session TARGET NAME`. `EINVAL` for an unknown target or session, `EBUSY` while it is not yet connected or on
    /// its way out.
    pub fn del_session(&self, driver: &CStr, target: &str, name: &str) -> Result {
        let session = {
            let mut admin = self.admin();
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
        if let Ok(target) = self.admin().target(driver, target) {
            target.sessions.retain(|s| !Arc::ptr_eq(s, session));
        }
    }
}
