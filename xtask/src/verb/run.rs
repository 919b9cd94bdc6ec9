// SPDX-License-Identifier: MIT OR Apache-2.0
//! `run`: a board's image in QEMU, with its console on the terminal or with a command to run in it.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use miette::{miette, Context as _, IntoDiagnostic as _};

use crate::board::{Board, Boards};
use crate::cli::Run;
use crate::ctx::Ctx;
use crate::guest::agent::{End, Limits, Stream};
use crate::guest::boot::{self, Control, Guest, Pace, Parts, Through, Wishes};
use crate::guest::packages;
use crate::lock::Lock;
use crate::pipeline::{self, Built};
use crate::vm::machine::{Machine, OnReset};
use crate::vm::{accel, disks, faults, running};

/// The guest's kernel panicked.
const PANICKED: u8 = 120;
/// The guest ended before the command did.
const ENDED: u8 = 121;
/// The guest hung.
const HUNG: u8 = 122;
/// The user's time was up.
const TIMEOUT: u8 = 124;
/// The guest did not get as far as running the command.
const NOT_RUN: u8 = 125;

/// Seconds that an idle machine may take from power-on to the agent's first word.
const BOOT_S: f64 = 60.0;
/// Seconds without a sign of life; the agent gives one every five.
const SILENCE_S: f64 = 30.0;
/// Seconds that an idle machine may take to write everything out after a command.
const SYNC_S: f64 = 30.0;
/// How long a run without --timeout may take: longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(30 * 24 * 3600);
/// Lines of the console that a failure shows.
const TAIL: usize = 30;

/// Builds what is needed, boots it, and does what was asked.
pub(crate) fn run(ctx: &Ctx, args: &Run) -> miette::Result<ExitCode> {
    let program = match (&args.exec, &args.exec_file) {
        (Some(command), _) => Some(command.clone().into_bytes()),
        (None, Some(file)) => Some(
            std::fs::read(file)
                .into_diagnostic()
                .wrap_err_with(|| format!("--exec-file {}: cannot read it", file.display()))?,
        ),
        (None, None) => None,
    };
    let Some(program) = program else { return terminal(ctx, args) };
    match exec(ctx, args, &program) {
        Ok(code) => Ok(code),
        // A status of its own, so that a script can tell a build that failed from a command that did.
        Err(report) => {
            eprintln!("{report:?}");
            Ok(ExitCode::from(NOT_RUN))
        }
    }
}

/// A run's machine, and where its files are.
struct Prepared {
    parts: Parts,
    machine: Machine,
    dir: std::path::PathBuf,
    pace: Pace,
    _disks: Lock,
}

fn prepare(ctx: &Ctx, args: &Run, control: Control) -> miette::Result<Prepared> {
    let board = Boards::new(ctx).load(&args.board.board)?;
    let built = pipeline::build(ctx, &board, args.board.flavor)?;
    let parts = Parts::from(&built);
    let accel = accel::choose(args.accel, &ctx.cache, &parts.tree, &parts.kernel)?;
    let dir = ctx.target.join("vm").join(format!("{}-{}", board.name(), args.board.flavor.name()));
    let lock = Lock::of_guest(&dir)?;
    let wishes = Wishes {
        through: if control == Control::Terminal || args.firmware {
            Through::Firmware
        } else {
            Through::Direct
        },
        control,
        accel,
        memory: args.memory.unwrap_or(board.vm().memory),
        cpus: args.cpus.unwrap_or(board.vm().cpus),
        disks: all_disks(args, &board, &built, &dir)?,
        packages: match &args.with[..] {
            [] => None,
            names => Some(packages::disk(ctx, &built.tools, names)?),
        },
        add_files: args.add_files.clone(),
        cmdline: args.cmdline.clone(),
        snapshot: args.snapshot,
        gdb: args.gdb,
        on_reset: if control == Control::Agent { OnReset::Exit } else { OnReset::Boot },
        qemu_args: args.qemu_arg.clone(),
    };
    let machine = boot::machine(&parts, board.name(), &wishes, &dir)?;
    let pace = Pace::new(accel, args.board.flavor, 0);
    Ok(Prepared { parts, machine, dir, pace, _disks: lock })
}

fn all_disks(
    args: &Run,
    board: &Board,
    built: &Built,
    dir: &Path,
) -> miette::Result<Vec<crate::vm::machine::Disk>> {
    let mut all = disks::prepare(board.vm(), &built.image.disk(), dir)?;
    for (number, (path, access)) in args.add_disk.iter().enumerate() {
        all.push(disks::added(path, *access, number)?);
    }
    Ok(all)
}

