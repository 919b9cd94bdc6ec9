// SPDX-License-Identifier: MIT OR Apache-2.0
//! What came of the tests: a line each as they end, a summary, and a file for programs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;

use crate::files;
use crate::golden::Tally;

/// Why a test did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One word: `fail`, `panic`, `hang`, `missing`.
    pub(crate) verdict: &'static str,
    /// Everything that a person needs to see.
    pub(crate) details: String,
}

impl Failure {
    /// A test that did something else than it had to.
    pub(crate) fn fail(details: impl Into<String>) -> Self {
        Self { verdict: "fail", details: details.into() }
    }
}

/// The end of one test.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// The test's name.
    pub(crate) name: String,
    /// How it went.
    pub(crate) result: Result<(), Failure>,
    /// The wall-clock time that it took.
    pub(crate) time: Duration,
}

/// Whether a failure ends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// The others still run.
    GoOn,
    /// No further test is started.
    Stop,
}

/// Collects outcomes from several threads and prints each as it comes.
#[derive(Debug)]
pub(crate) struct Report {
    outcomes: Mutex<Vec<Outcome>>,
    on_failure: OnFailure,
    stopped: AtomicBool,
    golden: Mutex<BTreeMap<String, Golden>>,
}

/// What came of one golden transcript.
#[derive(Debug, Clone, Serialize)]
struct Golden {
    #[serde(flatten)]
    tally: Tally,
    /// What it waits for, if it is not expected to agree yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<String>,
}

#[derive(Serialize)]
struct Results<'a> {
    passed: usize,
    failed: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    golden: &'a BTreeMap<String, Golden>,
    tests: Vec<TestResult<'a>>,
}

#[derive(Serialize)]
struct TestResult<'a> {
    name: &'a str,
    verdict: &'a str,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
}

impl Report {
    /// A report without outcomes.
    pub(crate) fn new(on_failure: OnFailure) -> Self {
        Self {
            outcomes: Mutex::default(),
            on_failure,
            stopped: AtomicBool::new(false),
            golden: Mutex::default(),
        }
    }

    /// Takes and prints the outcome of one test.
    pub(crate) fn add(&self, outcome: Outcome) {
        let mut all = self.outcomes.lock().expect("no holder panics");
        let verdict = outcome.result.as_ref().map_or_else(|failure| failure.verdict, |()| "ok");
        println!("{verdict:<8}{:>8.2} s  {}", outcome.time.as_secs_f64(), outcome.name);
        if let Err(failure) = &outcome.result {
            for line in failure.details.trim_end().lines() {
                println!("    | {line}");
            }
            if self.on_failure == OnFailure::Stop {
                self.stopped.store(true, Ordering::Relaxed);
            }
        }
        all.push(outcome);
    }

    /// Takes the counts of a golden transcript's lines, and what it waits for.
    pub(crate) fn tally(&self, name: &str, tally: Tally, pending: Option<&str>) {
        let row = Golden { tally, pending: pending.map(str::to_owned) };
        self.golden.lock().expect("no holder panics").insert(name.to_owned(), row);
    }

    /// Whether no further test is to be started.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Prints the summary; its last line is `N passed, N failed`. True if everything passed and something ran.
    pub(crate) fn finish(&self, time: Duration) -> bool {
        let all = self.outcomes.lock().expect("no holder panics");
        let (passed, failed) = count(&all);
        if failed > 0 {
            println!("\nfailed:");
        }
        for outcome in all.iter() {
            if let Err(failure) = &outcome.result {
                println!("  {:<8}{}", failure.verdict, outcome.name);
            }
        }
        print!("{}", table(&self.golden.lock().expect("no holder panics")));
        println!("\n{}", summary(&all, time));
        println!("{passed} passed, {failed} failed");
        failed == 0 && passed > 0
    }

    /// Writes the outcomes to `path` as JSON.
    pub(crate) fn write_json(&self, path: &Path) -> miette::Result<()> {
        let all = self.outcomes.lock().expect("no holder panics");
        let (passed, failed) = count(&all);
        let tests = all.iter().map(result).collect();
        let golden = &*self.golden.lock().expect("no holder panics");
        let results = Results { passed, failed, golden, tests };
        let text = serde_json::to_string_pretty(&results).expect("plain data");
        files::write(path, text + "\n")
    }
}

