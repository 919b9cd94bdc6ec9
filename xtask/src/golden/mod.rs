// SPDX-License-Identifier: MIT OR Apache-2.0
//! Golden transcripts: what was done with the C implementation and what it answered is done in a guest of ours, and
//! every line that we answer in another way has a reason in writing, or fails.
//!
//! `transcript` is the file, `replay` does it, `compare` finds the lines that differ, `allowed` knows the reasons,
//! `verdict` counts. Transcripts that share a boot are replayed by whichever of their tests comes first.

mod allowed;
mod boots;
mod cdb;
mod compare;
mod literal;
mod normal;
mod replay;
mod transcript;
mod verdict;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use self::allowed::Allowed;
use self::boots::{Boot, Boots};
use self::compare::Answer;
use self::transcript::Transcript;
pub(crate) use self::verdict::Tally;
use self::verdict::{judge, Finding};
use crate::ctx::Ctx;
use crate::files;
use crate::scenario::play::Stage;
use crate::testing::queue::Test;
use crate::testing::report::{Failure, Report};

/// Where they are, below the root.
const FOLDER: &str = "ci/golden";
/// The profile of the guest.
pub(crate) const BOARD: &str = "ci/boards/golden.toml";

/// All transcripts, and the boots in which they are replayed.
#[derive(Debug)]
pub(crate) struct Golden {
    folder: PathBuf,
    boots: Boots,
    allowed: Allowed,
    replayed: Vec<OnceLock<Result<Vec<Finding>, Failure>>>,
}

