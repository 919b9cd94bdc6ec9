// SPDX-License-Identifier: MIT OR Apache-2.0
//! The first pass, over each file by itself: keys that nobody reads, values of the wrong type, range or form. A value
//! of the wrong type is taken out of the tree, so that later passes do not complain about it a second time.

use super::suggest;
use crate::problem::{Place, Problem};
use crate::spec::{Attribute, Format, Kind, Role, SizeRule, Spec, ROOT};
use crate::stack::whole;
use crate::tree::{Entry, Node, Table, Value};
use crate::value::Size;
use miette::NamedSource;
use std::collections::HashMap;
use std::sync::Arc;

/// Checks one file's tree.
pub(crate) fn file(root: &mut Node, problems: &mut Vec<Problem>) {
    if let Value::Table(table) = &mut root.value {
        if table.get("schema").is_none() {
            let message = "the profile does not say which version of the format it is written in";
            problems.push(Problem::at(&root.place, message).help("start it with `schema = 1`"));
        }
        table_keys(&ROOT, table, problems);
    }
}

fn table_keys(spec: &'static Spec, table: &mut Table, problems: &mut Vec<Problem>) {
    for entry in &mut table.entries {
        if let Some(key) = spec.key(&entry.key) {
            value(key.kind, entry, problems);
        } else if entry.key == "attributes" && !spec.attributes.is_empty() {
            attributes_table(spec, entry, problems);
        } else {
            attribute_key(spec, entry, problems);
        }
    }
    if !spec.attributes.is_empty() {
        hoist_attributes(spec, table, problems);
    }
}

/// Checks the `attributes` table of an object.
fn attributes_table(spec: &'static Spec, entry: &mut Entry, problems: &mut Vec<Problem>) {
    let Value::Table(table) = &mut entry.node.value else {
        wrong_type(entry, "a table of attributes", "write each attribute as a key of that table", problems);
        return;
    };
    for inner in &mut table.entries {
        if spec.key(&inner.key).is_some() {
            let message = format!("`{}` is a key of {}, not an attribute", inner.key, spec.title);
            problems.push(Problem::at(&inner.place, message).help(format!("move it up into {}", spec.title)));
        } else {
            attribute_key(spec, inner, problems);
        }
    }
}

/// Moves the entries of `attributes` into the object's own table, so that both spellings are one from here on.
fn hoist_attributes(spec: &'static Spec, table: &mut Table, problems: &mut Vec<Problem>) {
    let Some(at) = table.entries.iter().position(|entry| entry.key == "attributes") else { return };
    let Value::Table(inner) = table.entries.remove(at).node.value else { return };
    for entry in inner.entries.into_iter().filter(|entry| spec.key(&entry.key).is_none()) {
        match table.entries.iter().find(|own| own.key == entry.key) {
            Some(own) => {
                let message = format!("`{}` is given in the table itself and in its `attributes`", entry.key);
                problems.push(
                    Problem::at(&entry.place, message)
                        .help("drop one of them")
                        .other(&own.place, "also here"),
                );
            }
            None => table.entries.push(entry),
        }
    }
}

/// A key that is no key of the profile: an attribute by SCST's name, or unknown.
fn attribute_key(spec: &'static Spec, entry: &mut Entry, problems: &mut Vec<Problem>) {
    match spec.attribute(&entry.key) {
        Some(attribute) if attribute.settable() => value(attribute.kind, entry, problems),
        // What may not be set is reported once the owner is known.
        Some(_) => {}
        None => problems.push(unknown_key(spec, entry)),
    }
}

fn unknown_key(spec: &'static Spec, entry: &Entry) -> Problem {
    let settable = |attribute: &&Attribute| (0..4).any(|owner| attribute.role(owner) != Role::Absent);
    let attributes = spec.attributes.iter().filter(settable).map(|attribute| attribute.name);
    let known: Vec<&str> = spec.keys.iter().map(|key| key.name).chain(attributes).collect();
    let help = match (suggest::nearest(&entry.key, known.iter().copied()), home_of(&ROOT, &entry.key)) {
        (None, Some(home)) => format!("`{}` is a key of {home}", entry.key),
        _ => suggest::help(&entry.key, known.iter().copied(), "it takes no keys"),
    };
    Problem::at(&entry.place, format!("{} has no key `{}`", spec.title, entry.key)).help(help)
}

