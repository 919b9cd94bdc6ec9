// SPDX-License-Identifier: MIT OR Apache-2.0
//! SCST's attributes and parameters: which there are at which object, what they take, and what may be set.

use super::format::{COMMENT, CPU_MASK, EUI64, IO_GROUPING, NAA, PATH, T10_ID, USN};
use super::{Attribute, Kind, SizeRule};

/// Shorthand for one row.
const fn row(name: &'static str, roles: &'static str, kind: Kind, doc: &'static str) -> Attribute {
    Attribute { name, kind, roles, doc }
}

const COUNT: Kind = Kind::Number(0, i32::MAX as i64);
const ANY_SIZE: Kind =
    Kind::Size(&SizeRule { min: 512, max: 1 << 31, multiple: 512, why: "SCST counts whole blocks" });

/// A device's; the roles are for fileio, blockio, nullio, vcdrom.
pub(super) static DEVICE: &[Attribute] = &[
    row("blocksize", "ccc-", Kind::Number(1, 1 << 30), "Bytes in a block: 512, 1024, 2048 or 4096."),
    row("read_only", "ccc-", Kind::Switch, "Initiators may only read."),
    row("write_through", "cc--", Kind::Switch, "Every write is on stable storage before it is acknowledged."),
    row("nv_cache", "cc--", Kind::Switch, "Say that the cache is not volatile, and never flush."),
    row("o_direct", "c---", Kind::Switch, "Bypass the page cache; only together with `async`."),
    row("async", "c---", Kind::Switch, "Asynchronous file I/O instead of blocking calls."),
    row("removable", "ccc-", Kind::Switch, "Set the removable-medium bit of INQUIRY."),
    row(
        "rotational",
        "ccc-",
        Kind::Switch,
        "What VPD page B1 says: a spinning disk (true) or solid state (false).",
    ),
    row("thin_provisioned", "cc--", Kind::Switch, "Offer UNMAP and say so in VPD page B2."),
    row(
        "tst",
        "cccc",
        Kind::Number(0, 1),
        "Task set type of mode page 0A: 0 one set for all, 1 one for each nexus.",
    ),
    row("active", "cc--", Kind::Switch, "Whether the backing is opened."),
    row("bind_alua_state", "cc--", Kind::Switch, "Close the backing while the ALUA state forbids access."),
    row(
        "cluster_mode",
        "uuu-",
        Kind::Switch,
        "Persistent reservations over a cluster need DLM, which this kernel lacks.",
    ),
    row(
        "t10_dev_id",
        "cccw",
        Kind::Word(&T10_ID),
        "The identification of VPD page 83, at most 25 characters.",
    ),
    row(
        "numa_node_id",
        "cccw",
        Kind::Number(-1, 1023),
        "NUMA node whose memory and CPUs serve the device; -1 for none.",
    ),
    row("dummy", "--c-", Kind::Switch, "Answer as if no device were there (peripheral qualifier 1)."),
    row("size_mb", "uuuu", COUNT, "Write `size` with a unit, such as `size = \"64 MiB\"`, instead."),
    row("dif_mode", "uuu-", Kind::Line(32), "T10 protection information cannot pass scst_local."),
    row("dif_type", "uuu-", Kind::Line(32), "T10 protection information cannot pass scst_local."),
    row("dif_static_app_tag", "uuu-", Kind::Line(32), "T10 protection information cannot pass scst_local."),
    row("dif_filename", "uu--", Kind::Line(256), "T10 protection information cannot pass scst_local."),
    row("opt_trans_len", "www-", ANY_SIZE, "Optimal transfer length of VPD page B0, in bytes."),
    row("read_zero", "--w-", Kind::Switch, "Reads return zeroes instead of whatever the buffer held."),
    row("expl_alua", "ww--", Kind::Switch, "Initiators may set ALUA states themselves."),
    row(
        "lb_per_pb_exp",
        "ww--",
        Kind::Switch,
        "Report the logical blocks per physical block in READ CAPACITY(16).",
    ),
    row("t10_vend_id", "wwww", Kind::Line(8), "T10 vendor identification of INQUIRY, at most 8 characters."),
    row(
        "vend_specific_id",
        "wwww",
        Kind::Line(128),
        "Vendor-specific identifier of VPD page 83, at most 128 characters.",
    ),
    row("prod_id", "wwww", Kind::Line(16), "Product identification of INQUIRY, at most 16 characters."),
    row("prod_rev_lvl", "wwww", Kind::Line(4), "Product revision level of INQUIRY, at most 4 characters."),
    row(
        "scsi_device_name",
        "wwww",
        Kind::Line(256),
        "SCSI name string of VPD page 83, at most 256 characters.",
    ),
    row("usn", "wwww", Kind::Word(&USN), "Unit serial number of VPD page 80, at most 20 characters, unique."),
    row(
        "inq_vend_specific",
        "wwww",
        Kind::Line(160),
        "Vendor-specific part of INQUIRY, at most 160 characters.",
    ),
    row("naa_id", "wwww", Kind::Text(&NAA), "NAA identifier of VPD page 83 in hexadecimal."),
    row("eui64_id", "wwww", Kind::Text(&EUI64), "EUI-64 identifier of VPD page 83 in hexadecimal."),
    row("threads_num", "wwww", Kind::Number(0, 4096), "Threads of the device; 0 uses the core's own."),
    row("threads_pool_type", "wwww", THREADS_POOL, "Whether initiators share the device's threads."),
    row(
        "max_tgt_dev_commands",
        "wwww",
        COUNT,
        "Commands that one initiator may have in flight on the device.",
    ),
    row(
        "pr_file_name",
        "wwww",
        Kind::Text(&PATH),
        "File that keeps persistent reservations over a power loss.",
    ),
    row("pr_state", "xxxx", Kind::Line(65536), "Persistent reservations as text."),
    row("block", "xxxx", Kind::Line(64), "Holds the device's commands back."),
    row("resync_size", "xx--", Kind::Line(64), "Reads the size of the backing again."),
    row("sync", "xx--", Kind::Line(64), "Flushes the device."),
    row("gen_tp_soft_threshold_reached_UA", "xx--", Kind::Line(64), "Raises a unit attention."),
    row("dump_prs", "xxxx", Kind::Line(64), "Prints the reservations to the log."),
    row("type", "rrrr", Kind::Line(64), "The SCSI device type."),
    row("exported", "rrrr", Kind::Line(64), "The LUNs that show the device."),
];

