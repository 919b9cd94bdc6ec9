// SPDX-License-Identifier: GPL-2.0-only
//! Mode pages: MODE SENSE and MODE SELECT (SPC-4 6.11 to 6.14, 7.5; SBC-3 6.4).

use super::cdb::{ModeSelect, ModeSense, PageControl};
use super::device_type::DeviceType;
use super::sense::Sense;
use super::writer::Writer;

/// The mode parameters that have a meaning in this stack; everything else on the pages is constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeState {
    /// Write cache enabled (Caching page).
    pub wce: bool,
    /// Task set type, 0 or 1.
    pub tst: u8,
    /// Task management functions only while ACA is active.
    pub tmf_only: bool,
    /// Disable protection information check if PROTECT is zero.
    pub dpicz: bool,
    /// Sense in descriptor format.
    pub d_sense: bool,
    /// QUEUE ALGORITHM MODIFIER: 0 restricted reordering, 1 unrestricted.
    pub queue_alg: u8,
    /// QErr: 0, 1 or 3.
    pub qerr: u8,
    /// Software write protect.
    pub swp: bool,
    /// Task aborted status.
    pub tas: bool,
}

impl ModeState {
    /// The values of a new device with or without a write-back cache.
    pub const fn new(wce: bool, tst: u8) -> Self {
        Self {
            wce,
            tst,
            tmf_only: false,
            dpicz: false,
            d_sense: false,
            queue_alg: 1,
            qerr: 0,
            swp: false,
            tas: false,
        }
    }
}

/// The device as MODE SENSE and MODE SELECT see it.
#[derive(Clone, Copy, Debug)]
pub struct ModeDevice<'a> {
    /// Device type; CD-ROMs have fewer pages.
    pub device_type: DeviceType,
    /// Logical block length in bytes.
    pub block_size: u32,
    /// Number of logical blocks.
    pub blocks: u64,
    /// WP: the LUN or the device is read-only, or SWP is set.
    pub write_protected: bool,
    /// Removal of the medium is prevented.
    pub locked: bool,
    /// WCE may be changed (not with `nv_cache`).
    pub wce_changeable: bool,
    /// Values in effect.
    pub current: &'a ModeState,
    /// Values of a new device.
    pub default: &'a ModeState,
    /// Saved values; `None` where saving is not supported.
    pub saved: Option<&'a ModeState>,
}

/// MODE SENSE data, 6 or 10. Returns how many bytes of `out` hold it.
///
/// Errors: 39/00 for saved values where saving is not supported; 24/00 at byte 3 for any subpage,
/// at byte 2 for a page that this device type does not have.
pub fn sense(request: &ModeSense, device: &ModeDevice<'_>, out: &mut [u8]) -> Result<usize, Sense> {
    let values = match request.control {
        PageControl::Saved => device.saved.ok_or(Sense::SAVING_NOT_SUPPORTED)?,
        PageControl::Default => device.default,
        PageControl::Current | PageControl::Changeable => device.current,
    };
    if request.subpage != 0 {
        return Err(Sense::invalid_field_in_cdb(3));
    }
    let wanted = |code: &&u8| request.page == ALL_PAGES || request.page == **code;
    if !device.pages().iter().any(|code| wanted(&code)) {
        return Err(Sense::invalid_field_in_cdb_bit(2, 5));
    }
    let mut w = Writer::new(out);
    write_header(request, device, &mut w);
    for code in device.pages().iter().filter(wanted) {
        match request.control {
            PageControl::Changeable => w.bytes(device.changeable(*code).bytes()),
            _ => w.bytes(device.page(*code, values).bytes()),
        }
    }
    let total = w.total();
    match request.ten {
        false => w.patch_u8(0, u8::try_from(total.saturating_sub(1)).unwrap_or(u8::MAX)),
        true => w.patch_u16(
            0,
            u16::try_from(total.saturating_sub(2)).unwrap_or(u16::MAX),
        ),
    }
    Ok(w.stored())
}

