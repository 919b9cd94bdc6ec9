// SPDX-License-Identifier: GPL-2.0-only

//! From the transport to the device: the path of every command, and those that the core answers itself.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;

use crate::command::{finish, Admitted, Command, Decoded, Outcome, Received};
use crate::device::Device;
use crate::freeze;
use crate::group;
use crate::kapi::cmnd::Cmnd;
use crate::kapi::noio::NoIo;
use crate::proto::cdb::{self, Command as Cdb};
use crate::proto::device_type::DeviceType;
use crate::proto::inquiry;
use crate::proto::lun;
use crate::proto::opcode::OpDesc;
use crate::proto::opcodes_report::{self, TmFunctions};
use crate::proto::port_groups::Report;
use crate::proto::sense::{Sense, DESCRIPTOR_MAX_LEN};
use crate::proto::served;
use crate::proto::status::Status;
use crate::reservation_out;
use crate::set_port_groups;
use crate::stats::Way;
use crate::target::Session;
use crate::task::Order;

/// Takes a command from the transport. Runs it in the caller's context as far as it does not have to wait. Gives it back
/// while commands for its device are held back, or while it is another's turn.
pub fn submit(session: &Session, cmnd: Cmnd) -> Result<(), Cmnd> {
    let nexus = u32::try_from(cmnd.lun())
        .ok()
        .and_then(|lun| session.luns.get(lun));
    let Some(nexus) = nexus else {
        no_such_lun(session, cmnd);
        return Ok(());
    };
    if freeze::is_frozen(nexus.device()) {
        return Err(cmnd);
    }
    if !nexus.access().is_accessible() && nexus.holds_back(&cmnd) {
        return Err(cmnd);
    }
    let Some(order) = Order::of(&nexus, cmnd.cdb()) else {
        return Err(cmnd);
    };
    carry_out(session, Command::<Received>::new(cmnd, nexus, order));
    Ok(())
}

fn carry_out(session: &Session, cmd: Command<Received>) {
    let Some(cmd) = cmd.decode() else {
        return;
    };
    if cmd.is_swallowed() {
        return cmd.vanish();
    }
    if let Some(outcome) = answer(session, &cmd) {
        return cmd.finish(outcome);
    }
    let Some(cmd) = cmd.admit() else { return };
    if let Some(outcome) = report(&cmd) {
        return cmd.finish(outcome);
    }
    match cmd.decoded().command {
        Cdb::PersistentReserveOut { .. } => return reservation_out::start(cmd),
        Cdb::SetTargetPortGroups { .. } => return set_port_groups::start(cmd),
        _ => {}
    }
    // The device may finish the command, and with it the nexus, before it returns.
    let nexus = cmd.hold_nexus();
    nexus.device().ops().exec(cmd);
}

/// The commands whose answer is the nexus's or the session's, not the device's. A pending unit attention does not stop
/// them: each of them passes it, or reports it.
fn answer(session: &Session, cmd: &Command<Decoded>) -> Option<Outcome> {
    match cmd.decoded().command {
        Cdb::ReportLuns { .. } | Cdb::RequestSense { .. } if cmd.has_wrong_buffer() => None,
        Cdb::ReportLuns { select, alloc_len } => {
            Some(report_luns(session, cmd.cmnd(), select, alloc_len))
        }
        // Without room for it, a condition would be gone and nobody told.
        Cdb::RequestSense { desc, alloc_len } if alloc_len.min(cmd.cmnd().buffer_len()) > 0 => {
            let sense = cmd.nexus().take_attention()?;
            Some(sense_data(cmd.cmnd(), &sense, desc, alloc_len))
        }
        _ => None,
    }
}

/// The commands that the core answers for its devices: reservations, how ports lead to them, and the reports about what
/// device and core can do, generated from the one table of commands.
fn report(cmd: &Command<Admitted>) -> Option<Outcome> {
    let device = cmd.nexus().device();
    match &cmd.decoded().command {
        Cdb::ReportOpcodes(request) => Some(from_vec(cmd.cmnd(), request.alloc_len, |out| {
            let serves = |op: &OpDesc| serves(device, op);
            opcodes_report::supported_opcodes(request, serves, out)
        })),
        Cdb::Reserve => Some(device.reservations().reserve(cmd.nexus())),
        Cdb::Release => Some(device.reservations().release(cmd.nexus())),
        Cdb::PersistentReserveIn { action, alloc_len } => {
            Some(from_vec(cmd.cmnd(), *alloc_len, |out| {
                Ok(device.reservations().report(*action, out))
            }))
        }
        Cdb::ReportTargetPortGroups { format, alloc_len } => {
            Some(report_port_groups(cmd, *format, *alloc_len))
        }
        Cdb::ReportTmFunctions { repd, alloc_len } => {
            let mut data = [0; 16];
            let out = cut(&mut data, *alloc_len);
            let written = opcodes_report::supported_tm_functions(TM_FUNCTIONS, *repd, out);
            Some(written.map_or_else(Outcome::Check, |n| {
                cmd.respond(data.get(..n).unwrap_or(&[]))
            }))
        }
        _ => None,
    }
}

