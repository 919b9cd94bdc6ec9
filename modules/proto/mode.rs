// SPDX-License-Identifier: GPL-2.0-only
//! Mode pages: MODE SENSE and MODE SELECT (SPC-4 6.11 to 6.14, 7.5; SBC-3 6.4).

use super::cdb::{ModeSelect, ModeSense};
use super::device_type::DeviceType;
use super::sense::Sense;

/// The mode parameters that have a meaning in this stack; everything else on the pages is constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeState {
    /// Write cache enabled (Caching page).
    pub wce: bool,
    /// Task set type, 0 or 1.
    pub tst: u8,
    /// Task management functions only while ACA is active.
    pub tmf_only: bool,
    /// Disable protection information check if PROTECT is zero.
    pub dpicz: bool,
    /// Sense in descriptor format.
    pub d_sense: bool,
    /// QUEUE ALGORITHM MODIFIER: 0 restricted reordering, 1 unrestricted.
    pub queue_alg: u8,
    /// QErr: 0, 1 or 3.
    pub qerr: u8,
    /// Software write protect.
    pub swp: bool,
    /// Task aborted status.
    pub tas: bool,
}

impl ModeState {
    /// The values of a new device with or without a write-back cache.
    pub const fn new(wce: bool, tst: u8) -> Self {
        Self {
            wce,
            tst,
            tmf_only: false,
            dpicz: false,
            d_sense: false,
            queue_alg: 1,
            qerr: 0,
            swp: false,
            tas: false,
        }
    }
}

/// The device as MODE SENSE and MODE SELECT see it.
#[derive(Clone, Copy, Debug)]
pub struct ModeDevice<'a> {
    /// Device type; CD-ROMs have fewer pages.
    pub device_type: DeviceType,
    /// Logical block length in bytes.
    pub block_size: u32,
    /// Number of logical blocks.
    pub blocks: u64,
    /// WP: the LUN or the device is read-only, or SWP is set.
    pub write_protected: bool,
    /// WCE may be changed (not with `nv_cache`).
    pub wce_changeable: bool,
    /// Values in effect.
    pub current: &'a ModeState,
    /// Values of a new device.
    pub default: &'a ModeState,
    /// Saved values; `None` where saving is not supported.
    pub saved: Option<&'a ModeState>,
}

/// MODE SENSE data, 6 or 10. Returns how many bytes of `out` hold it.
pub fn sense(
    _request: &ModeSense,
    _device: &ModeDevice<'_>,
    _out: &mut [u8],
) -> Result<usize, Sense> {
    Err(Sense::INVALID_OPCODE)
}

/// The state that a MODE SELECT parameter list asks for, or why it is refused; nothing changes unless all of the list
/// is good.
pub fn select(
    _request: &ModeSelect,
    _list: &[u8],
    _device: &ModeDevice<'_>,
) -> Result<ModeState, Sense> {
    Err(Sense::INVALID_OPCODE)
}
