// SPDX-License-Identifier: GPL-2.0-only

//! How initiator groups and their patterns come and go, and how sessions follow. The three steps are those of
//! [`crate::core`].

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::Arc;

use crate::core::Core;
use crate::group::{Group, Initiator, Place, Settings};
use crate::kapi::params;
use crate::name::Name;
use crate::settle::{Announce, BATCH};
use crate::target::{Session, Target};
use crate::targets::{follow, join};
use crate::tree;

impl Core {
    /// `create GROUP`. `EEXIST` for a name that is taken.
    pub fn add_group(&self, driver: &CStr, target: &str, name: &str) -> Result {
        let name = Arc::new(Name::new(name)?, GFP_KERNEL)?;
        Ok(self.locked(|admin| {
            let entry = admin.driver(driver)?;
            let driver = entry.alive.keep(&entry.driver);
            let target = entry
                .targets
                .iter_mut()
                .find(|t| t.name.as_str() == target && !t.removing)
                .ok_or(ENOENT)?;
            if target.group_named(Some(name.as_str())).is_some() {
                return Err(EEXIST.into());
            }
            target.groups.reserve(1, GFP_KERNEL).map_err(Error::from)?;
            let place = Place::of_target(driver, &target.name).with_group(Some(name.clone()));
            let parent = &target.dirs.as_ref().ok_or(ENODEV)?.ini_groups;
            let dirs = tree::group_dirs(parent, &place)?;
            target
                .groups
                .push_within_capacity(Group::new(Some(name), dirs))
                .map_err(|_| ENOMEM)?;
            Ok(())
        })?)
    }

    /// `del GROUP`. `EINVAL` for an unknown one, `EBUSY` while sessions are in it, unless those are to be closed.
    pub fn del_group(&self, driver: &CStr, target: &str, name: &str) -> Result {
        let place = self.place_of(driver, target, name)?;
        while let Some(session) = self.any_session_in(&place) {
            if !params::forcibly_close_sessions() {
                return Err(EBUSY);
            }
            if self.close_session(&session).is_err() {
                crate::kapi::msleep(5);
            }
        }
        self.drop_group(&place)
    }

    fn place_of(&self, driver: &CStr, target: &str, group: &str) -> Result<Place> {
        let mut admin = self.admin();
        let entry = admin.driver(driver)?;
        let driver = entry.alive.keep(&entry.driver);
        let target = entry
            .targets
            .iter()
            .find(|t| t.name.as_str() == target)
            .ok_or(ENOENT)?;
        let group = target.group_named(Some(group)).ok_or(EINVAL)?;
        Ok(Place::of_target(driver, &target.name).with_group(group.name.clone()))
    }

    fn any_session_in(&self, place: &Place) -> Option<Arc<Session>> {
        let mut admin = self.admin();
        let target = admin
            .target(place.driver.name(), place.target.as_str())
            .ok()?;
        let mut sessions = target.sessions.iter();
        sessions.find(|s| s.is_in(place.group_name())).cloned()
    }

    pub(crate) fn any_group_of(&self, place: &Place) -> Option<Arc<Name>> {
        let mut admin = self.admin();
        let target = admin
            .target(place.driver.name(), place.target.as_str())
            .ok()?;
        target.groups.iter().find_map(|g| g.name.clone())
    }

    /// Removes a group; sessions that are in it see another group's LUNs. `EBUSY` while somebody else removes it.
    pub(crate) fn drop_group(&self, place: &Place) -> Result {
        {
            let mut admin = self.admin();
            let group = admin.group(place).map_err(|_| EINVAL)?;
            if core::mem::replace(&mut group.removing, true) {
                return Err(EBUSY);
            }
        }
        self.regroup(place.driver.name(), place.target.as_str());
        let _ = self.clear_luns(place);
        let (initiators, dirs) = {
            let mut admin = self.admin();
            let group = admin.group(place).map_err(|_| EINVAL)?;
            (core::mem::take(&mut group.initiators), group.dirs.take())
        };
        drop(initiators);
        drop(dirs);
        let gone = {
            let mut admin = self.admin();
            let target = admin.target(place.driver.name(), place.target.as_str())?;
            let at = target
                .groups
                .iter()
                .position(|g| g.group_name() == place.group_name());
            at.map(|at| target.groups.remove(at))
        };
        drop(gone);
        Ok(())
    }

    /// `add PATTERN`. `EEXIST` where the group has it.
    pub fn add_initiator(&self, place: &Place, pattern: &str) -> Result {
        let pattern = Name::new(pattern)?;
        self.locked(|admin| {
            let group = admin.group(place)?;
            push_initiator(group, pattern)?;
            Ok(())
        })?;
        self.regroup(place.driver.name(), place.target.as_str());
        Ok(())
    }

    /// `del PATTERN`. `EINVAL` where the group does not have it.
    pub fn del_initiator(&self, place: &Place, pattern: &str) -> Result {
        let gone = take_initiator(self.admin().group(place)?, pattern)?;
        drop(gone);
        self.regroup(place.driver.name(), place.target.as_str());
        Ok(())
    }

    /// `move PATTERN GROUP`. `EINVAL` for an unknown pattern or group, `EEXIST` where that group has it.
    pub fn move_initiator(&self, place: &Place, pattern: &str, to: &str) -> Result {
        let to = self.place_of(place.driver.name(), place.target.as_str(), to)?;
        let name = Name::new(pattern)?;
        let gone = {
            let mut admin = self.admin();
            admin.group(place)?.initiator(pattern).ok_or(EINVAL)?;
            push_initiator(admin.group(&to)?, name)?;
            take_initiator(admin.group(place)?, pattern)?
        };
        drop(gone);
        self.regroup(place.driver.name(), place.target.as_str());
        Ok(())
    }

