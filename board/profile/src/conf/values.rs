// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attributes of `scst.conf`: one name, one value. Values are text there; the description of the attribute tells what
//! they stand for.

use super::statements::{Statement, Word};
use crate::check::{shape, suggest};
use crate::problem::Problem;
use crate::spec::{Attribute, Kind, Spec};
use crate::tree::{Entry, Node, Table, Value};

/// An object's table while its attributes are read.
pub(super) struct Object<'a> {
    /// What the object is, for messages: `a device`.
    pub(super) what: &'static str,
    pub(super) spec: &'static Spec,
    pub(super) table: &'a mut Table,
}

impl Object<'_> {
    /// Reads one attribute of the object. What is wrong goes to `problems`.
    pub(super) fn attribute(&mut self, statement: &Statement, problems: &mut Vec<Problem>) {
        let name = statement.head();
        let Some(kind) = self.kind(&name.text) else {
            problems.push(self.unknown(name));
            return;
        };
        let Some(value) = single_value(statement, problems) else { return };
        match read(kind, &value.text) {
            Ok(read) => self.push(&name.text, (name, value), read, problems),
            Err(wanted) => {
                let message = format!("`{}` is `{}`, and takes {wanted}", name.text, value.text);
                problems.push(Problem::at(&value.place, message).help("correct the value"));
            }
        }
    }

    /// Reads one attribute that has this number under another name.
    pub(super) fn renamed(
        &mut self,
        statement: &Statement,
        key: &str,
        number: i64,
        problems: &mut Vec<Problem>,
    ) {
        if let Some(value) = single_value(statement, problems) {
            self.push(key, (statement.head(), value), Value::Number(number), problems);
        }
    }

    /// Adds an entry, unless there is one of that key.
    fn push(&mut self, key: &str, (name, value): (&Word, &Word), read: Value, problems: &mut Vec<Problem>) {
        match self.table.entry_mut(key) {
            Some(first) => {
                let message = format!("`{key}` is given twice");
                let problem = Problem::at(&name.place, message).help("keep one of them");
                problems.push(problem.other(&first.place, "first here"));
            }
            None => self.table.entries.push(Entry {
                key: key.to_string(),
                place: name.place.clone(),
                node: Node { place: value.place.clone(), value: read },
            }),
        }
    }

    /// What a key or attribute of this name takes.
    fn kind(&self, name: &str) -> Option<Kind> {
        let key = self.spec.key(name).map(|key| key.kind);
        let scalar = |kind: &Kind| !matches!(kind, Kind::Table(_) | Kind::Tables(_) | Kind::List(_));
        key.filter(scalar).or_else(|| self.spec.attribute(name).map(|attribute| attribute.kind))
    }

    fn unknown(&self, name: &Word) -> Problem {
        let settable = self.spec.attributes.iter().filter(|attribute| attribute.settable());
        let known: Vec<&str> = settable.map(|attribute: &Attribute| attribute.name).collect();
        let help = suggest::help(&name.text, known.iter().copied(), "it has no attributes");
        Problem::at(&name.place, format!("{} has no attribute `{}`", self.what, name.text)).help(help)
    }
}

/// The value of a statement that has exactly one and no section.
fn single_value<'a>(statement: &'a Statement, problems: &mut Vec<Problem>) -> Option<&'a Word> {
    let name = statement.head();
    let problem = match (&statement.words[1..], &statement.section) {
        ([value], None) => return Some(value),
        (_, Some(_)) => Problem::at(&name.place, format!("`{}` has no section", name.text))
            .help("write its value instead"),
        ([], None) => {
            Problem::at(&name.place, format!("`{}` has no value", name.text)).help("write one behind it")
        }
        ([_, second, ..], None) => {
            let message = format!("`{}` has more than one value", name.text);
            Problem::at(&second.place, message).help("put a value with blanks in quotes")
        }
    };
    problems.push(problem);
    None
}

/// A value of a kind, or what the kind takes.
fn read(kind: Kind, text: &str) -> Result<Value, &'static str> {
    match kind {
        Kind::Flag | Kind::Switch => match text {
            "0" => Ok(Value::Flag(false)),
            "1" => Ok(Value::Flag(true)),
            _ => Err("0 or 1"),
        },
        Kind::Number(..) | Kind::Hex(_) => number(text).map(Value::Number).ok_or("a number"),
        Kind::Size(_) => number(text).map(Value::Number).ok_or("a number of bytes"),
        Kind::Choice(words) => {
            // SCST takes some of its words in any case.
            let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            Ok(Value::Text(known.map_or(text, |(word, _)| word).to_string()))
        }
        _ => Ok(Value::Text(text.to_string())),
    }
}

/// Whether an object of this description takes a key or an attribute of this value.
pub(super) fn takes(spec: &'static Spec, name: &str, text: &str) -> bool {
    let key = spec.key(name).map(|key| key.kind);
    let attribute = || spec.attribute(name).filter(|attribute| attribute.settable());
    let kind = key.or_else(|| attribute().map(|attribute| attribute.kind));
    kind.is_some_and(|kind| read(kind, text).is_ok_and(|value| shape::takes(kind, name, value)))
}

/// A number as the kernel reads one: decimal, `0x` and hexadecimal, or `0` and octal.
pub(crate) fn number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        None => (10, digits),
    };
    let plain = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let number = i64::from_str_radix(digits, radix).ok().filter(|_| plain)?;
    number.checked_mul(sign)
}
