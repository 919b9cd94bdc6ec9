// SPDX-License-Identifier: MIT OR Apache-2.0
//! What became of the profile, for people on the console and for programs in `/run/appliance/status.json`.

use crate::root::{self, Root};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;

/// Where the report of the last load is.
pub(crate) const STATUS_FILE: &str = "/run/appliance/status.json";
/// Init scripts that failed, one `NAME STATUS` a line; written by `/etc/init.d/rcS`.
pub(crate) const FAILED_SCRIPTS: &str = "/run/appliance/failed-scripts";
/// The version of the report's form.
const SCHEMA: u32 = 1;

/// How the appliance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Everything that the profile asks for is there.
    Up,
    /// Something failed; everything else is there.
    Degraded,
    /// The profile cannot be used, or nobody loaded it.
    Unusable,
}

/// One step that did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// What the step should have brought about, such as `device disk1`.
    pub(crate) object: String,
    /// The file or the module that the step was about.
    pub(crate) path: String,
    /// What was written there, or the module's parameters.
    pub(crate) data: String,
    /// The error's name, such as `ENOENT`; empty if it was not a number.
    pub(crate) errno: String,
    /// What went wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) advice: String,
}

/// One step that was not tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Skipped {
    /// What the step should have brought about.
    pub(crate) object: String,
    /// The object whose failure made it pointless.
    pub(crate) because_of: String,
}

/// One init script that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FailedScript {
    /// Its file name in `/etc/init.d`.
    pub(crate) name: String,
    /// Its exit status.
    pub(crate) status: i32,
}

/// The whole report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The version of this form.
    pub(crate) schema: u32,
    /// The verdict.
    pub(crate) state: State,
    /// Number of objects in the profile's plan.
    pub(crate) objects: usize,
    /// How many of them are there.
    pub(crate) up: usize,
    /// How many of those were there before, and were left alone.
    #[serde(default)]
    pub(crate) present: usize,
    /// Steps that failed, in order.
    pub(crate) failures: Vec<Failure>,
    /// Steps that were not tried, in order.
    pub(crate) skipped: Vec<Skipped>,
    /// What worked and deserves a look.
    pub(crate) notes: Vec<String>,
    /// Why the profile cannot be used; empty if it can.
    pub(crate) profile_errors: String,
    /// Init scripts that failed, in order.
    pub(crate) failed_scripts: Vec<FailedScript>,
}

impl Report {
    /// A report of no objects at all.
    pub(crate) fn new(state: State) -> Self {
        Report {
            schema: SCHEMA,
            state,
            objects: 0,
            up: 0,
            present: 0,
            failures: Vec::new(),
            skipped: Vec::new(),
            notes: Vec::new(),
            profile_errors: String::new(),
            failed_scripts: Vec::new(),
        }
    }

    /// The report of a profile that the checker refuses.
    pub(crate) fn unusable(profile_errors: String) -> Self {
        Report { profile_errors, ..Report::new(State::Unusable) }
    }

    /// The last report, if there is one that this program understands.
    pub(crate) fn read(root: &Root) -> Option<Report> {
        let text = std::fs::read(root.at(STATUS_FILE)).ok()?;
        serde_json::from_slice(&text).ok().filter(|report: &Report| report.schema == SCHEMA)
    }

    /// Makes this the last report.
    pub(crate) fn write(&self, root: &Root) -> io::Result<()> {
        root::write_atomically(&root.at(STATUS_FILE), self.json().as_bytes())
    }

    /// The report as indented JSON.
    pub(crate) fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report has only strings and numbers");
        text.push('\n');
        text
    }

    /// The process's exit status: 0 up, 1 degraded, 2 unusable.
    pub(crate) fn exit_status(&self) -> u8 {
        match self.state {
            State::Up => 0,
            State::Degraded => 1,
            State::Unusable => 2,
        }
    }

    /// Adds what init says about its scripts, which makes a good report a degraded one.
    pub(crate) fn with_scripts(mut self, failed: Vec<FailedScript>) -> Self {
        if !failed.is_empty() && self.state == State::Up {
            self.state = State::Degraded;
        }
        self.failed_scripts = failed;
        self
    }

    /// What was not tried, in one sentence for each failure that it goes back to.
    pub(crate) fn skipped_sentences(&self) -> Vec<String> {
        let sentence = |failure: &Failure| {
            let of_this = self.skipped.iter().filter(|skipped| skipped.because_of == failure.object);
            let objects: Vec<&str> = of_this.map(|skipped| skipped.object.as_str()).collect();
            let listed = shortened(&objects);
            (!objects.is_empty()).then(|| format!("not tried without {}: {listed}", failure.object))
        };
        self.failures.iter().filter_map(sentence).collect()
    }

    /// What was done, in one line.
    pub(crate) fn summary(&self) -> String {
        match (self.state, self.up - self.present) {
            (State::Unusable, _) => "nothing was done".to_string(),
            (State::Up, 0) => format!("nothing to do, {} of {} objects", self.up, self.objects),
            (_, steps) => format!("steps taken: {steps}, {} of {} objects", self.up, self.objects),
        }
    }

    /// The last line of a boot.
    pub(crate) fn verdict(&self) -> String {
        let mut words = match (self.state, self.objects) {
            (State::Up, _) => vec![format!("appliance: up, {} of {} objects", self.up, self.objects)],
            (State::Unusable, _) => vec!["appliance: DEGRADED, the profile was not loaded".to_string()],
            _ => vec![format!("appliance: DEGRADED, {} of {} objects", self.up, self.objects)],
        };
        if !self.failures.is_empty() {
            let failed: Vec<&str> = self.failures.iter().map(|failure| failure.object.as_str()).collect();
            words.push(format!("failed: {}", shortened(&failed)));
        }
        if !self.failed_scripts.is_empty() {
            let failed: Vec<&str> = self.failed_scripts.iter().map(|script| script.name.as_str()).collect();
            words.push(format!("scripts failed: {}", shortened(&failed)));
        }
        words.join("; ")
    }
}

/// A list that fits a console line; the report has the whole.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 4;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The scripts that init noted as failed.
pub(crate) fn failed_scripts(root: &Root) -> Vec<FailedScript> {
    let text = std::fs::read_to_string(root.at(FAILED_SCRIPTS)).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, status)| FailedScript { name: name.to_string(), status: status.parse().unwrap_or(-1) })
        .collect()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.path)?;
        if !self.data.is_empty() {
            write!(f, ": `{}`", self.data)?;
        }
        if !self.errno.is_empty() {
            write!(f, ": {}", self.errno)?;
        }
        write!(f, ": {}\n  help: {}", self.message, self.advice)
    }
}
