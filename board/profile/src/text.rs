// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boards as text: the flat profile that the image carries, the differences between two boards, and the text that a
//! new board starts from.

use crate::board::Board;
use crate::inherit::Flattened;
use crate::plan::Plan;
use crate::problem::{Problem, Problems};
use crate::source::Source;
use crate::stack::Stack;
use crate::tree;
use miette::NamedSource;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use toml::Value;

impl Board {
    /// Checks a flat profile: one text that inherits nothing, as the image carries it. `path` is for messages.
    ///
    /// # Errors
    /// Every finding of the run.
    pub fn from_flat(path: &str, text: &str) -> Result<Board, Problems> {
        let mut problems = Vec::new();
        let flattened = flat(path, text, &mut problems);
        crate::finish(flattened, problems)
    }

    /// The board as one canonical TOML text; [`Board::from_flat`] gives an equal board back.
    pub fn flat(&self) -> String {
        let body = toml::to_string(self).expect("a board has text keys and plain values only");
        format!(
            "# The flat profile of the board {}: nothing is inherited, every default is filled in.\n{body}",
            self.name()
        )
    }

    /// What brings the board's devices, targets and LUNs up, in order.
    pub fn plan(&self) -> Plan {
        self.stack.plan()
    }
}

/// The tree of one text that inherits nothing.
pub(crate) fn flat(path: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Flattened> {
    let asked = std::cell::Cell::new(false);
    let loader = |_: &str| match asked.replace(true) {
        false => Ok(Source { path: path.to_string(), text: text.to_string() }),
        true => Err("a flat profile inherits nothing".to_string()),
    };
    crate::inherit::flatten(path, &loader, problems)
}

/// True if the profile's own text declares a board (`[board]` with a `name`), rather than only what boards inherit.
pub fn declares_board(text: &str) -> bool {
    let text = Arc::new(NamedSource::new("", text.to_string()));
    let root = tree::parse(&text, &mut Vec::<Problem>::new());
    let Some(tree::Value::Table(root)) = root.map(|root| root.value) else { return false };
    match root.get("board").map(|board| &board.value) {
        Some(tree::Value::Table(board)) => board.get("name").is_some(),
        _ => false,
    }
}

/// One key that differs between two boards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The key's path, such as `vm.memory` or `device.disk1.size`.
    pub key: String,
    /// The value on the left, as TOML; none where the key is only on the right.
    pub from: Option<String>,
    /// The value on the right, as TOML; none where the key is only on the left.
    pub to: Option<String>,
}

/// What differs between two boards, in the order of the left one's keys.
pub fn diff(left: &Board, right: &Board) -> Vec<Change> {
    let (left, right) = (leaves(left), leaves(right));
    let left_values: HashMap<&str, &str> = pairs(&left).collect();
    let right_values: HashMap<&str, &str> = pairs(&right).collect();
    let added = pairs(&right).filter(|(key, _)| !left_values.contains_key(key));
    let value = |side: &HashMap<&str, &str>, key: &str| side.get(key).map(|value| value.to_string());
    pairs(&left)
        .chain(added)
        .map(|(key, _)| Change {
            key: key.into(),
            from: value(&left_values, key),
            to: value(&right_values, key),
        })
        .filter(|change| change.from != change.to)
        .collect()
}

fn pairs(leaves: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    leaves.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// Every key of a board with its value as TOML.
fn leaves(board: &Board) -> Vec<(String, String)> {
    let value = Value::try_from(board).expect("a board has text keys and plain values only");
    let mut leaves = Vec::new();
    collect("", &value, &mut leaves);
    leaves
}

fn collect(path: &str, value: &Value, leaves: &mut Vec<(String, String)>) {
    let below = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| collect(&below(key), value, leaves)),
        Value::Array(items) if items.iter().any(Value::is_table) => {
            items.iter().for_each(|item| collect(&below(&identity(item)), item, leaves));
        }
        other => leaves.push((path.to_string(), other.to_string())),
    }
}

/// What tells one entry of a repeated table from the others.
fn identity(item: &Value) -> String {
    let key = ["name", "serial", "lun"].into_iter().find_map(|key| item.get(key));
    match key {
        Some(Value::String(name)) => name.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// The text of a new board's profile, ready to edit; it is complete as it stands.
pub fn template(name: &str) -> String {
    include_str!("template.toml").replace("NAME", name)
}

/// The text of a board's profile around a stack that came from the file `origin`; complete as it stands.
pub fn board_of(name: &str, origin: &str, stack: &Stack) -> String {
    let body = stack.toml();
    let body = body.strip_prefix("schema = 1\n\n").unwrap_or(&body);
    include_str!("import.toml").replace("NAME", name).replace("ORIGIN", origin) + "\n" + body
}
