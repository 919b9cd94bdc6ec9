// SPDX-License-Identifier: MIT OR Apache-2.0
//! Things that may be there only once.

use crate::problem::{Place, Problem};

/// Remembers what was seen, and where.
pub(super) struct Unique<'a> {
    /// What they are, for the message: `device`, `LUN`.
    what: &'static str,
    /// The next step.
    help: &'static str,
    seen: Vec<(String, &'a Place)>,
}

impl<'a> Unique<'a> {
    /// Nothing seen yet.
    pub(super) fn new(what: &'static str, help: &'static str) -> Self {
        Unique { what, help, seen: Vec::new() }
    }

    /// Notes one more, and reports it if it was there before.
    pub(super) fn note(&mut self, item: &str, place: &'a Place, problems: &mut Vec<Problem>) {
        match self.seen.iter().find(|(known, _)| known == item) {
            Some((_, first)) => {
                let message = format!("the {} `{item}` is there twice", self.what);
                problems.push(Problem::at(place, message).help(self.help).other(first, "first here"));
            }
            None => self.seen.push((item.to_string(), place)),
        }
    }

    /// True if this was noted.
    pub(super) fn has(&self, item: &str) -> bool {
        self.seen.iter().any(|(known, _)| known == item)
    }

    /// All that was noted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.seen.iter().map(|(name, _)| name.as_str())
    }
}
