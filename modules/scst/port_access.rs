// SPDX-License-Identifier: GPL-2.0-only

//! How the target port of a nexus leads to its device, as the nexus knows it: what a command looks at, without a lock.

use kernel::sync::atomic::{Atomic, Relaxed};

use crate::kapi::now_ns;
use crate::proto::alua::{AccessState, PortAccess};
use crate::proto::cdb;
use crate::proto::device_type::DeviceType;
use crate::proto::opcode::OpDesc;
use crate::proto::sense::Sense;

/// A transition that takes no longer than this is not noticed: the commands that it would refuse wait for its end.
const PATIENCE_NS: u64 = 500_000_000;

/// What a nexus knows of its port. Written under the configuration's lock, read by every command.
pub(crate) struct KnownAccess {
    /// [`PortAccess::bits`].
    bits: Atomic<i32>,
    /// Not 0: the initiator is to read again who the device is, as soon as it can.
    stale: Atomic<i32>,
    /// When the transition began, in nanoseconds of [`now_ns`].
    since: Atomic<i64>,
}

/// What a new access changes for the initiator.
pub(crate) struct Changed {
    /// The state.
    pub(crate) state: bool,
    /// What INQUIRY says of target port groups.
    pub(crate) identity: bool,
}

impl KnownAccess {
    /// A port to a device without groups.
    pub(crate) const fn new() -> Self {
        Self {
            bits: Atomic::new(0),
            stale: Atomic::new(0),
            since: Atomic::new(0),
        }
    }

    #[inline]
    fn bits(&self) -> u32 {
        self.bits.load(Relaxed) as u32
    }

    /// What is known.
    pub(crate) fn get(&self) -> PortAccess {
        PortAccess::from_bits(self.bits())
    }

    /// Whether the medium can be reached.
    #[inline]
    pub(crate) fn is_accessible(&self) -> bool {
        PortAccess::is_accessible(self.bits())
    }

    /// Takes what is so now.
    pub(crate) fn set(&self, access: PortAccess) -> Changed {
        let before = self.get();
        let changed = Changed {
            state: before.state != access.state,
            identity: (before.grouped, before.group) != (access.grouped, access.group),
        };
        let disconnected = before.state.is_disconnected() != access.state.is_disconnected();
        let gained = access.state.is_accessible() && !before.state.is_accessible();
        if changed.identity || disconnected || gained {
            self.stale.store(1, Relaxed);
        }
        if changed.state && access.state == AccessState::Transitioning {
            self.since.store(now_ns() as i64, Relaxed);
        }
        self.bits.store(access.bits() as i32, Relaxed);
        changed
    }

    /// Takes what is so for a nexus that no initiator knows yet.
    pub(crate) fn begin(&self, access: PortAccess) {
        self.set(access);
        self.stale.store(0, Relaxed);
    }

    /// The initiator is to read again who the device is, and how large.
    pub(crate) fn mark_stale(&self) {
        self.stale.store(1, Relaxed);
    }

    /// Whether the initiator is to read that again now: it is told so once, and not while it would be refused.
    pub(crate) fn take_stale(&self) -> bool {
        self.is_accessible() && self.stale.xchg(0, Relaxed) != 0
    }

    /// The sense for a command that is refused in the port's state.
    pub(crate) fn refusal(&self, op: &OpDesc) -> Option<Sense> {
        let state = self.get().state;
        state.refusal().filter(|_| !op.reach.passes(state))
    }

    /// Whether a command is to come again later: the port is in a transition that has just begun, and would refuse it.
    pub(crate) fn holds_back(&self, device_type: DeviceType, cdb: &[u8]) -> bool {
        let state = self.get().state;
        let since = self.since.load(Relaxed) as u64;
        state == AccessState::Transitioning
            && now_ns().saturating_sub(since) < PATIENCE_NS
            && cdb::parse_for(device_type, cdb).is_ok_and(|asked| !asked.op.reach.passes(state))
    }
}