    /// `clear`: every pattern of the group.
    pub fn clear_initiators(&self, place: &Place) -> Result {
        let gone = core::mem::take(&mut self.admin().group(place)?.initiators);
        drop(gone);
        self.regroup(place.driver.name(), place.target.as_str());
        Ok(())
    }

    /// Puts every session of the target in the group where it belongs now. What it saw in the one and does not see in
    /// the other goes, and the other way round; what both show stays, commands in flight included.
    fn regroup(&self, driver: &CStr, target: &str) {
        while let Some(session) = self.move_one(driver, target) {
            self.settle_range(&session);
            self.link_luns(&session);
        }
    }

    /// Moves the next session that is not where it belongs.
    fn move_one(&self, driver: &CStr, target: &str) -> Option<Arc<Session>> {
        let mut admin = self.admin();
        let target: &Target = admin.target(driver, target).ok()?;
        target.sessions.iter().find_map(|session| {
            let group = target.group_for(session.initiator().as_str())?;
            if session.is_in(group.group_name()) {
                return None;
            }
            join(session, group);
            Some(session.clone())
        })
    }

    /// Settles all that the session sees and all that its group has, allocating nothing.
    fn settle_range(&self, session: &Arc<Session>) {
        let mut next = Some(0);
        while let Some(from) = next {
            let mut batch = [0; BATCH];
            let mut count = 0;
            next = None;
            let mut at = from;
            while let Some(lun) = self.lun_from(session, at) {
                match batch.get_mut(count) {
                    Some(slot) => *slot = lun,
                    None => {
                        next = Some(lun);
                        break;
                    }
                }
                count += 1;
                at = lun.saturating_add(1);
            }
            let luns = batch.get(..count).unwrap_or(&[]);
            if let Err(e) = self.settle(session, luns, Announce::Yes) {
                pr_warn!(
                    "scst: session {} does not see all LUNs of its group: error {}\n",
                    session.name().as_str(),
                    e.to_errno()
                );
            }
        }
    }

    /// The first LUN from `from` on that the session sees, or that its group has.
    fn lun_from(&self, session: &Session, from: u16) -> Option<u16> {
        let seen = session
            .luns
            .at_or_after(u32::from(from))
            .map(|lun| lun as u16);
        let mut admin = self.admin();
        let target = admin
            .target(session.driver(), session.target.as_str())
            .ok()?;
        let group = session.group();
        let wanted = target
            .group_named(group.as_ref().map(|g| g.as_str()))
            .and_then(|g| g.luns.cursor_lower_bound(&from))
            .map(|cursor| *cursor.current().0);
        match (seen, wanted) {
            (Some(seen), Some(wanted)) => Some(seen.min(wanted)),
            (one, other) => one.or(other),
        }
    }

    /// Has the link `luns` in the session's directory lead to its group.
    fn link_luns(&self, session: &Session) {
        let mut admin = self.admin();
        let Ok(target) = admin.target(session.driver(), session.target.as_str()) else {
            return;
        };
        let group = session.group();
        let group = target.group_named(group.as_ref().map(|g| g.as_str()));
        let luns = group.and_then(|g| g.dirs.as_ref()).map(|d| &d.luns);
        if let (Some(dir), Some(luns)) = (session.dir.lock().as_ref(), luns) {
            dir.dir.unlink(c"luns");
            // Without memory for it there is no link: whoever lists sessions sees that it is missing.
            let _ = dir.dir.link(c"luns", luns);
        }
    }

    /// Reads or changes the settings of `place`, under the lock.
    pub(crate) fn with_settings<T>(
        &self,
        place: &Place,
        f: impl FnOnce(&mut Settings) -> Result<T>,
    ) -> Result<T> {
        f(&mut self.admin().group(place)?.settings)
    }

    /// Changes settings, and has the sessions and nexuses that follow them take note.
    pub(crate) fn change_settings(
        &self,
        place: &Place,
        f: impl FnOnce(&mut Settings) -> Result,
    ) -> Result {
        let mut admin = self.admin();
        let group = admin.group(place)?;
        f(&mut group.settings)?;
        let name = place.group_name();
        let target: &Target = admin.target(place.driver.name(), place.target.as_str())?;
        let group = target.group_named(name).ok_or(ENOENT)?;
        for session in target.sessions.iter().filter(|s| s.is_in(name)) {
            follow(session, &group.settings);
        }
        Ok(())
    }
}

impl Group {
    fn initiator(&self, pattern: &str) -> Option<usize> {
        self.initiators
            .iter()
            .position(|i| i.pattern.as_str() == pattern)
    }
}

fn push_initiator(group: &mut Group, pattern: Name) -> Result {
    if group.removing {
        return Err(ENOENT);
    }
    if group.initiator(pattern.as_str()).is_some() {
        return Err(EEXIST);
    }
    group.initiators.reserve(1, GFP_KERNEL)?;
    let dirs = group.dirs.as_ref().ok_or(ENODEV)?;
    let dir = dirs.initiators.as_ref().ok_or(EINVAL)?;
    let file = dir.add_name_file(pattern.as_cstr())?;
    group
        .initiators
        .push_within_capacity(Initiator {
            pattern,
            _file: file,
        })
        .map_err(|_| ENOMEM)
}

fn take_initiator(group: &mut Group, pattern: &str) -> Result<Initiator> {
    let at = group.initiator(pattern).ok_or(EINVAL)?;
    group.initiators.remove(at).map_err(|_| EINVAL)
}
