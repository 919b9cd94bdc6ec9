// SPDX-License-Identifier: MIT OR Apache-2.0
//! The keys of a profile that describe the target stack: the core, devices, targets and groups.

use super::format::{
    DEVICE as DEVICE_NAME, GROUP as GROUP_NAME, PATH, PATTERN, REFERENCE, SESSION, TARGET as TARGET_NAME,
};
use super::{attributes, defaulted, optional, required, Fallback, Kind, SizeRule, Spec};

static DEVICE_SIZE: SizeRule = SizeRule {
    min: 512,
    max: 1 << 60,
    multiple: 512,
    why: "a device has at least one block, and only whole ones",
};
const LUN_NUMBER: Kind = Kind::Number(0, 16383);

/// An object that takes nothing.
pub(crate) static NOTHING: Spec = Spec { title: "", doc: "", id: None, attributes: &[], keys: &[] };

/// `[scst]`.
pub(crate) static SCST: Spec = Spec {
    title: "[scst]",
    doc: "Attributes of the target core, by SCST's names.",
    id: None,
    attributes: attributes::CORE,
    keys: &[optional("parameters", Kind::Table(&PARAMETERS), "Module parameters, by module.")],
};

/// `[scst.parameters]`.
pub(crate) static PARAMETERS: Spec = Spec {
    title: "[scst.parameters]",
    doc: "Parameters given to the target stack's modules when they are loaded.",
    id: None,
    attributes: &[],
    keys: &[
        optional("scst", Kind::Table(&CORE_PARAMETERS), "Parameters of the core."),
        optional("scst_vdisk", Kind::Table(&VDISK_PARAMETERS), "Parameters of the virtual device handlers."),
    ],
};

static CORE_PARAMETERS: Spec = Spec {
    title: "[scst.parameters.scst]",
    doc: "Parameters of the core.",
    id: None,
    attributes: attributes::SCST_PARAMETERS,
    keys: &[],
};

static VDISK_PARAMETERS: Spec = Spec {
    title: "[scst.parameters.scst_vdisk]",
    doc: "Parameters of the virtual device handlers.",
    id: None,
    attributes: attributes::VDISK_PARAMETERS,
    keys: &[],
};

/// How the table of a device is written.
pub(crate) const DEVICE_TITLE: &str = "[[device]]";

/// `[[device]]`.
pub(crate) static DEVICE: Spec = Spec {
    title: DEVICE_TITLE,
    doc: "An SCST device.",
    id: Some("name"),
    attributes: attributes::DEVICE,
    keys: &[
        required("name", Kind::Text(&DEVICE_NAME), "The device's name in SCST."),
        required(
            "handler",
            Kind::Choice(&[
                ("vdisk_fileio", "a disk backed by a file"),
                ("vdisk_blockio", "a disk backed by a block device"),
                ("vdisk_nullio", "a disk that stores nothing"),
                ("vcdrom", "a CD-ROM drive whose medium is an image file"),
            ]),
            "Who serves the device.",
        ),
        optional(
            "filename",
            Kind::Text(&PATH),
            "What the device stands on: for fileio a file below /data or /config, for blockio a block device such as \
             /dev/disk/by-serial/<serial> or /dev/disk/by-partlabel/<label>, for vcdrom the medium.",
        ),
        optional(
            "size",
            Kind::Size(&DEVICE_SIZE),
            "Size of the device. For fileio the file is made with this size if it is missing.",
        ),
    ],
};

/// `[[target]]`.
pub(crate) static TARGET: Spec = Spec {
    title: "[[target]]",
    doc: "An SCST target.",
    id: Some("name"),
    attributes: attributes::TARGET,
    keys: &[
        required("name", Kind::Text(&TARGET_NAME), "The target's name in SCST."),
        defaulted(
            "driver",
            Kind::Choice(&[("scst_local", "shows the LUNs to the appliance's own SCSI midlayer")]),
            Fallback::Text("scst_local"),
            "Who carries the target.",
        ),
        optional(
            "sessions",
            Kind::List(&SESSION),
            "Sessions, each a SCSI host of the appliance; unique over all targets.",
        ),
        optional(
            "lun",
            Kind::Tables(&TARGET_LUN),
            "A device at a number, for initiators that are in no group.",
        ),
        optional("group", Kind::Tables(&GROUP), "Initiators that see LUNs of their own."),
    ],
};

static TARGET_LUN: Spec = Spec { title: "[[target.lun]]", ..LUN };
static GROUP_LUN: Spec = Spec { title: "[[target.group.lun]]", ..LUN };

const LUN: Spec = Spec {
    title: "lun",
    doc: "A device at a number.",
    id: Some("lun"),
    attributes: &[],
    keys: &[
        required("lun", LUN_NUMBER, "The LUN, 0 to 16383."),
        required("device", Kind::Text(&REFERENCE), "The device behind it, by name."),
        defaulted("read_only", Kind::Flag, Fallback::Flag(false), "Initiators may only read."),
    ],
};

pub(crate) static GROUP: Spec = Spec {
    title: "[[target.group]]",
    doc: "Initiators that see LUNs of their own.",
    id: Some("name"),
    attributes: attributes::GROUP,
    keys: &[
        required("name", Kind::Text(&GROUP_NAME), "The group's name in SCST."),
        optional(
            "initiators",
            Kind::List(&PATTERN),
            "Initiator (session) names; `*`, `?` and one `!` are wild. The first match wins.",
        ),
        optional("lun", Kind::Tables(&GROUP_LUN), "A device at a number."),
    ],
};

/// `[[device_group]]`.
pub(crate) static DEVICE_GROUP: Spec = Spec {
    title: "[[device_group]]",
    doc: "Devices that share their ALUA states.",
    id: Some("name"),
    attributes: &[],
    keys: &[
        required("name", Kind::Text(&GROUP_NAME), "The group's name in SCST."),
        optional("devices", Kind::List(&REFERENCE), "The devices; each is in one group at most."),
        optional("target_group", Kind::Tables(&TARGET_GROUP), "A target port group of these devices."),
    ],
};

static TARGET_GROUP: Spec = Spec {
    title: "[[device_group.target_group]]",
    doc: "An ALUA target port group.",
    id: Some("name"),
    attributes: &[],
    keys: &[
        required("name", Kind::Text(&GROUP_NAME), "The group's name in SCST."),
        required(
            "group_id",
            Kind::Number(0, 65535),
            "Target port group number; 0 leaves the group without one, as SCST makes it.",
        ),
        defaulted("preferred", Kind::Flag, Fallback::Flag(false), "Whether initiators should prefer it."),
        defaulted("state", ALUA_STATE, Fallback::Text("active"), "Asymmetric access state."),
        optional("targets", Kind::List(&REFERENCE), "Targets of this board."),
        optional("remote_target", Kind::Tables(&REMOTE_TARGET), "A target of another box."),
    ],
};

const ALUA_STATE: Kind = Kind::Choice(&[
    ("active", "active/optimized"),
    ("nonoptimized", "active/non-optimized"),
    ("standby", "standby"),
    ("unavailable", "unavailable"),
    ("offline", "offline"),
    ("transitioning", "transitioning"),
]);

static REMOTE_TARGET: Spec = Spec {
    title: "[[device_group.target_group.remote_target]]",
    doc: "A target of another box.",
    id: Some("name"),
    attributes: &[],
    keys: &[
        required("name", Kind::Text(&TARGET_NAME), "Its name."),
        required(
            "rel_tgt_id",
            Kind::Number(0, 65535),
            "Its relative target port identifier; 0 leaves the target without one, as SCST makes it.",
        ),
    ],
};
