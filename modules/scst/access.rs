// SPDX-License-Identifier: GPL-2.0-only

//! Changes of access: from the groups to the nexuses, to the backing stores, and to the initiators.
//!
//! Whatever changes groups has the nexuses follow before it lets go of the configuration's lock, so that a nexus never
//! knows anything else than the groups say. A change of state does more, in this order: stores that will be reached are
//! opened, the state changes, stores that are not reached any more are closed. So a port never claims to lead to a medium
//! that could not be opened, and what closes waits only for commands that came before.

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::attention::Precedence;
use crate::core::{Admin, Core};
use crate::device::Device;
use crate::kapi::params;
use crate::name::Name;
use crate::nexus::Nexus;
use crate::port_groups::{Access, PortGroups, Wanted};
use crate::proto::alua::{AccessState, PortAccess};
use crate::proto::port_groups::Cause;
use crate::proto::sense::Sense;
use crate::target::Session;

/// Devices whose initiators have something to read again: see [`Core::reread`].
pub(crate) type Devices = KVec<Arc<Device>>;

impl Core {
    /// Puts a target port group in a state, for those who configure it. Fails with the state as it was where a backing
    /// store cannot be opened, and with the new state where one cannot be closed. Sleeps.
    pub(crate) fn set_access_state(
        &self,
        group: &str,
        access: &Arc<Access>,
        state: AccessState,
    ) -> Result {
        let ports = self.admin().ports_of(group)?;
        let mut wanted = KVec::with_capacity(1, GFP_KERNEL)?;
        wanted.push((access.clone(), state), GFP_KERNEL)?;
        let (devices, result) = self.change_states(&ports, &wanted, None)?;
        self.reread(&devices);
        result
    }

    /// Puts groups in the states that are wanted, all at once; `by` says which nexus wants it, if it is one. Fails as
    /// [`Self::set_access_state`] does, in the second case with the devices that are to be reread. Sleeps, and waits for
    /// commands that move data.
    pub(crate) fn change_states(
        &self,
        ports: &PortGroups,
        wanted: &[Wanted],
        by: Option<&Nexus>,
    ) -> Result<(Devices, Result)> {
        let _turn = ports.turn();
        let devices = self.admin().devices_behind(ports)?;
        let reached = ports.is_reached(wanted);
        if reached == Some(true) && ports.is_lost() {
            open_all(&devices)?;
            ports.set_lost(false);
        }
        self.admin().apply(ports, wanted, by);
        let result = match reached {
            Some(false) if !ports.is_lost() => {
                ports.set_lost(true);
                close_all(&devices)
            }
            _ => Ok(()),
        };
        Ok((devices, result))
    }

    /// Has the backing stores behind `ports` follow another change than one of state. Without a port of this machine they
    /// stay as they are; what fails is only reported. Sleeps, as [`Self::change_states`] does.
    pub(crate) fn settle_stores(&self, ports: &PortGroups) {
        let _turn = ports.turn();
        let Ok(devices) = self.admin().devices_behind(ports) else {
            return;
        };
        match (ports.is_reached(&[]), ports.is_lost()) {
            (Some(true), true) => ports.set_lost(open_all(&devices).is_err()),
            (Some(false), false) => {
                ports.set_lost(true);
                let _ = close_all(&devices);
            }
            _ => {}
        }
    }

    /// A device has joined the group behind `ports`: its store is as the others are, if they are closed.
    pub(crate) fn settle_store(&self, ports: &PortGroups, device: &Arc<Device>) {
        let _turn = ports.turn();
        if ports.is_lost() {
            let _ = close_all(core::slice::from_ref(device));
        }
    }

    /// [`Self::settle_stores`], for all groups.
    pub(crate) fn settle_all_stores(&self) {
        let mut number = 0;
        loop {
            let ports = self
                .admin()
                .device_groups
                .get(number)
                .map(|g| g.ports.clone());
            let Some(ports) = ports else { break };
            self.settle_stores(&ports);
            number = number.saturating_add(1);
        }
    }

