// SPDX-License-Identifier: MIT OR Apache-2.0
//! All that the target stack is told: the part of a board that TOML and `scst.conf` both can say.

use crate::board::{Handler, Scst};
use crate::check::{self, Backings};
use crate::conf;
use crate::plan::{Plan, Policy};
use crate::problem::{Place, Problem, Problems};
use crate::snapshot::Snapshot;
use crate::target::{Device, DeviceGroup, Target};
use crate::text::{declares_board, flat};
use crate::tree::Node;
use crate::Board;
use miette::NamedSource;
use serde::Serialize;
use std::sync::Arc;

/// The core's own target driver: its LUNs number themselves, and no initiator sees them.
pub(crate) const CORE_DRIVER: &str = "copy_manager";

/// The core's attributes, devices, targets and device groups. Only the checker builds one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stack {
    pub(crate) scst: Scst,
    #[serde(rename = "device", skip_serializing_if = "Vec::is_empty")]
    pub(crate) devices: Vec<Device>,
    #[serde(rename = "target", skip_serializing_if = "Vec::is_empty")]
    pub(crate) targets: Vec<Target>,
    #[serde(rename = "device_group", skip_serializing_if = "Vec::is_empty")]
    pub(crate) device_groups: Vec<DeviceGroup>,
}

impl Stack {
    /// Reads `scst.conf` text, for the system that is running: a device may stand on any file. `path` is for messages.
    ///
    /// # Errors
    /// Every finding of the run.
    pub fn from_conf(path: &str, text: &str) -> Result<Stack, Problems> {
        read_conf(path, text, Backings::Anywhere)
    }

    /// Reads `scst.conf` text for an image: devices stand on what an image has, as in a board profile.
    ///
    /// # Errors
    /// Every finding of the run.
    pub fn import_conf(path: &str, text: &str) -> Result<Stack, Problems> {
        read_conf(path, text, Backings::OfTheImage)
    }

    /// Reads a flat TOML profile, or one that has only the sections of the target stack.
    ///
    /// # Errors
    /// Every finding of the run.
    pub fn from_toml(path: &str, text: &str) -> Result<Stack, Problems> {
        if declares_board(text) {
            return Board::from_flat(path, text).map(|board| board.stack);
        }
        let mut problems = Vec::new();
        let root = flat(path, text, &mut problems).map(|flattened| flattened.root);
        checked(root, Backings::Anywhere, problems)
    }

    /// The stack as TOML: a profile without the sections that describe an image.
    pub fn toml(&self) -> String {
        let body = toml::to_string(self).expect("a stack has text keys and plain values only");
        format!("schema = 1\n\n{body}")
    }

    /// The stack as `scst.conf`, in the form in which `scstadmin -write_config` writes one.
    pub fn conf(&self) -> String {
        Snapshot::of(self).conf()
    }

    /// What the stack says and `scst.conf` has no words for, a sentence each.
    pub fn unsaid(&self) -> Vec<String> {
        let modules = self.scst.parameters.keys();
        let modules =
            modules.map(|module| format!("the parameters of module {module} are given when it is loaded"));
        let made = |device: &&Device| device.handler == Handler::VdiskFileio && device.size.is_some();
        let files = self.devices.iter().filter(made);
        let files = files.map(|device| format!("the file of device {} must be there already", device.name));
        modules.chain(files).collect()
    }

    /// What brings everything up where nothing is there yet, in order.
    pub fn plan(&self) -> Plan {
        self.changes(&Snapshot::default(), Policy::Own)
    }

    /// What makes the running target stack `live` be this one: the differences only, in order.
    pub fn changes(&self, live: &Snapshot, policy: Policy) -> Plan {
        crate::steps::plan(self, live, policy)
    }

    /// `[[device]]`, in order.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }
}

fn read_conf(path: &str, text: &str, backings: Backings) -> Result<Stack, Problems> {
    let mut problems = Vec::new();
    let text = Arc::new(NamedSource::new(path, text.to_string()));
    let root = conf::read(&text, &mut problems).map(|mut root| {
        check::shape::file(&mut root, &mut problems);
        root
    });
    checked(root, backings, problems).map_err(|problems| problems.about("the configuration", IN_CONF))
}

/// How `scst.conf` calls what the checker calls by the tables of a profile.
const IN_CONF: &[(&str, &str)] = &[
    ("[[device_group.target_group.remote_target]]", "TARGET"),
    ("[[device_group.target_group]]", "TARGET_GROUP"),
    ("[[device_group]]", "DEVICE_GROUP"),
    ("[[device]]", "DEVICE"),
    ("[[target]]", "TARGET"),
];

/// The stack in a tree whose shape was checked, unless there was anything to complain about.
fn checked(root: Option<Node>, backings: Backings, mut problems: Vec<Problem>) -> Result<Stack, Problems> {
    let stack = root.as_ref().map(|root| check::stack(root, backings, &mut problems));
    match stack {
        Some(stack) if problems.is_empty() => Ok(stack),
        // A stack that cannot be made without anybody saying why would be a mistake of this crate.
        None if problems.is_empty() => Err(Problems::new(vec![Problem::nowhere("nothing can be read")])),
        _ => Err(Problems::new(problems)),
    }
}

/// The start of a text, for what is said of the whole.
pub(crate) fn whole(text: &crate::problem::Text) -> Place {
    Place { text: text.clone(), span: 0..0 }
}
