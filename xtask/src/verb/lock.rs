// SPDX-License-Identifier: MIT OR Apache-2.0
//! `lock`: take what the mirror has today, and write it down.

use std::process::ExitCode;

use crate::ctx::Ctx;
use crate::lock::Lock;
use crate::sources::Sources;
use crate::stage::tools;

/// Makes the tools tree of today's packages and records them.
pub(crate) fn run(ctx: &Ctx) -> miette::Result<ExitCode> {
    let _lock = Lock::of_outputs(ctx)?;
    tools::relock(ctx, &Sources::read(ctx)?)?;
    Ok(ExitCode::SUCCESS)
}
