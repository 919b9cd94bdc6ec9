// SPDX-License-Identifier: GPL-2.0-only

//! `handlers/<name>/`, and what `type` says of handlers and devices.

use kernel::prelude::*;
use kernel::sync::Arc;

use super::{first_words, params_of, refused, show_key, text};
use crate::alive::Kept;
use crate::device::Handler;
use crate::kapi::global;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent};
use crate::proto::device_type::DeviceType;
use crate::proto::mgmt;

struct HandlerFiles(Kept<dyn Handler>);

const HANDLER_TYPE: u16 = 0;
const HANDLER_MGMT: u16 = 1;

static HANDLER: [Attr; 2] = [
    Attr::new(c"type", 0o444, HANDLER_TYPE),
    Attr::managed(c"mgmt", 0o644, HANDLER_MGMT),
];

pub(crate) fn handler_dir(parent: &Dir, handler: Kept<dyn Handler>) -> Result<Dir, Failed> {
    let name = handler.name();
    let files = Arc::new(HandlerFiles(handler), GFP_KERNEL).map_err(Error::from)?;
    Dir::with(Parent::Dir(parent), name, &HANDLER, files)
}

impl Attributes for HandlerFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        match id {
            HANDLER_TYPE => show_type(page, self.0.device_type()),
            HANDLER_MGMT => {
                page.print(fmt!(
                    "Usage: echo \"add_device NAME [parameters]\" >mgmt\n       echo \"del_device NAME\" >mgmt\n\n\
                     where parameters are one or more name=value pairs separated by ';'\n\n\
                     The following parameters available: {}\n",
                    self.0.parameters()
                ));
                Ok(())
            }
            _ => Err(EIO),
        }
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        if id != HANDLER_MGMT {
            return Err(EIO);
        }
        let text = text(data)?;
        let mut words = first_words(text)?;
        let command = words.required().map_err(refused)?;
        let name = words.required().map_err(refused)?;
        if mgmt::is(command, "add_device") {
            // The first parameter may follow the name without a separator.
            global::core()?.add_device(&self.0, name, params_of(text, &words))
        } else if mgmt::is(command, "del_device") {
            words.end().map_err(refused)?;
            global::core()?.del_device(self.0.family(), name)
        } else {
            Err(EINVAL)
        }
    }
}

/// `type`: the number, and what it means.
pub(super) fn show_type(page: &mut Page<'_>, device_type: DeviceType) -> Result {
    let text = match device_type {
        DeviceType::Disk => "Direct-access device (e.g., magnetic disk)",
        DeviceType::Tape => "Sequential-access device (e.g., magnetic tape)",
        DeviceType::Processor => "Processor device",
        DeviceType::CdRom => "CD-ROM device",
        DeviceType::Optical => "Optical memory device",
        DeviceType::Changer => "Medium changer device",
        DeviceType::Raid => "Storage array controller device (e.g., RAID)",
        DeviceType::Enclosure => "Enclosure services device",
        DeviceType::Unknown => "Unknown",
    };
    show_key(page, fmt!("{} - {text}", device_type.code()), false)
}
