// SPDX-License-Identifier: GPL-2.0-only

//! Mode parameters of a device, readable without a lock from any context: its handler keeps them, the core obeys those of the
//! Control mode page.

use kernel::sync::atomic::{Atomic, Full, Relaxed};

use crate::proto::mode::ModeState;

/// The values in effect, in the lower half; above them how often they were set, wrapping.
pub struct Mode {
    values: Atomic<u32>,
    /// Commands that have turned the write cache off, and wait until what was in it is stable.
    going_off: Atomic<i32>,
}

/// A moment in the history of mode parameters.
#[derive(Clone, Copy)]
pub struct Version(u32);

const WCE: u32 = 1 << 0;
const TST: u32 = 1 << 1;
const TMF_ONLY: u32 = 1 << 2;
const DPICZ: u32 = 1 << 3;
const D_SENSE: u32 = 1 << 4;
const SWP: u32 = 1 << 5;
const TAS: u32 = 1 << 6;
const QERR_SHIFT: u32 = 8;
const QUEUE_ALG_SHIFT: u32 = 12;
const VALUES: u32 = 0xFFFF;

impl Mode {
    /// Begins with `state`.
    pub fn new(state: &ModeState) -> Self {
        Self {
            values: Atomic::new(pack(state)),
            going_off: Atomic::new(0),
        }
    }

    /// All of them.
    pub fn get(&self) -> ModeState {
        unpack(self.values.load(Relaxed))
    }

    /// All of them, and since when.
    pub fn look(&self) -> (ModeState, Version) {
        let now = self.values.load(Relaxed);
        (unpack(now), Version(now))
    }

    /// Sets all of them.
    pub fn set(&self, state: &ModeState) {
        let mut old = self.values.load(Relaxed);
        while let Err(now) = self.values.cmpxchg(old, later(old, state), Relaxed) {
            old = now;
        }
    }

    /// Sets all of them to `state`, unless somebody has done so since `version`. Returns since when they are so: `version` where
    /// they were so already.
    pub fn replace(&self, version: Version, state: &ModeState) -> Option<Version> {
        let Version(old) = version;
        let new = match old & VALUES == pack(state) {
            true => old,
            false => later(old, state),
        };
        self.values.cmpxchg(old, new, Relaxed).ok()?;
        Some(Version(new))
    }

    /// One more command waits until what was in the write cache is stable. Whether another does. Any context.
    pub fn cache_goes_off(&self) -> bool {
        self.going_off.fetch_add(1, Full) > 0
    }

    /// One that [`Mode::cache_goes_off`] has counted has ended. Any context.
    pub fn cache_went_off(&self) {
        self.going_off.fetch_sub(1, Full);
    }

    /// Write cache enabled.
    #[inline]
    pub fn wce(&self) -> bool {
        self.values.load(Relaxed) & WCE != 0
    }

    /// Software write protect.
    #[inline]
    pub fn swp(&self) -> bool {
        self.values.load(Relaxed) & SWP != 0
    }

    /// All initiators share one task set.
    pub(crate) fn shares_task_set(&self) -> bool {
        self.values.load(Relaxed) & TST == 0
    }

    /// What becomes of the other commands when one ends with CHECK CONDITION (SPC-4 QErr).
    pub(crate) fn qerr(&self) -> u32 {
        self.values.load(Relaxed) >> QERR_SHIFT & 0xF
    }

    /// Commands are carried out in the order in which they came (SPC-4 QUEUE ALGORITHM MODIFIER 0).
    #[inline]
    pub(crate) fn keeps_order(&self) -> bool {
        self.values.load(Relaxed) & (0xF << QUEUE_ALG_SHIFT) == 0
    }

    /// Commands that others have aborted end with TASK ABORTED.
    pub(crate) fn tas(&self) -> bool {
        self.values.load(Relaxed) & TAS != 0
    }

    /// Sense in descriptor format.
    #[inline]
    pub(crate) fn d_sense(&self) -> bool {
        self.values.load(Relaxed) & D_SENSE != 0
    }
}

/// What to put in the place of `old`.
fn later(old: u32, state: &ModeState) -> u32 {
    (old & !VALUES).wrapping_add(VALUES + 1) | pack(state)
}

fn pack(state: &ModeState) -> u32 {
    let flag = |set: bool, bit: u32| if set { bit } else { 0 };
    flag(state.wce, WCE)
        | flag(state.tst != 0, TST)
        | flag(state.tmf_only, TMF_ONLY)
        | flag(state.dpicz, DPICZ)
        | flag(state.d_sense, D_SENSE)
        | flag(state.swp, SWP)
        | flag(state.tas, TAS)
        | (u32::from(state.qerr) & 0xF) << QERR_SHIFT
        | (u32::from(state.queue_alg) & 0xF) << QUEUE_ALG_SHIFT
}

fn unpack(bits: u32) -> ModeState {
    ModeState {
        wce: bits & WCE != 0,
        tst: u8::from(bits & TST != 0),
        tmf_only: bits & TMF_ONLY != 0,
        dpicz: bits & DPICZ != 0,
        d_sense: bits & D_SENSE != 0,
        queue_alg: (bits >> QUEUE_ALG_SHIFT & 0xF) as u8,
        qerr: (bits >> QERR_SHIFT & 0xF) as u8,
        swp: bits & SWP != 0,
        tas: bits & TAS != 0,
    }
}
