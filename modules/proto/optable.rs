// SPDX-License-Identifier: GPL-2.0-only
//! The rows of the command table, and its index.

use super::alua::Reach;
use super::opcode::{Direction, Flags, Length, Op, OpDesc, Types};
use super::pr_access::Access;

/// The commands, in the order of their codes; one opcode's service actions stand together.
pub static TABLE: &[OpDesc] = &ROWS;

const ROWS: [OpDesc; 62] = [
    row(
        Op::TestUnitReady,
        "TEST UNIT READY",
        Direction::None,
        Length::Zero,
        Flags::MEDIUM.and(Flags::HEAD_OF_QUEUE),
        Types::BOTH,
        &[0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
    ),
    row(
        Op::RequestSense,
        "REQUEST SENSE",
        Direction::In,
        Length::Bytes { at: 4, width: 1 },
        Flags::PASSES_UA,
        Types::BOTH,
        &[0x03, 0x01, 0x00, 0x00, 0xFF, 0x00],
    ),
    row(
        Op::FormatUnit,
        "FORMAT UNIT",
        Direction::Out,
        Length::FormatHeader,
        Flags::WRITE.and(Flags::MEDIUM),
        Types::DISK,
        &[0x04, 0xFF, 0x00, 0x00, 0x00, 0x00],
    ),
    row(
        Op::Read6,
        "READ(6)",
        Direction::In,
        Length::Blocks6,
        Flags::MEDIUM,
        Types::BOTH,
        &[0x08, 0x1F, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::Write6,
        "WRITE(6)",
        Direction::Out,
        Length::Blocks6,
        Flags::WRITE.and(Flags::MEDIUM),
        Types::DISK,
        &[0x0A, 0x1F, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::Inquiry,
        "INQUIRY",
        Direction::In,
        Length::Bytes { at: 3, width: 2 },
        Flags::PASSES_UA.and(Flags::HEAD_OF_QUEUE),
        Types::BOTH,
        &[0x12, 0x01, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::ModeSelect6,
        "MODE SELECT(6)",
        Direction::Out,
        Length::Bytes { at: 4, width: 1 },
        Flags::NONE,
        Types::BOTH,
        &[0x15, 0x11, 0x00, 0x00, 0xFF, 0x00],
    ),
    row(
        Op::Reserve6,
        "RESERVE(6)",
        Direction::None,
        Length::Zero,
        Flags::NONE,
        Types::BOTH,
        &[0x16, 0x00, 0xFF, 0x00, 0x00, 0x00],
    ),
    row(
        Op::Release6,
        "RELEASE(6)",
        Direction::None,
        Length::Zero,
        Flags::NONE,
        Types::BOTH,
        &[0x17, 0x00, 0xFF, 0x00, 0x00, 0x00],
    ),
    row(
        Op::ModeSense6,
        "MODE SENSE(6)",
        Direction::In,
        Length::Bytes { at: 4, width: 1 },
        Flags::NONE,
        Types::BOTH,
        &[0x1A, 0x08, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::StartStopUnit,
        "START STOP UNIT",
        Direction::None,
        Length::Zero,
        Flags::NONE,
        Types::BOTH,
        &[0x1B, 0x01, 0x00, 0x00, 0xF7, 0x00],
    ),
    row(
        Op::SendDiagnostic,
        "SEND DIAGNOSTIC",
        Direction::Out,
        Length::Bytes { at: 3, width: 2 },
        Flags::NONE,
        Types::BOTH,
        &[0x1D, 0xF7, 0x00, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::PreventAllow,
        "PREVENT ALLOW MEDIUM REMOVAL",
        Direction::None,
        Length::Zero,
        Flags::NONE,
        Types::BOTH,
        &[0x1E, 0x00, 0x00, 0x00, 0x03, 0x00],
    ),
    row(
        Op::ReadCapacity10,
        "READ CAPACITY(10)",
        Direction::In,
        Length::Fixed(8),
        Flags::MEDIUM.and(Flags::HEAD_OF_QUEUE),
        Types::BOTH,
        &[0x25, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x01, 0x00],
    ),
    row(
        Op::Read10,
        "READ(10)",
        Direction::In,
        Length::Blocks { at: 7, width: 2 },
        Flags::MEDIUM,
        Types::BOTH,
        &[0x28, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::Write10,
        "WRITE(10)",
        Direction::Out,
        Length::Blocks { at: 7, width: 2 },
        Flags::WRITE.and(Flags::MEDIUM),
        Types::DISK,
        &[0x2A, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::WriteAndVerify10,
        "WRITE AND VERIFY(10)",
        Direction::Out,
        Length::Blocks { at: 7, width: 2 },
        Flags::WRITE.and(Flags::MEDIUM),
        Types::DISK,
        &[0x2E, 0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::Verify10,
        "VERIFY(10)",
        Direction::Out,
        Length::BlocksIfBytchk { at: 7, width: 2 },
        Flags::MEDIUM,
        Types::BOTH,
        &[0x2F, 0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::SynchronizeCache10,
        "SYNCHRONIZE CACHE(10)",
        Direction::None,
        Length::Zero,
        Flags::MEDIUM,
        Types::BOTH,
        &[0x35, 0x06, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::WriteSame10,
        "WRITE SAME(10)",
        Direction::Out,
        Length::OneBlock { at: 7, width: 2 },
        Flags::WRITE.and(Flags::MEDIUM),
        Types::DISK,
        &[0x41, 0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::Unmap,
        "UNMAP",
        Direction::Out,
        Length::Bytes { at: 7, width: 2 },
        Flags::WRITE.and(Flags::MEDIUM),
        Types::DISK,
        &[0x42, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1F, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::ReadToc,
        "READ TOC/PMA/ATIP",
        Direction::In,
        Length::Bytes { at: 7, width: 2 },
        Flags::MEDIUM,
        Types::CDROM,
        // The format may also stand in the control byte, where it was before MMC and where Linux puts it.
        &[0x43, 0x02, 0x0F, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xC0],
    ),
    row(
        Op::GetConfiguration,
        "GET CONFIGURATION",
        Direction::In,
        Length::Bytes { at: 7, width: 2 },
        Flags::PASSES_UA,
        Types::CDROM,
        &[0x46, 0x03, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::GetEventStatus,
        "GET EVENT STATUS NOTIFICATION",
        Direction::In,
        Length::Bytes { at: 7, width: 2 },
        Flags::PASSES_UA,
        Types::CDROM,
        &[0x4A, 0x01, 0x00, 0x00, 0xFF, 0x00, 0x00, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::LogSelect,
        "LOG SELECT",
        Direction::Out,
        Length::Bytes { at: 7, width: 2 },
        Flags::NONE,
        Types::BOTH,
        &[0x4C, 0x03, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::LogSense,
        "LOG SENSE",
        Direction::In,
        Length::Bytes { at: 7, width: 2 },
        Flags::NONE,
        Types::BOTH,
        &[0x4D, 0x01, 0xFF, 0xFF, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::ReadDiscInformation,
        "READ DISC INFORMATION",
        Direction::In,
        Length::Bytes { at: 7, width: 2 },
        Flags::MEDIUM,
        Types::CDROM,
        &[0x51, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::ReadTrackInformation,
        "READ TRACK INFORMATION",
        Direction::In,
        Length::Bytes { at: 7, width: 2 },
        Flags::MEDIUM,
        Types::CDROM,
        &[0x52, 0x03, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::ModeSelect10,
        "MODE SELECT(10)",
        Direction::Out,
        Length::Bytes { at: 7, width: 2 },
        Flags::NONE,
        Types::BOTH,
        &[0x55, 0x11, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::Reserve10,
        "RESERVE(10)",
        Direction::None,
        Length::Zero,
        Flags::NONE,
        Types::BOTH,
        &[0x56, 0x00, 0xFF, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
    ),
    row(
        Op::Release10,
        "RELEASE(10)",
        Direction::None,
        Length::Zero,
        Flags::NONE,
        Types::BOTH,
        &[0x57, 0x00, 0xFF, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
    ),
    row(
        Op::ModeSense10,
        "MODE SENSE(10)",
        Direction::In,
        Length::Bytes { at: 7, width: 2 },
        Flags::NONE,
        Types::BOTH,
        &[0x5A, 0x18, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrReadKeys,
        "PERSISTENT RESERVE IN, READ KEYS",
        Direction::In,
        Length::Bytes { at: 7, width: 2 },
        Flags::NONE,
        Types::DISK,
        &[0x5E, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrReadReservation,
        "PERSISTENT RESERVE IN, READ RESERVATION",
        Direction::In,
        Length::Bytes { at: 7, width: 2 },
        Flags::NONE,
        Types::DISK,
        &[0x5E, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrReportCapabilities,
        "PERSISTENT RESERVE IN, REPORT CAPABILITIES",
        Direction::In,
        Length::Bytes { at: 7, width: 2 },
        Flags::NONE,
        Types::DISK,
        &[0x5E, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrReadFullStatus,
        "PERSISTENT RESERVE IN, READ FULL STATUS",
        Direction::In,
        Length::Bytes { at: 7, width: 2 },
        Flags::NONE,
        Types::DISK,
        &[0x5E, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrRegister,
        "PERSISTENT RESERVE OUT, REGISTER",
        Direction::Out,
        Length::Bytes { at: 5, width: 4 },
        Flags::NONE,
        Types::DISK,
        &[0x5F, 0x00, 0xFF, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrReserve,
        "PERSISTENT RESERVE OUT, RESERVE",
        Direction::Out,
        Length::Bytes { at: 5, width: 4 },
        Flags::NONE,
        Types::DISK,
        &[0x5F, 0x01, 0xFF, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrRelease,
        "PERSISTENT RESERVE OUT, RELEASE",
        Direction::Out,
        Length::Bytes { at: 5, width: 4 },
        Flags::NONE,
        Types::DISK,
        &[0x5F, 0x02, 0xFF, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrClear,
        "PERSISTENT RESERVE OUT, CLEAR",
        Direction::Out,
        Length::Bytes { at: 5, width: 4 },
        Flags::NONE,
        Types::DISK,
        &[0x5F, 0x03, 0xFF, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrPreempt,
        "PERSISTENT RESERVE OUT, PREEMPT",
        Direction::Out,
        Length::Bytes { at: 5, width: 4 },
        Flags::NONE,
        Types::DISK,
        &[0x5F, 0x04, 0xFF, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrPreemptAndAbort,
        "PERSISTENT RESERVE OUT, PREEMPT AND ABORT",
        Direction::Out,
        Length::Bytes { at: 5, width: 4 },
        Flags::NONE,
        Types::DISK,
        &[0x5F, 0x05, 0xFF, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrRegisterAndIgnore,
        "PERSISTENT RESERVE OUT, REGISTER AND IGNORE EXISTING KEY",
        Direction::Out,
        Length::Bytes { at: 5, width: 4 },
        Flags::NONE,
        Types::DISK,
        &[0x5F, 0x06, 0xFF, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    sa_row(
        Op::PrRegisterAndMove,
        "PERSISTENT RESERVE OUT, REGISTER AND MOVE",
        Direction::Out,
        Length::Bytes { at: 5, width: 4 },
        Flags::NONE,
        Types::DISK,
        &[0x5F, 0x07, 0xFF, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
    ),
    row(
        Op::Read16,
        "READ(16)",
        Direction::In,
        Length::Blocks { at: 10, width: 4 },
        Flags::MEDIUM,
        Types::BOTH,
        &[
            0x88, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0x1F, 0x00,
        ],
    ),
    row(
        Op::CompareAndWrite,
        "COMPARE AND WRITE",
        Direction::Out,
        Length::TwiceBlocks13,
        Flags::WRITE.and(Flags::MEDIUM).and(Flags::HEAD_OF_QUEUE),
        Types::DISK,
        &[
            0x89, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0xFF,
            0x1F, 0x00,
        ],
    ),
    row(
        Op::Write16,
        "WRITE(16)",
        Direction::Out,
        Length::Blocks { at: 10, width: 4 },
        Flags::WRITE.and(Flags::MEDIUM),
        Types::DISK,
        &[
            0x8A, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0x1F, 0x00,
        ],
    ),
    row(
        Op::WriteAndVerify16,
        "WRITE AND VERIFY(16)",
        Direction::Out,
        Length::Blocks { at: 10, width: 4 },
        Flags::WRITE.and(Flags::MEDIUM),
        Types::DISK,
        &[
            0x8E, 0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0x1F, 0x00,
        ],
    ),
    row(
        Op::Verify16,
        "VERIFY(16)",
        Direction::Out,
        Length::BlocksIfBytchk { at: 10, width: 4 },
        Flags::MEDIUM,
        Types::BOTH,
        &[
            0x8F, 0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0x1F, 0x00,
        ],
    ),
    row(
        Op::SynchronizeCache16,
        "SYNCHRONIZE CACHE(16)",
        Direction::None,
        Length::Zero,
        Flags::MEDIUM,
        Types::BOTH,
        &[
            0x91, 0x06, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0x1F, 0x00,
        ],
    ),
    row(
        Op::WriteSame16,
        "WRITE SAME(16)",
        Direction::Out,
        Length::OneBlock { at: 10, width: 4 },
        Flags::WRITE.and(Flags::MEDIUM),
        Types::DISK,
        &[
            0x93, 0x09, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0x1F, 0x00,
        ],
    ),
    sa_row(
        Op::ReadCapacity16,
        "READ CAPACITY(16)",
        Direction::In,
        Length::Bytes { at: 10, width: 4 },
        Flags::MEDIUM.and(Flags::HEAD_OF_QUEUE),
        Types::DISK,
        &[
            0x9E, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0x01, 0x00,
        ],
    ),
    sa_row(
        Op::GetLbaStatus,
        "GET LBA STATUS",
        Direction::In,
        Length::Bytes { at: 10, width: 4 },
        Flags::MEDIUM,
        Types::DISK,
        &[
            0x9E, 0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0x00, 0x00,
        ],
    ),
    row(
        Op::ReportLuns,
        "REPORT LUNS",
        Direction::In,
        Length::Bytes { at: 6, width: 4 },
        Flags::PASSES_UA.and(Flags::HEAD_OF_QUEUE),
        Types::BOTH,
        &[
            0xA0, 0x00, 0xFF, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00,
        ],
    ),
    sa_row(
        Op::ReportTargetPortGroups,
        "REPORT TARGET PORT GROUPS",
        Direction::In,
        Length::Bytes { at: 6, width: 4 },
        Flags::NONE,
        Types::BOTH,
        &[
            0xA3, 0xEA, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00,
        ],
    ),
    sa_row(
        Op::ReportSupportedOpcodes,
        "REPORT SUPPORTED OPERATION CODES",
        Direction::In,
        Length::Bytes { at: 6, width: 4 },
        Flags::NONE,
        Types::BOTH,
        &[
            0xA3, 0x0C, 0x87, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00,
        ],
    ),
    sa_row(
        Op::ReportSupportedTmFunctions,
        "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
        Direction::In,
        Length::Bytes { at: 6, width: 4 },
        Flags::NONE,
        Types::BOTH,
        &[
            0xA3, 0x0D, 0x80, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00,
        ],
    ),
    sa_row(
        Op::SetTargetPortGroups,
        "SET TARGET PORT GROUPS",
        Direction::Out,
        Length::Bytes { at: 6, width: 4 },
        Flags::NONE,
        Types::DISK,
        &[
            0xA4, 0x0A, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00,
        ],
    ),
    row(
        Op::Read12,
        "READ(12)",
        Direction::In,
        Length::Blocks { at: 6, width: 4 },
        Flags::MEDIUM,
        Types::BOTH,
        &[
            0xA8, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0x00,
        ],
    ),
    row(
        Op::Write12,
        "WRITE(12)",
        Direction::Out,
        Length::Blocks { at: 6, width: 4 },
        Flags::WRITE.and(Flags::MEDIUM),
        Types::DISK,
        &[
            0xAA, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0x00,
        ],
    ),
    row(
        Op::WriteAndVerify12,
        "WRITE AND VERIFY(12)",
        Direction::Out,
        Length::Blocks { at: 6, width: 4 },
        Flags::WRITE.and(Flags::MEDIUM),
        Types::DISK,
        &[
            0xAE, 0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0x00,
        ],
    ),
    row(
        Op::Verify12,
        "VERIFY(12)",
        Direction::Out,
        Length::BlocksIfBytchk { at: 6, width: 4 },
        Flags::MEDIUM,
        Types::BOTH,
        &[
            0xAF, 0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0x00,
        ],
    ),
];

/// A command whose opcode has no service actions.
const fn row(
    op: Op,
    name: &'static str,
    direction: Direction,
    length: Length,
    flags: Flags,
    types: Types,
    usage: &'static [u8],
) -> OpDesc {
    OpDesc {
        op,
        opcode: usage[0],
        service_action: None,
        name,
        usage,
        direction,
        length,
        flags,
        access: Access::of(op),
        reach: Reach::of(op),
        types,
        reserved: reserved_bits(usage, 0),
    }
}

/// A command with a service action in the low five bits of byte 1.
const fn sa_row(
    op: Op,
    name: &'static str,
    direction: Direction,
    length: Length,
    flags: Flags,
    types: Types,
    usage: &'static [u8],
) -> OpDesc {
    OpDesc {
        op,
        opcode: usage[0],
        service_action: Some((usage[1] & SERVICE_ACTION) as u16),
        name,
        usage,
        direction,
        length,
        flags,
        access: Access::of(op),
        reach: Reach::of(op),
        types,
        reserved: reserved_bits(usage, SERVICE_ACTION),
    }
}

const SERVICE_ACTION: u8 = 0x1F;

/// The bits that `usage` says must be zero, byte 0 at the top; byte 0 itself and `known` of byte 1
/// are not among them.
const fn reserved_bits(usage: &[u8], known: u8) -> u128 {
    let mut bits = 0;
    let mut byte = 1;
    while byte < usage.len() {
        let used = usage[byte] | if byte == 1 { known } else { 0 };
        bits |= (!used as u128) << (8 * (15 - byte));
        byte += 1;
    }
    bits
}

/// Position in [`TABLE`] of the first row of each opcode; [`NO_ROW`] for opcodes without one.
static INDEX: [u8; 256] = {
    let mut index = [NO_ROW; 256];
    let mut row = ROWS.len();
    while row > 0 {
        row -= 1;
        index[ROWS[row].opcode as usize] = row as u8;
    }
    index
};

const NO_ROW: u8 = u8::MAX;

/// The rows of `opcode`: one, or one for each service action; empty if there is no such command.
#[inline]
pub fn rows_of(opcode: u8) -> &'static [OpDesc] {
    let first = INDEX.get(usize::from(opcode)).copied().unwrap_or(NO_ROW);
    let rows = TABLE.get(usize::from(first)..).unwrap_or(&[]);
    let count = rows.iter().take_while(|row| row.opcode == opcode).count();
    rows.get(..count).unwrap_or(&[])
}

/// The row of `opcode`, and of the service action in `byte1` where the opcode has them.
#[inline]
pub fn lookup(opcode: u8, byte1: u8) -> Option<&'static OpDesc> {
    let first = INDEX.get(usize::from(opcode)).copied().unwrap_or(NO_ROW);
    let row = TABLE.get(usize::from(first))?;
    match row.service_action {
        None => Some(row),
        Some(_) => with_service_action(opcode, u16::from(byte1 & SERVICE_ACTION)),
    }
}

/// The row of `opcode` and `service_action`.
#[cold]
pub fn with_service_action(opcode: u8, service_action: u16) -> Option<&'static OpDesc> {
    rows_of(opcode)
        .iter()
        .find(|row| row.service_action == Some(service_action))
}
