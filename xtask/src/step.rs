// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running a stage: is it needed, why, how far is it, and what went wrong.

use std::fs;
use std::io::{IsTerminal as _, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use miette::{IntoDiagnostic as _, WrapErr as _};

use crate::ctx::Ctx;
use crate::enter::TreeCommand;
use crate::files;
use crate::stamp::{Inputs, Reason, Stamp, StampFile};

/// How much of a log an error shows.
const LOG_END_LINES: usize = 25;
/// How often a long stage says on a plain console that it is still there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// The answer to a dry run that met a stage which would have to run.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{stage} would run, because {reason}")]
pub(crate) struct WouldRun {
    /// The stage's name.
    pub(crate) stage: String,
    /// What changed.
    pub(crate) reason: Reason,
}

/// Runs `work` if the stage called `name` is not up to date, and records the outputs that it returns.
///
/// The stamp is taken away before `work` starts and written after it returns, so that an interruption at any
/// moment leaves a stage that has not finished.
pub(crate) fn stage(
    ctx: &Ctx,
    name: &str,
    stamp: &StampFile,
    inputs: &Inputs,
    work: impl FnOnce(&Step) -> miette::Result<Vec<PathBuf>>,
) -> miette::Result<Stamp> {
    let reason = match stamp.check(inputs) {
        Ok(stamp) => {
            if let Some(records) = &ctx.dry_run {
                records.lock().expect("nothing panics with it").push((name.to_owned(), stamp.clone()));
            }
            return Ok(stamp);
        }
        Err(reason) => reason,
    };
    if ctx.dry_run.is_some() {
        return Err(WouldRun { stage: name.to_owned(), reason }.into());
    }
    let step = Step::start(ctx, name, &reason)?;
    stamp.invalidate()?;
    let outputs = work(&step)?;
    let stamp = stamp.record(inputs, &outputs, &reason, step.started)?;
    step.finish();
    Ok(stamp)
}

/// A stage at work: its log and its line on the console.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    log: PathBuf,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Step {
    /// Says that the stage starts, and why; opens an empty log.
    pub(crate) fn start(ctx: &Ctx, name: &str, reason: &Reason) -> miette::Result<Self> {
        let log = ctx.log(name);
        files::write(&log, format!("{name}: runs, because {reason}\n"))?;
        eprintln!("{name:>9}: runs, because {reason}");
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix:>9}: {spinner} {elapsed} {wide_msg}");
            let bar = ProgressBar::new_spinner().with_style(style.expect("the template is a constant"));
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Ok(Self { name: name.to_owned(), log, started: Instant::now(), bar })
    }

    /// Says something that a user should see whether or not they watch.
    pub(crate) fn say(&self, text: &str) {
        self.say_raw(&format!("{:>9}: {text}", self.name));
    }

    fn say_raw(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Runs a program of the tools tree, its output in the log; if it fails, the log's end is shown.
    pub(crate) fn run(&self, command: &TreeCommand) -> miette::Result<()> {
        let mut argv = command.argv().into_iter();
        let sandbox = argv.next().expect("an argument vector starts with the program");
        self.run_expression(&command.program().to_string_lossy(), duct::cmd(sandbox, argv))
    }

    /// Runs a program of the host, or several with pipes between them.
    pub(crate) fn run_expression(&self, what: &str, expression: duct::Expression) -> miette::Result<()> {
        let log = fs::File::options().append(true).open(&self.log);
        let log = log.into_diagnostic().wrap_err_with(|| format!("cannot write {}", self.log.display()))?;
        let handle = expression
            .stdin_null()
            .stderr_to_stdout()
            .stdout_file(log)
            .unchecked()
            .start()
            .into_diagnostic()
            .wrap_err_with(|| format!("{}: cannot start {what}", self.name))?;
        let mut spoke = Instant::now();
        loop {
            let done = handle.wait_timeout(Duration::from_millis(100)).into_diagnostic()?;
            if let Some(output) = done {
                return match output.status.success() {
                    true => Ok(()),
                    false => Err(self.failure(&format!("{what} failed ({})", output.status))),
                };
            }
            self.show_progress(&mut spoke);
        }
    }

    /// Runs a program of the tools tree and returns what it printed; what it complains about goes to the log.
    pub(crate) fn read(&self, command: &TreeCommand) -> miette::Result<String> {
        let output = command.to_command().output().into_diagnostic()?;
        self.log(&String::from_utf8_lossy(&output.stderr))?;
        if !output.status.success() {
            let what = command.program().to_string_lossy().into_owned();
            return Err(self.failure(&format!("{what} failed ({})", output.status)));
        }
        String::from_utf8(output.stdout).into_diagnostic()
    }

    /// Adds lines to the log.
    pub(crate) fn log(&self, text: &str) -> miette::Result<()> {
        use std::io::Write as _;
        fs::File::options()
            .append(true)
            .open(&self.log)
            .and_then(|mut log| log.write_all(text.as_bytes()))
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write {}", self.log.display()))
    }

    /// Prints the end of the log as it is and makes an error that says where the rest is.
    pub(crate) fn failure(&self, message: &str) -> miette::Report {
        let log = fs::read(&self.log).unwrap_or_default();
        self.say("the log ends with");
        self.say_raw(&last_lines(&String::from_utf8_lossy(&log), LOG_END_LINES));
        miette::miette!(help = format!("the whole log is {}", self.log.display()), "{}: {message}", self.name)
    }

    fn show_progress(&self, spoke: &mut Instant) {
        if let Some(bar) = &self.bar {
            bar.set_message(last_log_line(&self.log));
        } else if spoke.elapsed() >= SIGN_OF_LIFE {
            *spoke = Instant::now();
            let elapsed = self.started.elapsed().as_secs();
            self.say(&format!("{} min {:02} s, {}", elapsed / 60, elapsed % 60, last_log_line(&self.log)));
        }
    }

    fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{:>9}: done in {:.1} s", self.name, self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Runs a host program to its end and returns what it printed.
pub(crate) fn host_output(command: &mut Command) -> miette::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().into_diagnostic().wrap_err_with(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        miette::bail!("{name} failed ({}): {}", output.status, last_lines(&complaint, LOG_END_LINES));
    }
    String::from_utf8(output.stdout).into_diagnostic()
}

