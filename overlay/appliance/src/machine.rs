// SPDX-License-Identifier: MIT OR Apache-2.0
//! The three things that a step can ask for, done to the running system.

use crate::errno;
use crate::execute::{Machine, Trouble};
use crate::root::{self, Root};
use board_profile::{Action, SYSFS_ROOT};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a management write may go on in the background until its object counts as failed.
const BACKGROUND_LIMIT: Duration = Duration::from_secs(300);

/// The system below a root.
pub(crate) struct Linux<'a> {
    root: &'a Root,
    modprobe: &'a str,
}

impl<'a> Linux<'a> {
    /// The system below `root`, whose modules the program `modprobe` loads.
    pub(crate) fn new(root: &'a Root, modprobe: &'a str) -> Self {
        Linux { root, modprobe }
    }
}

impl Machine for Linux<'_> {
    fn run(&mut self, action: &Action) -> Result<Option<String>, Trouble> {
        match action {
            Action::Modprobe { module, params } => self.load_module(module, params).map(|()| None),
            Action::CreateFile { path, size } => self.create_file(path, *size),
            Action::Write { path, data } => self.write(path, data).map(|()| None),
        }
    }
}

impl Linux<'_> {
    fn load_module(&self, module: &str, params: &[String]) -> Result<(), Trouble> {
        let output = Command::new(self.modprobe).arg(module).args(params).output();
        let output = output.map_err(|error| {
            trouble(
                &error,
                &format!("{} does not start", self.modprobe),
                "the image has no modprobe: rebuild it",
            )
        })?;
        if output.status.success() {
            return Ok(());
        }
        let message = last_words(&output.stderr);
        let advice = format!(
            "see `dmesg` for the kernel's reason; `find /lib/modules -name '{module}.ko*'` tells whether the image has it"
        );
        Err(Trouble { errno: String::new(), message, advice })
    }

    /// Makes a sparse file aside and renames it, so that a cut leaves none or all of it. What is there stays.
    fn create_file(&self, path: &str, size: u64) -> Result<Option<String>, Trouble> {
        let place = self.root.at(path);
        if let Ok(found) = fs::metadata(&place) {
            let differs = found.is_file() && found.len() != size;
            return Ok(differs.then(|| {
                let found = found.len();
                format!(
                    "{path} has {found} bytes, the profile says {size}: left as it is; `truncate -s {size} {path}` while no LUN uses it changes that"
                )
            }));
        }
        self.create_folders(path)?;
        let made = make_sparse(&place, size);
        made.map(|()| None).map_err(|error| {
            trouble(
                &error,
                "the backing file cannot be made",
                "`df` and `mount` tell about the file system; `dmesg` about its disk",
            )
        })
    }

    /// The folder directly below the root exists only while a partition is mounted there, so it is never made.
    fn create_folders(&self, path: &str) -> Result<(), Trouble> {
        let top = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        if !self.root.at(top).is_dir() {
            return Err(Trouble {
                errno: errno::name(Errno::NOENT),
                message: format!("/{top} is not there, so the partition for it is not mounted"),
                advice: "see what S30storage said at boot; without a disk use a device that needs no file"
                    .into(),
            });
        }
        let folder = self.root.at(path);
        let folder = folder.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).map_err(|error| {
            trouble(&error, "its folder cannot be made", "is the file system mounted read-only? see `mount`")
        })
    }

    fn write(&self, path: &str, data: &str) -> Result<(), Trouble> {
        let place = self.root.at(&format!("{SYSFS_ROOT}/{path}"));
        let file = OpenOptions::new().write(true).open(place);
        let mut file = file.map_err(|error| trouble(&error, "it does not open", open_advice(path)))?;
        // A write of nothing never reaches the target stack; an empty line clears a value.
        let data = if data.is_empty() { "\n" } else { data };
        match file.write(data.as_bytes()) {
            Ok(written) if written == data.len() => Ok(()),
            Ok(written) => Err(Trouble {
                errno: String::new(),
                message: format!("only {written} of {} bytes were taken", data.len()),
                advice: "the target stack and this program are of different builds: rebuild the image".into(),
            }),
            Err(error) if errno_of(&error) == Some(Errno::AGAIN) => self.settle(path, data),
            Err(error) => {
                Err(trouble(&error, "the target stack refuses", &self.write_advice(path, data, &error)))
            }
        }
    }

    /// Waits for a write that the target stack finishes in the background.
    fn settle(&self, path: &str, data: &str) -> Result<(), Trouble> {
        let cell = self.root.at(&format!("{SYSFS_ROOT}/last_sysfs_mgmt_res"));
        let result = settled(|| fs::read_to_string(&cell), std::thread::sleep);
        result.map_err(|error| {
            trouble(&error, "it failed in the background", &self.write_advice(path, data, &error))
        })
    }

    fn write_advice(&self, path: &str, data: &str, error: &io::Error) -> String {
        let unique = path.ends_with("/rel_tgt_id") || path.ends_with("/usn");
        match errno_of(error) {
            Some(Errno::EXIST | Errno::BADSLT) if unique => self.shared_advice(path, data),
            _ => write_advice(path, error).to_string(),
        }
    }

    /// Names the target or device that has a value which no two may share.
    fn shared_advice(&self, path: &str, data: &str) -> String {
        let (kind, name) = if path.ends_with("/usn") { ("device", "usn") } else { ("target", "rel_tgt_id") };
        let tree = self.root.at(SYSFS_ROOT);
        let below = |folder: &Path| -> Vec<PathBuf> {
            let names = root::names(folder).into_iter();
            names.map(|name| folder.join(name)).filter(|place| place.is_dir()).collect()
        };
        let owners = match kind {
            "device" => below(&tree.join("devices")),
            _ => below(&tree.join("targets")).iter().flat_map(|driver| below(driver)).collect(),
        };
        let own = tree.join(path);
        let has = |owner: &&PathBuf| {
            !own.starts_with(owner) && root::first_line(&owner.join(name)).as_deref() == Some(data.trim())
        };
        match owners.iter().find(has).and_then(|owner| owner.file_name()) {
            Some(owner) => {
                let owner = owner.to_string_lossy();
                format!("the {kind} {owner} has it: give that another `{name}`, or none and `appliance unload` first")
            }
            None => format!("another {kind} has it, or had it a moment ago: see `{name}` of each"),
        }
    }
}