fn print_command(prepared: &Prepared) -> miette::Result<ExitCode> {
    let argv = running::command(&prepared.parts.tree, &prepared.machine)?.argv();
    let words: Vec<_> = argv.iter().map(|word| quoted(&word.to_string_lossy())).collect();
    println!("{}", words.join(" "));
    Ok(ExitCode::SUCCESS)
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn terminal(ctx: &Ctx, args: &Run) -> miette::Result<ExitCode> {
    // Packages are mounted by the agent, which is not there to take orders from a person.
    if !args.with.is_empty() {
        return Err(miette!(
            help = "name them in the profile's [rootfs] packages to have them at the console",
            "--with needs --exec or --exec-file"
        ));
    }
    let prepared = prepare(ctx, args, Control::Terminal)?;
    if args.print {
        return print_command(&prepared);
    }
    eprintln!("Ctrl-A X ends QEMU. Disks: {}", prepared.dir.display());
    let status = running::run_on_terminal(&prepared.parts.tree, &prepared.machine)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn exec(ctx: &Ctx, args: &Run, program: &[u8]) -> miette::Result<ExitCode> {
    let prepared = prepare(ctx, args, Control::Agent)?;
    if args.print {
        return print_command(&prepared);
    }
    let end_of_run = Instant::now() + args.timeout.map_or(FOR_EVER, Duration::from_secs);
    // A debugger may hold the guest for as long as its user thinks.
    let silence = if args.gdb { FOR_EVER } else { prepared.pace.duration(SILENCE_S) };
    let boot = if args.gdb { FOR_EVER } else { prepared.pace.duration(BOOT_S) };
    let mut guest = Guest::start(&prepared.parts.tree, &prepared.machine, &prepared.dir)?;
    let boot_until = end_of_run.min(Instant::now() + boot);
    let end = match guest.agent.hello(Limits { until: boot_until, silence }) {
        Ok(_) => guest.agent.run(program, Limits { until: end_of_run, silence }, &mut pass_on)?,
        Err(end) => return Ok(did_not_boot(&mut guest, end, end_of_run)),
    };
    let exited = matches!(end, End::Exit(_));
    let code = report(&mut guest, end);
    if exited && !args.snapshot {
        let until = end_of_run.min(Instant::now() + prepared.pace.duration(SYNC_S));
        sync(&mut guest, Limits { until, silence })?;
    }
    guest.vm.quit()?;
    Ok(code)
}

/// Has the guest write to its disks what it keeps in memory, because ending QEMU is a power cut to it.
fn sync(guest: &mut Guest, limits: Limits) -> miette::Result<()> {
    let end = guest.agent.run(b"sync", limits, &mut |_, _| {})?;
    match end {
        // A command that powers off or unplugs is none that waits for its data.
        End::Exit(0) | End::Gone => {}
        _ => eprintln!(
            "xtask: the guest could not sync ({end:?}); what it wrote last may be missing from its disks"
        ),
    }
    Ok(())
}

/// Hands a piece of the command's output on as it comes; nobody may be listening any more.
fn pass_on(stream: Stream, bytes: &[u8]) {
    let _ = match stream {
        Stream::Stdout => {
            let mut out = std::io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
        Stream::Stderr => std::io::stderr().lock().write_all(bytes),
    };
}

/// The exit code for a command's end, with a word about it where it is not the command's own.
fn report(guest: &mut Guest, end: End) -> ExitCode {
    let (code, message) = match end {
        End::Exit(status) => {
            if let Some((_, line)) = faults::first(&guest.vm.console().text(), &[]) {
                let log = guest.vm.console().log().display().to_string();
                eprintln!("xtask: the guest's kernel complained: {line}\n  (console: {log})");
            }
            return ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX));
        }
        End::Dead(line) => (PANICKED, format!("the guest's kernel panicked: {line}")),
        End::Gone => (ENDED, gone(guest, "the guest ended before the command did")),
        End::Rebooted => (ENDED, "the guest booted again before the command ended".into()),
        End::Silent(time) => (HUNG, format!("the guest hung: no sign of life for {} s", time.as_secs())),
        End::Deadline => (TIMEOUT, "the time given by --timeout is up".into()),
        End::Broken(why) => (NOT_RUN, why),
    };
    explain(guest, &message);
    ExitCode::from(code)
}

/// The exit code for a guest whose agent was never heard.
fn did_not_boot(guest: &mut Guest, end: End, end_of_run: Instant) -> ExitCode {
    let (code, message) = match end {
        End::Dead(line) => (PANICKED, format!("the guest's kernel panicked while booting: {line}")),
        End::Deadline if Instant::now() >= end_of_run => {
            (TIMEOUT, "the time given by --timeout is up".into())
        }
        End::Deadline => (NOT_RUN, "the guest booted too slowly, or init hung".into()),
        End::Silent(time) => {
            (HUNG, format!("the guest hung while booting: no sign of life for {} s", time.as_secs()))
        }
        End::Gone => (NOT_RUN, gone(guest, "the guest ended while booting")),
        End::Broken(why) => (NOT_RUN, format!("the guest cannot run commands: {why}")),
        End::Exit(_) | End::Rebooted => (NOT_RUN, "the guest's agent made no sense".into()),
    };
    explain(guest, &message);
    ExitCode::from(code)
}

/// `message`, with how QEMU ended where that was no deed of the guest's.
fn gone(guest: &mut Guest, message: &str) -> String {
    let crash = guest.vm.crash().map(|crash| format!("\n{crash}"));
    format!("{message}{}", crash.unwrap_or_default())
}

fn explain(guest: &Guest, message: &str) {
    let console = guest.vm.console();
    eprintln!(
        "xtask: {message}\nThe end of the console ({}):\n{}",
        console.log().display(),
        console.tail(TAIL)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_can_be_pasted() {
        assert_eq!(quoted("if=none,file=/a/b.img"), "if=none,file=/a/b.img");
        assert_eq!(quoted("console=ttyS0 quiet"), "'console=ttyS0 quiet'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
