// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a guest was promised before the power went, and whether it is there.
//!
//! `ci/stress/files/stress/acks.py` is the other side. It fills every sector that it writes with words that tell sector,
//! store and version, and when a command has ended that makes data stable, notes in a journal what must now outlive a cut.
//! The journal is a disk of its own: sector 0 is written here and starts the guest's work, and each store has
//! [`AREA`] sectors behind it, filled one by one.

use std::collections::HashMap;

/// Bytes of a sector, of the journal and of the stores.
pub(super) const SECTOR: usize = 512;
/// Sectors of the journal that belong to one store.
pub(super) const AREA: usize = 2048;
/// The first word of every sector of the journal, and of the stores.
const MAGIC: u64 = 0x4445_4741_5553_5341;
/// Bytes of the notes' header, and of a note.
const HEADER: usize = 16;
const NOTE: usize = 16;
/// The address in sectors that were written by WRITE SAME.
const ANYWHERE: u64 = u64::MAX;
/// The kind of a note: zeroes, which have no version.
const ZEROES: u16 = 1;

/// What a sector must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    /// This version, or a later one.
    Version(u64),
    /// Nothing.
    Zeroes,
}

/// All that one store has acknowledged.
#[derive(Debug, Default)]
pub(super) struct Promises {
    sectors: HashMap<u64, Must>,
    /// Commands that made something stable.
    pub(super) commands: u64,
}

/// The sector that starts the guest's work.
pub(super) fn start(seed: u32) -> Vec<u8> {
    let mut sector = [MAGIC.to_le_bytes(), u64::from(seed).to_le_bytes()].concat();
    sector.resize(SECTOR, 0);
    sector
}

/// Where in the journal the area of store number `store` begins, in bytes.
pub(super) fn area(store: usize) -> usize {
    (1 + store * AREA) * SECTOR
}

/// Whether `sector` is one of a journal that was started with `seed`.
pub(super) fn is_note(sector: &[u8], seed: u32) -> bool {
    word(sector, 0) == Some(MAGIC)
        && word(sector, 8).is_some_and(|word| word & 0xffff_ffff == u64::from(seed))
}

impl Promises {
    /// What stands in the area of a store.
    pub(super) fn read(area: &[u8], seed: u32) -> Self {
        let mut found = Self::default();
        for sector in area.chunks_exact(SECTOR).take_while(|sector| is_note(sector, seed)) {
            found.commands += 1;
            let count = (word(sector, 8).unwrap_or(0) >> 32) as usize;
            for note in sector[HEADER..].chunks_exact(NOTE).take(count) {
                found.take_down(note);
            }
        }
        found
    }

    /// One note: first sector (32 bits), sectors (16), kind (16), version (64).
    fn take_down(&mut self, note: &[u8]) {
        let (Some(place), Some(version)) = (word(note, 0), word(note, 8)) else { return };
        let (first, count, kind) = (place & 0xffff_ffff, (place >> 32) & 0xffff, (place >> 48) as u16);
        let must = if kind == ZEROES { Must::Zeroes } else { Must::Version(version) };
        self.sectors.extend((first..first + count).map(|sector| (sector, must)));
    }

    /// How many sectors were promised.
    pub(super) fn sectors(&self) -> u64 {
        self.sectors.len() as u64
    }

    /// The first sector of `found`, the store's content, that is not as it was promised to number `store`.
    pub(super) fn broken(&self, found: &[u8], store: usize, seed: u32) -> Option<String> {
        let mut all: Vec<_> = self.sectors.iter().collect();
        all.sort_unstable_by_key(|(sector, _)| **sector);
        all.into_iter().find_map(|(sector, must)| {
            let at = usize::try_from(*sector).ok()?.checked_mul(SECTOR)?;
            let there = found.get(at..at + SECTOR).unwrap_or_default();
            let held = holds(there, *sector, store, seed);
            let kept = match (must, &held) {
                (Must::Version(wanted), Ok(found)) => found >= wanted,
                (Must::Zeroes, held) => {
                    held.is_err() && there.iter().all(|byte| *byte == 0) && !there.is_empty()
                }
                (Must::Version(_), Err(_)) => false,
            };
            (!kept).then(|| match held {
                Ok(version) => {
                    format!("sector {sector} holds version {version}, and {must:?} was acknowledged")
                }
                Err(what) => format!("sector {sector} {what}, and {must:?} was acknowledged"),
            })
        })
    }
}

