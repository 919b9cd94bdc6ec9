// SPDX-License-Identifier: MIT OR Apache-2.0
//! A transcript: what was done, line by line, and what was answered. `ci/golden/README.md` has the grammar.

use std::path::Path;

use miette::{miette, IntoDiagnostic as _};

use super::cdb::{self, Cdb, Dump};
use super::literal;

/// One thing that is done in the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// A command for bash.
    Shell(String),
    /// An attribute is read.
    Read(String),
    /// One write(2) to an attribute.
    Write(String, Vec<u8>),
    /// The names in a directory.
    List(String),
    /// Every regular file below a directory.
    Contents(String),
    /// A SCSI command.
    Cdb(Cdb),
    /// A file is held open until the same path is closed.
    Open(String),
    /// What was held open is closed.
    Close(String),
    /// A command is started and left running.
    Start(String),
    /// Commands that were started are killed.
    Stop,
    /// The time limit of SCSI commands from here on, in seconds.
    Timeout(u32),
    /// A command that must succeed.
    Run(String),
}

/// One step of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The number of its first line, from 1.
    pub(super) line: usize,
    /// Its first line.
    pub(super) text: String,
    /// What is done.
    pub(super) action: Action,
    /// Whether its answer is compared; preparations only have to succeed.
    pub(super) compared: bool,
    /// What was answered.
    pub(super) answer: Vec<String>,
    /// The data that came with it.
    pub(super) dump: Option<Dump>,
}

/// A parsed transcript.
#[derive(Debug, Clone)]
pub(super) struct Transcript {
    /// The file's name without its ending.
    pub(super) name: String,
    /// Its steps, in order.
    pub(super) steps: Vec<Step>,
}

impl Transcript {
    /// Reads and parses the file at `path`.
    pub(super) fn read(path: &Path) -> miette::Result<Self> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path)
            .into_diagnostic()
            .map_err(|error| miette!("cannot read {}: {error}", path.display()))?;
        let steps = parse(&text).map_err(|(line, why)| {
            miette!("{}:{line}: this is no line of a transcript: {why}", path.display())
        })?;
        Ok(Self { name, steps })
    }

    /// Whether it loads the modules itself, so that it wants a guest in which nothing is loaded.
    pub(super) fn starts_from_nothing(&self) -> bool {
        self.steps.iter().any(|step| step.action == Action::Shell("modprobe scst".into()))
    }
}

/// The line's number and what is wrong with it.
type Mistake = (usize, String);

fn parse(text: &str) -> Result<Vec<Step>, Mistake> {
    let lines: Vec<&str> = text.lines().collect();
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(&line) = lines.get(at) {
        if line.is_empty() || line.starts_with('#') {
            at += 1;
            continue;
        }
        let number = at + 1;
        let (hidden, rest) = match line.strip_prefix("! ") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let action = action(rest, hidden).map_err(|why| (number, why))?;
        at += 1;
        let (answer, dump) = match hidden {
            true => (Vec::new(), None),
            false => answer_of(&action, &lines, &mut at).map_err(|why| (number, why))?,
        };
        steps.push(Step { line: number, text: line.into(), action, compared: !hidden, answer, dump });
    }
    Ok(steps)
}

fn action(line: &str, hidden: bool) -> Result<Action, String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match (word, hidden) {
        ("$", false) => Action::Shell(rest.into()),
        ("read", false) => Action::Read(rest.into()),
        ("write", _) => {
            let (path, bytes) = rest.split_once(" <- ").ok_or("a write needs `PATH <- 'BYTES'`")?;
            Action::Write(path.into(), literal::parse(bytes)?)
        }
        ("list", false) => Action::List(rest.into()),
        ("contents", false) => Action::Contents(rest.into()),
        ("CDB", false) => Action::Cdb(cdb::parse(rest)?),
        ("open", true) => Action::Open(rest.into()),
        ("close", true) => Action::Close(rest.into()),
        ("start", true) => Action::Start(rest.into()),
        ("stop", true) => Action::Stop,
        ("timeout", true) => Action::Timeout(rest.parse().map_err(|_| "a timeout is a number of seconds")?),
        ("run", true) => Action::Run(rest.into()),
        _ => return Err(format!("`{word}` is no verb")),
    })
}

