// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables grown in memory, with the power cut between any two sectors.

use super::*;
use std::collections::BTreeMap;

const SECTOR: usize = 512;

/// A disk in memory that remembers every sector write, and where the flushes were.
#[derive(Clone)]
struct Memory {
    nr_sectors: u64,
    /// Sectors that were ever written; all others are zero.
    sectors: BTreeMap<u64, [u8; SECTOR]>,
    /// `None` is a flush.
    log: Vec<Option<(u64, [u8; SECTOR])>>,
}

impl Disk for Memory {
    fn sector_bytes(&self) -> usize {
        SECTOR
    }
    fn nr_sectors(&self) -> u64 {
        self.nr_sectors
    }
    fn read(&self, lba: u64, buf: &mut [u8]) -> io::Result<()> {
        for (offset, sector) in buf.chunks_mut(SECTOR).enumerate() {
            sector.copy_from_slice(&self.sector(lba + offset as u64)?);
        }
        Ok(())
    }
    fn write(&mut self, lba: u64, buf: &[u8]) -> io::Result<()> {
        for (offset, sector) in buf.chunks(SECTOR).enumerate() {
            let sector: [u8; SECTOR] = sector.try_into().unwrap();
            let lba = lba + offset as u64;
            self.sector(lba)?;
            self.sectors.insert(lba, sector);
            self.log.push(Some((lba, sector)));
        }
        Ok(())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.log.push(None);
        Ok(())
    }
}

impl Memory {
    fn sector(&self, lba: u64) -> io::Result<[u8; SECTOR]> {
        if lba >= self.nr_sectors {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.sectors.get(&lba).copied().unwrap_or([0; SECTOR]))
    }

    /// Changes a sector behind the table's back.
    fn edit(&mut self, lba: u64, change: impl FnOnce(&mut [u8; SECTOR])) {
        change(self.sectors.entry(lba).or_insert([0; SECTOR]));
    }
}

/// Partitions of the tests: name, first and last sector.
const PARTITIONS: [(&str, u64, u64); 3] =
    [("esp", 2048, 4095), ("config", 4096, 6143), ("data", 6144, 10239)];

/// A table as the image's maker writes it, on a disk that has become larger since.
fn image(made_for: u64, nr_sectors: u64) -> Memory {
    let mut disk = Memory { nr_sectors, sectors: BTreeMap::new(), log: vec![] };
    disk.edit(0, |mbr| {
        mbr[446 + 4] = 0xee;
        mbr[510..].copy_from_slice(&[0x55, 0xaa]);
    });
    let mut entries = vec![0; 128 * 128];
    for (slot, (name, first, last)) in entries.chunks_mut(128).zip(PARTITIONS) {
        slot[..16].fill(7);
        put64(slot, at::FIRST_LBA, first);
        put64(slot, at::LAST_LBA, last);
        for (unit, at) in name.encode_utf16().zip((56..).step_by(2)) {
            slot[at..at + 2].copy_from_slice(&unit.to_le_bytes());
        }
    }
    let mut header = vec![0; SECTOR];
    header[..8].copy_from_slice(b"EFI PART");
    put32(&mut header, at::HEADER_BYTES, 92);
    put64(&mut header, at::LAST_USABLE_LBA, made_for - 34);
    put32(&mut header, at::NR_ENTRIES, 128);
    put32(&mut header, at::ENTRY_BYTES, 128);
    let table = Table { header, entries };
    table.placed(made_for - 1, made_for - 33, PRIMARY_LBA).write(&mut disk).unwrap();
    table.placed(PRIMARY_LBA, HOME_LBA, made_for - 1).write(&mut disk).unwrap();
    disk.log.clear();
    disk
}

fn ends(disk: &Memory, lba: u64) -> Result<Vec<u64>, GptError> {
    Ok(Table::read(disk, lba)?.used().map(|entry| get64(entry, at::LAST_LBA)).collect())
}

const OLD_ENDS: [u64; 3] = [4095, 6143, 10239];
/// 20000 sectors: the backup takes 33 at the end, and the last whole MiB before it ends at sector 18432.
const NEW_ENDS: [u64; 3] = [4095, 6143, 18431];

#[test]
fn the_last_partition_takes_the_room_and_nothing_else_moves() {
    let mut disk = image(10300, 20000);
    assert_eq!(grow(&mut disk, "data").unwrap(), Grown::Partition { before: 4096, after: 12288 });
    assert_eq!(ends(&disk, 1).unwrap(), NEW_ENDS);
    assert_eq!(ends(&disk, 19999).unwrap(), NEW_ENDS);
    let primary = Table::read(&disk, 1).unwrap();
    assert_eq!(primary.field(at::ALTERNATE_LBA), 19999);
    assert_eq!(primary.field(at::LAST_USABLE_LBA), 19966);
    assert_eq!(primary.field(at::ENTRIES_LBA), 2);
    assert_eq!(get32(&disk.sectors[&0], 446 + 12), 19999);
}

