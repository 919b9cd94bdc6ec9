// SPDX-License-Identifier: MIT OR Apache-2.0
//! The guest's serial console: kept in a file and in memory, and waited upon.

use std::fs::File;
use std::io::{Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use miette::{Context as _, IntoDiagnostic as _};
use regex::Regex;

use super::faults::{self, Fault};

/// When something last came out of the guest, over whichever channel.
#[derive(Debug, Clone)]
pub(crate) struct Activity(Arc<Mutex<Instant>>);

impl Activity {
    /// Starts counting now.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// Something came.
    pub(crate) fn touch(&self) {
        *self.0.lock().expect("no holder panics") = Instant::now();
    }

    /// How long nothing came.
    pub(crate) fn silence(&self) -> Duration {
        self.0.lock().expect("no holder panics").elapsed()
    }
}

/// The console of a running guest, or of one that ended.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    shared: Arc<Shared>,
    keyboard: Arc<UnixStream>,
    log: PathBuf,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    text: String,
    /// Bytes of `text`, up to a line's end, in which the kernel's last words were looked for.
    searched: usize,
    dead: Option<String>,
    closed: bool,
}

/// Why a wait ended without the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotSeen {
    /// The time was up.
    Deadline,
    /// The guest ended.
    Ended,
    /// The kernel stopped with this line.
    Dead(String),
}

impl Console {
    /// Reads `stream` to its end, into the file `log` and into memory.
    pub(crate) fn follow(mut stream: UnixStream, log: &Path, activity: Activity) -> miette::Result<Self> {
        let mut file = File::create(log)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write the console log {}", log.display()))?;
        let keyboard = stream.try_clone().into_diagnostic().wrap_err("cannot write to the console")?;
        let console = Self { shared: Arc::default(), keyboard: Arc::new(keyboard), log: log.to_owned() };
        let shared = Arc::clone(&console.shared);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut bytes) {
                activity.touch();
                // The log is for people; a full disk must not stop the guest from being watched.
                let _ = file.write_all(&bytes[..n]);
                shared.lock().append(&bytes[..n]);
                shared.changed.notify_all();
            }
            shared.lock().closed = true;
            shared.changed.notify_all();
        });
        Ok(console)
    }

    /// Where the log is.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        self.shared.lock().text.clone()
    }

    /// Types `text`, as a person at the terminal would.
    pub(crate) fn type_in(&self, text: &str) -> miette::Result<()> {
        (&*self.keyboard)
            .write_all(text.as_bytes())
            .into_diagnostic()
            .wrap_err("cannot type at the guest's console")
    }

    /// The last `lines` lines.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let text = self.text();
        let all: Vec<&str> = text.lines().map(str::trim_end).collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// The line with which the kernel stopped, if it did.
    pub(crate) fn dead(&self) -> Option<String> {
        self.shared.lock().dead.clone()
    }

    /// Waits until `pattern` matches a line, whenever it came, and returns that line.
    pub(crate) fn wait_for(&self, pattern: &Regex, until: Instant) -> Result<String, NotSeen> {
        let mut state = self.shared.lock();
        loop {
            if let Some(line) = state.text.lines().find(|line| pattern.is_match(line)) {
                return Ok(line.trim_end().to_owned());
            }
            if let Some(line) = &state.dead {
                return Err(NotSeen::Dead(line.clone()));
            }
            if state.closed {
                return Err(NotSeen::Ended);
            }
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) else {
                return Err(NotSeen::Deadline);
            };
            state = self.shared.changed.wait_timeout(state, left).expect("no holder panics").0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

impl State {
    fn append(&mut self, bytes: &[u8]) {
        self.text.push_str(&String::from_utf8_lossy(bytes));
        let fresh = &self.text[self.searched..];
        let Some(end) = fresh.rfind('\n') else { return };
        let last_words = fresh[..end].lines().find(|line| faults::classify(line) == Some(Fault::Dead));
        if self.dead.is_none() {
            self.dead = last_words.map(|line| line.trim_end().to_owned());
        }
        self.searched += end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console() -> (UnixStream, Console, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let console = Console::follow(ours, &dir.path().join("log"), Activity::new()).unwrap();
        (theirs, console, dir)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn a_line_is_found_when_it_comes_and_kept_in_the_log() {
        let (mut guest, console, _dir) = console();
        guest.write_all(b"one\r\ntarget ").unwrap();
        guest.write_all(b"ready\r\n").unwrap();
        let ready = Regex::new("target ready").unwrap();
        assert_eq!(console.wait_for(&ready, soon()), Ok("target ready".into()));
        assert_eq!(std::fs::read_to_string(console.log()).unwrap(), "one\r\ntarget ready\r\n");
        let absent = Regex::new("absent").unwrap();
        let in_time = Instant::now() + Duration::from_millis(20);
        assert_eq!(console.wait_for(&absent, in_time), Err(NotSeen::Deadline));
        console.type_in("ls\r").unwrap();
        let mut typed = [0; 3];
        guest.read_exact(&mut typed).unwrap();
        assert_eq!(&typed, b"ls\r");
    }

    #[test]
    fn a_panic_ends_the_wait_at_once() {
        let (mut guest, console, _dir) = console();
        guest.write_all(b"[ 1] Kernel panic - not syncing: test\r\n").unwrap();
        let got = console.wait_for(&Regex::new("never").unwrap(), soon());
        assert_eq!(got, Err(NotSeen::Dead("[ 1] Kernel panic - not syncing: test".into())));
    }

    #[test]
    fn the_end_of_the_guest_ends_the_wait() {
        let (guest, console, _dir) = console();
        drop(guest);
        assert_eq!(console.wait_for(&Regex::new("never").unwrap(), soon()), Err(NotSeen::Ended));
    }
}
