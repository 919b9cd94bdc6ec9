// SPDX-License-Identifier: GPL-2.0-only
//! INQUIRY: standard data and vital product data pages (SPC-4 6.6, 7.8; SBC-3 6.5).

use super::device_type::DeviceType;
use super::sense::Sense;
use super::writer::Writer;

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

/// Who the logical unit says it is. Every length has an upper bound in SCST's attributes; longer
/// values are cut, never overflowed.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// Device type.
    pub device_type: DeviceType,
    /// Not accessible through this port now (peripheral qualifier 001b): ALUA unavailable or
    /// offline, or `dummy`.
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
    /// `t10_dev_id`, at most 25 bytes; its first 8 bytes are the EUI-64 of a unit that has neither
    /// EUI-64 nor NAA.
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

/// Standard INQUIRY data (SPC-4 6.6.2). Returns how many bytes of `out` hold it.
pub fn standard(identity: &Identity<'_>, out: &mut [u8]) -> usize {
    let mut w = Writer::new(out);
    w.u8(identity.peripheral());
    w.u8(u8::from(identity.removable) << 7);
    w.u8(VERSION_SPC4);
    w.u8((u8::from(identity.norm_aca) << 5) | RESPONSE_DATA_FORMAT);
    w.u8(0);
    w.u8((identity.tpgs.code() << 4) | (u8::from(identity.third_party_copy) << 3));
    w.bytes(&[MULTIP, CMDQUE]);
    w.padded(identity.vendor, VENDOR_LEN);
    w.padded(identity.product, 16);
    w.padded(identity.revision, 4);
    let specific = identity.inq_vend_specific;
    if specific.len() <= SHORT_VENDOR_SPECIFIC {
        w.bytes(specific);
    }
    w.zero_to(58);
    write_versions(identity, &mut w);
    if specific.len() > SHORT_VENDOR_SPECIFIC {
        w.zero_to(96);
        w.bytes(specific.get(..LONG_VENDOR_SPECIFIC_MAX).unwrap_or(specific));
    }
    let additional = w.total().saturating_sub(5);
    w.patch_u8(4, u8::try_from(additional).unwrap_or(u8::MAX));
    w.stored()
}

/// Version descriptors (SPC-4 6.6.2, table 152): SAM-4, the transport's, SPC-4, and SBC-3 for
/// disks.
fn write_versions(identity: &Identity<'_>, w: &mut Writer<'_>) {
    w.u16(0x008B);
    for &version in identity.transport_versions.iter().take(5) {
        w.u16(version);
    }
    w.u16(0x0463);
    if identity.device_type == DeviceType::Disk {
        w.u16(0x04C0);
    }
}

/// VPD page `page` (SPC-4 7.8, SBC-3 6.5). Returns how many bytes of `out` hold it. Error: 24/00 at
/// byte 2 for a page that this unit does not have.
pub fn vpd(page: u8, pages: &Pages<'_>, out: &mut [u8]) -> Result<usize, Sense> {
    if !pages.supported().any(|supported| supported == page) {
        return Err(Sense::invalid_field_in_cdb(2));
    }
    let mut w = Writer::new(out);
    w.u8(pages.identity.peripheral());
    w.u8(page);
    w.u16(0);
    match (page, pages.block) {
        (0x00, _) => pages.supported().for_each(|page| w.u8(page)),
        (0x80, _) => w.bytes(pages.identity.serial),
        (0x83, _) => write_designators(pages.identity, &mut w),
        (0x86, _) => write_extended(pages.volatile_cache, &mut w),
        (0xB0, Some(block)) => write_limits(&block.limits, &mut w),
        (0xB1, Some(block)) => {
            w.u16(block.rotation_rate);
            w.zero_to(64);
        }
        (_, Some(block)) => write_provisioning(block.provisioning, &mut w),
        (_, None) => {}
    }
    let page_len = w.total().saturating_sub(4);
    w.patch_u16(2, u16::try_from(page_len).unwrap_or(u16::MAX));
    Ok(w.stored())
}

