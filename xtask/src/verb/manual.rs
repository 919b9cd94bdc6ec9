// SPDX-License-Identifier: MIT OR Apache-2.0
//! `completions` and `man`: the command line's own definition, in other forms.

use std::process::ExitCode;

use clap::CommandFactory as _;
use miette::IntoDiagnostic as _;

use crate::cli::{Cli, Completions};

/// Prints the completion script for one shell.
pub(crate) fn completions(args: &Completions) -> miette::Result<ExitCode> {
    clap_complete::generate(args.shell, &mut Cli::command(), "cargo-xtask", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual page.
pub(crate) fn man() -> miette::Result<ExitCode> {
    clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout()).into_diagnostic()?;
    Ok(ExitCode::SUCCESS)
}
