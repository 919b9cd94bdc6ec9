// SPDX-License-Identifier: GPL-2.0-only

//! One session: a SCSI host on one side, an I_T nexus on the other.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Acquire, Atomic, Relaxed, Release};
use kernel::sync::{new_mutex, Arc, Mutex};

use scst::device::DEFAULT_TGT_DEV_COMMANDS;
use scst::execute;
use scst::kapi::cmnd::Cmnd;
use scst::kapi::device::VirtualDevice;
use scst::kapi::global;
use scst::kapi::host::{Host, HostOps, Recovery, Sent};
use scst::kapi::msleep;
use scst::kapi::sysfs::{Attr, Attributes, Dir, Page};
use scst::reset::Reset;
use scst::target::{Session, SessionOps};

use crate::driver::{self, Stats};
use crate::transport_id;

/// How often, and after how many milliseconds, somebody who counts commands looks whether the host can be used.
const COUNT_TRIES: u32 = 100;
const COUNT_WAIT_MS: u32 = 10;

/// A connected session.
#[pin_data]
pub(crate) struct LocalSession {
    session: Arc<Session>,
    stats: Arc<Stats>,
    /// The host's number plus one; 0 while there is none.
    host_number: Atomic<i32>,
    /// Taken out when the session closes. Held while LUNs are scanned or removed, which sends commands; no command
    /// needs it.
    #[pin]
    host: Mutex<Option<HostParts>>,
    #[pin]
    transport_id: Mutex<KVec<u8>>,
    number: u32,
}

/// The host and the device that it hangs from, in the order in which they go.
struct HostParts {
    host: Host<LocalSession>,
    device: VirtualDevice,
}

impl LocalSession {
    /// Makes the session's SCSI host, below `device`.
    pub(crate) fn connect(
        session: Arc<Session>,
        device: VirtualDevice,
        stats: Arc<Stats>,
        number: u32,
    ) -> Result<Arc<Self>> {
        let id = transport_id::default_for(number)?;
        session.set_transport_id(&id)?;
        let this = Arc::pin_init(
            try_pin_init!(Self {
                session,
                stats,
                host_number: Atomic::new(0),
                host <- new_mutex!(None),
                transport_id <- new_mutex!(id),
                number,
            }? Error),
            GFP_KERNEL,
        )?;
        let host = Host::new(device.device(), this.clone())?;
        this.host_number
            .store((host.number() as i32).saturating_add(1), Release);
        *this.host.lock() = Some(HostParts { host, device });
        Ok(this)
    }

    fn with_host(&self, f: impl FnOnce(&Host<Self>)) {
        if let Some(parts) = self.host.lock().as_ref() {
            f(&parts.host);
        }
    }
}

impl HostOps for LocalSession {
    type Module = crate::LocalModule;

    const NAME: &'static CStr = driver::NAME;

    #[inline]
    fn queue(&self, cmnd: Cmnd) -> Result<(), Cmnd> {
        execute::submit(&self.session, cmnd)
    }

    fn queue_depth(&self, lun: u64) -> u32 {
        u32::try_from(lun)
            .ok()
            .and_then(|lun| self.session.luns().get(lun))
            .map_or(DEFAULT_TGT_DEV_COMMANDS, |nexus| {
                nexus.device().max_tgt_dev_commands()
            })
    }

    fn needs_stable_pages(&self, lun: u64) -> bool {
        let nexus = u32::try_from(lun)
            .ok()
            .and_then(|lun| self.session.luns().get(lun));
        nexus.is_some_and(|nexus| nexus.device().ops().needs_stable_pages())
    }

    type Reset<'a> = Reset<'a>;

    fn reset(&self, what: Recovery) -> Reset<'_> {
        match what {
            Recovery::LunReset(lun) => Reset::of_unit(&self.session, lun),
            Recovery::Abort | Recovery::TargetReset => Reset::of_all(&self.session),
        }
    }

    fn recovered(&self, what: Recovery) {
        let count = match what {
            Recovery::Abort => &self.stats.aborts,
            Recovery::LunReset(_) => &self.stats.device_resets,
            Recovery::TargetReset => &self.stats.target_resets,
        };
        count.fetch_add(1, Relaxed);
    }
}