#[test]
fn a_second_run_writes_nothing() {
    let mut disk = image(10300, 20000);
    grow(&mut disk, "data").unwrap();
    disk.log.clear();
    assert_eq!(grow(&mut disk, "data").unwrap(), Grown::Unchanged);
    assert!(disk.log.is_empty());
}

#[test]
fn a_lost_backup_is_written_again() {
    let mut disk = image(10300, 20000);
    grow(&mut disk, "data").unwrap();
    disk.edit(19999, |sector| sector.fill(0));
    grow(&mut disk, "data").unwrap();
    assert_eq!(ends(&disk, 19999).unwrap(), NEW_ENDS);
}

/// What a disk may hold when the power goes: all that was flushed, and any part of what was not.
fn cut_states(before: &Memory, log: &[Option<(u64, [u8; SECTOR])>]) -> Vec<Memory> {
    let mut states = vec![];
    let mut stable = Memory { log: vec![], ..before.clone() };
    for group in log.split(Option::is_none) {
        let writes: Vec<_> = group.iter().flatten().copied().collect();
        for cut in 0..=writes.len() {
            for writes in [writes[..cut].to_vec(), writes[cut..].to_vec()] {
                let mut state = stable.clone();
                for (lba, sector) in writes {
                    state.sectors.insert(lba, sector);
                }
                states.push(state);
            }
        }
        for (lba, sector) in writes {
            stable.sectors.insert(lba, sector);
        }
    }
    states
}

/// What the disk may hold when growing is cut once.
fn cut_once() -> Vec<Memory> {
    let before = image(10300, 20000);
    let mut done = before.clone();
    grow(&mut done, "data").unwrap();
    let states = cut_states(&before, &done.log);
    assert!(states.len() > 200, "{} states are too few to be all of them", states.len());
    states
}

#[test]
fn every_power_cut_leaves_a_table_and_the_next_run_finishes() {
    for (number, mut state) in cut_once().into_iter().enumerate() {
        let found = ends(&state, 1).unwrap_or_else(|error| panic!("state {number}: {error}"));
        assert!(found == OLD_ENDS || found == NEW_ENDS, "state {number}: {found:?}");
        grow(&mut state, "data").unwrap_or_else(|error| panic!("state {number}: {error}"));
        assert_eq!(ends(&state, 1).unwrap(), NEW_ENDS, "state {number}");
        assert_eq!(ends(&state, 19999).unwrap(), NEW_ENDS, "state {number}");
        assert_eq!(Table::read(&state, 1).unwrap().field(at::ENTRIES_LBA), HOME_LBA, "state {number}");
    }
}

#[test]
fn a_second_cut_leaves_a_table_too_even_if_the_disk_grew_in_between() {
    let away_from_home = |state: &Memory| Table::read(state, 1).unwrap().field(at::ENTRIES_LBA) != HOME_LBA;
    let states: Vec<Memory> = cut_once().into_iter().filter(away_from_home).collect();
    assert!(states.len() > 30, "the array is away from home in {} states", states.len());
    for (number, mut state) in states.into_iter().enumerate().step_by(9) {
        state.nr_sectors = 40000;
        let mut done = state.clone();
        grow(&mut done, "data").unwrap();
        for (again, state) in cut_states(&state, &done.log).iter().enumerate() {
            assert!(ends(state, 1).is_ok(), "state {number}, cut again in state {again}");
        }
    }
}

#[test]
fn what_cannot_grow_is_refused_and_left_alone() {
    for (made_for, nr_sectors, label, why) in [
        (10300, 20000, "nosuch", "no partition is named `nosuch`"),
        (10300, 20000, "config", "not the last partition"),
        (10300, 10250, "data", "smaller than its image"),
    ] {
        let mut disk = image(made_for.min(nr_sectors), nr_sectors.max(made_for));
        disk.nr_sectors = nr_sectors;
        let message = grow(&mut disk, label).unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
        assert!(disk.log.is_empty());
    }
}

#[test]
fn damage_is_found() {
    for (lba, byte) in [(1, 3), (1, 50), (2, 40), (3, 0)] {
        let mut disk = image(10300, 20000);
        disk.edit(lba, |sector| sector[byte] ^= 1);
        assert!(matches!(grow(&mut disk, "data"), Err(GptError::Invalid(_))), "sector {lba}, byte {byte}");
    }
}
