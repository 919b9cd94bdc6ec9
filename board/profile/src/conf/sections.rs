// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `scstadmin -write_config` keeps of a tree: which attributes, in which order.

use super::values::takes;
use crate::snapshot::{
    DeviceGroupState, DriverState, File, Files, GroupState, HandlerState, LunState, Snapshot,
    TargetGroupState, TargetState,
};
use crate::spec::{Spec, DEVICE, GROUP, SCST, TARGET};
use crate::stack::CORE_DRIVER;
use crate::target::Driver;
use std::collections::BTreeMap;

/// A line, or the head of a section with its paragraphs, between which empty lines stand.
pub(super) struct Section {
    pub(super) words: Vec<String>,
    pub(super) paragraphs: Vec<Vec<Section>>,
}

impl Section {
    fn new<const N: usize>(words: [&str; N], paragraphs: Vec<Vec<Section>>) -> Section {
        let paragraphs = paragraphs.into_iter().filter(|paragraph| !paragraph.is_empty()).collect();
        Section { words: words.map(str::to_string).to_vec(), paragraphs }
    }

    fn line<const N: usize>(words: [&str; N]) -> Section {
        Section::new(words, Vec::new())
    }
}

/// Files that are worth saving and can be given back: those that can be written, and what `creatable` names.
fn set<'a>(files: &'a Files, creatable: &'a [String]) -> impl Iterator<Item = (&'a String, &'a File)> {
    files.iter().filter(|(name, file)| file.key && (file.writable || creatable.contains(name)))
}

/// Whether the reader takes a value back at an object of this description.
fn sayable(spec: Option<&'static Spec>, name: &str, file: &File) -> bool {
    !file.unsayable && spec.is_none_or(|spec| takes(spec, name, &file.value))
}

/// What is kept of an object's values.
fn kept(files: &Files, creatable: &[String], spec: Option<&'static Spec>) -> Vec<Section> {
    let kept = set(files, creatable).filter(|(name, file)| sayable(spec, name, file));
    kept.map(|(name, file)| Section::line([name, &file.value])).collect()
}

/// What is not kept of the values of the object in a folder, a sentence each.
pub(super) fn left_out(
    folder: &str,
    files: &Files,
    creatable: &[String],
    spec: Option<&'static Spec>,
) -> Vec<String> {
    let left_out = set(files, creatable).filter(|(name, file)| !sayable(spec, name, file));
    let sentence = |(name, file): (&String, &File)| {
        let (path, value) = (crate::steps::below(folder, name), file.value.escape_debug());
        match file.unsayable {
            true => format!("{path} begins with `{value}` and is not one line of text; it is left out"),
            false => format!("{path} is `{value}`, which no configuration can set; it is left out"),
        }
    };
    left_out.map(sentence).collect()
}

/// The core's own attributes.
pub(super) fn core(snapshot: &Snapshot) -> Vec<Section> {
    kept(&snapshot.files, &[], Some(&SCST))
}

/// The sections at the top, each a paragraph.
pub(super) fn top(snapshot: &Snapshot) -> Vec<Section> {
    let handlers = snapshot.handlers.iter().filter_map(|(name, state)| handler(name, state));
    let drivers = snapshot.drivers.iter().filter_map(|(name, state)| driver(name, state));
    let groups = snapshot.device_groups.iter().map(|(name, state)| device_group(name, state));
    handlers.chain(drivers).chain(groups).collect()
}

fn handler(name: &str, state: &HandlerState) -> Option<Section> {
    let own = kept(&state.files, &[], None);
    let device = |(device, files): (&String, &Files)| {
        vec![Section::new(["DEVICE", device], vec![kept(files, &state.parameters, Some(&DEVICE))])]
    };
    let devices = state.devices.iter().map(device);
    let paragraphs: Vec<_> = [own].into_iter().chain(devices).collect();
    (paragraphs.iter().any(|paragraph| !paragraph.is_empty()))
        .then(|| Section::new(["HANDLER", name], paragraphs))
}

fn driver(name: &str, state: &DriverState) -> Option<Section> {
    let own = match name {
        CORE_DRIVER => Vec::new(),
        _ => kept(&always(&state.files, &["enabled"]), &[], None),
    };
    // Only this driver makes sessions when it is told to; those of others come and go by themselves.
    let sessions = name == Driver::ScstLocal.as_str();
    let target = |(target_name, state): (&String, &TargetState)| match name {
        CORE_DRIVER => vec![Section::new(["TARGET", target_name], vec![luns(&state.luns)])],
        _ => vec![target(target_name, state, if sessions { &state.sessions } else { &[] })],
    };
    let targets = state.targets.iter().map(target);
    let paragraphs: Vec<_> = [own].into_iter().chain(targets).collect();
    (paragraphs.iter().any(|paragraph| !paragraph.is_empty()))
        .then(|| Section::new(["TARGET_DRIVER", name], paragraphs))
}

/// The files, with some of them saved whatever they say.
fn always(files: &Files, names: &[&str]) -> Files {
    let mut files = files.clone();
    for (_, file) in files.iter_mut().filter(|(name, _)| names.contains(&name.as_str())) {
        file.key = true;
    }
    files
}

/// A target's sessions stand among its attributes, under the name of the parameter that makes them.
fn target(name: &str, state: &TargetState, sessions: &[String]) -> Section {
    const SESSION: &str = "session_name";
    let own = kept(&always(&state.files, &["enabled"]), &[], Some(&TARGET));
    let (mut own, after): (Vec<_>, Vec<_>) =
        own.into_iter().partition(|line| line.words[0].as_str() < SESSION);
    own.extend(sessions.iter().map(|session| Section::line([SESSION, session])));
    own.extend(after);
    let groups = state.groups.iter().map(|(name, state)| vec![group(name, state)]);
    let paragraphs = [own, luns(&state.luns)].into_iter().chain(groups).collect();
    Section::new(["TARGET", name], paragraphs)
}

fn luns(luns: &BTreeMap<u16, LunState>) -> Vec<Section> {
    let lun = |(number, state): (&u16, &LunState)| {
        let own = kept(&state.files, &["read_only".to_string()], None);
        Section::new(["LUN", &number.to_string(), &state.device], vec![own])
    };
    luns.iter().map(lun).collect()
}

fn group(name: &str, state: &GroupState) -> Section {
    let initiators = state.initiators.iter().map(|pattern| vec![Section::line(["INITIATOR", pattern])]);
    let paragraphs =
        [luns(&state.luns)].into_iter().chain(initiators).chain([kept(&state.files, &[], Some(&GROUP))]);
    Section::new(["GROUP", name], paragraphs.collect())
}

fn device_group(name: &str, state: &DeviceGroupState) -> Section {
    let devices = state.devices.iter().map(|device| Section::line(["DEVICE", device])).collect();
    let groups = state.target_groups.iter().map(|(name, state)| vec![target_group(name, state)]);
    Section::new(["DEVICE_GROUP", name], [devices].into_iter().chain(groups).collect())
}

fn target_group(name: &str, state: &TargetGroupState) -> Section {
    let target =
        |(name, files): &(String, Files)| vec![Section::new(["TARGET", name], vec![kept(files, &[], None)])];
    let paragraphs = [kept(&state.files, &[], None)].into_iter().chain(state.targets.iter().map(target));
    Section::new(["TARGET_GROUP", name], paragraphs.collect())
}
