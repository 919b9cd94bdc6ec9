// SPDX-License-Identifier: MIT OR Apache-2.0
//! The attributes of the made-up target stack: modes, defaults and formats of the interface.

use super::Fake;
use std::fs;

/// One file.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) mode: u32,
    pub(super) default: &'static str,
    pub(super) format: Format,
}

/// How a value is shown and taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Decimal; saved when it is not the default.
    Number,
    /// `0x` and hexadecimal; saved when it is not the default.
    Hex,
    /// Decimal from 1 to 65535, which nothing takes back to 0; saved when it is not 0.
    Id,
    /// The same, always saved.
    SavedId,
    /// Decimal, never saved.
    Unsaved,
    /// Always saved.
    Saved,
    /// Any text; saved when it is not the default.
    Text,
    /// Text that shows nothing at all, not even a line end, while it is empty.
    Comment,
    /// A path with one more line end, or `none`.
    Path,
    WriteOnly,
}

impl Format {
    /// What the file shows of a value.
    pub(super) fn shown(self, value: &str, default: &str) -> String {
        let key = match self {
            Format::Unsaved => false,
            Format::Saved | Format::SavedId => true,
            _ => value != default,
        };
        match (self, key) {
            (Format::Comment, false) => String::new(),
            (Format::Path, false) => "none\n\n".to_string(),
            (Format::Path, true) => format!("{value}\n[key]\n\n"),
            (_, true) => format!("{value}\n[key]\n"),
            (_, false) => format!("{value}\n"),
        }
    }

    /// What becomes of a written value.
    pub(super) fn stored(self, data: &str) -> Result<String, &'static str> {
        let data = data.trim_end_matches('\n');
        match self {
            Format::Id | Format::SavedId => match data.parse::<u16>() {
                Ok(number) if number != 0 => Ok(number.to_string()),
                _ => Err("EINVAL"),
            },
            Format::Number | Format::Hex | Format::Unsaved => {
                let hex = data.strip_prefix("0x").map(|digits| i64::from_str_radix(digits, 16));
                let number = hex.unwrap_or_else(|| data.parse()).map_err(|_| "EINVAL")?;
                Ok(if self == Format::Hex { format!("0x{number:x}") } else { number.to_string() })
            }
            _ => Ok(data.to_string()),
        }
    }
}

const fn row(name: &'static str, mode: u32, default: &'static str, format: Format) -> Row {
    Row { name, mode, default, format }
}

use Format::{Comment, Hex, Id, Number, Path, Saved, SavedId, Text, Unsaved, WriteOnly};

pub(super) static CORE: &[Row] = &[
    row("threads", 0o644, "2", Number),
    row("setup_id", 0o644, "0x0", Hex),
    row("max_tasklet_cmd", 0o644, "10", Number),
    row("poll_us", 0o644, "0", Number),
    row("measure_latency", 0o644, "0", Unsaved),
    row("async_lun_replace", 0o644, "0", Unsaved),
    row("force_global_sgv_pool", 0o644, "0", Number),
    row("cluster_name", 0o644, "", Comment),
    row("suspend", 0o644, "0", Unsaved),
    row("last_sysfs_mgmt_res", 0o444, "0", Unsaved),
    row("trace_cmds", 0o444, "", Comment),
    row("trace_mcmds", 0o444, "", Comment),
];

pub(super) static COPY_MANAGER: &[Row] = &[row("allow_not_connected_copy", 0o644, "0", Number)];

