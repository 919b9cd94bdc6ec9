// SPDX-License-Identifier: MIT OR Apache-2.0
//! `build-image`: board profile in, bootable disk image out.

use std::process::ExitCode;

use crate::cli::BuildImage;
use crate::ctx::Ctx;

/// Builds the board's image and says where it is.
pub(crate) fn run(_ctx: &Ctx, _args: &BuildImage) -> miette::Result<ExitCode> {
    miette::bail!("this verb is not written yet")
}
