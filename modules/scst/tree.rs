// SPDX-License-Identifier: GPL-2.0-only

//! The tree below `/sys/kernel/scst_tgt`: which files there are, and what reading and writing them does.
//!
//! What stands behind a file of the tree names its object and finds it anew each time, so that no file keeps an object
//! alive.

use kernel::prelude::*;
use kernel::str::{CStr, CString};
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;

use crate::core::{sections, Core};
use crate::device::{Device, DeviceDirs, Handler};
use crate::kapi::global;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent, Section};
use crate::name::Name;
use crate::proto::device_type::DeviceType;
use crate::proto::mgmt;
use crate::target::{Lun, Port, Session, SessionOps, TargetDirs, TargetDriver};

/// The version of the interface that the tree follows.
pub const VERSION: &str = "3.11.0-pre";

/// The fixed directories, children first.
pub(crate) struct Tree {
    pub(crate) handlers: Dir,
    pub(crate) devices: Dir,
    pub(crate) targets: Dir,
    _root: Dir,
}

impl Tree {
    pub(crate) fn new() -> Result<Self> {
        let root = Dir::with(
            Parent::Kernel,
            c"scst_tgt",
            &ROOT,
            Arc::new(Root, GFP_KERNEL)?,
        )?;
        Ok(Self {
            handlers: Dir::empty(Parent::Dir(&root), c"handlers")?,
            devices: Dir::empty(Parent::Dir(&root), c"devices")?,
            targets: Dir::empty(Parent::Dir(&root), c"targets")?,
            _root: root,
        })
    }
}

/// What was written, as text without the newline that `echo` adds.
pub fn text(data: &[u8]) -> Result<&str> {
    let text = core::str::from_utf8(data).map_err(|_| EINVAL)?;
    Ok(text.strip_suffix('\n').unwrap_or(text))
}

/// An errno for a management word that is refused.
pub fn refused(error: mgmt::Error) -> Error {
    match error {
        mgmt::Error::Inval => EINVAL,
        mgmt::Error::Range => ERANGE,
    }
}

/// The words of a management command, without what follows its first separator.
fn first_words(text: &str) -> Result<mgmt::Words<'_>> {
    Ok(mgmt::words(mgmt::segments(text).next().ok_or(EINVAL)?))
}

/// The parameters of a management command whose leading words were taken from `words`: the first one may follow them
/// without a separator.
fn params_of<'a>(text: &'a str, words: &mgmt::Words<'a>) -> mgmt::Segments<'a> {
    let rest = words.rest();
    let after = match (rest.as_ptr() as usize).checked_sub(text.as_ptr() as usize) {
        Some(at) if !rest.is_empty() => text.get(at..),
        _ => text.split_once([';', '\n']).map(|(_, after)| after),
    };
    mgmt::segments(after.unwrap_or(""))
}

/// Prints a value, and below it the mark that makes configuration tools save it.
pub fn show_key(page: &mut Page<'_>, value: core::fmt::Arguments<'_>, key: bool) -> Result {
    page.print(value);
    page.push(b"\n");
    if key {
        page.push(b"[key]\n");
    }
    Ok(())
}

/// Runs a management command and keeps its result for `last_sysfs_mgmt_res`.
fn manage(command: impl FnOnce(&Core) -> Result) -> Result {
    let core = global::core()?;
    let result = command(&core);
    core.last_result
        .store(result.as_ref().err().map_or(0, |e| e.to_errno()), Relaxed);
    result
}

// --- root ------------------------------------------------------------------------------------------------------------

struct Root;

const ROOT_VERSION: u16 = 0;
const ROOT_RESULT: u16 = 1;
const ROOT_SETUP_ID: u16 = 2;

static ROOT: [Attr; 3] = [
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
                fmt!("{}", global::core()?.last_result.load(Relaxed)),
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

// --- handlers --------------------------------------------------------------------------------------------------------

struct HandlerFiles(Arc<dyn Handler>);

const HANDLER_TYPE: u16 = 0;
const HANDLER_MGMT: u16 = 1;

static HANDLER: [Attr; 2] = [
    Attr::new(c"type", 0o444, HANDLER_TYPE),
    Attr::new(c"mgmt", 0o644, HANDLER_MGMT),
];

pub(crate) fn handler_dir(parent: &Dir, handler: &Arc<dyn Handler>) -> Result<Dir, Failed> {
    let files = Arc::new(HandlerFiles(handler.clone()), GFP_KERNEL).map_err(Error::from)?;
    Dir::with(Parent::Dir(parent), handler.name(), &HANDLER, files)
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
        manage(|core| {
            let mut words = first_words(text)?;
            let command = words.required().map_err(refused)?;
            let name = words.required().map_err(refused)?;
            if mgmt::is(command, "add_device") {
                // The first parameter may follow the name without a separator.
                let params = params_of(text, &words);
                core.add_device(&self.0, name, params)
            } else if mgmt::is(command, "del_device") {
                words.end().map_err(refused)?;
                core.del_device(self.0.family(), name)
            } else {
                Err(EINVAL)
            }
        })
    }
}

