// SPDX-License-Identifier: MIT OR Apache-2.0
//! The differences that are meant, each with its reason: `ci/golden/allowed.toml`.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use miette::miette;
use regex::Regex;
use serde::{Deserialize, Deserializer};

use super::compare::Difference;
use super::transcript::Step;
use crate::files;

/// Groups that a pattern can refer to.
const GROUPS: usize = 3;

/// One kind of difference.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The transcripts, by the whole of their names.
    #[serde(deserialize_with = "whole")]
    file: Regex,
    /// The step, by a part of its first line; any step if it is left out.
    #[serde(default, deserialize_with = "part")]
    step: Option<Regex>,
    /// What C answered, by the whole line; left out where C has no such line.
    #[serde(default, deserialize_with = "whole_if_given")]
    c: Option<Regex>,
    /// What we answer, by the whole line; left out where we have no such line. `<1>` stands for what the first group
    /// of `c` matched.
    #[serde(default, deserialize_with = "text_if_given")]
    ours: Option<String>,
    /// Why, in one sentence.
    reason: String,
    /// How many differences it explained.
    #[serde(skip)]
    used: AtomicUsize,
}

/// All of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Allowed {
    #[serde(default, rename = "allowed")]
    entries: Vec<Entry>,
}

fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Regex, D::Error> {
    let text = String::deserialize(from)?;
    Regex::new(&format!("^(?:{text})$")).map_err(serde::de::Error::custom)
}

fn whole_if_given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Regex>, D::Error> {
    whole(from).map(Some)
}

/// A pattern that may refer to what another one matched; checked with a letter in the place of each.
fn text_if_given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    let probe = (1..=GROUPS).fold(text.clone(), |text, group| text.replace(&format!("<{group}>"), "x"));
    Regex::new(&probe).map_err(serde::de::Error::custom)?;
    Ok(Some(text))
}

fn part<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Regex>, D::Error> {
    let text = String::deserialize(from)?;
    Regex::new(&text).map(Some).map_err(serde::de::Error::custom)
}

impl Allowed {
    /// Reads and checks the file at `path`.
    pub(super) fn read(path: &Path) -> miette::Result<Self> {
        Self::parse(&files::read(path)?).map_err(|error| miette!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let all: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for entry in &all.entries {
            if entry.reason.trim().len() < 10 {
                return Err(format!("{} has no reason", entry.title()));
            }
            if entry.c.is_none() && entry.ours.is_none() {
                return Err(format!("{} says neither what C answers nor what we answer", entry.title()));
            }
        }
        Ok(all)
    }

    /// Whether `difference`, found at `step` of the transcript `file`, is meant. Every entry that explains it counts as used.
    pub(super) fn explains(&self, file: &str, step: &Step, difference: &Difference) -> bool {
        let mut explained = false;
        for entry in self.entries.iter().filter(|entry| entry.explains(file, step, difference)) {
            entry.used.fetch_add(1, Ordering::Relaxed);
            explained = true;
        }
        explained
    }

    /// The entries that explained nothing, each in a line.
    pub(super) fn unused(&self) -> Vec<String> {
        self.entries
            .iter()
            .filter(|entry| entry.used.load(Ordering::Relaxed) == 0)
            .map(Entry::title)
            .collect()
    }
}

impl Entry {
    fn explains(&self, file: &str, step: &Step, difference: &Difference) -> bool {
        self.file.is_match(file)
            && self.step.as_ref().is_none_or(|pattern| pattern.is_match(&step.text))
            && self.says(difference).unwrap_or(false)
    }

    /// Whether both answers are as the entry says; nothing where one of them is not there and should be.
    fn says(&self, difference: &Difference) -> Option<bool> {
        let groups = match (&self.c, &difference.c) {
            (Some(pattern), Some(line)) => Some(pattern.captures(line)?),
            (None, None) => None,
            _ => return None,
        };
        match (&self.ours, &difference.ours) {
            (Some(pattern), Some(line)) => Some(with_groups(pattern, groups.as_ref()).is_match(line)),
            (None, None) => Some(true),
            _ => None,
        }
    }