fn result(outcome: &Outcome) -> TestResult<'_> {
    let failure = outcome.result.as_ref().err();
    TestResult {
        name: &outcome.name,
        verdict: failure.map_or("pass", |failure| failure.verdict),
        seconds: outcome.time.as_secs_f64(),
        details: failure.map(|failure| failure.details.as_str()),
    }
}

fn count(all: &[Outcome]) -> (usize, usize) {
    let failed = all.iter().filter(|outcome| outcome.result.is_err()).count();
    (all.len() - failed, failed)
}

/// The golden transcripts, a line each; nothing if there are none.
fn table(golden: &BTreeMap<String, Golden>) -> String {
    if golden.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{:<36}{:>8}{:>9}{:>9}\n", "golden transcript", "equal", "allowed", "missing");
    for (name, Golden { tally, pending }) in golden {
        let name = name.rsplit('/').next().unwrap_or(name);
        let waits = pending.as_ref().map(|what| format!("  pending: {what}")).unwrap_or_default();
        text += &format!("{name:<36}{:>8}{:>9}{:>9}{waits}\n", tally.equal, tally.allowed, tally.missing);
    }
    text
}

/// Tests and their added times by kind, and the time on the wall.
fn summary(all: &[Outcome], time: Duration) -> String {
    let kinds = ["host", "check", "build", "scenario", "golden"].into_iter().filter_map(|kind| {
        let of_kind: Vec<_> = all.iter().filter(|o| o.name.split('/').next() == Some(kind)).collect();
        let seconds: f64 = of_kind.iter().map(|outcome| outcome.time.as_secs_f64()).sum();
        (!of_kind.is_empty()).then(|| format!("{} {kind} tests took {seconds:.1} s", of_kind.len()))
    });
    let kinds: Vec<_> = kinds.collect();
    format!("{}; {:.1} s in all", kinds.join(", "), time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, result: Result<(), Failure>) -> Outcome {
        Outcome { name: name.into(), result, time: Duration::from_millis(1500) }
    }

    #[test]
    fn a_run_without_tests_is_no_success() {
        assert!(!Report::new(OnFailure::GoOn).finish(Duration::ZERO));
    }

    #[test]
    fn one_failure_fails_the_run_and_may_stop_it() {
        for (on_failure, stopped) in [(OnFailure::GoOn, false), (OnFailure::Stop, true)] {
            let report = Report::new(on_failure);
            report.add(outcome("host/a", Ok(())));
            assert!(!report.stopped());
            report.add(outcome("host/b", Err(Failure::fail("why"))));
            assert_eq!(report.stopped(), stopped);
            assert!(!report.finish(Duration::ZERO));
        }
    }

    #[test]
    fn golden_transcripts_are_a_table_and_in_the_file_for_programs() {
        assert_eq!(table(&BTreeMap::new()), "");
        let report = Report::new(OnFailure::GoOn);
        report.tally("golden/a", Tally { equal: 7, allowed: 2, missing: 1 }, Some("attributes"));
        assert!(table(&report.golden.lock().unwrap())
            .ends_with("       7        2        1  pending: attributes\n"));
        let dir = tempfile::tempdir().unwrap();
        report.write_json(&dir.path().join("r.json")).unwrap();
        let text = std::fs::read_to_string(dir.path().join("r.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["golden"]["golden/a"]["allowed"], 2);
        assert_eq!(json["golden"]["golden/a"]["pending"], "attributes");
    }

    #[test]
    fn the_file_for_programs_has_every_outcome() {
        let dir = tempfile::tempdir().unwrap();
        let report = Report::new(OnFailure::GoOn);
        report.add(outcome("host/a", Ok(())));
        report.add(outcome("scenario/b", Err(Failure { verdict: "hang", details: "silent".into() })));
        report.write_json(&dir.path().join("r.json")).unwrap();
        let text = std::fs::read_to_string(dir.path().join("r.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
        assert_eq!(json["tests"][1]["verdict"], "hang");
        assert_eq!(json["tests"][1]["details"], "silent");
        assert_eq!(json["tests"][0]["seconds"], 1.5);
    }
}
