// SPDX-License-Identifier: GPL-2.0-only

//! Holding commands back: those of one device (`block`), or all (`suspend`).
//!
//! A command that comes while its device is frozen goes back to the transport, which brings it again later: its time does
//! not run meanwhile. Those that came before are waited for.
//!
//! While nothing is frozen a command looks at two numbers that nobody writes, and is counted on its own CPU alone. What is
//! frozen is counted exactly: after a grace period every command has either seen the freeze, or is in the count.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::rcu::synchronize_rcu;
use kernel::sync::{Arc, Mutex};
use kernel::time::{Instant, Monotonic};

use crate::core::Core;
use crate::device::Device;
use crate::kapi::done::Done;
use crate::kapi::livemap::Counted;
use crate::nexus::Nexus;

/// How often everything was suspended and not resumed. Commands look at it, and share it without writing.
static SUSPENDED: Atomic<i32> = Atomic::new(0);

/// Milliseconds between two looks at what is still under way.
const POLL_MS: u32 = 5;

/// The freezes of one device.
pub(crate) struct Blocks {
    /// Blocks that were asked for and not taken back.
    asked: Atomic<i32>,
    /// Those of them that wait for commands.
    pending: Atomic<i32>,
    /// The device is going, and is not blocked any more. Set with the freezes locked.
    going: Atomic<bool>,
}

impl Blocks {
    pub(crate) const fn new() -> Self {
        Self {
            asked: Atomic::new(0),
            pending: Atomic::new(0),
            going: Atomic::new(false),
        }
    }

    /// Blocks that hold, and blocks that wait for commands to end.
    pub(crate) fn counts(&self) -> (i32, i32) {
        let pending = self.pending.load(Relaxed);
        (
            self.asked.load(Relaxed).saturating_sub(pending).max(0),
            pending,
        )
    }
}

/// Whether commands for `device` are held back now. Any context.
#[inline]
pub(crate) fn is_frozen(device: &Device) -> bool {
    device.blocks().asked.load(Relaxed) != 0 || SUSPENDED.load(Relaxed) != 0
}

/// How often everything is suspended.
pub(crate) fn suspensions() -> i32 {
    SUSPENDED.load(Relaxed)
}

/// Takes one from a number that is above zero.
fn take_one(number: &Atomic<i32>) -> bool {
    let mut old = number.load(Relaxed);
    while old > 0 {
        match number.cmpxchg(old, old.wrapping_sub(1), Relaxed) {
            Ok(_) => return true,
            Err(now) => old = now,
        }
    }
    false
}

type Nexuses = KVec<Arc<Counted<Nexus>>>;

impl Core {
    /// Holds all commands back, and waits until none is under way: for `seconds`, 0 for ever. `EBUSY` where that takes
    /// longer, `ERESTARTSYS` where the caller is killed; nothing is held back then.
    pub(crate) fn suspend(&self, seconds: u32) -> Result {
        let frozen = self.freeze(&SUSPENDED, None);
        let result = frozen.and_then(|list| {
            let limit = (seconds != 0).then(|| i64::from(seconds).saturating_mul(1000));
            wait_for(&list, limit, || true)
        });
        if result.is_err() {
            self.resume();
        }
        result
    }

    /// Takes one suspension back, if there is any.
    pub(crate) fn resume(&self) {
        self.thaw(&SUSPENDED, None);
    }

    /// Holds the device's commands back, and waits until none is under way, or the block is taken back. `ENODEV` for a
    /// device that is going.
    pub(crate) fn block_device(&self, device: &Arc<Device>) -> Result {
        let blocks = device.blocks();
        blocks.pending.fetch_add(1, Relaxed);
        let frozen = self.freeze(&blocks.asked, Some(device));
        let result =
            frozen.and_then(|list| wait_for(&list, None, || blocks.asked.load(Relaxed) != 0));
        take_one(&blocks.pending);
        if result.is_err() {
            self.unblock_device(device);
        }
        result
    }

