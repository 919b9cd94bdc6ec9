// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host's side of the agent in the guest: sends a program, passes its output on, brings its status back.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{sync_channel, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use miette::{miette, IntoDiagnostic as _};

use crate::vm::console::{Activity, Console};

/// The ports that the agent expects, in this order.
pub(crate) const PORTS: [&str; 3] = ["xtask.agent", "xtask.stdout", "xtask.stderr"];

/// How often the guest's health is looked at while nothing comes.
const TICK: Duration = Duration::from_millis(200);
/// After the kernel's last words, the time that the rest of its report gets.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Which of a command's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a command, or the wait for the agent, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The command ended with this status; 128 + N if signal N killed it.
    Exit(i32),
    /// The kernel stopped, with this line on the console.
    Dead(String),
    /// QEMU ended: the guest powered off, or reset where a reset ends QEMU.
    Gone,
    /// The guest booted again.
    Rebooted,
    /// Nothing came from the guest for this long: no output, no console line, no sign of life.
    Silent(Duration),
    /// The time was up, though the guest was alive.
    Deadline,
    /// The agent could not do its work.
    Broken(String),
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The end of all patience.
    pub(crate) until: Instant,
    /// The longest time without any sign of life.
    pub(crate) silence: Duration,
}

enum Event {
    Line(String),
    Data(Stream, Vec<u8>),
    Closed,
}

/// The agent of one guest.
#[derive(Debug)]
pub(crate) struct Agent {
    control: UnixStream,
    events: Receiver<Event>,
    console: Console,
    activity: Activity,
    commands: u32,
}

impl Agent {
    /// Listens on our ends of [`PORTS`].
    pub(crate) fn attach(
        ports: Vec<UnixStream>,
        console: &Console,
        activity: &Activity,
    ) -> miette::Result<Self> {
        let [control, out, err] =
            <[UnixStream; 3]>::try_from(ports).map_err(|_| miette!("the machine lacks the agent's ports"))?;
        // Bounded, so that a guest that prints faster than its output is taken waits instead of filling our memory.
        let (sender, events) = sync_channel(64);
        read_lines(control.try_clone().into_diagnostic()?, sender.clone(), activity.clone());
        read_data(Stream::Stdout, out, sender.clone(), activity.clone());
        read_data(Stream::Stderr, err, sender, activity.clone());
        Ok(Self { control, events, console: console.clone(), activity: activity.clone(), commands: 0 })
    }

    /// Waits for the agent to come up; the kernel's release, or how the boot ended instead.
    pub(crate) fn hello(&mut self, limits: Limits) -> Result<String, End> {
        loop {
            match self.next(limits)? {
                Event::Line(line) => match line.split_once(' ') {
                    Some(("hello", release)) => return Ok(release.to_owned()),
                    Some(("broken", why)) => return Err(End::Broken(why.to_owned())),
                    _ => {}
                },
                Event::Data(..) => {}
                Event::Closed => return Err(End::Gone),
            }
        }
    }

    /// Runs `program`, a script or an executable file's content, and hands its output to `sink` as it comes.
    pub(crate) fn run(
        &mut self,
        program: &[u8],
        limits: Limits,
        sink: &mut dyn FnMut(Stream, &[u8]),
    ) -> miette::Result<End> {
        self.commands += 1;
        let token = format!("end-of-output-{}-{}", std::process::id(), self.commands);
        let program = runnable(program);
        let request = format!("run {token} {}\n", program.len());
        if self.control.write_all(request.as_bytes()).and_then(|()| self.control.write_all(&program)).is_err()
        {
            return Ok(End::Gone);
        }
        let mut filters = [Filter::new(&token), Filter::new(&token)];
        let mut status = None;
        loop {
            match self.next(limits) {
                Ok(Event::Line(line)) => match line.split_once(' ') {
                    Some(("exit", code)) => status = code.trim().parse().ok(),
                    Some(("hello", _)) => return Ok(End::Rebooted),
                    _ => {}
                },
                Ok(Event::Data(stream, bytes)) => filters[stream as usize].feed(&bytes, |b| sink(stream, b)),
                Ok(Event::Closed) => return Ok(End::Gone),
                Err(end) => return Ok(end),
            }
            if let (Some(status), true) = (status, filters.iter().all(|f| f.ended)) {
                return Ok(End::Exit(status));
            }
        }
    }