const THREADS_POOL: Kind = Kind::Choice(&[
    ("per_initiator", "each initiator has threads of its own"),
    ("shared", "all initiators share the threads"),
]);

const ADDR_METHOD: Kind = Kind::Choice(&[
    ("PERIPHERAL", "peripheral device addressing"),
    ("FLAT", "flat space addressing"),
    ("LUN", "logical unit addressing"),
]);

const MASK_DOC: &str = "CPUs that serve the sessions, a bitmap in hexadecimal.";
const HOLE_DOC: &str = "For tests: drop commands or responses, 0 for none.";
const GROUPING_DOC: &str = "Which sessions share threads: `auto`, `this_group_only`, `never` or a number.";

/// A target's.
pub(super) static TARGET: &[Attribute] = &[
    row(
        "rel_tgt_id",
        "w",
        Kind::Number(1, 65535),
        "Relative target port identifier, unique over all targets.",
    ),
    row("addr_method", "w", ADDR_METHOD, "How LUNs are written in REPORT LUNS."),
    row("io_grouping_type", "w", Kind::Word(&IO_GROUPING), GROUPING_DOC),
    row("black_hole", "w", Kind::Number(0, 4), HOLE_DOC),
    row("cpu_mask", "w", Kind::Word(&CPU_MASK), MASK_DOC),
    row("aen_disabled", "w", Kind::Switch, "Report events as unit attentions instead of to the driver."),
    row(
        "forward_src",
        "w",
        Kind::Switch,
        "Say that the target's commands come from another box that forwards them.",
    ),
    row("forward_dst", "w", Kind::Switch, "Say that the target's commands go on to another box."),
    row("forwarding", "w", Kind::Switch, "The old name of `forward_dst`."),
    row("comment", "w", Kind::Text(&COMMENT), "Any text of one line."),
    row(
        "scsi_transport_version",
        "w",
        Kind::Hex(0xffff),
        "Version descriptor of the SCSI transport in INQUIRY.",
    ),
    row("phys_transport_version", "w", Kind::Hex(0xffff), "Version descriptor of the physical transport."),
    row("sg_tablesize", "r", COUNT, "Segments in a command's scatter list."),
    row("unknown_cmd_count", "r", COUNT, "Commands without a known direction so far."),
    row("none_cmd_count", "r", COUNT, "Commands without data so far."),
    row("read_cmd_count", "r", COUNT, "Reads so far."),
    row("read_io_count_kb", "r", COUNT, "KiB read so far."),
    row("read_unaligned_cmd_count", "r", COUNT, "Unaligned reads so far."),
    row("write_cmd_count", "r", COUNT, "Writes so far."),
    row("write_io_count_kb", "r", COUNT, "KiB written so far."),
    row("write_unaligned_cmd_count", "r", COUNT, "Unaligned writes so far."),
    row("bidi_cmd_count", "r", COUNT, "Bidirectional commands so far."),
    row("bidi_io_count_kb", "r", COUNT, "KiB moved by bidirectional commands so far."),
    row("bidi_unaligned_cmd_count", "r", COUNT, "Unaligned bidirectional commands so far."),
    row("enabled", "u", Kind::Switch, "Targets of scst_local are always enabled."),
];

