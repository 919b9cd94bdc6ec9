// SPDX-License-Identifier: GPL-2.0-only

//! How LUNs come and go. The three steps are those of [`crate::core`].

use kernel::prelude::*;
use kernel::rbtree::{RBTreeNode, RBTreeNodeReservation};
use kernel::sync::Arc;

use crate::core::Core;
use crate::device::Device;
use crate::group::{Lun, LunState, Place};
use crate::kapi::sysfs::Dir;
use crate::proto::lun::MAX_LUN;
use crate::settle::{Announce, BATCH};
use crate::target::Session;
use crate::tree;

/// What a LUN was, on its way out.
struct Former {
    device: Arc<Device>,
    read_only: bool,
    export: u32,
    dir: Option<Dir>,
}

impl Former {
    /// Takes the links and the directory away, if they are still there. No lock held.
    fn unpublish(&mut self) {
        if let Some(dir) = self.dir.take() {
            tree::unpublish_lun(&self.device, self.export, Some(dir));
        }
    }
}

impl Core {
    /// `add DEVICE LUN [read_only=0|1]`. `EINVAL` for an unknown device or place or a number that is no LUN, `EEXIST`
    /// for a LUN that is in use.
    pub fn add_lun(&self, place: &Place, device: &str, lun: u16, read_only: bool) -> Result {
        if lun > MAX_LUN {
            return Err(EINVAL);
        }
        let reserved = RBTreeNodeReservation::new(GFP_KERNEL)?;
        self.locked(|admin| {
            let device = admin.device(device)?;
            let group = admin.group(place)?;
            if group.removing {
                return Err(ENOENT.into());
            }
            if group.luns.get(&lun).is_some() {
                return Err(EEXIST.into());
            }
            let luns_dir = &group.dirs.as_ref().ok_or(ENODEV)?.luns;
            let mut new = Lun {
                device,
                read_only,
                dir: None,
                export: 0,
                state: LunState::Shown,
            };
            tree::publish_lun(luns_dir, lun, &mut new)?;
            // What fails from here on is undone by the removal of a LUN that no session sees.
            let node: RBTreeNode<u16, Lun> = reserved.into_node(lun, new);
            let _none = group.luns.insert(node);
            Ok(())
        })?;
        let result = self.settle_place(place, &[lun], Announce::Yes);
        if result.is_err() {
            let _ = self.del_lun(place, lun);
        }
        result
    }

    /// `replace DEVICE LUN [read_only=0|1]`: another device at a LUN, or a new LUN. Commands go on arriving while the
    /// one gives way to the other. `EBUSY` while somebody else changes the LUN.
    pub fn replace_lun(
        &self,
        place: &Place,
        device: &str,
        lun: u16,
        read_only: bool,
        announce: Announce,
    ) -> Result {
        let former = {
            let mut admin = self.admin();
            let device = admin.device(device)?;
            match admin.group(place)?.luns.get_mut(&lun) {
                None => None,
                Some(entry) if entry.state != LunState::Shown => return Err(EBUSY),
                Some(entry) => {
                    entry.state = LunState::Changing;
                    Some(Former {
                        device: core::mem::replace(&mut entry.device, device),
                        read_only: core::mem::replace(&mut entry.read_only, read_only),
                        export: entry.export,
                        dir: entry.dir.take(),
                    })
                }
            }
        };
        let Some(mut former) = former else {
            return self.add_lun(place, device, lun, read_only);
        };
        let mut result = self.settle_place(place, &[lun], announce);
        self.apply_threads(&former.device);
        if result.is_ok() {
            former.unpublish();
            result = self.show_lun(place, lun, None);
        }
        if result.is_err() {
            self.put_back(place, lun, former);
        }
        result
    }

    /// A LUN that was changed is what its directory says, which is made anew unless `former` still has it.
    fn show_lun(&self, place: &Place, lun: u16, former: Option<&mut Former>) -> Result {
        Ok(self.locked(|admin| {
            let group = admin.group(place)?;
            let entry = group.luns.get_mut(&lun).ok_or(ENOENT)?;
            entry.state = LunState::Shown;
            if let Some(former) = former.filter(|former| former.dir.is_some()) {
                entry.dir = former.dir.take();
                entry.export = former.export;
                return Ok(());
            }
            let luns_dir = &group.dirs.as_ref().ok_or(ENODEV)?.luns;
            tree::publish_lun(luns_dir, lun, entry)
        })?)
    }