/// The state that a MODE SELECT parameter list asks for, or why it is refused; nothing changes
/// unless all of the list is good.
///
/// Errors: 24/00 at byte 1 for page format 0, or for saving where that is not supported; 1A/00 for
/// a list that ends within a header, a block descriptor or a page; 26/00 at the first byte that is
/// not as MODE SENSE shows it and cannot be changed, or whose value is not supported.
pub fn select(
    request: &ModeSelect,
    list: &[u8],
    device: &ModeDevice<'_>,
) -> Result<ModeState, Sense> {
    if !request.pf {
        return Err(Sense::invalid_field_in_cdb(1));
    }
    if request.sp && device.saved.is_none() {
        return Err(Sense::invalid_field_in_cdb_bit(1, 0));
    }
    let list_len = usize::try_from(request.list_len).unwrap_or(usize::MAX);
    if list_len == 0 {
        return Ok(*device.current);
    }
    let list = list
        .get(..list_len)
        .ok_or(Sense::PARAMETER_LIST_LENGTH_ERROR)?;
    let mut rest = skip_header(request.ten, list, device)?;
    let mut state = *device.current;
    while !rest.is_empty() {
        let at = list.len().saturating_sub(rest.len());
        rest = take_page(rest, at, device, &mut state)?;
    }
    Ok(state)
}

/// The page code that stands for all pages.
const ALL_PAGES: u8 = 0x3F;

/// Pages of a disk and of a CD-ROM, in the order in which they are returned together.
const DISK_PAGES: &[u8] = &[0x01, 0x02, 0x03, 0x08, 0x0A, 0x1C, 0x04];
const CDROM_PAGES: &[u8] = &[0x01, 0x0A, 0x1C, 0x2A];

/// Synthetic geometry, for those who still ask.
const HEADS: u8 = 255;
const SECTORS_PER_TRACK: u8 = 56;
const ROTATION_RATE: u16 = super::inquiry::ROTATION_RATE;

/// Nominal speed of a CD-ROM drive in kB/s: 40 times that of an audio disc.
const DRIVE_SPEED: u16 = 40 * 176;

/// PARAMETERS SAVEABLE, in a page's first byte.
const PS: u8 = 0x80;
/// SUBPAGE FORMAT, in a page's first byte.
const SPF: u8 = 0x40;

/// Length of the longest mode page, header included.
const MAX_PAGE_LEN: usize = 24;

/// A mode page, header included.
struct Page {
    bytes: [u8; MAX_PAGE_LEN],
    len: usize,
}

impl Page {
    /// A page of `len` bytes in all, zero but for the header.
    fn empty(code: u8, saveable: bool) -> Self {
        let len: u8 = match code {
            0x01 | 0x0A | 0x1C => 12,
            0x02 => 16,
            0x08 => 20,
            0x2A => 22,
            _ => 24,
        };
        let mut page = Self {
            bytes: [0; MAX_PAGE_LEN],
            len: usize::from(len),
        };
        let may_save = saveable && matches!(code, 0x08 | 0x0A);
        page.set(
            0,
            &[
                if may_save { PS | code } else { code },
                len.saturating_sub(2),
            ],
        );
        page
    }

    fn set(&mut self, at: usize, bytes: &[u8]) {
        for (to, from) in self.bytes.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

impl ModeDevice<'_> {
    fn pages(&self) -> &'static [u8] {
        match self.device_type {
            DeviceType::CdRom => CDROM_PAGES,
            _ => DISK_PAGES,
        }
    }

    /// Page `code` with `values`.
    fn page(&self, code: u8, values: &ModeState) -> Page {
        let mut page = Page::empty(code, self.saved.is_some());
        match code {
            0x01 => page.set(2, &[0xC0, 0x01, 0, 0, 0, 0, 0x01, 0, 0xFF, 0xFF]),
            0x02 => page.set(2, &[0x80, 0x80, 0x00, 0x0A]),
            0x03 => self.fill_format(&mut page),
            0x04 => self.fill_geometry(&mut page),
            0x08 => {
                page.set(2, &[u8::from(values.wce) << 2]);
                page.set(12, &[0x80, 0x14]);
            }
            0x0A => {
                page.set(2, &values.control_bytes());
                page.set(10, &[0x02, 0x4B]);
            }
            0x1C => page.set(2, &[0x08]),
            0x2A => self.fill_capabilities(&mut page),
            _ => {}
        }
        page
    }

    /// Page `code` with a one for each bit that MODE SELECT may change.
    fn changeable(&self, code: u8) -> Page {
        let mut page = Page::empty(code, self.saved.is_some());
        match code {
            0x08 => page.set(2, &[u8::from(self.wce_changeable) << 2]),
            0x0A => page.set(2, &[0x1C, 0xF6, 0x08, 0x40]),
            _ => {}
        }
        page
    }

    /// Format Device page: sectors per track and bytes per sector.
    fn fill_format(&self, page: &mut Page) {
        let [_, _, high, low] = self.block_size.to_be_bytes();
        page.set(10, &[0, SECTORS_PER_TRACK, high, low]);
        page.set(20, &[0x40]);
    }

