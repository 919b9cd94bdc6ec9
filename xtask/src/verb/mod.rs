// SPDX-License-Identifier: MIT OR Apache-2.0
//! One file per verb.

mod board;
mod build_image;
mod clean;
mod doctor;
mod fmt;
mod fuzz;
mod ide;
mod lint;
mod lock;
mod manual;
pub(crate) mod menuconfig;
mod run;
mod test;
mod why;

use std::process::ExitCode;

use crate::cli::Verb;
use crate::ctx::Ctx;

/// Does what the command line asked for; the exit code is the process's.
pub(crate) fn run(ctx: &Ctx, verb: Verb) -> miette::Result<ExitCode> {
    match verb {
        Verb::BuildImage(args) => build_image::run(ctx, &args),
        Verb::Run(args) => run::run(ctx, &args),
        Verb::Doctor(args) => doctor::run(ctx, &args),
        Verb::Why(args) => why::run(ctx, &args),
        Verb::Board(verb) => board::run(ctx, &verb),
        Verb::Menuconfig(args) => menuconfig::run(ctx, &args),
        Verb::Fmt(args) => fmt::run(ctx, &args),
        Verb::Fuzz(args) => fuzz::run(ctx, &args),
        Verb::Lint => lint::run(ctx),
        Verb::Ide => ide::run(ctx),
        Verb::Clean(args) => clean::run(ctx, &args),
        Verb::Completions(args) => manual::completions(&args),
        Verb::Man => manual::man(),
        Verb::Lock => lock::run(ctx),
        Verb::Test(args) => test::run(ctx, &args),
    }
}
