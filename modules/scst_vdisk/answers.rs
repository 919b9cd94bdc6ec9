// SPDX-License-Identifier: GPL-2.0-only

//! Commands that the disk's state answers, without its store.

use kernel::sync::atomic::Relaxed;

use scst::command::{Admitted, Command, Outcome};
use scst::execute::cut;
use scst::proto::cdb::{Command as Cdb, ModeSelect, ModeSense};
use scst::proto::device_type::DeviceType;
use scst::proto::inquiry::{self, BlockLimits, BlockPages, Identity, Pages, Tpgs, ROTATION_RATE};
use scst::proto::mode::{self, ModeDevice, ModeState};
use scst::proto::sense::{Sense, DESCRIPTOR_MAX_LEN};

use crate::disk::{Disk, PHYSICAL_BLOCK};
use crate::store::{finish, Answer, Store};

/// Room for the longest INQUIRY data: page 83h with every identifier at its longest.
const INQUIRY_MAX: usize = 512;

/// Room for all mode pages with header and block descriptor.
const MODE_MAX: usize = 256;

/// MAXIMUM TRANSFER LENGTH, in bytes.
const MAX_TRANSFER: u32 = 8 << 20;

/// MEDIUM ROTATION RATE of a device that does not rotate (SBC-3 6.5.3).
const NON_ROTATING: u16 = 1;

impl<S: Store> Disk<S> {
    /// Answers a command, or refuses it.
    pub(crate) fn answer(&self, cmd: &Command<Admitted>, command: Cdb) -> Outcome {
        match command {
            Cdb::TestUnitReady | Cdb::SendDiagnostic { .. } | Cdb::PreventAllow { .. } => {
                Outcome::Good(0)
            }
            Cdb::RequestSense { desc, alloc_len } => no_sense(cmd, desc, alloc_len),
            Cdb::Inquiry {
                evpd,
                page,
                alloc_len,
            } => self.inquiry(cmd, evpd.then_some(page), alloc_len),
            Cdb::ReadCapacity10 => self.read_capacity_10(cmd),
            Cdb::ReadCapacity16 { alloc_len } => self.read_capacity_16(cmd, alloc_len),
            Cdb::ModeSense(request) => self.mode_sense(cmd, &request),
            // There are no log pages.
            Cdb::LogSense { .. } | Cdb::LogSelect { .. } => Sense::invalid_field_in_cdb(2).into(),
            _ => cmd.decoded().op.not_supported().into(),
        }
    }

    /// INQUIRY data, or a page of vital product data.
    #[inline(never)] // Its buffer is not for the stack of others.
    fn inquiry(&self, cmd: &Command<Admitted>, page: Option<u8>, alloc_len: u32) -> Outcome {
        let mut buf = [0; INQUIRY_MAX];
        match self.write_inquiry(cmd, page, cut(&mut buf, alloc_len)) {
            Ok(n) => cmd.respond(buf.get(..n).unwrap_or(&[])),
            Err(sense) => sense.into(),
        }
    }

    fn write_inquiry(
        &self,
        cmd: &Command<Admitted>,
        page: Option<u8>,
        out: &mut [u8],
    ) -> Result<usize, Sense> {
        let port = cmd.nexus().port();
        let versions = [&port.phys_transport_version, &port.scsi_transport_version]
            .map(|v| v.load(Relaxed) as u16);
        let names = self.identity.lock();
        let identity = Identity {
            device_type: DeviceType::Disk,
            not_connected: false,
            removable: self.removable,
            norm_aca: false,
            third_party_copy: false,
            tpgs: Tpgs::None,
            vendor: names.vendor.bytes(),
            product: names.product.bytes(),
            revision: names.revision.bytes(),
            serial: names.serial(),
            t10_dev_id: names.t10_dev_id.bytes(),
            vend_specific_id: names.vend_specific_id.bytes(),
            scsi_device_name: names.scsi_device_name.bytes(),
            eui64: names.eui64.bytes(),
            naa: names.naa.bytes(),
            inq_vend_specific: names.inq_vend_specific.bytes(),
            relative_port: port.relative_id(),
            port_group: None,
            transport_versions: match &versions {
                [0, scsi @ ..] => scsi,
                both => both,
            },
        };
        let block = self.block_pages();
        let Some(page) = page else {
            return Ok(inquiry::standard(&identity, out));
        };
        let pages = Pages {
            identity: &identity,
            volatile_cache: !self.nv_cache,
            block: Some(&block),
        };
        inquiry::vpd(page, &pages, out)
    }

