// SPDX-License-Identifier: GPL-2.0-only
//! Default identities of virtual devices.

use super::text::Text;

/// Longest `usn`, in bytes.
pub const USN_MAX: usize = 20;

/// Longest `t10_dev_id`, in bytes.
pub const T10_DEV_ID_MAX: usize = 25;

/// CRC-32C (Castagnoli), initial value and final XOR all ones.
pub fn crc32c(_bytes: &[u8]) -> u32 {
    0
}

/// The number that stands for the device `name` of the installation `setup_id`.
pub fn device_number(setup_id: u32, name: &str) -> u64 {
    u64::from(setup_id) << 32 | u64::from(crc32c(name.as_bytes()))
}

/// The default `usn`: the device number in hexadecimal.
pub fn usn(_setup_id: u32, _name: &str) -> Text<USN_MAX> {
    Text::new()
}

/// The default `t10_dev_id`: device number and name, cut to 25 bytes.
pub fn t10_dev_id(_setup_id: u32, _name: &str) -> Text<T10_DEV_ID_MAX> {
    Text::new()
}
