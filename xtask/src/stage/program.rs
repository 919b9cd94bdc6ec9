// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one Rust program on the appliance, compiled in the tools tree and linked statically.

use std::path::{Path, PathBuf};
use std::process::Command;

use miette::{IntoDiagnostic as _, WrapErr as _};

use super::tools::ToolsTree;
use crate::ctx::Ctx;
use crate::files;
use crate::lock::Lock;
use crate::sources::Sources;
use crate::stamp::{Inputs, Stamp, StampFile};
use crate::step::{self, Step};

/// The program's own crate and those of this repository that it is made of.
const CRATES: [&str; 3] = ["overlay/appliance", "board/profile", "modules/proto"];
/// What the program is compiled for.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What compiles it.
const COMPILERS: [&str; 5] = ["rustc", "cargo", "gcc", "binutils", "libc6-dev"];

/// The built program.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    stamp: Stamp,
}

impl Program {
    /// The executable.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The record of the build.
    pub(crate) fn stamp(&self) -> &Stamp {
        &self.stamp
    }
}

/// Compiles crate `appliance`.
pub(crate) fn build(ctx: &Ctx, sources: &Sources, tools: &ToolsTree) -> miette::Result<Program> {
    let home = ctx.target.join("program");
    let mut inputs = Inputs::new();
    for name in CRATES {
        inputs.tree(name, &ctx.root.join(name), |path| !path.starts_with("tests"))?;
    }
    inputs.file("Cargo.toml", &ctx.root.join("Cargo.toml"))?;
    inputs.file("Cargo.lock", &ctx.root.join("Cargo.lock"))?;
    inputs.value("target", TARGET);
    tools.versions(&mut inputs, &COMPILERS);
    let stamp = StampFile::new(home.join("stamp.json"), &home);
    let stamp = step::stage(ctx, "program", &stamp, &inputs, |step| {
        let vendor = vendor(ctx, step)?;
        files::make_dir(&home.join("build"))?;
        step.run(&compile(ctx, sources, tools, &vendor, &home))?;
        let built = home.join("build").join(TARGET).join("appliance/appliance");
        let aside = files::partial(&home.join("appliance"));
        files::copy(&built, &aside)?;
        files::replace(&aside, &home.join("appliance"))?;
        Ok(vec!["appliance".into()])
    })?;
    Ok(Program { path: home.join("appliance"), stamp })
}

/// The tree's cargo, which sees the repository, the vendored crates and no network.
fn compile(
    ctx: &Ctx,
    sources: &Sources,
    tools: &ToolsTree,
    vendor: &Path,
    home: &Path,
) -> crate::enter::TreeCommand {
    tools
        .command("cargo")
        .bind_ro(&ctx.root, "/src/repo")
        .bind_ro(vendor, "/vendor")
        .bind_rw(home.join("build"), "/out")
        .workdir("/src/repo")
        .env("CARGO_HOME", "/tmp/cargo")
        .env("CARGO_TARGET_DIR", "/out")
        .env("SOURCE_DATE_EPOCH", sources.source_date_epoch.to_string())
        .env(
            "RUSTFLAGS",
            "-Ctarget-feature=+crt-static --remap-path-prefix=/src/repo=. --remap-path-prefix=/vendor=",
        )
        .args(["build", "--offline", "--locked", "--package", "appliance", "--profile", "appliance"])
        .args(["--target", TARGET, "--config", "/vendor/config.toml"])
        .arg(format!("--jobs={}", ctx.jobs))
}

/// Lays the sources of every crate in `Cargo.lock` into the cache, by the host's cargo, once per lock file.
fn vendor(ctx: &Ctx, step: &Step) -> miette::Result<PathBuf> {
    let _lock = Lock::of_cache(ctx, "vendor")?;
    let id = files::digest_file(&ctx.root.join("Cargo.lock")).into_diagnostic()?;
    let dir = ctx.cache.join("vendor").join(&id[..12]);
    if dir.join("config.toml").exists() {
        return Ok(dir);
    }
    let aside = files::partial(&dir);
    files::fresh_dir(&aside)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&ctx.root).args(["vendor", "--locked", "--versioned-dirs"]);
    if ctx.offline {
        cargo.arg("--offline");
    }
    step.say("fetching the crates that Cargo.lock names");
    let config = step::host_output(cargo.arg(&aside)).wrap_err("cannot fetch the crates of Cargo.lock")?;
    // cargo prints the configuration that leads to the crates; inside the tree they stand elsewhere.
    files::write(&aside.join("config.toml"), config.replace(&aside.display().to_string(), "/vendor"))?;
    files::replace(&aside, &dir)?;
    Ok(dir)
}