    /// The next event, or why there will be none.
    fn next(&mut self, limits: Limits) -> Result<Event, End> {
        loop {
            // Looked at first: a command that prints without end leaves no pause to look in.
            let late = Instant::now() >= limits.until;
            match self.events.recv_timeout(if late { Duration::ZERO } else { TICK }) {
                Ok(event) if !late => return Ok(event),
                Err(RecvTimeoutError::Disconnected) => return Err(End::Gone),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(line) = self.console.dead() {
                std::thread::sleep(LAST_WORDS);
                return Err(End::Dead(line));
            }
            if late {
                return Err(End::Deadline);
            }
            if self.activity.silence() > limits.silence {
                return Err(End::Silent(limits.silence));
            }
        }
    }
}

/// A script without a first line that names its interpreter gets the guest's shell, as a person who logs in has it.
fn runnable(program: &[u8]) -> Vec<u8> {
    let names_itself = program.starts_with(b"#!") || program.starts_with(b"\x7fELF");
    let first: &[u8] = if names_itself { b"" } else { b"#!/bin/sh -l\n" };
    [first, program].concat()
}

fn read_lines(stream: UnixStream, events: SyncSender<Event>, activity: Activity) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            activity.touch();
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if text != "alive" && events.send(Event::Line(text)).is_err() {
                return;
            }
        }
        let _ = events.send(Event::Closed);
    });
}

fn read_data(kind: Stream, mut stream: UnixStream, events: SyncSender<Event>, activity: Activity) {
    std::thread::spawn(move || {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(n @ 1..) = stream.read(&mut bytes) {
            activity.touch();
            if events.send(Event::Data(kind, bytes[..n].to_vec())).is_err() {
                return;
            }
        }
    });
}

/// Passes a stream on up to the token that ends it; holds back no byte that cannot be part of the token.
#[derive(Debug)]
struct Filter {
    token: Vec<u8>,
    held: Vec<u8>,
    ended: bool,
}

impl Filter {
    fn new(token: &str) -> Self {
        Self { token: format!("\x01{token}\x01").into_bytes(), held: Vec::new(), ended: false }
    }

    fn feed(&mut self, bytes: &[u8], mut pass: impl FnMut(&[u8])) {
        if self.ended {
            return;
        }
        self.held.extend_from_slice(bytes);
        let found = self.held.windows(self.token.len()).position(|w| w == self.token);
        let free = found.unwrap_or_else(|| self.held.len() - self.start_of_token());
        if free > 0 {
            pass(&self.held[..free]);
            self.held.drain(..free);
        }
        self.ended = found.is_some();
    }

