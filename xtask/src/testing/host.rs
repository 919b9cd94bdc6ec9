// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests that run on this machine: what `cargo test` runs, each by itself, so that each has its own time and a
//! crash takes no other with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use miette::{miette, Context as _, IntoDiagnostic as _};
use serde::Deserialize;

use super::queue::Test;
use super::report::Failure;
use crate::ctx::Ctx;

/// The crates that have tests which run on the host.
const CRATES: [&str; 4] = ["xtask", "board-profile", "appliance", "proto"];
/// Lines of a compiler's output that a failure shows.
const SHOWN: usize = 60;

/// A compiled test program.
#[derive(Debug)]
struct Program {
    package: &'static str,
    target: String,
    file: PathBuf,
    folder: PathBuf,
}

/// A message of cargo's, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Every host test; a crate that does not compile is one test that fails.
pub(crate) fn tests(ctx: &Ctx) -> Vec<Test<'static>> {
    let mut tests = Vec::new();
    for package in CRATES {
        match compile(ctx, package).and_then(|programs| of_programs(&programs)) {
            Ok(found) => tests.extend(found),
            Err(report) => tests.push(Test {
                name: format!("host/{package}/compile"),
                work: Box::new(move || Err(Failure::fail(format!("{report:?}")))),
            }),
        }
    }
    tests
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn compile(ctx: &Ctx, package: &'static str) -> miette::Result<Vec<Program>> {
    let mut command = cargo();
    command.args(["test", "--quiet", "--no-run", "--message-format=json", "--package", package]);
    if ctx.offline {
        command.arg("--offline");
    }
    let output = command.current_dir(&ctx.root).output().into_diagnostic().wrap_err("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let said = format!("{}\n{}", rendered(&text), String::from_utf8_lossy(&output.stderr));
        return Err(miette!("{package} and its tests do not compile:\n{}", end_of(&said)));
    }
    Ok(text.lines().filter_map(|line| program(package, line)).collect())
}

/// The test program that a line of cargo's output announces, if it does.
fn program(package: &'static str, line: &str) -> Option<Program> {
    let message: Message = serde_json::from_str(line).ok()?;
    let folder = message.manifest_path?.parent()?.to_owned();
    let program = Program { package, target: message.target?.name, file: message.executable?, folder };
    (message.reason == "compiler-artifact").then_some(program)
}

/// The compiler's own words among cargo's messages.
fn rendered(messages: &str) -> String {
    let words = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(message["message"]["rendered"].as_str()?.to_owned())
    };
    messages.lines().filter_map(words).collect()
}

fn end_of(text: &str) -> String {
    let lines: Vec<_> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

fn of_programs(programs: &[Program]) -> miette::Result<Vec<Test<'static>>> {
    let mut tests = Vec::new();
    for program in programs {
        let ignored = list(program, &["--ignored"])?;
        for name in list(program, &[])?.into_iter().filter(|name| !ignored.contains(name)) {
            let (file, folder) = (program.file.clone(), program.folder.clone());
            let full = format!("host/{}/{}::{name}", program.package, program.target);
            tests.push(Test { name: full, work: Box::new(move || run(&file, &folder, &name)) });
        }
    }
    Ok(tests)
}

/// The names of the tests in `program`.
fn list(program: &Program, which: &[&str]) -> miette::Result<Vec<String>> {
    let output = Command::new(&program.file)
        .args(["--list", "--format", "terse"])
        .args(which)
        .current_dir(&program.folder)
        .output()
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot list the tests of {}", program.file.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

fn run(file: &Path, folder: &Path, name: &str) -> Result<(), Failure> {
    let output = Command::new(file)
        .args(["--exact", name, "--test-threads=1"])
        .current_dir(folder)
        .env("CARGO_MANIFEST_DIR", folder)
        .output()
        .map_err(|error| Failure::fail(format!("cannot run {}: {error}", file.display())))?;
    let text = String::from_utf8_lossy(&output.stdout);
    // Without this, a name that matches no test any more would pass.
    if output.status.success() && text.contains("test result: ok. 1 passed") {
        return Ok(());
    }
    Err(Failure::fail(format!("{}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_programs_are_taken_from_cargos_messages() {
        let artifact = r#"{"reason":"compiler-artifact","manifest_path":"/r/x/Cargo.toml",
            "target":{"name":"golden"},"executable":"/t/golden-1"}"#
            .replace('\n', "");
        let found = program("x", &artifact).unwrap();
        assert_eq!((&found.target[..], found.folder), ("golden", "/r/x".into()));
        let library = r#"{"reason":"compiler-artifact","manifest_path":"/r/x/Cargo.toml","target":{"name":"x"},"executable":null}"#;
        assert!(program("x", library).is_none());
        assert!(program("x", "warning: not JSON").is_none());
    }

    #[test]
    fn a_test_that_is_not_there_does_not_pass() {
        let this = std::env::current_exe().unwrap();
        let own = "testing::host::tests::only_test_programs_are_taken_from_cargos_messages";
        assert_eq!(run(&this, Path::new("."), own), Ok(()));
        assert!(run(&this, Path::new("."), "no::such::test").is_err());
    }
}