/// The version of what is in a sector, or what is wrong with it.
fn holds(there: &[u8], sector: u64, store: usize, seed: u32) -> Result<u64, String> {
    if there.len() < SECTOR {
        return Err("is behind the end".into());
    }
    if there.iter().all(|byte| *byte == 0) {
        return Err("holds zeroes".into());
    }
    let (Some(MAGIC), Some(version), Some(place), Some(owner)) =
        (word(there, 0), word(there, 8), word(there, 16), word(there, 24))
    else {
        return Err("holds what was never written".into());
    };
    if place != sector && place != ANYWHERE {
        return Err(format!("holds what was written to sector {place}"));
    }
    if owner != (u64::from(seed) << 32 | store as u64) {
        return Err("holds what another store was sent".into());
    }
    let filling = MAGIC ^ version ^ place.wrapping_shl(20);
    match there[32..].chunks_exact(8).all(|bytes| word(bytes, 0) == Some(filling)) {
        true => Ok(version),
        false => Err(format!("holds a part of version {version}")),
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u32 = 7;

    fn sector(place: u64, version: u64, store: u64) -> Vec<u8> {
        let head = [MAGIC, version, place, u64::from(SEED) << 32 | store];
        let filling = MAGIC ^ version ^ place.wrapping_shl(20);
        head.into_iter().chain(std::iter::repeat_n(filling, 60)).flat_map(u64::to_le_bytes).collect()
    }

    fn notes(notes: &[(u32, u16, u16, u64)]) -> Vec<u8> {
        let mut sector =
            [MAGIC.to_le_bytes(), (u64::from(SEED) | (notes.len() as u64) << 32).to_le_bytes()].concat();
        for (first, count, kind, version) in notes {
            sector.extend(first.to_le_bytes());
            sector.extend(count.to_le_bytes());
            sector.extend(kind.to_le_bytes());
            sector.extend(version.to_le_bytes());
        }
        sector.resize(SECTOR, 0);
        sector
    }

    fn judge(journal: &[Vec<u8>], store: &[Vec<u8>]) -> Option<String> {
        let area = [journal.concat(), vec![0; SECTOR]].concat();
        Promises::read(&area, SEED).broken(&store.concat(), 3, SEED)
    }

    #[test]
    fn what_was_acknowledged_or_is_later_is_kept() {
        let journal = [notes(&[(0, 2, 0, 5)]), notes(&[(2, 1, ZEROES, 9)])];
        let zero = vec![0; SECTOR];
        assert_eq!(judge(&journal, &[sector(0, 5, 3), sector(1, 6, 3), zero.clone()]), None);
        assert_eq!(judge(&journal, &[sector(0, 5, 3), sector(ANYWHERE, 8, 3), zero]), None);
        let promises = Promises::read(&journal.concat(), SEED);
        assert_eq!((promises.commands, promises.sectors()), (2, 3));
    }

    #[test]
    fn everything_else_is_told() {
        let zero = vec![0; SECTOR];
        let mut torn = sector(0, 5, 3);
        torn[400] ^= 1;
        let cases = [
            (sector(0, 4, 3), "version 4"),
            (zero.clone(), "zeroes"),
            (sector(9, 5, 3), "sector 9"),
            (sector(0, 5, 2), "another store"),
            (torn, "a part of"),
            (vec![1; SECTOR], "never written"),
            (Vec::new(), "behind the end"),
        ];
        for (found, why) in cases {
            let told = judge(&[notes(&[(0, 1, 0, 5)])], &[found]).unwrap();
            assert!(told.contains(why), "{told}");
        }
        let told = judge(&[notes(&[(0, 1, ZEROES, 5)])], &[sector(0, 2, 3)]).unwrap();
        assert!(told.contains("Zeroes was acknowledged"), "{told}");
    }

    #[test]
    fn notes_of_another_start_are_none() {
        let area = [notes(&[(0, 1, 0, 5)]), vec![0; SECTOR]].concat();
        assert_eq!(Promises::read(&area, SEED + 1).commands, 0);
        assert!(is_note(&start(SEED), SEED) && !is_note(&start(SEED), SEED + 1));
    }
}
