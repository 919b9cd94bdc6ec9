// SPDX-License-Identifier: GPL-2.0-only

//! `sessions/<session>/` with what it counts, how long its commands take, and its LUNs.

use kernel::prelude::*;
use kernel::str::{CStr, CString};
use kernel::sync::Arc;

use super::{show_key, statistics};
use crate::alive::Kept;
use crate::kapi::sysfs::{Attr, Attributes, Dir, Failed, Page, Parent, Section};
use crate::latency::SIZES;
use crate::target::{ItNexus, Session, SessionDirs, SessionOps, Target};

struct SessionFiles {
    it: Arc<ItNexus>,
    ops: Kept<dyn SessionOps>,
}

const INITIATOR_NAME: u16 = 0;
const COMMANDS: u16 = 1;

static SESSION: [Attr; 3] = [
    Attr::new(c"initiator_name", 0o444, INITIATOR_NAME),
    Attr::new(c"commands", 0o444, COMMANDS),
    Attr::new(c"active_commands", 0o444, COMMANDS),
];

impl Attributes for SessionFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        match id {
            INITIATOR_NAME => show_key(page, fmt!("{}", self.it.initiator.as_str()), false),
            COMMANDS => show_key(
                page,
                fmt!("{}", self.ops.commands(None).ok_or(EAGAIN)?),
                false,
            ),
            _ => Err(EIO),
        }
    }
}

struct CountFiles(Arc<ItNexus>);

static COUNTS: [Attr; 11] = statistics::table(0o644);

impl Attributes for CountFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        statistics::show(id, core::iter::once(&self.0.stats), page)
    }

    fn store(&self, id: u16, _data: &[u8]) -> Result {
        statistics::reset(id, &self.0.stats)
    }
}

/// The driver's own files.
struct SessionSide(Kept<dyn SessionOps>);

impl Attributes for SessionSide {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        self.0.show(id, page)
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        self.0.store(id, data)
    }
}

struct LatencyFiles(Arc<ItNexus>);

impl Attributes for LatencyFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        self.0.latency.show(usize::from(id), page);
        Ok(())
    }

    fn store(&self, id: u16, _data: &[u8]) -> Result {
        self.0.latency.clear(usize::from(id));
        Ok(())
    }
}

/// A name of the table below; the empty one, which would be seen at once, for what is none.
const fn name(bytes: &'static [u8]) -> &'static CStr {
    match CStr::from_bytes_with_nul(bytes) {
        Ok(name) => name,
        Err(_) => c"",
    }
}

/// The files of direction `$way`, of which the first has the number `$first` in [`crate::latency`].
macro_rules! latency_files {
    ($way:literal, $first:expr) => {
        latency_files!(@sizes $way, $first; "512" 0, "1024" 1, "2048" 2, "4096" 3, "8192" 4, "16384" 5, "32768" 6,
            "65536" 7, "131072" 8, "262144" 9, "524288" 10)
    };
    (@sizes $way:literal, $first:expr; $($size:literal $at:literal),*) => {
        [$(Attr::new(name(concat!($way, $size, "\0").as_bytes()), 0o644, $first + $at)),*]
    };
}

/// By direction: none, read, write, both.
static LATENCY: [[Attr; SIZES]; 4] = [
    latency_files!("n", 0),
    latency_files!("r", SIZES as u16),
    latency_files!("w", 2 * SIZES as u16),
    latency_files!("b", 3 * SIZES as u16),
];

fn latency_dir(parent: &Dir, it: &Arc<ItNexus>) -> Result<Dir, Failed> {
    let mut list = KVec::with_capacity(LATENCY.len(), GFP_KERNEL).map_err(Error::from)?;
    for attrs in &LATENCY {
        let data = Arc::new(LatencyFiles(it.clone()), GFP_KERNEL).map_err(Error::from)?;
        list.push_within_capacity(Section { attrs, data })
            .map_err(|_| ENOMEM)?;
    }
    Dir::new(Parent::Dir(parent), c"latency", list)
}

/// `sessions/<name>` with the core's and the driver's files.
pub(crate) fn session_dir(
    target: &Target,
    session: &Session,
    ops: &Kept<dyn SessionOps>,
) -> Result<SessionDirs, Failed> {
    let dirs = target.dirs.as_ref().ok_or(ENODEV)?;
    let group = session.group();
    let group = target.group_named(group.as_ref().map(|g| g.as_str()));
    let luns = &group.and_then(|g| g.dirs.as_ref()).ok_or(ENODEV)?.luns;
    let list = session_sections(&session.it, ops)?;
    let dir = Dir::new(Parent::Dir(&dirs.sessions), session.name().as_cstr(), list)?;
    if let Err(e) = dir.link(c"luns", luns) {
        return Err(Failed::from(e).with(dir));
    }
    match latency_dir(&dir, &session.it) {
        Ok(latency) => Ok(SessionDirs {
            _latency: latency,
            dir,
        }),
        Err(failed) => Err(failed.with(dir)),
    }
}

fn session_sections(it: &Arc<ItNexus>, ops: &Kept<dyn SessionOps>) -> Result<KVec<Section>> {
    let own = SessionFiles {
        it: it.clone(),
        ops: ops.clone(),
    };
    super::sections([
        Section {
            attrs: &SESSION,
            data: Arc::new(own, GFP_KERNEL)?,
        },
        Section {
            attrs: &COUNTS,
            data: Arc::new(CountFiles(it.clone()), GFP_KERNEL)?,
        },
        Section {
            attrs: ops.attrs(),
            data: Arc::new(SessionSide(ops.clone()), GFP_KERNEL)?,
        },
    ])
}

/// `lun<n>/`
struct NexusFiles {
    ops: Kept<dyn SessionOps>,
    lun: u16,
}

const THREAD_INDEX: u16 = 0;
const THREAD_PID: u16 = 1;
const ACTIVE_COMMANDS: u16 = 2;

static NEXUS: [Attr; 3] = [
    Attr::new(c"thread_index", 0o444, THREAD_INDEX),
    Attr::new(c"thread_pid", 0o444, THREAD_PID),
    Attr::new(c"active_commands", 0o444, ACTIVE_COMMANDS),
];

impl Attributes for NexusFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        match id {
            // Commands run in the context of who sends them, or in the kernel's own workers: there are no threads.
            THREAD_INDEX => show_key(page, fmt!("0"), false),
            THREAD_PID => show_key(page, fmt!(""), false),
            ACTIVE_COMMANDS => {
                let commands = self.ops.commands(Some(self.lun)).ok_or(EAGAIN)?;
                show_key(page, fmt!("{commands}"), false)
            }
            _ => Err(EIO),
        }
    }
}

/// `lun<n>/` in a session's directory.
pub(crate) fn nexus_dir(
    parent: &SessionDirs,
    lun: u16,
    ops: &Kept<dyn SessionOps>,
) -> Result<Dir, Failed> {
    let name = CString::try_from_fmt(fmt!("lun{lun}"))?;
    let files = NexusFiles {
        ops: ops.clone(),
        lun,
    };
    let files = Arc::new(files, GFP_KERNEL).map_err(Error::from)?;
    Dir::with(Parent::Dir(&parent.dir), &name, &NEXUS, files)
}
