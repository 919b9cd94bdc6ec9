// SPDX-License-Identifier: MIT OR Apache-2.0
//! LUNs of a target or of a group: added where they are not, replaced where they show something else.

use super::{device_id, Steps};
use crate::plan::ObjectId;
use crate::snapshot::{LunState, Snapshot};
use crate::stack::CORE_DRIVER;
use crate::target::Lun;
use std::collections::BTreeMap;

/// Whose LUNs they are.
pub(super) struct Place<'a> {
    /// The folder that has `luns`, below SCST's own.
    pub(super) folder: &'a str,
    /// The owner's name in objects' names.
    pub(super) object: &'a str,
    pub(super) needs: &'a [ObjectId],
}

impl Place<'_> {
    pub(super) fn id(&self, lun: u16) -> ObjectId {
        ObjectId::new("lun", format!("{}/{lun}", self.object))
    }

    pub(super) fn mgmt(&self) -> String {
        format!("{}/luns/mgmt", self.folder)
    }
}

/// LUNs that should be there, against those that are; each needs its owner and its device.
pub(super) fn wanted(place: &Place<'_>, luns: &[Lun], live: &BTreeMap<u16, LunState>, steps: &mut Steps) {
    for lun in luns {
        let there = live.get(&lun.lun);
        let needs: Vec<ObjectId> = place.needs.iter().cloned().chain([device_id(&lun.device)]).collect();
        let words = format!("{} {}{}", lun.device, lun.lun, if lun.read_only { " read_only=1" } else { "" });
        // What a device cannot take, its LUNs do not take either.
        let wanted = lun.read_only || steps.read_only.contains(lun.device.as_str());
        match there {
            None => steps.write(place.id(lun.lun), &needs, place.mgmt(), format!("add {words}")),
            Some(there) if there.device == lun.device.as_str() && is_read_only(there) == wanted => {
                steps.present(place.id(lun.lun));
            }
            Some(there) if steps.owns() => {
                let note =
                    format!("{} shows {} until now; this interrupts it", place.id(lun.lun), there.device);
                steps.write(place.id(lun.lun), &needs, place.mgmt(), format!("replace {words}"));
                steps.noted(note);
            }
            Some(there) => {
                let shown = if is_read_only(there) { "read-only" } else { "read-write" };
                steps.note(format!(
                    "{} shows {} {shown} instead of {words}; --force replaces it",
                    place.id(lun.lun),
                    there.device
                ));
            }
        }
    }
}

fn is_read_only(lun: &LunState) -> bool {
    lun.files.get("read_only").is_some_and(|file| file.value == "1")
}

/// Where initiators see a device: `scst_local/tgt LUN 0`. The core's own target has none.
pub(super) fn of_device(live: &Snapshot, device: &str) -> Vec<String> {
    let mut places = Vec::new();
    for (driver, state) in live.drivers.iter().filter(|(name, _)| *name != CORE_DRIVER) {
        for (target, state) in &state.targets {
            let groups = state.groups.iter().map(|(name, group)| (format!("/{name}"), &group.luns));
            for (group, luns) in std::iter::once((String::new(), &state.luns)).chain(groups) {
                let here = luns.iter().filter(|(_, lun)| lun.device == device);
                places.extend(here.map(|(number, _)| format!("{driver}/{target}{group} LUN {number}")));
            }
        }
    }
    places
}