    /// Rigid Disk Geometry page.
    fn fill_geometry(&self, page: &mut Page) {
        let per_cylinder = u64::from(HEADS).saturating_mul(u64::from(SECTORS_PER_TRACK));
        let cylinders = self.blocks.div_ceil(per_cylinder).min(0xFF_FFFF);
        let [.., a, b, c] = cylinders.to_be_bytes();
        page.set(2, &[a, b, c, HEADS]);
        page.set(20, &ROTATION_RATE.to_be_bytes());
    }

    /// MM Capabilities and Mechanical Status page (MMC-3): a tray that loads, ejects and can be locked, reads
    /// data at its nominal speed, and does nothing else.
    fn fill_capabilities(&self, page: &mut Page) {
        const TRAY_THAT_EJECTS_AND_LOCKS: u8 = 0x29;
        page.set(
            6,
            &[TRAY_THAT_EJECTS_AND_LOCKS | (u8::from(self.locked) << 1)],
        );
        page.set(8, &DRIVE_SPEED.to_be_bytes());
        page.set(14, &DRIVE_SPEED.to_be_bytes());
    }

    /// The short block descriptor (SBC-3 6.4.2.2).
    fn block_descriptor(&self) -> [u8; 8] {
        let [a, b, c, d] = u32::try_from(self.blocks).unwrap_or(u32::MAX).to_be_bytes();
        let [_, x, y, z] = self.block_size.to_be_bytes();
        [a, b, c, d, 0, x, y, z]
    }
}

impl ModeState {
    /// Bytes 2 to 5 of the Control mode page (SPC-4 7.5.8).
    fn control_bytes(&self) -> [u8; 4] {
        [
            ((self.tst & 0x07) << 5)
                | (u8::from(self.tmf_only) << 4)
                | (u8::from(self.dpicz) << 3)
                | (u8::from(self.d_sense) << 2),
            ((self.queue_alg & 0x0F) << 4) | ((self.qerr & 0x03) << 1),
            u8::from(self.swp) << 3,
            u8::from(self.tas) << 6,
        ]
    }
}

/// Writes header and block descriptor; the length at the front is for later.
fn write_header(request: &ModeSense, device: &ModeDevice<'_>, w: &mut Writer<'_>) {
    let dpofua = if device.device_type == DeviceType::CdRom {
        0
    } else {
        0x10
    };
    let specific = (u8::from(device.write_protected) << 7) | dpofua;
    let descriptor = device.block_descriptor();
    let descriptor: &[u8] = if request.dbd { &[] } else { &descriptor };
    let descriptor_len = if request.dbd { 0 } else { 8 };
    let medium_type = device.device_type.code();
    if request.ten {
        w.bytes(&[0, 0, medium_type, specific, 0, 0, 0, descriptor_len]);
    } else {
        w.bytes(&[0, medium_type, specific, descriptor_len]);
    }
    w.bytes(descriptor);
}

/// Checks header and block descriptor of a MODE SELECT list; returns the pages behind them.
///
/// MODE DATA LENGTH is reserved in this direction, medium type and device-specific parameter cannot
/// be set: all three are ignored, so that what MODE SENSE returned can be sent back.
fn skip_header<'a>(ten: bool, list: &'a [u8], device: &ModeDevice<'_>) -> Result<&'a [u8], Sense> {
    let too_short = Sense::PARAMETER_LIST_LENGTH_ERROR;
    let (at, descriptor_len, rest) = if ten {
        let (header, rest) = list.split_first_chunk::<8>().ok_or(too_short)?;
        let &[_, _, _, _, long_lba, _, high, low] = header;
        if long_lba & 0x01 != 0 {
            return Err(Sense::invalid_field_in_parameter_list_bit(4, 0));
        }
        (6, u16::from_be_bytes([high, low]), rest)
    } else {
        let (&[_, _, _, len], rest) = list.split_first_chunk::<4>().ok_or(too_short)?;
        (3, u16::from(len), rest)
    };
    match descriptor_len {
        0 => Ok(rest),
        8 => {
            let (descriptor, rest) = rest.split_first_chunk::<8>().ok_or(too_short)?;
            let start = list.len().saturating_sub(rest.len()).saturating_sub(8);
            check_descriptor(descriptor, start, device)?;
            Ok(rest)
        }
        _ => Err(Sense::invalid_field_in_parameter_list(at)),
    }
}

