// SPDX-License-Identifier: MIT OR Apache-2.0
//! `run`.

use std::process::ExitCode;

use crate::ctx::Ctx;

/// Not written yet.
pub(crate) fn run(_ctx: &Ctx, _args: &crate::cli::Run) -> miette::Result<ExitCode> {
    miette::bail!("this verb is not written yet")
}
