// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one description of every key of a profile: its name, what it takes, its default and its meaning. The checker
//! and the JSON schema are both made from it, so they cannot disagree.

mod attributes;
pub(crate) mod format;
mod sections;
mod stack;

pub(crate) use format::Format;
pub(crate) use sections::ROOT;
pub(crate) use stack::{DEVICE, DEVICE_TITLE, GROUP, NOTHING, PARAMETERS, SCST, TARGET};

use crate::board::Handler;

/// What a table takes.
pub(crate) struct Spec {
    /// The table as it is written, such as `[vm]`.
    pub(crate) title: &'static str,
    #[cfg_attr(not(feature = "schema"), expect(dead_code, reason = "for the schema"))]
    pub(crate) doc: &'static str,
    /// The key that tells the entries of a repeated table apart; an heir's entry with an inherited one's identity
    /// changes that one instead of adding another.
    pub(crate) id: Option<&'static str>,
    pub(crate) keys: &'static [Key],
    /// SCST attributes that may stand in the table itself or in its `attributes` table.
    pub(crate) attributes: &'static [Attribute],
}

/// One key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) fallback: Fallback,
    pub(crate) doc: &'static str,
}

/// What stands for a key that is not given.
#[derive(Clone, Copy)]
pub(crate) enum Fallback {
    /// The key must be given.
    Required,
    /// Nothing; the checker of the section decides whether that is right.
    Nothing,
    Flag(bool),
    Number(i64),
    /// Mebibytes.
    Mib(u64),
    Text(&'static str),
}

/// What a key takes.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Flag,
    /// `true`, `false`, 1 or 0: SCST's own switches.
    Switch,
    /// A whole number in a range, both ends included.
    Number(i64, i64),
    /// A whole number from 0 up to this one, which SCST shows in hexadecimal.
    Hex(i64),
    /// A size in bytes.
    Size(&'static SizeRule),
    /// One of some words, each with its meaning.
    Choice(&'static [(&'static str, &'static str)]),
    /// Text of a form.
    Text(&'static Format),
    /// Text of a form; a number is read as its digits.
    Word(&'static Format),
    /// Printable ASCII of at most so many characters.
    Line(usize),
    /// A list of texts of a form.
    List(&'static Format),
    /// A table.
    Table(&'static Spec),
    /// A repeated table.
    Tables(&'static Spec),
}

/// Which sizes are possible.
pub(crate) struct SizeRule {
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) multiple: u64,
    /// Why, for the help line.
    pub(crate) why: &'static str,
}

/// An SCST attribute or parameter.
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// One letter for each kind of owner (for devices: fileio, blockio, nullio, vcdrom; else just one):
    /// `c` given when the object is made, `w` written afterwards, `r` read-only, `x` does something when written
    /// and so is no setting, `u` known to SCST but not supported here, `-` not there.
    pub(crate) roles: &'static str,
    pub(crate) doc: &'static str,
}

/// How an attribute may be used at one kind of owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Create,
    Write,
    ReadOnly,
    Acts,
    Unsupported,
    Absent,
}

impl Attribute {
    /// The role at the owner with this index.
    pub(crate) fn role(&self, owner: usize) -> Role {
        match self.roles.as_bytes().get(owner) {
            Some(b'c') => Role::Create,
            Some(b'w') => Role::Write,
            Some(b'r') => Role::ReadOnly,
            Some(b'x') => Role::Acts,
            Some(b'u') => Role::Unsupported,
            _ => Role::Absent,
        }
    }

    /// True if some owner lets the profile set it.
    pub(crate) fn settable(&self) -> bool {
        self.roles.contains(['c', 'w'])
    }
}

impl Spec {
    /// A key by name.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// An attribute by name.
    pub(crate) fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

/// Attributes with two names for one value: the old one and the new one.
const RENAMED: [(&str, &str); 1] = [("forwarding", "forward_dst")];

/// The new name of what this is an old name of.
pub(crate) fn old_name_of(name: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(old, _)| *old == name).map(|(_, new)| *new)
}

/// All names under which the value of an attribute is shown, this one first.
pub(crate) fn names_of(name: &str) -> impl Iterator<Item = &str> {
    let others = RENAMED.iter().filter_map(move |(old, new)| match name {
        _ if name == *old => Some(*new),
        _ if name == *new => Some(*old),
        _ => None,
    });
    std::iter::once(name).chain(others)
}

/// Which of a device attribute's roles is a handler's.
pub(crate) fn device_owner(handler: Handler) -> usize {
    Handler::ALL.iter().position(|known| *known == handler).unwrap_or_default()
}

/// How a device of this handler takes an attribute: when it is made, or afterwards.
pub(crate) fn device_role(handler: Handler, name: &str) -> Role {
    DEVICE.attribute(name).map_or(Role::Absent, |attribute| attribute.role(device_owner(handler)))
}

/// A key whose absence is an error.
const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, fallback: Fallback::Required, doc }
}

/// A key that may be absent.
const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, fallback: Fallback::Nothing, doc }
}

