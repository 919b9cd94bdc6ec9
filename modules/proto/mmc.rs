// SPDX-License-Identifier: GPL-2.0-only
//! What a CD-ROM drive tells of itself and of its disc: table of contents, disc and track information, features and
//! events (MMC-6). A disc is one closed session with one data track.

use super::sense::Sense;
use super::writer::Writer;

/// ADR 1 (the Q sub-channel has a position), CONTROL 4 (data, may not be copied digitally).
const DATA_TRACK: u8 = 0x14;

/// The number that stands for the lead-out.
const LEAD_OUT: u8 = 0xAA;

/// Frames of a second, and blocks before the one that address 0 names.
const FRAMES: u32 = 75;
const PREGAP: u32 = 2 * FRAMES;

/// READ TOC/PMA/ATIP data for a disc of `blocks` blocks, in formats 0 and 1. Returns how many bytes of
/// `out` hold it.
///
/// Errors: 24/00 at byte 2 for another format, at byte 6 for a track that is not there.
pub fn toc(msf: bool, format: u8, track: u8, blocks: u32, out: &mut [u8]) -> Result<usize, Sense> {
    let mut w = Writer::new(out);
    w.bytes(&[0, 0, 1, 1]);
    match format {
        0 => {
            if track > 1 && track != LEAD_OUT {
                return Err(Sense::invalid_field_in_cdb(6));
            }
            if track <= 1 {
                write_track(1, 0, msf, &mut w);
            }
            write_track(LEAD_OUT, blocks, msf, &mut w);
        }
        // Where the last session begins: at the only one's first track.
        1 => write_track(1, 0, msf, &mut w),
        _ => return Err(Sense::invalid_field_in_cdb_bit(2, 3)),
    }
    let following = w.total().saturating_sub(2);
    w.patch_u16(0, u16::try_from(following).unwrap_or(u16::MAX));
    Ok(w.stored())
}

/// A descriptor: track `number` begins at block `lba`.
fn write_track(number: u8, lba: u32, msf: bool, w: &mut Writer<'_>) {
    w.bytes(&[0, DATA_TRACK, number, 0]);
    if msf {
        w.bytes(&minutes(lba));
    } else {
        w.u32(lba);
    }
}

/// A block's address as minute, second and frame (MMC-6), or the standard's last resort for one that has none.
fn minutes(lba: u32) -> [u8; 4] {
    let frames = u64::from(lba).saturating_add(u64::from(PREGAP));
    let per_minute = u64::from(60 * FRAMES);
    let per_second = u64::from(FRAMES);
    let minute = frames.checked_div(per_minute).map(u8::try_from);
    let Some(Ok(minute)) = minute else {
        return [0, 0xFF, 59, 74];
    };
    let rest = frames.checked_rem(per_minute).unwrap_or(0);
    let second = rest.checked_div(per_second).unwrap_or(0);
    let frame = rest.checked_rem(per_second).unwrap_or(0);
    [0, minute, second as u8, frame as u8]
}

/// READ DISC INFORMATION data: a finished disc that cannot be written. Returns how many bytes of `out` hold
/// it. Error: 24/00 at byte 1 for anything but standard disc information.
pub fn disc_information(data_type: u8, out: &mut [u8]) -> Result<usize, Sense> {
    const LAST_SESSION_COMPLETE_DISC_FINALIZED: u8 = 0x0E;
    const UNRESTRICTED_USE: u8 = 0x20;
    if data_type != 0 {
        return Err(Sense::invalid_field_in_cdb_bit(1, 2));
    }
    let mut w = Writer::new(out);
    w.u16(32);
    w.u8(LAST_SESSION_COMPLETE_DISC_FINALIZED);
    // First track of the disc, number of sessions, first and last track of the last one.
    w.bytes(&[1, 1, 1, 1, UNRESTRICTED_USE]);
    w.zero_to(16);
    // Neither a next session nor a lead-out will ever begin anywhere.
    w.fill(0xFF, 8);
    w.zero_to(34);
    Ok(w.stored())
}

/// READ TRACK INFORMATION data for a disc of `blocks` blocks. Returns how many bytes of `out` hold it.
///
/// Errors: 21/00 for a block behind the last; 24/00 at byte 2 for a track or session that is not there, at byte 1 for
/// a kind of address that does not exist.
pub fn track_information(
    kind: u8,
    address: u32,
    blocks: u32,
    out: &mut [u8],
) -> Result<usize, Sense> {
    const DATA_UNINTERRUPTED: u8 = 0x04;
    const MODE_1: u8 = 0x01;
    match kind {
        0 if address >= blocks => return Err(Sense::LBA_OUT_OF_RANGE),
        0 => {}
        1 | 2 if address != 1 => return Err(Sense::invalid_field_in_cdb(2)),
        1 | 2 => {}
        _ => return Err(Sense::invalid_field_in_cdb_bit(1, 1)),
    }
    let mut w = Writer::new(out);
    w.u16(34);
    w.bytes(&[1, 1, 0, DATA_UNINTERRUPTED, MODE_1, 0]);
    w.u32(0);
    // Nothing can be written: no next block, none free, no packets.
    w.fill(0, 12);
    w.u32(blocks);
    w.zero_to(36);
    Ok(w.stored())
}

