// SPDX-License-Identifier: MIT OR Apache-2.0
//! One scenario on one board: its disks, its guest, its log.

use std::path::{Path, PathBuf};

use miette::Context as _;
use regex::Regex;

use super::file::{Found, Scenario};
use super::verdict::{with_crash, Verdict};
use crate::board::Board;
use crate::cli::{Flavor, ImageType};
use crate::ctx::Ctx;
use crate::files;
use crate::guest::boot::{Guest, Pace, Parts};
use crate::guest::packages;
use crate::lock::Lock;
use crate::pipeline::Built;
use crate::stage::drivers::STACK;
use crate::stage::modules::{Modules, Writers};
use crate::stage::{convert, kernel};
use crate::vm::console::Console;
use crate::vm::disks::{self, Other};
use crate::vm::faults;
use crate::vm::machine::{Accel, Disk, Machine};
use crate::vm::running::Vm;

/// What a scenario is played on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    /// The board.
    pub(crate) board: &'a Board,
    /// The flavour of its kernel.
    pub(crate) flavor: Flavor,
    /// What was built of it.
    pub(crate) built: &'a Built,
    /// Modules that take the place of those in the image; those of the image without.
    pub(crate) modules: Option<&'a Modules>,
    /// What executes the guest.
    pub(crate) accel: Accel,
    /// How many other scenarios run at the same time.
    pub(crate) neighbours: usize,
}

impl Stage<'_> {
    /// What becomes of writers of management commands here.
    pub(crate) fn writers(&self) -> Writers {
        self.modules.map_or(Writers::Wait, Modules::writers)
    }
}

/// A guest that is on.
#[derive(Debug)]
pub(super) enum Running {
    /// It takes commands.
    Guest(Box<Guest>),
    /// It is the image as it ships; its console is all there is.
    Watched(Box<Vm>),
}

impl Running {
    /// Its machine.
    pub(super) fn vm(&mut self) -> &mut Vm {
        match self {
            Self::Guest(guest) => &mut guest.vm,
            Self::Watched(vm) => vm,
        }
    }
}

/// A scenario being played.
#[derive(Debug)]
pub(crate) struct Play<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) scenario: &'a Scenario,
    pub(super) stage: &'a Stage<'a>,
    pub(super) parts: Parts,
    pub(super) dir: PathBuf,
    pub(super) pace: Pace,
    /// Folders that are laid over the guest's root.
    pub(super) add_files: Vec<PathBuf>,
    pub(super) disks: Vec<Disk>,
    pub(super) packages: Option<Disk>,
    pub(super) running: Option<Running>,
    /// The machine of the latest boot.
    pub(super) machine: Option<Machine>,
    pub(super) boots: u32,
    /// The console of the latest boot; it outlives the guest.
    pub(super) console: Option<Console>,
    pub(super) allowed: Vec<Regex>,
    _disks: Lock,
}

impl<'a> Play<'a> {
    /// Prepares disks and packages in a folder that no earlier run shows in.
    pub(crate) fn new(ctx: &'a Ctx, scenario: &'a Scenario, stage: &'a Stage<'a>) -> miette::Result<Self> {
        let suffix = stage.writers().suffix();
        let name = format!("{}-{}-{}{suffix}", scenario.name, stage.board.name(), stage.flavor.name());
        let dir = ctx.target.join("scenarios").join(name);
        let lock = Lock::of_guest(&dir)?;
        files::fresh_dir(&dir)?;
        let mut add_files: Vec<_> = scenario.add_files.iter().map(|folder| ctx.root.join(folder)).collect();
        if let Some(modules) = stage.modules {
            add_files.push(overlay_modules(modules, stage.built.kernel.release(), &dir)?);
        }
        let mut all = disks::prepare(stage.board.vm(), &stage.built.image.disk(), &dir)?;
        for extra in &scenario.disks {
            let path = dir.join(format!("{}.img", extra.serial));
            disks::grow(&path, extra.size)?;
            let mut disk = disks::empty(path, &extra.serial);
            if extra.volatile {
                let log = dir.join(format!("{}.log", extra.serial));
                files::write(&log, "")?;
                disk.log = Some(log);
            }
            all.push(disk);
        }
        Ok(Self {
            ctx,
            scenario,
            stage,
            parts: Parts::from(stage.built),
            pace: Pace::new(stage.accel, stage.flavor, stage.neighbours),
            disks: all,
            packages: match &scenario.with[..] {
                [] => None,
                names => Some(packages::disk(ctx, &stage.built.tools, names)?),
            },
            dir,
            add_files,
            running: None,
            machine: None,
            boots: 0,
            console: None,
            allowed: scenario.allowed(),
            _disks: lock,
        })
    }

