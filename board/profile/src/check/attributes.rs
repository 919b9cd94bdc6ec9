// SPDX-License-Identifier: MIT OR Apache-2.0
//! SCST attributes of one object: which of the keys in its table are attributes, and whether they may be set there.

use super::shape::{read_size, word};
use super::view::{lower, View};
use crate::board::{Attributes, Handler};
use crate::problem::Problem;
use crate::spec::{old_name_of, Attribute, Kind, Role};
use crate::tree::{Entry, Value};
use crate::value::AttributeValue;

/// The attributes in a table. `owner` is the index into their roles, `owner_name` is for messages.
pub(super) fn read(
    view: &View<'_>,
    owner: usize,
    owner_name: &str,
    problems: &mut Vec<Problem>,
) -> Attributes {
    let mut attributes = Attributes::new();
    for entry in view.entries() {
        let Some(attribute) = view.spec.attribute(&entry.key) else { continue };
        match refusal(attribute, owner, owner_name) {
            None => attributes.extend(value(attribute.kind, entry).map(|value| (entry.key.clone(), value))),
            Some((cause, help)) => problems.push(Problem::at(&entry.place, cause).help(help)),
        }
    }
    for entry in view.entries() {
        let new = old_name_of(&entry.key).filter(|new| attributes.get(*new) != attributes.get(&entry.key));
        if let Some(new) = new.filter(|new| attributes.contains_key(*new)) {
            let message = format!("`{}` is the old name of `{new}`, and both have values", entry.key);
            problems.push(Problem::at(&entry.place, message).help("keep one of them"));
        }
    }
    attributes
}

/// Cause and next step, if the attribute cannot be set at this owner.
fn refusal(attribute: &Attribute, owner: usize, owner_name: &str) -> Option<(String, String)> {
    let name = attribute.name;
    let said = match attribute.role(owner) {
        Role::Create | Role::Write => return None,
        Role::ReadOnly => {
            (format!("`{name}` can be read but not set"), "drop it; SCST sets it itself".into())
        }
        Role::Acts => (
            format!("`{name}` does something when it is written, and so is no setting"),
            "drop it, and write to the file on the running appliance".into(),
        ),
        Role::Unsupported => (format!("`{name}` is not supported"), lower(attribute.doc)),
        Role::Absent => (format!("{owner_name} has no `{name}`"), homes(attribute)),
    };
    Some(said)
}

/// Where an attribute does exist; only devices have several kinds of owner.
fn homes(attribute: &Attribute) -> String {
    let handlers = Handler::ALL.iter().enumerate();
    let homes: Vec<&str> = handlers
        .filter(|(owner, _)| matches!(attribute.role(*owner), Role::Create | Role::Write))
        .map(|(_, handler)| handler.as_str())
        .collect();
    format!("drop it; it is for {}", homes.join(", "))
}

/// The value, if it is of the right type; what is not was reported by the first pass.
fn value(kind: Kind, entry: &Entry) -> Option<AttributeValue> {
    match (kind, &entry.node.value) {
        (Kind::Switch | Kind::Flag, Value::Flag(flag)) => Some(AttributeValue::Flag(*flag)),
        (Kind::Switch, Value::Number(number)) => Some(AttributeValue::Flag(*number != 0)),
        (Kind::Size(_), value) => {
            let bytes = read_size(value).ok()?.bytes();
            i64::try_from(bytes).ok().map(AttributeValue::Number)
        }
        (Kind::Hex(_), Value::Number(number)) => Some(AttributeValue::Hex(*number)),
        (Kind::Word(_), value) => Some(AttributeValue::Text(word(value))),
        (_, Value::Number(number)) => Some(AttributeValue::Number(*number)),
        (_, Value::Text(text)) => Some(AttributeValue::Text(text.clone())),
        _ => None,
    }
}
