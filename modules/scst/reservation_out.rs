// SPDX-License-Identifier: GPL-2.0-only

//! PERSISTENT RESERVE OUT: one at a time for a device, on a workqueue, because what it changes may have to be on stable
//! storage before it is answered.
//!
//! The new state is worked out on a copy, kept in the file if it is to be kept, and only then takes the place of the old
//! one; so a command that fails has changed nothing. Then those whom it concerns are told, and for PREEMPT AND ABORT their
//! commands are waited for. They cannot be called back from a backing store; those that end after their nexus was preempted
//! end as the unit's TAS says, and the initiator tries again and is refused.

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::attention::Precedence;
use crate::command::{Admitted, Command, Outcome};
use crate::core::Core;
use crate::device::Device;
use crate::kapi::global;
use crate::kapi::livemap::{Counted, Live};
use crate::kapi::tasks::Ending;
use crate::nexus::Nexus;
use crate::proto::cdb::Command as Cdb;
use crate::proto::pr::{self, Effect, Refusal, State, View};
use crate::proto::pr_access::Standing;
use crate::proto::pr_id::TransportId;
use crate::proto::pr_list::{self, Action, Request, WRONG_APTPL};
use crate::proto::sense::Sense;
use crate::proto::status::Status;
use crate::reservation::Draft;

/// Bytes of the longest parameter list: more TransportIDs than anybody has initiators.
const MAX_LIST: usize = 64 * 1024;

/// Takes a PERSISTENT RESERVE OUT to where it may sleep.
pub(crate) fn start(mut cmd: Command<Admitted>) {
    // It may have to wait for another one, which may wait for what came over this nexus.
    cmd.uncount();
    match global::core() {
        Ok(core) => core.change_queue().run(cmd, run),
        Err(_) => cmd.finish(Outcome::Status(Status::Busy)),
    }
}

fn run(cmd: Command<Admitted>) {
    let outcome = match carry_out(&cmd) {
        Ok(len) => Outcome::Good(len),
        Err(outcome) => outcome,
    };
    cmd.finish(outcome);
}

/// Who sends a command, as persistent reservations know it.
struct Sender {
    id: TransportId,
    port: u16,
}

impl Sender {
    fn nexus(&self) -> pr::Nexus<'_> {
        pr::Nexus {
            id: &self.id,
            port: self.port,
        }
    }
}

/// Returns the bytes of the parameter list.
fn carry_out(cmd: &Command<Admitted>) -> Result<u64, Outcome> {
    let Cdb::PersistentReserveOut {
        action,
        scope,
        kind,
        list_len,
    } = cmd.decoded().command
    else {
        return Err(Sense::INVALID_OPCODE.into());
    };
    let list = parameter_list(cmd, list_len as usize)?;
    let action = Action::from_code(action).ok_or(Sense::SERVICE_ACTION_NOT_SUPPORTED)?;
    let request = pr_list::parse(action, scope, kind, &list)?;
    change(cmd, &request)?;
    Ok(u64::from(list_len))
}

fn parameter_list(cmd: &Command<Admitted>, len: usize) -> Result<KVVec<u8>, Outcome> {
    if len > MAX_LIST {
        return Err(Sense::PARAMETER_LIST_LENGTH_ERROR.into());
    }
    let mut list = KVVec::from_elem(0_u8, len, GFP_KERNEL).map_err(busy)?;
    let copied = cmd.cmnd().copy_from_buffer(0, &mut list);
    list.truncate(copied);
    Ok(list)
}

/// What could not be done for want of memory may be tried again.
fn busy(_: impl Into<Error>) -> Outcome {
    Outcome::Status(Status::Busy)
}

fn change(cmd: &Command<Admitted>, request: &Request<'_>) -> Result<(), Outcome> {
    let core = global::core().map_err(busy)?;
    let nexus = cmd.nexus();
    let device = nexus.device();
    let turn = device.reservations().turn();
    if cmd.is_aborted() {
        // Its nexus was preempted while it waited.
        return Err(Outcome::Status(Status::TaskAborted));
    }
    let ports = core.relative_ports().map_err(busy)?;
    // Before anything is changed, so that whom it concerns can be told whatever memory is left.
    let concerned = core.nexuses_of(device).map_err(busy)?;
    let sender = Sender {
        id: nexus.initiator().id(),
        port: nexus.port().relative_id(),
    };
    let draft = turn.draft(pr::may_add(request, ports.len()));
    let Some(mut draft) = draft.map_err(busy)? else {
        return Err(Outcome::Status(Status::ReservationConflict));
    };
    let kept_before = draft.head.aptpl;
    let mut state = State {
        head: draft.head,
        slots: &mut draft.slots,
    };
    let effect = pr::out(&mut state, request, sender.nexus(), &ports)?;
    draft.head = state.head;
    if !effect.changed {
        return Ok(());
    }
    if request.aptpl && !device.reservations().keeps() {
        return Err(WRONG_APTPL.into());
    }
    if cmd.is_aborted() {
        // From here on it is carried out, also if it is aborted.
        return Err(Outcome::Status(Status::TaskAborted));
    }
    if kept_before || draft.head.aptpl {
        keep(device, draft.view())?;
    }
    turn.publish(&mut draft);
    tell(&concerned, &sender, &effect, &draft);
    Ok(())
}

