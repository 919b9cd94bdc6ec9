// SPDX-License-Identifier: MIT OR Apache-2.0
//! A profile as a tree of values that all know their place, so that whatever is wrong can be pointed at after the
//! texts of several profiles have become one.

use crate::problem::{Place, Problem, Text};
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use toml::Spanned;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a profile can hold.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
    /// Something of a type that no key takes, or that the checker has already complained about.
    Other(&'static str),
}

impl Value {
    /// The value's type in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Number(_) => "a number",
            Value::Flag(_) => "true or false",
            Value::List(list) if list.iter().any(|item| matches!(item.value, Value::Table(_))) => "tables",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Other(kind) => kind,
        }
    }
}

/// A table: its entries in the order of the text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
}

/// One key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

impl Table {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The entry of a key.
    pub(crate) fn entry_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }
}

/// Reads one text. Mistakes of syntax go to `problems`; none is returned when the rest cannot be trusted after them.
pub(crate) fn parse(text: &Text, problems: &mut Vec<Problem>) -> Option<Node> {
    let (document, errors) = DeTable::parse_recoverable(text.inner());
    // After a doubled key the tree is still sound; after anything else what follows may be misread.
    let sound = errors.iter().all(|error| error.message().contains("duplicate key"));
    problems.extend(errors.iter().map(|error| syntax_problem(text, error)));
    if !sound {
        return None;
    }
    let value = table(text, document.into_inner(), problems);
    // What is said of a whole profile points at its first key rather than at a comment above it.
    let first = match &value {
        Value::Table(table) => table.entries.first().map(|entry| entry.place.clone()),
        _ => None,
    };
    Some(Node { place: first.unwrap_or_else(|| place(text, 0..0)), value })
}

/// A mistake of syntax, in the parser's words.
fn syntax_problem(text: &Text, error: &toml::de::Error) -> Problem {
    let at = place(text, error.span().unwrap_or(0..0));
    let message = error.message().trim().replace('\n', ", ");
    if message.contains("duplicate key") {
        let key = text.inner().get(at.span.clone()).unwrap_or_default();
        return Problem::at(&at, format!("the key `{key}` is given twice"))
            .help("keep one of them; tables that repeat are written with two brackets, as in `[[device]]`");
    }
    Problem::at(&at, format!("this is not TOML: {message}"))
        .help("correct the syntax first; a file's other rules are checked once it can be read")
}

fn place(text: &Text, span: Range<usize>) -> Place {
    Place { text: text.clone(), span }
}

fn table(text: &Text, table: DeTable<'_>, problems: &mut Vec<Problem>) -> Value {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            place: place(text, key.span()),
            key: key.into_inner().into_owned(),
            node: node(text, value, problems),
        })
        .collect();
    entries.sort_by_key(|entry| entry.place.span.start);
    Value::Table(Table { entries })
}

fn node(text: &Text, spanned: Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Node {
    let at = place(text, spanned.span());
    let value = match spanned.into_inner() {
        DeValue::String(string) => Value::Text(string.into_owned()),
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Array(array) => {
            Value::List(array.into_iter().map(|item| node(text, item, problems)).collect())
        }
        DeValue::Table(inner) => table(text, inner, problems),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Value::Number(number),
            Err(_) => {
                problems.push(
                    Problem::at(&at, "the number does not fit into 64 bits").help("write a smaller one"),
                );
                Value::Other("a number")
            }
        },
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
    };
    Node { place: at, value }
}
