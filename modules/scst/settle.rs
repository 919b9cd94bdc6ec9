// SPDX-License-Identifier: GPL-2.0-only

//! Making what a session sees what its group says.
//!
//! Whatever changes the configuration changes the lists first and calls [`Core::settle`] then, for the LUNs and sessions
//! that it may concern. Settling compares the two and does what is missing, so that changes which come at once, or a
//! session that changes its group while LUNs come and go, end where the lists are.

use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Relaxed};
use kernel::sync::Arc;

use crate::core::{Admin, Core};
use crate::device::Device;
use crate::group::LunState;
use crate::kapi::global;
use crate::kapi::livemap::{self, Counted, Retired};
use crate::kapi::params;
use crate::kapi::sysfs::Dir;
use crate::nexus::Nexus;
use crate::proto::sense::Sense;
use crate::target::{Session, SessionOps};
use crate::tree;

/// LUNs that are settled at once: those that go wait for their commands together. Few enough for lists of them to be
/// on the stack, as removing must not want memory; disks send and carry out commands above that.
pub(crate) const BATCH: usize = 16;

/// Whether an initiator is told when another device takes a LUN's place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Announce {
    /// By a unit attention, INQUIRY DATA HAS CHANGED.
    Yes,
    /// The two are said to be the same.
    No,
}

/// What a group says of a LUN.
struct Wanted {
    device: Arc<Device>,
    read_only: bool,
}

/// What has left a session, to be dropped with no lock held.
type Left = [Option<(Arc<Counted<Nexus>>, Option<Dir>)>; BATCH];

impl Core {
    /// Makes what `session` sees at each of `luns` what its group says now. Sleeps; waits for the commands of what goes.
    /// Fails only where something has to be made for what comes.
    pub(crate) fn settle(
        &self,
        session: &Arc<Session>,
        luns: &[u16],
        announce: Announce,
    ) -> Result {
        let mut result = Ok(());
        for batch in luns.chunks(BATCH) {
            let mut left: Left = [const { None }; BATCH];
            {
                let _layout = session.layout.lock();
                result = result.and(self.settle_batch(session, batch, announce, &mut left));
            }
            drop(left);
        }
        result
    }

    /// With the session's layout locked.
    fn settle_batch(
        &self,
        session: &Arc<Session>,
        luns: &[u16],
        announce: Announce,
        left: &mut Left,
    ) -> Result {
        let ops = session.ops();
        let mut result = Ok(());
        let mut leaving: [Option<Retired<Nexus>>; BATCH] = [const { None }; BATCH];
        for (lun, leaving) in luns.iter().zip(leaving.iter_mut()) {
            match self.settle_one(session, *lun, ops.as_deref(), announce) {
                Ok(retired) => *leaving = retired,
                Err(e) => result = result.and(Err(e)),
            }
        }
        livemap::drain(leaving, |at, entry| {
            entry.value().device().let_go(&entry);
            // What was acknowledged is made stable before anybody hears that the LUN has gone.
            entry.value().device().ops().detached();
            let lun = luns.get(at).copied().unwrap_or(0);
            let dir = match session.luns.get(u32::from(lun)) {
                // Replaced: the directory stays, with its new owner.
                Some(new) => {
                    let dir = entry.value().swap_dir(None);
                    let _none = new.swap_dir(dir);
                    None
                }
                None => {
                    // A scan may have found the LUN again since it was removed for the initiator.
                    if let Some(ops) = ops.as_deref() {
                        ops.lun_removed(lun);
                    }
                    entry.value().swap_dir(None)
                }
            };
            if let Some(slot) = left.get_mut(at) {
                *slot = Some((entry, dir));
            }
        });
        result
    }

    /// Does what is missing at one LUN. What went has yet to be waited for.
    fn settle_one(
        &self,
        session: &Arc<Session>,
        lun: u16,
        ops: Option<&dyn SessionOps>,
        announce: Announce,
    ) -> Result<Option<Retired<Nexus>>> {
        let index = u32::from(lun);
        let now = session.luns.get(index).map(|n| n.device().clone());
        match (self.wanted(session, lun), now) {
            (None, None) => Ok(None),
            (Some(wanted), None) => {
                self.show(session, lun, &wanted, ops)?;
                Ok(None)
            }
            (None, Some(_)) => {
                // The initiator flushes its own caches through a LUN that is still whole.
                if let Some(ops) = ops {
                    ops.lun_removed(lun);
                }
                let retired = session.luns.retire(index);
                list_changed(session, lun);
                Ok(retired)
            }
            (Some(wanted), Some(device)) if Arc::ptr_eq(&wanted.device, &device) => {
                let nexus = session.luns.get(index);
                if nexus.is_some_and(|n| n.set_read_only(wanted.read_only)) {
                    self.reread_lun(session, lun);
                }
                Ok(None)
            }
            (Some(wanted), Some(_)) => {
                let first = (announce == Announce::Yes).then_some(Sense::INQUIRY_DATA_CHANGED);
                let nexus = self.new_nexus(session, &wanted, first)?;
                let retired = self.replace_nexus(session, index, nexus)?;
                if params::async_lun_replace() {
                    if let Some(retired) = retired {
                        self.part_later(session, lun, retired);
                    }
                    return Ok(None);
                }
                self.reread_lun(session, lun);
                Ok(retired)
            }
        }
    }

