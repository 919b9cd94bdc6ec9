// SPDX-License-Identifier: GPL-2.0-only
//! One description of each command: the table that parsing, data direction and length, REPORT
//! SUPPORTED OPERATION CODES and the documentation come from.

use super::alua::Reach;
use super::device_type::DeviceType;
use super::pr_access::Access;
use super::sense::Sense;

/// The commands of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Each is the command of that name in its standard.
pub enum Op {
    TestUnitReady,
    RequestSense,
    FormatUnit,
    Read6,
    Write6,
    Inquiry,
    ModeSelect6,
    Reserve6,
    Release6,
    ModeSense6,
    StartStopUnit,
    SendDiagnostic,
    PreventAllow,
    ReadCapacity10,
    Read10,
    Write10,
    WriteAndVerify10,
    Verify10,
    SynchronizeCache10,
    WriteSame10,
    Unmap,
    ReadToc,
    GetConfiguration,
    GetEventStatus,
    LogSelect,
    LogSense,
    ReadDiscInformation,
    ReadTrackInformation,
    ModeSelect10,
    Reserve10,
    Release10,
    ModeSense10,
    PrReadKeys,
    PrReadReservation,
    PrReportCapabilities,
    PrReadFullStatus,
    PrRegister,
    PrReserve,
    PrRelease,
    PrClear,
    PrPreempt,
    PrPreemptAndAbort,
    PrRegisterAndIgnore,
    PrRegisterAndMove,
    Read16,
    CompareAndWrite,
    Write16,
    WriteAndVerify16,
    Verify16,
    SynchronizeCache16,
    WriteSame16,
    ReadCapacity16,
    GetLbaStatus,
    ReportLuns,
    ReportTargetPortGroups,
    ReportSupportedOpcodes,
    ReportSupportedTmFunctions,
    SetTargetPortGroups,
    Read12,
    Write12,
    WriteAndVerify12,
    Verify12,
}

/// Which way the data of a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// No data.
    None,
    /// Device to initiator: the Data-In Buffer.
    In,
    /// Initiator to device: the Data-Out Buffer.
    Out,
}

/// How the length of a command's data is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// No data.
    Zero,
    /// Always this many bytes.
    Fixed(u32),
    /// Bytes: the big-endian CDB field of `width` bytes at `at` (an allocation or parameter list
    /// length).
    Bytes {
        /// Offset of the field.
        at: u32,
        /// Its width in bytes, 1 to 4.
        width: u32,
    },
    /// Logical blocks: the field as above (a transfer length).
    Blocks {
        /// Offset of the field.
        at: u32,
        /// Its width in bytes, 1 to 4.
        width: u32,
    },
    /// Logical blocks in byte 4, where 0 means 256.
    Blocks6,
    /// Twice the logical blocks in byte 13: what to compare with, then what to write.
    TwiceBlocks13,
    /// Logical blocks as above if BYTCHK asks for a comparison, else no data.
    BlocksIfBytchk {
        /// Offset of the field.
        at: u32,
        /// Its width in bytes, 1 to 4.
        width: u32,
    },
    /// One logical block, or none with NDOB; the field is the number of blocks to write.
    OneBlock {
        /// Offset of the field.
        at: u32,
        /// Its width in bytes, 1 to 4.
        width: u32,
    },
    /// FORMAT UNIT: a parameter list header if FMTDATA, 4 bytes or 8 with LONGLIST.
    FormatHeader,
}

/// Properties of a command that decide how the core treats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// No property.
    pub const NONE: Self = Self(0);
    /// Alters the medium: needs a LUN and a device that may be written.
    pub const WRITE: Self = Self(1 << 0);
    /// Answered while a unit attention is pending, without reporting it (SAM-5 5.14).
    pub const PASSES_UA: Self = Self(1 << 1);
    /// Needs a medium in the drive.
    pub const MEDIUM: Self = Self(1 << 2);
    /// Treated as HEAD OF QUEUE whatever its task attribute.
    pub const HEAD_OF_QUEUE: Self = Self(1 << 3);

    /// Both sets of properties.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other`'s properties are here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A set of device types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types(u8);

impl Types {
    /// Disks.
    pub const DISK: Self = Self(1);
    /// CD-ROMs.
    pub const CDROM: Self = Self(2);
    /// Disks and CD-ROMs.
    pub const BOTH: Self = Self(3);

    /// Whether `device_type` is in the set.
    pub const fn contains(self, device_type: DeviceType) -> bool {
        match device_type {
            DeviceType::Disk => self.0 & Self::DISK.0 != 0,
            DeviceType::CdRom => self.0 & Self::CDROM.0 != 0,
            _ => false,
        }
    }
}

/// The description of one command.
#[derive(Debug)]
pub struct OpDesc {
    /// Which command.
    pub op: Op,
    /// Operation code, byte 0.
    pub opcode: u8,
    /// Service action, where the opcode has them.
    pub service_action: Option<u16>,
    /// Name as the standard writes it.
    pub name: &'static str,
    /// CDB USAGE DATA (SPC-4 6.35.3): opcode, service action in its place, and a one for each bit
    /// that is evaluated or accepted. A CDB with any other bit set is refused. As long as the CDB.
    pub usage: &'static [u8],
    /// Data direction; [`Direction::None`] if the length comes out as 0.
    pub direction: Direction,
    /// Data length.
    pub length: Length,
    /// How the core treats it.
    pub flags: Flags,
    /// Which reservations stop it.
    pub access: Access,
    /// In which access states of its port it is carried out.
    pub reach: Reach,
    /// Device types whose command set has it.
    pub types: Types,
    /// Bits of the CDB, byte 0 at the top, that must be zero.
    pub(super) reserved: u128,
}

impl OpDesc {
    /// Length of the CDB in bytes.
    pub const fn cdb_len(&self) -> usize {
        self.usage.len()
    }

    /// The sense of a device that does not serve the command (SPC-4 4.3.1): 20/00, or 24/00 at the
    /// service action.
    pub const fn not_supported(&self) -> Sense {
        match self.service_action {
            None => Sense::INVALID_OPCODE,
            Some(_) => Sense::SERVICE_ACTION_NOT_SUPPORTED,
        }
    }

    /// Whether it alters the medium.
    pub const fn is_write(&self) -> bool {
        self.flags.has(Flags::WRITE)
    }

    /// Whether it is answered while a unit attention is pending.
    pub const fn passes_ua(&self) -> bool {
        self.flags.has(Flags::PASSES_UA)
    }
}
