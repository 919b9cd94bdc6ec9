// SPDX-License-Identifier: GPL-2.0-only

//! The reservations of a device: what stops a command at the gate, and what answers the commands that ask for them.
//! The rules are in [`crate::proto::pr`]; PERSISTENT RESERVE OUT, which changes most of this, is [`crate::reservation_out`].

use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Relaxed, Release};
use kernel::sync::lock::mutex::MutexBackend;
use kernel::sync::lock::Guard;
use kernel::sync::{new_mutex, new_spinlock, Arc, Mutex, SpinLock, SpinLockGuard};

use crate::command::Outcome;
use crate::initiator::Initiator;
use crate::nexus::Nexus;
use crate::proto::cdb;
use crate::proto::pr::{Head, Registrant, View};
use crate::proto::pr_access::{compatible, Compatible};
use crate::proto::pr_in;
use crate::proto::status::Status;
use crate::reservation_file::StateFile;

/// Registrants that a device has at most.
const MAX_REGISTRANTS: usize = 4096;

/// The reservations of one device.
#[pin_data]
pub(crate) struct Reservations {
    /// Something is reserved: the gate has to look.
    held: Atomic<i32>,
    /// Registrations can be kept over a loss of power.
    keeps: Atomic<i32>,
    #[pin]
    state: SpinLock<Kept>,
    /// Held by whoever changes registrations, sleeping meanwhile.
    #[pin]
    turn: Mutex<()>,
    /// The file that keeps them. Read and written by whoever has the turn, not under this lock: the file may be anything,
    /// one of sysfs too whose reader wants to know the name.
    #[pin]
    file: Mutex<Option<Arc<StateFile>>>,
}

/// What the lock guards.
struct Kept {
    head: Head,
    slots: KVVec<Registrant>,
    /// Who holds RESERVE.
    reserved_by: Option<Holder>,
    /// A change of registrations is under way, so that RESERVE must not come in between.
    changing: bool,
}

/// Who holds RESERVE: an initiator, until it loses the nexus over which it asked.
struct Holder {
    initiator: Arc<Initiator>,
    /// The nexus's number.
    nexus: u64,
}

impl Holder {
    fn is(&self, initiator: &Arc<Initiator>) -> bool {
        Arc::ptr_eq(&self.initiator, initiator)
    }
}

impl Kept {
    fn view(&self) -> View<'_> {
        View::new(self.head, &self.slots)
    }

    /// What becomes of RESERVE or RELEASE from `nexus`.
    fn compatible(&self, nexus: &Nexus) -> Compatible {
        let standing = nexus.with_identity(|me| self.view().standing(me));
        compatible(self.head.reservation, self.head.used != 0, standing)
    }
}

/// Registrants and a reservation, apart from the device: as they were, or are to become.
pub(crate) struct Draft {
    pub(crate) head: Head,
    pub(crate) slots: KVVec<Registrant>,
}

impl Draft {
    /// To be read.
    pub(crate) fn view(&self) -> View<'_> {
        View::new(self.head, &self.slots)
    }
}

