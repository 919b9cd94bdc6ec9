// SPDX-License-Identifier: GPL-2.0-only
//! Saved mode parameters as text: the device's name, then one `KEY=value` on a line.

use core::fmt::Write;

use super::mgmt;
use super::mode::ModeState;
use super::text::Text;

/// Bytes of the longest file: a name of 64 bytes and all the keys.
pub const MAX: usize = 256;

/// The parameters that are saved, in the order of their lines.
const KEYS: [&str; 8] = [
    "TAS",
    "QERR",
    "TMF_ONLY",
    "SWP",
    "D_SENSE",
    "DPICZ",
    "QUEUE_ALG",
    "WRITE_THROUGH",
];

/// The file of device `name` with the parameters `state`. `None` for a name that does not fit.
pub fn write(name: &str, state: &ModeState) -> Option<Text<MAX>> {
    let values = [
        u8::from(state.tas),
        state.qerr,
        u8::from(state.tmf_only),
        u8::from(state.swp),
        u8::from(state.d_sense),
        u8::from(state.dpicz),
        state.queue_alg,
        u8::from(!state.wce),
    ];
    let mut text = Text::new();
    writeln!(text, "{name}").ok()?;
    for (key, value) in KEYS.iter().zip(values) {
        writeln!(text, "{key}={value}").ok()?;
    }
    Some(text)
}

/// The parameters in the file of device `name`; what it does not say is as in `default`. `None` for a file of another
/// device, and for one that says anything else, or what a parameter cannot be.
pub fn read(name: &str, text: &str, default: &ModeState) -> Option<ModeState> {
    let (first, mut rest) = text.split_once('\n')?;
    if first != name {
        return None;
    }
    let mut state = *default;
    while !rest.is_empty() {
        let (line, next) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = next;
        let (key, value) = line.split_once('=')?;
        let value = mgmt::number_to(value, 3).ok()? as u8;
        let flag = || (value <= 1).then_some(value == 1);
        match key {
            "TAS" => state.tas = flag()?,
            "QERR" if value != 2 => state.qerr = value,
            "TMF_ONLY" => state.tmf_only = flag()?,
            "SWP" => state.swp = flag()?,
            "D_SENSE" => state.d_sense = flag()?,
            "DPICZ" => state.dpicz = flag()?,
            "QUEUE_ALG" if value <= 1 => state.queue_alg = value,
            "WRITE_THROUGH" => state.wce = !flag()?,
            _ => return None,
        }
    }
    Some(state)
}
