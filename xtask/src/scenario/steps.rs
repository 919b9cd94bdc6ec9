// SPDX-License-Identifier: MIT OR Apache-2.0
//! What each step of a scenario does.

use std::time::Instant;

use board_profile::Size;
use regex::Regex;

use super::file::{Power, Step, Way};
use super::outside::{self, Place};
use super::play::{Play, Running};
use super::verdict::{not_seen, unexpected_end, Verdict};
use crate::cli::Flavor;
use crate::guest::agent::{End, Limits, Stream};
use crate::guest::boot::{self, Control, Guest, Through, Wishes};
use crate::stage::modules::Writers;
use crate::vm::machine::{Disk, OnReset, SavedState};
use crate::vm::running::Vm;

/// Seconds without a sign of life; the agent gives one every five.
const SILENCE_S: f64 = 30.0;
/// What makes a script's writers wait where the modules do not.
const PATIENT: &str = include_str!("patient.sh");
/// Characters of a command's output that a failure shows.
const SHOWN: usize = 3000;

impl Play<'_> {
    /// Does one step.
    pub(super) fn step(&mut self, step: &Step) -> Result<(), Verdict> {
        match step {
            Step::Boot { through, from, as_shipped, deadline_s } => {
                let disks = self.disks_with(*from)?;
                self.boot(disks, *through, *as_shipped, *deadline_s)
            }
            Step::Wait { line, deadline_s } => self.wait(line, *deadline_s),
            Step::Console { expect, reject, for_s } => {
                std::thread::sleep(self.pace.duration(*for_s));
                let text = self.console.as_ref().map(|console| console.text()).unwrap_or_default();
                look("the console", &text, expect, reject)
            }
            Step::Type { text } => match &self.console {
                Some(console) => Ok(console.type_in(text)?),
                None => Err(Verdict::Fail("there is no console to type at".into())),
            },
            Step::Exec { writers: Some(writers), .. } if *writers != self.stage.writers() => Ok(()),
            Step::Exec { run, expect, reject, status, deadline_s, .. } => {
                let run = match self.stage.writers() {
                    Writers::Wait => run,
                    Writers::Leave => &format!("{PATIENT}{run}"),
                };
                let (end, output) = self.exec(run, *deadline_s)?;
                match end {
                    End::Exit(got) if got == *status => look("the output", &output, expect, reject),
                    End::Exit(got) => {
                        Err(Verdict::Fail(format!("status {got} instead of {status}; {}", shown(&output))))
                    }
                    end => Err(unexpected_end("a command", end)),
                }
            }
            Step::KernelOptions {} => self.kernel_options(),
            Step::Power { how, deadline_s } => self.power(*how, *deadline_s),
            Step::Cuts(cuts) => self.cuts(cuts),
            Step::Unplug { disk } => Ok(self.vm()?.unplug(&format!("disk{disk}"))?),
            Step::Outside { disk, partition, file, offset, length, repeats } => {
                let disk = match disk {
                    None => self.disks.first(),
                    Some(serial) => self.disks.iter().find(|disk| disk.serial == *serial),
                };
                let Some(disk) = disk else {
                    return Err(Verdict::Missing(
                        "a step names a disk that the machine does not have".into(),
                    ));
                };
                let place =
                    Place { disk: &disk.path, partition: partition.as_deref(), file: file.as_deref() };
                Ok(outside::compare(&self.parts.tree, &place, (*offset, *length), repeats, &self.dir)?)
            }
        }
    }

    fn boot(
        &mut self,
        disks: Vec<Disk>,
        through: Way,
        as_shipped: bool,
        deadline_s: f64,
    ) -> Result<(), Verdict> {
        let wishes = Wishes {
            through: if through == Way::Firmware { Through::Firmware } else { Through::Direct },
            control: if as_shipped { Control::Watch } else { Control::Agent },
            accel: self.stage.accel,
            memory: self.memory(),
            cpus: self.stage.board.vm().cpus,
            disks,
            packages: self.packages.clone(),
            add_files: self.add_files.clone(),
            cmdline: self.scenario.cmdline.clone(),
            snapshot: false,
            gdb: false,
            on_reset: OnReset::Boot,
            qemu_args: Vec::new(),
        };
        self.boots += 1;
        let dir = self.dir.join(format!("boot-{}", self.boots));
        let mut machine = boot::machine(&self.parts, &self.scenario.name, &wishes, &dir)?;
        if self.scenario.saves_state() {
            let state = self.dir.join("state");
            crate::files::write(&state, "")?;
            machine.state = Some(SavedState::To(state));
        }
        self.machine = Some(machine.clone());
        if as_shipped {
            let (vm, _) = Vm::start(&self.parts.tree, &machine, &dir)?;
            self.console = Some(vm.console().clone());
            self.running = Some(Running::Watched(Box::new(vm)));
            return Ok(());
        }
        let guest = Guest::start(&self.parts.tree, &machine, &dir)?;
        self.console = Some(guest.vm.console().clone());
        self.running = Some(Running::Guest(Box::new(guest)));
        self.hello(deadline_s)
    }

    /// The board's memory; the checkers of the debug flavour need several times as much for the same work.
    fn memory(&self) -> Size {
        let asked = self.stage.board.vm().memory;
        match self.stage.flavor {
            Flavor::Release => asked,
            Flavor::Debug => Size::from_bytes(asked.bytes().max(Size::from_mib(1024).bytes())),
        }
    }

    fn hello(&mut self, deadline_s: f64) -> Result<(), Verdict> {
        let limits = self.limits(deadline_s);
        self.guest()?.agent.hello(limits).map(drop).map_err(|end| unexpected_end("the boot", end))
    }

    fn wait(&self, line: &Regex, deadline_s: f64) -> Result<(), Verdict> {
        let Some(console) = &self.console else {
            return Err(Verdict::Fail("there is no console to wait for".into()));
        };
        let until = Instant::now() + self.pace.duration(deadline_s);
        console.wait_for(line, until).map(drop).map_err(|end| not_seen(&format!("`{line}`"), end))
    }

    fn exec(&mut self, script: &str, deadline_s: f64) -> Result<(End, String), Verdict> {
        let limits = self.limits(deadline_s);
        let mut output = Vec::new();
        let mut keep = |_: Stream, bytes: &[u8]| output.extend_from_slice(bytes);
        let end = self.guest()?.agent.run(script.as_bytes(), limits, &mut keep)?;
        Ok((end, String::from_utf8_lossy(&output).into_owned()))
    }

    fn kernel_options(&mut self) -> Result<(), Verdict> {
        let (end, config) = self.exec("zcat /proc/config.gz", 60.0)?;
        if end != End::Exit(0) {
            return Err(unexpected_end("reading /proc/config.gz", end));
        }
        match &self.missing_options(&config)?[..] {
            [] => Ok(()),
            missing => Err(Verdict::Fail(format!(
                "{} requested options are not in the running kernel:\n  {}",
                missing.len(),
                missing.join("\n  ")
            ))),
        }
    }

    fn power(&mut self, how: Power, deadline_s: f64) -> Result<(), Verdict> {
        match how {
            Power::Cut => {
                match self.running.take() {
                    Some(Running::Guest(guest)) => guest.vm.power_cut(),
                    Some(Running::Watched(vm)) => vm.power_cut(),
                    None => {}
                }
                return Ok(());
            }
            Power::Reboot => {
                match self.exec("reboot; sleep 3600", deadline_s)?.0 {
                    // The agent's first word after the boot ends the command.
                    End::Rebooted => return Ok(()),
                    end => return Err(unexpected_end("the reboot", end)),
                }
            }
            Power::Off => match self.exec("poweroff; sleep 3600", deadline_s)?.0 {
                End::Gone => {}
                end => return Err(unexpected_end("the shutdown", end)),
            },
        }
        let until = Instant::now() + self.pace.duration(deadline_s);
        match self.vm()?.wait_exit(until)? {
            Some(status) if status.success() => {
                self.running = None;
                Ok(())
            }
            Some(status) => Err(Verdict::Fail(format!("QEMU ended with {status}"))),
            None => Err(Verdict::Hang("the guest did not turn itself off".into())),
        }
    }

    fn limits(&self, deadline_s: f64) -> Limits {
        self.pace.limits(deadline_s, SILENCE_S)
    }

    fn guest(&mut self) -> Result<&mut Guest, Verdict> {
        match &mut self.running {
            Some(Running::Guest(guest)) => Ok(guest),
            _ => Err(Verdict::Fail("no guest is running that takes commands".into())),
        }
    }

    fn vm(&mut self) -> Result<&mut Vm, Verdict> {
        self.running.as_mut().map(Running::vm).ok_or_else(|| Verdict::Fail("no guest is running".into()))
    }
}