    /// Goes through all steps. Disks are kept where something went wrong, logs always.
    pub(crate) fn run(&mut self) -> Result<(), Verdict> {
        let end = self.steps();
        // Whatever failed, a kernel that said why it is unwell explains more.
        let end = match (self.unwell(), end) {
            (Some(line), Ok(()) | Err(Verdict::Fail(_) | Verdict::Hang(_))) => Err(Verdict::Panic(line)),
            (_, end) => end.map_err(|verdict| match self.running.as_mut().map(Running::vm) {
                Some(vm) => with_crash(verdict, vm),
                None => verdict,
            }),
        };
        self.running = None;
        if end.is_ok() {
            for disk in &self.disks {
                files::remove(&disk.path)?;
            }
            files::remove(&self.dir.join(disks::QCOW2_COPY))?;
        }
        end
    }

    /// The machine's disks, the first of them being the image in the form that is asked for.
    pub(super) fn disks_with(&self, from: Found) -> miette::Result<Vec<Disk>> {
        let image = &self.stage.built.image;
        let (kind, other) = match from {
            Found::Disk => return Ok(self.disks.clone()),
            Found::Qcow2 => (ImageType::Qcow2, Other::Qcow2(self.stage.board.vm().disk_bus)),
            Found::Cd => (ImageType::Iso, Other::Cd),
            Found::Stick => (ImageType::Iso, Other::Stick),
        };
        let first = disks::other(&convert::path(image, kind), other, &self.dir)?;
        Ok([first].into_iter().chain(self.disks.iter().skip(1).cloned()).collect())
    }

    fn steps(&mut self) -> Result<(), Verdict> {
        for (number, step) in self.scenario.steps.iter().enumerate() {
            let done = self.step(step).and_then(|()| match self.unwell() {
                Some(line) => Err(Verdict::Panic(line)),
                None => Ok(()),
            });
            done.map_err(|verdict| at_step(number + 1, verdict))?;
        }
        Ok(())
    }

    /// The line of the console that says that the kernel is unwell, if there is one.
    pub(super) fn unwell(&self) -> Option<String> {
        let text = self.console.as_ref()?.text();
        faults::first(&text, &self.allowed).map(|(_, line)| line.to_owned())
    }

    /// The console's log of the latest boot.
    pub(crate) fn log(&self) -> Option<&Path> {
        self.console.as_ref().map(Console::log)
    }

    /// The last lines of the console.
    pub(crate) fn tail(&self, lines: usize) -> String {
        self.console.as_ref().map(|console| console.tail(lines)).unwrap_or_default()
    }

    /// The options that the kernel's fragments request and `config` does not have, each in one line.
    pub(super) fn missing_options(&self, config: &str) -> miette::Result<Vec<String>> {
        let request = kernel::Request::of(self.stage.board, self.stage.flavor);
        let fragments =
            kernel::fragments(self.ctx, &request).wrap_err("cannot read the kernel's fragments")?;
        let missing = crate::kconfig::missing(&fragments, config);
        Ok(missing.iter().map(|m| format!("{}:{}: {}", m.fragment, m.line, m.requested)).collect())
    }
}

/// A folder below `dir` that puts `modules` where the image has its own.
fn overlay_modules(modules: &Modules, release: &str, dir: &Path) -> miette::Result<PathBuf> {
    let overlay = dir.join("modules");
    let place = overlay.join("usr/lib/modules").join(release).join(STACK);
    for path in files::walk(modules.dir())?.iter().filter(|path| path.extension().is_some_and(|e| e == "ko"))
    {
        files::copy(&modules.dir().join(path), &place.join(path))?;
    }
    Ok(overlay)
}

fn at_step(number: usize, verdict: Verdict) -> Verdict {
    let at = |what: String| format!("step {number}: {what}");
    match verdict {
        Verdict::Fail(what) => Verdict::Fail(at(what)),
        Verdict::Panic(what) => Verdict::Panic(at(what)),
        Verdict::Hang(what) => Verdict::Hang(at(what)),
        Verdict::Missing(what) => Verdict::Missing(at(what)),
    }
}