/// Standard INQUIRY data of a LUN that does not exist (SPC-4 6.6.2, qualifier 011b). Returns how
/// many bytes of `out` hold it (at most 36).
pub fn no_such_lun(out: &mut [u8]) -> usize {
    let mut w = Writer::new(out);
    w.bytes(&[0x7F, 0, VERSION_SPC4, RESPONSE_DATA_FORMAT, 31, 0, 0, 0]);
    w.padded(b"SCST", VENDOR_LEN);
    w.padded(b"", 20);
    w.stored()
}

const VERSION_SPC4: u8 = 0x06;
const RESPONSE_DATA_FORMAT: u8 = 0x02;
const MULTIP: u8 = 0x10;
const CMDQUE: u8 = 0x02;
const VENDOR_LEN: usize = 8;
/// Room for vendor specific bytes before the version descriptors.
const SHORT_VENDOR_SPECIFIC: usize = 20;
/// What the one-byte ADDITIONAL LENGTH leaves from byte 96 on, with SCST's own limit.
const LONG_VENDOR_SPECIFIC_MAX: usize = 160;

impl Tpgs {
    /// The field's two bits.
    const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Implicit => 1,
            Self::Explicit => 2,
            Self::Both => 3,
        }
    }
}

impl Identity<'_> {
    /// Byte 0 of every answer: peripheral qualifier and device type.
    fn peripheral(&self) -> u8 {
        (u8::from(self.not_connected) << 5) | self.device_type.code()
    }
}

impl Pages<'_> {
    /// The pages that this unit has, in ascending order.
    fn supported(&self) -> impl Iterator<Item = u8> {
        let block = self.block.is_some();
        let thin = self.block.is_some_and(|block| block.provisioning.is_some());
        [
            (0x00, true),
            (0x80, true),
            (0x83, true),
            (0x86, true),
            (0xB0, block),
            (0xB1, block),
            (0xB2, thin),
        ]
        .into_iter()
        .filter_map(|(page, there)| there.then_some(page))
    }
}

/// Code sets (SPC-4 table 19).
const BINARY: u8 = 1;
const ASCII: u8 = 2;
const UTF8: u8 = 3;

/// ASSOCIATION and DESIGNATOR TYPE of a designation descriptor's second byte (SPC-4 7.8.5.1).
const T10_VENDOR: u8 = 0x01;
const EUI64: u8 = 0x02;
const NAA: u8 = 0x03;
const RELATIVE_PORT: u8 = 0x14;
const PORT_GROUP: u8 = 0x15;
const DEVICE_NAME: u8 = 0x28;

/// Page 83h: who the unit is and through which port it was asked.
fn write_designators(identity: &Identity<'_>, w: &mut Writer<'_>) {
    if !identity.scsi_device_name.is_empty() {
        write_device_name(identity.scsi_device_name, w);
    }
    write_t10(identity, w);
    let [high, low] = identity.relative_port.to_be_bytes();
    write_designator(BINARY, RELATIVE_PORT, &[0, 0, high, low], w);
    if let Some(group) = identity.port_group {
        let [high, low] = group.to_be_bytes();
        write_designator(BINARY, PORT_GROUP, &[0, 0, high, low], w);
    }
    if !identity.eui64.is_empty() {
        write_designator(BINARY, EUI64, identity.eui64, w);
    } else if identity.naa.is_empty() {
        // Initiators want a binary identifier; without one, the beginning of the T10 identifier
        // stands in.
        let mut stand_in = [0; 8];
        for (to, from) in stand_in.iter_mut().zip(identity.t10_dev_id) {
            *to = *from;
        }
        write_designator(BINARY, EUI64, &stand_in, w);
    }
    if !identity.naa.is_empty() {
        write_designator(BINARY, NAA, identity.naa, w);
    }
}

