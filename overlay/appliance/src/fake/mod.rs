// SPDX-License-Identifier: MIT OR Apache-2.0
//! A target stack for tests: a folder that looks like SCST's sysfs tree, and answers to management commands as the
//! kernel does. It knows formats, modes, `[key]` lines and errors of the interface; it serves no I/O.

mod objects;
mod tables;

use crate::execute::{Machine, Trouble};
use crate::root::Root;
use board_profile::{Action, SYSFS_ROOT};
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use tables::{attribute, Format};

/// What a command or a write can end in.
type Outcome = Result<(), &'static str>;

/// The whole system.
pub(crate) struct Fake {
    /// Removes itself at the end.
    _folder: tempfile::TempDir,
    pub(crate) root: Root,
    /// Every write so far, as `PATH < DATA`.
    pub(crate) writes: Vec<String>,
    /// Paths and data that are refused, by a part of `PATH < DATA`.
    pub(crate) refuse: Option<&'static str>,
}

impl Fake {
    /// A system without modules, with a data partition.
    pub(crate) fn new() -> Fake {
        // In memory where there is such a place: a tree has hundreds of small files. There, as in sysfs, what is made
        // later has a greater number.
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let root = Root::new(folder.path());
        for place in ["/sys/module", "/sys/kernel", "/data", "/dev", "/var/lib/scst/pr"] {
            fs::create_dir_all(root.at(place)).unwrap();
        }
        Fake { _folder: folder, root, writes: Vec::new(), refuse: None }
    }

