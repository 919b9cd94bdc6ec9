// SPDX-License-Identifier: GPL-2.0-only

//! A CD-ROM drive whose discs are image files: the drive, its tray, and the disc in it.

use kernel::prelude::*;
use kernel::str::{CStr, CString};
use kernel::sync::atomic::{Acquire, Atomic, Release};
use kernel::sync::{new_mutex, Arc, Mutex};

use scst::command::{Admitted, Command};
use scst::core::Core;
use scst::device::{Create, DeviceOps};
use scst::kapi::file::{Access, File};
use scst::kapi::global;
use scst::kapi::livemap::Live;
use scst::kapi::sysfs::{Attr, Attributes, Page};
use scst::kapi::workq::WorkQueue;
use scst::mode::Mode;
use scst::nexus::Nexus;
use scst::proto::cdb::Command as Cdb;
use scst::proto::device_type::DeviceType;
use scst::proto::mmc::MediaEvent;
use scst::proto::mode::ModeState;
use scst::proto::opcode::OpDesc;
use scst::proto::sense::Sense;
use scst::proto::served;

use crate::attrs;
use crate::handler::Kind;
use crate::params::Params;
use crate::shared::Shared;
use crate::store::{Ready, Slot};
use crate::unit::Unit;

/// log2 of the bytes of a block of a CD-ROM.
pub(crate) const BLOCK_SHIFT: u32 = 11;

/// A disc.
pub(crate) struct Disc {
    pub(crate) file: File,
    /// Bytes of the image.
    size: u64,
}

impl Disc {
    fn open(path: &CStr) -> Result<Self> {
        let file = File::open(path, Access::ReadOnly)?;
        let size = file.size();
        Ok(Self { file, size })
    }

    /// Whole blocks of the image.
    pub(crate) fn blocks(&self) -> u64 {
        self.size.wrapping_shr(BLOCK_SHIFT)
    }
}

/// Where the tray is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tray {
    /// In: what is on it can be read.
    Closed,
    /// Out.
    Open,
    /// On its way in, with something new on it that not all initiators were told of.
    Closing,
}

const CLOSED: i32 = 0;
const OPEN: i32 = 1;
/// On its way in, for an initiator.
const LOADING: i32 = 2;
/// On its way in, with another disc than before.
const CHANGING: i32 = 3;

/// A drive.
#[pin_data]
pub(crate) struct Cdrom {
    /// Dropped first: it waits for those who still read the disc.
    pub(crate) queue: WorkQueue,
    disc: Slot<Disc>,
    tray: Atomic<i32>,
    #[pin]
    pub(crate) unit: Unit,
    /// The image's name. Held while discs are changed, so while commands end: no command takes it.
    #[pin]
    filename: Mutex<Option<CString>>,
}

impl Cdrom {
    /// An empty drive. `EEXIST` where its default serial number is taken.
    pub(crate) fn new(
        request: &Create<'_>,
        params: &Params,
        queue: WorkQueue,
        shared: &Arc<Shared>,
    ) -> Result<impl PinInit<Self, Error>> {
        let mode = ModeState::new(false, params.tst);
        let unit = Unit::new(Kind::CdRom, request, None, mode, shared)?;
        let disc = Slot::new()?;
        Ok(try_pin_init!(Self {
            queue,
            disc,
            tray: Atomic::new(CLOSED),
            unit <- unit,
            filename <- new_mutex!(None),
        }? Error))
    }

    /// Where the tray is.
    pub(crate) fn tray(&self) -> Tray {
        match self.tray.load(Acquire) {
            CLOSED => Tray::Closed,
            OPEN => Tray::Open,
            _ => Tray::Closing,
        }
    }

    /// The disc, if it can be read.
    pub(crate) fn disc(&self) -> Result<Live<Disc>, Sense> {
        // In this order: whoever gets a new disc finds the tray closing, or that it was told of the disc.
        let disc = self.disc.get();
        match self.tray() {
            Tray::Open => Err(Sense::TRAY_OPEN),
            Tray::Closing => Err(Sense::BECOMING_READY),
            Tray::Closed => disc.ok_or(Sense::MEDIUM_NOT_PRESENT),
        }
    }

    /// The disc, for a command that has passed whatever its initiator had to be told: which may have become more since then.
    pub(crate) fn disc_for(&self, cmd: &Command<Admitted>) -> Result<Live<Disc>, Sense> {
        let disc = self.disc()?;
        match cmd.nexus().unit_attentions().take() {
            Some(attention) => Err(attention),
            None => Ok(disc),
        }
    }

