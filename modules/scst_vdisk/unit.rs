// SPDX-License-Identifier: GPL-2.0-only

//! What every unit has, whatever stands behind it: a name, an identity, mode parameters; and the commands and files that
//! these alone answer.

use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::atomic::Relaxed;
use kernel::sync::{new_mutex, Arc, Mutex};

use scst::command::{Admitted, Command, Outcome};
use scst::device::Create;
use scst::execute::cut;
use scst::kapi::global;
use scst::kapi::sysfs::Page;
use scst::mode::{Mode, Version};
use scst::proto::cdb::{Command as Cdb, ModeSelect, ModeSense};
use scst::proto::device_type::DeviceType;
use scst::proto::id::T10_DEV_ID_MAX;
use scst::proto::inquiry::{self, BlockPages, Identity as Names, Pages, Tpgs};
use scst::proto::log;
use scst::proto::mode::{self, ModeDevice, ModeState};
use scst::proto::sense::{Sense, DESCRIPTOR_MAX_LEN};
use scst::proto::text::Text;

use crate::attrs::{self, File};
use crate::cache_off::tell_others;
use crate::handler::Kind;
use crate::identity::{Binary, Identity};
use crate::job::Job;
use crate::saved::Saved;
use crate::shared::Shared;

/// Room for the longest INQUIRY data: page 83h with every identifier at its longest.
const INQUIRY_MAX: usize = 512;

/// Room for all mode pages with header and block descriptor.
const MODE_MAX: usize = 256;

/// The common part of a device.
#[pin_data]
pub(crate) struct Unit {
    name: CString,
    pub(crate) kind: Kind,
    pub(crate) mode: Arc<Mode>,
    /// What [`Unit::mode`] is for a device that has saved nothing.
    pub(crate) default_mode: ModeState,
    /// What was saved; `None` where nothing can be.
    saved: Option<Arc<Saved>>,
    shared: Arc<Shared>,
    #[pin]
    identity: Mutex<Identity>,
}

/// What INQUIRY tells beside the identity.
pub(crate) struct Face<'a> {
    /// The peripheral device type.
    pub(crate) device_type: DeviceType,
    /// There is no device behind the LUN (peripheral qualifier 001b).
    pub(crate) not_connected: bool,
    /// RMB.
    pub(crate) removable: bool,
    /// V_SUP.
    pub(crate) volatile_cache: bool,
    /// Pages of a block device.
    pub(crate) block: Option<&'a BlockPages>,
}

/// What MODE SENSE and MODE SELECT have to know of the medium.
pub(crate) struct ModeFace {
    /// The peripheral device type.
    pub(crate) device_type: DeviceType,
    /// Bytes of a logical block.
    pub(crate) block_size: u32,
    /// Logical blocks of the medium.
    pub(crate) blocks: u64,
    /// Its removal is prevented.
    pub(crate) locked: bool,
    /// WCE may be changed.
    pub(crate) wce_changeable: bool,
}

impl Unit {
    /// A new unit. `EEXIST` where its default serial number is taken.
    pub(crate) fn new(
        kind: Kind,
        request: &Create<'_>,
        t10_dev_id: Option<&Text<T10_DEV_ID_MAX>>,
        default_mode: ModeState,
        shared: &Arc<Shared>,
    ) -> Result<impl PinInit<Self, Error>> {
        let identity = Identity::new(kind, request, t10_dev_id, &shared.serials)?;
        let saved = Saved::load(request.name, &default_mode)?;
        let mode = saved.as_ref().map_or(default_mode, |saved| saved.get());
        let shared = shared.clone();
        let name = CString::try_from_fmt(fmt!("{}", request.name))?;
        Ok(try_pin_init!(Self {
            name,
            kind,
            mode: Arc::new(Mode::new(&mode), GFP_KERNEL)?,
            default_mode,
            saved,
            shared,
            identity <- new_mutex!(identity),
        }? Error))
    }

    /// The device's name.
    pub(crate) fn name(&self) -> &str {
        // Made from a `str`, so it is one.
        self.name.to_str().unwrap_or("")
    }

    /// Tells the initiators that the unit says something else of itself now. With no lock held.
    pub(crate) fn identity_changed(&self) -> Result {
        global::core()?.identity_changed(self.name());
        Ok(())
    }

