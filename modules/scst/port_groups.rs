// SPDX-License-Identifier: GPL-2.0-only

//! The target port groups of a device group (SPC-4 5.15.2.3): which ports lead to its devices, and how well.
//!
//! Changed under the configuration's lock, but with one of their own: REPORT TARGET PORT GROUPS reads them, and no command
//! takes the configuration's.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::lock::mutex::MutexBackend;
use kernel::sync::lock::Guard;
use kernel::sync::{new_mutex, Arc, Mutex};

use crate::kapi::sysfs::Dir;
use crate::name::Name;
use crate::proto::alua::{AccessState, PortAccess};
use crate::proto::port_groups::{Cause, Group, Report};
use crate::proto::sense::Sense;
use crate::target::Port;

/// What a target port group says; shared with its files.
pub(crate) struct Access {
    /// Target port group identifier, 0 while none is set.
    pub(crate) group_id: Atomic<i32>,
    /// The PREF bit.
    pub(crate) preferred: Atomic<i32>,
    /// The code of an [`AccessState`].
    state: Atomic<i32>,
    /// Not 0: an initiator set the state.
    explicit: Atomic<i32>,
}

impl Access {
    /// Of a new group, which has no identifier yet.
    pub(crate) fn new() -> Self {
        Self {
            group_id: Atomic::new(0),
            preferred: Atomic::new(0),
            state: Atomic::new(AccessState::Active as i32),
            explicit: Atomic::new(0),
        }
    }

    /// How well the devices are reached.
    pub(crate) fn state(&self) -> AccessState {
        AccessState::from_code(self.state.load(Relaxed) as u8).unwrap_or_default()
    }

    /// Sets it. Returns whether it was another. Under the configuration's lock.
    pub(crate) fn set_state(&self, state: AccessState, cause: Cause) -> bool {
        let explicit = i32::from(cause == Cause::Explicit);
        let changed = self.state.xchg(state as i32, Relaxed) != state as i32;
        if changed {
            self.explicit.store(explicit, Relaxed);
        }
        changed
    }

    fn id(&self) -> u16 {
        self.group_id.load(Relaxed) as u16
    }

    /// What is reported of the group.
    fn report(&self) -> Group {
        Group {
            id: self.id(),
            preferred: self.preferred.load(Relaxed) != 0,
            state: self.state(),
            cause: match self.explicit.load(Relaxed) {
                0 => Cause::Implicit,
                _ => Cause::Explicit,
            },
        }
    }
}

/// A target port of another machine.
pub(crate) struct RemotePort {
    /// Relative target port identifier, 0 while none is set.
    pub(crate) rel_tgt_id: Atomic<i32>,
}

/// A target of a group.
pub(crate) enum Member {
    /// Of this machine, by the very name that it has: a link to its directory.
    Here(Arc<Name>, Arc<Port>),
    /// Of another: a directory of its own. Taken out when it goes.
    Elsewhere(Arc<Name>, Arc<RemotePort>, Option<Dir>),
}

impl Member {
    pub(crate) fn name(&self) -> &Name {
        match self {
            Self::Here(name, _) | Self::Elsewhere(name, _, _) => name,
        }
    }

    fn is_here(&self) -> bool {
        matches!(self, Self::Here(..))
    }

    /// The port's relative identifier; `None` while the member is on its way out.
    fn relative_id(&self) -> Option<u16> {
        match self {
            Self::Here(_, port) => Some(port.relative_id()),
            Self::Elsewhere(_, port, Some(_)) => Some(port.rel_tgt_id.load(Relaxed) as u16),
            Self::Elsewhere(_, _, None) => None,
        }
    }
}

/// Target ports that lead to the devices in the same way. Dropped in this order: the members' directories are inside the
/// group's.
pub(crate) struct TargetGroup {
    pub(crate) name: Arc<Name>,
    pub(crate) access: Arc<Access>,
    pub(crate) members: KVec<Member>,
    /// Taken out when the group goes.
    pub(crate) dir: Option<Dir>,
}

impl TargetGroup {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|m| m.name().as_str() == name)
    }

    /// Takes a member out with its link, or its directory out of it: then its name stays taken until the directory has
    /// gone.
    pub(crate) fn take_member(&mut self, name: &str) -> Result<Option<Dir>> {
        let at = self.members.iter().position(|m| m.name().as_str() == name);
        let at = at.ok_or(EINVAL)?;
        match self.members.get_mut(at) {
            Some(Member::Elsewhere(_, _, dir)) => dir.take().map(Some).ok_or(EINVAL),
            _ => {
                if let (Ok(gone), Some(dir)) = (self.members.remove(at), &self.dir) {
                    dir.unlink(gone.name().as_cstr());
                }
                Ok(None)
            }
        }
    }

    /// Takes the target of this very name out, if it is in here.
    pub(crate) fn take_gone(&mut self, name: &Arc<Name>) -> bool {
        let is_it = |m: &Member| matches!(m, Member::Here(n, _) if Arc::ptr_eq(n, name));
        let was_in = self.members.iter().any(is_it);
        if let Some(dir) = self.dir.as_ref().filter(|_| was_in) {
            dir.unlink(name.as_cstr());
        }
        self.members.retain(|m| !is_it(m));
        was_in
    }

    fn has_port(&self, target: &Arc<Name>) -> bool {
        let is_it = |m: &Member| matches!(m, Member::Here(n, _) if Arc::ptr_eq(n, target));
        self.members.iter().any(is_it)
    }
}

