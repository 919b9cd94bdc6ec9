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
    let mut groups = 0_usize;
    for group in text.trim().rsplit(',') {
        let value = digits(group)?;
        let allowed = all(groups, cpus);
        if value & !allowed != 0 {
            return Err(Error::Overflow);
        }
        if let Some(word) = words.get_mut(groups) {
            *word = value;
        }
        groups = groups.saturating_add(1);
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
        let count = self.cpus.div_ceil(32).max(1);
        for at in (0..count).rev() {
            let word = self.words.get(at).copied().unwrap_or(0);
            if at.saturating_add(1) == count {
                let bits = self.cpus.saturating_sub(at.saturating_mul(32));
                write!(f, "{word:0width$x}", width = bits.div_ceil(4).max(1))?;
            } else {
                write!(f, ",{word:08x}")?;
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
