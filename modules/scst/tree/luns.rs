// SPDX-License-Identifier: GPL-2.0-only

//! `luns/` with its `mgmt`, and `luns/<n>/`.

use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::Arc;

use super::{first_words, params_of, refused, show_key, text};
use crate::core::Core;
use crate::device::Device;
use crate::group::{Lun, Place};
use crate::kapi::global;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent};
use crate::proto::mgmt;
use crate::settle::Announce;

/// `luns/mgmt`
struct LunsMgmt(Place);

static LUNS: [Attr; 1] = [Attr::managed(c"mgmt", 0o644, 0)];

/// `luns/` with its `mgmt`.
pub(super) fn luns_dir(parent: &Dir, place: &Place) -> Result<Dir, Failed> {
    let mgmt = Arc::new(LunsMgmt(place.clone()), GFP_KERNEL).map_err(Error::from)?;
    Dir::with(Parent::Dir(parent), c"luns", &LUNS, mgmt)
}

impl Attributes for LunsMgmt {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        page.push(
            b"Usage: echo \"add DEVICE LUN [parameters]\" >mgmt\n\
              \x20      echo \"del LUN\" >mgmt\n\
              \x20      echo \"replace DEVICE LUN [parameters]\" >mgmt\n\
              \x20      echo \"replace_no_ua DEVICE LUN [parameters]\" >mgmt\n\
              \x20      echo \"clear\" >mgmt\n\n\
              where parameters are one or more name=value pairs separated by ';'\n\n\
              The following parameters available: read_only\n",
        );
        Ok(())
    }

    fn store(&self, _id: u16, data: &[u8]) -> Result {
        self.command(&*global::core()?, text(data)?)
    }
}

impl LunsMgmt {
    fn command(&self, core: &Core, text: &str) -> Result {
        let mut words = first_words(text)?;
        let command = words.required().map_err(refused)?;
        if mgmt::is(command, "clear") {
            words.end().map_err(refused)?;
            return core.clear_luns(&self.0);
        }
        if mgmt::is(command, "del") {
            let lun = lun_number(words.required().map_err(refused)?)?;
            words.end().map_err(refused)?;
            return core.del_lun(&self.0, lun);
        }
        let device = words.required().map_err(refused)?;
        let lun = lun_number(words.required().map_err(refused)?)?;
        let read_only = read_only_of(params_of(text, &words))?;
        if !self.0.driver.takes_read_only() && core.is_read_only(device)? {
            return Err(EINVAL);
        }
        if mgmt::is(command, "add") {
            core.add_lun(&self.0, device, lun, read_only)
        } else if mgmt::is(command, "replace") {
            core.replace_lun(&self.0, device, lun, read_only, Announce::Yes)
        } else if mgmt::is(command, "replace_no_ua") {
            core.replace_lun(&self.0, device, lun, read_only, Announce::No)
        } else {
            Err(EINVAL)
        }
    }
}

fn lun_number(word: &str) -> Result<u16> {
    let number = mgmt::number(word).map_err(refused)?;
    u16::try_from(number)
        .ok()
        .filter(|n| *n <= crate::proto::lun::MAX_LUN)
        .ok_or(EINVAL)
}

fn read_only_of(params: mgmt::Segments<'_>) -> Result<bool> {
    let mut read_only = false;
    for segment in params {
        let mut words = mgmt::words(segment);
        if !mgmt::is(words.required().map_err(refused)?, "read_only") {
            return Err(EINVAL);
        }
        read_only = mgmt::flag(words.required().map_err(refused)?).map_err(refused)?;
        words.end().map_err(refused)?;
    }
    Ok(read_only)
}

struct LunFiles {
    device: Arc<Device>,
    read_only: bool,
}

static LUN: [Attr; 1] = [Attr::new(c"read_only", 0o444, 0)];

impl Attributes for LunFiles {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        let read_only = self.read_only || self.device.is_read_only();
        show_key(page, fmt!("{}", u8::from(read_only)), read_only)
    }
}

/// `luns/<n>` with its link to the device, and the device's link back.
pub(crate) fn publish_lun(parent: &Dir, number: u16, lun: &mut Lun) -> Result<(), Failed> {
    let name = CString::try_from_fmt(fmt!("{number}"))?;
    let files = LunFiles {
        device: lun.device.clone(),
        read_only: lun.read_only,
    };
    let files = Arc::new(files, GFP_KERNEL).map_err(Error::from)?;
    let dir = Dir::with(Parent::Dir(parent), &name, &LUN, files)?;
    match link_lun(&dir, &lun.device) {
        Ok(export) => {
            lun.export = export;
            lun.dir = Some(dir);
            Ok(())
        }
        Err(e) => Err(Failed::from(e).with(dir)),
    }
}

fn link_lun(dir: &Dir, device: &Device) -> Result<u32> {
    let mut guard = device.dirs().lock();
    let dirs = (*guard).as_mut().ok_or(ENODEV)?;
    dir.link(c"device", &dirs.dir)?;
    let number = dirs.next_export();
    dirs.exported
        .link(&CString::try_from_fmt(fmt!("export{number}"))?, dir)?;
    Ok(number)
}

/// The way back from [`publish_lun`].
pub(crate) fn unpublish_lun(device: &Device, export: u32, dir: Option<Dir>) {
    if let (Some(dirs), Ok(name)) = (
        device.dirs().lock().as_ref(),
        CString::try_from_fmt(fmt!("export{export}")),
    ) {
        dirs.exported.unlink(&name);
    }
    drop(dir);
}