    /// Puts `nexus` in the place of the one that is there, whose commands stay within reach of whoever aborts them.
    fn replace_nexus(
        &self,
        session: &Session,
        index: u32,
        nexus: Arc<Counted<Nexus>>,
    ) -> Result<Option<Retired<Nexus>>> {
        let old = session.luns.entry(index);
        if let Some(old) = &old {
            old.value().device().keep_in_reach(old.clone())?;
        }
        let replaced = {
            let mut admin = self.admin();
            know_surroundings(&mut admin, session, &nexus);
            session.luns.replace(index, nexus)
        };
        if let (Some(old), Err(_)) = (&old, &replaced) {
            old.value().device().let_go(old);
        }
        replaced
    }

    /// Leaves it to a thread to tell the initiator that another device is at `lun`, and to wait for the commands of the
    /// one that was there: a store that has stopped answering holds up nobody but itself. With the session's layout locked.
    fn part_later(&self, session: &Arc<Session>, lun: u16, retired: Retired<Nexus>) {
        let dir = retired.value().swap_dir(None);
        if let Some(new) = session.luns.get(u32::from(lun)) {
            let _none = new.swap_dir(dir);
        }
        let parting = Parting {
            session: session.clone(),
            lun,
            retired: Some(retired),
        };
        // Where there is no memory for it, `parting` is dropped here and now.
        let _ = self.partings().spawn(move || drop(parting));
    }

    fn new_nexus(
        &self,
        session: &Session,
        wanted: &Wanted,
        first: Option<Sense>,
    ) -> Result<Arc<Counted<Nexus>>> {
        let nexus = Counted::new(Nexus::new(wanted.device.clone(), session.it.clone(), first))?;
        nexus.value().set_read_only(wanted.read_only);
        self.apply_threads(&wanted.device);
        Ok(nexus)
    }

    /// A LUN that the session did not have: it works before anybody hears of it.
    fn show(
        &self,
        session: &Arc<Session>,
        lun: u16,
        wanted: &Wanted,
        ops: Option<&dyn SessionOps>,
    ) -> Result {
        let nexus = self.new_nexus(session, wanted, Some(Sense::POWER_ON_RESET))?;
        {
            let mut admin = self.admin();
            know_surroundings(&mut admin, session, &nexus);
            session.luns.insert(u32::from(lun), nexus.clone())?;
        }
        publish_nexus(session, lun, &nexus)?;
        list_changed(session, lun);
        if let Some(ops) = ops.filter(|_| session.it.port.tells()) {
            ops.lun_added(lun);
        }
        Ok(())
    }

    /// What the session's group says of `lun`; nothing for a session that is going.
    fn wanted(&self, session: &Session, lun: u16) -> Option<Wanted> {
        if session.gone.load(Acquire) != 0 {
            return None;
        }
        let mut admin = self.admin();
        let target = admin
            .target(session.driver(), session.target.as_str())
            .ok()?;
        let group = session.group();
        let group = target.group_named(group.as_ref().map(|g| g.as_str()))?;
        let entry = group.luns.get(&lun)?;
        (entry.state != LunState::Removing).then(|| Wanted {
            device: entry.device.clone(),
            read_only: entry.read_only,
        })
    }
}

/// A nexus that has been replaced. Whoever drops it tells the initiator and waits for its commands.
struct Parting {
    session: Arc<Session>,
    lun: u16,
    retired: Option<Retired<Nexus>>,
}

impl Drop for Parting {
    fn drop(&mut self) {
        if let Ok(core) = global::core() {
            core.reread_lun(&self.session, self.lun);
        }
        // What was acknowledged is made stable, as for a nexus that is waited for.
        livemap::drain([self.retired.take()], |_, entry| {
            entry.value().device().let_go(&entry);
            entry.value().device().ops().detached();
        });
    }
}

/// Tells a new nexus how its port leads to the device, and whether its group swallows commands: where it is found from now
/// on, whoever changes that finds it too.
fn know_surroundings(admin: &mut Admin, session: &Session, nexus: &Counted<Nexus>) {
    let nexus = nexus.value();
    let access = admin.access_of(nexus.device(), &session.target);
    nexus.access().begin(access);
    let name = session.group();
    let target = admin.target(session.driver(), session.target.as_str());
    let named = name.as_ref().map(|name| name.as_str());
    if let Some(group) = target.ok().and_then(|target| target.group_named(named)) {
        nexus.set_black_hole(group.settings.black_hole);
    }
}

/// Makes `lun<n>/`, unless it is there, once the session has a directory. With the session's layout locked.
pub(crate) fn publish_nexus(session: &Session, lun: u16, nexus: &Arc<Counted<Nexus>>) -> Result {
    let Some(ops) = session.ops() else {
        return Ok(());
    };
    if nexus.value().has_dir() {
        return Ok(());
    }
    let made = match session.dir.lock().as_ref() {
        Some(parent) => tree::nexus_dir(parent, lun, &ops),
        None => return Ok(()),
    };
    let _none = nexus.value().swap_dir(Some(made?));
    Ok(())
}

/// The session has to be told, at another LUN than the one that came or went, that its list is another.
fn list_changed(session: &Session, changed: u16) {
    let changed = u32::from(changed);
    let luns = &session.luns;
    let others = luns.first().is_some_and(|lun| lun < changed)
        || luns.at_or_after(changed.saturating_add(1)).is_some();
    if others {
        session.it.luns_changed.store(1, Relaxed);
    }
}