/// A key with a default.
const fn defaulted(name: &'static str, kind: Kind, fallback: Fallback, doc: &'static str) -> Key {
    Key { name, kind, fallback, doc }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{AluaState, Driver};
    use crate::{Arch, Bus};
    use serde::de::value::{Error, StrDeserializer};
    use serde::de::{Deserialize, IntoDeserializer};

    /// Calls `visit` for every table of the format.
    fn walk(spec: &'static Spec, visit: &mut impl FnMut(&'static Spec)) {
        visit(spec);
        for key in spec.keys {
            if let Kind::Table(inner) | Kind::Tables(inner) = key.kind {
                walk(inner, visit);
            }
        }
    }

    fn reads<'de, T: Deserialize<'de>>(word: &'de str) -> bool {
        let word: StrDeserializer<'de, Error> = word.into_deserializer();
        T::deserialize(word).is_ok()
    }

    #[test]
    fn every_word_of_a_choice_stands_for_a_value() {
        walk(&ROOT, &mut |spec| {
            for key in spec.keys {
                let Kind::Choice(words) = key.kind else { continue };
                for (word, _) in words {
                    let known = match key.name {
                        "arch" => reads::<Arch>(word),
                        "bus" | "disk_bus" => reads::<Bus>(word),
                        "handler" => reads::<Handler>(word),
                        "driver" => reads::<Driver>(word),
                        "state" => reads::<AluaState>(word),
                        other => panic!("`{other}` is a choice that this test does not know"),
                    };
                    assert!(known, "{} {} = {word}", spec.title, key.name);
                }
            }
        });
    }

    #[test]
    fn every_default_obeys_its_own_rule() {
        walk(&ROOT, &mut |spec| {
            for key in spec.keys {
                let good = match (key.kind, key.fallback) {
                    (_, Fallback::Required | Fallback::Nothing) => true,
                    (Kind::Flag, Fallback::Flag(_)) => true,
                    (Kind::Number(min, max), Fallback::Number(number)) => (min..=max).contains(&number),
                    (Kind::Size(rule), Fallback::Mib(mib)) => {
                        let bytes = mib << 20;
                        bytes >= rule.min && bytes <= rule.max && bytes % rule.multiple == 0
                    }
                    (Kind::Choice(words), Fallback::Text(text)) => {
                        words.iter().any(|(word, _)| *word == text)
                    }
                    (Kind::Text(format), Fallback::Text(text)) => (format.check)(text).is_ok(),
                    _ => false,
                };
                assert!(good, "{} {}", spec.title, key.name);
            }
        });
    }

    #[test]
    fn attributes_have_a_role_for_each_owner_and_no_name_twice() {
        walk(&ROOT, &mut |spec| {
            let owners = if spec.title == "[[device]]" { Handler::ALL.len() } else { 1 };
            let mut names: Vec<&str> = spec.keys.iter().map(|key| key.name).collect();
            for attribute in spec.attributes {
                assert_eq!(attribute.roles.len(), owners, "{}", attribute.name);
                assert!(attribute.roles.chars().all(|role| "cwrxu-".contains(role)), "{}", attribute.name);
                names.push(attribute.name);
            }
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{} has a name twice", spec.title);
        });
    }

    #[test]
    fn words_given_at_creation_cannot_break_the_command() {
        for attribute in stack::DEVICE.attributes.iter().filter(|attribute| attribute.roles.contains('c')) {
            let safe =
                matches!(attribute.kind, Kind::Switch | Kind::Number(..) | Kind::Size(_) | Kind::Word(_));
            assert!(safe, "`{}` may hold a blank", attribute.name);
        }
    }
}

#[cfg(test)]
#[path = "modules_tests.rs"]
mod modules_tests;
