// SPDX-License-Identifier: GPL-2.0-only

//! TransportIDs (SPC-4 7.6.4): who an initiator is to persistent reservations.

use kernel::prelude::*;

/// Bytes of a TransportID that no transport exceeds: an iSCSI name with its session identifier.
pub(crate) const MAX: usize = scst::proto::pr_id::MAX_LEN;

/// The identity that session number `number` since the module was loaded has unless it is given another: the SAS
/// format, and an address that no two sessions share.
pub(crate) fn default_for(number: u32) -> Result<KVec<u8>> {
    let [top, high, mid, low] = number.to_be_bytes();
    let mut id = KVec::from_elem(0, 24, GFP_KERNEL)?;
    let address = [
        0x5F,
        0xEE,
        0xDE,
        0x40 | low >> 4,
        (low & 0xF) << 4 | 0xF,
        0xAD ^ top,
        0xE0 ^ high,
        0x50 ^ mid,
    ];
    if let Some(protocol) = id.first_mut() {
        *protocol = 6;
    }
    if let Some(field) = id.get_mut(4..12) {
        field.copy_from_slice(&address);
    }
    Ok(id)
}
