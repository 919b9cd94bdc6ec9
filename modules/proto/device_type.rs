// SPDX-License-Identifier: GPL-2.0-only
//! Peripheral device types (SPC-4 6.6.2).

/// What kind of device a logical unit says it is: the low five bits of INQUIRY byte 0.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceType {
    /// Direct access block device (SBC).
    Disk = 0x00,
    /// Sequential access device (SSC).
    Tape = 0x01,
    /// Processor device.
    Processor = 0x03,
    /// CD, DVD or BD drive (MMC).
    CdRom = 0x05,
    /// Optical memory device.
    Optical = 0x07,
    /// Medium changer (SMC).
    Changer = 0x08,
    /// Storage array controller (SCC).
    Raid = 0x0C,
    /// Enclosure services device (SES).
    Enclosure = 0x0D,
    /// Unknown or no device type.
    Unknown = 0x1F,
}

impl DeviceType {
    /// The type's five-bit code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The type with this five-bit code; codes this stack knows nothing of are `None`.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x00 => Self::Disk,
            0x01 => Self::Tape,
            0x03 => Self::Processor,
            0x05 => Self::CdRom,
            0x07 => Self::Optical,
            0x08 => Self::Changer,
            0x0C => Self::Raid,
            0x0D => Self::Enclosure,
            0x1F => Self::Unknown,
            _ => return None,
        })
    }
}
