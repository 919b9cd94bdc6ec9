// SPDX-License-Identifier: MIT OR Apache-2.0
//! Starting, stopping and unplugging QEMU.

use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt as _, FdMapping};
use miette::{miette, Context as _, IntoDiagnostic as _};
use serde_json::json;

use super::console::{Activity, Console};
use super::machine::{Accel, Access, Boot, Machine, SavedState, CONSOLE_FD, FIRST_PORT_FD, QMP_FD};
use super::qmp::Qmp;
use crate::enter::TreeCommand;

/// How long QEMU may take to end after it was told to.
const QUIT: Duration = Duration::from_secs(120);
/// How long saving a guest's memory may take.
const SAVE: Duration = Duration::from_secs(600);

/// How long QEMU's process may outlive the channels that it closed.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How many lines of what QEMU said are shown.
const SAID_LINES: usize = 10;

/// Why no guest is running.
#[derive(Debug)]
pub(crate) enum StartError {
    /// A program or a file that a guest needs is not there.
    Missing(String),
    /// It is there and did not start.
    Failed(miette::Report),
}

impl From<miette::Report> for StartError {
    fn from(report: miette::Report) -> Self {
        Self::Failed(report)
    }
}

impl From<StartError> for miette::Report {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Missing(what) => miette!("{what}"),
            StartError::Failed(report) => report,
        }
    }
}

/// A running guest. Dropping it is pulling the plug.
#[derive(Debug)]
pub(crate) struct Vm {
    child: Child,
    qmp: Qmp,
    console: Console,
    activity: Activity,
    /// What QEMU itself says.
    said: PathBuf,
}

impl Vm {
    /// Starts `machine` from the tools tree at `tree` and returns it with our ends of its ports.
    ///
    /// `dir` gets `console.log` and `qemu.log`. The guest dies with the calling thread.
    pub(crate) fn start(
        tree: &Path,
        machine: &Machine,
        dir: &Path,
    ) -> Result<(Self, Vec<UnixStream>), StartError> {
        let said = dir.join("qemu.log");
        let log = std::fs::File::create(&said)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write {}", said.display()))?;
        let mut channels = Channels::default();
        let console = channels.open(CONSOLE_FD)?;
        let qmp = channels.open(QMP_FD)?;
        let ports = (FIRST_PORT_FD..)
            .zip(&machine.ports)
            .map(|(fd, _)| channels.open(fd))
            .collect::<miette::Result<Vec<_>>>()?;
        let child = {
            let mut command = command(tree, machine)?.to_command();
            let twice = log.try_clone().into_diagnostic()?;
            command.stdin(Stdio::null()).stdout(log).stderr(twice).process_group(0);
            // QEMU's ends are closed here as soon as QEMU has them, so that its end is the end of each channel.
            command.fd_mappings(channels.theirs).into_diagnostic()?;
            spawn(&mut command)?
        };
        let activity = Activity::new();
        let console = Console::follow(console, &dir.join("console.log"), activity.clone())?;
        match Qmp::open(qmp) {
            Ok(qmp) => Ok((Self { child, qmp, console, activity, said }, ports)),
            Err(error) => {
                let mut child = child;
                kill(&mut child);
                let words = std::fs::read_to_string(&said).unwrap_or_default();
                Err(StartError::Failed(
                    error.wrap_err(format!("QEMU did not start; it said:\n{}", words.trim_end())),
                ))
            }
        }
    }

    /// The guest's console.
    pub(crate) fn console(&self) -> &Console {
        &self.console
    }

    /// When something last came from the guest.
    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// How QEMU ended and the last that it said, if it ended by itself and not well: that is no deed of the guest's.
    pub(crate) fn crash(&mut self) -> Option<String> {
        let status = self.wait_exit(Instant::now() + LAST_WORDS).ok()??;
        (!status.success()).then(|| {
            let said = std::fs::read_to_string(&self.said).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            let last = lines[lines.len().saturating_sub(SAID_LINES)..].join("\n");
            format!("QEMU itself ended, with {status}; it said ({}):\n{last}", self.said.display())
        })
    }

    /// Unplugs a device by its QEMU id.
    pub(crate) fn unplug(&mut self, id: &str) -> miette::Result<()> {
        self.qmp.execute("device_del", json!({ "id": id })).map(drop)
    }