/// The groups.
#[pin_data]
pub(crate) struct PortGroups {
    #[pin]
    list: Mutex<KVec<TargetGroup>>,
    #[pin]
    turn: Mutex<()>,
    /// Not 0: [`PortGroups::is_lost`].
    lost: Atomic<i32>,
}

/// The groups, locked.
pub(crate) type Groups<'a> = Guard<'a, KVec<TargetGroup>, MutexBackend>;

/// Which state a group is to be in.
pub(crate) type Wanted = (Arc<Access>, AccessState);

/// The turn to change states.
pub(crate) type Turn<'a> = Guard<'a, (), MutexBackend>;

impl PortGroups {
    /// None yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            list <- new_mutex!(KVec::new()),
            turn <- new_mutex!(()),
            lost: Atomic::new(0),
        })
    }

    /// The groups; changed under the configuration's lock only. Nothing is waited for while they are locked, and no
    /// directory is dropped.
    pub(crate) fn lock(&self) -> Groups<'_> {
        self.list.lock()
    }

    /// Waits for the turn to change states, or to have backing stores follow them. Sleeps.
    pub(crate) fn turn(&self) -> Turn<'_> {
        self.turn.lock()
    }

    /// Takes all groups out.
    pub(crate) fn take_all(&self) -> KVec<TargetGroup> {
        core::mem::take(&mut *self.lock())
    }

    /// How the port of `target`, by its very name, leads to the devices.
    pub(crate) fn access_of(&self, target: &Arc<Name>) -> PortAccess {
        let list = self.lock();
        let access = list.iter().find(|g| g.has_port(target)).map(|g| &g.access);
        PortAccess {
            state: access.map(|a| a.state()).unwrap_or_default(),
            grouped: true,
            group: access.map(|a| a.id()).filter(|id| *id != 0),
        }
    }

    /// REPORT TARGET PORT GROUPS data. Returns how many bytes of `out` hold it.
    pub(crate) fn report(&self, format: u8, out: &mut [u8]) -> Result<usize, Sense> {
        let mut report = Report::new(format, out)?;
        for group in self.lock().iter().filter(|g| g.dir.is_some()) {
            let ports = group.members.iter().filter_map(Member::relative_id);
            report.group(group.access.report(), ports);
        }
        Ok(report.finish())
    }

    /// Adds what has to change for the groups with identifier `id` to be in `state`. `ENOENT` where there is no such group,
    /// `EREMOTE` where a port of another machine is in one: nobody here can say what it does.
    pub(crate) fn want(&self, id: u16, state: AccessState, wanted: &mut KVec<Wanted>) -> Result {
        let list = self.lock();
        let mut found = false;
        for group in list.iter() {
            if group.access.id() != id || group.dir.is_none() {
                continue;
            }
            if !group.members.iter().all(Member::is_here) {
                return Err(EREMOTE);
            }
            wanted.push((group.access.clone(), state), GFP_KERNEL)?;
            found = true;
        }
        if found {
            Ok(())
        } else {
            Err(ENOENT)
        }
    }

    /// Whether the medium is reached by any port of this machine that is in a group, once the groups are as `wanted`. `None`
    /// where there is no such port.
    pub(crate) fn is_reached(&self, wanted: &[Wanted]) -> Option<bool> {
        let list = self.lock();
        let state = |access: &Arc<Access>| {
            let mut last = wanted.iter().rev();
            last.find(|(a, _)| Arc::ptr_eq(a, access))
                .map_or_else(|| access.state(), |(_, state)| *state)
        };
        let mut own = list
            .iter()
            .filter(|g| g.members.iter().any(Member::is_here))
            .map(|g| state(&g.access).is_accessible())
            .peekable();
        own.peek()?;
        Some(own.any(|reached| reached))
    }

    /// Whether the devices' backing stores were told that no port reaches them. To be asked by who has the turn.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Relaxed) != 0
    }

    /// Says what they were told, by who has the turn.
    pub(crate) fn set_lost(&self, lost: bool) {
        self.lost.store(lost.into(), Relaxed);
    }
}
