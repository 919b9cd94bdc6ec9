// SPDX-License-Identifier: MIT OR Apache-2.0
//! Growing the last partition of a GUID partition table, so that a power cut at any moment leaves a valid table.
//!
//! A table is a header in one sector and an array of entries in others, tied by checksums, so writing both in
//! place is not atomic, and Linux reads only the primary table. Here every change of the primary table is the
//! change of one sector: the new array goes to unused sectors first, then the header points there, then the
//! array's home is rewritten and the header points home again. UEFI specification, section 5.3.

use std::io;

/// Where the primary header is, and where its array of entries belongs.
const PRIMARY_LBA: u64 = 1;
const HOME_LBA: u64 = 2;
/// More entries than any tool makes; bounds what a damaged header can ask to read.
const MAX_ENTRY_BYTES: usize = 1 << 20;
/// Partitions end on a multiple of this many bytes, which every block size of ext4 divides.
const GRAIN_BYTES: u64 = 1 << 20;

/// A disk or an image of one, in whole sectors.
pub(crate) trait Disk {
    /// Bytes of a logical sector.
    fn sector_bytes(&self) -> usize;
    /// Number of logical sectors.
    fn nr_sectors(&self) -> u64;
    /// Fills `buf`, a multiple of the sector, from sector `lba` on.
    fn read(&self, lba: u64, buf: &mut [u8]) -> io::Result<()>;
    /// Writes `buf`, a multiple of the sector, from sector `lba` on.
    fn write(&mut self, lba: u64, buf: &[u8]) -> io::Result<()>;
    /// Returns once everything written is on stable storage.
    fn flush(&mut self) -> io::Result<()>;
}

/// Why a table cannot be read or grown.
#[derive(Debug)]
pub(crate) enum GptError {
    /// The disk reports an error.
    Io(io::Error),
    /// The sectors hold no valid table, with what is wrong.
    Invalid(&'static str),
    /// The table is valid and cannot be grown, with the reason.
    Refused(String),
}

impl From<io::Error> for GptError {
    fn from(error: io::Error) -> Self {
        GptError::Io(error)
    }
}

impl std::fmt::Display for GptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            GptError::Io(error) => write!(f, "{error}"),
            GptError::Invalid(what) => write!(f, "no valid partition table: {what}"),
            GptError::Refused(why) => f.write_str(why),
        }
    }
}

/// What growing did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Grown {
    /// Table and disk agreed already.
    Unchanged,
    /// The partition's size in sectors, before and after. Equal if only the table's backup moved.
    Partition { before: u64, after: u64 },
}

/// A valid header with its array of entries.
#[derive(Clone, PartialEq, Eq)]
struct Table {
    header: Vec<u8>,
    entries: Vec<u8>,
}

/// Offsets of the header's fields.
mod at {
    pub(super) const HEADER_BYTES: usize = 12;
    pub(super) const HEADER_CRC: usize = 16;
    pub(super) const MY_LBA: usize = 24;
    pub(super) const ALTERNATE_LBA: usize = 32;
    pub(super) const LAST_USABLE_LBA: usize = 48;
    pub(super) const ENTRIES_LBA: usize = 72;
    pub(super) const NR_ENTRIES: usize = 80;
    pub(super) const ENTRY_BYTES: usize = 84;
    pub(super) const ENTRIES_CRC: usize = 88;
    /// Offsets of an entry's fields.
    pub(super) const FIRST_LBA: usize = 32;
    pub(super) const LAST_LBA: usize = 40;
    pub(super) const NAME: std::ops::Range<usize> = 56..128;
}

fn get32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn get64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn put64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// The header's checksum is taken with its own field as zero.
fn header_crc(header: &[u8]) -> u32 {
    let mut copy = header[..get32(header, at::HEADER_BYTES) as usize].to_vec();
    put32(&mut copy, at::HEADER_CRC, 0);
    crc32fast::hash(&copy)
}

