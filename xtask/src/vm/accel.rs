// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which accelerator works here. That `/dev/kvm` opens proves nothing: inside another virtual machine it may
//! open and still never get a kernel to its first line, so a kernel is really booted on it, once.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use board_profile::{Arch, Size};
use clap::ValueEnum;
use miette::{Context as _, IntoDiagnostic as _};
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::machine::{Accel, Boot, ConsoleTo, Machine, OnReset};
use super::running::{StartError, Vm};

/// How long a kernel without a root may take to say so under hardware virtualisation.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long an accelerator that did not work is not tried again: the machine may only have been busy.
const NOT_AGAIN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Wanted {
    /// KVM if a kernel really boots on it here, translation otherwise.
    #[default]
    Auto,
    /// The processor's own virtualisation.
    Kvm,
    /// Translation: works everywhere, slower.
    Tcg,
}

/// The remembered answer, and what it holds for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    host_kernel: String,
    kvm_boots: bool,
}

/// Chooses the accelerator; probes with `kernel` where no answer is remembered in `cache`.
pub(crate) fn choose(wanted: Wanted, cache: &Path, tree: &Path, kernel: &Path) -> miette::Result<Accel> {
    match wanted {
        Wanted::Kvm => return Ok(Accel::Kvm),
        Wanted::Tcg => return Ok(Accel::Tcg),
        Wanted::Auto => {}
    }
    if std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
        return Ok(Accel::Tcg);
    }
    let host_kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let memory = cache.join("accel.json");
    let kvm_boots =
        match recall(&memory, SystemTime::now()).filter(|answer| answer.host_kernel == host_kernel) {
            Some(answer) => answer.kvm_boots,
            None => {
                // Whoever starts the guest will miss QEMU too, and say so.
                let Some(kvm_boots) = probe(tree, kernel)? else { return Ok(Accel::Tcg) };
                let verdict =
                    if kvm_boots { "boots a kernel here" } else { "opens and does not boot a kernel here" };
                eprintln!("accelerator: /dev/kvm {verdict}; remembered in {}", memory.display());
                remember(&memory, &Answer { host_kernel, kvm_boots })?;
                kvm_boots
            }
        };
    Ok(if kvm_boots { Accel::Kvm } else { Accel::Tcg })
}

/// The remembered answer that still holds at `now`.
fn recall(memory: &Path, now: SystemTime) -> Option<Answer> {
    let answer: Answer = serde_json::from_slice(&std::fs::read(memory).ok()?).ok()?;
    let age = || now.duration_since(std::fs::metadata(memory).ok()?.modified().ok()?).ok();
    (answer.kvm_boots || age().is_none_or(|age| age < NOT_AGAIN_FOR)).then_some(answer)
}

fn remember(memory: &Path, answer: &Answer) -> miette::Result<()> {
    let aside = memory.with_extension(format!("new-{}", std::process::id()));
    std::fs::write(&aside, serde_json::to_vec(answer).into_diagnostic()?)
        .and_then(|()| std::fs::rename(&aside, memory))
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot remember the accelerator in {}", memory.display()))
}

/// Boots `kernel` without a root under KVM: it must get as far as missing it. Without QEMU there is no answer.
fn probe(tree: &Path, kernel: &Path) -> miette::Result<Option<bool>> {
    let dir = ScratchDir::new()?;
    let machine = Machine {
        name: "accelerator-probe".into(),
        arch: Arch::X86_64,
        accel: Accel::Kvm,
        memory: Size::from_mib(256),
        cpus: 1,
        boot: Boot::Probe { kernel: kernel.to_owned() },
        disks: Vec::new(),
        console: ConsoleTo::Log,
        ports: Vec::new(),
        snapshot: false,
        gdb: false,
        on_reset: OnReset::Exit,
        state: None,
        extra: Vec::new(),
    };
    let vm = match Vm::start(tree, &machine, &dir.0) {
        Ok((vm, _)) => vm,
        Err(StartError::Missing(_)) => return Ok(None),
        // A QEMU that cannot even start with KVM is an answer too.
        Err(StartError::Failed(_)) => return Ok(Some(false)),
    };
    let missed = Regex::new("Unable to mount root fs|Kernel panic").expect("a constant");
    let _ = vm.console().wait_for(&missed, Instant::now() + PATIENCE);
    Ok(Some(missed.is_match(&vm.console().text())))
}

/// A directory below the system's temporary one that goes with the value.
struct ScratchDir(PathBuf);

impl ScratchDir {
    fn new() -> miette::Result<Self> {
        let path = std::env::temp_dir().join(format!("accelerator-probe-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        // Left to the system's own clean-up where it fails.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_remembered_for_this_host_kernel() {
        let dir = tempfile::tempdir().unwrap();
        let memory = dir.path().join("accel.json");
        let now = SystemTime::now();
        assert_eq!(recall(&memory, now), None);
        let answer = |kvm_boots| Answer { host_kernel: "6.1".into(), kvm_boots };
        remember(&memory, &answer(false)).unwrap();
        assert_eq!(recall(&memory, now), Some(answer(false)));
        assert_eq!(recall(&memory, now + 2 * NOT_AGAIN_FOR), None, "what did not work is tried again");
        remember(&memory, &answer(true)).unwrap();
        assert_eq!(recall(&memory, now + 2 * NOT_AGAIN_FOR), Some(answer(true)));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing half-written stays behind");
    }

    #[test]
    fn a_qemu_that_is_missing_is_no_answer() {
        let nowhere = Path::new("/nonexistent");
        assert_eq!(probe(nowhere, nowhere).unwrap(), None);
    }

    #[test]
    fn what_the_user_asks_for_is_not_probed() {
        let nowhere = Path::new("/nonexistent");
        assert_eq!(choose(Wanted::Tcg, nowhere, nowhere, nowhere).unwrap(), Accel::Tcg);
        assert_eq!(choose(Wanted::Kvm, nowhere, nowhere, nowhere).unwrap(), Accel::Kvm);
    }
}
