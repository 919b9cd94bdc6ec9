// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cutting the power over and over, and looking from outside at what is left.
//!
//! The guest boots once. Its state is saved, memory and disks; each cut begins there, lets the guest work for a random
//! time and kills QEMU. What the guest's own caches held is gone with it, and so is what a volatile disk had not flushed
//! ([`crate::vm::write_log`]). Each store must hold what the guest noted as acknowledged ([`super::acks`]).

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use miette::{miette, Context as _, IntoDiagnostic as _};

use super::acks::{self, Promises};
use super::file::{Cuts, StorePlace};
use super::outside::{self, Place};
use super::play::{Play, Running};
use super::verdict::Verdict;
use crate::enter::TreeCommand;
use crate::files;
use crate::vm::disks;
use crate::vm::machine::{Machine, SavedState};
use crate::vm::running::Vm;
use crate::vm::write_log::{self, Fate};

/// Cuts that may tell nothing, as the log of a disk was cut too, for each that does.
const USELESS: u32 = 10;
/// Cuts more than were asked for, while none has lost a write: by chance the last one on each disk was just flushed.
const MORE: u32 = 20;
/// How often the journal is looked at.
const TICK: Duration = Duration::from_millis(5);

/// What all cuts came to.
#[derive(Debug, Default)]
struct Sums {
    cuts: u32,
    commands: Vec<u64>,
    sectors: u64,
    fate: Fate,
}

/// Where the guest starts from, again and again.
struct Beginning {
    machine: Machine,
    journal: PathBuf,
    dice: u64,
}

impl Play<'_> {
    /// Cuts the power as often as `cuts` says. The guest is off afterwards.
    pub(super) fn cuts(&mut self, cuts: &Cuts) -> Result<(), Verdict> {
        let mut beginning = self.beginning(cuts)?;
        let seed = beginning.dice;
        let mut sums = Sums { commands: vec![0; cuts.stores.len()], ..Sums::default() };
        let mut tries = 0;
        while sums.goes_on(cuts.times) {
            tries += 1;
            if tries > sums.cuts.saturating_add(1).max(cuts.times).saturating_mul(USELESS) {
                return Err(Verdict::Fail(format!("only {} of {tries} cuts left a whole log", sums.cuts)));
            }
            let number = sums.cuts + 1;
            self.cut(cuts, &mut beginning, &mut sums).map_err(|verdict| match verdict {
                Verdict::Fail(what) => Verdict::Fail(format!("cut {number}, random seed {seed}: {what}")),
                other => other,
            })?;
            files::write(&self.dir.join("cuts.txt"), format!("{}\n", sums.text(cuts)))?;
        }
        let text = sums.text(cuts);
        eprintln!("     {text}");
        if sums.fate.lost == 0 {
            return Err(Verdict::Fail(format!("no cut lost anything, so nothing was proved: {text}")));
        }
        self.clear_up(&beginning)
    }

    /// Saves the guest's state and puts its disks aside.
    fn beginning(&mut self, cuts: &Cuts) -> Result<Beginning, Verdict> {
        let (Some(mut machine), Some(Running::Guest(guest))) = (self.machine.take(), self.running.take())
        else {
            return Err(Verdict::Fail("no guest is running that takes commands".into()));
        };
        let Some(SavedState::To(path)) = machine.state.take() else {
            return Err(Verdict::Fail("the machine was started without a place for its state".into()));
        };
        guest.vm.save(&path)?;
        machine.state = Some(SavedState::From(path));
        for disk in &self.disks {
            rename(&disk.path, &aside(&disk.path))?;
        }
        let journal = self.disk(&cuts.journal)?;
        let now = SystemTime::UNIX_EPOCH.elapsed().into_diagnostic()?;
        Ok(Beginning { machine, journal, dice: now.as_secs() ^ u64::from(now.subsec_nanos()) << 20 })
    }

    /// Removes what nobody looks at where all went well.
    fn clear_up(&self, beginning: &Beginning) -> Result<(), Verdict> {
        if let Some(SavedState::From(path)) = &beginning.machine.state {
            files::remove(path)?;
        }
        for disk in &self.disks {
            files::remove(&aside(&disk.path))?;
            disk.log.iter().try_for_each(|log| files::remove(log))?;
        }
        Ok(())
    }

    fn disk(&self, serial: &str) -> Result<PathBuf, Verdict> {
        let found = self.disks.iter().find(|disk| disk.serial == serial);
        found
            .map(|disk| disk.path.clone())
            .ok_or_else(|| Verdict::Missing(format!("there is no disk {serial}")))
    }

    /// One cut, and what is left after it.
    fn cut(&mut self, cuts: &Cuts, beginning: &mut Beginning, sums: &mut Sums) -> Result<(), Verdict> {
        let seed = random(&mut beginning.dice) as u32;
        for disk in &self.disks {
            disks::copy_sparse(&aside(&disk.path), &disk.path)?;
            if let Some(log) = &disk.log {
                File::create(log).into_diagnostic()?;
            }
        }
        let file = File::options().read(true).write(true).open(&beginning.journal).into_diagnostic()?;
        file.write_all_at(&acks::start(seed), 0).into_diagnostic()?;
        let dir = self.dir.join("cut");
        files::make_dir(&dir)?;
        let (mut vm, _ports) = Vm::start(&self.parts.tree, &beginning.machine, &dir)?;
        self.console = Some(vm.console().clone());
        let until = Instant::now() + self.pace.duration(cuts.deadline_s);
        vm.wait_running(until)?;
        self.wait_for_notes(&file, cuts.stores.len(), seed, until)?;
        let share = random(&mut beginning.dice) as f64 / u64::MAX as f64;
        std::thread::sleep(Duration::from_secs_f64(cuts.within_s * share));
        vm.power_cut();
        if let Some(line) = self.unwell() {
            return Err(Verdict::Panic(line));
        }
        self.judge(cuts, &file, seed, sums)
    }

    /// Waits until each store has acknowledged something.
    fn wait_for_notes(
        &self,
        journal: &File,
        stores: usize,
        seed: u32,
        until: Instant,
    ) -> Result<(), Verdict> {
        let mut sector = [0; acks::SECTOR];
        for store in 0..stores {
            loop {
                journal.read_exact_at(&mut sector, acks::area(store) as u64).into_diagnostic()?;
                if acks::is_note(&sector, seed) {
                    break;
                }
                if let Some(line) = self.unwell() {
                    return Err(Verdict::Panic(line));
                }
                if Instant::now() >= until {
                    return Err(Verdict::Hang(format!("store {store} acknowledged nothing in time")));
                }
                std::thread::sleep(TICK);
            }
        }
        Ok(())
    }

    /// Compares every store with what was acknowledged.
    fn judge(&self, cuts: &Cuts, journal: &File, seed: u32, sums: &mut Sums) -> Result<(), Verdict> {
        let mut fate = Fate::default();
        for disk in &self.disks {
            let Some(log) = &disk.log else { continue };
            disks::copy_sparse(&aside(&disk.path), &disk.path)?;
            let Some(one) = write_log::replay(log, &disk.path)? else { return Ok(()) };
            fate.kept += one.kept;
            fate.lost += one.lost;
            fate.flushes += one.flushes;
            if cuts.stores.iter().any(|store| store.disk == disk.serial && store.file.is_some()) {
                recover(&self.parts.tree, &disk.path)?;
            }
        }
        let mut broken = Vec::new();
        for (number, store) in cuts.stores.iter().enumerate() {
            let mut area = vec![0; acks::AREA * acks::SECTOR];
            journal.read_exact_at(&mut area, acks::area(number) as u64).into_diagnostic()?;
            let promises = Promises::read(&area, seed);
            let found = self.content(store)?;
            if let Some(what) = promises.broken(&found, number, seed) {
                broken.push(format!("{}: {what} by one of {} commands", store.name, promises.commands));
            }
            sums.commands[number] += promises.commands;
            sums.sectors += promises.sectors();
        }
        if !broken.is_empty() {
            return Err(Verdict::Fail(format!("{}; the disks lost {} writes", broken.join("; "), fate.lost)));
        }
        sums.cuts += 1;
        sums.fate.kept += fate.kept;
        sums.fate.lost += fate.lost;
        sums.fate.flushes += fate.flushes;
        Ok(())
    }

    /// All bytes of a store.
    fn content(&self, store: &StorePlace) -> Result<Vec<u8>, Verdict> {
        let disk = self.disk(&store.disk)?;
        let place = Place { disk: &disk, partition: None, file: store.file.as_deref() };
        let (path, _) = outside::locate(&self.parts.tree, &place, &self.dir)?;
        let bytes = std::fs::read(&path).into_diagnostic();
        Ok(bytes.wrap_err_with(|| format!("cannot read {}", path.display()))?)
    }
}

