// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sandbox by util-linux: name spaces of its own, mounts by a script, and a change of root.

use std::ffi::{OsStr, OsString};

use super::{Access, TreeCommand};
use crate::host;

/// What it takes on the host.
pub(super) const PROGRAMS: [&str; 4] = ["unshare", "setpriv", "mount", "sh"];

/// Mounts what the program sees, and starts it.
const MOUNTS: &str = include_str!("mounts.sh");
/// Where the new root is put together: a folder that every Debian tree has, and that shows no part of it.
const NEW_ROOT: &str = "mnt";

/// The whole argument vector.
pub(super) fn argv(command: &TreeCommand) -> Vec<OsString> {
    let mut argv: Vec<OsString> = Vec::new();
    let mut push = |words: &[&OsStr]| argv.extend(words.iter().map(|word| OsString::from(*word)));
    // The first process of the new name space dies with unshare, that with us, and all others with the first.
    push(&["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--kill-child=KILL"].map(OsStr::new));
    push(&["--mount", "--pid", "--ipc", "--uts"].map(OsStr::new));
    if !command.network {
        push(&["--net".as_ref()]);
    }
    if !host::is_root() {
        push(&["--map-root-user".as_ref()]);
    }
    push(&["sh", "-c", MOUNTS, "sh"].map(OsStr::new));
    let new_root = command.root.join(NEW_ROOT);
    push(&[command.root.as_os_str(), new_root.as_os_str()]);
    for bind in &command.binds {
        let word = match bind.access {
            Access::ReadOnly => "ro",
            Access::ReadWrite => "rw",
            Access::Device => "dev",
        };
        push(&[word.as_ref(), bind.host.as_os_str(), bind.inside.as_os_str()]);
    }
    push(&["--", "unshare"].map(OsStr::new));
    // Whoever became root for the mounts is itself again for the program.
    if !host::is_root() && !command.superuser {
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        let map = [format!("--map-user={}", user.as_raw()), format!("--map-group={}", group.as_raw())];
        push(&["--user".as_ref(), map[0].as_ref(), map[1].as_ref()]);
    }
    push(&["--root".as_ref(), new_root.as_os_str(), "--wd".as_ref(), command.workdir.as_os_str()]);
    push(&["--", "/usr/bin/env", "--ignore-environment"].map(OsStr::new));
    for (key, value) in &command.env {
        push(&[[key.as_os_str(), value].join("=".as_ref()).as_ref()]);
    }
    push(&[&command.program]);
    argv.extend(command.args.iter().cloned());
    argv
}