    /// Prints `file` if it is one of those of every unit; says whether it was.
    pub(crate) fn show(&self, file: File, page: &mut Page<'_>) -> bool {
        let names = self.identity.lock();
        match file {
            File::Eui64Id => names.eui64.show(page),
            File::InqVendSpecific => names.inq_vend_specific.show(page),
            File::NaaId => names.naa.show(page),
            File::ProdId => names.product.show(page),
            File::ProdRevLvl => names.revision.show(page),
            File::ScsiDeviceName => names.scsi_device_name.show(page),
            File::T10DevId => names.t10_dev_id.show(page),
            File::T10VendId => names.vendor.show(page),
            File::Tst => attrs::flag(self.default_mode.tst != 0, true, page),
            File::Usn => names.show_serial(page),
            File::VendSpecificId => names.vend_specific_id.show(page),
            _ => return false,
        }
        true
    }

    /// Takes what was written to `file` if it is one of those of every unit, and tells the initiators. `EIO` for others.
    pub(crate) fn store(&self, file: File, text: &str) -> Result {
        self.set_name(file, text)?;
        self.identity_changed()
    }

    fn set_name(&self, file: File, text: &str) -> Result {
        let mut names = self.identity.lock();
        match file {
            File::Eui64Id => set_binary(&mut names.eui64, text, Binary::is_eui64),
            File::InqVendSpecific => names.inq_vend_specific.set(text),
            File::NaaId => set_binary(&mut names.naa, text, Binary::is_naa),
            File::ProdId => names.product.set(text),
            File::ProdRevLvl => names.revision.set(text),
            File::ScsiDeviceName => names.scsi_device_name.set(text),
            File::T10DevId => names.t10_dev_id.set(text),
            File::T10VendId => names.vendor.set(text),
            File::Usn => names.set_serial(text),
            File::VendSpecificId => names.vend_specific_id.set(text),
            _ => Err(EIO),
        }
    }

    /// INQUIRY data, or a page of vital product data.
    #[inline(never)] // Its buffer is not for the stack of others.
    pub(crate) fn inquiry(
        &self,
        cmd: &Command<Admitted>,
        page: Option<u8>,
        alloc_len: u32,
        face: &Face<'_>,
    ) -> Outcome {
        let mut buf = [0; INQUIRY_MAX];
        match self.write_inquiry(cmd, page, face, cut(&mut buf, alloc_len)) {
            Ok(n) => cmd.respond(buf.get(..n).unwrap_or(&[])),
            Err(sense) => sense.into(),
        }
    }

    fn write_inquiry(
        &self,
        cmd: &Command<Admitted>,
        page: Option<u8>,
        face: &Face<'_>,
        out: &mut [u8],
    ) -> Result<usize, Sense> {
        let port = cmd.nexus().port();
        let versions = [
            port.phys_transport_version.load(Relaxed) as u16,
            port.scsi_version(),
        ];
        let access = cmd.nexus().port_access();
        let names = self.identity.lock();
        let identity = Names {
            device_type: face.device_type,
            not_connected: face.not_connected || access.state.is_disconnected(),
            removable: face.removable,
            norm_aca: false,
            third_party_copy: false,
            tpgs: match (
                access.grouped,
                cmd.nexus().device().ops().sets_port_groups(),
            ) {
                (false, _) => Tpgs::None,
                (true, false) => Tpgs::Implicit,
                (true, true) => Tpgs::Both,
            },
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
            port_group: access.group,
            transport_versions: match &versions {
                [0, scsi @ ..] => scsi,
                both => both,
            },
        };
        let Some(page) = page else {
            return Ok(inquiry::standard(&identity, out));
        };
        let pages = Pages {
            identity: &identity,
            volatile_cache: face.volatile_cache,
            block: face.block,
        };
        inquiry::vpd(page, &pages, out)
    }

