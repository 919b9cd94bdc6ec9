// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks of the sources, each of them a verb that a person can run.

use std::process::Command;

use super::queue::Test;
use super::report::Failure;
use crate::ctx::Ctx;

/// Name, verb, and what to do about a failure.
const CHECKS: [(&str, &[&str], &str); 3] = [
    ("check/profiles", &["board", "check"], "the message names file, line and cause"),
    ("check/format", &["fmt", "--check"], "run `cargo xtask fmt`"),
    ("check/lint", &["lint"], "see the lines above; `cargo xtask lint` prints them again"),
];

/// Every check.
pub(crate) fn tests(ctx: &Ctx) -> Vec<Test<'static>> {
    let test = |(name, verb, help): (&str, &'static [&'static str], &'static str)| {
        let global = ctx.global_args();
        Test { name: name.to_owned(), work: Box::new(move || run(verb, &global, help)) }
    };
    CHECKS.into_iter().map(test).collect()
}

fn run(verb: &[&str], global: &[String], help: &str) -> Result<(), Failure> {
    // The running program itself: its file may have been replaced by a build meanwhile.
    let output = Command::new("/proc/self/exe")
        .args(verb)
        .args(global)
        .output()
        .map_err(|error| Failure::fail(format!("cannot run xtask again: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Failure::fail(format!("{}\n{help}", String::from_utf8_lossy(&said).trim_end())))
}
