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
    export: u32,
    dir: Option<Dir>,
}

impl Former {
    /// Takes the links and the directory away. No lock held.
    fn unpublish(self) {
        tree::unpublish_lun(&self.device, self.export, self.dir);
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
                    entry.read_only = read_only;
                    Some(Former {
                        device: core::mem::replace(&mut entry.device, device),
                        export: entry.export,
                        dir: entry.dir.take(),
                    })
                }
            }
        };
        let Some(former) = former else {
            return self.add_lun(place, device, lun, read_only);
        };
        let settled = self.settle_place(place, &[lun], announce);
        self.apply_threads(&former.device);
        former.unpublish();
        let published = self.locked(|admin| {
            let group = admin.group(place)?;
            let entry = group.luns.get_mut(&lun).ok_or(ENOENT)?;
            entry.state = LunState::Shown;
            let luns_dir = &group.dirs.as_ref().ok_or(ENODEV)?.luns;
            tree::publish_lun(luns_dir, lun, entry)
        });
        let result = settled.and(published.map_err(Error::from));
        if result.is_err() {
            // Neither the one nor the other: better no LUN than one that is not what its directory says.
            let _ = self.del_lun(place, lun);
        }
        result
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
            if let Some(former) = former {
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