/// `type`: the number, and what it means.
fn show_type(page: &mut Page<'_>, device_type: DeviceType) -> Result {
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

// --- devices ---------------------------------------------------------------------------------------------------------

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
    let ops = HandlerSide(device.ops_arc());
    let attrs = ops.0.attrs();
    let ops = Arc::new(ops, GFP_KERNEL).map_err(Error::from)?;
    let list = sections([
        Section {
            attrs: &DEVICE,
            data: own,
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

/// The handler's files of a device; a change made by writing one of them is a management command.
struct HandlerSide(Arc<dyn crate::device::DeviceOps>);

impl Attributes for HandlerSide {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        self.0.show(id, page)
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        manage(|_| self.0.store(id, data))
    }
}

// --- drivers and targets ---------------------------------------------------------------------------------------------

struct DriverFiles {
    name: &'static CStr,
}

static DRIVER: [Attr; 1] = [Attr::new(c"mgmt", 0o644, 0)];

pub(crate) fn driver_dir(parent: &Dir, driver: &Arc<dyn TargetDriver>) -> Result<Dir, Failed> {
    let files = Arc::new(
        DriverFiles {
            name: driver.name(),
        },
        GFP_KERNEL,
    )
    .map_err(Error::from)?;
    let own = Arc::new(DriverSide(driver.clone()), GFP_KERNEL).map_err(Error::from)?;
    let list = sections([
        Section {
            attrs: &DRIVER,
            data: files,
        },
        Section {
            attrs: driver.attrs(),
            data: own,
        },
    ])?;
    Dir::new(Parent::Dir(parent), driver.name(), list)
}

struct DriverSide(Arc<dyn TargetDriver>);

impl Attributes for DriverSide {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        self.0.show(id, page)
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        self.0.store(id, data)
    }
}

impl Attributes for DriverFiles {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        page.push(
            b"Usage: echo \"add_target NAME [session_name=S; [session_name=S2; ...]]\" >mgmt\n\
              \x20      echo \"del_target NAME\" >mgmt\n\
              \x20      echo \"add_session TARGET SESSION\" >mgmt\n\
              \x20      echo \"del_session TARGET SESSION\" >mgmt\n\n\
              The following parameters available: session_name\n",
        );
        Ok(())
    }

    fn store(&self, _id: u16, data: &[u8]) -> Result {
        let text = text(data)?;
        manage(|core| self.command(core, text))
    }
}

impl DriverFiles {
    fn command(&self, core: &Core, text: &str) -> Result {
        let mut words = first_words(text)?;
        let command = words.required().map_err(refused)?;
        let target = words.required().map_err(refused)?;
        if mgmt::is(command, "add_target") {
            return self.add_target(core, target, params_of(text, &words));
        }
        if mgmt::is(command, "del_target") {
            words.end().map_err(refused)?;
            return core.del_target(self.name, target);
        }
        if mgmt::is(command, "add_session") {
            let session = words.required().map_err(refused)?;
            words.end().map_err(refused)?;
            return core.add_session(self.name, target, session);
        }
        if mgmt::is(command, "del_session") {
            let session = words.required().map_err(refused)?;
            words.end().map_err(refused)?;
            return core.del_session(self.name, target, session);
        }
        Err(EINVAL)
    }

    /// The target with all its sessions, or nothing of it.
    fn add_target(&self, core: &Core, target: &str, params: mgmt::Segments<'_>) -> Result {
        for segment in params.clone() {
            let mut words = mgmt::words(segment);
            let key = words.required().map_err(refused)?;
            words.required().map_err(refused)?;
            words.end().map_err(refused)?;
            if !mgmt::is(key, "session_name") {
                return Err(EINVAL);
            }
        }
        core.add_target(self.name, target)?;
        for segment in params {
            let session = mgmt::words(segment).nth(1).ok_or(EINVAL)?;
            if let Err(e) = core.add_session(self.name, target, session) {
                let _ = core.del_target(self.name, target);
                return Err(e);
            }
        }
        Ok(())
    }
}

struct TargetFiles(Arc<Port>);

const TARGET_ID: u16 = 0;
const TARGET_SCSI: u16 = 1;
const TARGET_PHYS: u16 = 2;

static TARGET: [Attr; 3] = [
    Attr::new(c"rel_tgt_id", 0o644, TARGET_ID),
    Attr::new(c"scsi_transport_version", 0o644, TARGET_SCSI),
    Attr::new(c"phys_transport_version", 0o644, TARGET_PHYS),
];

/// SCSI transport version of a port that nobody has changed: SAS, no version claimed.
pub const SAS: i32 = 0x0BE0;

impl Attributes for TargetFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        match id {
            TARGET_ID => {
                let value = self.0.relative_id();
                show_key(page, fmt!("{value}"), value != 0)
            }
            TARGET_SCSI => {
                let value = self.0.scsi_transport_version.load(Relaxed);
                show_key(page, fmt!("0x{value:x}"), value != SAS)
            }
            TARGET_PHYS => {
                let value = self.0.phys_transport_version.load(Relaxed);
                show_key(page, fmt!("0x{value:x}"), value != 0)
            }
            _ => Err(EIO),
        }
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        let (slot, least) = match id {
            TARGET_ID => (&self.0.rel_tgt_id, 1),
            TARGET_SCSI => (&self.0.scsi_transport_version, 0),
            TARGET_PHYS => (&self.0.phys_transport_version, 0),
            _ => return Err(EIO),
        };
        let value = mgmt::number_to(text(data)?, 0xFFFF).map_err(refused)?;
        if value < least {
            return Err(EINVAL);
        }
        slot.store(value as i32, Relaxed);
        Ok(())
    }
}

