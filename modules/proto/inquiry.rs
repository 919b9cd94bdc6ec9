// SPDX-License-Identifier: GPL-2.0-only
//! INQUIRY: standard data and vital product data pages (SPC-4 6.6, 7.8; SBC-3 6.5).

use super::device_type::DeviceType;
use super::sense::Sense;

/// Target port group support, the TPGS field of standard INQUIRY data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tpgs {
    /// No asymmetric access.
    #[default]
    None,
    /// Access states change by themselves.
    Implicit,
    /// Access states change by SET TARGET PORT GROUPS.
    Explicit,
    /// Both.
    Both,
}

/// Who the logical unit says it is. Every length has an upper bound in SCST's attributes; longer values are cut, never
/// overflowed.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// Device type.
    pub device_type: DeviceType,
    /// Not accessible through this port now (peripheral qualifier 001b): ALUA unavailable or offline, or `dummy`.
    pub not_connected: bool,
    /// RMB.
    pub removable: bool,
    /// NormACA. Set it only when NACA in the control byte is honoured.
    pub norm_aca: bool,
    /// 3PC: EXTENDED COPY is served.
    pub third_party_copy: bool,
    /// TPGS.
    pub tpgs: Tpgs,
    /// T10 vendor identification, at most 8 bytes.
    pub vendor: &'a [u8],
    /// Product identification, at most 16 bytes.
    pub product: &'a [u8],
    /// Product revision level, at most 4 bytes.
    pub revision: &'a [u8],
    /// Unit serial number (`usn`), at most 20 bytes.
    pub serial: &'a [u8],
    /// `t10_dev_id`, at most 25 bytes; its first 8 bytes are the EUI-64 of a unit that has neither EUI-64 nor NAA.
    pub t10_dev_id: &'a [u8],
    /// `vend_specific_id` of the T10 designator, at most 128 bytes.
    pub vend_specific_id: &'a [u8],
    /// `scsi_device_name`, at most 256 bytes; empty for none.
    pub scsi_device_name: &'a [u8],
    /// EUI-64 based identifier of 8, 12 or 16 bytes; empty for none.
    pub eui64: &'a [u8],
    /// NAA identifier of 8 or 16 bytes; empty for none.
    pub naa: &'a [u8],
    /// `inq_vend_specific`: up to 20 bytes go to byte 36, more to byte 96; empty for none.
    pub inq_vend_specific: &'a [u8],
    /// Relative target port identifier.
    pub relative_port: u16,
    /// Target port group, if the unit is in one.
    pub port_group: Option<u16>,
    /// Version descriptors of the transport, for instance `&[0x0BE0]` for SAS.
    pub transport_versions: &'a [u16],
}

/// Unmap limits of VPD page B0h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnmapLimits {
    /// MAXIMUM UNMAP LBA COUNT.
    pub max_lbas: u32,
    /// OPTIMAL UNMAP GRANULARITY in blocks.
    pub granularity: u32,
    /// UNMAP GRANULARITY ALIGNMENT; `None` leaves UGAVALID 0.
    pub alignment: Option<u32>,
}

/// VPD page B0h, in logical blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// MAXIMUM COMPARE AND WRITE LENGTH.
    pub max_compare_and_write: u8,
    /// OPTIMAL TRANSFER LENGTH GRANULARITY.
    pub granularity: u16,
    /// MAXIMUM TRANSFER LENGTH.
    pub max_transfer: u32,
    /// OPTIMAL TRANSFER LENGTH.
    pub optimal_transfer: u32,
    /// MAXIMUM WRITE SAME LENGTH.
    pub max_write_same: u64,
    /// WRITE SAME with 0 blocks is refused (WSNZ).
    pub wsnz: bool,
    /// Unmap limits of a thin unit.
    pub unmap: Option<UnmapLimits>,
}

/// What a block device adds to the common pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPages {
    /// Page B0h.
    pub limits: BlockLimits,
    /// MEDIUM ROTATION RATE of page B1h: 1 for non-rotating, else revolutions per minute.
    pub rotation_rate: u16,
    /// Page B2h of a thin unit.
    pub provisioning: Option<Provisioning>,
}

/// VPD page B2h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provisioning {
    /// Unmapped blocks read as zeroes.
    pub lbprz: bool,
}

/// All that VPD pages are made of.
#[derive(Clone, Copy, Debug)]
pub struct Pages<'a> {
    /// Identity.
    pub identity: &'a Identity<'a>,
    /// V_SUP of page 86h: a volatile cache exists.
    pub volatile_cache: bool,
    /// Pages of a block device.
    pub block: Option<&'a BlockPages>,
}

/// Rotation rate of a `rotational` device.
pub const ROTATION_RATE: u16 = 15_000;

/// Standard INQUIRY data. Returns how many bytes of `out` hold it.
pub fn standard(_identity: &Identity<'_>, _out: &mut [u8]) -> usize {
    0
}

/// VPD page `page`. Returns how many bytes of `out` hold it. Error: 24/00 at byte 2 for a page that is not there.
pub fn vpd(_page: u8, _pages: &Pages<'_>, _out: &mut [u8]) -> Result<usize, Sense> {
    Err(Sense::invalid_field_in_cdb(2))
}

/// Standard INQUIRY data of a LUN that does not exist (SPC-4 6.6.2, qualifier 011b). Returns how many bytes of `out`
/// hold it (at most 36).
pub fn no_such_lun(_out: &mut [u8]) -> usize {
    0
}
