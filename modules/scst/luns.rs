// SPDX-License-Identifier: GPL-2.0-only

//! How LUNs come and go. The three steps are those of [`crate::core`].

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::Arc;

use crate::attention::Precedence;
use crate::core::{new_nexus, Core};
use crate::proto::lun::MAX_LUN;
use crate::proto::sense::Sense;
use crate::target::{Lun, Session};
use crate::tree;

impl Core {
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
        self.locked(|admin| {
            let device = admin.device(device)?;
            let target = admin.target(driver, target)?;
            if target.removing {
                return Err(ENOENT.into());
            }
            if target.luns.iter().any(|l| l.lun == lun) {
                return Err(EEXIST.into());
            }
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
            Ok(())
        })?;
        let result = self.show_lun(driver, target, lun);
        if result.is_err() {
            let _ = self.del_lun(driver, target, lun);
        }
        result
    }

    /// Makes the nexuses of a new LUN, then tells the initiators.
    fn show_lun(&self, driver: &CStr, target: &str, lun: u16) -> Result {
        let sessions = {
            let mut admin = self.admin();
            let target = admin.target(driver, target)?;
            let entry = target
                .luns
                .iter()
                .find(|l| l.lun == lun && !l.removing)
                .ok_or(ENOENT)?;
            for session in target.sessions.iter() {
                match session
                    .luns
                    .insert(u32::from(lun), new_nexus(entry, session)?)
                {
                    // A session that was made meanwhile has it already.
                    Err(e) if e != EEXIST => return Err(e),
                    _ => {}
                }
            }
            target.all_sessions()?
        };
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
            let mut admin = self.admin();
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
            // The initiator flushes its own caches through a LUN that is still whole. A session without its driver's side
            // is coming or going, and does the same as it goes.
            while session.ops().is_none() && self.lists(driver, target, session) {
                crate::kapi::msleep(5);
            }
            let ops = session.ops();
            if let Some(ops) = &ops {
                ops.lun_removed(lun);
            }
            if session.luns.remove(u32::from(lun)).is_some() {
                luns_changed(session, lun);
            }
            // A scan may have found the LUN again between the two steps above.
            if let Some(ops) = &ops {
                ops.lun_removed(lun);
            }
        }
        device.ops().detached();
        tree::unpublish_lun(&device, export, dir);
        let gone = {
            let mut admin = self.admin();
            let target = admin.target(driver, target)?;
            let at = target.luns.iter().position(|l| l.lun == lun);
            at.map(|at| target.luns.remove(at))
        };
        drop(gone);
        Ok(())
    }

    pub(crate) fn any_lun_of_target(&self, driver: &CStr, target: &str) -> Option<u16> {
        self.admin()
            .target(driver, target)
            .ok()?
            .luns
            .first()
            .map(|l| l.lun)
    }

    /// Whether the session is still one of the target's.
    fn lists(&self, driver: &CStr, target: &str, session: &Arc<Session>) -> bool {
        let mut admin = self.admin();
        let target = admin.target(driver, target);
        target.is_ok_and(|t| t.sessions.iter().any(|s| Arc::ptr_eq(s, session)))
    }

    /// `clear`: every LUN of the target.
    pub fn clear_luns(&self, driver: &CStr, target: &str) -> Result {
        self.admin().target(driver, target)?;
        while let Some(lun) = self.any_lun_of_target(driver, target) {
            if self.del_lun(driver, target, lun).is_err() {
                crate::kapi::msleep(5);
            }
        }
        Ok(())
    }
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
