// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running a program inside the tools tree: what it sees is the tree read-only, and what it was given.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

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
    option: &'static str,
    host: PathBuf,
    inside: PathBuf,
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
        self.bind("--ro-bind", host.as_ref(), inside.as_ref())
    }

    /// Shows `host`, a file or directory, as `inside`, writable.
    pub(crate) fn bind_rw(self, host: impl AsRef<Path>, inside: impl AsRef<Path>) -> Self {
        self.bind("--bind", host.as_ref(), inside.as_ref())
    }

    /// Shows a host's device node under the same path.
    pub(crate) fn device(self, node: impl AsRef<Path>) -> Self {
        self.bind("--dev-bind", node.as_ref(), node.as_ref())
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

    fn bind(mut self, option: &'static str, host: &Path, inside: &Path) -> Self {
        self.binds.push(Bind { option, host: host.to_owned(), inside: inside.to_owned() });
        self
    }

    /// The whole argument vector, the sandbox's program first.
    pub(crate) fn argv(&self) -> Vec<OsString> {
        // Processes of their own namespace all end with its first one: nothing that the program starts outlives us.
        let base =
            ["bwrap", "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--clearenv"];
        let mut argv: Vec<OsString> = base.into_iter().map(OsString::from).collect();
        let mut push = |words: &[&OsStr]| argv.extend(words.iter().map(|w| OsString::from(*w)));
        if !self.network {
            push(&["--unshare-net".as_ref()]);
        }
        if self.superuser {
            push(&["--unshare-user", "--uid", "0", "--gid", "0"].map(OsStr::new));
        }
        // The root is an empty file system of its own, so that mount points can be made in it without touching the tree.
        push(&["--tmpfs", "/"].map(OsStr::new));
        for dir in ["usr", "etc", "var"] {
            let inside = format!("/{dir}");
            push(&["--ro-bind".as_ref(), self.root.join(dir).as_os_str(), inside.as_ref()]);
        }
        for dir in ["bin", "sbin", "lib", "lib64"] {
            push(&["--symlink".as_ref(), format!("usr/{dir}").as_ref(), format!("/{dir}").as_ref()]);
        }
        push(
            &[
                "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run", "--tmpfs",
                "/var/tmp",
            ]
            .map(OsStr::new),
        );
        for bind in &self.binds {
            push(&[bind.option.as_ref(), bind.host.as_os_str(), bind.inside.as_os_str()]);
        }
        push(&["--chdir".as_ref(), self.workdir.as_os_str()]);
        for (key, value) in &self.env {
            push(&["--setenv".as_ref(), key, value]);
        }
        push(&["--".as_ref(), &self.program]);
        argv.extend(self.args.iter().cloned());
        argv
    }

    /// The command, ready to be spawned.
    pub(crate) fn to_command(&self) -> Command {
        let argv = self.argv();
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]);
        command
    }
}
