// SPDX-License-Identifier: GPL-2.0-only
//! Numbers and runs of bytes, taken from the front of an input; zeroes once it is used up.

/// What is left of an input.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn u8(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from(self.u32()) << 32 | u64::from(self.u32())
    }

    pub fn bit(&mut self) -> bool {
        self.u8() & 1 != 0
    }

    /// Up to `most` bytes, as many as the next byte says.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let len = usize::from(self.u8()).min(most).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `answer` written into `room` bytes is the beginning of `answer` written into plenty.
pub fn cut_is_a_prefix<E: PartialEq + core::fmt::Debug>(
    room: usize,
    answer: impl Fn(&mut [u8]) -> Result<usize, E>,
) {
    let mut whole = vec![0xEE; 65_536];
    let mut cut = vec![0xEE; room];
    match (answer(&mut whole), answer(&mut cut)) {
        (Ok(len), Ok(stored)) => {
            assert_eq!(stored, len.min(room));
            assert_eq!(cut[..stored], whole[..stored]);
        }
        (whole, cut) => assert_eq!(whole, cut),
    }
}
