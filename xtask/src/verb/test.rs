// SPDX-License-Identifier: MIT OR Apache-2.0
//! `test`: everything that proves the product, in one list with one summary.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use miette::miette;

use crate::cli::{Flavor, Test};
use crate::ctx::Ctx;
use crate::golden::{self, Golden};
use crate::stage::modules::Writers;
use crate::testing::guests::{self, Case, Choice};
use crate::testing::queue;
use crate::testing::report::{OnFailure, Report};
use crate::testing::{checks, host};

/// Where the scenarios are.
const SCENARIOS: &str = "ci/scenarios";

/// Runs, or lists, what the filter selects. Fails if anything fails, and if nothing was selected.
pub(crate) fn run(ctx: &Ctx, args: &Test) -> miette::Result<ExitCode> {
    let start = Instant::now();
    // A filter that can only mean a scenario or a build spares the compilation of the host's tests.
    let wants = |group: &str| match args.filter.as_deref().and_then(|filter| filter.split_once('/')) {
        Some((word @ ("host" | "check" | "build" | "scenario" | "golden"), _)) => word == group,
        _ => true,
    };
    let selected = |name: &str| args.filter.as_deref().is_none_or(|filter| name.contains(filter));
    // Choosing a board, a flavour or modules is choosing scenarios.
    let on_host = args.board.is_none() && args.flavor.is_none() && !args.force_eagain;
    let mut on_this_machine = Vec::new();
    if on_host && wants("host") {
        eprintln!("    tests: compiling the host's");
        on_this_machine.extend(host::tests(ctx));
    }
    let mut sources = if on_host && wants("check") { checks::tests(ctx) } else { Vec::new() };
    on_this_machine.retain(|test| selected(&test.name));
    sources.retain(|test| selected(&test.name));
    let flavor = args.flavor.unwrap_or(Flavor::Release);
    let writers = args.force_eagain.then_some(Writers::Leave);
    let choice = Choice { board: args.board.as_deref(), flavor, writers };
    let mut cases = guests::cases(&ctx.root.join(SCENARIOS), choice)?;
    if let Some(times) = args.cuts {
        cases.iter_mut().for_each(|case| case.cut_more(times));
    }
    let builds = |case: &&Case| wants("build") && selected(&case.build_name());
    let to_play = |case: &&Case| wants("scenario") && selected(&case.name());
    let to_build: Vec<&Case> = cases.iter().filter(|case| builds(case) || to_play(case)).collect();
    let cases: Vec<&Case> = cases.iter().filter(to_play).collect();
    let golden = Golden::read(ctx)?;
    let on_golden = plays_golden(args.board.as_deref());
    // A transcript tells what a writer was told who waited.
    let replays = |name: &str| on_golden && !args.force_eagain && wants("golden") && selected(name);
    let names: Vec<String> = golden.names().into_iter().filter(|name| replays(name)).collect();
    if on_this_machine.is_empty() && sources.is_empty() && to_build.is_empty() && names.is_empty() {
        return Err(miette!(
            help = "`cargo xtask test --list` lists them all; a filter is a part of a name",
            "no test is what you ask for"
        ));
    }
    if args.list {
        for test in on_this_machine.iter().chain(&sources) {
            println!("{}", test.name);
        }
        let names_of_builds: BTreeSet<_> =
            to_build.iter().filter(|case| builds(case)).map(|case| case.build_name()).collect();
        for name in names_of_builds {
            println!("{name}");
        }
        for case in cases {
            println!("{:<60} {}", case.name(), case.title());
        }
        for name in names {
            println!("{name}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let stop = args.filter.is_some() && !args.keep_going;
    let report = Report::new(if stop { OnFailure::Stop } else { OnFailure::GoOn });
    queue::run(&on_this_machine, ctx.jobs, &report);
    // Before the checks, which would otherwise build the same kernel in their own time.
    let ready = guests::builds(
        ctx,
        &to_build,
        (!names.is_empty()).then_some((golden::BOARD, flavor)),
        args.accel,
        &report,
    );
    // Compilers use the whole machine themselves.
    queue::run(&sources, 1, &report);
    let stage = guests::golden_stage(ctx, &ready, flavor);
    guests::play_all(ctx, &cases, &ready, golden.tests(ctx, stage, &report, &replays), &report);
    if let Some(path) = &args.json {
        report.write_json(path)?;
    }
    let passed = report.finish(start.elapsed());
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the choice of a board, by its name or its profile's file, leaves the one that transcripts are played on.
fn plays_golden(board: Option<&str>) -> bool {
    board.is_none_or(|board| guests::board_name(board) == guests::board_name(golden::BOARD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_of_the_transcripts_is_chosen_by_name_and_by_file() {
        for (board, plays) in [
            (None, true),
            (Some("golden"), true),
            (Some("ci/boards/golden.toml"), true),
            (Some("old-golden"), false),
        ] {
            assert_eq!(plays_golden(board), plays, "{board:?}");
        }
    }
}