    /// The length of the longest end of what is held that begins the token.
    fn start_of_token(&self) -> usize {
        let longest = self.token.len().min(self.held.len() + 1) - 1;
        (1..=longest).rev().find(|&n| self.held.ends_with(&self.token[..n])).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_passes_everything_but_the_token_however_it_is_cut() {
        let data = b"binary \x01end\x01 and \x00\xff\x01end-of";
        let whole = [&data[..], b"\x01end-of-output-1\x01"].concat();
        for size in 1..=whole.len() {
            let mut filter = Filter::new("end-of-output-1");
            let mut passed = Vec::new();
            for chunk in whole.chunks(size) {
                filter.feed(chunk, |b| passed.extend_from_slice(b));
            }
            assert!(filter.ended, "chunks of {size}");
            assert_eq!(passed, data, "chunks of {size}");
        }
    }

    #[test]
    fn ordinary_output_is_not_held_back() {
        let mut filter = Filter::new("token");
        let mut passed = Vec::new();
        filter.feed(b"login: ", |b| passed.extend_from_slice(b));
        assert_eq!(passed, b"login: ");
    }

    #[test]
    fn a_script_gets_the_shell_and_a_program_stays_as_it_is() {
        assert_eq!(runnable(b"true"), b"#!/bin/sh -l\ntrue");
        assert_eq!(runnable(b"#!/usr/bin/perl\n"), b"#!/usr/bin/perl\n");
        assert_eq!(runnable(b"\x7fELF.."), b"\x7fELF..");
    }

    /// A guest made of three socket ends, an agent attached to the others, and a console.
    struct Fake {
        ports: Vec<UnixStream>,
        console: UnixStream,
        agent: Agent,
        _dir: tempfile::TempDir,
    }

    fn fake() -> Fake {
        let dir = tempfile::tempdir().unwrap();
        let (console, theirs) = UnixStream::pair().unwrap();
        let activity = Activity::new();
        let log = Console::follow(console, &dir.path().join("log"), activity.clone()).unwrap();
        let (ours, ports): (Vec<_>, Vec<_>) = (0..3).map(|_| UnixStream::pair().unwrap()).unzip();
        let agent = Agent::attach(ours, &log, &activity).unwrap();
        Fake { ports, console: theirs, agent, _dir: dir }
    }

    fn limits(milliseconds: u64, silence: u64) -> Limits {
        Limits {
            until: Instant::now() + Duration::from_millis(milliseconds),
            silence: Duration::from_millis(silence),
        }
    }

    #[test]
    fn a_command_ends_with_its_status_after_all_of_its_output() {
        let mut fake = fake();
        let token = format!("\x01end-of-output-{}-1\x01", std::process::id());
        // The status overtakes the output; nothing is lost by it.
        fake.ports[0].write_all(b"alive\nexit 3\n").unwrap();
        fake.ports[2].write_all(token.as_bytes()).unwrap();
        let mut out = fake.ports[1].try_clone().unwrap();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            out.write_all(format!("late{token}").as_bytes()).unwrap();
        });
        let mut seen = Vec::new();
        let end =
            fake.agent.run(b"x", limits(10_000, 10_000), &mut |_, b| seen.extend_from_slice(b)).unwrap();
        assert_eq!((end, &seen[..]), (End::Exit(3), &b"late"[..]));
    }

    #[test]
    fn a_command_that_prints_without_end_meets_its_deadline() {
        let mut guest = fake();
        let mut out = guest.ports[1].try_clone().unwrap();
        let flood = Duration::from_secs(10);
        let started = Instant::now();
        // It ends at last, so that an agent that listens for ever fails here instead of hanging.
        std::thread::spawn(move || while started.elapsed() < flood && out.write_all(b"y\n").is_ok() {});
        let end = guest.agent.run(b"yes", limits(300, 60_000), &mut |_, _| {}).unwrap();
        assert_eq!(end, End::Deadline);
        assert!(started.elapsed() < flood / 2, "the deadline came after {:?}", started.elapsed());
    }

    #[test]
    fn a_panic_a_silence_a_deadline_and_an_end_are_told_apart() {
        let mut guest = fake();
        guest.console.write_all(b"Kernel panic - not syncing: x\r\n").unwrap();
        let end = guest.agent.run(b"x", limits(60_000, 60_000), &mut |_, _| {}).unwrap();
        assert_eq!(end, End::Dead("Kernel panic - not syncing: x".into()));
        let end = fake().agent.run(b"x", limits(60_000, 300), &mut |_, _| {}).unwrap();
        assert_eq!(end, End::Silent(Duration::from_millis(300)));
        let end = fake().agent.run(b"x", limits(300, 60_000), &mut |_, _| {}).unwrap();
        assert_eq!(end, End::Deadline);
        let mut guest = fake();
        guest.ports.clear();
        assert_eq!(guest.agent.run(b"x", limits(60_000, 60_000), &mut |_, _| {}).unwrap(), End::Gone);
    }
}