/// An initiator group's.
pub(super) static GROUP: &[Attribute] = &[
    row("addr_method", "w", ADDR_METHOD, "How LUNs are written in REPORT LUNS."),
    row("io_grouping_type", "w", Kind::Word(&IO_GROUPING), GROUPING_DOC),
    row("black_hole", "w", Kind::Number(0, 4), HOLE_DOC),
    row("cpu_mask", "w", Kind::Word(&CPU_MASK), MASK_DOC),
];

/// The core's own.
pub(super) static CORE: &[Attribute] = &[
    row("threads", "w", Kind::Number(1, 4096), "Threads of the core for devices without their own."),
    row("setup_id", "w", Kind::Hex(u32::MAX as i64), "Number that default identifications are derived from."),
    row("max_tasklet_cmd", "w", COUNT, "Commands that may run in the context that submits them."),
    row("poll_us", "w", COUNT, "Microseconds that command threads poll before they sleep."),
    row("measure_latency", "w", Kind::Switch, "Keep latency statistics for each session."),
    row(
        "async_lun_replace",
        "w",
        Kind::Switch,
        "A LUN's replacement returns before the old one has drained.",
    ),
    row("force_global_sgv_pool", "w", Kind::Switch, "One buffer pool for all CPUs."),
    row("trace_level", "u", Kind::Line(256), "Tracing levels are only in debugging builds of SCST."),
    row("cluster_name", "u", Kind::Line(63), "A cluster needs DLM, which this kernel lacks."),
    row("suspend", "x", Kind::Line(16), "Suspends all activity."),
    row("version", "r", Kind::Line(64), "SCST's version."),
    row("last_sysfs_mgmt_res", "r", Kind::Line(64), "Result of the last management write."),
    row("trace_cmds", "r", Kind::Line(64), "Commands in flight."),
    row("trace_mcmds", "r", Kind::Line(64), "Task management in flight."),
];

/// Parameters of the module scst.
pub(super) static SCST_PARAMETERS: &[Attribute] = &[
    row(
        "scst_threads",
        "c",
        Kind::Number(1, 4096),
        "Threads of the core; `threads` in [scst] changes it later.",
    ),
    row("scst_max_cmd_mem", "c", Kind::Number(1, i32::MAX as i64), "MiB of memory for all commands' data."),
    row(
        "scst_max_dev_cmd_mem",
        "c",
        Kind::Number(1, i32::MAX as i64),
        "MiB of memory for one device's commands' data.",
    ),
    row("forcibly_close_sessions", "c", Kind::Switch, "Deleting an initiator group closes its sessions."),
    row("auto_cm_assignment", "c", Kind::Switch, "New devices get a LUN of the copy manager."),
    row("alua_invariant_check", "c", Kind::Switch, "For debugging: check the ALUA filter on every change."),
];

/// Parameters of the module scst_vdisk.
pub(super) static VDISK_PARAMETERS: &[Attribute] =
    &[row("num_threads", "c", Kind::Number(1, 4096), "Threads of each fileio device.")];