    /// Takes one block of the device back, if there is any.
    pub(crate) fn unblock_device(&self, device: &Arc<Device>) {
        self.thaw(&device.blocks().asked, Some(device));
    }

    /// Takes all blocks back, and lets no new one come: the device is going, and what waits for it must end.
    pub(crate) fn release_device(&self, device: &Arc<Device>) {
        {
            let _freezes = self.freezes().lock();
            device.blocks().going.store(true, Relaxed);
        }
        while device.blocks().asked.load(Relaxed) > 0 {
            self.unblock_device(device);
        }
    }

    /// Counts `reason` up, and gives back the nexuses whose commands are held back by that.
    fn freeze(&self, reason: &Atomic<i32>, device: Option<&Arc<Device>>) -> Result<Nexuses> {
        let _freezes = self.freezes().lock();
        if device.is_some_and(|device| device.blocks().going.load(Relaxed)) {
            return Err(ENODEV);
        }
        reason.fetch_add(1, Relaxed);
        // From here on no nexus that is made has users who have not seen the freeze.
        synchronize_rcu();
        let list = self.concerned_nexuses(device)?;
        for nexus in list.iter() {
            nexus.count_exactly();
        }
        Ok(list)
    }

    /// Counts `reason` down, and lets go of what nothing holds back any more.
    fn thaw(&self, reason: &Atomic<i32>, device: Option<&Arc<Device>>) {
        let _freezes = self.freezes().lock();
        if !take_one(reason) {
            return;
        }
        // Without memory for the list, the nexuses stay counted exactly until the next time.
        for nexus in self.concerned_nexuses(device).iter().flatten() {
            if !is_frozen(nexus.value().device()) {
                nexus.count_loosely();
            }
        }
    }

    /// The nexuses of a device, or all.
    fn concerned_nexuses(&self, device: Option<&Arc<Device>>) -> Result<Nexuses> {
        let admin = self.admin();
        let mut list = KVec::new();
        for session in admin.sessions() {
            let luns = &session.luns;
            let mut next = luns.first();
            while let Some(lun) = next {
                next = luns.at_or_after(lun.saturating_add(1));
                let entry = luns.entry(lun);
                let concerned = |n: &Arc<Counted<Nexus>>| {
                    device.is_none_or(|d| Arc::ptr_eq(n.value().device(), d))
                };
                if let Some(nexus) = entry.filter(concerned) {
                    list.push(nexus, GFP_KERNEL)?;
                }
            }
        }
        // Those in whose place another is have commands yet.
        let is_concerned = |one: &&Arc<Device>| device.is_none_or(|d| Arc::ptr_eq(d, one));
        for one in admin.devices().filter(is_concerned) {
            let mut result = Ok(());
            one.for_each_replaced(|nexus| {
                if let Err(e) = list.push(nexus.clone(), GFP_KERNEL) {
                    result = Err(e);
                }
            });
            result?;
        }
        Ok(list)
    }

    fn freezes(&self) -> &Mutex<()> {
        &self.freezes
    }
}

/// Waits until no nexus of the list has users, for `limit` milliseconds, and as long as `wanted`. `EBUSY` where the time
/// is over, `ERESTARTSYS` where the caller is killed.
fn wait_for(list: &Nexuses, limit: Option<i64>, wanted: impl Fn() -> bool) -> Result {
    let never = KBox::pin_init(Done::new(), GFP_KERNEL)?;
    let start = Instant::<Monotonic>::now();
    while wanted() && list.iter().any(|nexus| nexus.users() != 0) {
        if limit.is_some_and(|limit| start.elapsed().as_millis() >= limit) {
            return Err(EBUSY);
        }
        match never.wait_killable(POLL_MS) {
            Err(e) if e != EAGAIN => return Err(e),
            _ => {}
        }
    }
    Ok(())
}
