// SPDX-License-Identifier: GPL-2.0-only

//! `pr_file_name` and `pr_state` in `devices/<name>/`.

use core::fmt;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::core::Core;
use crate::device::Device;
use crate::kapi::global;
use crate::kapi::state_file;
use crate::kapi::sysfs::{Attr, Attributes, Page};
use crate::name::Name;
use crate::proto::pr::Registrant;
use crate::proto::pr_text;
use crate::reservation::Draft;
use crate::reservation_file::StateFile;
use crate::tree::{show_key, text};

/// The files of the device of this name.
pub(crate) struct ReservationFiles(pub(crate) Name);

const FILE_NAME: u16 = 0;
const STATE: u16 = 1;

pub(crate) static ATTRS: [Attr; 2] = [
    Attr::managed(c"pr_file_name", 0o644, FILE_NAME),
    Attr::managed(c"pr_state", 0o644, STATE),
];

impl Attributes for ReservationFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        let device = self.device(&*global::core()?)?;
        match id {
            FILE_NAME => {
                let file = device.reservations().file()?;
                show_key(page, fmt!("{}", file.path().to_str()?), file.is_set)
            }
            STATE => show_state(&device, page),
            _ => Err(EIO),
        }
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        let core = global::core()?;
        let device = self.device(&core)?;
        if core.is_exported(&device) {
            return Err(EBUSY);
        }
        match id {
            FILE_NAME => store_file_name(&device, text(data)?),
            STATE => store_state(&device, text(data)?),
            _ => Err(EIO),
        }
    }
}

impl ReservationFiles {
    fn device(&self, core: &Core) -> Result<Arc<Device>> {
        core.admin().device(self.0.as_str()).map_err(|_| ENODEV)
    }
}

impl Core {
    /// Whether any LUN shows the device to an initiator; the copy manager's target has none.
    fn is_exported(&self, device: &Arc<Device>) -> bool {
        let admin = self.admin();
        let mut groups = admin
            .drivers
            .iter()
            .filter(|d| d.driver.is_managed())
            .flat_map(|d| d.targets.iter())
            .flat_map(|t| t.groups.iter());
        groups.any(|g| g.luns.iter().any(|(_, l)| Arc::ptr_eq(&l.device, device)))
    }
}

/// Counts what is printed.
struct Count(usize);

impl fmt::Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

/// All of it or, where a page does not hold it, `EFBIG`: half a state must not be written back.
fn show_state(device: &Device, page: &mut Page<'_>) -> Result {
    device.reservations().with_view(|state| {
        let mut len = Count(0);
        let _ = pr_text::print(state, &mut len);
        if len.0 > Page::MAX {
            return Err(EFBIG);
        }
        pr_text::print(state, page).map_err(|_| EFBIG)
    })
}

fn store_state(device: &Device, text: &str) -> Result {
    let reservations = device.reservations();
    let turn = reservations.turn();
    let mut slots = KVVec::from_elem(Registrant::NONE, pr_text::registrants(text), GFP_KERNEL)?;
    let mut head = pr_text::parse(text, &mut slots).map_err(|_| EINVAL)?;
    let before = turn.draft(0)?.ok_or(EBUSY)?.head.aptpl;
    head.aptpl = before && head.used != 0;
    let mut new = Draft { head, slots };
    if before {
        reservations.file()?.keep(new.view())?;
    }
    turn.publish(&mut new);
    Ok(())
}

fn store_file_name(device: &Device, name: &str) -> Result {
    let file = match name.trim() {
        "" => StateFile::default_of(device.name())?,
        path if path.starts_with('/') => StateFile::named(path)?,
        _ => return Err(EINVAL),
    };
    if !state_file::has_parent(file.path())? {
        return Err(ENOENT);
    }
    device.reservations().use_file(file, true)
}
