// SPDX-License-Identifier: MIT OR Apache-2.0
//! `fuzz`: `proto` under libFuzzer. The crate is laid out as cargo-fuzz has it; that tool itself wants another
//! compiler than the one that builds everything else, and does nothing here but pass these flags on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use miette::{miette, IntoDiagnostic as _, WrapErr as _};

use crate::cli::Fuzz;
use crate::ctx::Ctx;
use crate::files;

/// What libFuzzer needs in a program: counters on its edges and sight of its comparisons; and every check of ours.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions=on -Coverflow-checks=on \
    -Ccodegen-units=1 -Copt-level=2";
/// The host's own; without a name, build scripts would be compiled with these flags, too.
const TRIPLE: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };

/// A run of the fuzzer, over.
struct Outcome {
    target: String,
    executions: u64,
    inputs: usize,
    finding: Option<PathBuf>,
}

/// Fuzzes each target in turn. Fails if there is a finding.
pub(crate) fn run(ctx: &Ctx, args: &Fuzz) -> miette::Result<ExitCode> {
    let room = Room::new(ctx);
    let all = room.targets()?;
    let wanted = if args.targets.is_empty() { &all } else { &args.targets };
    if let Some(unknown) = wanted.iter().find(|t| !all.contains(t)) {
        return Err(miette!(
            help = format!("there are: {}", all.join(", ")),
            "no target is called {unknown}"
        ));
    }
    room.build(ctx)?;
    let mut findings = 0;
    for target in wanted {
        let start = Instant::now();
        eprintln!("{target}: for {} s; log: {}", args.seconds, ctx.log(&format!("fuzz-{target}")).display());
        let outcome = room.fuzz(ctx, target, args.seconds)?;
        findings += usize::from(outcome.finding.is_some());
        tell(&outcome, start.elapsed().as_secs());
        if args.keep && outcome.finding.is_none() {
            room.keep(target)?;
        }
    }
    Ok(if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(outcome: &Outcome, seconds: u64) {
    let Outcome { target, executions, inputs, finding } = outcome;
    match finding {
        None => println!("{target}: {executions} inputs in {seconds} s, {inputs} kept aside, no finding"),
        Some(file) => {
            println!("{target}: does not hold for the input in {}", file.display());
            let line = hex(&fs::read(file).unwrap_or_default());
            print!("  mend it, then add this line to modules/proto/fuzz/corpus/{target}.hex:\n{line}");
        }
    }
}

/// Where things are.
struct Room {
    /// The crate.
    source: PathBuf,
    /// What is made of it.
    target: PathBuf,
}

impl Room {
    fn new(ctx: &Ctx) -> Self {
        Self { source: ctx.root.join("modules/proto/fuzz"), target: ctx.target.join("fuzz") }
    }

    fn targets(&self) -> miette::Result<Vec<String>> {
        let files = files::walk(&self.source.join("fuzz_targets"))?;
        Ok(files.iter().filter_map(|f| Some(f.file_stem()?.to_str()?.to_owned())).collect())
    }

    fn build(&self, ctx: &Ctx) -> miette::Result<()> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.source).env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", &self.target);
        cargo.args(["build", "--bins", "--target", TRIPLE]).args(ctx.offline.then_some("--offline"));
        let done = cargo.status().into_diagnostic().wrap_err("cannot start cargo")?;
        match done.success() {
            true => Ok(()),
            false => Err(miette!(
                help = "libFuzzer is built with a C++ compiler: is g++ installed?",
                "the fuzz targets do not compile"
            )),
        }
    }

    fn corpus(&self, target: &str) -> PathBuf {
        self.source.join("corpus").join(format!("{target}.hex"))
    }

    /// Where the fuzzer keeps its inputs, one to a file; what it found in earlier runs stays.
    fn inputs(&self, target: &str) -> PathBuf {
        self.target.join("corpus").join(target)
    }

    fn program(&self, target: &str) -> Command {
        let mut program = Command::new(self.target.join(TRIPLE).join("debug").join(target));
        program.arg("-max_len=1024");
        program
    }

    fn fuzz(&self, ctx: &Ctx, target: &str, seconds: u32) -> miette::Result<Outcome> {
        let (inputs, findings) = (self.inputs(target), self.target.join("findings").join(target));
        files::make_dir(&inputs)?;
        files::fresh_dir(&findings)?;
        unpack(&self.corpus(target), &inputs)?;
        let log = ctx.log(&format!("fuzz-{target}"));
        files::write(&log, "")?;
        let mut program = self.program(target);
        program.args(["-print_final_stats=1", &format!("-max_total_time={seconds}")]);
        program.arg(format!("-artifact_prefix={}/", findings.display())).arg(&inputs);
        let output = program.stderr(fs::File::create(&log).into_diagnostic()?).status().into_diagnostic()?;
        let finding = files::walk(&findings)?.first().map(|name| findings.join(name));
        if !output.success() && finding.is_none() {
            return Err(miette!("the fuzzer itself failed; its log: {}", log.display()));
        }
        let executions = statistic(&files::read(&log)?, "stat::number_of_executed_units:");
        Ok(Outcome { target: target.to_owned(), executions, inputs: files::walk(&inputs)?.len(), finding })
    }

    /// Makes the corpus the fewest inputs that go everywhere where any has been.
    fn keep(&self, target: &str) -> miette::Result<()> {
        let fewest = self.target.join("fewest").join(target);
        files::fresh_dir(&fewest)?;
        let mut program = self.program(target);
        let merge = program.args(["-merge=1".as_ref(), fewest.as_os_str(), self.inputs(target).as_os_str()]);
        if !merge.output().into_diagnostic()?.status.success() {
            return Err(miette!("the inputs of {target} cannot be merged"));
        }
        pack(&fewest, &self.corpus(target))
    }
}