    fn title(&self) -> String {
        let shown = |name: &str, pattern: Option<&str>| match pattern {
            Some(pattern) => format!(" {name} `{pattern}`"),
            None => String::new(),
        };
        format!(
            "the entry for `{}`{}{}{}",
            self.file,
            shown("step", self.step.as_ref().map(Regex::as_str)),
            shown("c", self.c.as_ref().map(Regex::as_str)),
            shown("ours", self.ours.as_deref())
        )
    }
}

/// `pattern` for a whole line, with what `groups` matched in its places.
fn with_groups(pattern: &str, groups: Option<&regex::Captures<'_>>) -> Regex {
    let mut text = pattern.to_owned();
    for group in 1..=GROUPS {
        let matched = groups.and_then(|all| all.get(group)).map_or("", |found| found.as_str());
        text = text.replace(&format!("<{group}>"), &regex::escape(matched));
    }
    Regex::new(&format!("^(?:{text})$")).expect("it was checked with other text in its places")
}

#[cfg(test)]
mod tests {
    use super::super::transcript::Action;
    use super::*;

    const TEXT: &str = "[[allowed]]\nfile = 'c.*'\nstep = '^read a'\nc = '.0.'\nours = '.1.'\nreason = 'the standard says so'\n\
        [[allowed]]\nfile = 'd'\nours = 'new'\nreason = 'a line that C lacks'\n";

    fn step(text: &str) -> Step {
        let action = Action::Read(String::new());
        Step { line: 1, text: text.into(), action, compared: true, answer: Vec::new(), dump: None }
    }

    fn difference(c: Option<&str>, ours: Option<&str>) -> Difference {
        Difference { c: c.map(str::to_owned), ours: ours.map(str::to_owned) }
    }

    #[test]
    fn an_entry_explains_what_matches_in_all_its_parts() {
        let allowed = Allowed::parse(TEXT).unwrap();
        let meant = difference(Some("'0'"), Some("'1'"));
        assert!(!allowed.explains("b", &step("read a"), &meant), "another file");
        assert!(!allowed.explains("c1", &step("read b"), &meant), "another step");
        assert!(
            !allowed.explains("c1", &step("read a"), &difference(Some("'0'"), Some("'12'"))),
            "another answer"
        );
        assert!(!allowed.explains("c1", &step("read a"), &difference(Some("'0'"), None)), "no answer");
        assert!(!allowed.explains("d", &step("x"), &difference(Some("old"), Some("new"))), "C has the line");
        assert_eq!(allowed.unused().len(), 2);
        assert!(allowed.explains("c1", &step("read a"), &meant));
        assert!(allowed.explains("d", &step("x"), &difference(None, Some("new"))));
        assert_eq!(allowed.unused(), Vec::<String>::new());
    }

    #[test]
    fn our_answer_can_refer_to_that_of_c() {
        let text = "[[allowed]]\nfile='c'\nc='(.*) resid=0(.*)'\nours='<1> resid=[1-9]\\d*<2>'\nreason='only the residual differs'";
        let allowed = Allowed::parse(text).unwrap();
        let explains = |c, ours| allowed.explains("c", &step("x"), &difference(Some(c), Some(ours)));
        assert!(explains("a resid=0 [70.]", "a resid=24 [70.]"));
        assert!(!explains("a resid=0 [70.]", "b resid=24 [70.]"));
        assert!(!explains("a resid=0 [70.]", "a resid=24 [70x]"), "what was matched is no pattern");
        assert!(!explains("a resid=0 [70.]", "a resid=0 [70.]"));
    }

    #[test]
    fn an_entry_without_reason_or_answer_is_refused() {
        for bad in [
            "[[allowed]]\nfile='a'\nc='x'\nreason=' '",
            "[[allowed]]\nfile='a'\nreason='this says nothing at all'",
            "[[allowed]]\nfile='a'\nc='('\nreason='the pattern is broken'",
            "[[allowed]]\nfile='a'\nc='x'\nreason='long enough'\nwhy='unknown key'",
        ] {
            assert!(Allowed::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_committed_file_is_good() {
        Allowed::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/golden/allowed.toml")).unwrap();
    }
}