    /// Pages B0h and B1h.
    fn block_pages(&self) -> BlockPages {
        let blocks = |bytes: u32| bytes.wrapping_shr(self.block_shift);
        let optimal = self.opt_trans_len.load(Relaxed).min(MAX_TRANSFER);
        BlockPages {
            limits: BlockLimits {
                max_compare_and_write: 0,
                granularity: u16::try_from(blocks(PHYSICAL_BLOCK)).unwrap_or(0).max(1),
                max_transfer: blocks(MAX_TRANSFER),
                optimal_transfer: blocks(optimal),
                max_write_same: 0,
                wsnz: false,
                unmap: None,
            },
            rotation_rate: if self.rotational {
                ROTATION_RATE
            } else {
                NON_ROTATING
            },
            provisioning: None,
        }
    }

    fn read_capacity_10(&self, cmd: &Command<Admitted>) -> Outcome {
        let mut buf = [0; 8];
        let n = self.capacity().read_capacity_10(&mut buf);
        cmd.respond(buf.get(..n).unwrap_or(&[]))
    }

    fn read_capacity_16(&self, cmd: &Command<Admitted>, alloc_len: u32) -> Outcome {
        let mut buf = [0; 32];
        let n = self.capacity().read_capacity_16(cut(&mut buf, alloc_len));
        cmd.respond(buf.get(..n).unwrap_or(&[]))
    }

    /// Lets `f` see the disk as MODE SENSE and MODE SELECT do.
    fn with_mode_device<R>(
        &self,
        cmd: &Command<Admitted>,
        f: impl FnOnce(&ModeDevice<'_>) -> R,
    ) -> R {
        let current = self.mode.get();
        f(&ModeDevice {
            device_type: DeviceType::Disk,
            block_size: self.block_size(),
            blocks: self.blocks(),
            write_protected: cmd.nexus().is_read_only() || current.swp,
            wce_changeable: !self.nv_cache,
            current: &current,
            default: &self.default_mode,
            saved: None,
        })
    }

    #[inline(never)] // Its buffer is not for the stack of others.
    fn mode_sense(&self, cmd: &Command<Admitted>, request: &ModeSense) -> Outcome {
        let mut buf = [0; MODE_MAX];
        let result = self.with_mode_device(cmd, |d| {
            mode::sense(request, d, cut(&mut buf, request.alloc_len))
        });
        match result {
            Ok(n) => cmd.respond(buf.get(..n).unwrap_or(&[])),
            Err(sense) => sense.into(),
        }
    }

    /// MODE SELECT. Where the write cache goes off, what is in it goes to stable storage before the answer.
    pub(crate) fn mode_select(&self, cmd: Command<Admitted>, request: &ModeSelect) {
        match self.select(&cmd, request) {
            Err(sense) => cmd.finish(sense.into()),
            Ok((before, after)) if before.wce && !after.wce => {
                self.flush(cmd, self.whole(), Answer::Afterwards)
            }
            Ok(_) => finish(cmd, Ok(())),
        }
    }

    /// Sets what a parameter list asks for. Returns what was, and what is.
    #[inline(never)] // Its buffer is not for the stack of others.
    fn select(
        &self,
        cmd: &Command<Admitted>,
        request: &ModeSelect,
    ) -> Result<(ModeState, ModeState), Sense> {
        let mut buf = [0; MODE_MAX];
        let n = cmd
            .cmnd()
            .copy_from_buffer(0, cut(&mut buf, request.list_len));
        let list = buf.get(..n).unwrap_or(&[]);
        let _one_at_a_time = self.identity.lock();
        let (before, after) =
            self.with_mode_device(cmd, |d| Ok((*d.current, mode::select(request, list, d)?)))?;
        self.mode.set(&after);
        Ok((before, after))
    }
}

/// What REQUEST SENSE answers when there is nothing to say.
fn no_sense(cmd: &Command<Admitted>, desc: bool, alloc_len: u32) -> Outcome {
    let mut buf = [0; DESCRIPTOR_MAX_LEN];
    let n = Sense::NO_SENSE.write(desc, cut(&mut buf, alloc_len));
    cmd.respond(buf.get(..n).unwrap_or(&[]))
}
