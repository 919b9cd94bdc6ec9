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
use crate::stage::modules::{Modules, Writers};
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
    writers: Writers,
}

impl Case {
    /// The test's name.
    pub(crate) fn name(&self) -> String {
        let (scenario, board) = (&self.scenario.name, board_name(&self.board));
        format!("scenario/{scenario}@{board}-{}{}", self.flavor.name(), self.writers.suffix())
    }

    /// The name of the test that builds its board.
    pub(crate) fn build_name(&self) -> String {
        build_name(&self.board, self.flavor)
    }

    /// Has the power cut `times` times where it is cut over and over.
    pub(crate) fn cut_more(&mut self, times: u32) {
        self.scenario.cut_more(times);
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
pub(crate) fn board_name(board: &str) -> &str {
    let file = board.rsplit('/').next().unwrap_or(board);
    file.strip_suffix(".toml").unwrap_or(file)
}

/// Which cases are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice<'a> {
    /// This board's alone, by its name or its profile's file.
    pub(crate) board: Option<&'a str>,
    /// This flavour's.
    pub(crate) flavor: Flavor,
    /// Those with such modules alone, be they what a scenario asks for or not.
    pub(crate) writers: Option<Writers>,
}

/// Every scenario in `folder` on every board and with all modules that it names, as far as `choice` lets them.
pub(crate) fn cases(folder: &Path, choice: Choice<'_>) -> miette::Result<Vec<Case>> {
    let Choice { board, flavor, writers: forced } = choice;
    let entries = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>());
    let mut files = entries
        .map_err(|error| miette::miette!("cannot list the scenarios in {}: {error}", folder.display()))?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let scenario = Scenario::read(&path)?;
        let wanted = |name: &&String| board.is_none_or(|board| board_name(board) == board_name(name));
        let with = [Writers::Wait, Writers::Leave];
        for writers in with.into_iter().filter(|writers| scenario.is_played_with(*writers, forced)) {
            if scenario.fits(flavor) {
                cases.extend(scenario.boards.iter().filter(wanted).map(|board| Case {
                    scenario: scenario.clone(),
                    board: board.clone(),
                    flavor,
                    writers,
                }));
            }
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
    /// Modules that let no writer wait, if a case wants them.
    eagain: Option<Modules>,
    accel: Accel,
}

impl Ready {
    fn stage(&self, writers: Writers, neighbours: usize) -> Stage<'_> {
        let Self { board, flavor, built, eagain, accel } = self;
        let modules = eagain.as_ref().filter(|_| writers == Writers::Leave);
        Stage { board, flavor: *flavor, built, modules, accel: *accel, neighbours }
    }
}

/// What is to be built of a board.
struct Order {
    flavor: Flavor,
    types: Vec<ImageType>,
    writers: Vec<Writers>,
}

impl Order {
    fn new(flavor: Flavor) -> Self {
        Self { flavor, types: Vec::new(), writers: Vec::new() }
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
    let mut wanted: BTreeMap<(&str, &str), Order> = BTreeMap::new();
    for case in cases {
        let order = wanted.entry((&case.board, case.flavor.name())).or_insert(Order::new(case.flavor));
        order.types.extend(case.scenario.image_types());
        order.writers.push(case.writers);
    }
    if let Some((board, flavor)) = more {
        wanted.entry((board, flavor.name())).or_insert(Order::new(flavor));
    }
    let build = |((board, _), mut order): (_, Order)| {
        order.types.sort_by_key(|kind| kind.name());
        order.types.dedup();
        (!report.stopped()).then(|| build(ctx, board, &order, accel, report))?
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
    Some(found.stage(Writers::Wait, neighbours))
}

fn build(ctx: &Ctx, name: &str, order: &Order, wanted: Wanted, report: &Report) -> Option<Ready> {
    let flavor = order.flavor;
    let start = Instant::now();
    let profile = match name.contains('/') {
        true => ctx.root.join(name).display().to_string(),
        false => name.to_owned(),
    };
    let made = Boards::new(ctx).load(&profile).and_then(|board| {
        let built = pipeline::build(ctx, &board, flavor)?;
        if !order.types.is_empty() {
            pipeline::convert(ctx, &board, &built, &order.types)?;
        }
        let eagain =
            order.writers.contains(&Writers::Leave).then(|| pipeline::impatient_modules(ctx, &built));
        let eagain = eagain.transpose()?;
        let accel = accel::choose(wanted, &ctx.cache, built.tools.root(), &built.kernel.bzimage())?;
        Ok(Ready { board, flavor, built, eagain, accel })
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
        Some(ready) => play(ctx, &case.scenario, &ready.stage(case.writers, at_once - 1)),
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