impl SessionOps for LocalSession {
    fn attrs(&self) -> &'static [Attr] {
        &ATTRS
    }

    fn link(&self, dir: &Dir) -> Result {
        match self.host.lock().as_ref() {
            Some(parts) => dir.link_device(c"host", parts.host.class_device()),
            None => Err(ENODEV),
        }
    }

    fn lun_added(&self, lun: u16) {
        self.with_host(|host| host.scan_lun(u32::from(lun)));
    }

    fn lun_removed(&self, lun: u16) {
        self.with_host(|host| host.remove_lun(u32::from(lun)));
    }

    fn lun_changed(&self, lun: u16) {
        self.with_host(|host| host.rescan_lun(u32::from(lun)));
    }

    fn limit_changed(&self, lun: u16) {
        self.with_host(|host| host.limit_lun(u32::from(lun)));
    }

    fn commands(&self, lun: Option<u16>) -> Option<u32> {
        // Whoever removes a LUN holds the host until its store answers, which may be never.
        for _ in 0..COUNT_TRIES {
            if let Some(guard) = self.host.try_lock() {
                let host = guard.as_ref();
                return Some(host.map_or(0, |parts| parts.host.commands(lun.map(u32::from))));
            }
            msleep(COUNT_WAIT_MS);
        }
        None
    }

    fn list_commands(&self, f: &mut dyn FnMut(Sent<'_>)) -> bool {
        let Some(guard) = self.host.try_lock() else {
            return false;
        };
        if let Some(parts) = guard.as_ref() {
            parts.host.for_each_command(f);
        }
        true
    }

    fn is_recovering(&self) -> Option<bool> {
        let guard = self.host.try_lock()?;
        Some(
            guard
                .as_ref()
                .is_some_and(|parts| parts.host.is_recovering()),
        )
    }

    fn close(&self) {
        // Held until the host has gone: whoever removes a LUN meanwhile must wait, as the host's disks flush through it.
        let mut guard = self.host.lock();
        if let Some(HostParts { host, device }) = guard.take() {
            drop(host);
            self.host_number.store(0, Release);
            drop(device);
        }
    }
}

const HOST_NO: u16 = 0;
const TRANSPORT_ID: u16 = 1;
const FORCE_CLOSE: u16 = 2;

static ATTRS: [Attr; 3] = [
    Attr::new(c"force_close", 0o200, FORCE_CLOSE),
    Attr::new(c"host_no", 0o444, HOST_NO),
    Attr::new(c"transport_id", 0o644, TRANSPORT_ID),
];

impl Attributes for LocalSession {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        match id {
            HOST_NO => match self.host_number.load(Acquire).checked_sub(1) {
                Some(number) if number >= 0 => page.print(fmt!("{number}\n")),
                _ => return Err(EINVAL),
            },
            TRANSPORT_ID => page.push(&self.transport_id.lock()),
            _ => return Err(EIO),
        }
        Ok(())
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        match id {
            TRANSPORT_ID => self.set_transport_id(data),
            FORCE_CLOSE => global::core()?.close_session_later(&self.session),
            _ => Err(EIO),
        }
    }
}

impl LocalSession {
    /// Takes another identity over; from nothing, the default one.
    fn set_transport_id(&self, data: &[u8]) -> Result {
        let new = if data.is_empty() {
            transport_id::default_for(self.number)?
        } else if data.len() <= transport_id::MAX {
            let mut new = KVec::with_capacity(data.len(), GFP_KERNEL)?;
            new.extend_from_slice(data, GFP_KERNEL)?;
            new
        } else {
            return Err(EINVAL);
        };
        // Shown as it was written, which may be shorter than a TransportID.
        let mut shown = self.transport_id.lock();
        self.session.set_transport_id(&new)?;
        *shown = new;
        Ok(())
    }
}