/// The number behind `name` in the fuzzer's log.
fn statistic(log: &str, name: &str) -> u64 {
    let value = log.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// A file for each line of hexadecimal digits.
fn unpack(corpus: &Path, folder: &Path) -> miette::Result<()> {
    for (n, line) in files::read(corpus)?.lines().enumerate() {
        let input =
            bytes(line).ok_or_else(|| miette!("{}:{}: not hexadecimal digits", corpus.display(), n + 1))?;
        files::write(&folder.join(format!("corpus-{n}")), input)?;
    }
    Ok(())
}

/// A line for each file, the short ones first, so that a change shows what it changes.
fn pack(folder: &Path, corpus: &Path) -> miette::Result<()> {
    let mut lines = files::walk(folder)?
        .iter()
        .map(|name| Ok(hex(&fs::read(folder.join(name)).into_diagnostic()?)))
        .collect::<miette::Result<Vec<_>>>()?;
    lines.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    files::write(corpus, lines.concat())
}

fn hex(input: &[u8]) -> String {
    input.iter().map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]).collect()
}

fn bytes(line: &str) -> Option<Vec<u8>> {
    let byte = |at| u8::from_str_radix(line.get(at..at + 2)?, 16).ok();
    (0..line.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corpus_comes_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let (corpus, folder) = (dir.path().join("x.hex"), dir.path().join("x"));
        files::make_dir(&folder).unwrap();
        fs::write(&corpus, "ff0102\n00\n\n").unwrap();
        unpack(&corpus, &folder).unwrap();
        pack(&folder, &corpus).unwrap();
        assert_eq!(fs::read_to_string(&corpus).unwrap(), "\n00\nff0102\n");
        fs::write(&corpus, "00\n0g\n").unwrap();
        let error = unpack(&corpus, &folder).unwrap_err().to_string();
        assert!(error.ends_with("x.hex:2: not hexadecimal digits"), "{error}");
    }

    #[test]
    fn the_number_of_executions_is_read() {
        let log = "#1 INITED\nstat::number_of_executed_units: 4711\nstat::peak_rss_mb: 40\n";
        assert_eq!(statistic(log, "stat::number_of_executed_units:"), 4711);
    }
}
