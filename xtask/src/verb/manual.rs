// SPDX-License-Identifier: MIT OR Apache-2.0
//! `completions` and `man`: the command line's own definition, in other forms.

use std::io::Write as _;
use std::process::ExitCode;

use clap::CommandFactory as _;
use miette::IntoDiagnostic as _;

use crate::cli::{Cli, Completions};

/// Prints the completion script for one shell.
pub(crate) fn completions(args: &Completions) -> miette::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "cargo-xtask", &mut script);
    print(&script)
}

/// Prints the manual page.
pub(crate) fn man() -> miette::Result<ExitCode> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).into_diagnostic()?;
    print(&page)
}

/// A reader that has seen enough, such as `head`, is an error here and no panic.
fn print(text: &[u8]) -> miette::Result<ExitCode> {
    std::io::stdout().write_all(text).into_diagnostic()?;
    Ok(ExitCode::SUCCESS)
}