    /// A replacement has failed: the LUN is what it was. Without the memory even for that it goes: better no LUN than one
    /// that is not what its directory says.
    fn put_back(&self, place: &Place, lun: u16, mut former: Former) {
        // What is refused is dropped after the lock is free, as it may be the last reference.
        let refused = self.restore_entry(place, lun, &former);
        let back = match &refused {
            // The device has gone meanwhile.
            None => Err(ENODEV),
            Some(_) => self.settle_place(place, &[lun], Announce::Yes),
        };
        let back = back.and_then(|()| self.show_lun(place, lun, Some(&mut former)));
        if back.is_err() {
            former.unpublish();
            if let Some(entry) = self
                .admin()
                .group(place)
                .ok()
                .and_then(|g| g.luns.get_mut(&lun))
            {
                entry.state = LunState::Shown;
            }
            let _ = self.del_lun(place, lun);
        }
        if let Some(refused) = refused {
            self.apply_threads(&refused);
        }
    }

    /// Gives a LUN the device back that it had, if there still is one. Returns the other.
    fn restore_entry(&self, place: &Place, lun: u16, former: &Former) -> Option<Arc<Device>> {
        let mut admin = self.admin();
        let known = admin.device(former.device.name().as_str()).ok()?;
        if !Arc::ptr_eq(&known, &former.device) {
            return None;
        }
        let entry = admin.group(place).ok()?.luns.get_mut(&lun)?;
        entry.read_only = former.read_only;
        Some(core::mem::replace(&mut entry.device, known))
    }

    /// `del LUN`. `EINVAL` where there is none, `EBUSY` while it is on its way out. Waits for the commands in flight.
    pub fn del_lun(&self, place: &Place, lun: u16) -> Result {
        self.del_luns(place, &[lun])
    }

    /// Takes LUNs away that nobody else is changing; `EBUSY` if one was, `EINVAL` if one was not there.
    pub(crate) fn del_luns(&self, place: &Place, luns: &[u16]) -> Result {
        let mut result = Ok(());
        for batch in luns.chunks(BATCH) {
            result = result.and(self.del_batch(place, batch));
        }
        result
    }

    fn del_batch(&self, place: &Place, luns: &[u16]) -> Result {
        let mut former: [Option<Former>; BATCH] = [const { None }; BATCH];
        let mut result = Ok(());
        {
            let mut admin = self.admin();
            let group = admin.group(place).map_err(|_| EINVAL)?;
            for (lun, former) in luns.iter().zip(former.iter_mut()) {
                match group.luns.get_mut(lun) {
                    None => result = Err(EINVAL),
                    Some(entry) if entry.state != LunState::Shown => result = Err(EBUSY),
                    Some(entry) => {
                        entry.state = LunState::Removing;
                        *former = Some(Former {
                            device: entry.device.clone(),
                            read_only: entry.read_only,
                            export: entry.export,
                            dir: entry.dir.take(),
                        });
                    }
                }
            }
        }
        // Nothing has to be made for what goes.
        let _ = self.settle_place(place, luns, Announce::Yes);
        for (lun, former) in luns.iter().zip(former) {
            if let Some(mut former) = former {
                self.apply_threads(&former.device);
                former.unpublish();
                let gone = self
                    .admin()
                    .group(place)
                    .ok()
                    .and_then(|g| g.luns.remove(lun));
                drop(gone);
            }
        }
        result
    }

    /// Settles `luns` for every session that sees `place`. Allocates nothing for what goes.
    pub(crate) fn settle_place(&self, place: &Place, luns: &[u16], announce: Announce) -> Result {
        let mut result = Ok(());
        let mut last = 0;
        while let Some(session) = self.session_after(place, last) {
            last = session.number;
            result = result.and(self.settle(&session, luns, announce));
        }
        result
    }

    /// The first session made after number `last` that sees the LUNs of `place`.
    fn session_after(&self, place: &Place, last: u64) -> Option<Arc<Session>> {
        let mut admin = self.admin();
        let target = admin
            .target(place.driver.name(), place.target.as_str())
            .ok()?;
        target
            .sessions
            .iter()
            .find(|s| s.number > last && s.is_in(place.group_name()))
            .cloned()
    }

    /// `clear`: every LUN of the place. Does not fail for want of memory.
    pub fn clear_luns(&self, place: &Place) -> Result {
        loop {
            let mut batch = [0; BATCH];
            let mut count = 0;
            for (slot, (lun, _)) in batch.iter_mut().zip(self.admin().group(place)?.luns.iter()) {
                *slot = *lun;
                count += 1;
            }
            if count == 0 {
                return Ok(());
            }
            if self
                .del_batch(place, batch.get(..count).unwrap_or(&[]))
                .is_err()
            {
                // Somebody else is at one of them; what they do ends by itself.
                crate::kapi::msleep(5);
            }
        }
    }
}