/// Brings the new state onto stable storage. What cannot be kept is not done.
fn keep(device: &Device, state: View<'_>) -> Result<(), Outcome> {
    let kept = device
        .reservations()
        .file()
        .and_then(|file| file.keep(state));
    kept.map_err(|e| {
        pr_err!(
            "{}: persistent reservations are not kept, the file cannot be written: error {}\n",
            device.name().as_str(),
            -e.to_errno()
        );
        Outcome::from(Sense::INTERNAL_TARGET_FAILURE)
    })
}

/// The nexuses that a change may concern: those that there are, and those in whose place another is and whose commands have
/// yet to end.
struct Concerned {
    mapped: KVec<Live<Nexus>>,
    replaced: KVec<Arc<Counted<Nexus>>>,
}

impl Concerned {
    fn iter(&self) -> impl Iterator<Item = &Nexus> {
        let replaced = self.replaced.iter().map(|nexus| nexus.value());
        Iterator::chain(self.mapped.iter().map(|nexus| &**nexus), replaced)
    }
}

/// Raises unit attentions with the nexuses that the change concerns, and waits for the commands of those whose
/// registration was preempted if they are to be aborted.
fn tell(nexuses: &Concerned, sender: &Sender, effect: &Effect, before: &Draft) {
    let registered = |state: View<'_>, nexus: &Nexus| {
        nexus.with_identity(|me| state.standing(me) != Standing::Stranger)
    };
    for nexus in nexuses.iter() {
        let own = nexus.with_identity(|me| me.port == sender.port && *me.id == sender.id);
        if own {
            continue;
        }
        let attentions = nexus.unit_attentions();
        if nexus
            .device()
            .reservations()
            .with_view(|now| registered(now, nexus))
        {
            if let Some(sense) = effect.remaining {
                attentions.raise(sense, Precedence::Last);
            }
        } else if let Some(sense) = effect.removed.filter(|_| registered(before.view(), nexus)) {
            if effect.abort {
                let ending = nexus.device().ending_by_others();
                if ending == Ending::Silence {
                    attentions.raise(Sense::COMMANDS_CLEARED_BY_ANOTHER, Precedence::Last);
                }
                nexus.drive().allow_removal();
                nexus.tasks().abort(ending);
                nexus.tasks().tell_apart();
            }
            attentions.raise(sense, Precedence::Last);
        }
    }
    if effect.abort {
        nexuses.iter().for_each(|nexus| nexus.tasks().wait());
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Conflict => Self::Status(Status::ReservationConflict),
            Refusal::Check(sense) => Self::Check(sense),
        }
    }
}

impl Core {
    /// The relative identifiers of the target ports that initiators log in at, each once.
    fn relative_ports(&self) -> Result<KVec<u16>> {
        let admin = self.admin();
        let mut ports = KVec::new();
        let drivers = admin.drivers.iter().filter(|d| d.driver.is_managed());
        for target in drivers.flat_map(|d| d.targets.iter()) {
            let port = target.port.relative_id();
            if !ports.contains(&port) {
                ports.push(port, GFP_KERNEL)?;
            }
        }
        Ok(ports)
    }

    /// The nexuses to a device.
    fn nexuses_of(&self, device: &Device) -> Result<Concerned> {
        let users = self.users_of(device.name().as_str())?;
        let mut mapped = KVec::with_capacity(users.len(), GFP_KERNEL)?;
        for (session, lun) in users.iter() {
            let nexus = session.luns.get(u32::from(*lun));
            // Another device may have come in its place.
            if let Some(nexus) = nexus.filter(|n| core::ptr::eq(&**n.device(), device)) {
                mapped.push_within_capacity(nexus).map_err(|_| ENOMEM)?;
            }
        }
        // After the others: who is not among them any more is here.
        let mut replaced = KVec::new();
        let mut room = Ok(());
        device.for_each_replaced(|nexus| {
            if room.is_ok() {
                room = replaced.push(nexus.clone(), GFP_KERNEL);
            }
        });
        room?;
        Ok(Concerned { mapped, replaced })
    }
}