impl Golden {
    /// Reads what says how to replay.
    pub(crate) fn read(ctx: &Ctx) -> miette::Result<Self> {
        let folder = ctx.root.join(FOLDER);
        let boots = Boots::read(&folder)?;
        let replayed = boots.boots.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { allowed: Allowed::read(&folder.join("allowed.toml"))?, folder, boots, replayed })
    }

    /// The names of all tests: first of each boot, so that boots run side by side and none waits for another.
    pub(crate) fn names(&self) -> Vec<String> {
        self.order()
            .map(|(boot, at)| name(&self.boots.boots[boot].transcripts[at]))
            .chain([name("allowed")])
            .collect()
    }

    fn order(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let all = || self.boots.boots.iter().enumerate();
        let first = all().map(|(number, _)| (number, 0));
        first.chain(all().flat_map(|(number, boot)| (1..boot.transcripts.len()).map(move |at| (number, at))))
    }

    /// The tests whose name is `selected`, replayed on `stage`; none of them can run without.
    pub(crate) fn tests<'a>(
        &'a self,
        ctx: &'a Ctx,
        stage: Option<Stage<'a>>,
        report: &'a Report,
        selected: &dyn Fn(&str) -> bool,
    ) -> Vec<Test<'a>> {
        let transcript = |(boot, at): (usize, usize)| {
            let transcript = &self.boots.boots[boot].transcripts[at];
            let work = move || self.one(ctx, stage.as_ref(), boot, at, report);
            Test { name: name(transcript), work: Box::new(work) }
        };
        let mut tests: Vec<Test<'a>> = self.order().map(transcript).collect();
        tests.push(Test {
            name: name("allowed"),
            work: Box::new(move || self.no_entry_is_stale(ctx, stage.as_ref())),
        });
        tests.retain(|test| selected(&test.name));
        tests
    }

    /// The test of one transcript.
    fn one(
        &self,
        ctx: &Ctx,
        stage: Option<&Stage<'_>>,
        boot: usize,
        at: usize,
        report: &Report,
    ) -> Result<(), Failure> {
        let findings = self.replayed(ctx, stage, boot)?;
        let transcript = &self.boots.boots[boot].transcripts[at];
        let finding = &findings[at];
        let pending = self.boots.pending(transcript);
        report.tally(&name(transcript), finding.tally, pending);
        match (pending, finding.tally.missing) {
            (None, 0) => Ok(()),
            (None, _) => Err(Failure::fail(format!(
                "{} lines differ from {FOLDER}/transcripts/{transcript}.txt, and nothing in {FOLDER}/allowed.toml says why:\n{}",
                finding.tally.missing,
                finding.shown()
            ))),
            (Some(_), 0) => Err(Failure::fail(format!(
                "nothing is missing any more: take {transcript} off the pending ones in {FOLDER}/boots.toml"
            ))),
            (Some(_), _) => Ok(()),
        }
    }

    /// What came of a boot, which whoever asks first replays.
    fn replayed(&self, ctx: &Ctx, stage: Option<&Stage<'_>>, number: usize) -> Result<&[Finding], Failure> {
        let boot = &self.boots.boots[number];
        let done = self.replayed[number].get_or_init(|| self.replay(ctx, stage, boot));
        done.as_deref().map_err(Clone::clone)
    }

    fn replay(&self, ctx: &Ctx, stage: Option<&Stage<'_>>, boot: &Boot) -> Result<Vec<Finding>, Failure> {
        let Some(stage) = stage else {
            return Err(Failure {
                verdict: "missing",
                details: "there is no image: its build failed".into(),
            });
        };
        let broken = |error: miette::Report| Failure::fail(format!("{error:?}"));
        let transcripts = boot.read(&self.folder).map_err(broken)?;
        let dir = ctx.target.join("golden").join(&boot.name);
        let answers = replay::replay(ctx, stage, boot, &transcripts, &dir).map_err(|verdict| Failure {
            verdict: verdict.name(),
            details: format!("{verdict}\nlogs: {}", dir.display()),
        })?;
        self.judge(&transcripts, &answers, &dir).map_err(broken)
    }

    /// Compares all of a boot, and leaves what differs in `dir`.
    fn judge(
        &self,
        transcripts: &[Transcript],
        answers: &[Vec<Answer>],
        dir: &Path,
    ) -> miette::Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for (transcript, answers) in transcripts.iter().zip(answers) {
            let finding = judge(transcript, answers, &self.allowed);
            let file = |ending: &str| dir.join(format!("{}.{ending}", transcript.name));
            files::write(&file("missing"), finding.missing.concat())?;
            files::write(&file("allowed"), finding.allowed.concat())?;
            findings.push(finding);
        }
        Ok(findings)
    }

    /// Every entry of the file of allowed differences explains something.
    fn no_entry_is_stale(&self, ctx: &Ctx, stage: Option<&Stage<'_>>) -> Result<(), Failure> {
        for number in 0..self.boots.boots.len() {
            self.replayed(ctx, stage, number)?;
        }
        match &self.allowed.unused()[..] {
            [] => Ok(()),
            stale => Err(Failure::fail(format!(
                "these entries of {FOLDER}/allowed.toml explain no difference any more; take them out:\n  {}",
                stale.join("\n  ")
            ))),
        }
    }
}

fn name(transcript: &str) -> String {
    format!("golden/{transcript}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For whoever writes entries: judges the answers of the last replays again, without a guest.
    /// `cargo test -p xtask judged_again -- --ignored --nocapture`
    #[test]
    #[ignore = "needs the answers of a replay in target/golden"]
    fn the_last_replays_are_judged_again() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let folder = root.join(FOLDER);
        let allowed = Allowed::read(&folder.join("allowed.toml")).unwrap();
        let boots = Boots::read(&folder).unwrap();
        let golden = Golden { folder, boots, allowed, replayed: Vec::new() };
        for boot in &golden.boots.boots {
            let dir = root.join("target/golden").join(&boot.name);
            let Ok(output) = std::fs::read(dir.join("answers")) else { continue };
            let transcripts = boot.read(&golden.folder).unwrap();
            let answers = replay::answers(&transcripts, &output).unwrap();
            for (transcript, finding) in
                transcripts.iter().zip(golden.judge(&transcripts, &answers, &dir).unwrap())
            {
                println!("{:<32}{:?}", transcript.name, finding.tally);
            }
        }
        println!("stale:\n  {}", golden.allowed.unused().join("\n  "));
    }
}
