// SPDX-License-Identifier: GPL-2.0-only
//! REPORT SUPPORTED OPERATION CODES and TASK MANAGEMENT FUNCTIONS (SPC-4 6.35, 6.36), out of the
//! opcode table.

use super::cdb::ReportOpcodes;
use super::opcode::{Flags, Op, OpDesc};
use super::optable;
use super::sense::Sense;
use super::writer::Writer;

/// REPORT SUPPORTED OPERATION CODES data for the commands of the table that `serves` says yes to.
///
/// Returns how many bytes of `out` hold it. Errors: 24/00 at byte 2 for a reporting option above 2,
/// or for asking without a service action for an opcode that has them, or the other way round.
pub fn supported_opcodes<F>(
    request: &ReportOpcodes,
    serves: F,
    out: &mut [u8],
) -> Result<usize, Sense>
where
    F: Fn(&OpDesc) -> bool,
{
    let mut w = Writer::new(out);
    let wrong_option = Sense::invalid_field_in_cdb_bit(2, 2);
    let mut served = optable::rows_of(request.opcode)
        .iter()
        .filter(|op| serves(op));
    let row = match (request.options, served.clone().next()) {
        (0, _) => {
            write_all(request.rctd, serves, &mut w);
            return Ok(w.stored());
        }
        (1, Some(op)) if op.service_action.is_some() => return Err(wrong_option),
        (2, Some(op)) if op.service_action.is_none() => return Err(wrong_option),
        (1, first) => first,
        (2, _) => served.find(|op| op.service_action == Some(request.service_action)),
        _ => return Err(wrong_option),
    };
    match row {
        Some(op) => write_one(op, request.rctd, &mut w),
        None => w.bytes(&[0, NOT_SUPPORTED, 0, 0]),
    }
    Ok(w.stored())
}

/// SUPPORT: the command is not supported.
const NOT_SUPPORTED: u8 = 0b001;
/// SUPPORT: the command is supported as its standard says.
const SUPPORTED: u8 = 0b011;
/// CTDP of the one-command form.
const ONE_CTDP: u8 = 0x80;
/// CTDP and SERVACTV of a command descriptor.
const CTDP: u8 = 0x02;
const SERVACTV: u8 = 0x01;

/// The all-commands form (SPC-4 6.35.2).
fn write_all<F>(rctd: bool, serves: F, w: &mut Writer<'_>)
where
    F: Fn(&OpDesc) -> bool,
{
    w.u32(0);
    for op in optable::TABLE.iter().filter(|op| serves(op)) {
        w.bytes(&[op.opcode, 0]);
        w.u16(op.service_action.unwrap_or(0));
        let servactv = if op.service_action.is_some() {
            SERVACTV
        } else {
            0
        };
        w.bytes(&[0, if rctd { CTDP } else { 0 } | servactv]);
        w.u16(cdb_len(op));
        if rctd {
            write_timeouts(op, w);
        }
    }
    let data_len = w.total().saturating_sub(4);
    w.patch_u32(0, u32::try_from(data_len).unwrap_or(u32::MAX));
}

/// The one-command form (SPC-4 6.35.3).
fn write_one(op: &OpDesc, rctd: bool, w: &mut Writer<'_>) {
    w.bytes(&[0, if rctd { ONE_CTDP } else { 0 } | SUPPORTED]);
    w.u16(cdb_len(op));
    w.bytes(op.usage);
    if rctd {
        write_timeouts(op, w);
    }
}

fn cdb_len(op: &OpDesc) -> u16 {
    u16::try_from(op.cdb_len()).unwrap_or(0)
}

/// The command timeouts descriptor (SPC-4 6.35.4), in seconds.
fn write_timeouts(op: &OpDesc, w: &mut Writer<'_>) {
    w.u16(10);
    w.u16(0);
    w.u32(1);
    w.u32(recommended_timeout(op));
}

/// A command that reaches the medium may take a minute, one that asks about it or does not need it ten seconds; a large disk
/// is not formatted in either.
fn recommended_timeout(op: &OpDesc) -> u32 {
    match op.op {
        Op::FormatUnit => 3600,
        Op::TestUnitReady | Op::ReadCapacity10 | Op::ReadCapacity16 => 10,
        _ if op.flags.has(Flags::MEDIUM) => 60,
        _ => 10,
    }
}

/// A set of task management functions, as byte 0 of the report names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TmFunctions(u8);

impl TmFunctions {
    /// ABORT TASK.
    pub const ABORT_TASK: Self = Self(0x80);
    /// ABORT TASK SET.
    pub const ABORT_TASK_SET: Self = Self(0x40);
    /// CLEAR ACA.
    pub const CLEAR_ACA: Self = Self(0x20);
    /// CLEAR TASK SET.
    pub const CLEAR_TASK_SET: Self = Self(0x10);
    /// LOGICAL UNIT RESET.
    pub const LUN_RESET: Self = Self(0x08);

    /// Both sets.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Timeouts of task management functions in tenths of a second: of those that wait for many commands, and of ABORT TASK, which
/// alone has its selector set (SPC-4 6.36).
const LONG_TIMEOUT: u32 = 300;
const SHORT_TIMEOUT: u32 = 150;

/// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS data; `repd` asks for the form with timeouts. Returns
/// how many bytes of `out`, which is as long as the answer may be, hold it. Error: 24/00 at byte 6 for less than four.
pub fn supported_tm_functions(
    functions: TmFunctions,
    repd: bool,
    out: &mut [u8],
) -> Result<usize, Sense> {
    if out.len() < 4 {
        return Err(Sense::invalid_field_in_cdb(6));
    }
    let mut w = Writer::new(out);
    w.bytes(&[functions.0, 0, 0, if repd { 12 } else { 0 }]);
    if repd {
        let short = functions.0 & TmFunctions::ABORT_TASK.0;
        w.bytes(&[0x01, 0, short, 0]);
        w.u32(LONG_TIMEOUT);
        w.u32(SHORT_TIMEOUT);
    }
    Ok(w.stored())
}