/// The last `count` lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn last_log_line(log: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs::File::open(log)?;
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(end.saturating_sub(512)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("")
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;
    use crate::ctx::Records;

    /// Where a stage is when it is killed.
    const POINTS: [&str; 3] = ["before its output", "with half an output", "before its stamp"];

    fn ctx(dir: &Path) -> Ctx {
        Ctx {
            root: dir.to_owned(),
            cache: dir.join("cache"),
            target: dir.join("target"),
            jobs: 1,
            offline: true,
            locked: false,
            dry_run: None,
            mirror: None,
        }
    }

    fn inputs(value: &str) -> Inputs {
        let mut inputs = Inputs::new();
        inputs.value("setting", value);
        inputs
    }

    /// Runs a stage whose one output is "whole"; `reached` is called at every point.
    fn run(dir: &Path, value: &str, mut reached: impl FnMut(&str)) -> miette::Result<Stamp> {
        let stamp = StampFile::new(dir.join("stamp.json"), dir);
        stage(&ctx(dir), "made", &stamp, &inputs(value), |_| {
            let out = dir.join("out");
            reached(POINTS[0]);
            fs::write(&out, "who").into_diagnostic()?;
            reached(POINTS[1]);
            fs::write(&out, "whole").into_diagnostic()?;
            reached(POINTS[2]);
            Ok(vec!["out".into()])
        })
    }

    /// The child of the test below: hangs at the point it is told.
    #[test]
    #[ignore = "no test of its own"]
    fn a_stage_that_hangs() {
        let var = std::env::var::<&str>;
        let (dir, point) = (var("XTASK_TEST_DIR").unwrap(), var("XTASK_TEST_POINT").unwrap());
        let dir = Path::new(&dir);
        let hang = |reached: &str| {
            if reached == point {
                fs::write(dir.join("reached"), "").unwrap();
                std::thread::sleep(Duration::from_secs(60));
            }
        };
        run(dir, "two", hang).unwrap();
    }

    /// Starts the stage in a process of its own and kills that at `point`.
    fn killed_at(dir: &Path, point: &str) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "step::tests::a_stage_that_hangs"])
            .env("XTASK_TEST_DIR", dir)
            .env("XTASK_TEST_POINT", point)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while !dir.join("reached").exists() {
            assert!(started.elapsed() < Duration::from_secs(30), "the stage never came to {point}");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_file(dir.join("reached")).unwrap();
    }

    #[test]
    fn a_killed_stage_never_passes_for_finished() {
        for point in POINTS {
            let dir = tempfile::tempdir().unwrap();
            // An older good output of other inputs, and of the very same ones.
            for older in ["one", "two"] {
                run(dir.path(), older, |_| {}).unwrap();
                fs::remove_file(dir.path().join("out")).unwrap();
                killed_at(dir.path(), point);
                let mut ran = 0;
                run(dir.path(), "two", |_| ran += 1).unwrap();
                assert_eq!(ran, POINTS.len(), "killed {point}, older output {older}");
                assert_eq!(fs::read_to_string(dir.path().join("out")).unwrap(), "whole");
                run(dir.path(), "two", |_| panic!("a finished stage ran again")).unwrap();
            }
        }
    }

    /// The child of the test below: a stage whose program starts another that writes for as long as it lives.
    #[test]
    #[ignore = "no test of its own"]
    fn a_stage_with_a_forking_program() {
        let dir = PathBuf::from(std::env::var("XTASK_TEST_DIR").unwrap());
        // This machine's own files stand in for a tools tree.
        let shell = TreeCommand::new(Path::new("/"), "sh").bind_rw(&dir, "/out").arg("-c");
        let script = "sh -c 'while :; do echo >>/out/reached; sleep 0.02; done' & wait";
        let step = Step::start(&ctx(&dir), "made", &Reason::NeverFinished).unwrap();
        step.run(&shell.arg(script)).unwrap();
    }

    #[test]
    fn nothing_that_a_killed_stage_started_goes_on_writing() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "step::tests::a_stage_with_a_forking_program"])
            .env("XTASK_TEST_DIR", dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let written = || fs::metadata(dir.path().join("reached")).map_or(0, |meta| meta.len());
        let wait_for = |what: &str, done: &dyn Fn() -> bool| {
            let started = Instant::now();
            while !done() {
                assert!(started.elapsed() < Duration::from_secs(30), "{what}");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        let pause = || std::thread::sleep(Duration::from_millis(500));
        wait_for("the program never wrote", &|| written() > 2);
        child.kill().unwrap();
        child.wait().unwrap();
        wait_for("the program writes after the kill", &|| {
            let before = written();
            pause();
            written() == before
        });
    }

    #[test]
    fn a_dry_run_names_the_reason_and_touches_nothing() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), "one", |_| {}).unwrap();
        let records = Records::default();
        let ctx = Ctx { dry_run: Some(records.clone()), ..ctx(dir.path()) };
        let stamp = StampFile::new(dir.path().join("stamp.json"), dir.path());
        let work = |_: &Step| panic!("a dry run ran the stage");
        let would = stage(&ctx, "made", &stamp, &inputs("two"), work).unwrap_err();
        assert_eq!(would.to_string(), "made would run, because setting changed from \"one\" to \"two\"");
        assert!(stage(&ctx, "made", &stamp, &inputs("one"), work).is_ok(), "the dry run spoiled the stamp");
        assert_eq!(records.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_failure_names_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let step = Step::start(&ctx(dir.path()), "made", &Reason::NeverFinished).unwrap();
        let failed = step.run_expression("sh", duct::cmd!("sh", "-c", "echo told; exit 3")).unwrap_err();
        assert_eq!(failed.to_string(), "made: sh failed (exit status: 3)");
        let log = fs::read_to_string(dir.path().join("target/logs/made.log")).unwrap();
        assert!(log.ends_with("told\n"), "{log}");
        assert!(failed.help().is_some_and(|help| help.to_string().contains("target/logs/made.log")));
    }
}
