// SPDX-License-Identifier: GPL-2.0-only
//! A short string of fixed capacity, kept inline.

use core::fmt;

/// The text did not fit; nothing of it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// At most `N` bytes of UTF-8, without allocation.
#[derive(Clone)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    /// A copy of `text`, which must fit.
    pub fn copy_of(text: &str) -> Result<Self, Overflow> {
        let mut copy = Self::new();
        copy.push_str(text)?;
        Ok(copy)
    }

    /// Appends `text` whole, or fails and leaves the contents as they were.
    pub fn push_str(&mut self, text: &str) -> Result<(), Overflow> {
        let end = self.len.checked_add(text.len()).ok_or(Overflow)?;
        let room = self.bytes.get_mut(self.len..end).ok_or(Overflow)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }

    /// Appends as many whole characters of `text` as fit; says whether all did.
    pub fn push_truncated(&mut self, text: &str) -> bool {
        let mut fits = N.saturating_sub(self.len).min(text.len());
        while !text.is_char_boundary(fits) {
            fits = fits.saturating_sub(1);
        }
        let Some(head) = text.get(..fits) else {
            return false;
        };
        self.push_str(head).is_ok() && fits == text.len()
    }

    /// Empties the text.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Only whole strings are ever appended, so the bytes are UTF-8 and the fallback is never
        // taken.
        core::str::from_utf8(self.as_bytes()).unwrap_or("")
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// Length in bytes.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no text.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text).map_err(|Overflow| fmt::Error)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> PartialEq for Text<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<const N: usize> Eq for Text<N> {}
