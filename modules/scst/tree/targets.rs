// SPDX-License-Identifier: GPL-2.0-only

//! `targets/<driver>/<target>/`.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

use super::groups::{GroupsMgmt, GROUPS};
use super::luns::luns_dir;
use super::settings::{SettingsFiles, SETTINGS};
use super::{refused, show_key, statistics, text};
use crate::core::Core;
use crate::group::{GroupDirs, Place};
use crate::kapi::global;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent, Section};
use crate::proto::mgmt;
use crate::target::{Port, Target, TargetDirs};

struct TargetFiles {
    place: Place,
    port: Arc<Port>,
    sg_tablesize: u32,
}

const REL_TGT_ID: u16 = 0;
const AEN_DISABLED: u16 = 1;
const FORWARD_SRC: u16 = 2;
const FORWARD_DST: u16 = 3;
const COMMENT: u16 = 4;
const SG_TABLESIZE: u16 = 5;

static TARGET: [Attr; 7] = [
    Attr::managed(c"rel_tgt_id", 0o644, REL_TGT_ID),
    Attr::new(c"aen_disabled", 0o644, AEN_DISABLED),
    Attr::new(c"forward_src", 0o644, FORWARD_SRC),
    Attr::new(c"forward_dst", 0o644, FORWARD_DST),
    // The old name of `forward_dst`.
    Attr::new(c"forwarding", 0o644, FORWARD_DST),
    Attr::new(c"comment", 0o644, COMMENT),
    Attr::new(c"sg_tablesize", 0o444, SG_TABLESIZE),
];

impl TargetFiles {
    fn with<T>(&self, f: impl FnOnce(&mut Target) -> Result<T>) -> Result<T> {
        global::core()?.with_target(&self.place, f)
    }

    fn set_relative_id(&self, core: &Core, text: &str) -> Result {
        let id = mgmt::number(text).map_err(refused)?;
        match u16::try_from(id) {
            Ok(id) if id != 0 => core.set_relative_id(&self.port, id),
            _ => Err(EINVAL),
        }
    }
}

impl Attributes for TargetFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        match id {
            REL_TGT_ID => {
                let value = self.port.relative_id();
                show_key(page, fmt!("{value}"), value != 0)
            }
            AEN_DISABLED => show_flag(page, !self.port.tells()),
            FORWARD_SRC => show_flag(page, self.with(|t| Ok(t.forward_src))?),
            FORWARD_DST => show_flag(page, self.with(|t| Ok(t.forward_dst))?),
            COMMENT => self.with(|t| {
                if !t.comment.is_empty() {
                    page.push(&t.comment);
                    page.push(b"\n[key]\n");
                }
                Ok(())
            }),
            SG_TABLESIZE => show_key(page, fmt!("{}", self.sg_tablesize), false),
            _ => Err(EIO),
        }
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        match id {
            REL_TGT_ID => self.set_relative_id(&*global::core()?, text(data)?),
            AEN_DISABLED => {
                let disabled = mgmt::flag(text(data)?).map_err(refused)?;
                self.port.aen_disabled.store(i32::from(disabled), Relaxed);
                Ok(())
            }
            FORWARD_SRC | FORWARD_DST => {
                let on = mgmt::flag(text(data)?).map_err(refused)?;
                self.with(|t| {
                    match id {
                        FORWARD_SRC => t.forward_src = on,
                        _ => t.forward_dst = on,
                    }
                    Ok(())
                })
            }
            COMMENT => {
                let mut comment = KVec::new();
                comment.extend_from_slice(data.strip_suffix(b"\n").unwrap_or(data), GFP_KERNEL)?;
                let before = self.with(|t| Ok(core::mem::replace(&mut t.comment, comment)))?;
                drop(before);
                Ok(())
            }
            _ => Err(EIO),
        }
    }
}

fn show_flag(page: &mut Page<'_>, on: bool) -> Result {
    show_key(page, fmt!("{}", u8::from(on)), on)
}

