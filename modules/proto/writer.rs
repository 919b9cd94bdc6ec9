// SPDX-License-Identifier: GPL-2.0-only
//! A bounded big-endian writer that counts past its end.

/// Writes parameter data into a buffer cut to the allocation length.
///
/// What does not fit is dropped and still counted, so that the length fields of the answer are
/// those of the whole answer whatever the initiator asked for (SPC-4 4.2.5.6).
pub struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// A writer at the start of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0 }
    }

    /// Length of the whole answer so far, in bytes.
    pub const fn total(&self) -> usize {
        self.at
    }

    /// How many bytes of the buffer hold the answer.
    pub fn stored(&self) -> usize {
        self.at.min(self.out.len())
    }

    /// Writes `bytes`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.at.saturating_add(bytes.len());
        if let Some(room) = self.out.get_mut(self.at..) {
            let fits = room.len().min(bytes.len());
            if let (Some(to), Some(from)) = (room.get_mut(..fits), bytes.get(..fits)) {
                to.copy_from_slice(from);
            }
        }
        self.at = end;
    }

    /// Writes one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    /// Writes two bytes, big-endian.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes the low three bytes of `value`, big-endian.
    pub fn u24(&mut self, value: u32) {
        let [_, a, b, c] = value.to_be_bytes();
        self.bytes(&[a, b, c]);
    }

    /// Writes four bytes, big-endian.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes `count` bytes of `value`.
    pub fn fill(&mut self, value: u8, count: usize) {
        let end = self.at.saturating_add(count);
        let stop = end.min(self.out.len());
        if let Some(room) = self.out.get_mut(self.at..stop) {
            room.fill(value);
        }
        self.at = end;
    }

    /// Writes zeroes up to byte `offset` of the answer; nothing if already there.
    pub fn zero_to(&mut self, offset: usize) {
        self.fill(0, offset.saturating_sub(self.at));
    }

    /// Writes an ASCII field of `width` bytes, left-aligned and padded with blanks (SPC-4 4.4.1).
    pub fn padded(&mut self, text: &[u8], width: usize) {
        let kept = text.get(..width).unwrap_or(text);
        self.bytes(kept);
        self.fill(b' ', width.saturating_sub(kept.len()));
    }

    /// Overwrites the byte at `offset`, for a length known only later. No effect past the buffer.
    pub fn patch_u8(&mut self, offset: usize, value: u8) {
        if let Some(byte) = self.out.get_mut(offset) {
            *byte = value;
        }
    }

    /// Overwrites two bytes at `offset`, as far as they lie in the buffer.
    pub fn patch_u16(&mut self, offset: usize, value: u16) {
        let [high, low] = value.to_be_bytes();
        self.patch_u8(offset, high);
        self.patch_u8(offset.saturating_add(1), low);
    }

    /// Overwrites four bytes at `offset`, as far as they lie in the buffer.
    pub fn patch_u32(&mut self, offset: usize, value: u32) {
        let [a, b, c, d] = value.to_be_bytes();
        self.patch_u16(offset, u16::from_be_bytes([a, b]));
        self.patch_u16(offset.saturating_add(2), u16::from_be_bytes([c, d]));
    }
}
