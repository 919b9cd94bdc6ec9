// SPDX-License-Identifier: GPL-2.0-only

//! Devices and the handlers that make them.

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{new_mutex, Arc, Mutex};

use crate::alive::Kept;
use crate::command::{Admitted, Command};
use crate::core::take;
use crate::freeze::Blocks;
use crate::kapi::livemap::Counted;
use crate::kapi::noio::NoIo;
use crate::kapi::sysfs::{Attr, Attributes, Dir};
use crate::kapi::tasks::Ending;
use crate::mode::Mode;
use crate::name::Name;
use crate::nexus::Nexus;
use crate::port_groups::PortGroups;
use crate::proto::device_type::DeviceType;
use crate::proto::opcode::OpDesc;
use crate::reservation::Reservations;
use crate::task::Turn;

/// Commands that one nexus takes at once unless somebody says otherwise.
pub const DEFAULT_TGT_DEV_COMMANDS: u32 = 64;

/// What a handler's device does. [`Attributes`] are its files in `devices/<name>/`.
///
/// Its code must stay loaded until [`crate::core::Core::unregister_handler`] has returned.
pub trait DeviceOps: Attributes {
    /// The peripheral device type.
    fn device_type(&self) -> DeviceType;

    /// log2 of the bytes of a logical block; 0 for a device that has none.
    fn block_shift(&self) -> u32;

    /// The device refuses writes.
    fn is_read_only(&self) -> bool;

    /// Its mode parameters, always the same object; `None` for a device that obeys those of the Control mode page itself.
    fn mode(&self) -> Option<Arc<Mode>> {
        None
    }

    /// Whether [`DeviceOps::exec`] carries out commands of this description; REPORT SUPPORTED OPERATION CODES asks.
    fn serves(&self, op: &OpDesc) -> bool;

    /// Carries a command out and finishes it, here or later. Called in the submitter's context, which may hold locks of
    /// a file system above: must not wait for other commands, nor allocate in a way that starts I/O.
    fn exec(&self, cmd: Command<Admitted>);

    /// A LUN that showed the device has gone, and its commands have ended: what was acknowledged must be on stable
    /// storage when this returns. Sleeps.
    fn detached(&self);

    /// Carries out a command that [`DeviceOps::exec`] has put off, and finishes it, here or later. Sleeps.
    fn exec_put_off(&self, cmd: Command<Admitted>);

    /// The device was reset: mode parameters are what was saved again. Called by error handling, with no lock of the core
    /// held; must not wait for commands.
    fn reset(&self);

    /// As many commands that have to wait are carried out at once from now on; others run where they arrive. Sleeps.
    fn set_threads(&self, _most: u32) {}

    /// Initiators may set the states of target port groups, by SET TARGET PORT GROUPS.
    fn sets_port_groups(&self) -> bool {
        false
    }

    /// The ports of this machine that are in target port groups lead to the medium again, or not any more: a backing store
    /// that follows their states is opened, or closed. Returns whether it was not so before. Where it cannot be, everything is
    /// as before. Sleeps; must not have initiators send commands, but may mark what they are to read again.
    fn reached(&self, _is_reached: bool) -> Result<bool> {
        Ok(false)
    }

    /// What is written must not change meanwhile, as what is behind the device computes something from it. The initiator is told
    /// when it finds the LUN; what finds it without that has to be copied.
    fn needs_stable_pages(&self) -> bool {
        false
    }

    /// NUMA node that the device was made for, -1 for none.
    fn numa_node_id(&self) -> i32 {
        -1
    }

    /// The handler's own files.
    fn attrs(&self) -> &'static [Attr];
}

/// A kind of virtual device, as a directory in `handlers/`.
pub trait Handler: Send + Sync {
    /// The directory's name.
    fn name(&self) -> &'static CStr;

    /// The type of its devices.
    fn device_type(&self) -> DeviceType;

    /// Handlers of one family delete each other's devices.
    fn family(&self) -> &'static str;

    /// The creation parameters, comma-separated, in the order in which the help shows them.
    fn parameters(&self) -> &'static str;

    /// Threads that a new device has for each initiator, unless somebody says otherwise.
    fn threads(&self) -> u32 {
        1
    }

    /// Makes a device. Called in the context of the process that named its backing store, with no lock held.
    fn create(&self, request: &Create<'_>) -> Result<Arc<dyn DeviceOps>>;
}

/// What `add_device` asks for.
pub struct Create<'a> {
    /// The device's name.
    pub name: &'a str,
    /// `name=value` pairs, still as text.
    pub params: crate::proto::mgmt::Segments<'a>,
    /// Upper half of the number that default identities are made from.
    pub setup_id: u32,
}

