// SPDX-License-Identifier: GPL-2.0-only

//! One I_T_L nexus: what a session sees at one LUN.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use crate::attention::UnitAttentions;
use crate::device::Device;
use crate::initiator::Initiator;
use crate::kapi::cmnd::Cmnd;
use crate::kapi::sysfs::Dir;
use crate::kapi::tasks::{Ending, TaskSet};
use crate::port_access::KnownAccess;
use crate::proto::alua::PortAccess;
use crate::proto::cdb::{Transfer, Unit};
use crate::proto::mmc::MediaEvent;
use crate::proto::pr;
use crate::proto::sense::Sense;
use crate::target::{ItNexus, Port};
use crate::task::Turn;

/// QErr: all commands of the task set that the nexus is in are aborted.
const QERR_ABORT_ALL: u32 = 1;
/// QErr: those of the nexus are.
const QERR_ABORT_OWN: u32 = 3;

/// A device at a LUN of a session.
#[pin_data]
pub struct Nexus {
    device: Arc<Device>,
    it: Arc<ItNexus>,
    /// Not 0: the mapping refuses writes.
    read_only: Atomic<i32>,
    /// The group's black hole.
    black_hole: Atomic<i32>,
    access: KnownAccess,
    drive: Drive,
    #[pin]
    attentions: UnitAttentions,
    /// The commands that came over it and have not ended.
    #[pin]
    tasks: TaskSet,
    turn: Turn,
    reserve: Reserve,
    /// `lun<n>/` in the session's directory.
    #[pin]
    dir: Mutex<Option<Dir>>,
}

/// What an initiator holds of a drive with a removable medium, and has still to hear of it. Any context.
pub struct Drive {
    prevents_removal: Atomic<bool>,
    /// A [`MediaEvent`].
    event: Atomic<i32>,
}

impl Drive {
    const fn new() -> Self {
        Self {
            prevents_removal: Atomic::new(false),
            event: Atomic::new(MediaEvent::None as i32),
        }
    }

    /// Whether this initiator keeps the medium from being removed.
    pub fn prevents_removal(&self) -> bool {
        self.prevents_removal.load(Relaxed)
    }

    /// The medium must not be removed.
    pub fn prevent_removal(&self) {
        self.prevents_removal.store(true, Relaxed);
    }

    /// The medium may be removed as far as this initiator is concerned.
    pub fn allow_removal(&self) {
        self.prevents_removal.store(false, Relaxed);
    }

    /// Something has happened to the medium.
    pub fn raise(&self, event: MediaEvent) {
        self.event.store(event as i32, Relaxed);
    }

    /// What has happened last since the last call.
    pub fn take_event(&self) -> MediaEvent {
        MediaEvent::from_code(self.event.xchg(MediaEvent::None as i32, Relaxed) as u8)
    }
}

impl Nexus {
    /// A nexus with the condition `first` pending.
    pub(crate) fn new(
        device: Arc<Device>,
        it: Arc<ItNexus>,
        first: Option<Sense>,
    ) -> impl PinInit<Self, Error> {
        let reserve = Reserve::new(device.clone());
        try_pin_init!(Self {
            device,
            it,
            read_only: Atomic::new(0),
            black_hole: Atomic::new(0),
            access: KnownAccess::new(),
            drive: Drive::new(),
            attentions <- UnitAttentions::new(first),
            tasks <- TaskSet::new(),
            turn: Turn::new(),
            reserve,
            dir <- new_mutex!(None),
        }? Error)
    }

    /// The device.
    #[inline]
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// The initiator at its target port.
    #[inline]
    pub fn it(&self) -> &ItNexus {
        &self.it
    }

    /// The target port that the commands come in by.
    pub fn port(&self) -> &Port {
        &self.it.port
    }

    /// Whether a command for it is to come again later, as its port is on its way to another state.
    #[cold]
    pub(crate) fn holds_back(&self, cmnd: &Cmnd) -> bool {
        self.access
            .holds_back(self.device.device_type(), cmnd.cdb())
    }

    /// How the target port leads to the device, for those who change it.
    #[inline]
    pub(crate) fn access(&self) -> &KnownAccess {
        &self.access
    }

    /// How the target port leads to the device.
    pub fn port_access(&self) -> PortAccess {
        self.access.get()
    }

    /// The initiator is to read the device's capacity again, as soon as its port leads to the medium.
    pub fn reread_later(&self) {
        self.access.mark_stale();
    }