pub(super) static TARGET: &[Row] = &[
    row("rel_tgt_id", 0o644, "0", Id),
    row("addr_method", 0o644, "PERIPHERAL", Text),
    row("io_grouping_type", 0o644, "auto", Text),
    row("black_hole", 0o644, "0", Unsaved),
    row("cpu_mask", 0o644, "3", Text),
    row("aen_disabled", 0o644, "0", Number),
    row("forward_src", 0o644, "0", Number),
    row("forward_dst", 0o644, "0", Number),
    row("forwarding", 0o644, "0", Number),
    row("comment", 0o644, "", Comment),
    row("scsi_transport_version", 0o644, "0xbe0", Hex),
    row("phys_transport_version", 0o644, "0x0", Hex),
    row("sg_tablesize", 0o444, "65535", Unsaved),
    row("unknown_cmd_count", 0o444, "0", Unsaved),
    row("none_cmd_count", 0o444, "4", Unsaved),
    row("read_cmd_count", 0o444, "10", Unsaved),
    row("read_io_count_kb", 0o444, "40", Unsaved),
    row("write_cmd_count", 0o444, "5", Unsaved),
    row("write_io_count_kb", 0o444, "20", Unsaved),
];

pub(super) static GROUP: &[Row] = &[
    row("addr_method", 0o644, "PERIPHERAL", Text),
    row("io_grouping_type", 0o644, "auto", Text),
    row("black_hole", 0o644, "0", Unsaved),
    row("cpu_mask", 0o644, "3", Text),
];

pub(super) static SESSION: &[Row] = &[
    row("commands", 0o444, "0", Unsaved),
    row("active_commands", 0o444, "0", Unsaved),
    row("read_cmd_count", 0o644, "10", Unsaved),
    row("read_io_count_kb", 0o644, "40", Unsaved),
    row("write_cmd_count", 0o644, "5", Unsaved),
    row("write_io_count_kb", 0o644, "20", Unsaved),
    row("force_close", 0o200, "", WriteOnly),
];

pub(super) static TARGET_GROUP: &[Row] = &[
    row("group_id", 0o644, "0", SavedId),
    row("preferred", 0o644, "0", Number),
    row("state", 0o644, "active", Saved),
];

pub(super) static REMOTE_TARGET: &[Row] = &[row("rel_tgt_id", 0o644, "0", SavedId)];

/// What every device has.
macro_rules! device {
    ($threads:literal, $($rest:expr),* $(,)?) => {
        &[
            row("threads_num", 0o644, $threads, Number),
            row("threads_pool_type", 0o644, "per_initiator", Text),
            row("max_tgt_dev_commands", 0o644, "64", Number),
            row("numa_node_id", 0o644, "-1", Number),
            row("block", 0o644, "0 0", Text),
            row("dump_prs", 0o200, "", WriteOnly),
            row("tst", 0o444, "1", Number),
            row("t10_vend_id", 0o644, "SCST_FIO", Text),
            row("vend_specific_id", 0o644, "0-x", Text),
            row("prod_id", 0o644, "x", Text),
            row("prod_rev_lvl", 0o644, "3110", Text),
            row("scsi_device_name", 0o644, "", Text),
            row("t10_dev_id", 0o644, "0-x", Text),
            row("usn", 0o644, "0", Text),
            row("inq_vend_specific", 0o644, "", Text),
            row("naa_id", 0o644, "", Text),
            row("eui64_id", 0o644, "", Text),
            row("pr_file_name", 0o644, "/var/lib/scst/pr/x", Text),
            row("size_mb", 0o444, "0", Unsaved),
            $($rest),*
        ]
    };
}

pub(super) static FILEIO: &[Row] = device![
    "8",
    row("filename", 0o644, "", Path),
    row("size", 0o444, "0", Saved),
    row("blocksize", 0o444, "512", Number),
    row("read_only", 0o444, "0", Number),
    row("write_through", 0o444, "0", Number),
    row("nv_cache", 0o444, "0", Number),
    row("o_direct", 0o444, "0", Number),
    row("async", 0o644, "0", Number),
    row("active", 0o644, "1", Number),
    row("bind_alua_state", 0o644, "0", Number),
    row("thin_provisioned", 0o444, "0", Number),
    row("removable", 0o444, "0", Number),
    row("rotational", 0o444, "1", Number),
    row("opt_trans_len", 0o644, "524288", Number),
    row("expl_alua", 0o644, "0", Number),
    row("lb_per_pb_exp", 0o644, "1", Number),
    row("resync_size", 0o200, "", WriteOnly),
];

