// SPDX-License-Identifier: GPL-2.0-only

//! `targets/<driver>/<target>/`.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

use super::luns::{LunsMgmt, LUNS};
use super::{refused, show_key, text};
use crate::alive::Kept;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent};
use crate::name::Name;
use crate::proto::mgmt;
use crate::target::{Port, TargetDirs, TargetDriver};

struct TargetFiles(Arc<Port>);

const TARGET_ID: u16 = 0;
const TARGET_SCSI: u16 = 1;
const TARGET_PHYS: u16 = 2;

static TARGET: [Attr; 3] = [
    Attr::new(c"rel_tgt_id", 0o644, TARGET_ID),
    Attr::new(c"scsi_transport_version", 0o644, TARGET_SCSI),
    Attr::new(c"phys_transport_version", 0o644, TARGET_PHYS),
];

/// SCSI transport version of a port that nobody has changed: SAS, no version claimed.
pub const SAS: i32 = 0x0BE0;

impl Attributes for TargetFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        match id {
            TARGET_ID => {
                let value = self.0.relative_id();
                show_key(page, fmt!("{value}"), value != 0)
            }
            TARGET_SCSI => {
                let value = self.0.scsi_transport_version.load(Relaxed);
                show_key(page, fmt!("0x{value:x}"), value != SAS)
            }
            TARGET_PHYS => {
                let value = self.0.phys_transport_version.load(Relaxed);
                show_key(page, fmt!("0x{value:x}"), value != 0)
            }
            _ => Err(EIO),
        }
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        let (slot, least) = match id {
            TARGET_ID => (&self.0.rel_tgt_id, 1),
            TARGET_SCSI => (&self.0.scsi_transport_version, 0),
            TARGET_PHYS => (&self.0.phys_transport_version, 0),
            _ => return Err(EIO),
        };
        let value = mgmt::number_to(text(data)?, 0xFFFF).map_err(refused)?;
        if value < least {
            return Err(EINVAL);
        }
        slot.store(value as i32, Relaxed);
        Ok(())
    }
}

pub(crate) fn target_dirs(
    parent: &Dir,
    driver: Kept<dyn TargetDriver>,
    name: &Name,
    port: &Arc<Port>,
) -> Result<TargetDirs, Failed> {
    let files = Arc::new(TargetFiles(port.clone()), GFP_KERNEL).map_err(Error::from)?;
    let luns = Arc::new(
        LunsMgmt {
            driver,
            target: name.try_clone()?,
        },
        GFP_KERNEL,
    )
    .map_err(Error::from)?;
    let dir = Dir::with(Parent::Dir(parent), name.as_cstr(), &TARGET, files)?;
    let luns = match Dir::with(Parent::Dir(&dir), c"luns", &LUNS, luns) {
        Ok(luns) => luns,
        Err(failed) => return Err(failed.with(dir)),
    };
    match Dir::empty(Parent::Dir(&dir), c"sessions") {
        Ok(sessions) => Ok(TargetDirs {
            luns,
            sessions,
            _dir: dir,
        }),
        Err(failed) => Err(failed.with(luns).with(dir)),
    }
}
