// SPDX-License-Identifier: MIT OR Apache-2.0
//! One file per verb.

mod build_image;
mod lock;
mod run;
mod test;

use std::process::ExitCode;

use crate::cli::Verb;
use crate::ctx::Ctx;

/// Does what the command line asked for; the exit code is the process's.
pub(crate) fn run(ctx: &Ctx, verb: Verb) -> miette::Result<ExitCode> {
    match verb {
        Verb::BuildImage(args) => build_image::run(ctx, &args),
        Verb::Run(args) => run::run(ctx, &args),
        Verb::Lock => lock::run(ctx),
        Verb::Test(args) => test::run(ctx, &args),
    }
}
