// SPDX-License-Identifier: MIT OR Apache-2.0
//! Things that may be there only once.

use crate::problem::{Place, Problem};
use std::collections::HashMap;

/// Remembers what was seen, and where.
pub(super) struct Unique<'a> {
    /// What they are, for the message: `device`, `LUN`.
    what: &'static str,
    /// The next step.
    help: &'static str,
    seen: HashMap<String, &'a Place>,
}

impl<'a> Unique<'a> {
    /// Nothing seen yet.
    pub(super) fn new(what: &'static str, help: &'static str) -> Self {
        Unique { what, help, seen: HashMap::new() }
    }

    /// Notes one more, and reports it if it was there before.
    pub(super) fn note(&mut self, item: &str, place: &'a Place, problems: &mut Vec<Problem>) {
        match self.seen.get(item) {
            Some(first) => {
                let message = format!("the {} `{item}` is there twice", self.what);
                problems.push(Problem::at(place, message).help(self.help).other(first, "first here"));
            }
            None => drop(self.seen.insert(item.to_string(), place)),
        }
    }

    /// True if this was noted.
    pub(super) fn has(&self, item: &str) -> bool {
        self.seen.contains_key(item)
    }

    /// All that was noted, in name order.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.seen.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}