    /// Runs `change`, which changes what a group says beside its state, and has the nexuses and the initiators follow.
    pub(crate) fn change_group(&self, group: &str, change: impl FnOnce()) -> Result {
        let devices = {
            let admin = self.admin();
            let ports = admin.ports_of(group)?;
            let devices = admin.devices_behind(&ports)?;
            change();
            admin.follow(&devices, Some(&ports));
            devices
        };
        self.reread(&devices);
        Ok(())
    }

    /// Tells the initiators of a group's devices that what REPORT TARGET PORT GROUPS says has changed.
    pub(crate) fn report_changed(&self, group: &str) -> Result {
        let admin = self.admin();
        let ports = admin.ports_of(group)?;
        admin.apply_to(&ports, &mut |nexus, _| {
            nexus
                .unit_attentions()
                .raise(Sense::ALUA_STATE_CHANGED, Precedence::Last);
        });
        Ok(())
    }

    /// Has initiators read again who the devices are and how large, where that has changed and they can. Sleeps, sends
    /// commands; with no lock held.
    pub(crate) fn reread(&self, devices: &[Arc<Device>]) {
        for device in devices {
            // Without memory the initiators learn it from the pending unit attentions alone.
            if let Ok(users) = self.users_of(device.name().as_str()) {
                self.reread_by(&users);
            }
        }
    }

    /// Something else has changed at a LUN that its initiator is to read again, as [`Self::reread`] has it do.
    pub(crate) fn reread_lun(&self, session: &Arc<Session>, lun: u16) {
        if let Some(nexus) = session.luns.get(u32::from(lun)) {
            nexus.reread_later();
        }
        self.reread_by(&[(session.clone(), lun)]);
    }

    /// As [`Self::reread`], for the LUNs of sessions. A command that a port would refuse is not asked for: what an initiator
    /// cannot read, it may take for the worst.
    pub(crate) fn reread_by(&self, users: &[(Arc<Session>, u16)]) {
        for (session, lun) in users {
            let nexus = session.luns.get(u32::from(*lun));
            let stale = nexus.is_some_and(|nexus| nexus.access().take_stale());
            if let Some(ops) = session.ops().filter(|_| stale && session.it.port.tells()) {
                ops.lun_changed(*lun);
            }
        }
    }
}

/// Opens the backing stores of all devices that have theirs follow the states, or of none.
fn open_all(devices: &[Arc<Device>]) -> Result {
    let mut opened = KVec::with_capacity(devices.len(), GFP_KERNEL)?;
    for device in devices {
        match device.ops().reached(true) {
            Ok(false) => {}
            Ok(true) => opened.push(device.clone(), GFP_KERNEL)?,
            Err(e) => {
                pr_err!(
                    "{}: a port would lead to it, but its backing store cannot be opened: error {}\n",
                    device.name().as_str(),
                    -e.to_errno()
                );
                let _ = close_all(&opened);
                return Err(e);
            }
        }
    }
    Ok(())
}

/// Closes the backing stores of all devices that have theirs follow the states. The first failure comes back.
fn close_all(devices: &[Arc<Device>]) -> Result {
    let mut result = Ok(());
    for device in devices {
        let closed = device.ops().reached(false).inspect_err(|e| {
            pr_err!(
                "{}: no port leads to it, but its backing store cannot be closed: error {}\n",
                device.name().as_str(),
                -e.to_errno()
            );
        });
        result = result.and(closed.map(drop));
    }
    result
}

impl Admin {
    /// How `device` is reached at the port of `target`, by its very name.
    pub(crate) fn access_of(&self, device: &Arc<Device>, target: &Arc<Name>) -> PortAccess {
        let group = self.device_groups.iter().find(|g| g.has(device));
        group.map_or(PortAccess::default(), |g| g.ports.access_of(target))
    }