/// REPORT TARGET PORT GROUPS: none for a device in no device group.
#[inline(never)] // Not among the instructions that every READ goes through.
fn report_port_groups(cmd: &Command<Admitted>, format: u8, alloc_len: u32) -> Outcome {
    let groups = cmd.nexus().device().port_groups();
    from_vec(cmd.cmnd(), alloc_len, |out| match &groups {
        Some(groups) => groups.report(format, out),
        None => Ok(Report::new(format, out)?.finish()),
    })
}

/// The task management functions that the transport passes on and that do what they say.
const TM_FUNCTIONS: TmFunctions = TmFunctions::ABORT_TASK.and(TmFunctions::LUN_RESET);

/// Whether `device`, or this core for it, carries out commands of this description.
#[inline(never)] // As `report_port_groups`.
pub(crate) fn serves(device: &Device, op: &OpDesc) -> bool {
    let sets_port_groups = || sets_port_groups(device);
    op.types.contains(device.device_type())
        && (served::by_core(op, sets_port_groups) || device.ops().serves(op))
}

/// Whether initiators of `device` can set the states of its target port groups: they may, and there are such groups.
pub(crate) fn sets_port_groups(device: &Device) -> bool {
    device.ops().sets_port_groups() && device.port_groups().is_some()
}

/// An answer that may be long: written into memory of its own, cut to `alloc_len` and [`LONGEST`].
fn from_vec(
    cmnd: &Cmnd,
    alloc_len: u32,
    write: impl FnOnce(&mut [u8]) -> Result<usize, Sense>,
) -> Outcome {
    let _scope = NoIo::enter();
    let Ok(mut data) = KVVec::from_elem(0u8, LONGEST.min(alloc_len as usize), GFP_KERNEL) else {
        return Outcome::Status(Status::Busy);
    };
    match write(&mut data) {
        Ok(n) => Outcome::Good(cmnd.copy_to_buffer(0, data.get(..n).unwrap_or(&[])) as u64),
        Err(sense) => sense.into(),
    }
}

/// Bytes of the longest answer: REPORT LUNS with every LUN in use.
const LONGEST: usize = 8 + 8 * (lun::MAX_LUN as usize + 1);

/// What a LUN that does not exist answers (SAM-5 4.6.4, SPC-4 6.6.1).
fn no_such_lun(session: &Session, cmnd: Cmnd) {
    let bytes = cmnd.buffer_len();
    session.it.stats.count(Way::of(&cmnd), bytes, false);
    let outcome = match cdb::parse_for(DeviceType::Disk, cmnd.cdb()).map(|d| d.command) {
        Ok(Cdb::Inquiry {
            evpd: false,
            alloc_len,
            ..
        }) => {
            let mut data = [0; 64];
            let n = inquiry::no_such_lun(cut(&mut data, alloc_len));
            Outcome::Good(cmnd.copy_to_buffer(0, data.get(..n).unwrap_or(&[])) as u64)
        }
        Ok(Cdb::ReportLuns { select, alloc_len }) => report_luns(session, &cmnd, select, alloc_len),
        Ok(Cdb::RequestSense { desc, alloc_len }) => {
            sense_data(&cmnd, &Sense::LUN_NOT_SUPPORTED, desc, alloc_len)
        }
        _ => Outcome::Check(Sense::LUN_NOT_SUPPORTED),
    };
    finish(cmnd, false, outcome);
}

/// REPORT LUNS, which also tells that there are others than before (SAM-5 5.14).
fn report_luns(session: &Session, cmnd: &Cmnd, select: u8, alloc_len: u32) -> Outcome {
    // Asked before the list is made: a LUN that comes meanwhile is still to be told of.
    let changed = session.it.luns_changed.xchg(0, Relaxed);
    let list = list_of_luns(session, cmnd, select, alloc_len);
    if changed != 0 && !matches!(list, Outcome::Good(1..)) {
        session.it.luns_changed.store(1, Relaxed);
    }
    list
}

fn list_of_luns(session: &Session, cmnd: &Cmnd, select: u8, alloc_len: u32) -> Outcome {
    let _scope = NoIo::enter();
    let Ok(luns) = session.lun_list() else {
        return Outcome::Status(Status::Busy);
    };
    let method = group::addr_method_of(session.it.addr_method.load(Relaxed));
    let write =
        |out: &mut [u8]| lun::report_luns(select, alloc_len, luns.iter().copied(), method, out);
    let bytes = luns.len().saturating_mul(8).saturating_add(8);
    from_vec(cmnd, alloc_len.min(bytes as u32), write)
}

/// Sense data as the answer of REQUEST SENSE, in the format that the command asks for.
fn sense_data(cmnd: &Cmnd, sense: &Sense, desc: bool, alloc_len: u32) -> Outcome {
    let mut data = [0; DESCRIPTOR_MAX_LEN];
    let n = sense.write(desc, &mut data);
    let data = data.get(..n).unwrap_or(&[]);
    let n = data.len().min(alloc_len as usize);
    Outcome::Good(cmnd.copy_to_buffer(0, data.get(..n).unwrap_or(&[])) as u64)
}

/// The part of `buf` that an allocation length leaves.
pub fn cut(buf: &mut [u8], alloc_len: u32) -> &mut [u8] {
    let n = buf.len().min(alloc_len as usize);
    buf.get_mut(..n).unwrap_or_default()
}
