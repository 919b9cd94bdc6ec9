// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running a program inside the tools tree: what it sees is the tree read-only, and what it was given.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::host;

mod bwrap;
mod unshare;

/// Search path inside the tree.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// One program to be run inside a tools tree, with every path that it may see.
///
/// The tree is mounted read-only; `/tmp`, `/var/tmp`, `/run` and `/dev` are fresh, the environment is empty but for what
/// [`TreeCommand::env`] adds, and there is no network unless [`TreeCommand::network`] asks for it.
#[derive(Debug, Clone)]
pub(crate) struct TreeCommand {
    root: PathBuf,
    program: OsString,
    args: Vec<OsString>,
    binds: Vec<Bind>,
    env: BTreeMap<OsString, OsString>,
    workdir: PathBuf,
    network: bool,
    superuser: bool,
}

#[derive(Debug, Clone)]
struct Bind {
    access: Access,
    host: PathBuf,
    inside: PathBuf,
}

/// What a program may do with what it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    ReadOnly,
    ReadWrite,
    /// A device node, to be opened as such.
    Device,
}

impl TreeCommand {
    /// A command that runs `program`, looked up in the tree's own path, in the tree at `root`.
    pub(crate) fn new(root: &Path, program: impl AsRef<OsStr>) -> Self {
        let env = [("PATH", PATH), ("HOME", "/tmp"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")];
        Self {
            root: root.to_owned(),
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            binds: Vec::new(),
            env: env.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
            workdir: "/".into(),
            network: false,
            superuser: false,
        }
    }

    /// The program's name.
    pub(crate) fn program(&self) -> &OsStr {
        &self.program
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets one variable of the environment.
    pub(crate) fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(key.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Shows `host`, a file or directory, as `inside`, read-only.
    pub(crate) fn bind_ro(self, host: impl AsRef<Path>, inside: impl AsRef<Path>) -> Self {
        self.bind(Access::ReadOnly, host.as_ref(), inside.as_ref())
    }

    /// Shows `host`, a file or directory, as `inside`, writable.
    pub(crate) fn bind_rw(self, host: impl AsRef<Path>, inside: impl AsRef<Path>) -> Self {
        self.bind(Access::ReadWrite, host.as_ref(), inside.as_ref())
    }

    /// Shows a host's device node under the same path.
    pub(crate) fn device(self, node: impl AsRef<Path>) -> Self {
        self.bind(Access::Device, node.as_ref(), node.as_ref())
    }

    /// Starts the program in this directory of the tree.
    pub(crate) fn workdir(mut self, inside: impl AsRef<Path>) -> Self {
        inside.as_ref().clone_into(&mut self.workdir);
        self
    }

    /// Leaves the host's network visible. Only what fetches, and a guest's network, may want this.
    pub(crate) fn network(mut self) -> Self {
        self.network = true;
        self
    }

    /// Lets the program see itself as root, as package tools insist on. It gains no right on the host by it.
    pub(crate) fn superuser(mut self) -> Self {
        self.superuser = true;
        self
    }

    fn bind(mut self, access: Access, host: &Path, inside: &Path) -> Self {
        self.binds.push(Bind { access, host: host.to_owned(), inside: inside.to_owned() });
        self
    }

    /// The whole argument vector, the sandbox's program first.
    pub(crate) fn argv(&self) -> Vec<OsString> {
        self.argv_by(*SANDBOX)
    }

    fn argv_by(&self, sandbox: Sandbox) -> Vec<OsString> {
        match sandbox {
            Sandbox::Bwrap => bwrap::argv(self),
            Sandbox::Unshare => unshare::argv(self),
        }
    }

    /// The command, ready to be spawned.
    pub(crate) fn to_command(&self) -> Command {
        let argv = self.argv();
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]);
        command
    }
}

/// What makes the tree a program's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sandbox {
    /// Bubblewrap.
    Bwrap,
    /// `unshare`, `mount` and a change of root, for hosts without bubblewrap.
    Unshare,
}

/// The sandbox that this host has.
static SANDBOX: LazyLock<Sandbox> = LazyLock::new(Sandbox::here);

impl Sandbox {
    /// Bubblewrap if there is any; the other way if there is all that it takes.
    pub(crate) fn here() -> Self {
        let can_unshare = unshare::PROGRAMS.iter().all(|program| host::find(program).is_some());
        match host::find("bwrap").is_none() && can_unshare {
            true => Self::Unshare,
            false => Self::Bwrap,
        }
    }