/// A device: what its handler made, and its place in the tree.
#[pin_data]
pub struct Device {
    name: Name,
    handler: &'static CStr,
    /// Counted: the handler's code stays loaded for as long as anybody refers to the device.
    ops: Kept<dyn DeviceOps>,
    /// Constant during a device's life, and read for every command.
    device_type: DeviceType,
    block_shift: u32,
    mode: Option<Arc<Mode>>,
    #[pin]
    reservations: Reservations,
    blocks: Blocks,
    /// The target port groups that lead to it, if it is in a device group. Changed under the configuration's lock.
    #[pin]
    port_groups: Mutex<Option<Arc<PortGroups>>>,
    /// How often all commands of the task set that the initiators share were aborted, wrapping.
    aborts: Atomic<i32>,
    /// Whose turn it is among those that are carried out one at a time.
    pub(crate) turn: Turn,
    /// Commands that one nexus takes at once.
    pub(crate) max_tgt_dev_commands: Atomic<i32>,
    /// How many commands it carries out at once that have to wait: the others run where they arrive.
    pub(crate) threads: Threads,
    /// Nexuses in whose place another is, and whose commands have yet to end.
    #[pin]
    replaced: Mutex<KVec<Arc<Counted<Nexus>>>>,
    /// Taken out when the device goes: the directory's files refer to the device.
    #[pin]
    dirs: Mutex<Option<DeviceDirs>>,
}

/// The directories of a device. Dropped in this order: `exported` is inside `dir`.
pub(crate) struct DeviceDirs {
    pub(crate) exported: Dir,
    pub(crate) dir: Dir,
    /// Number of the next `exportN` link.
    pub(crate) next_export: u32,
}

/// What was said of a device's threads.
pub(crate) struct Threads {
    /// The number that the handler gave the device.
    pub(crate) default: i32,
    pub(crate) number: Atomic<i32>,
    /// Not 0: one pool for all initiators.
    pub(crate) shared: Atomic<i32>,
    /// The node that they are to run on, -1 for any.
    pub(crate) numa_node: Atomic<i32>,
    /// Nexuses of the device.
    initiators: Atomic<i32>,
}

impl Threads {
    fn new(number: u32) -> Self {
        let default = number.try_into().unwrap_or(i32::MAX);
        Self {
            default,
            number: Atomic::new(default),
            shared: Atomic::new(0),
            numa_node: Atomic::new(-1),
            initiators: Atomic::new(0),
        }
    }

    /// Another nexus, which has as many threads more where they are not shared. Any context.
    pub(crate) fn initiator_came(&self) {
        self.initiators.fetch_add(1, Relaxed);
    }

    /// A nexus has gone. Any context.
    pub(crate) fn initiator_went(&self) {
        self.initiators.fetch_sub(1, Relaxed);
    }

    /// Commands to carry out at once. Where no number was given it is `pool`, the number of all devices of that kind.
    fn most(&self, pool: u32) -> u32 {
        let number = self.number.load(Relaxed).unsigned_abs();
        match (number, self.shared.load(Relaxed)) {
            (0, _) => pool,
            (_, 0) => {
                let initiators = self.initiators.load(Relaxed).max(1);
                number.saturating_mul(initiators.unsigned_abs())
            }
            _ => number,
        }
    }
}

