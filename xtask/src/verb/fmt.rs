// SPDX-License-Identifier: MIT OR Apache-2.0
//! `fmt`: host crates by the host's rustfmt, in-kernel crates by the tools tree's.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use miette::IntoDiagnostic as _;

use crate::cli::Fmt;
use crate::ctx::Ctx;
use crate::files;
use crate::sources::Sources;
use crate::stage::tools;

/// Formats everything, or says what is not formatted.
pub(crate) fn run(ctx: &Ctx, args: &Fmt) -> miette::Result<ExitCode> {
    let check: &[&str] = if args.check { &["--check"] } else { &[] };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&ctx.root).args(["fmt", "--all", "--"]).args(check);
    let host = cargo.status().into_diagnostic()?.success();
    let kernel = in_kernel(ctx, check)?;
    Ok(if host && kernel { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The in-kernel crates' files; `proto` is a host crate too and was formatted as one.
pub(crate) fn in_kernel_files(ctx: &Ctx) -> miette::Result<Vec<PathBuf>> {
    let all = files::walk(&ctx.root.join("modules"))?.into_iter();
    let rust = all.filter(|path| path.extension().is_some_and(|e| e == "rs") && !path.starts_with("proto"));
    Ok(rust.collect())
}

fn in_kernel(ctx: &Ctx, check: &[&str]) -> miette::Result<bool> {
    let files = in_kernel_files(ctx)?;
    if files.is_empty() {
        return Ok(true);
    }
    let tools = tools::build(ctx, &Sources::read(ctx)?)?;
    let rustfmt = tools
        .command("rustfmt")
        .bind_rw(ctx.root.join("modules"), "/modules")
        .bind_ro(ctx.root.join("rustfmt.toml"), "/rustfmt.toml")
        .workdir("/modules")
        // Each file by itself: which of them is a crate's root is Kbuild's knowledge.
        .args([
            "--edition",
            "2021",
            "--config-path",
            "/rustfmt.toml",
            "--config",
            "skip_children=true",
            "--unstable-features",
        ]);
    Ok(rustfmt.args(check).args(files).to_command().status().into_diagnostic()?.success())
}
