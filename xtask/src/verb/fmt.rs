// SPDX-License-Identifier: MIT OR Apache-2.0
//! `fmt`: host crates by the host's rustfmt, in-kernel crates by the tools tree's.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use miette::{IntoDiagnostic as _, WrapErr as _};

use crate::cli::Fmt;
use crate::ctx::Ctx;
use crate::files;
use crate::lock::Lock;
use crate::sources::Sources;
use crate::stage::source::{self, Source};
use crate::stage::tools::{self, ToolsTree};

/// Formats everything, or says what is not formatted.
pub(crate) fn run(ctx: &Ctx, args: &Fmt) -> miette::Result<ExitCode> {
    let check: &[&str] = if args.check { &["--check"] } else { &[] };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&ctx.root).args(["fmt", "--all", "--"]).args(check);
    let host = cargo.status().into_diagnostic()?.success();
    let kernel = in_kernel(ctx, args)?;
    Ok(if host && kernel { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The in-kernel crates' files; `proto` is a host crate too and was formatted as one.
fn in_kernel_files(ctx: &Ctx) -> miette::Result<Vec<PathBuf>> {
    let all = files::walk(&ctx.root.join("modules"))?.into_iter();
    let rust = all.filter(|path| path.extension().is_some_and(|e| e == "rs") && !path.starts_with("proto"));
    Ok(rust.collect())
}

/// Formats with the kernel's own settings. Each file is read from a pipe, so that rustfmt does not follow it into
/// others, some of which are formatted as host crates.
fn in_kernel(ctx: &Ctx, fmt: &Fmt) -> miette::Result<bool> {
    let _lock = Lock::of_outputs(ctx)?;
    let sources = Sources::read(ctx)?;
    let tools = tools::build(ctx, &sources)?;
    let source = source::build(ctx, &sources, &tools)?;
    let mut all_good = true;
    for name in in_kernel_files(ctx)? {
        let path = ctx.root.join("modules").join(&name);
        let old = files::read(&path)?;
        let new = formatted(&tools, &source, &old)
            .wrap_err_with(|| format!("cannot format modules/{}", name.display()))?;
        match (old == new, fmt.check) {
            (true, _) => {}
            (false, true) => {
                eprintln!("modules/{} is not formatted; run `cargo xtask fmt`", name.display());
                all_good = false;
            }
            (false, false) => files::write(&path, new)?,
        }
    }
    Ok(all_good)
}

fn formatted(tools: &ToolsTree, source: &Source, text: &str) -> miette::Result<String> {
    let rustfmt = tools.command("rustfmt").bind_ro(source.dir().join(".rustfmt.toml"), "/rustfmt.toml");
    let argv = rustfmt.args(["--edition", "2021", "--config-path", "/rustfmt.toml"]).argv();
    let new = duct::cmd(&argv[0], &argv[1..]).stdin_bytes(text).read().into_diagnostic()?;
    Ok(new + "\n")
}