/// Writes one designation descriptor; a designator over 255 bytes is cut, as its length has one
/// byte.
fn write_designator(code_set: u8, kind: u8, designator: &[u8], w: &mut Writer<'_>) {
    let kept = designator.get(..usize::from(u8::MAX)).unwrap_or(designator);
    w.bytes(&[
        code_set,
        kind,
        0,
        u8::try_from(kept.len()).unwrap_or(u8::MAX),
    ]);
    w.bytes(kept);
}

/// The T10 designator: vendor, padded to its width, and the vendor specific identifier.
fn write_t10(identity: &Identity<'_>, w: &mut Writer<'_>) {
    let id = identity.vend_specific_id;
    let id = id.get(..usize::from(u8::MAX) - VENDOR_LEN).unwrap_or(id);
    let len = VENDOR_LEN.saturating_add(id.len());
    w.bytes(&[ASCII, T10_VENDOR, 0, u8::try_from(len).unwrap_or(u8::MAX)]);
    w.padded(identity.vendor, VENDOR_LEN);
    w.bytes(id);
}

/// Longest SCSI name string that fits with its NUL into a designator of a multiple of four bytes.
const DEVICE_NAME_MAX: usize = 251;

/// The SCSI name string designator (SPC-4 7.8.5.11): at least one NUL, up to a multiple of four
/// bytes.
fn write_device_name(name: &[u8], w: &mut Writer<'_>) {
    let kept = cut_utf8(name, DEVICE_NAME_MAX);
    let padded = (kept.len() | 3).saturating_add(1);
    w.bytes(&[
        UTF8,
        DEVICE_NAME,
        0,
        u8::try_from(padded).unwrap_or(u8::MAX),
    ]);
    w.bytes(kept);
    w.fill(0, padded.saturating_sub(kept.len()));
}

/// The first `max` bytes of `text`, less the beginning of a character that would be cut in two.
fn cut_utf8(text: &[u8], max: usize) -> &[u8] {
    let Some((kept, rest)) = text.split_at_checked(max) else {
        return text;
    };
    let continues = |byte: &u8| byte & 0xC0 == 0x80;
    if !rest.first().is_some_and(continues) {
        return kept;
    }
    let whole = kept.iter().rposition(|byte| !continues(byte)).unwrap_or(0);
    kept.get(..whole).unwrap_or(kept)
}

/// Page 86h: no protection information, all task attributes, unit attentions cleared by LUN
/// (LUICLR).
fn write_extended(volatile_cache: bool, w: &mut Writer<'_>) {
    w.bytes(&[0x00, 0x07, u8::from(volatile_cache), 0x01]);
    w.zero_to(64);
}

/// Page B0h.
fn write_limits(limits: &BlockLimits, w: &mut Writer<'_>) {
    w.u8(u8::from(limits.wsnz));
    w.u8(limits.max_compare_and_write);
    w.u16(limits.granularity);
    w.u32(limits.max_transfer);
    w.u32(limits.optimal_transfer);
    w.u32(0);
    match limits.unmap {
        None => w.fill(0, 16),
        Some(unmap) => {
            w.u32(unmap.max_lbas);
            w.u32(u32::MAX);
            w.u32(unmap.granularity);
            w.u32(unmap.alignment.map_or(0, |alignment| UGAVALID | alignment));
        }
    }
    w.u64(limits.max_write_same);
    w.zero_to(64);
}

const UGAVALID: u32 = 1 << 31;

/// Page B2h: UNMAP and both WRITE SAME forms deallocate; the unit is thin.
fn write_provisioning(provisioning: Option<Provisioning>, w: &mut Writer<'_>) {
    let lbprz = provisioning.is_some_and(|provisioning| provisioning.lbprz);
    w.bytes(&[0, 0xE0 | (u8::from(lbprz) << 2), 0x02, 0]);
}