impl Reservations {
    /// Nothing reserved.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            held: Atomic::new(0),
            keeps: Atomic::new(0),
            state <- new_spinlock!(Kept {
                head: Head::default(),
                slots: KVVec::new(),
                reserved_by: None,
                changing: false,
            }),
            turn <- new_mutex!(()),
            file <- new_mutex!(None),
        })
    }

    /// The file that keeps them, which only whoever has the turn may read or write. `ENOENT` until the device has a name.
    pub(crate) fn file(&self) -> Result<Arc<StateFile>> {
        self.file.lock().clone().ok_or(ENOENT)
    }

    /// They are kept in `file` from now on. To be called by whoever has the turn.
    pub(crate) fn set_file(&self, file: Arc<StateFile>) {
        let old = self.file.lock().replace(file);
        drop(old);
    }

    /// Whether a reservation stops the command. Takes no lock while nothing is reserved.
    #[inline]
    pub(crate) fn stop(&self, nexus: &Nexus, asked: &cdb::Decoded) -> bool {
        self.held.load(Relaxed) != 0 && self.stop_reserved(nexus, asked)
    }

    #[cold]
    fn stop_reserved(&self, nexus: &Nexus, asked: &cdb::Decoded) -> bool {
        let (access, command) = (asked.op.access, &asked.command);
        let kept = self.state.lock();
        if let Some(by) = &kept.reserved_by {
            return !access.passes_reserve(command, by.is(nexus.initiator()));
        }
        let Some(kind) = kept.head.reservation else {
            return false;
        };
        let standing = nexus.with_identity(|me| kept.view().standing(me));
        !access.passes_persistent(command, kind, standing)
    }

    /// RESERVE.
    pub(crate) fn reserve(&self, nexus: &Nexus) -> Outcome {
        let mut kept = self.state.lock();
        let own = kept
            .reserved_by
            .as_ref()
            .is_none_or(|by| by.is(nexus.initiator()));
        match kept.compatible(nexus) {
            Compatible::Nothing => Outcome::Good(0),
            Compatible::Proceed if own && !kept.changing => {
                // Nobody's last reference goes here: the initiator that was there before is the same.
                kept.reserved_by = Some(Holder {
                    initiator: nexus.initiator().clone(),
                    nexus: nexus.number(),
                });
                self.note(&kept);
                Outcome::Good(0)
            }
            _ => Outcome::Status(Status::ReservationConflict),
        }
    }

    /// RELEASE. Good and without effect where the nexus holds nothing.
    pub(crate) fn release(&self, nexus: &Nexus) -> Outcome {
        let kept = self.state.lock();
        match kept.compatible(nexus) {
            Compatible::Conflict => return Outcome::Status(Status::ReservationConflict),
            Compatible::Nothing => return Outcome::Good(0),
            Compatible::Proceed => {}
        }
        drop(kept);
        self.end_reserve(|by| by.is(nexus.initiator()));
        Outcome::Good(0)
    }

    /// The nexus with this number is lost, and what was reserved over it.
    pub(crate) fn nexus_lost(&self, nexus: u64) {
        self.end_reserve(|by| by.nexus == nexus);
    }

    /// The device was reset: RESERVE goes, persistent reservations stay.
    pub(crate) fn reset(&self) {
        self.end_reserve(|_| true);
    }

    fn end_reserve(&self, of: impl FnOnce(&Holder) -> bool) {
        let mut kept = self.state.lock();
        if !kept.reserved_by.as_ref().is_some_and(of) {
            return;
        }
        let gone = kept.reserved_by.take();
        self.note(&kept);
        drop(kept);
        drop(gone);
    }

    /// Says at the gate whether anything is reserved.
    fn note(&self, kept: &SpinLockGuard<'_, Kept>) {
        let held = kept.reserved_by.is_some() || kept.head.reservation.is_some();
        self.held.store(i32::from(held), Release);
    }

    /// The answer of a service action of PERSISTENT RESERVE IN. Returns how many bytes of `out` hold it.
    pub(crate) fn report(&self, action: u8, out: &mut [u8]) -> usize {
        let keeps = self.keeps.load(Relaxed) != 0;
        self.with_view(|view| match action {
            0 => pr_in::keys(view, out),
            1 => pr_in::reservation(view, out),
            2 => pr_in::capabilities(view, keeps, out),
            _ => pr_in::full_status(view, out),
        })
    }

    /// Calls `f` with the state of persistent reservations. `f` must not sleep.
    pub(crate) fn with_view<T>(&self, f: impl FnOnce(View<'_>) -> T) -> T {
        f(self.state.lock().view())
    }

    /// Whether registrations can be kept over a loss of power.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps.load(Acquire) != 0
    }

    pub(crate) fn set_keeps(&self, keeps: bool) {
        self.keeps.store(i32::from(keeps), Release);
    }

    /// Waits for the turn to change registrations. Sleeps.
    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn {
            of: self,
            _turn: self.turn.lock(),
        }
    }
}

/// The turn to change registrations.
pub(crate) struct Turn<'a> {
    of: &'a Reservations,
    _turn: Guard<'a, (), MutexBackend>,
}

impl Turn<'_> {
    /// A copy of the state with room for `more` registrants, as far as there may be so many. While the turn lasts no
    /// RESERVE is taken. `None` where RESERVE is held already.
    pub(crate) fn draft(&self, more: usize) -> Result<Option<Draft>> {
        let head = {
            let mut kept = self.of.state.lock();
            if kept.reserved_by.is_some() {
                return Ok(None);
            }
            kept.changing = true;
            kept.head
        };
        let room = head.used.saturating_add(more).min(MAX_REGISTRANTS);
        let mut slots = KVVec::from_elem(Registrant::NONE, room, GFP_KERNEL)?;
        // Nobody else changes them while the turn lasts.
        let kept = self.of.state.lock();
        for (to, from) in slots.iter_mut().zip(kept.view().registrants) {
            *to = from.clone();
        }
        Ok(Some(Draft { head, slots }))
    }

    /// Makes the draft the state, and the state the draft.
    pub(crate) fn publish(&self, draft: &mut Draft) {
        let mut kept = self.of.state.lock();
        let kept_now = &mut *kept;
        core::mem::swap(&mut kept_now.head, &mut draft.head);
        core::mem::swap(&mut kept_now.slots, &mut draft.slots);
        self.of.note(&kept);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.of.state.lock().changing = false;
    }
}