pub(crate) fn target_dirs(
    parent: &Dir,
    driver: &'static CStr,
    name: &Name,
    port: &Arc<Port>,
) -> Result<TargetDirs, Failed> {
    let files = Arc::new(TargetFiles(port.clone()), GFP_KERNEL).map_err(Error::from)?;
    let luns = Arc::new(
        LunsMgmt {
            driver,
            target: name.try_clone()?,
        },
        GFP_KERNEL,
    )
    .map_err(Error::from)?;
    let dir = Dir::with(Parent::Dir(parent), name.as_cstr(), &TARGET, files)?;
    let luns = match Dir::with(Parent::Dir(&dir), c"luns", &LUNS, luns) {
        Ok(luns) => luns,
        Err(failed) => return Err(failed.with(dir)),
    };
    match Dir::empty(Parent::Dir(&dir), c"sessions") {
        Ok(sessions) => Ok(TargetDirs {
            luns,
            sessions,
            _dir: dir,
        }),
        Err(failed) => Err(failed.with(luns).with(dir)),
    }
}

// --- LUNs ------------------------------------------------------------------------------------------------------------

struct LunsMgmt {
    driver: &'static CStr,
    target: Name,
}

static LUNS: [Attr; 1] = [Attr::new(c"mgmt", 0o644, 0)];

impl Attributes for LunsMgmt {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        page.push(
            b"Usage: echo \"add DEVICE LUN [parameters]\" >mgmt\n\
              \x20      echo \"del LUN\" >mgmt\n\
              \x20      echo \"clear\" >mgmt\n\n\
              where parameters are one or more name=value pairs separated by ';'\n\n\
              The following parameters available: read_only\n",
        );
        Ok(())
    }

    fn store(&self, _id: u16, data: &[u8]) -> Result {
        let text = text(data)?;
        manage(|core| self.command(core, text))
    }
}

impl LunsMgmt {
    fn command(&self, core: &Core, text: &str) -> Result {
        let mut words = first_words(text)?;
        let command = words.required().map_err(refused)?;
        let target = self.target.as_str();
        if mgmt::is(command, "add") {
            let device = words.required().map_err(refused)?;
            let lun = lun_number(words.required().map_err(refused)?)?;
            let read_only = read_only_of(params_of(text, &words))?;
            return core.add_lun(self.driver, target, device, lun, read_only);
        }
        if mgmt::is(command, "del") {
            let lun = lun_number(words.required().map_err(refused)?)?;
            words.end().map_err(refused)?;
            return core.del_lun(self.driver, target, lun);
        }
        if mgmt::is(command, "clear") {
            words.end().map_err(refused)?;
            return core.clear_luns(self.driver, target);
        }
        Err(EINVAL)
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
pub(crate) fn publish_lun(parent: &Dir, lun: &mut Lun) -> Result<(), Failed> {
    let name = CString::try_from_fmt(fmt!("{}", lun.lun))?;
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

// --- sessions --------------------------------------------------------------------------------------------------------

struct SessionFiles(Name);

static SESSION: [Attr; 1] = [Attr::new(c"initiator_name", 0o444, 0)];

impl Attributes for SessionFiles {
    fn show(&self, _id: u16, page: &mut Page<'_>) -> Result {
        show_key(page, fmt!("{}", self.0.as_str()), false)
    }
}

struct SessionSide(Arc<dyn SessionOps>);

impl Attributes for SessionSide {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        self.0.show(id, page)
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        self.0.store(id, data)
    }
}

/// `sessions/<name>` with the core's and the driver's files.
pub(crate) fn session_dir(
    target: &TargetDirs,
    session: &Session,
    ops: &Arc<dyn SessionOps>,
) -> Result<Dir, Failed> {
    let own =
        Arc::new(SessionFiles(session.name().try_clone()?), GFP_KERNEL).map_err(Error::from)?;
    let driver = Arc::new(SessionSide(ops.clone()), GFP_KERNEL).map_err(Error::from)?;
    let list = sections([
        Section {
            attrs: &SESSION,
            data: own,
        },
        Section {
            attrs: ops.attrs(),
            data: driver,
        },
    ])?;
    let dir = Dir::new(
        Parent::Dir(&target.sessions),
        session.name().as_cstr(),
        list,
    )?;
    match dir.link(c"luns", &target.luns) {
        Ok(()) => Ok(dir),
        Err(e) => Err(Failed::from(e).with(dir)),
    }
}