    /// The devices of the group that `ports` belongs to; none where it has gone.
    pub(crate) fn devices_behind(&self, ports: &PortGroups) -> Result<Devices> {
        let mut devices = KVec::new();
        for device in self.behind(ports) {
            devices.push(device.clone(), GFP_KERNEL)?;
        }
        Ok(devices)
    }

    fn behind(&self, ports: &PortGroups) -> &[Arc<Device>] {
        let mut groups = self.device_groups.iter();
        groups
            .find(|g| core::ptr::eq(&*g.ports, ports))
            .map_or(&[], |g| &g.devices)
    }

    /// Sets the states that are wanted, and has the nexuses follow. Whoever did not ask for it is told.
    fn apply(&self, ports: &PortGroups, wanted: &[Wanted], by: Option<&Nexus>) {
        let cause = match by {
            Some(_) => Cause::Explicit,
            None => Cause::Implicit,
        };
        let mut changed = false;
        for (access, state) in wanted {
            changed |= access.set_state(*state, cause);
        }
        if !changed {
            return;
        }
        self.apply_to(ports, &mut |nexus, access| {
            nexus.access().set(access);
            if !by.is_some_and(|by| core::ptr::eq(by, nexus)) {
                nexus
                    .unit_attentions()
                    .raise(Sense::ALUA_STATE_CHANGED, Precedence::Last);
            }
        });
        self.check_access();
    }

    /// Calls `f`, which must not sleep, for every nexus to a device behind `ports`, and how its port leads there.
    fn apply_to(&self, ports: &PortGroups, f: &mut dyn FnMut(&Nexus, PortAccess)) {
        self.for_each_nexus_of(self.behind(ports), Some(ports), f);
    }

    /// Has the nexuses to `devices` follow the groups that the devices have now, after another change than one of state.
    pub(crate) fn follow(&self, devices: &[Arc<Device>], ports: Option<&PortGroups>) {
        self.for_each_nexus_of(devices, ports, &mut |nexus, access| {
            let changed = nexus.access().set(access);
            let attentions = nexus.unit_attentions();
            if changed.identity {
                attentions.raise(Sense::INQUIRY_DATA_CHANGED, Precedence::Last);
            }
            if changed.state {
                attentions.raise(Sense::ALUA_STATE_CHANGED, Precedence::Last);
            }
        });
        self.check_access();
    }

    fn for_each_nexus_of(
        &self,
        devices: &[Arc<Device>],
        ports: Option<&PortGroups>,
        f: &mut dyn FnMut(&Nexus, PortAccess),
    ) {
        if devices.is_empty() {
            return;
        }
        for session in self.sessions() {
            let access = ports.map_or(PortAccess::default(), |p| p.access_of(&session.target));
            session.luns.for_each(|_, nexus| {
                if devices.iter().any(|d| Arc::ptr_eq(d, nexus.device())) {
                    f(nexus, access);
                }
            });
        }
    }

    /// With `alua_invariant_check`: compares what every nexus knows with what the groups say, and reports where they
    /// differ.
    fn check_access(&self) {
        if !params::alua_invariant_check() {
            return;
        }
        for session in self.sessions() {
            let mut next = session.luns.first();
            while let Some(lun) = next {
                next = session.luns.at_or_after(lun.saturating_add(1));
                let Some(nexus) = session.luns.get(lun) else {
                    continue;
                };
                let (known, says) = (
                    nexus.access().get(),
                    self.access_of(nexus.device(), &session.target),
                );
                let served = nexus.device().port_groups().is_some();
                if known != says || served != says.grouped {
                    pr_err!(
                        "ALUA invariant violated: {}, LUN {lun}: the nexus knows {:#x}, the groups say {:#x}\n",
                        session.name().as_str(),
                        known.bits(),
                        says.bits()
                    );
                }
            }
        }
    }
}
