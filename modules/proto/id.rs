// SPDX-License-Identifier: GPL-2.0-only
//! Default identities of virtual devices.

use super::text::Text;
use core::fmt::Write;

/// Longest `usn`, in bytes.
pub const USN_MAX: usize = 20;

/// Longest `t10_dev_id`, in bytes.
pub const T10_DEV_ID_MAX: usize = 25;

/// CRC-32C (Castagnoli) of `bytes` as the kernel's `crc32c(0, ...)` computes it: initial value 0,
/// no final inversion.
pub fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc, &byte| extend_crc32c(crc, byte))
}

fn extend_crc32c(crc: u32, byte: u8) -> u32 {
    let [low, ..] = crc.to_le_bytes();
    let entry = CRC32C.get(usize::from(low ^ byte)).copied().unwrap_or(0);
    (crc >> 8) ^ entry
}

/// The remainder of each byte by the reflected Castagnoli polynomial.
static CRC32C: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 != 0 { 0x82F6_3B78 } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The number that stands for the device `name` of the installation `setup_id`: the latter above
/// the checksum of the name and the NUL that ends it.
pub fn device_number(setup_id: u32, name: &str) -> u64 {
    let checksum = extend_crc32c(crc32c(name.as_bytes()), 0);
    (u64::from(setup_id) << 32) | u64::from(checksum)
}

/// The default `usn`: the device number in hexadecimal.
pub fn usn(setup_id: u32, name: &str) -> Text<USN_MAX> {
    let mut usn = Text::new();
    // At most 16 digits: they fit.
    let _ = write!(usn, "{:x}", device_number(setup_id, name));
    usn
}

/// The default `t10_dev_id`: device number and name, cut to 25 bytes.
pub fn t10_dev_id(setup_id: u32, name: &str) -> Text<T10_DEV_ID_MAX> {
    let mut id = Text::new();
    id.push_truncated(usn(setup_id, name).as_str());
    id.push_truncated("-");
    id.push_truncated(name);
    id
}