/// Neither capacity nor block length can be set: they must be as reported, or 0 (keep) or, for the
/// capacity, all ones (all there is).
fn check_descriptor(
    descriptor: &[u8; 8],
    start: usize,
    device: &ModeDevice<'_>,
) -> Result<(), Sense> {
    let [a, b, c, d, _, x, y, z] = *descriptor;
    let blocks = u32::from_be_bytes([a, b, c, d]);
    let ours = u32::try_from(device.blocks).unwrap_or(u32::MAX);
    if blocks != 0 && blocks != u32::MAX && blocks != ours {
        return Err(Sense::invalid_field_in_parameter_list(offset(start, 0)));
    }
    let block_size = u32::from_be_bytes([0, x, y, z]);
    if block_size != 0 && block_size != device.block_size {
        return Err(Sense::invalid_field_in_parameter_list(offset(start, 5)));
    }
    Ok(())
}

/// Takes the page at the front of `list`, which is byte `at` of the whole, into `state`. Returns
/// what follows it.
fn take_page<'a>(
    list: &'a [u8],
    at: usize,
    device: &ModeDevice<'_>,
    state: &mut ModeState,
) -> Result<&'a [u8], Sense> {
    let &[head, len, ..] = list else {
        return Err(Sense::PARAMETER_LIST_LENGTH_ERROR);
    };
    for (flag, bit) in [(PS, 7), (SPF, 6)] {
        if head & flag != 0 {
            return Err(Sense::invalid_field_in_parameter_list_bit(
                offset(at, 0),
                bit,
            ));
        }
    }
    if !device.pages().contains(&head) {
        return Err(Sense::invalid_field_in_parameter_list_bit(offset(at, 0), 5));
    }
    let shown = device.page(head, device.current);
    if usize::from(len).saturating_add(2) != shown.len {
        return Err(Sense::invalid_field_in_parameter_list(offset(at, 1)));
    }
    let (page, rest) = list
        .split_at_checked(shown.len)
        .ok_or(Sense::PARAMETER_LIST_LENGTH_ERROR)?;
    check_unchangeable(page, &shown, &device.changeable(head), at)?;
    apply(head, page, at, state)?;
    Ok(rest)
}

/// TST in byte 2 of the Control mode page.
const TST: u8 = 0xE0;

/// Refuses a page that differs from the one shown in a bit that cannot be changed (SPC-4 6.9).
fn check_unchangeable(
    page: &[u8],
    shown: &Page,
    changeable: &Page,
    at: usize,
) -> Result<(), Sense> {
    let bytes = page.iter().zip(shown.bytes()).zip(changeable.bytes());
    for (((sent, shown), mask), index) in bytes.zip(0..MAX_PAGE_LEN).skip(2) {
        let wrong = (sent ^ shown) & !mask;
        if wrong != 0 {
            // TST is the one field of more than a bit that is not changeable.
            let is_tst = page.first() == Some(&0x0A) && index == 2 && wrong & TST != 0;
            let wrong = if is_tst { TST } else { wrong };
            let bit = 7_u8.saturating_sub(u8::try_from(wrong.leading_zeros()).unwrap_or(0));
            return Err(Sense::invalid_field_in_parameter_list_bit(
                offset(at, index),
                bit,
            ));
        }
    }
    Ok(())
}

/// Takes the values of a page that was found good.
fn apply(code: u8, page: &[u8], at: usize, state: &mut ModeState) -> Result<(), Sense> {
    match (code, page) {
        (0x08, [_, _, flags, ..]) => state.wce = flags & 0x04 != 0,
        (0x0A, &[_, _, senses, queue, protect, aborts, ..]) => {
            let (queue_alg, qerr) = (queue >> 4, (queue >> 1) & 0x03);
            if queue_alg > 1 {
                return Err(Sense::invalid_field_in_parameter_list_bit(offset(at, 3), 7));
            }
            if qerr == 2 {
                return Err(Sense::invalid_field_in_parameter_list_bit(offset(at, 3), 2));
            }
            *state = ModeState {
                tmf_only: senses & 0x10 != 0,
                dpicz: senses & 0x08 != 0,
                d_sense: senses & 0x04 != 0,
                queue_alg,
                qerr,
                swp: protect & 0x08 != 0,
                tas: aborts & 0x40 != 0,
                ..*state
            };
        }
        _ => {}
    }
    Ok(())
}

/// A field pointer: byte `index` behind byte `at`.
fn offset(at: usize, index: usize) -> u16 {
    u16::try_from(at.saturating_add(index)).unwrap_or(u16::MAX)
}