    /// Where a path below SCST's folder is.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.at(&format!("{SYSFS_ROOT}/{path}"))
    }

    /// Writes as a person in a shell would.
    pub(crate) fn echo(&mut self, data: &str, path: &str) {
        self.write(path, data).unwrap_or_else(|errno| panic!("{path} < {data}: {errno}"));
    }

    /// What a file shows.
    pub(crate) fn cat(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The value that a file shows; empty where there is none.
    fn value(&self, path: &str) -> String {
        let text = fs::read_to_string(self.at(path)).unwrap_or_default();
        text.lines().next().unwrap_or_default().to_string()
    }

    /// The writes since the last call.
    pub(crate) fn take_writes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.writes)
    }

    /// Everything in the tree: paths, modes, contents and links.
    pub(crate) fn dump(&self) -> String {
        let mut lines = Vec::new();
        dump(&self.at(""), "", &mut lines);
        lines.sort();
        lines.join("\n")
    }

    fn exists(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    fn folder(&self, path: &str) {
        fs::create_dir_all(self.at(path)).unwrap();
    }

    fn put(&self, path: &str, content: &str, mode: u32) {
        let place = self.at(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, content).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mgmt(&self, folder: &str, help: &str) {
        self.put(&format!("{folder}/mgmt"), help, 0o644);
    }

    fn link(&self, path: &str, target: &str) {
        let place = self.at(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let depth = path.matches('/').count();
        symlink(format!("{}{target}", "../".repeat(depth)), place).unwrap();
    }

    /// Makes the files of an object as they are when nobody set them.
    fn attributes(&self, folder: &str, table: &[tables::Row]) {
        for row in table {
            let path =
                if folder.is_empty() { row.name.to_string() } else { format!("{folder}/{}", row.name) };
            let shown = match row.format {
                Format::WriteOnly => String::new(),
                _ => row.format.shown(row.default, row.default),
            };
            self.put(&path, &shown, row.mode);
        }
    }

    /// Gives an attribute a value, as its store method does.
    fn set(&self, table: &'static [tables::Row], folder: &str, name: &str, value: &str) -> Outcome {
        let row = attribute(table, name).ok_or("EINVAL")?;
        let value = row.format.stored(value)?;
        self.taken(folder, name, &value)?;
        // One value has two names.
        let names: &[&str] = match name {
            "forward_dst" | "forwarding" => &["forward_dst", "forwarding"],
            other => &[other],
        };
        for name in names {
            let path = if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") };
            self.put(&path, &row.format.shown(&value, row.default), row.mode);
        }
        Ok(())
    }

    /// Refuses a value that another object has and no two may share.
    fn taken(&self, folder: &str, name: &str, value: &str) -> Outcome {
        let (all, error) = match name {
            "rel_tgt_id" if folder.starts_with("targets/") => {
                let drivers = self.names("targets").into_iter();
                let targets = |driver| {
                    let names = self.names(&format!("targets/{driver}")).into_iter();
                    names.map(move |name| format!("targets/{driver}/{name}"))
                };
                (drivers.flat_map(targets).collect::<Vec<String>>(), "EBADSLT")
            }
            "usn" => {
                let names = self.names("devices").into_iter();
                (names.map(|name| format!("devices/{name}")).collect(), "EEXIST")
            }
            _ => return Ok(()),
        };
        let has = |other: &String| other != folder && self.value(&format!("{other}/{name}")) == value;
        if all.iter().any(has) {
            return Err(error);
        }
        Ok(())
    }

    fn names(&self, folder: &str) -> Vec<String> {
        crate::root::names(&self.at(folder))
    }

    fn remove(&self, path: &str) {
        let place = self.at(path);
        match place.is_symlink() || place.is_file() {
            true => fs::remove_file(place).unwrap(),
            false => fs::remove_dir_all(place).unwrap(),
        }
    }

    /// One write to one file.
    fn write(&mut self, path: &str, data: &str) -> Outcome {
        let line = format!("{path} < {data}");
        let refused = self.refuse.is_some_and(|part| line.contains(part));
        self.writes.push(line);
        if refused {
            return Err("EINVAL");
        }
        let mode = fs::metadata(self.at(path)).map_err(|_| "ENOENT")?.permissions().mode();
        if mode & 0o200 == 0 {
            return Err("EACCES");
        }
        let parts: Vec<&str> = path.split('/').collect();
        match parts.split_last() {
            Some((&"mgmt", folder)) => objects::manage(self, &folder.join("/"), data.trim()),
            Some((name, folder)) => {
                let table = tables::of(self, folder).ok_or("EIO")?;
                self.set(table, &folder.join("/"), name, data)?;
                match std::ptr::eq(table, tables::BLOCKIO) {
                    true => objects::resize(self, &folder.join("/"), name),
                    false => Ok(()),
                }
            }
            None => Err("ENOENT"),
        }
    }

    /// Loads a module: its part of the tree appears.
    fn modprobe(&mut self, module: &str, params: &[String]) {
        let place = self.root.at("/sys/module").join(module).join("parameters");
        if place.exists() {
            return;
        }
        fs::create_dir_all(&place).unwrap();
        for (name, value) in params.iter().filter_map(|param| param.split_once('=')) {
            fs::write(place.join(name), format!("{value}\n")).unwrap();
        }
        match module {
            "scst" => objects::core(self),
            "scst_vdisk" => objects::handlers(self),
            "scst_local" => objects::driver(self),
            other => panic!("no module {other}"),
        }
    }
}

impl Machine for Fake {
    fn run(&mut self, action: &Action) -> Result<Option<String>, Trouble> {
        let outcome = match action {
            Action::Modprobe { module, params } => {
                self.modprobe(module, params);
                Ok(())
            }
            Action::CreateFile { path, size } => {
                let place = self.root.at(path);
                if !place.exists() {
                    fs::File::create(place).unwrap().set_len(*size).unwrap();
                }
                Ok(())
            }
            Action::Write { path, data } => self.write(path, data),
        };
        let trouble =
            |errno: &str| Trouble { errno: errno.into(), message: "no".into(), advice: "none".into() };
        outcome.map(|()| None).map_err(trouble)
    }
}

fn dump(folder: &Path, below: &str, lines: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{below}/{}", entry.file_name().to_string_lossy());
        let place = entry.path();
        if place.is_symlink() {
            lines.push(format!("{path} -> {}", fs::read_link(&place).unwrap().display()));
        } else if place.is_dir() {
            lines.push(format!("{path}/"));
            dump(&place, &path, lines);
        } else {
            let mode = fs::metadata(&place).unwrap().permissions().mode() & 0o777;
            lines.push(format!("{path} {mode:o} {:?}", fs::read_to_string(&place).unwrap()));
        }
    }
}
