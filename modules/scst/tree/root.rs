// SPDX-License-Identifier: GPL-2.0-only

//! The files of the root.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;

use super::{refused, show_key, text, VERSION};
use crate::kapi::global;
use crate::kapi::sysfs::{Attr, Attributes, Page};
use crate::proto::mgmt;

pub(super) struct Root;

const ROOT_VERSION: u16 = 0;
const ROOT_RESULT: u16 = 1;
const ROOT_SETUP_ID: u16 = 2;

pub(super) static ROOT: [Attr; 3] = [
    Attr::new(c"version", 0o444, ROOT_VERSION),
    Attr::new(c"last_sysfs_mgmt_res", 0o444, ROOT_RESULT),
    Attr::new(c"setup_id", 0o644, ROOT_SETUP_ID),
];

impl Attributes for Root {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        match id {
            ROOT_VERSION => {
                page.print(fmt!("SCST version: {VERSION}\n"));
                Ok(())
            }
            ROOT_RESULT => show_key(
                page,
                fmt!("{}", global::core()?.works().last_result()?),
                false,
            ),
            ROOT_SETUP_ID => {
                let setup_id = global::core()?.setup_id.load(Relaxed);
                show_key(page, fmt!("0x{setup_id:x}"), setup_id != 0)
            }
            _ => Err(EIO),
        }
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        match id {
            ROOT_SETUP_ID => {
                let value = mgmt::number_to(text(data)?, u64::from(u32::MAX)).map_err(refused)?;
                global::core()?.setup_id.store(value as i32, Relaxed);
                Ok(())
            }
            _ => Err(EIO),
        }
    }
}