    /// Its initiator is made to read what has changed, as it changes.
    pub(crate) fn is_told_at_once(&self) -> bool {
        self.it.port.tells()
    }

    /// What the initiator holds of a removable medium.
    #[inline]
    pub fn drive(&self) -> &Drive {
        &self.drive
    }

    /// The initiator port that they come from.
    pub(crate) fn initiator(&self) -> &Arc<Initiator> {
        &self.it.identity
    }

    /// Calls `f` with what persistent reservations know it by. `f` must not sleep.
    pub(crate) fn with_identity<T>(&self, f: impl FnOnce(pr::Nexus<'_>) -> T) -> T {
        let port = self.it.port.relative_id();
        self.it.identity.with_id(|id| f(pr::Nexus { id, port }))
    }

    /// The commands that came over it and have not ended.
    #[inline]
    pub(crate) fn tasks(&self) -> &TaskSet {
        &self.tasks
    }

    /// Whose turn it is among those that are carried out one at a time: of this nexus, or of all that share the task set.
    pub(crate) fn turn(&self) -> &Turn {
        if self.device.shares_task_set() {
            &self.device.turn
        } else {
            &self.turn
        }
    }

    /// A command has ended with CHECK CONDITION: aborts the others that the unit's QErr names. Any context.
    pub(crate) fn fault(&self) {
        let qerr = self.device.qerr();
        if qerr == QERR_ABORT_ALL || qerr == QERR_ABORT_OWN {
            self.tasks.abort(Ending::Silence);
        }
        if qerr == QERR_ABORT_ALL && self.device.shares_task_set() {
            self.device.abort_shared();
        }
    }

    /// Whether commands that change the medium are refused: by the mapping, or by the device.
    #[inline]
    pub fn is_read_only(&self) -> bool {
        self.read_only.load(Relaxed) != 0 || self.device.is_read_only()
    }

    /// Its number among all nexuses that there have been.
    pub(crate) fn number(&self) -> u64 {
        self.reserve.number
    }

    /// Takes what the group says of this LUN. Returns whether the mapping changed between refusing writes and not.
    pub(crate) fn set_read_only(&self, read_only: bool) -> bool {
        let read_only = i32::from(read_only);
        self.read_only.xchg(read_only, Relaxed) != read_only
    }

    /// Sets the group's black hole.
    pub(crate) fn set_black_hole(&self, mode: u8) {
        self.black_hole.store(i32::from(mode), Relaxed);
    }

    /// Whether a command with this transfer is to vanish without an answer.
    #[inline]
    pub(crate) fn swallows(&self, transfer: &Transfer) -> bool {
        match self.black_hole.load(Relaxed) {
            0 => false,
            1 | 2 => true,
            _ => transfer.unit == Unit::Blocks,
        }
    }

    /// What the initiator has to be told at this LUN.
    #[inline]
    pub fn unit_attentions(&self) -> &UnitAttentions {
        &self.attentions
    }

    /// The next condition that the initiator has to be told: of this LUN first, then of its list of LUNs.
    #[inline]
    pub(crate) fn take_attention(&self) -> Option<Sense> {
        if let Some(sense) = self.attentions.take() {
            return Some(sense);
        }
        let pending = &self.it.luns_changed;
        let told = pending.load(Relaxed) != 0 && pending.xchg(0, Relaxed) != 0;
        told.then_some(Sense::REPORTED_LUNS_CHANGED)
    }

    /// Whether it has its directory.
    pub(crate) fn has_dir(&self) -> bool {
        self.dir.lock().is_some()
    }

    /// Takes the directory out, or puts one in.
    pub(crate) fn swap_dir(&self, dir: Option<Dir>) -> Option<Dir> {
        core::mem::replace(&mut *self.dir.lock(), dir)
    }
}

/// What an initiator may hold of a device by RESERVE. It goes with the nexus: the LUN was taken away, or the session has
/// ended.
struct Reserve {
    device: Arc<Device>,
    /// Of all nexuses that there have been.
    number: u64,
}

/// The number of the next nexus.
static NUMBER: Atomic<u64> = Atomic::new(1);

impl Reserve {
    fn new(device: Arc<Device>) -> Self {
        device.threads.initiator_came();
        Self {
            device,
            number: NUMBER.fetch_add(1, Relaxed),
        }
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.device.threads.initiator_went();
        self.device.reservations().nexus_lost(self.number);
    }
}