pub(super) static BLOCKIO: &[Row] = device![
    "1",
    row("filename", 0o644, "", Path),
    row("size", 0o644, "134217728", Saved),
    row("blocksize", 0o444, "512", Number),
    row("read_only", 0o444, "0", Number),
    row("write_through", 0o444, "0", Number),
    row("nv_cache", 0o444, "0", Number),
    row("active", 0o644, "1", Number),
    row("bind_alua_state", 0o644, "1", Number),
    row("thin_provisioned", 0o444, "0", Number),
    row("removable", 0o444, "0", Number),
    row("rotational", 0o444, "1", Number),
    row("opt_trans_len", 0o644, "524288", Number),
    row("expl_alua", 0o644, "0", Number),
    row("lb_per_pb_exp", 0o644, "1", Number),
    row("resync_size", 0o200, "", WriteOnly),
];

pub(super) static NULLIO: &[Row] = device![
    "1",
    row("size", 0o644, "2748779069440", Number),
    row("blocksize", 0o444, "512", Number),
    row("read_only", 0o444, "0", Number),
    row("removable", 0o444, "0", Number),
    row("rotational", 0o444, "1", Number),
    row("opt_trans_len", 0o644, "524288", Number),
    row("dummy", 0o444, "0", Number),
    row("read_zero", 0o644, "0", Number),
];

pub(super) static VCDROM: &[Row] =
    device!["8", row("filename", 0o644, "", Path), row("size", 0o444, "0", Saved)];

/// Handlers: name, type, what `add_device` takes, files of a device.
pub(super) static HANDLERS: &[(&str, &str, &str, &[Row])] = &[
    (
        "vdisk_fileio",
        "0 - Direct-access device (e.g., magnetic disk)",
        "active, async, bind_alua_state, blocksize, cluster_mode, dif_filename, dif_mode, dif_static_app_tag, \
         dif_type, filename, numa_node_id, nv_cache, o_direct, read_only, removable, rotational, thin_provisioned, \
         tst, t10_dev_id, write_through",
        FILEIO,
    ),
    (
        "vdisk_blockio",
        "0 - Direct-access device (e.g., magnetic disk)",
        "active, bind_alua_state, blocksize, cluster_mode, dif_filename, dif_mode, dif_static_app_tag, dif_type, \
         filename, numa_node_id, nv_cache, read_only, removable, rotational, thin_provisioned, tst, t10_dev_id, \
         write_through",
        BLOCKIO,
    ),
    (
        "vdisk_nullio",
        "0 - Direct-access device (e.g., magnetic disk)",
        "blocksize, cluster_mode, dif_mode, dif_static_app_tag, dif_type, dummy, numa_node_id, read_only, \
         removable, rotational, size, size_mb, tst, t10_dev_id",
        NULLIO,
    ),
    ("vcdrom", "5 - CD-ROM device", "tst", VCDROM),
];

/// A row by name.
pub(super) fn attribute(table: &'static [Row], name: &str) -> Option<&'static Row> {
    table.iter().find(|row| row.name == name)
}

/// The files of the object in a folder.
pub(super) fn of(fake: &Fake, folder: &[&str]) -> Option<&'static [Row]> {
    match folder {
        [] => Some(CORE),
        ["devices", name] => {
            let handler = fs::read_link(fake.at(&format!("devices/{name}/handler"))).ok()?;
            let handler = handler.file_name()?.to_str()?.to_string();
            HANDLERS.iter().find(|(known, ..)| *known == handler).map(|(.., rows)| *rows)
        }
        ["targets", "copy_manager"] => Some(COPY_MANAGER),
        ["targets", _, _] => Some(TARGET),
        ["targets", _, _, "ini_groups", _] => Some(GROUP),
        ["targets", _, _, "sessions", _] => Some(SESSION),
        ["device_groups", _, "target_groups", _] => Some(TARGET_GROUP),
        ["device_groups", _, "target_groups", _, _] => Some(REMOTE_TARGET),
        _ => None,
    }
}
