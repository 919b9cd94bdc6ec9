// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether a value is as it should be, and what a value is when nobody sets it.

use crate::conf::number;
use crate::spec::format::{CPU_MASK, EUI64, NAA};
use crate::spec::{Format, Kind, Spec, DEVICE_TITLE};

/// Whether the file that shows `shown` needs no write of `wanted`: the same text, as SCST's own tool compares, or
/// another spelling of the same value.
pub(super) fn same(kind: Kind, wanted: &str, shown: &str) -> bool {
    wanted == shown
        || match kind {
            Kind::Number(..) | Kind::Hex(_) | Kind::Size(_) | Kind::Switch | Kind::Flag => {
                number(wanted).is_some_and(|wanted| Some(wanted) == number(shown))
            }
            Kind::Text(format) | Kind::Word(format) if hexadecimal(format) => digits(wanted) == digits(shown),
            _ => false,
        }
}

/// Whether text of this form is one number in hexadecimal.
fn hexadecimal(format: &'static Format) -> bool {
    [&CPU_MASK, &NAA, &EUI64].into_iter().any(|known| std::ptr::eq(known, format))
}

/// The digits of such a number without what its spelling adds: `0x`, leading zeros, and commas in bitmaps.
fn digits(text: &str) -> String {
    let bare = text.strip_prefix("0x").unwrap_or(text).replace(',', "").to_lowercase();
    bare.trim_start_matches('0').to_string()
}

/// What SCST shows where nobody set a value, for values that can be set back to it.
const DEFAULTS: [(&str, [Option<&str>; 4]); 14] = [
    ("threads_pool_type", [Some("per_initiator"); 4]),
    ("max_tgt_dev_commands", [Some("64"); 4]),
    ("numa_node_id", [Some("-1"); 4]),
    ("pr_file_name", [Some(""); 4]),
    ("async", [Some("0"), None, None, None]),
    ("active", [Some("1"), Some("1"), None, None]),
    ("bind_alua_state", [Some("0"), Some("1"), None, None]),
    ("expl_alua", [Some("0"), Some("0"), None, None]),
    ("lb_per_pb_exp", [Some("1"), Some("1"), None, None]),
    ("read_zero", [None, None, Some("0"), None]),
    ("naa_id", [Some(""); 4]),
    ("eui64_id", [Some(""); 4]),
    ("threads_num", [None, Some("1"), Some("1"), None]),
    ("cluster_mode", [Some("0"), Some("0"), Some("0"), None]),
];

/// The same for all that is no device.
const OTHER_DEFAULTS: [(&str, &str); 16] = [
    ("black_hole", "0"),
    ("measure_latency", "0"),
    ("async_lun_replace", "0"),
    ("addr_method", "PERIPHERAL"),
    ("io_grouping_type", "auto"),
    ("aen_disabled", "0"),
    ("forward_src", "0"),
    ("forward_dst", "0"),
    ("forwarding", "0"),
    ("comment", ""),
    ("scsi_transport_version", "0xbe0"),
    ("phys_transport_version", "0x0"),
    ("setup_id", "0x0"),
    ("max_tasklet_cmd", "10"),
    ("poll_us", "0"),
    ("force_global_sgv_pool", "0"),
];

/// Values that SCST's tool never saves, so that nothing but their default tells whether somebody set them.
const NEVER_KEYED: [&str; 3] = ["black_hole", "measure_latency", "async_lun_replace"];

/// Whether somebody set a value although the file does not say so.
pub(super) fn set_without_key(name: &str, shown: &str) -> bool {
    NEVER_KEYED.contains(&name) && number(shown).is_some_and(|shown| shown != 0)
}

/// The default of an attribute at an owner of this kind; none where it depends on something.
pub(super) fn default_of(spec: &Spec, owner: usize, name: &str) -> Option<&'static str> {
    if spec.title == DEVICE_TITLE {
        let (_, defaults) = DEFAULTS.iter().find(|(known, _)| *known == name)?;
        return *defaults.get(owner)?;
    }
    OTHER_DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, default)| *default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::format::USN;

    #[test]
    fn spellings_of_one_value_are_the_same() {
        let number = Kind::Number(0, 99);
        for (kind, wanted, shown, equal) in [
            (number, "16", "0x10", true),
            (number, "16", "17", false),
            (Kind::Switch, "1", "1", true),
            (Kind::Word(&CPU_MASK), "3", "00000000,00000003", true),
            (Kind::Word(&CPU_MASK), "3", "1", false),
            (Kind::Text(&NAA), "5000C50015EA71AC", "0x5000c50015ea71ac", true),
            (Kind::Word(&USN), "disk", "disk", true),
            (Kind::Word(&USN), "0a1", "a1", false),
            (Kind::Line(16), "0x10", "16", false),
        ] {
            assert_eq!(same(kind, wanted, shown), equal, "{wanted} {shown}");
        }
    }
}
