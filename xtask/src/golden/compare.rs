// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where two answers to one step differ.

use std::collections::BTreeMap;

use super::cdb::Dump;
use super::normal;
use super::transcript::{Action, Step};

/// What the guest answered to a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Lines in the transcript's words.
    pub(super) lines: Vec<String>,
    /// The data of a SCSI command.
    pub(super) dump: Option<Dump>,
}

/// One line that is not in both answers, or stands there in two ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// What C answered.
    pub(super) c: Option<String>,
    /// What we answered.
    pub(super) ours: Option<String>,
}

/// What comparing a step found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// Lines that are the same.
    pub(super) equal: usize,
    /// The others.
    pub(super) differences: Vec<Difference>,
}

/// Compares the answer to `step` with what the transcript says. Lines are compared whatever their order: what lists
/// things lists them as it finds them.
pub(super) fn compare(step: &Step, answer: &Answer) -> Compared {
    let mut c = normal::lines(&step.action, &step.answer);
    let mut ours = normal::lines(&step.action, &answer.lines);
    if let Some(expected) = &step.dump {
        let shown = expected.bytes.len();
        let none = Dump { bytes: Vec::new(), total: 0 };
        c.extend(expected.lines(shown));
        ours.extend(answer.dump.as_ref().unwrap_or(&none).lines(shown.max(16)));
        // What was not shown cannot be compared, only counted.
        if shown == 0 {
            ours.retain(|line| !is_dump(line));
        }
    }
    let (equal, c, ours) = only_in_one(c, ours);
    Compared { equal, differences: paired(&step.action, c, ours) }
}

fn is_dump(line: &str) -> bool {
    line.get(4..6) == Some("  ")
}

/// How many lines are in both, and those that are not.
fn only_in_one(c: Vec<String>, ours: Vec<String>) -> (usize, Vec<String>, Vec<String>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in &ours {
        *counts.entry(line.clone()).or_default() += 1;
    }
    let mut take = |line: &String| match counts.get_mut(line) {
        Some(count @ 1..) => {
            *count -= 1;
            true
        }
        _ => false,
    };
    let all = c.len();
    let c: Vec<String> = c.into_iter().filter(|line| !take(line)).collect();
    let mut rest = Vec::new();
    for line in ours.into_iter().rev() {
        if let Some(count @ 1..) = counts.get_mut(&line) {
            *count -= 1;
            rest.push(line);
        }
    }
    rest.reverse();
    (all - c.len(), c, rest)
}

/// Lines about the same thing are one difference.
fn paired(action: &Action, c: Vec<String>, mut ours: Vec<String>) -> Vec<Difference> {
    let mut differences = Vec::new();
    for line in c {
        let same = ours
            .iter()
            .position(|other| subject(action, other).is_some_and(|s| Some(s) == subject(action, &line)));
        let other = same.map(|at| ours.remove(at));
        differences.push(Difference { c: Some(line), ours: other });
    }
    differences.extend(ours.into_iter().map(|line| Difference { c: None, ours: Some(line) }));
    differences
}

/// What a line is about, where that can be told.
fn subject<'a>(action: &Action, line: &'a str) -> Option<&'a str> {
    match action {
        Action::Read(_) | Action::Write(..) => Some(""),
        Action::Cdb(_) => line.split([' ', '=']).next(),
        Action::Contents(_) => line.split_once(" = ").map(|(name, _)| name),
        Action::Shell(command) if command.starts_with("find ") => {
            line.split(' ').find(|word| word.starts_with('/'))
        }
        // A value, a line of `ls -l`, a status.
        Action::Shell(_) => match line.split_once(" = ") {
            Some((name, _)) => Some(name),
            None => match line.split_once(" DATE ") {
                Some((_, name)) => Some(name),
                None => line.starts_with("[rc=").then_some("[rc="),
            },
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: Action, answer: &[&str]) -> Step {
        let answer = answer.iter().map(|&line| line.into()).collect();
        Step { line: 1, text: String::new(), action, compared: true, answer, dump: None }
    }

    fn answer(lines: &[&str]) -> Answer {
        Answer { lines: lines.iter().map(|&line| line.into()).collect(), dump: None }
    }

    fn difference(c: &str, ours: &str) -> Difference {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Difference { c: some(c), ours: some(ours) }
    }

    #[test]
    fn the_order_of_a_listing_does_not_matter_and_its_lines_do() {
        let step = step(Action::Shell("ls".into()), &["a", "b", "b", "[rc=0]"]);
        let found = compare(&step, &answer(&["b", "a", "c", "[rc=1]"]));
        assert_eq!(found.equal, 2);
        assert_eq!(
            found.differences,
            [difference("b", ""), difference("[rc=0]", "[rc=1]"), difference("", "c")]
        );
    }

    #[test]
    fn the_same_attribute_with_another_value_is_one_difference() {
        let step = step(Action::Contents(".".into()), &["a = '0\\n'", "b = ''"]);
        let found = compare(&step, &answer(&["a = '1\\n'", "b = ''", "z = ''"]));
        assert_eq!(found.differences, [difference("a = '0\\n'", "a = '1\\n'"), difference("", "z = ''")]);
    }

    #[test]
    fn of_data_the_beginning_and_the_length_are_compared() {
        let mut step = step(Action::Cdb(super::super::cdb::parse("sg0 12  in=36").unwrap()), &["status=00"]);
        step.dump = Some(Dump { bytes: vec![1; 16], total: 36 });
        let mut given = answer(&["status=00"]);
        given.dump = Some(Dump { bytes: vec![1; 36], total: 36 });
        assert_eq!(compare(&step, &given), Compared { equal: 3, differences: vec![] });
        given.dump = Some(Dump { bytes: vec![1; 20], total: 20 });
        assert_eq!(compare(&step, &given).differences, [difference("bytes 36", "bytes 20")]);
        // Data where C sent none are a difference too.
        step.dump = Some(Dump { bytes: vec![], total: 0 });
        assert_eq!(compare(&step, &given).differences, [difference("", "bytes 20")]);
    }
}