impl Table {
    fn read(disk: &impl Disk, lba: u64) -> Result<Table, GptError> {
        let mut header = vec![0; disk.sector_bytes()];
        disk.read(lba, &mut header)?;
        if &header[..8] != b"EFI PART" {
            return Err(GptError::Invalid("the signature is missing"));
        }
        if !(92..=header.len()).contains(&(get32(&header, at::HEADER_BYTES) as usize)) {
            return Err(GptError::Invalid("the header's size is impossible"));
        }
        if header_crc(&header) != get32(&header, at::HEADER_CRC) || get64(&header, at::MY_LBA) != lba {
            return Err(GptError::Invalid("the header's checksum or place is wrong"));
        }
        let entry_bytes = get32(&header, at::ENTRY_BYTES) as usize;
        let array_bytes = entry_bytes.saturating_mul(get32(&header, at::NR_ENTRIES) as usize);
        if entry_bytes < 128 || array_bytes == 0 || array_bytes > MAX_ENTRY_BYTES {
            return Err(GptError::Invalid("the array's size is impossible"));
        }
        let mut entries = vec![0; array_bytes.next_multiple_of(header.len())];
        disk.read(get64(&header, at::ENTRIES_LBA), &mut entries)?;
        if crc32fast::hash(&entries[..array_bytes]) != get32(&header, at::ENTRIES_CRC) {
            return Err(GptError::Invalid("the array's checksum is wrong"));
        }
        Ok(Table { header, entries })
    }

    fn field(&self, at: usize) -> u64 {
        get64(&self.header, at)
    }

    fn entry_bytes(&self) -> usize {
        get32(&self.header, at::ENTRY_BYTES) as usize
    }

    /// Sectors that the array fills.
    fn array_sectors(&self) -> u64 {
        (self.entries.len() / self.header.len()) as u64
    }

    /// The entries in use: an entry without a type is free.
    fn used(&self) -> impl Iterator<Item = &[u8]> {
        let nr = get32(&self.header, at::NR_ENTRIES) as usize;
        self.entries.chunks(self.entry_bytes()).take(nr).filter(|entry| entry[..16] != [0; 16])
    }

    fn index_of(&self, label: &str) -> Option<usize> {
        let mut name = [0; 72];
        for (slot, unit) in name.chunks_mut(2).zip(label.encode_utf16()) {
            slot.copy_from_slice(&unit.to_le_bytes());
        }
        self.entries
            .chunks(self.entry_bytes())
            .position(|entry| entry.len() >= 128 && entry[at::NAME] == name && entry[..16] != [0; 16])
    }

    fn entry_mut(&mut self, index: usize) -> &mut [u8] {
        let bytes = self.entry_bytes();
        &mut self.entries[index * bytes..(index + 1) * bytes]
    }

    /// Puts the header at `lba` with its array at `entries_lba`, and makes the checksums fit.
    fn placed(&self, lba: u64, entries_lba: u64, alternate_lba: u64) -> Table {
        let mut table = self.clone();
        let array_bytes = table.entry_bytes() * get32(&table.header, at::NR_ENTRIES) as usize;
        put64(&mut table.header, at::MY_LBA, lba);
        put64(&mut table.header, at::ALTERNATE_LBA, alternate_lba);
        put64(&mut table.header, at::ENTRIES_LBA, entries_lba);
        put32(&mut table.header, at::ENTRIES_CRC, crc32fast::hash(&table.entries[..array_bytes]));
        let crc = header_crc(&table.header);
        put32(&mut table.header, at::HEADER_CRC, crc);
        table
    }

    /// Writes the array, then the header that points to it; each is on stable storage before the next.
    fn write(&self, disk: &mut impl Disk) -> io::Result<()> {
        disk.write(self.field(at::ENTRIES_LBA), &self.entries)?;
        disk.flush()?;
        disk.write(self.field(at::MY_LBA), &self.header)?;
        disk.flush()
    }
}

