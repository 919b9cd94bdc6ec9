// SPDX-License-Identifier: MIT OR Apache-2.0
//! What came of one transcript: how many lines are equal, allowed and missing, and which.

use std::fmt::Write as _;

use serde::Serialize;

use super::allowed::Allowed;
use super::compare::{compare, Answer, Difference};
use super::transcript::{Step, Transcript};

/// Missing lines that a failure shows; the file beside the logs has them all.
const SHOWN: usize = 40;

/// Lines of a transcript's answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    /// The same in both.
    pub(crate) equal: usize,
    /// Different for a reason that is written down.
    pub(crate) allowed: usize,
    /// Different without one.
    pub(crate) missing: usize,
}

/// One transcript's result.
#[derive(Debug, Clone, Default)]
pub(super) struct Finding {
    /// The counts.
    pub(super) tally: Tally,
    /// Every missing line with its step, as text.
    pub(super) missing: Vec<String>,
    /// Every allowed one.
    pub(super) allowed: Vec<String>,
}

/// Compares all of `transcript` with `answers`. A step without an answer is missing.
pub(super) fn judge(transcript: &Transcript, answers: &[Answer], allowed: &Allowed) -> Finding {
    let mut finding = Finding::default();
    for (number, step) in transcript.steps.iter().enumerate() {
        match answers.get(number) {
            _ if !step.compared => prepared(&mut finding, transcript, step, answers.get(number)),
            Some(answer) => compared(&mut finding, transcript, step, answer, allowed),
            None => {
                finding.tally.missing += 1;
                finding
                    .missing
                    .push(format!("{}\n  the replay did not come this far\n", place(transcript, step)));
            }
        }
    }
    finding
}

fn compared(finding: &mut Finding, transcript: &Transcript, step: &Step, answer: &Answer, allowed: &Allowed) {
    let result = compare(step, answer);
    finding.tally.equal += result.equal;
    let (meant, missing): (Vec<_>, Vec<_>) = result
        .differences
        .iter()
        .partition(|difference| allowed.explains(&transcript.name, step, difference));
    finding.tally.allowed += meant.len();
    finding.tally.missing += missing.len();
    if !meant.is_empty() {
        finding.allowed.push(text(transcript, step, &meant));
    }
    if !missing.is_empty() {
        finding.missing.push(text(transcript, step, &missing));
    }
}

/// A preparation that failed makes what follows worthless.
fn prepared(finding: &mut Finding, transcript: &Transcript, step: &Step, answer: Option<&Answer>) {
    let failed = match (&step.action, answer) {
        // What C had to clean up may not be there.
        (super::transcript::Action::Write(..), Some(_)) => None,
        (_, Some(answer)) => answer.lines.first().cloned(),
        (_, None) => Some("the replay did not come this far".to_owned()),
    };
    if let Some(why) = failed {
        finding.tally.missing += 1;
        finding.missing.push(format!("{}\n  cannot be prepared: {why}\n", place(transcript, step)));
    }
}

fn place(transcript: &Transcript, step: &Step) -> String {
    format!("{}.txt:{}: {}", transcript.name, step.line, step.text)
}

fn text(transcript: &Transcript, step: &Step, differences: &[&Difference]) -> String {
    let mut text = place(transcript, step);
    text.push('\n');
    for difference in differences {
        if let Some(c) = &difference.c {
            let _ = writeln!(text, "  C    {c}");
        }
        if let Some(ours) = &difference.ours {
            let _ = writeln!(text, "  ours {ours}");
        }
    }
    text
}

impl Finding {
    /// The first missing lines, for a terminal.
    pub(super) fn shown(&self) -> String {
        let all = self.missing.concat();
        let lines: Vec<_> = all.lines().collect();
        let mut text = lines[..lines.len().min(SHOWN)].join("\n");
        if lines.len() > SHOWN {
            let _ = write!(text, "\n  and {} more lines", lines.len() - SHOWN);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::transcript::Action;
    use super::*;

    fn allowed() -> Allowed {
        toml::from_str("[[allowed]]\nfile='t'\nc='b'\nours='B'\nreason='capital letters are meant'").unwrap()
    }

    fn transcript() -> Transcript {
        let step = |line, action, answer: &str, compared| Step {
            line,
            text: format!("step {line}"),
            action,
            compared,
            answer: vec![answer.into()],
            dump: None,
        };
        let read = || Action::Read(String::new());
        let steps = vec![
            step(1, read(), "a", true),
            step(2, read(), "b", true),
            step(3, read(), "c", true),
            step(4, Action::Run("x".into()), "", false),
        ];
        Transcript { name: "t".into(), steps }
    }

    fn answers(lines: &[&str]) -> Vec<Answer> {
        let answer = |&line: &&str| Answer {
            lines: if line.is_empty() { vec![] } else { vec![line.into()] },
            dump: None,
        };
        lines.iter().map(answer).collect()
    }

    #[test]
    fn every_line_is_equal_allowed_or_missing() {
        let finding = judge(&transcript(), &answers(&["a", "B", "d", ""]), &allowed());
        assert_eq!(finding.tally, Tally { equal: 1, allowed: 1, missing: 1 });
        assert_eq!(finding.missing, ["t.txt:3: step 3\n  C    c\n  ours d\n"]);
    }

    #[test]
    fn what_was_not_replayed_or_not_prepared_is_missing() {
        assert_eq!(judge(&transcript(), &answers(&["a"]), &allowed()).tally.missing, 3);
        let finding = judge(&transcript(), &answers(&["a", "b", "c", "[rc=1] no such file"]), &allowed());
        assert!(finding.shown().contains("cannot be prepared: [rc=1] no such file"));
        assert_eq!(finding.tally, Tally { equal: 3, allowed: 0, missing: 1 });
    }
}
