// SPDX-License-Identifier: GPL-2.0-only

//! `devices/<name>/`.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

use super::handlers::show_type;
use super::{refused, show_key, text};
use crate::alive::Kept;
use crate::core::sections;
use crate::device::{Device, DeviceDirs, DeviceOps, DEFAULT_TGT_DEV_COMMANDS};
use crate::kapi::global;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent, Section};
use crate::proto::mgmt;
use crate::reservation_attrs::{self, ReservationFiles};

struct DeviceFiles(Arc<Device>);

const TYPE: u16 = 0;
const BLOCK: u16 = 1;
const MAX_TGT_DEV_COMMANDS: u16 = 2;
const NUMA_NODE_ID: u16 = 3;
const THREADS_NUM: u16 = 4;
const THREADS_POOL_TYPE: u16 = 5;

static DEVICE: [Attr; 6] = [
    Attr::new(c"type", 0o444, TYPE),
    Attr::managed(c"block", 0o644, BLOCK),
    Attr::managed(c"max_tgt_dev_commands", 0o644, MAX_TGT_DEV_COMMANDS),
    Attr::new(c"numa_node_id", 0o644, NUMA_NODE_ID),
    Attr::managed(c"threads_num", 0o644, THREADS_NUM),
    Attr::managed(c"threads_pool_type", 0o644, THREADS_POOL_TYPE),
];

impl Attributes for DeviceFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        let (device, threads) = (&self.0, &self.0.threads);
        match id {
            TYPE => show_type(page, device.device_type()),
            BLOCK => {
                let (active, pending) = device.blocks().counts();
                show_key(page, fmt!("{active} {pending}"), false)
            }
            MAX_TGT_DEV_COMMANDS => {
                let limit = device.max_tgt_dev_commands();
                show_key(page, fmt!("{limit}"), limit != DEFAULT_TGT_DEV_COMMANDS)
            }
            NUMA_NODE_ID => {
                let node = threads.numa_node.load(Relaxed);
                show_key(page, fmt!("{node}"), node != -1)
            }
            THREADS_NUM => {
                let number = threads.number.load(Relaxed);
                show_key(page, fmt!("{number}"), number != threads.default)
            }
            THREADS_POOL_TYPE if threads.number.load(Relaxed) == 0 => {
                show_key(page, fmt!("Async"), false)
            }
            THREADS_POOL_TYPE => match threads.shared.load(Relaxed) {
                0 => show_key(page, fmt!("per_initiator"), false),
                _ => show_key(page, fmt!("shared"), true),
            },
            _ => Err(EIO),
        }
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        let (text, threads) = (text(data)?.trim_end(), &self.0.threads);
        let number = |least: i64| match mgmt::signed(text).map_err(refused)? {
            n if n < least => Err(EINVAL),
            n => i32::try_from(n).map_err(|_| ERANGE),
        };
        match id {
            BLOCK => return self.block(text),
            MAX_TGT_DEV_COMMANDS => {
                global::core()?.limit_commands(&self.0, number(0)?.unsigned_abs());
            }
            NUMA_NODE_ID => threads.numa_node.store(number(-1)?, Relaxed),
            THREADS_NUM => {
                threads.number.store(number(0)?, Relaxed);
                global::core()?.apply_threads(&self.0);
            }
            THREADS_POOL_TYPE => {
                let shared = match text {
                    "per_initiator" => 0,
                    "shared" => 1,
                    _ => return Err(EINVAL),
                };
                threads.shared.store(shared, Relaxed);
                global::core()?.apply_threads(&self.0);
            }
            _ => return Err(EIO),
        }
        Ok(())
    }
}

impl DeviceFiles {
    /// `0`: go on. `1`: hold commands back, and wait until none is under way. `1 1 [data]`: hold them back and do not
    /// wait; whoever wants to know reads the file.
    fn block(&self, text: &str) -> Result {
        let core = global::core()?;
        let mut words = text.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (Some("0"), None) => {
                core.unblock_device(&self.0);
                Ok(())
            }
            (Some("1"), None) => core.block_device(&self.0),
            (Some("1"), Some("1")) => {
                let device = self.0.clone();
                core.works()
                    .start(move || global::core()?.block_device(&device))
            }
            _ => Err(EINVAL),
        }
    }
}

/// `devices/<name>` with the core's and the handler's files, and the links between the device and its handler.
pub(crate) fn device_dirs(
    parent: &Dir,
    handler: &Dir,
    device: &Arc<Device>,
) -> Result<DeviceDirs, Failed> {
    let own = Arc::new(DeviceFiles(device.clone()), GFP_KERNEL).map_err(Error::from)?;
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
