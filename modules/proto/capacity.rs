// SPDX-License-Identifier: GPL-2.0-only
//! READ CAPACITY data (SBC-3 5.15, 5.16).

use super::writer::Writer;

/// What READ CAPACITY tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Number of logical blocks.
    pub blocks: u64,
    /// Logical block length in bytes.
    pub block_size: u32,
    /// Physical blocks hold `1 << physical_exponent` logical ones; 0 to 15.
    pub physical_exponent: u8,
    /// First logical block at the start of a physical one; 0 to 16383.
    pub lowest_aligned: u16,
    /// Logical block provisioning management enabled: the unit is thin.
    pub lbpme: bool,
    /// Unmapped blocks read as zeroes.
    pub lbprz: bool,
}

impl Capacity {
    /// READ CAPACITY (10) data. Returns how many bytes of `out` hold it (at most 8).
    pub fn read_capacity_10(&self, out: &mut [u8]) -> usize {
        let mut w = Writer::new(out);
        w.u32(u32::try_from(self.last_lba()).unwrap_or(u32::MAX));
        w.u32(self.block_size);
        w.stored()
    }

    /// READ CAPACITY (16) data. Returns how many bytes of `out` hold it (at most 32).
    pub fn read_capacity_16(&self, out: &mut [u8]) -> usize {
        let mut w = Writer::new(out);
        w.u64(self.last_lba());
        w.u32(self.block_size);
        w.u8(0);
        w.u8(self.physical_exponent & 0x0F);
        let [high, low] = self.lowest_aligned.to_be_bytes();
        w.u8((u8::from(self.lbpme) << 7) | (u8::from(self.lbprz) << 6) | (high & 0x3F));
        w.u8(low);
        w.zero_to(32);
        w.stored()
    }

    /// Address of the last block; all ones when there is none.
    const fn last_lba(&self) -> u64 {
        self.blocks.wrapping_sub(1)
    }
}