/// The drive as GET CONFIGURATION shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drive {
    /// A disc can be read.
    pub loaded: bool,
}

/// The profile of a drive with a disc in it.
const CD_ROM: u16 = 0x0008;

/// One feature.
struct Feature {
    code: u16,
    version: u8,
    /// Always there, whatever the medium.
    persistent: bool,
    data: &'static [u8],
}

/// The features, by their codes; those that are not persistent are current while there is a disc.
const FEATURES: &[Feature] = &[
    // Core: on a bus of the SCSI family, INQUIRY in full.
    feature(0x0001, 2, true, &[0, 0, 0, 1, 0x02, 0, 0, 0]),
    // Morphing: changes are found by polling.
    feature(0x0002, 1, true, &[0, 0, 0, 0]),
    // Removable medium: a tray that loads, ejects and locks.
    feature(0x0003, 2, true, &[0x39, 0, 0, 0]),
    // Random readable: blocks of 2048 bytes, one at a time, with the error recovery page.
    feature(0x0010, 0, false, &[0, 0, 0x08, 0, 0, 1, 0x01, 0]),
];

const fn feature(code: u16, version: u8, persistent: bool, data: &'static [u8]) -> Feature {
    Feature {
        code,
        version,
        persistent,
        data,
    }
}

/// GET CONFIGURATION data from feature `first` on: all for `request` 0, the current ones for 1, `first` alone
/// for 2. Returns how many bytes of `out` hold it. Error: 24/00 at byte 1 for another request.
pub fn configuration(
    request: u8,
    first: u16,
    drive: Drive,
    out: &mut [u8],
) -> Result<usize, Sense> {
    if request > 2 {
        return Err(Sense::invalid_field_in_cdb_bit(1, 1));
    }
    let wanted = |code: u16, current: bool| match request {
        0 => code >= first,
        1 => code >= first && current,
        _ => code == first,
    };
    let mut w = Writer::new(out);
    w.u32(0);
    w.u16(0);
    w.u16(if drive.loaded { CD_ROM } else { 0 });
    if wanted(0, true) {
        write_profiles(drive, &mut w);
    }
    for feature in FEATURES {
        let current = feature.persistent || drive.loaded;
        if wanted(feature.code, current) {
            write_feature(feature, current, &mut w);
        }
    }
    let following = w.total().saturating_sub(4);
    w.patch_u32(0, u32::try_from(following).unwrap_or(u32::MAX));
    Ok(w.stored())
}

/// The Profile List feature with its one profile.
fn write_profiles(drive: Drive, w: &mut Writer<'_>) {
    w.bytes(&[0x00, 0x00, 0x03, 4]);
    w.u16(CD_ROM);
    w.bytes(&[u8::from(drive.loaded), 0]);
}

fn write_feature(feature: &Feature, current: bool, w: &mut Writer<'_>) {
    let flags = (u8::from(feature.persistent) << 1) | u8::from(current);
    w.u16(feature.code);
    w.u8((feature.version << 2) | flags);
    w.u8(u8::try_from(feature.data.len()).unwrap_or(u8::MAX));
    w.bytes(feature.data);
}

/// What has happened to the medium (MMC-6, media event codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaEvent {
    /// Nothing since it was last told.
    None = 0,
    /// There is a new one, ready to be read.
    NewMedia = 2,
    /// It is not there any more.
    Removal = 3,
}

impl MediaEvent {
    /// The event with this code; any other code is none.
    pub const fn from_code(code: u8) -> Self {
        match code {
            2 => Self::NewMedia,
            3 => Self::Removal,
            _ => Self::None,
        }
    }
}

/// Where the tray is, and what is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaStatus {
    /// The tray is out.
    pub open: bool,
    /// There is a medium in the drive.
    pub present: bool,
}

/// The media class, as a bit of a request and as the number in an answer.
const MEDIA: u8 = 1 << 4;
const MEDIA_CLASS: u8 = 4;

/// Whether GET EVENT STATUS NOTIFICATION tells of media events, so that the one that waits counts as told: its class is
/// asked for, and there is room for more than the header.
pub const fn tells_media(classes: u8, alloc_len: u32) -> bool {
    classes & MEDIA != 0 && alloc_len > 4
}

/// GET EVENT STATUS NOTIFICATION data. Returns how many bytes of `out` hold it. Error: 24/00 at byte 1 for
/// anything but polling.
pub fn event_status(
    polled: bool,
    classes: u8,
    event: MediaEvent,
    status: MediaStatus,
    out: &mut [u8],
) -> Result<usize, Sense> {
    const NO_EVENT_AVAILABLE: u8 = 0x80;
    if !polled {
        return Err(Sense::invalid_field_in_cdb_bit(1, 0));
    }
    let mut w = Writer::new(out);
    if classes & MEDIA == 0 {
        w.u16(2);
        w.bytes(&[NO_EVENT_AVAILABLE, MEDIA]);
    } else {
        w.u16(6);
        w.bytes(&[MEDIA_CLASS, MEDIA]);
        let present = u8::from(status.present) << 1;
        w.bytes(&[event as u8, present | u8::from(status.open), 0, 0]);
    }
    Ok(w.stored())
}
