// SPDX-License-Identifier: GPL-2.0-only
//! Sets of CPUs as text: groups of hexadecimal digits for 32 CPUs each, the highest first, with commas between them.

use core::fmt;

/// Why a mask is refused, as the errno the writer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// EINVAL: not such a text.
    Inval,
    /// EOVERFLOW: names a CPU beyond the last.
    Overflow,
}

/// The mask of all of `cpus` CPUs in the word number `word`, which holds CPUs `32 * word` and up.
pub const fn all(word: usize, cpus: usize) -> u32 {
    match cpus.saturating_sub(word.saturating_mul(32)) {
        n if n >= 32 => u32::MAX,
        // The shift is below 32, so nothing overflows.
        n => 1_u32.wrapping_shl(n as u32).wrapping_sub(1),
    }
}

/// Reads `text` into `words`, the lowest CPUs in the first; `cpus` is how many there are.
pub fn parse(text: &str, cpus: usize, words: &mut [u32]) -> Result<(), Error> {
    words.fill(0);
    let text = text.trim();
    let mut at = text
        .bytes()
        .fold(0_usize, |n, c| n.saturating_add(usize::from(c == b',')));
    for group in text.split(',') {
        let value = digits(group)?;
        if value & !all(at, cpus) != 0 {
            return Err(Error::Overflow);
        }
        if let Some(word) = words.get_mut(at) {
            *word = value;
        }
        at = at.saturating_sub(1);
    }
    Ok(())
}

fn digits(group: &str) -> Result<u32, Error> {
    if group.is_empty() || !group.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Err(Error::Inval);
    }
    match u32::from_str_radix(group, 16) {
        Ok(value) => Ok(value),
        // Nothing but digits: too many of them.
        Err(_) => Err(Error::Overflow),
    }
}

/// The text of the mask in `words` for `cpus` CPUs: as many digits as they need.
pub struct Show<'a> {
    /// The lowest CPUs first.
    pub words: &'a [u32],
    /// How many CPUs there are.
    pub cpus: usize,
}

impl fmt::Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.cpus.div_ceil(4).max(1);
        for digit in (0..digits).rev() {
            let word = self.words.get(digit / 8).copied().unwrap_or(0);
            let value = word.wrapping_shr(4 * (digit % 8) as u32) & 0xF;
            write!(f, "{value:x}")?;
            if digit % 8 == 0 && digit > 0 {
                f.write_str(",")?;
            }
        }
        Ok(())
    }
}

/// Whether every CPU is in the mask.
pub fn is_all(words: &[u32], cpus: usize) -> bool {
    words
        .iter()
        .enumerate()
        .all(|(at, word)| *word == all(at, cpus))
}