/// The last line that a program said, without its name.
pub(crate) fn last_words(stderr: &[u8]) -> String {
    let said = String::from_utf8_lossy(stderr);
    let line = said.lines().last().unwrap_or("it failed without a word").trim();
    line.strip_prefix("modprobe: ").unwrap_or(line).to_string()
}

fn make_sparse(place: &Path, size: u64) -> io::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("/"));
    let mut name = place.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    let aside = folder.join(name);
    let made = File::create(&aside)
        .and_then(|file| file.set_len(size).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&aside, place));
    if made.is_err() {
        // Nothing half-made stays; the error that matters is the first one.
        let _ = fs::remove_file(&aside);
    }
    made.and_then(|()| File::open(folder)?.sync_all())
}

/// Reads the result of the last background work until there is one. Waits get longer, up to a tenth of a second.
fn settled(mut read: impl FnMut() -> io::Result<String>, mut wait: impl FnMut(Duration)) -> io::Result<()> {
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_millis(1);
    while waited < BACKGROUND_LIMIT {
        match read() {
            Ok(text) => return result_of(text.trim()),
            Err(error) if errno_of(&error) == Some(Errno::AGAIN) => {}
            Err(error) => return Err(error),
        }
        wait(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
    Err(Errno::TIMEDOUT.into())
}

/// `0`, or an error number with a minus.
fn result_of(text: &str) -> io::Result<()> {
    match text.parse::<i32>() {
        Ok(0) => Ok(()),
        Ok(negative) if negative < 0 => Err(io::Error::from_raw_os_error(-negative)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("last_sysfs_mgmt_res holds `{text}`"))),
    }
}

fn errno_of(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

fn trouble(error: &io::Error, what: &str, advice: &str) -> Trouble {
    let errno = errno_of(error).map(errno::name).unwrap_or_default();
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default();
    Trouble { errno, message: format!("{what}: {reason}"), advice: advice.to_string() }
}

/// A file that is missing means that its owner is.
fn open_advice(path: &str) -> &'static str {
    match path.split('/').next() {
        Some("handlers") => "the handler's module is not loaded: see `lsmod` and `dmesg`",
        Some("targets") => {
            "the target or its driver's module is not there: see `appliance status` and `lsmod`"
        }
        Some("devices") => {
            "the device is not there, or its handler has no such attribute: see `appliance status`"
        }
        _ => "the module `scst` is not loaded, or it has no such attribute: see `lsmod` and `dmesg`",
    }
}

fn write_advice(path: &str, error: &io::Error) -> &'static str {
    match errno_of(error) {
        Some(Errno::EXIST) => "it exists already: `appliance unload` takes down what is there",
        Some(Errno::INVAL) => "a name or a value is not to its liking: `dmesg` says which",
        Some(Errno::NOENT) if path.starts_with("handlers/") => {
            "is the backing file or device there? /var/lib/scst/pr must exist, too"
        }
        Some(Errno::BUSY) => "something uses it: see `appliance status` and `mount`",
        Some(Errno::NOMEM) => "the box has too little memory for it: see `free`",
        Some(Errno::NODEV | Errno::NXIO) => {
            "is the disk there? see `lsblk`-like lines in `appliance status` and /dev/disk/by-serial"
        }
        Some(Errno::TIMEDOUT) => "it is still going on: `dmesg` may say what it waits for",
        _ => "`dmesg` has the kernel's reason",
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
