// SPDX-License-Identifier: MIT OR Apache-2.0
//! The build system of scst-appliance: `cargo xtask VERB`.
//!
//! Parse, find the root, one match. What a verb does is in `verb/`, what a build consists of in `pipeline.rs`.

mod board;
mod cli;
mod ctx;
mod debian;
mod enter;
mod files;
mod golden;
mod guest;
mod host;
mod kconfig;
mod kconfig_tree;
mod layout;
mod lock;
mod manifest;
mod module_index;
mod pipeline;
mod scenario;
mod sources;
mod stage;
mod stamp;
mod step;
mod testing;
mod verb;
mod vm;

use clap::Parser;

fn main() -> miette::Result<std::process::ExitCode> {
    let args = cli::Cli::parse();
    let ctx = ctx::Ctx::new(&args.global)?;
    verb::run(&ctx, args.verb)
}
