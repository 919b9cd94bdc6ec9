// SPDX-License-Identifier: GPL-2.0-only

//! The handlers: what `add_device` makes.

use kernel::prelude::*;
use kernel::str::{CStr, CString};
use kernel::sync::Arc;

use scst::device::{Create, DeviceOps, Handler};
use scst::kapi::workq::WorkQueue;
use scst::proto::device_type::DeviceType;

use crate::blockio::BlockIo;
use crate::cdrom::Cdrom;
use crate::disk::{self, Disk};
use crate::fileio::FileIo;
use crate::nullio::NullIo;
use crate::params::Params;
use crate::shared::Shared;
use crate::store::{Facts, Store};

/// Longest device name, in bytes.
const NAME_MAX: usize = 64;

/// Bytes of a nullio device that nobody gave a size: 2.5 TiB.
pub(crate) const NULLIO_SIZE: u64 = 5 << 39;

/// What stands behind a device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file or block device, through the page cache.
    File,
    /// A block device, below the page cache.
    Block,
    /// Nothing.
    Null,
    /// A file, as a disc in a drive.
    CdRom,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = [Self::File, Self::Block, Self::Null, Self::CdRom];

    /// The handler's name.
    pub(crate) const fn name(self) -> &'static CStr {
        match self {
            Self::File => c"vdisk_fileio",
            Self::Block => c"vdisk_blockio",
            Self::Null => c"vdisk_nullio",
            Self::CdRom => c"vcdrom",
        }
    }

    /// The creation parameters, as they are listed.
    pub(crate) const fn parameters(self) -> &'static str {
        match self {
            Self::File => {
                "active, async, bind_alua_state, blocksize, cluster_mode, dif_filename, dif_mode, dif_static_app_tag, \
                 dif_type, filename, numa_node_id, nv_cache, o_direct, read_only, removable, rotational, \
                 thin_provisioned, tst, t10_dev_id, write_through"
            }
            Self::Block => {
                "active, bind_alua_state, blocksize, cluster_mode, dif_filename, dif_mode, dif_static_app_tag, dif_type, \
                 filename, numa_node_id, nv_cache, read_only, removable, rotational, thin_provisioned, tst, t10_dev_id, \
                 write_through"
            }
            Self::Null => {
                "blocksize, cluster_mode, dif_mode, dif_static_app_tag, dif_type, dummy, numa_node_id, read_only, \
                 removable, rotational, size, size_mb, tst, t10_dev_id"
            }
            Self::CdRom => "tst",
        }
    }

    /// T10 vendor identification of a new device.
    pub(crate) const fn vendor(self) -> &'static str {
        match self {
            Self::File | Self::Null | Self::CdRom => "SCST_FIO",
            Self::Block => "SCST_BIO",
        }
    }
}

/// One handler.
pub(crate) struct Vdisk {
    kind: Kind,
    shared: Arc<Shared>,
    threads: u32,
}

impl Vdisk {
    /// The handler of `kind`, whose devices run up to `threads` commands at once where they have to wait.
    pub(crate) fn new(kind: Kind, shared: Arc<Shared>, threads: u32) -> Self {
        Self {
            kind,
            shared,
            threads,
        }
    }

    fn fileio(&self, request: &Create<'_>, params: Params) -> Result<Arc<dyn DeviceOps>> {
        let how = (params.o_direct, params.is_async);
        let queue = queue_name(request.name)?;
        let (access, block_size) = (params.access(), params.block_size());
        let store = FileIo::new(&queue, self.threads, access, block_size, how)?;
        let facts = open(&store, &params)?;
        self.disk(request, params, facts, store)
    }

    fn blockio(&self, request: &Create<'_>, params: Params) -> Result<Arc<dyn DeviceOps>> {
        let (access, block_size) = (params.access(), params.block_size());
        let queue = queue_name(request.name)?;
        let store = BlockIo::new(&queue, self.threads, access, block_size)?;
        let facts = open(&store, &params)?;
        self.disk(request, params, facts, store)
    }

    fn nullio(&self, request: &Create<'_>, params: Params) -> Result<Arc<dyn DeviceOps>> {
        let facts = Facts {
            size: params.size.unwrap_or(NULLIO_SIZE),
            physical_block_size: disk::PHYSICAL_BLOCK,
            alignment_offset: 0,
            optimal_io: None,
            volatile: true,
            max_unmap: 0,
            unmap_units: None,
        };
        self.disk(request, params, Some(facts), NullIo::new())
    }

    fn cdrom(&self, request: &Create<'_>, params: &Params) -> Result<Arc<dyn DeviceOps>> {
        let queue = WorkQueue::new(&queue_name(request.name)?, self.threads)?;
        let drive = Cdrom::new(request, params, queue, &self.shared)?;
        let drive = Arc::pin_init(drive, GFP_KERNEL)?;
        Ok(drive)
    }

    fn disk<S: Store>(
        &self,
        request: &Create<'_>,
        params: Params,
        facts: Option<Facts>,
        store: S,
    ) -> Result<Arc<dyn DeviceOps>> {
        let disk = Arc::pin_init(
            Disk::new(self.kind, request, (params, facts), store, &self.shared)?,
            GFP_KERNEL,
        )?;
        Ok(disk)
    }
}

impl Handler for Vdisk {
    fn name(&self) -> &'static CStr {
        self.kind.name()
    }

    fn device_type(&self) -> DeviceType {
        match self.kind {
            Kind::CdRom => DeviceType::CdRom,
            Kind::File | Kind::Block | Kind::Null => DeviceType::Disk,
        }
    }

    fn family(&self) -> &'static str {
        "vdisk"
    }

    fn parameters(&self) -> &'static str {
        self.kind.parameters()
    }

    fn threads(&self) -> u32 {
        match self.kind {
            Kind::Block | Kind::Null => 1,
            _ => self.threads,
        }
    }

    fn create(&self, request: &Create<'_>) -> Result<Arc<dyn DeviceOps>> {
        check_name(request.name)?;
        let params = Params::parse(self.kind, request.params.clone())?;
        match self.kind {
            Kind::File => self.fileio(request, params),
            Kind::Block => self.blockio(request, params),
            Kind::Null => self.nullio(request, params),
            Kind::CdRom => self.cdrom(request, &params),
        }
    }
}

/// Opens a new disk's store, unless it is to wait: for somebody to say so, or for storage that is another node's now.
fn open<S: Store>(store: &S, params: &Params) -> Result<Option<Facts>> {
    let path = params.filename()?;
    if !params.active {
        return Ok(None);
    }
    match store.open(path) {
        Ok(facts) => Ok(Some(facts)),
        Err(EMEDIUMTYPE) => Ok(None),
        Err(e) => Err(e),
    }
}

/// A device's name is that of a directory, as it stands.
fn check_name(name: &str) -> Result {
    if name.len() > NAME_MAX || name.contains('/') || matches!(name, "." | "..") {
        return Err(EINVAL);
    }
    Ok(())
}

fn queue_name(device: &str) -> Result<CString> {
    CString::try_from_fmt(fmt!("scst_{device}"))
}
