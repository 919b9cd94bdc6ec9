// SPDX-License-Identifier: MIT OR Apache-2.0
//! `test`.

use std::process::ExitCode;

use crate::ctx::Ctx;

/// Not written yet.
pub(crate) fn run(_ctx: &Ctx, _args: &crate::cli::Test) -> miette::Result<ExitCode> {
    miette::bail!("this verb is not written yet")
}