/// Lets the partition named `label`, which must be the last, end where the disk ends, and moves the backup of
/// the table there. Cut at any sector, the primary table is the old or the new one; called again, it finishes.
pub(crate) fn grow(disk: &mut impl Disk, label: &str) -> Result<Grown, GptError> {
    let mut old = Table::read(disk, PRIMARY_LBA)?;
    let spare_lba = spare_for_array(&old)?;
    if old.field(at::ENTRIES_LBA) == spare_lba {
        old = old.placed(PRIMARY_LBA, HOME_LBA, old.field(at::ALTERNATE_LBA));
        old.write(disk)?;
    }
    let (new, grown) = grown_table(&old, disk, label)?;
    let last_lba = disk.nr_sectors() - 1;
    let backup = new.placed(last_lba, last_lba - new.array_sectors(), PRIMARY_LBA);
    let backup_is_good = matches!(Table::read(disk, last_lba), Ok(found) if found == backup);
    if old == new && backup_is_good {
        return Ok(Grown::Unchanged);
    }
    backup.write(disk)?;
    new.placed(PRIMARY_LBA, spare_lba, last_lba).write(disk)?;
    new.write(disk)?;
    write_protective_mbr(disk)?;
    Ok(grown)
}

/// The sectors behind the array's home, where it stays for a moment while its home is rewritten.
fn spare_for_array(table: &Table) -> Result<u64, GptError> {
    let spare_lba = HOME_LBA + table.array_sectors();
    let spare_end = spare_lba + table.array_sectors();
    if ![HOME_LBA, spare_lba].contains(&table.field(at::ENTRIES_LBA)) {
        return Err(GptError::Refused(
            "the table's entries are not in sector 2, where this tool moves them".into(),
        ));
    }
    if table.used().any(|entry| get64(entry, at::FIRST_LBA) < spare_end) {
        return Err(GptError::Refused(format!(
            "a partition begins before sector {spare_end}: there is no room for a safe copy of the table"
        )));
    }
    Ok(spare_lba)
}

/// The primary table as it is to be, computed and not written.
fn grown_table(old: &Table, disk: &impl Disk, label: &str) -> Result<(Table, Grown), GptError> {
    let index = old
        .index_of(label)
        .ok_or_else(|| GptError::Refused(format!("no partition is named `{label}` in the table")))?;
    let mut new = old.clone();
    let entry = new.entry_mut(index);
    let (first_lba, before) = (get64(entry, at::FIRST_LBA), get64(entry, at::LAST_LBA));
    if old.used().any(|other| get64(other, at::FIRST_LBA) > before) {
        return Err(GptError::Refused(format!("`{label}` is not the last partition of the disk")));
    }
    let last_lba = disk.nr_sectors() - 1;
    let usable_end = last_lba.saturating_sub(old.array_sectors());
    if usable_end <= before {
        return Err(GptError::Refused(format!(
            "the disk ends at sector {last_lba}, before `{label}` does ({before}): it is smaller than its image"
        )));
    }
    let grain = GRAIN_BYTES / disk.sector_bytes() as u64;
    let after = (usable_end / grain * grain - 1).max(before);
    put64(entry, at::LAST_LBA, after);
    put64(&mut new.header, at::LAST_USABLE_LBA, usable_end - 1);
    let grown = Grown::Partition { before: before - first_lba + 1, after: after - first_lba + 1 };
    Ok((new.placed(PRIMARY_LBA, HOME_LBA, last_lba), grown))
}

/// Lets the protective MBR's only entry cover the disk, as far as its 32 bits reach.
fn write_protective_mbr(disk: &mut impl Disk) -> io::Result<()> {
    const ENTRY: usize = 446;
    let mut sector = vec![0; disk.sector_bytes()];
    disk.read(0, &mut sector)?;
    if sector[510..512] != [0x55, 0xaa] || sector[ENTRY + 4] != 0xee {
        return Ok(());
    }
    put32(&mut sector, ENTRY + 12, u32::try_from(disk.nr_sectors() - 1).unwrap_or(u32::MAX));
    disk.write(0, &sector)?;
    disk.flush()
}

#[cfg(test)]
#[path = "gpt_tests.rs"]
mod tests;
