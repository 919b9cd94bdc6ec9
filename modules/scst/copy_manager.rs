// SPDX-License-Identifier: GPL-2.0-only

//! The copy manager's place in the tree: a target driver with one target and one session, which sees every virtual device.
//!
//! EXTENDED COPY itself is not there yet. Configuration tools know the target, list its LUNs, and have its numbers in
//! what they save.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::Arc;

use crate::core::Core;
use crate::group::Place;
use crate::kapi::params;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Page};
use crate::proto::lun::MAX_LUN;
use crate::proto::mgmt;
use crate::target::{Session, SessionOps, TargetDriver};
use crate::tree;

/// The driver, its target and its session.
const NAME: &CStr = c"copy_manager";
const TARGET: &str = "copy_manager_tgt";
const SESSION: &str = "copy_manager_sess";

/// The LUN of the next new device: it only grows, and begins again behind the last LUN.
static NEXT_LUN: Atomic<i32> = Atomic::new(0);

/// Makes the target with its session, at the start of the core module.
pub(crate) fn start(core: &Core) -> Result {
    let driver = CopyManager {
        allow_not_connected_copy: Atomic::new(0),
    };
    core.register_driver(Arc::new(driver, GFP_KERNEL)?)?;
    core.add_target(NAME, TARGET)?;
    core.add_session(NAME, TARGET, SESSION)
}

/// Removes it, at the end of the core module.
pub(crate) fn stop(core: &Core) {
    core.unregister_driver(NAME);
}

/// Gives a new virtual device a LUN, unless `auto_cm_assignment` is off. A device that gets none works all the same.
pub(crate) fn assign(core: &Core, device: &str) {
    if !params::auto_cm_assignment() {
        return;
    }
    let result = place(core).and_then(|place| {
        let mut result = Err(EEXIST);
        // Somebody may have put devices at the next LUNs by hand.
        for _ in 0..=MAX_LUN {
            result = core.add_lun(&place, device, next_lun(), false);
            if result != Err(EEXIST) {
                break;
            }
        }
        result
    });
    if let Err(e) = result {
        pr_warn!("{device} gets no LUN in {TARGET}: error {}\n", e.to_errno());
    }
}

fn place(core: &Core) -> Result<Place> {
    let mut admin = core.admin();
    let entry = admin.driver(NAME)?;
    let driver = entry.alive.keep(&entry.driver);
    let target = entry.targets.first().ok_or(ENOENT)?;
    Ok(Place::of_target(driver, &target.name))
}

fn next_lun() -> u16 {
    let count = i32::from(MAX_LUN).saturating_add(1);
    (NEXT_LUN.fetch_add(1, Relaxed) & i32::MAX)
        .checked_rem(count)
        .and_then(|lun| u16::try_from(lun).ok())
        .unwrap_or(0)
}

/// The driver.
struct CopyManager {
    allow_not_connected_copy: Atomic<i32>,
}

static ATTRS: [Attr; 1] = [Attr::new(c"allow_not_connected_copy", 0o644, 0)];

impl Attributes for CopyManager {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        let on = self.allow_not_connected_copy.load(Relaxed);
        tree::show_key(page, fmt!("{on}"), on != 0)
    }

    fn store(&self, _id: u16, data: &[u8]) -> Result {
        let on = mgmt::flag(tree::text(data)?).map_err(tree::refused)?;
        self.allow_not_connected_copy.store(on.into(), Relaxed);
        Ok(())
    }
}

impl TargetDriver for CopyManager {
    fn name(&self) -> &'static CStr {
        NAME
    }

    fn attrs(&self) -> &'static [Attr] {
        &ATTRS
    }

    fn is_managed(&self) -> bool {
        false
    }

    /// A copy writes to its destination.
    fn takes_read_only(&self) -> bool {
        false
    }

    fn scsi_transport_version(&self) -> Option<u16> {
        None
    }

    fn sg_tablesize(&self) -> u32 {
        crate::kapi::host::SG_TABLESIZE
    }

    fn connect(&self, _session: &Arc<Session>) -> Result<Arc<dyn SessionOps>> {
        Ok(Arc::new(NoInitiator, GFP_KERNEL)?)
    }
}

/// The session's other side: nobody has to be told of anything.
struct NoInitiator;

impl Attributes for NoInitiator {
    fn show(&self, _id: u16, _page: &mut Page<'_>) -> Result {
        Err(EIO)
    }
}

impl SessionOps for NoInitiator {
    fn attrs(&self) -> &'static [Attr] {
        &[]
    }

    fn link(&self, _dir: &Dir) -> Result {
        Ok(())
    }

    fn lun_added(&self, _lun: u16) {}

    fn lun_removed(&self, _lun: u16) {}

    fn lun_changed(&self, _lun: u16) {}

    fn limit_changed(&self, _lun: u16) {}

    fn commands(&self, _lun: Option<u16>) -> Option<u32> {
        Some(0)
    }

    fn close(&self) {}
}