    /// Saves all that the guest has in memory to the file at `path`, which its machine names, and ends QEMU.
    pub(crate) fn save(mut self, path: &Path) -> miette::Result<()> {
        self.qmp.execute("migrate", json!({ "uri": format!("file:{}", path.display()) }))?;
        let until = Instant::now() + SAVE;
        loop {
            let told = self.qmp.execute("query-migrate", json!({}))?;
            match told["status"].as_str() {
                Some("completed") => return self.quit(),
                Some("failed" | "cancelled") => {
                    return Err(miette!("QEMU cannot save the guest's state: {}", told["error-desc"]));
                }
                _ if Instant::now() >= until => {
                    return Err(miette!("saving the guest's state takes too long"))
                }
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Waits until a guest that goes on from a saved state does so.
    pub(crate) fn wait_running(&mut self, until: Instant) -> miette::Result<()> {
        while self.qmp.execute("query-status", json!({}))?["status"] != "running" {
            if Instant::now() >= until {
                return Err(miette!("the guest does not go on from its saved state"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits for QEMU to end by itself; nothing if it has not by `until`.
    pub(crate) fn wait_exit(&mut self, until: Instant) -> miette::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.child.try_wait().into_diagnostic()? {
                return Ok(Some(status));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends QEMU in an orderly way: what the guest wrote reaches the disks' files.
    pub(crate) fn quit(mut self) -> miette::Result<()> {
        // The answer may be lost with the channel; the process's end is what counts.
        let _ = self.qmp.execute("quit", json!({}));
        match self.wait_exit(Instant::now() + QUIT)? {
            Some(_) => Ok(()),
            None => Err(miette!("QEMU did not end within {} s and was killed", QUIT.as_secs())),
        }
    }

    /// Pulls the plug: whatever the guest had not flushed is lost.
    pub(crate) fn power_cut(mut self) {
        kill(&mut self.child);
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

/// Runs `machine` with its console on this terminal until it ends.
pub(crate) fn run_on_terminal(tree: &Path, machine: &Machine) -> miette::Result<ExitStatus> {
    let mut command = command(tree, machine)?.to_command();
    spawn(&mut command)?.wait().into_diagnostic().wrap_err("cannot wait for QEMU")
}

/// The sandboxed QEMU with every file of `machine` in sight, each under its own path.
pub(crate) fn command(tree: &Path, machine: &Machine) -> Result<TreeCommand, StartError> {
    let program = machine.program();
    if !tree.join("usr/bin").join(program).exists() {
        return Err(StartError::Missing(format!("no {program} in the tools tree {}", tree.display())));
    }
    let mut command = TreeCommand::new(tree, program).args(machine.argv());
    if machine.accel == Accel::Kvm {
        command = command.device("/dev/kvm");
    }
    if machine.gdb || machine.extra.iter().any(|word| word.contains("netdev") || word.contains("-nic")) {
        command = command.network();
    }
    if machine.snapshot {
        // What the guest writes goes to an unnamed file there; the sandbox's own /tmp is memory.
        command = command.bind_rw(std::env::temp_dir(), "/var/tmp");
    }
    for (path, access) in files(machine) {
        let kind = std::fs::metadata(&path)
            .map_err(|error| StartError::Missing(format!("{}: {error}", path.display())))?
            .file_type();
        command = match access {
            _ if kind.is_block_device() => command.device(&path),
            Access::ReadWrite => command.bind_rw(&path, &path),
            Access::ReadOnly => command.bind_ro(&path, &path),
        };
    }
    Ok(command)
}

/// The files that `machine` opens, but for those of the tools tree itself.
fn files(machine: &Machine) -> Vec<(PathBuf, Access)> {
    let mut files: Vec<_> = machine.disks.iter().map(|disk| (disk.path.clone(), disk.access)).collect();
    files
        .extend(machine.disks.iter().filter_map(|disk| disk.log.clone()).map(|log| (log, Access::ReadWrite)));
    match &machine.state {
        Some(SavedState::To(path)) => files.push((path.clone(), Access::ReadWrite)),
        Some(SavedState::From(path)) => files.push((path.clone(), Access::ReadOnly)),
        None => {}
    }
    match &machine.boot {
        Boot::Firmware { vars, .. } => files.push((vars.clone(), Access::ReadWrite)),
        Boot::Direct { kernel, initrd, .. } => {
            files.push((kernel.clone(), Access::ReadOnly));
            files.push((initrd.clone(), Access::ReadOnly));
        }
        Boot::Probe { kernel } => files.push((kernel.clone(), Access::ReadOnly)),
    }
    files
}

/// Our ends of socket pairs, and the other ends on their way to QEMU.
#[derive(Default)]
struct Channels {
    theirs: Vec<FdMapping>,
}

impl Channels {
    fn open(&mut self, fd: i32) -> miette::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair().into_diagnostic().wrap_err("cannot make a socket pair")?;
        self.theirs.push(FdMapping { parent_fd: OwnedFd::from(theirs), child_fd: fd });
        Ok(ours)
    }
}

fn spawn(command: &mut std::process::Command) -> Result<Child, StartError> {
    command.spawn().map_err(|error| {
        let program = command.get_program().to_string_lossy().into_owned();
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                StartError::Missing(format!("{program} is not installed on this machine"))
            }
            _ => StartError::Failed(miette!("cannot start {program}: {error}")),
        }
    })
}

/// Kills the sandbox and everything in it, and waits for its end.
fn kill(child: &mut Child) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}