impl Device {
    /// A device that is in no directory yet.
    pub(crate) fn new(
        name: Name,
        handler: &'static CStr,
        ops: Kept<dyn DeviceOps>,
        threads: u32,
    ) -> Result<Arc<Self>> {
        let (device_type, block_shift) = (ops.device_type(), ops.block_shift());
        let mode = ops.mode();
        Arc::pin_init(
            try_pin_init!(Self {
                name,
                handler,
                ops,
                device_type,
                block_shift,
                mode,
                reservations <- Reservations::new(),
                blocks: Blocks::new(),
                port_groups <- new_mutex!(None),
                aborts: Atomic::new(0),
                turn: Turn::new(),
                max_tgt_dev_commands: Atomic::new(DEFAULT_TGT_DEV_COMMANDS as i32),
                threads: Threads::new(threads),
                replaced <- new_mutex!(KVec::new()),
                dirs <- new_mutex!(None),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Has the device carry out as many commands at once as was said. `pool` is the root's `threads`. Sleeps.
    pub(crate) fn apply_threads(&self, pool: u32) {
        self.ops.set_threads(self.threads.most(pool));
    }

    /// The name in `devices/`.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its handler's name.
    pub fn handler(&self) -> &'static CStr {
        self.handler
    }

    /// What the handler made.
    #[inline]
    pub fn ops(&self) -> &dyn DeviceOps {
        &*self.ops
    }

    /// Another reference to what the handler made.
    pub(crate) fn kept_ops(&self) -> Kept<dyn DeviceOps> {
        self.ops.clone()
    }

    /// The peripheral device type.
    #[inline]
    pub fn device_type(&self) -> DeviceType {
        self.device_type
    }

    /// Commands that one nexus takes at once.
    pub fn max_tgt_dev_commands(&self) -> u32 {
        self.max_tgt_dev_commands.load(Relaxed).unsigned_abs()
    }

    #[inline]
    pub(crate) fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// log2 of the bytes of a logical block.
    #[inline]
    pub fn block_shift(&self) -> u32 {
        self.block_shift
    }

    /// The device refuses writes.
    #[inline]
    pub fn is_read_only(&self) -> bool {
        self.ops.is_read_only()
    }

    /// Whether sense data goes in descriptor format (SPC-4 D_SENSE).
    pub(crate) fn descriptor_sense(&self) -> bool {
        self.mode.as_ref().is_some_and(|mode| mode.d_sense())
    }

    /// Whether what is written may stay in a volatile cache until somebody flushes it (SBC-3 WCE).
    #[inline]
    pub fn caches_writes(&self) -> bool {
        self.mode.as_ref().is_none_or(|mode| mode.wce())
    }

    /// Whether all initiators share one task set (SPC-4 TST).
    pub(crate) fn shares_task_set(&self) -> bool {
        self.mode
            .as_ref()
            .is_some_and(|mode| mode.shares_task_set())
    }

    /// Whether commands are carried out in the order in which they came.
    #[inline]
    pub(crate) fn keeps_order(&self) -> bool {
        self.mode.as_ref().is_some_and(|mode| mode.keeps_order())
    }

    /// QErr of the Control mode page.
    pub(crate) fn qerr(&self) -> u32 {
        self.mode.as_ref().map_or(0, |mode| mode.qerr())
    }

    /// What a command compares, when it ends, with what it found when it came: see [`Device::abort_shared`].
    #[inline]
    pub(crate) fn aborts(&self) -> i32 {
        self.aborts.load(Relaxed)
    }

    /// Aborts all commands of the task set that the initiators share. Any context.
    pub(crate) fn abort_shared(&self) {
        self.aborts.fetch_add(1, Relaxed);
    }

    /// How a command ends that was aborted over another nexus than its own (SPC-4 TAS).
    pub(crate) fn ending_by_others(&self) -> Ending {
        match self.mode.as_ref().is_some_and(|mode| mode.tas()) {
            true => Ending::TaskAborted,
            false => Ending::Silence,
        }
    }

    /// Who has reserved it.
    #[inline]
    pub(crate) fn reservations(&self) -> &Reservations {
        &self.reservations
    }

    /// The target port groups that lead to it.
    pub(crate) fn port_groups(&self) -> Option<Arc<PortGroups>> {
        self.port_groups.lock().clone()
    }

    /// Puts it in a device group, or takes it out. Under the configuration's lock.
    pub(crate) fn set_port_groups(&self, groups: Option<Arc<PortGroups>>) {
        let before = core::mem::replace(&mut *self.port_groups.lock(), groups);
        drop(before);
    }

    /// Keeps a nexus that leaves its session's map within reach of whoever aborts the device's commands, until
    /// [`Device::let_go`]. To be called before it leaves. Sleeps.
    pub(crate) fn keep_in_reach(&self, nexus: Arc<Counted<Nexus>>) -> Result {
        let _scope = NoIo::enter();
        Ok(self.replaced.lock().push(nexus, GFP_KERNEL)?)
    }

    /// The nexus has no commands any more, or has not left. Sleeps.
    pub(crate) fn let_go(&self, nexus: &Arc<Counted<Nexus>>) {
        let gone = take(&mut self.replaced.lock(), |n| Arc::ptr_eq(n, nexus));
        drop(gone);
    }

    /// Calls `f`, which may sleep, with each nexus that was replaced and has commands yet. Allocates nothing itself; what
    /// `f` allocates starts no I/O, as error handling goes through them too.
    pub(crate) fn for_each_replaced(&self, f: impl FnMut(&Arc<Counted<Nexus>>)) {
        let _scope = NoIo::enter();
        self.replaced.lock().iter().for_each(f);
    }

    pub(crate) fn dirs(&self) -> &Mutex<Option<DeviceDirs>> {
        &self.dirs
    }
}