    /// What is looked for on the host.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bwrap => "bwrap",
            Self::Unshare => "unshare",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// What a program sees through `sandbox` with this machine's own root as the tree.
    fn seen(sandbox: Sandbox, dir: &Path, change: fn(TreeCommand) -> TreeCommand) -> (Option<i32>, String) {
        let script = "pwd; env | sort; id -u; ls /; cat /in/file; echo more >>/out/file; ls -d /tmp/* /run/*
            echo x >/in/file; touch /usr/x /etc/x; echo y >/dev/null; ls -d /sys/class/net/*
            awk 'NR > 2 { print $1 }' /proc/net/dev; set -- /proc/[0-9]*; echo $#; ls /dev; exit 7";
        let command = TreeCommand::new(Path::new("/"), "sh")
            .args(["-c", script])
            .bind_ro(dir.join("in"), "/in")
            .bind_rw(dir.join("out"), "/out")
            .bind_ro(dir.join("in/file"), "/deep/er/file")
            .workdir("/out")
            .env("SAID", "two words");
        let argv = change(command).argv_by(sandbox);
        let output = Command::new(&argv[0]).args(&argv[1..]).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), said)
    }

    #[test]
    fn both_ways_show_a_program_the_same() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["in", "out"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
            fs::write(dir.path().join(folder).join("file"), "given\n").unwrap();
        }
        let (status, said) = seen(Sandbox::Unshare, dir.path(), |command| command);
        assert_eq!(status, Some(7), "{said}");
        assert!(said.starts_with("/out\n") && said.contains("\nSAID=two words\n"), "{said}");
        assert_eq!(fs::read_to_string(dir.path().join("out/file")).unwrap(), "given\nmore\n");
        assert_eq!(fs::read_to_string(dir.path().join("in/file")).unwrap(), "given\n");
        assert!(!Path::new("/usr/x").exists() && !Path::new("/etc/x").exists());
        if host::find("bwrap").is_some() {
            assert_eq!((status, said), seen(Sandbox::Bwrap, dir.path(), |command| command), "plain");
            for change in [TreeCommand::superuser, TreeCommand::network] {
                fs::write(dir.path().join("out/file"), "").unwrap();
                let by_unshare = seen(Sandbox::Unshare, dir.path(), change);
                fs::write(dir.path().join("out/file"), "").unwrap();
                assert_eq!(by_unshare, seen(Sandbox::Bwrap, dir.path(), change));
            }
        }
    }

    #[test]
    fn what_a_program_started_ends_with_it_and_with_its_caller() {
        for sandbox in [Sandbox::Unshare, Sandbox::Bwrap] {
            if host::find(sandbox.name()).is_none() {
                continue;
            }
            let dir = tempfile::tempdir().unwrap();
            // A writer in the background that would go on for ever.
            let script = "while :; do echo x >>/out/beat; sleep 0.05; done & sleep 60";
            let command = TreeCommand::new(Path::new("/"), "sh").args(["-c", script]);
            let argv = command.bind_rw(dir.path(), "/out").argv_by(sandbox);
            let mut child = Command::new(&argv[0]).args(&argv[1..]).spawn().unwrap();
            let beats = || fs::metadata(dir.path().join("beat")).map_or(0, |meta| meta.len());
            let wait = |ms| std::thread::sleep(std::time::Duration::from_millis(ms));
            while beats() == 0 {
                assert!(child.try_wait().unwrap().is_none(), "{sandbox:?} ended early");
                wait(20);
            }
            child.kill().unwrap();
            child.wait().unwrap();
            let (killed, mut then) = (std::time::Instant::now(), 0);
            while beats() != then {
                assert!(killed.elapsed().as_secs() < 30, "{sandbox:?}: it goes on writing");
                then = beats();
                wait(500);
            }
        }
    }
}
