// SPDX-License-Identifier: MIT OR Apache-2.0
//! What SCST is told: devices, targets with their LUNs and groups, and device groups.

use crate::board::{Attributes, Backing, Handler};
use crate::value::{DeviceName, GroupName, Pattern, SessionName, Size, TargetName};
use serde::{Deserialize, Serialize};

/// `[[device]]`: one SCST device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Device {
    /// The name under `/sys/kernel/scst_tgt/devices`.
    pub name: DeviceName,
    /// Who serves it.
    pub handler: Handler,
    /// What it stands on; always there for fileio and blockio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<Backing>,
    /// For fileio the size of the file that is made when it is missing; for the others the size of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Everything else, by SCST's names.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}

/// A target driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// The driver that shows LUNs to the appliance's own SCSI midlayer.
    ScstLocal,
}

impl Driver {
    /// The name as SCST and the profile spell it; also the kernel module's.
    pub fn as_str(self) -> &'static str {
        match self {
            Driver::ScstLocal => "scst_local",
        }
    }
}

impl std::fmt::Display for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `[[target]]`: one SCST target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// The name under `/sys/kernel/scst_tgt/targets/<driver>`.
    pub name: TargetName,
    /// Who carries it.
    pub driver: Driver,
    /// Sessions; each is one SCSI host of the appliance.
    pub sessions: Vec<SessionName>,
    /// Everything else, by SCST's names.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// LUNs of initiators that are in no group.
    #[serde(rename = "lun", skip_serializing_if = "Vec::is_empty")]
    pub luns: Vec<Lun>,
    /// Initiator groups, in matching order.
    #[serde(rename = "group", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<InitiatorGroup>,
}

/// `[[target.lun]]` or `[[target.group.lun]]`: a device at a number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lun {
    /// The number, 0 to 16383.
    pub lun: u16,
    /// The device behind it.
    pub device: DeviceName,
    /// Whether initiators may only read.
    pub read_only: bool,
}

/// `[[target.group]]`: initiators that see LUNs of their own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InitiatorGroup {
    /// The name under `ini_groups`.
    pub name: GroupName,
    /// Who is in it, in matching order.
    pub initiators: Vec<Pattern>,
    /// Everything else, by SCST's names.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// What they see.
    #[serde(rename = "lun", skip_serializing_if = "Vec::is_empty")]
    pub luns: Vec<Lun>,
}

/// `[[device_group]]`: devices that share their ALUA states.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceGroup {
    /// The name under `device_groups`.
    pub name: GroupName,
    /// Members; a device is in one group at most.
    pub devices: Vec<DeviceName>,
    /// The target port groups of these devices.
    #[serde(rename = "target_group", skip_serializing_if = "Vec::is_empty")]
    pub target_groups: Vec<TargetGroup>,
}

/// `[[device_group.target_group]]`: one ALUA target port group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetGroup {
    /// The name under `target_groups`.
    pub name: GroupName,
    /// The TARGET PORT GROUP of SPC-4, 1 to 65535; 0 for none.
    pub group_id: u16,
    /// Whether it is the preferred group.
    pub preferred: bool,
    /// The asymmetric access state.
    pub state: AluaState,
    /// Targets of this board.
    pub targets: Vec<TargetName>,
    /// Targets of another box, known by number only.
    #[serde(rename = "remote_target", skip_serializing_if = "Vec::is_empty")]
    pub remote_targets: Vec<RemoteTarget>,
}

/// `[[device_group.target_group.remote_target]]`: a target of another box.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RemoteTarget {
    /// Its name.
    pub name: TargetName,
    /// Its relative target port identifier, 1 to 65535; 0 for none.
    pub rel_tgt_id: u16,
}

/// An asymmetric access state (SPC-4, 5.16.2.4) by SCST's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AluaState {
    /// active/optimized.
    Active,
    /// active/non-optimized.
    Nonoptimized,
    /// standby.
    Standby,
    /// unavailable.
    Unavailable,
    /// offline.
    Offline,
    /// transitioning.
    Transitioning,
}

impl AluaState {
    /// The word as SCST and the profile spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            AluaState::Active => "active",
            AluaState::Nonoptimized => "nonoptimized",
            AluaState::Standby => "standby",
            AluaState::Unavailable => "unavailable",
            AluaState::Offline => "offline",
            AluaState::Transitioning => "transitioning",
        }
    }
}
