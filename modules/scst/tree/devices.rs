// SPDX-License-Identifier: GPL-2.0-only

//! `devices/<name>/`.

use kernel::prelude::*;
use kernel::sync::Arc;

use super::handlers::show_type;
use crate::alive::Kept;
use crate::core::sections;
use crate::device::{Device, DeviceDirs, DeviceOps};
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent, Section};
use crate::proto::device_type::DeviceType;
use crate::reservation_attrs::{self, ReservationFiles};

struct DeviceFiles(DeviceType);

static DEVICE: [Attr; 1] = [Attr::new(c"type", 0o444, 0)];

impl Attributes for DeviceFiles {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        show_type(page, self.0)
    }
}

/// `devices/<name>` with the core's and the handler's files, and the links between the device and its handler.
pub(crate) fn device_dirs(
    parent: &Dir,
    handler: &Dir,
    device: &Device,
) -> Result<DeviceDirs, Failed> {
    let own = Arc::new(DeviceFiles(device.device_type()), GFP_KERNEL).map_err(Error::from)?;
    let reservations = ReservationFiles(device.name().try_clone()?);
    let reservations = Arc::new(reservations, GFP_KERNEL).map_err(Error::from)?;
    let ops = HandlerSide(device.kept_ops());
    let attrs = ops.0.attrs();
    let ops = Arc::new(ops, GFP_KERNEL).map_err(Error::from)?;
    let list = sections([
        Section {
            attrs: &DEVICE,
            data: own,
        },
        Section {
            attrs: &reservation_attrs::ATTRS,
            data: reservations,
        },
        Section { attrs, data: ops },
    ])?;
    let dir = Dir::new(Parent::Dir(parent), device.name().as_cstr(), list)?;
    if let Err(e) = dir
        .link(c"handler", handler)
        .and_then(|()| handler.link(device.name().as_cstr(), &dir))
    {
        return Err(Failed::from(e).with(dir));
    }
    match Dir::empty(Parent::Dir(&dir), c"exported") {
        Ok(exported) => Ok(DeviceDirs {
            exported,
            dir,
            next_export: 0,
        }),
        Err(failed) => {
            handler.unlink(device.name().as_cstr());
            Err(failed.with(dir))
        }
    }
}

/// The handler's files of a device.
struct HandlerSide(Kept<dyn DeviceOps>);

impl Attributes for HandlerSide {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        self.0.show(id, page)
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        self.0.store(id, data)
    }
}
