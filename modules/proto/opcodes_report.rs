// SPDX-License-Identifier: GPL-2.0-only
//! REPORT SUPPORTED OPERATION CODES and TASK MANAGEMENT FUNCTIONS (SPC-4 6.35, 6.36), out of the opcode table.

use super::cdb::ReportOpcodes;
use super::opcode::OpDesc;
use super::sense::Sense;

/// REPORT SUPPORTED OPERATION CODES data for the commands of the table that `serves` says yes to.
///
/// Returns how many bytes of `out` hold it.
/// Errors: 24/00 for a reporting option or an opcode and service action that do not go together.
pub fn supported_opcodes<F>(
    _request: &ReportOpcodes,
    _serves: F,
    _out: &mut [u8],
) -> Result<usize, Sense>
where
    F: Fn(&OpDesc) -> bool,
{
    Err(Sense::INVALID_OPCODE)
}

/// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS data; `repd` asks for the form with timeouts. Returns how many bytes of
/// `out` hold it.
pub fn supported_tm_functions(_repd: bool, _out: &mut [u8]) -> usize {
    0
}