/// Every pattern of `expect` must match some line of `text`, and none of `reject` any.
fn look(what: &str, text: &str, expect: &[Regex], reject: &[Regex]) -> Result<(), Verdict> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    if let Some(pattern) = expect.iter().find(|pattern| !lines.iter().any(|line| pattern.is_match(line))) {
        return Err(Verdict::Fail(format!("no line of {what} matches `{pattern}`; {}", shown(text))));
    }
    for pattern in reject {
        if let Some(line) = lines.iter().find(|line| pattern.is_match(line)) {
            let why = format!("{what} has a line that matches `{pattern}`: {line}; {}", shown(text));
            return Err(Verdict::Fail(why));
        }
    }
    Ok(())
}

/// The end of an output, for a message.
fn shown(output: &str) -> String {
    let output = output.trim_end();
    if output.is_empty() {
        return "it printed nothing".into();
    }
    let mut start = output.len().saturating_sub(SHOWN);
    while !output.is_char_boundary(start) {
        start += 1;
    }
    let mark = if start > 0 { "…" } else { "" };
    format!("it printed:\n{mark}{}", &output[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Regex> {
        texts.iter().map(|text| Regex::new(text).unwrap()).collect()
    }

    #[test]
    fn each_expectation_needs_a_line_and_each_rejection_forbids_one() {
        let text = "vm_disk1 ready\r\n2 errors\r\n";
        assert!(look("it", text, &patterns(&["^vm_disk1 ready$", "errors$"]), &patterns(&["panic"])).is_ok());
        let Err(Verdict::Fail(why)) = look("it", text, &patterns(&["ready", "absent"]), &[]) else {
            panic!()
        };
        assert!(why.contains("`absent`") && why.contains("2 errors"), "{why}");
        let Err(Verdict::Fail(why)) = look("it", text, &[], &patterns(&["errors"])) else { panic!() };
        assert!(why.contains("2 errors"), "{why}");
    }

    #[test]
    fn a_long_output_is_shown_from_its_end() {
        let long = format!("{}é{}", "a".repeat(10), "b".repeat(SHOWN - 1));
        assert!(shown(&long).contains("…b"));
        assert_eq!(shown("\n"), "it printed nothing");
    }
}
