// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a disk with a volatile cache has left after a power cut.
//!
//! Killing QEMU loses nothing that it handed to the host. So such a disk has a log beside it, which QEMU's `blklogwrites`
//! keeps: every write as soon as it is in the file, every flush as soon as it has ended. What stands before the last flush
//! has outlived the cut, and so has a later write that asked to be stable by itself (FUA); the rest is lost.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use miette::{miette, Context as _, IntoDiagnostic as _};

/// The first word of a log.
const MAGIC: u64 = 0x006a_7366_7773_6872;
/// Bytes of the header of a log, and of the header of each entry; both have a sector to themselves.
const SECTOR: u64 = 512;
const FLUSH: u64 = 1 << 0;
const FUA: u64 = 1 << 1;
const DISCARD: u64 = 1 << 2;

/// What became of the writes in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fate {
    /// Writes that outlived the cut.
    pub(crate) kept: u64,
    /// Writes that did not.
    pub(crate) lost: u64,
    /// Flushes that had ended.
    pub(crate) flushes: u64,
}

/// One write, discard or flush.
#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u64,
    len: u64,
    flags: u64,
    /// Where in the log the data is.
    data: u64,
}

impl Entry {
    fn is_write(&self) -> bool {
        self.flags & FLUSH == 0
    }
}

/// Does to `disk`, which is as it was when the log began, what outlived the cut. Nothing where the log itself was cut: an
/// entry in the middle had not reached it yet.
pub(crate) fn replay(log: &Path, disk: &Path) -> miette::Result<Option<Fate>> {
    let bytes =
        std::fs::read(log).into_diagnostic().wrap_err_with(|| format!("cannot read {}", log.display()))?;
    let told = entries_told(&bytes).wrap_err_with(|| log.display().to_string())?;
    let entries = entries(&bytes);
    if (entries.len() as u64) < told {
        return Ok(None);
    }
    let file = File::options()
        .write(true)
        .open(disk)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", disk.display()))?;
    let stable = entries.iter().rposition(|entry| !entry.is_write()).map_or(0, |last| last + 1);
    let mut fate = Fate::default();
    for (number, entry) in entries.iter().enumerate() {
        if !entry.is_write() {
            fate.flushes += 1;
        } else if number < stable || entry.flags & FUA != 0 {
            fate.kept += 1;
            apply(&bytes, entry, &file)
                .into_diagnostic()
                .wrap_err_with(|| format!("cannot write {}", disk.display()))?;
        } else {
            fate.lost += 1;
        }
    }
    Ok(Some(fate))
}

/// The entries that the header tells of; it is written with each flush.
fn entries_told(log: &[u8]) -> miette::Result<u64> {
    match (word(log, 0), word(log, 16)) {
        (None | Some(0), _) => Ok(0),
        (Some(MAGIC), Some(count)) => Ok(count),
        _ => Err(miette!("this is no log of writes")),
    }
}

/// All entries up to the first that is not there.
fn entries(log: &[u8]) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut at = SECTOR;
    while let (Some(sector), Some(sectors), Some(flags)) =
        (word(log, at), word(log, at + 8), word(log, at + 16))
    {
        if sectors == 0 && flags == 0 {
            break;
        }
        let entry = Entry { offset: sector * SECTOR, len: sectors * SECTOR, flags, data: at + SECTOR };
        at = entry.data + if flags & (DISCARD | FLUSH) == 0 { entry.len } else { 0 };
        found.push(entry);
    }
    found
}

fn apply(log: &[u8], entry: &Entry, disk: &File) -> std::io::Result<()> {
    let mut data = vec![0; usize::try_from(entry.len).unwrap_or(0)];
    if entry.flags & DISCARD == 0 {
        // Zeroes at the end of the log may not have been written out.
        let there = log.get(usize::try_from(entry.data).unwrap_or(usize::MAX)..).unwrap_or_default();
        let len = there.len().min(data.len());
        data[..len].copy_from_slice(&there[..len]);
    }
    disk.write_all_at(&data, entry.offset)
}

fn word(bytes: &[u8], at: u64) -> Option<u64> {
    let at = usize::try_from(at).ok()?;
    let word = bytes.get(at..at.checked_add(8)?)?;
    word.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(words: [u64; 4]) -> Vec<u8> {
        let mut sector: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        sector.resize(SECTOR as usize, 0);
        sector
    }

    fn write(sector: u64, byte: u8, flags: u64) -> Vec<u8> {
        [header([sector, 1, flags, 0]), vec![byte; SECTOR as usize]].concat()
    }

    /// A log that says it has `told` entries, and the first bytes of four sectors after the cut.
    fn cut(told: u64, entries: &[Vec<u8>]) -> Option<(Fate, [u8; 4])> {
        let dir = tempfile::tempdir().unwrap();
        let (log, disk) = (dir.path().join("log"), dir.path().join("disk"));
        std::fs::write(&log, [header([MAGIC, 1, told, 512]), entries.concat()].concat()).unwrap();
        std::fs::write(&disk, vec![b'-'; 4 * SECTOR as usize]).unwrap();
        let fate = replay(&log, &disk).unwrap()?;
        let disk = std::fs::read(disk).unwrap();
        Some((fate, [0, 512, 1024, 1536].map(|at: usize| disk[at])))
    }

    #[test]
    fn what_was_flushed_is_kept_and_what_came_later_is_lost() {
        let flush = header([0, 0, FLUSH, 0]);
        let entries = [write(0, b'a', 0), flush.clone(), write(1, b'b', 0), write(2, b'c', FUA)];
        let (fate, disk) = cut(2, &entries).unwrap();
        assert_eq!((fate.kept, fate.lost, fate.flushes), (2, 1, 1));
        assert_eq!(&disk, b"a-c-");
        let (fate, disk) = cut(0, &entries[2..3]).unwrap();
        assert_eq!((fate.kept, fate.lost, &disk), (0, 1, b"----"));
        let discard = header([0, 1, DISCARD, 0]);
        let (_, disk) = cut(3, &[write(0, b'a', 0), discard, write(3, b'd', 0), flush]).unwrap();
        assert_eq!(&disk, b"\0--d");
    }

    #[test]
    fn a_log_with_a_gap_tells_nothing() {
        let gap = vec![0; 1024];
        assert_eq!(cut(3, &[write(0, b'a', 0), gap, header([0, 0, FLUSH, 0])]), None);
    }

    #[test]
    fn a_file_that_is_no_log_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("log"), vec![7; 1024]).unwrap();
        assert!(replay(&dir.path().join("log"), dir.path()).is_err());
    }
}
