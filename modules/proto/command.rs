// SPDX-License-Identifier: GPL-2.0-only
//! Commands as types: what a CDB asks, and what it transfers.

use super::opcode::{Direction, OpDesc};

/// Data that a command transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Which way.
    pub direction: Direction,
    /// How much, in units of `unit`.
    pub count: u32,
    /// Bytes or logical blocks.
    pub unit: Unit,
}

/// What a transfer's count counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Logical blocks.
    Blocks,
}

impl Transfer {
    /// Length in bytes for logical blocks of `1 << block_shift` bytes.
    #[inline]
    pub fn bytes(&self, block_shift: u32) -> u64 {
        let count = u64::from(self.count);
        match self.unit {
            Unit::Bytes => count,
            Unit::Blocks => count.checked_shl(block_shift).unwrap_or(u64::MAX),
        }
    }
}

/// A CDB, understood.
#[derive(Clone, Copy, Debug)]
pub struct Decoded {
    /// The command's description.
    pub op: &'static OpDesc,
    /// What it transfers.
    pub transfer: Transfer,
    /// What it asks.
    pub command: Command,
}

impl Decoded {
    /// The first logical block that the command names; 0 for one that names none.
    pub const fn lba(&self) -> u64 {
        match self.command {
            Command::Read { lba, .. }
            | Command::Write { lba, .. }
            | Command::WriteAndVerify { lba, .. }
            | Command::Verify { lba, .. }
            | Command::SynchronizeCache { lba, .. }
            | Command::WriteSame { lba, .. }
            | Command::CompareAndWrite { lba, .. }
            | Command::GetLbaStatus { lba, .. } => lba,
            _ => 0,
        }
    }
}

/// MODE SENSE, 6 or 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeSense {
    /// The 10-byte form, with its longer header.
    pub ten: bool,
    /// Disable block descriptors.
    pub dbd: bool,
    /// Which values.
    pub control: PageControl,
    /// Page code, 0 to 3Fh.
    pub page: u8,
    /// Subpage code.
    pub subpage: u8,
    /// Allocation length in bytes.
    pub alloc_len: u32,
}

/// Which values MODE SENSE wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageControl {
    /// Values in effect.
    Current,
    /// Ones where a bit can be changed.
    Changeable,
    /// Values of a new device.
    Default,
    /// Values that survive a reset.
    Saved,
}

/// MODE SELECT, 6 or 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeSelect {
    /// The 10-byte form, with its longer header.
    pub ten: bool,
    /// Page format: the pages are those of the standard.
    pub pf: bool,
    /// Save pages.
    pub sp: bool,
    /// Parameter list length in bytes.
    pub list_len: u32,
}

impl ModeSelect {
    /// Whether the parameter list is longer than its header, so that it may change something.
    pub const fn has_pages(&self) -> bool {
        self.list_len > if self.ten { 8 } else { 4 }
    }
}

/// FORMAT UNIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatUnit {
    /// FMTPINFO, 0 to 3: protection information.
    pub pinfo: u8,
    /// LONGLIST: the header of the parameter list has 8 bytes instead of 4.
    pub long_list: bool,
    /// FMTDATA: there is a parameter list.
    pub data: bool,
    /// CMPLST: its defect list replaces the known ones.
    pub complete_list: bool,
    /// DEFECT LIST FORMAT, 0 to 7.
    pub list_format: u8,
}

/// REPORT SUPPORTED OPERATION CODES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportOpcodes {
    /// Return command timeouts descriptors.
    pub rctd: bool,
    /// REPORTING OPTIONS, 0 to 7.
    pub options: u8,
    /// REQUESTED OPERATION CODE.
    pub opcode: u8,
    /// REQUESTED SERVICE ACTION.
    pub service_action: u16,
    /// Allocation length in bytes.
    pub alloc_len: u32,
}

/// A command with its arguments. Lengths of data are in [`Decoded::transfer`] too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Variants and fields bear the standard's names.
pub enum Command {
    Read {
        lba: u64,
        blocks: u32,
        fua: bool,
        dpo: bool,
    },
    Write {
        lba: u64,
        blocks: u32,
        fua: bool,
        dpo: bool,
    },
    WriteAndVerify {
        lba: u64,
        blocks: u32,
        compare: bool,
    },
    Verify {
        lba: u64,
        blocks: u32,
        compare: bool,
    },
    /// `blocks` 0 means to the end.
    SynchronizeCache {
        lba: u64,
        blocks: u32,
        immed: bool,
    },
    /// `blocks` 0 means to the end, where WSNZ allows it.
    WriteSame {
        lba: u64,
        blocks: u32,
        unmap: bool,
        ndob: bool,
    },
    Unmap {
        list_len: u32,
    },
    CompareAndWrite {
        lba: u64,
        blocks: u32,
        fua: bool,
        dpo: bool,
    },
    GetLbaStatus {
        lba: u64,
        alloc_len: u32,
    },
    FormatUnit(FormatUnit),
    TestUnitReady,
    RequestSense {
        desc: bool,
        alloc_len: u32,
    },
    Inquiry {
        evpd: bool,
        page: u8,
        alloc_len: u32,
    },
    ReadCapacity10,
    ReadCapacity16 {
        alloc_len: u32,
    },
    ModeSense(ModeSense),
    ModeSelect(ModeSelect),
    LogSense {
        save: bool,
        control: u8,
        page: u8,
        subpage: u8,
        pointer: u16,
        alloc_len: u32,
    },
    LogSelect {
        reset: bool,
        save: bool,
        control: u8,
        page: u8,
        subpage: u8,
        list_len: u32,
    },
    StartStopUnit {
        immed: bool,
        power: u8,
        no_flush: bool,
        loej: bool,
        start: bool,
    },
    PreventAllow {
        prevent: u8,
    },
    SendDiagnostic {
        self_test_code: u8,
        pf: bool,
        self_test: bool,
        list_len: u32,
    },
    Reserve,
    Release,
    PersistentReserveIn {
        action: u8,
        alloc_len: u32,
    },
    PersistentReserveOut {
        action: u8,
        scope: u8,
        kind: u8,
        list_len: u32,
    },
    ReportLuns {
        select: u8,
        alloc_len: u32,
    },
    ReportOpcodes(ReportOpcodes),
    ReportTmFunctions {
        repd: bool,
        alloc_len: u32,
    },
    ReportTargetPortGroups {
        format: u8,
        alloc_len: u32,
    },
    SetTargetPortGroups {
        list_len: u32,
    },
    ReadToc {
        msf: bool,
        format: u8,
        track: u8,
        alloc_len: u32,
    },
    ReadDiscInformation {
        data_type: u8,
        alloc_len: u32,
    },
    /// What `address` is, `kind` says: 0 a block, 1 a track, 2 a session.
    ReadTrackInformation {
        kind: u8,
        address: u32,
        alloc_len: u32,
    },
    GetConfiguration {
        request: u8,
        feature: u16,
        alloc_len: u32,
    },
    GetEventStatus {
        polled: bool,
        classes: u8,
        alloc_len: u32,
    },
}