/// The table that does have a key of this name, for one that stands in the wrong table.
fn home_of(spec: &'static Spec, name: &str) -> Option<&'static str> {
    if spec.key(name).is_some() || spec.attribute(name).is_some_and(Attribute::settable) {
        return Some(spec.title);
    }
    spec.keys.iter().find_map(|key| match key.kind {
        Kind::Table(inner) | Kind::Tables(inner) => home_of(inner, name),
        _ => None,
    })
}

/// Whether a key of this kind takes a value.
pub(crate) fn takes(kind: Kind, key: &str, read: Value) -> bool {
    let place = whole(&Arc::new(NamedSource::new("", String::new())));
    let node = Node { place: place.clone(), value: read };
    let mut problems = Vec::new();
    value(kind, &mut Entry { key: key.to_string(), place, node }, &mut problems);
    problems.is_empty()
}

/// Checks one value against what its key takes.
fn value(kind: Kind, entry: &mut Entry, problems: &mut Vec<Problem>) {
    match (kind, &mut entry.node.value) {
        // Already reported by the reader.
        (_, Value::Other("a number")) => {}
        (Kind::Flag | Kind::Switch, Value::Flag(_)) => {}
        (Kind::Switch, Value::Number(0 | 1)) => {}
        (Kind::Switch, Value::Number(number)) => {
            let message = format!("`{}` is a switch, and {number} is neither on nor off", entry.key);
            problems.push(Problem::at(&entry.node.place, message).help("write true or false"));
        }
        (Kind::Number(min, max), Value::Number(number)) => {
            let number = *number;
            problems.extend(range(entry, number, min, max));
        }
        (Kind::Hex(max), Value::Number(number)) => {
            let number = *number;
            problems.extend(range(entry, number, 0, max));
        }
        (Kind::Size(rule), Value::Number(_) | Value::Text(_)) => problems.extend(size(entry, rule)),
        (Kind::Choice(words), Value::Text(word)) => {
            if !words.iter().any(|(known, _)| known == word) {
                problems.push(wrong_word(&entry.key, word, words, &entry.node.place));
            }
        }
        (Kind::Text(format), Value::Text(text)) => {
            problems.extend(form(&entry.key, text, format, &entry.node.place));
        }
        (Kind::Word(format), Value::Text(_) | Value::Number(_)) => {
            problems.extend(form(&entry.key, &word(&entry.node.value), format, &entry.node.place));
        }
        (Kind::Line(max), Value::Text(text)) => {
            problems.extend(printable(&entry.key, text, max, &entry.node.place));
        }
        (Kind::List(format), Value::List(_)) => list(entry, format, problems),
        (Kind::Table(spec), Value::Table(table)) => table_keys(spec, table, problems),
        (Kind::Tables(spec), Value::List(_)) => tables(spec, entry, problems),
        _ => {
            let (wanted, help) = wanted(kind, entry);
            wrong_type(entry, wanted, &help, problems);
        }
    }
}

fn tables(spec: &'static Spec, entry: &mut Entry, problems: &mut Vec<Problem>) {
    let Value::List(items) = &mut entry.node.value else { return };
    for item in items {
        match &mut item.value {
            Value::Table(table) => table_keys(spec, table, problems),
            other => {
                let message = format!("`{}` takes tables, not {}", entry.key, other.kind());
                problems
                    .push(Problem::at(&item.place, message).help(format!("write it as `{}`", spec.title)));
                *other = Value::Other("something else");
            }
        }
    }
}

/// Checks the items of a list. An item `-x` takes an inherited `x` away, so the `-` is not part of its form.
fn list(entry: &mut Entry, format: &'static Format, problems: &mut Vec<Problem>) {
    let Value::List(items) = &mut entry.node.value else { return };
    let mut seen: HashMap<String, Place> = HashMap::new();
    for item in items {
        let Value::Text(text) = &item.value else {
            let message = format!("an item of `{}` is {}, not text", entry.key, item.value.kind());
            problems.push(Problem::at(&item.place, message).help("put each item in quotes"));
            item.value = Value::Other("something else");
            continue;
        };
        problems.extend(form(&entry.key, text.strip_prefix('-').unwrap_or(text), format, &item.place));
        match seen.get(text) {
            Some(first) => {
                let message = format!("`{}` lists `{text}` twice", entry.key);
                problems.push(
                    Problem::at(&item.place, message).help("drop one of them").other(first, "first here"),
                );
            }
            None => drop(seen.insert(text.clone(), item.place.clone())),
        }
    }
}

fn range(entry: &Entry, number: i64, min: i64, max: i64) -> Option<Problem> {
    if (min..=max).contains(&number) {
        return None;
    }
    if entry.key == "schema" {
        let message =
            format!("the profile is written in version {number} of the format, which is not known here");
        return Some(Problem::at(&entry.node.place, message).help("this program reads `schema = 1`"));
    }
    let message = match number > max {
        true => format!("`{}` is {number}, and the most is {max}", entry.key),
        false => format!("`{}` is {number}, and the least is {min}", entry.key),
    };
    Some(Problem::at(&entry.node.place, message).help(format!("use a number from {min} to {max}")))
}

fn size(entry: &Entry, rule: &SizeRule) -> Option<Problem> {
    let at = &entry.node.place;
    let size = match read_size(&entry.node.value) {
        Ok(size) => size,
        Err(why) => {
            return Some(
                Problem::at(at, format!("`{}` is not a size: {why}", entry.key))
                    .help("write a number with a binary unit, such as \"64 MiB\", or a number of bytes"),
            )
        }
    };
    let shown = |bytes| Size::from_bytes(bytes).to_string();
    let wrong = match size.bytes() {
        0 => "`KEY` is 0".to_string(),
        bytes if bytes < rule.min => format!("`KEY` is {size}, and the least is {}", shown(rule.min)),
        bytes if bytes > rule.max => format!("`KEY` is {size}, and the most is {}", shown(rule.max)),
        bytes if bytes % rule.multiple != 0 => {
            format!("`KEY` is {size}, which is not a multiple of {}", shown(rule.multiple))
        }
        _ => return None,
    };
    let help = format!("use {} or more in steps of {}: {}", shown(rule.min), shown(rule.multiple), rule.why);
    Some(Problem::at(at, wrong.replace("KEY", &entry.key)).help(help))
}

/// A word, which may look like a number.
pub(crate) fn word(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// The size that a value stands for.
pub(crate) fn read_size(value: &Value) -> Result<Size, String> {
    match value {
        Value::Number(number) => {
            u64::try_from(*number).map(Size::from_bytes).map_err(|_| "it is negative".to_string())
        }
        Value::Text(text) => Size::parse(text),
        other => Err(format!("it is {}", other.kind())),
    }
}

fn wrong_word(key: &str, word: &str, words: &'static [(&str, &str)], place: &Place) -> Problem {
    let known: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
    // Words of the C implementation that this one has no module for deserve the real reason.
    let foreign =
        ["dev_disk", "dev_cdrom", "dev_tape", "dev_changer", "dev_raid", "dev_processor", "dev_modisk"];
    let help = if foreign.iter().any(|name| word.strip_suffix("_perf").unwrap_or(word) == *name) {
        "pass-through handlers are not part of this target stack; use one of the vdisk handlers".to_string()
    } else {
        suggest::help(word, known.iter().copied(), "")
    };
    Problem::at(place, format!("`{key}` cannot be `{word}`")).help(help)
}

fn form(key: &str, text: &str, format: &Format, place: &Place) -> Option<Problem> {
    let refusal = (format.check)(text).err()?;
    let shown = text.escape_debug();
    let message = format!("`{shown}` in `{key}` is not {}: {}", format.what, refusal.cause);
    Some(Problem::at(place, message).help(refusal.help))
}

fn printable(key: &str, text: &str, max: usize, place: &Place) -> Option<Problem> {
    if let Some(c) = text.chars().find(|c| !(' '..='~').contains(c)) {
        let message = format!("`{key}` has the character {c:?}, and SCSI strings are printable ASCII");
        return Some(Problem::at(place, message).help("use printable ASCII only"));
    }
    if text.len() > max {
        let message = format!("`{key}` has {} characters, and the most is {max}", text.len());
        return Some(Problem::at(place, message).help(format!("shorten it to {max}")));
    }
    if text.trim() != text || text.is_empty() {
        let message = format!("`{key}` is empty or starts or ends with a blank, which would be lost");
        return Some(Problem::at(place, message).help("leave the key out for SCST's default"));
    }
    None
}

/// What a key takes, in words, and how that is written.
fn wanted(kind: Kind, entry: &Entry) -> (&'static str, String) {
    let key = &entry.key;
    match kind {
        Kind::Flag | Kind::Switch => ("true or false", format!("write `{key} = true` or `{key} = false`")),
        Kind::Number(..) | Kind::Hex(_) => match &entry.node.value {
            Value::Text(text) if text.parse::<i64>().is_ok() => {
                ("a number", format!("write it without quotes: `{key} = {text}`"))
            }
            _ => ("a number", "write a whole number, without quotes".to_string()),
        },
        Kind::Size(_) => ("a size", format!("write it with a unit: `{key} = \"64 MiB\"`")),
        Kind::Choice(words) => ("a word", format!("write `{key} = \"{}\"`", words[0].0)),
        Kind::Text(_) | Kind::Word(_) | Kind::Line(_) => ("text", "put it in quotes".to_string()),
        Kind::List(_) => match &entry.node.value {
            Value::Text(text) => {
                ("a list", format!("put it in brackets: `{key} = [\"{}\"]`", text.escape_debug()))
            }
            _ => ("a list", format!("write `{key} = [\"…\"]`")),
        },
        Kind::Table(spec) => ("a table", format!("write it as `{}`", spec.title)),
        Kind::Tables(spec) => ("repeated tables", format!("write `{}`, with two brackets", spec.title)),
    }
}

fn wrong_type(entry: &mut Entry, wanted: &str, help: &str, problems: &mut Vec<Problem>) {
    let message = format!("`{}` takes {wanted}, not {}", entry.key, entry.node.value.kind());
    problems.push(Problem::at(&entry.node.place, message).help(help));
    entry.node.value = Value::Other("something else");
}
