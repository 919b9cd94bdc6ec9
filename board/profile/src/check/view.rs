// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading a flattened table by the keys that its description names: defaults are filled in, and a required key
//! that is missing is reported once, at the table.

use super::shape::read_size;
use crate::problem::{Place, Problem};
use crate::spec::{Fallback, Kind, Spec};
use crate::tree::{Node, Table, Value};
use crate::value::Size;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// A table with its description. An absent table reads as an empty one.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) spec: &'static Spec,
    pub(super) place: &'a Place,
    table: Option<&'a Table>,
}

/// A value and the place to point at when it is wrong.
pub(super) type Found<'a, T> = (T, &'a Place);

impl<'a> View<'a> {
    /// The whole profile.
    pub(super) fn root(spec: &'static Spec, node: &'a Node) -> Self {
        View::of(spec, node, &node.place)
    }

    fn of(spec: &'static Spec, node: &'a Node, place: &'a Place) -> Self {
        let table = match &node.value {
            Value::Table(table) => Some(table),
            _ => None,
        };
        View { spec, place, table }
    }

    /// The value of a key, if it is given.
    pub(super) fn node(&self, key: &str) -> Option<&'a Node> {
        self.table?.get(key)
    }

    /// Where a key's value stands, or else the table.
    pub(super) fn place_of(&self, key: &str) -> &'a Place {
        self.node(key).map_or(self.place, |node| &node.place)
    }

    /// The entries of the table.
    pub(super) fn entries(&self) -> impl Iterator<Item = &'a crate::tree::Entry> {
        self.table.into_iter().flat_map(|table| &table.entries)
    }

    /// What stands for a key that is not given; a required one is reported.
    fn fallback(&self, key: &str, problems: &mut Vec<Problem>) -> Fallback {
        let fallback = self.spec.key(key).map_or(Fallback::Nothing, |key| key.fallback);
        if let Fallback::Required = fallback {
            let message = format!("{} has no `{key}`", self.spec.title);
            let doc = self.spec.key(key).map_or("", |key| key.doc);
            problems.push(Problem::at(self.place, message).help(format!("add `{key}`: {}", lower(doc))));
        }
        fallback
    }

    /// Text, or a word of a choice.
    pub(super) fn text(&self, key: &str, problems: &mut Vec<Problem>) -> Option<Found<'a, &'a str>> {
        match self.node(key) {
            Some(Node { value: Value::Text(text), place }) => Some((text, place)),
            Some(_) => None,
            None => match self.fallback(key, problems) {
                Fallback::Text(text) => Some((text, self.place)),
                _ => None,
            },
        }
    }

    /// A word of a choice as the type that stands for it. Unknown words were reported by the first pass.
    pub(super) fn choice<T: DeserializeOwned>(&self, key: &str, problems: &mut Vec<Problem>) -> Option<T> {
        let (word, _) = self.text(key, problems)?;
        let word: StrDeserializer<'_, Error> = word.into_deserializer();
        T::deserialize(word).ok()
    }

    /// A whole number.
    pub(super) fn number(&self, key: &str, problems: &mut Vec<Problem>) -> Option<Found<'a, i64>> {
        match self.node(key) {
            Some(Node { value: Value::Number(number), place }) => Some((*number, place)),
            Some(_) => None,
            None => match self.fallback(key, problems) {
                Fallback::Number(number) => Some((number, self.place)),
                _ => None,
            },
        }
    }

    /// A size.
    pub(super) fn size(&self, key: &str, problems: &mut Vec<Problem>) -> Option<Found<'a, Size>> {
        match self.node(key) {
            Some(node) => read_size(&node.value).ok().map(|size| (size, &node.place)),
            None => match self.fallback(key, problems) {
                Fallback::Mib(mib) => Some((Size::from_mib(mib), self.place)),
                _ => None,
            },
        }
    }

    /// A flag; false where the value is of another type, which was reported.
    pub(super) fn flag(&self, key: &str, problems: &mut Vec<Problem>) -> bool {
        match self.node(key) {
            Some(node) => matches!(node.value, Value::Flag(true)),
            None => matches!(self.fallback(key, problems), Fallback::Flag(true)),
        }
    }

    /// The texts of a list; none where it is not given.
    pub(super) fn list(&self, key: &str) -> Vec<Found<'a, &'a str>> {
        let items = match self.node(key) {
            Some(Node { value: Value::List(items), .. }) => items.as_slice(),
            _ => &[],
        };
        let text = |item: &'a Node| match &item.value {
            Value::Text(text) => Some((text.as_str(), &item.place)),
            _ => None,
        };
        items.iter().filter_map(text).collect()
    }

    /// A table inside this one.
    pub(super) fn table(&self, key: &str) -> View<'a> {
        let spec = match self.spec.key(key).map(|key| key.kind) {
            Some(Kind::Table(spec)) => spec,
            _ => self.spec,
        };
        match self.node(key) {
            Some(node) => View::of(spec, node, &node.place),
            None => View { spec, place: self.place, table: None },
        }
    }

    /// The entries of a repeated table.
    pub(super) fn tables(&self, key: &str) -> Vec<View<'a>> {
        let Some(Kind::Tables(spec)) = self.spec.key(key).map(|key| key.kind) else { return Vec::new() };
        let items = match self.node(key) {
            Some(Node { value: Value::List(items), .. }) => items.as_slice(),
            _ => &[],
        };
        let tables = items.iter().filter(|item| matches!(item.value, Value::Table(_)));
        tables.map(|item| View::of(spec, item, &item.place)).collect()
    }
}

/// A sentence to go on with after a colon.
pub(super) fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str().trim_end_matches('.'))
}