impl Sums {
    /// Whether there is more to cut: as often as was asked for, and then until something was lost.
    fn goes_on(&self, times: u32) -> bool {
        self.cuts < times || self.fate.lost == 0 && self.cuts < times.saturating_add(MORE)
    }

    fn text(&self, cuts: &Cuts) -> String {
        let stores: Vec<_> = cuts
            .stores
            .iter()
            .zip(&self.commands)
            .map(|(store, count)| format!("{} {count}", store.name))
            .collect();
        format!(
            "{} power cuts: {} sectors of acknowledged commands are there ({}); the disks lost {} of {} writes, after {} flushes",
            self.cuts,
            self.sectors,
            stores.join(", "),
            self.fate.lost,
            self.fate.lost + self.fate.kept,
            self.fate.flushes
        )
    }
}

/// Lets ext4 recover as a mount after the cut would; more than that must not be needed.
fn recover(tree: &Path, disk: &Path) -> miette::Result<()> {
    let check = TreeCommand::new(tree, "e2fsck").args(["-f", "-p", "/disk"]).bind_rw(disk, "/disk");
    let output =
        check.to_command().output().into_diagnostic().wrap_err("cannot run e2fsck in the tools tree")?;
    match output.status.code() {
        Some(0 | 1) => Ok(()),
        _ => Err(miette!(
            "the file system that the stores are on does not recover: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("before")
}

fn rename(from: &Path, to: &Path) -> miette::Result<()> {
    std::fs::rename(from, to)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

/// The next number of a sequence that looks random (SplitMix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_go_on_until_one_has_lost_something_and_not_for_ever() {
        let sums = |cuts, lost| Sums { cuts, fate: Fate { lost, ..Fate::default() }, ..Sums::default() };
        assert!(sums(0, 0).goes_on(3) && sums(2, 9).goes_on(3), "fewer than were asked for");
        assert!(!sums(3, 1).goes_on(3), "something was lost");
        assert!(sums(3, 0).goes_on(3) && sums(22, 0).goes_on(3), "nothing was lost");
        assert!(!sums(23, 0).goes_on(3), "nothing is ever lost");
    }
}