/// The versions that a port claims in INQUIRY data.
struct VersionFiles(Arc<Port>);

const SCSI_VERSION: u16 = 0;
const PHYS_VERSION: u16 = 1;

static VERSIONS: [Attr; 2] = [
    Attr::new(c"scsi_transport_version", 0o644, SCSI_VERSION),
    Attr::new(c"phys_transport_version", 0o644, PHYS_VERSION),
];

/// SCSI transport version descriptor: SAS, no version claimed.
pub const SAS: u16 = 0x0BE0;

impl Attributes for VersionFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        let (value, chosen) = match id {
            SCSI_VERSION => (self.0.scsi_version(), &self.0.scsi_transport_version),
            _ => {
                let chosen = &self.0.phys_transport_version;
                (chosen.load(Relaxed) as u16, chosen)
            }
        };
        show_key(page, fmt!("0x{value:x}"), chosen.load(Relaxed) != 0)
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        let value = mgmt::number_to(text(data)?, 0xFFFF).map_err(refused)? as i32;
        match id {
            SCSI_VERSION => self.0.scsi_transport_version.store(value, Relaxed),
            _ => self.0.phys_transport_version.store(value, Relaxed),
        }
        Ok(())
    }
}

/// What all sessions of a target have sent.
struct SumFiles(Place);

static SUMS: [Attr; 11] = statistics::table(0o444);

impl Attributes for SumFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        global::core()?.with_target(&self.0, |target| {
            statistics::show(id, target.sessions.iter().map(|s| &s.it.stats), page)
        })
    }
}

/// `targets/<driver>/<target>/` with all that every target has in it.
pub(crate) fn target_dirs(
    parent: &Dir,
    place: &Place,
    port: &Arc<Port>,
) -> Result<(TargetDirs, GroupDirs), Failed> {
    let groups = Arc::new(GroupsMgmt(place.clone()), GFP_KERNEL).map_err(Error::from)?;
    let list = target_sections(place, port)?;
    let dir = Dir::new(Parent::Dir(parent), place.target.as_cstr(), list)?;
    let luns = match luns_dir(&dir, place) {
        Ok(luns) => luns,
        Err(failed) => return Err(failed.with(dir)),
    };
    let ini_groups = match Dir::with(Parent::Dir(&dir), c"ini_groups", &GROUPS, groups) {
        Ok(ini_groups) => ini_groups,
        Err(failed) => return Err(failed.with(luns).with(dir)),
    };
    match Dir::empty(Parent::Dir(&dir), c"sessions") {
        Ok(sessions) => Ok((
            TargetDirs {
                sessions,
                ini_groups,
                dir,
            },
            GroupDirs {
                luns,
                initiators: None,
                _dir: None,
            },
        )),
        Err(failed) => Err(failed.with(ini_groups).with(luns).with(dir)),
    }
}

fn target_sections(place: &Place, port: &Arc<Port>) -> Result<KVec<Section>> {
    let own = TargetFiles {
        place: place.clone(),
        port: port.clone(),
        sg_tablesize: place.driver.sg_tablesize(),
    };
    let sums = SumFiles(place.clone());
    let mut list = super::sections([
        Section {
            attrs: &TARGET,
            data: Arc::new(own, GFP_KERNEL)?,
        },
        Section {
            attrs: &SETTINGS,
            data: Arc::new(SettingsFiles(place.clone()), GFP_KERNEL)?,
        },
        Section {
            attrs: &SUMS,
            data: Arc::new(sums, GFP_KERNEL)?,
        },
    ])?;
    if place.driver.scsi_transport_version().is_some() {
        let versions = Section {
            attrs: &VERSIONS,
            data: Arc::new(VersionFiles(port.clone()), GFP_KERNEL)?,
        };
        list.push(versions, GFP_KERNEL)?;
    }
    Ok(list)
}
