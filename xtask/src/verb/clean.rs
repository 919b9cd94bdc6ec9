// SPDX-License-Identifier: MIT OR Apache-2.0
//! `clean`: remove what builds leave behind. Everything that it removes can be made again.

use std::process::ExitCode;

use crate::cli::{Clean, StageName};
use crate::ctx::Ctx;
use crate::files;
use crate::lock::Lock;

/// The folders of the cache that no stage is named after: compilers' results, archives, and what runs add.
const CACHE: [&str; 4] = ["ccache", "packages", "vendor", "with"];
/// Which accelerator works here, in the cache.
const ACCELERATOR: &str = "accel.json";
/// The folders below `target/` that no stage is named after: logs, the disks of runs, of scenarios and of replays, and
/// what fuzzing made.
const OTHERS: [&str; 5] = ["logs", "vm", "scenarios", "golden", "fuzz"];

/// The folders of build outputs below `target/`, by stage.
const FOLDERS: [(StageName, &str); 7] = [
    (StageName::Config, "config"),
    (StageName::Kernel, "kernel"),
    (StageName::Modules, "modules"),
    (StageName::Program, "program"),
    (StageName::Packages, "packages"),
    (StageName::Rootfs, "rootfs"),
    (StageName::Image, "images"),
];

/// Removes one stage's outputs, or all of them, or the cache as well.
pub(crate) fn run(ctx: &Ctx, args: &Clean) -> miette::Result<ExitCode> {
    let _lock = Lock::of_outputs(ctx)?;
    let wanted = |stage: StageName| args.stage.is_none_or(|only| only == stage);
    for (_, folder) in FOLDERS.iter().filter(|(stage, _)| wanted(*stage)) {
        remove(&ctx.target.join(folder))?;
    }
    if args.stage.is_none() {
        OTHERS.iter().try_for_each(|name| remove(&ctx.target.join(name)))?;
    }
    if args.cache || args.stage == Some(StageName::Tools) {
        remove(&ctx.cache.join("tools"))?;
    }
    if args.cache || args.stage == Some(StageName::Source) {
        remove(&ctx.cache.join("src"))?;
    }
    if args.cache {
        CACHE.iter().chain([&ACCELERATOR]).try_for_each(|name| remove(&ctx.cache.join(name)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(path: &std::path::Path) -> miette::Result<()> {
    if path.exists() {
        eprintln!("removing {}", path.display());
    }
    files::remove(path)
}
