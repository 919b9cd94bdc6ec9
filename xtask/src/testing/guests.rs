// SPDX-License-Identifier: MIT OR Apache-2.0
//! Builds of boards, and the scenarios that are played on them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::queue::{self, Test};
use super::report::{Failure, Outcome, Report};
use crate::board::{Board, Boards};
use crate::cli::{Flavor, ImageType};
use crate::ctx::Ctx;
use crate::golden;
use crate::pipeline::{self, Built};
use crate::scenario::file::Scenario;
use crate::scenario::play::{Play, Stage};
use crate::scenario::verdict::Verdict;
use crate::vm::accel::{self, Wanted};
use crate::vm::machine::Accel;

/// Guests at a time. Each waits for its firmware and its disks often enough that two cost little more than one.
const GUESTS: usize = 2;
/// Lines of the console that a failure shows.
const TAIL: usize = 40;

/// One scenario on one board and one flavour.
#[derive(Debug)]
pub(crate) struct Case {
    scenario: Scenario,
    board: String,
    flavor: Flavor,
}

impl Case {
    /// The test's name.
    pub(crate) fn name(&self) -> String {
        format!("scenario/{}@{}-{}", self.scenario.name, board_name(&self.board), self.flavor.name())
    }

    /// The name of the test that builds its board.
    pub(crate) fn build_name(&self) -> String {
        build_name(&self.board, self.flavor)
    }

    /// One sentence for listings.
    pub(crate) fn title(&self) -> &str {
        &self.scenario.title
    }
}

fn build_name(board: &str, flavor: Flavor) -> String {
    format!("build/{}-{}", board_name(board), flavor.name())
}

/// A board's name, also where the scenario names the file of a profile that only it uses.
fn board_name(board: &str) -> &str {
    let file = board.rsplit('/').next().unwrap_or(board);
    file.strip_suffix(".toml").unwrap_or(file)
}

/// Every scenario in `folder` on every board that it names, as far as `board` and `flavor` let them.
pub(crate) fn cases(folder: &Path, board: Option<&str>, flavor: Flavor) -> miette::Result<Vec<Case>> {
    let entries = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>());
    let mut files = entries
        .map_err(|error| miette::miette!("cannot list the scenarios in {}: {error}", folder.display()))?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let scenario = Scenario::read(&path)?;
        let wanted = |name: &&String| board.is_none_or(|board| board == board_name(name));
        if scenario.fits(flavor) {
            cases.extend(scenario.boards.iter().filter(wanted).map(|board| Case {
                scenario: scenario.clone(),
                board: board.clone(),
                flavor,
            }));
        }
    }
    Ok(cases)
}

/// One board's finished build.
#[derive(Debug)]
pub(crate) struct Ready {
    board: Board,
    flavor: Flavor,
    built: Built,
    accel: Accel,
}

impl Ready {
    fn stage(&self, neighbours: usize) -> Stage<'_> {
        let Self { board, flavor, built, accel } = self;
        Stage { board, flavor: *flavor, built, accel: *accel, neighbours }
    }
}

/// Builds each board of `cases`, and that of `more`, once. A build that fails is one test that fails.
pub(crate) fn builds(
    ctx: &Ctx,
    cases: &[&Case],
    more: Option<(&str, Flavor)>,
    accel: Wanted,
    report: &Report,
) -> Vec<Ready> {
    let mut wanted: BTreeMap<(&str, &str), (Flavor, Vec<ImageType>)> = BTreeMap::new();
    for case in cases {
        let board = wanted.entry((&case.board, case.flavor.name())).or_insert((case.flavor, Vec::new()));
        board.1.extend(case.scenario.image_types());
    }
    if let Some((board, flavor)) = more {
        wanted.entry((board, flavor.name())).or_insert_with(|| (flavor, Vec::new()));
    }
    let build = |((board, _), (flavor, mut types)): (_, (Flavor, Vec<ImageType>))| {
        types.sort_by_key(|kind| kind.name());
        types.dedup();
        (!report.stopped()).then(|| build(ctx, board, flavor, &types, accel, report))?
    };
    wanted.into_iter().filter_map(build).collect()
}

/// Plays `cases` on what was built for them, and then runs `more`, which boot guests too.
pub(crate) fn play_all(ctx: &Ctx, cases: &[&Case], ready: &[Ready], more: Vec<Test<'_>>, report: &Report) {
    let at_once = GUESTS.min(ctx.jobs).min(cases.len() + more.len());
    let mut tests: Vec<_> = cases.iter().map(|case| test(ctx, case, ready, at_once)).collect();
    tests.extend(more);
    queue::run(&tests, at_once, report);
}

/// What golden transcripts are replayed on, if it was built.
pub(crate) fn golden_stage<'a>(ctx: &Ctx, ready: &'a [Ready], flavor: Flavor) -> Option<Stage<'a>> {
    let neighbours = GUESTS.min(ctx.jobs) - 1;
    let found = ready.iter().find(|r| r.board.name() == board_name(golden::BOARD) && r.flavor == flavor)?;
    Some(found.stage(neighbours))
}

fn build(
    ctx: &Ctx,
    name: &str,
    flavor: Flavor,
    types: &[ImageType],
    wanted: Wanted,
    report: &Report,
) -> Option<Ready> {
    let start = Instant::now();
    let profile = match name.contains('/') {
        true => ctx.root.join(name).display().to_string(),
        false => name.to_owned(),
    };
    let made = Boards::new(ctx).load(&profile).and_then(|board| {
        let built = pipeline::build(ctx, &board, flavor)?;
        if !types.is_empty() {
            pipeline::convert(ctx, &board, &built, types)?;
        }
        let accel = accel::choose(wanted, &ctx.cache, built.tools.root(), &built.kernel.bzimage())?;
        Ok(Ready { board, flavor, built, accel })
    });
    let (ready, result) = match made {
        Ok(ready) => (Some(ready), Ok(())),
        Err(error) => (None, Err(Failure::fail(format!("{error:?}")))),
    };
    report.add(Outcome { name: build_name(name, flavor), result, time: start.elapsed() });
    ready
}

fn test<'a>(ctx: &'a Ctx, case: &'a Case, ready: &'a [Ready], at_once: usize) -> Test<'a> {
    let found = ready.iter().find(|r| r.board.name() == board_name(&case.board) && r.flavor == case.flavor);
    let work = move || match found {
        None => Err(Failure { verdict: "missing", details: "there is no image: its build failed".into() }),
        Some(ready) => play(ctx, &case.scenario, &ready.stage(at_once - 1)),
    };
    Test { name: case.name(), work: Box::new(work) }
}

fn play(ctx: &Ctx, scenario: &Scenario, stage: &Stage<'_>) -> Result<(), Failure> {
    let failure = |verdict: Verdict, console: String| Failure {
        verdict: verdict.name(),
        details: format!("{verdict}\n{console}"),
    };
    let mut play = match Play::new(ctx, scenario, stage) {
        Ok(play) => play,
        Err(error) => return Err(failure(error.into(), String::new())),
    };
    play.run().map_err(|verdict| {
        let console = match play.log() {
            Some(log) => format!("the end of the console ({}):\n{}", log.display(), play.tail(TAIL)),
            None => "no guest was started".into(),
        };
        failure(verdict, console)
    })
}
