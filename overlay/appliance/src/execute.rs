// SPDX-License-Identifier: MIT OR Apache-2.0
//! The order of things: one step after another; a failed step costs what needs it, and everything else goes on.

use crate::report::{Failure, Report, Skipped, State};
use board_profile::{Action, Plan};
use std::collections::HashMap;

/// One step with its names as text.
struct Task<'a> {
    /// What the step brings about.
    object: &'a str,
    /// Objects of earlier steps without which it is pointless.
    needs: Vec<&'a str>,
    /// What is done.
    action: &'a Action,
}

/// The steps of a plan, in its order.
fn tasks(plan: &Plan) -> Vec<Task<'_>> {
    plan.steps
        .iter()
        .map(|step| Task {
            object: step.object.as_str(),
            needs: step.needs.iter().map(|needed| needed.as_str()).collect(),
            action: &step.action,
        })
        .collect()
}

/// Why an action did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The error's name; empty if there is no number.
    pub(crate) errno: String,
    /// What went wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) advice: String,
}

/// What can carry out an action.
pub(crate) trait Machine {
    /// Does it. A note is about something that worked and deserves a look.
    fn run(&mut self, action: &Action) -> Result<Option<String>, Trouble>;
}

/// Takes every step of a plan that can be taken; what is there already counts, too.
pub(crate) fn execute(plan: &Plan, machine: &mut impl Machine) -> Report {
    let mut report = take(&tasks(plan), machine);
    report.present = plan.present.len();
    report.objects += report.present;
    report.up += report.present;
    report.notes.splice(0..0, plan.notes.iter().cloned());
    report
}

/// Takes every step that can be taken.
fn take(tasks: &[Task<'_>], machine: &mut impl Machine) -> Report {
    let mut report = Report { objects: tasks.len(), ..Report::new(State::Up) };
    // Objects that are not there, each with the failure that it goes back to.
    let mut missing: HashMap<&str, &str> = HashMap::new();
    for task in tasks {
        if let Some(cause) = task.needs.iter().find_map(|needed| missing.get(needed).copied()) {
            missing.insert(task.object, cause);
            report.skipped.push(Skipped { object: task.object.into(), because_of: cause.into() });
            continue;
        }
        match machine.run(task.action) {
            Ok(note) => {
                report.up += 1;
                report.notes.extend(note);
            }
            Err(trouble) => {
                missing.insert(task.object, task.object);
                report.failures.push(failure(task, trouble));
            }
        }
    }
    if !report.failures.is_empty() {
        report.state = State::Degraded;
    }
    report
}

fn failure(task: &Task<'_>, trouble: Trouble) -> Failure {
    let (path, data) = match task.action {
        Action::Modprobe { module, params } => (format!("modprobe {module}"), params.join(" ")),
        Action::CreateFile { path, size } => (path.clone(), format!("{size} bytes")),
        Action::Write { path, data } => (format!("{}/{path}", board_profile::SYSFS_ROOT), data.clone()),
    };
    let Trouble { errno, message, advice } = trouble;
    Failure { object: task.object.into(), path, data, errno, message, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails what it is told to fail and remembers what it was asked.
    struct Scripted {
        failing: Vec<&'static str>,
        asked: Vec<String>,
    }

    impl Machine for Scripted {
        fn run(&mut self, action: &Action) -> Result<Option<String>, Trouble> {
            let Action::Write { path, .. } = action else { panic!("only writes here") };
            self.asked.push(path.clone());
            if self.failing.contains(&path.as_str()) {
                return Err(Trouble { errno: "EINVAL".into(), message: "no".into(), advice: "try".into() });
            }
            Ok((path == "noted").then(|| "look".to_string()))
        }
    }

    fn run(failing: Vec<&'static str>) -> (Report, Vec<String>) {
        let action = |path: &str| Action::Write { path: path.into(), data: "x".into() };
        let steps: Vec<(&str, Vec<&str>, Action)> = vec![
            ("module scst", vec![], action("scst")),
            ("device a", vec!["module scst"], action("a")),
            ("device b", vec!["module scst"], action("b")),
            ("attribute a/comment", vec!["device a"], action("noted")),
            ("lun t/0", vec!["target t", "device a"], action("t0")),
            ("lun t/1", vec!["target t", "device b"], action("t1")),
            ("group of lun 0", vec!["lun t/0"], action("g")),
        ];
        let tasks: Vec<Task<'_>> = steps
            .iter()
            .map(|(object, needs, action)| Task { object, needs: needs.clone(), action })
            .collect();
        let mut machine = Scripted { failing, asked: vec![] };
        let report = take(&tasks, &mut machine);
        (report, machine.asked)
    }

    #[test]
    fn all_steps_are_taken_in_order() {
        let (report, asked) = run(vec![]);
        assert_eq!(asked, ["scst", "a", "b", "noted", "t0", "t1", "g"]);
        assert_eq!((report.state, report.up, report.objects), (State::Up, 7, 7));
        assert_eq!(report.notes, ["look"]);
    }

    #[test]
    fn a_bad_device_costs_its_lun_and_no_other() {
        let (report, asked) = run(vec!["a"]);
        assert_eq!(asked, ["scst", "a", "b", "t1"]);
        assert_eq!((report.state, report.up), (State::Degraded, 3));
        assert_eq!(report.failures.len(), 1);
        let skipped: Vec<_> =
            report.skipped.iter().map(|s| (s.object.as_str(), s.because_of.as_str())).collect();
        let expected =
            ["attribute a/comment", "lun t/0", "group of lun 0"].map(|object| (object, "device a"));
        assert_eq!(skipped, expected);
        let sentence = "not tried without device a: attribute a/comment, lun t/0, group of lun 0";
        assert_eq!(report.skipped_sentences(), [sentence]);
    }

    #[test]
    fn a_missing_core_costs_all_that_needs_it_and_is_named_once() {
        let (report, asked) = run(vec!["scst"]);
        assert_eq!(asked, ["scst"]);
        assert_eq!((report.failures.len(), report.skipped.len(), report.up), (1, 6, 0));
        assert_eq!(report.failures[0].path, format!("{}/scst", board_profile::SYSFS_ROOT));
    }

    #[test]
    fn the_verdict_names_what_failed() {
        let (report, _) = run(vec!["a", "b"]);
        assert_eq!(report.verdict(), "appliance: DEGRADED, 1 of 7 objects; failed: device a, device b");
        let (report, _) = run(vec![]);
        assert_eq!(report.verdict(), "appliance: up, 7 of 7 objects");
        let script = crate::report::FailedScript { name: "S30storage".into(), status: 1 };
        let report = report.with_scripts(vec![script]);
        assert_eq!((report.exit_status(), report.state), (1, State::Degraded));
        assert_eq!(report.verdict(), "appliance: DEGRADED, 7 of 7 objects; scripts failed: S30storage");
    }
}