    /// Lets `f` see the unit as MODE SENSE and MODE SELECT do.
    fn with_mode_device<R>(
        &self,
        cmd: &Command<Admitted>,
        face: &ModeFace,
        current: &ModeState,
        f: impl FnOnce(&ModeDevice<'_>) -> R,
    ) -> R {
        let saved = self.saved.as_ref().map(|saved| saved.get());
        f(&ModeDevice {
            device_type: face.device_type,
            block_size: face.block_size,
            blocks: face.blocks,
            write_protected: cmd.nexus().is_read_only() || current.swp,
            locked: face.locked,
            wce_changeable: face.wce_changeable,
            current,
            default: &self.default_mode,
            saved: saved.as_ref(),
        })
    }

    /// MODE SENSE.
    #[inline(never)] // Its buffer is not for the stack of others.
    pub(crate) fn mode_sense(
        &self,
        cmd: &Command<Admitted>,
        request: &ModeSense,
        face: &ModeFace,
    ) -> Outcome {
        let mut buf = [0; MODE_MAX];
        let current = self.mode.get();
        let result = self.with_mode_device(cmd, face, &current, |d| {
            mode::sense(request, d, cut(&mut buf, request.alloc_len))
        });
        match result {
            Ok(n) => cmd.respond(buf.get(..n).unwrap_or(&[])),
            Err(sense) => sense.into(),
        }
    }

    /// Puts a MODE SELECT off that is to save parameters, until [`scst::device::DeviceOps::exec_put_off`] may sleep. Gives
    /// any other back.
    pub(crate) fn put_off(
        &self,
        cmd: Command<Admitted>,
        request: &ModeSelect,
    ) -> Option<Command<Admitted>> {
        if !request.sp || self.saved.is_none() {
            return Some(cmd);
        }
        let errand = ();
        self.shared
            .queue
            .run(Job { cmd, errand }, |Job { cmd, .. }| {
                let nexus = cmd.hold_nexus();
                nexus.device().ops().exec_put_off(cmd);
            });
        None
    }

    /// Sets what a MODE SELECT parameter list asks for, having saved it if that is asked for too, and tells the other
    /// initiators. Returns what was, what is, and since when. Sleeps for one that saves.
    #[inline(never)] // Its buffer is not for the stack of others.
    pub(crate) fn mode_select(
        &self,
        cmd: &Command<Admitted>,
        request: &ModeSelect,
        face: &ModeFace,
    ) -> Result<(ModeState, ModeState, Version), Sense> {
        let mut buf = [0; MODE_MAX];
        let n = cmd
            .cmnd()
            .copy_from_buffer(0, cut(&mut buf, request.list_len));
        let list = buf.get(..n).unwrap_or(&[]);
        loop {
            let (before, version) = self.mode.look();
            let select = |d: &ModeDevice<'_>| mode::select(request, list, d);
            let after = self.with_mode_device(cmd, face, &before, select)?;
            if let Some(saved) = self.saved.as_ref().filter(|_| request.sp) {
                let kept = saved.keep(&after);
                kept.map_err(|_| Sense::INTERNAL_TARGET_FAILURE)?;
            }
            // Where another was faster, what is asked for is worked out again from what that one has set.
            if let Some(version) = self.mode.replace(version, &after) {
                if request.has_pages() {
                    tell_others(cmd.nexus(), Sense::MODE_PARAMETERS_CHANGED);
                }
                return Ok((before, after, version));
            }
        }
    }

    /// The unit was reset: its mode parameters are what was saved, or those that it was made with.
    pub(crate) fn reset(&self) {
        let saved = self.saved.as_ref().map(|saved| saved.get());
        self.mode.set(&saved.unwrap_or(self.default_mode));
    }
}

/// LOG SENSE and LOG SELECT.
pub(crate) fn log(cmd: &Command<Admitted>, command: Cdb) -> Outcome {
    let mut buf = [0; 32];
    let result = match command {
        Cdb::LogSense {
            save,
            page,
            subpage,
            pointer,
            alloc_len,
            ..
        } => log::sense(save, page, subpage, pointer, cut(&mut buf, alloc_len)),
        Cdb::LogSelect {
            reset,
            save,
            page,
            subpage,
            list_len,
            ..
        } => log::select(reset, save, page, subpage, list_len).map(|()| 0),
        _ => Err(cmd.decoded().op.not_supported()),
    };
    match result {
        Ok(n) => cmd.respond(buf.get(..n).unwrap_or(&[])),
        Err(sense) => sense.into(),
    }
}

/// Sense data as the answer of REQUEST SENSE.
pub(crate) fn sense_data(
    cmd: &Command<Admitted>,
    sense: &Sense,
    desc: bool,
    alloc_len: u32,
) -> Outcome {
    let mut buf = [0; DESCRIPTOR_MAX_LEN];
    let n = sense.write(desc, cut(&mut buf, alloc_len));
    cmd.respond(buf.get(..n).unwrap_or(&[]))
}

/// Sets an identifier that must be `valid`; an empty text takes it away.
fn set_binary(binary: &mut Binary, text: &str, valid: fn(&Binary) -> bool) -> Result {
    let new = Binary::parse(text)?;
    if !valid(&new) {
        return Err(EINVAL);
    }
    *binary = new;
    Ok(())
}