/// The lines after a step that are its answer; `at` moves behind them.
fn answer_of(action: &Action, lines: &[&str], at: &mut usize) -> Result<(Vec<String>, Option<Dump>), String> {
    let mut take = |belongs: &dyn Fn(&str) -> bool| {
        let found: Vec<&str> = lines[*at..].iter().take_while(|line| belongs(line)).copied().collect();
        *at += found.len();
        found
    };
    match action {
        Action::Shell(_) => {
            let is_end = |line: &str| line.starts_with("[rc=") || line.starts_with("[STILL RUNNING");
            let mut answer: Vec<String> = take(&|line| !is_end(line)).into_iter().map(String::from).collect();
            let end = lines.get(*at).ok_or("the command's `[rc=N]` is missing")?;
            *at += 1;
            answer.push((*end).into());
            Ok((answer, None))
        }
        Action::Contents(_) => {
            let found = take(&|line| line.starts_with("   "));
            Ok((found.into_iter().map(|line| line.trim_start().into()).collect(), None))
        }
        _ => {
            let first = lines.get(*at).and_then(|line| line.strip_prefix("   => "));
            let answer = first.ok_or("the next line is not its answer, `   => …`")?;
            *at += 1;
            let found = lines[*at..].iter().take_while(|line| line.starts_with("      ")).count();
            let dump = &lines[*at..*at + found];
            *at += found;
            let dump = if matches!(action, Action::Cdb(_)) { Some(Dump::parse(dump)?) } else { None };
            Ok((vec![answer.into()], dump))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# remark\n\n! run touch /tmp/x\n$ echo a; echo b\na\nb\n[rc=0]\n\nread version\n   => 'x\\n'\n\
        write mgmt <- 'add d\\n'\n   => WRITE-EINVAL(22); last_sysfs_mgmt_res=-22\ncontents .\n   a = ''\n   b = 'c'\n\
        list devices\n   => ['a']\nCDB sg0 12 00 00 00 24 00  in=36   # INQUIRY\n   => status=00\n      0000  7f 00  ..\n      ... 36 bytes in total\n";

    #[test]
    fn a_transcript_is_its_steps_with_their_answers() {
        let steps = parse(TEXT).unwrap();
        let lines: Vec<_> = steps.iter().map(|step| (step.line, step.answer.len(), step.compared)).collect();
        assert_eq!(
            lines,
            [
                (3, 0, false),
                (4, 3, true),
                (9, 1, true),
                (11, 1, true),
                (13, 2, true),
                (16, 1, true),
                (18, 1, true)
            ]
        );
        assert_eq!(steps[1].answer, ["a", "b", "[rc=0]"]);
        assert_eq!(steps[3].action, Action::Write("mgmt".into(), b"add d\n".to_vec()));
        assert_eq!(steps[4].answer, ["a = ''", "b = 'c'"]);
        assert_eq!(steps[6].dump, Some(Dump { bytes: vec![0x7f, 0], total: 36 }));
    }

    #[test]
    fn a_line_that_is_nothing_is_an_error_with_its_number() {
        for (text, line) in
            [("\nfoo bar\n", 2), ("read x\n", 1), ("$ ls\na\n", 1), ("! read x\n   => ''\n", 1)]
        {
            assert_eq!(parse(text).unwrap_err().0, line, "{text}");
        }
    }

    #[test]
    fn every_committed_transcript_parses() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/golden/transcripts");
        let mut steps = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            steps += Transcript::read(&entry.unwrap().path()).unwrap().steps.len();
        }
        assert!(steps > 2000, "{steps} steps are too few");
    }
}
