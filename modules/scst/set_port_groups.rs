// SPDX-License-Identifier: GPL-2.0-only

//! SET TARGET PORT GROUPS (SPC-4 6.45): on a workqueue, because backing stores may follow the states.
//!
//! All that is asked for is done, or nothing. What it changes holds for every device of the group.

use kernel::prelude::*;

use crate::access::Devices;
use crate::command::{Admitted, Command, Outcome};
use crate::core::Core;
use crate::execute;
use crate::kapi::global;
use crate::kapi::state_file::InitRoot;
use crate::port_groups::PortGroups;
use crate::proto::cdb::Command as Cdb;
use crate::proto::port_groups::{self, LIST_MAX};
use crate::proto::sense::Sense;
use crate::proto::status::Status;

/// Takes a SET TARGET PORT GROUPS to where it may sleep.
#[inline(never)] // Not among the instructions that every READ goes through.
pub(crate) fn start(cmd: Command<Admitted>) {
    if !execute::sets_port_groups(cmd.nexus().device()) {
        let refusal = cmd.decoded().op.not_supported();
        return cmd.finish(refusal.into());
    }
    match global::core() {
        Ok(core) => core.change_queue().run(cmd, run),
        Err(_) => cmd.finish(Outcome::Status(Status::Busy)),
    }
}

fn run(cmd: Command<Admitted>) {
    // No process is behind the command: the names of backing stores mean what they mean to init.
    let _root = InitRoot::enter();
    let Ok(core) = global::core() else {
        return cmd.finish(Outcome::Status(Status::Busy));
    };
    let mut devices = KVec::new();
    let outcome = match carry_out(&core, &cmd, &mut devices) {
        Ok(len) => Outcome::Good(len),
        Err(outcome) => outcome,
    };
    cmd.finish(outcome);
    // Answered first: rereading takes commands of the same initiator, which may have but one at a time. And not here: the
    // command's memory is another's now, whose work the kernel would have wait for this function to return. Without memory
    // the initiators find out by the unit attention.
    let _ = core.partings().spawn(move || {
        if let Ok(core) = global::core() {
            core.reread(&devices);
        }
    });
}

/// Returns the bytes of the parameter list, and in `devices` what is to be reread.
fn carry_out(core: &Core, cmd: &Command<Admitted>, devices: &mut Devices) -> Result<u64, Outcome> {
    let Cdb::SetTargetPortGroups { list_len } = cmd.decoded().command else {
        return Err(Sense::INVALID_OPCODE.into());
    };
    port_groups::check_length(list_len)?;
    let mut list = [0; LIST_MAX];
    let list = list.get_mut(..list_len as usize).unwrap_or_default();
    let copied = cmd.cmnd().copy_from_buffer(0, list);
    let list = list.get(..copied).unwrap_or(&[]);
    let device = cmd.nexus().device();
    let ports = device
        .port_groups()
        .ok_or(Outcome::Check(cmd.decoded().op.not_supported()))?;
    change(core, cmd, &ports, list, devices)?;
    Ok(u64::from(list_len))
}

fn change(
    core: &Core,
    cmd: &Command<Admitted>,
    ports: &PortGroups,
    list: &[u8],
    devices: &mut Devices,
) -> Result<(), Outcome> {
    let mut wanted = KVec::new();
    for change in port_groups::changes(list) {
        let change = change?;
        ports
            .want(change.group, change.state, &mut wanted)
            .map_err(|e| match e {
                ENOENT => change.no_such_group().into(),
                e => failed(e),
            })?;
    }
    let (concerned, result) = core
        .change_states(ports, &wanted, Some(cmd.nexus()))
        .map_err(failed)?;
    *devices = concerned;
    result.map_err(failed)
}

/// Nobody could do it, or it could not be done.
fn failed(error: Error) -> Outcome {
    match error {
        ENOMEM => Outcome::Status(Status::Busy),
        _ => Sense::SET_TARGET_PORT_GROUPS_FAILED.into(),
    }
}
