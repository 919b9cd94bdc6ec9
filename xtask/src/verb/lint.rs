// SPDX-License-Identifier: MIT OR Apache-2.0
//! `lint`: clippy over host crates by the host's cargo, over in-kernel crates by the kernel's own build.

use std::process::{Command, ExitCode};

use miette::IntoDiagnostic as _;

use crate::cli::{Flavor, StageName};
use crate::ctx::Ctx;
use crate::files;
use crate::lock::Lock;
use crate::sources::Sources;
use crate::stage::{kernel, modules, source, tools};

/// Fails if there is anything to complain about.
pub(crate) fn run(ctx: &Ctx) -> miette::Result<ExitCode> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&ctx.root).args(["clippy", "--workspace", "--all-targets"]);
    cargo.args(["--jobs", &ctx.jobs.to_string()]);
    cargo.args(ctx.offline.then_some("--offline")).args(ctx.locked.then_some("--locked"));
    cargo.args(["--", "--deny", "warnings"]);
    let host = cargo.status().into_diagnostic()?.success();
    let kernel = in_kernel(ctx)?;
    Ok(if host && kernel { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Compiles `modules/` aside with clippy in the compiler's place; what it makes is thrown away, because clippy may
/// change code generation.
fn in_kernel(ctx: &Ctx) -> miette::Result<bool> {
    let _lock = Lock::of_outputs(ctx)?;
    let sources = Sources::read(ctx)?;
    let tools = tools::build(ctx, &sources)?;
    let source = source::build(ctx, &sources, &tools)?;
    let request =
        kernel::Request { arch: board_profile::Arch::X86_64, flavor: Flavor::Release, fragments: vec![] };
    let kernel = kernel::build(ctx, &sources, &tools, &source, &request)?;
    let aside = ctx.target.join(StageName::Modules.name()).join("clippy.partial");
    files::fresh_dir(&aside)?;
    let make = modules::make(&tools, &kernel, &ctx.root.join("modules"), &aside);
    let output = make.args(["-s", "CLIPPY=1", "modules"]).to_command().output().into_diagnostic()?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    eprint!("{complaints}");
    files::remove(&aside)?;
    Ok(output.status.success() && !complaints.contains("warning:"))
}