    /// Puts the disc at `path` in, or takes out what is in. `EBUSY` while somebody prevents that; then, and where the
    /// image cannot be opened, everything stays as it was. Waits for those who read the old disc.
    fn change(&self, path: Option<CString>) -> Result {
        let core = global::core()?;
        let mut filename = self.filename.lock();
        if self.unit.is_locked(&core) {
            return Err(EBUSY);
        }
        let open = |path: &CStr| Ready::new(Disc::open(path)?);
        let disc = path.as_deref().map(open).transpose()?;
        let had_one = filename.is_some() && self.tray() == Tray::Closed;
        self.tray.store(CHANGING, Release);
        let closed = self.disc.clear_and(|_| Ok(()));
        *filename = None;
        let result = match disc {
            Some(disc) => self.disc.put(disc),
            None => closed,
        };
        if result.is_ok() {
            *filename = path;
        }
        if filename.is_some() {
            self.unit.announce_medium(&core, None);
        } else if had_one {
            self.tell(&core, MediaEvent::Removal);
        }
        self.tray.store(CLOSED, Release);
        result
    }

    /// Opens the tray, for an initiator. The disc stays on it. 53/02 while somebody prevents that.
    pub(crate) fn eject(&self) -> Result<(), Sense> {
        let core = global::core().map_err(|_| Sense::NOT_READY)?;
        if self.unit.is_locked(&core) {
            return Err(Sense::MEDIUM_REMOVAL_PREVENTED);
        }
        // A change that is under way closes the tray again.
        if self.tray.cmpxchg(CLOSED, OPEN, Release).is_ok() {
            self.tell(&core, MediaEvent::Removal);
        }
        Ok(())
    }

    /// Closes the tray, for the initiator behind `by`, which knows and so is not told. 3A/00 where nothing is on it.
    pub(crate) fn load(&self, by: &Nexus) -> Result<(), Sense> {
        let core = global::core().map_err(|_| Sense::NOT_READY)?;
        if self.tray.cmpxchg(OPEN, LOADING, Acquire).is_ok() {
            if self.disc.get().is_some() {
                self.unit.announce_medium(&core, Some(by));
            }
            // Unless a change has begun meanwhile, which closes it itself.
            let _ = self.tray.cmpxchg(LOADING, CLOSED, Release);
        }
        self.disc().map(|_| ())
    }

    fn tell(&self, core: &Core, event: MediaEvent) {
        core.for_each_nexus(self.unit.name(), &mut |nexus| nexus.drive().raise(event));
    }

    /// Bytes of the disc, wherever the tray is.
    fn size(&self) -> u64 {
        self.disc.get().map_or(0, |disc| disc.size)
    }
}

impl Attributes for Cdrom {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        let file = attrs::File::from_id(id)?;
        match file {
            attrs::File::Filename => {
                let path = self.filename.lock();
                let path = path.as_ref().map(|path| path.to_str()).transpose()?;
                attrs::filename(path, page);
            }
            attrs::File::Size => attrs::number(self.size(), true, page),
            attrs::File::SizeMb => attrs::number(self.size() >> 20, false, page),
            _ if self.unit.show(file, page) => {}
            _ => return Err(EIO),
        }
        Ok(())
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        let text = core::str::from_utf8(data).map_err(|_| EINVAL)?;
        match attrs::File::from_id(id)? {
            attrs::File::Filename => match text.trim() {
                "" => self.change(None),
                path if !path.starts_with('/') || path.contains(char::is_control) => Err(EINVAL),
                path => self.change(Some(CString::try_from_fmt(fmt!("{path}"))?)),
            },
            file => self.unit.store(file, text.trim_end()),
        }
    }
}

impl DeviceOps for Cdrom {
    fn device_type(&self) -> DeviceType {
        DeviceType::CdRom
    }

    fn block_shift(&self) -> u32 {
        BLOCK_SHIFT
    }

    fn is_read_only(&self) -> bool {
        true
    }

    fn mode(&self) -> Option<Arc<Mode>> {
        Some(self.unit.mode.clone())
    }

    fn serves(&self, op: &OpDesc) -> bool {
        served::by_device(op, DeviceType::CdRom, false)
    }

    fn exec(&self, cmd: Command<Admitted>) {
        self.execute(cmd);
    }

    fn detached(&self) {
        // Nothing is written to a disc.
    }

    fn exec_put_off(&self, cmd: Command<Admitted>) {
        match cmd.decoded().command {
            Cdb::ModeSelect(request) => self.mode_select(cmd, &request),
            _ => self.execute(cmd),
        }
    }

    fn set_threads(&self, most: u32) {
        self.queue.limit(most);
    }

    fn reset(&self) {
        self.unit.reset();
    }

    fn attrs(&self) -> &'static [Attr] {
        attrs::of(Kind::CdRom, false)
    }
}
