// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sandbox by bubblewrap.

use std::ffi::{OsStr, OsString};

use super::{Access, TreeCommand};

/// The whole argument vector.
pub(super) fn argv(command: &TreeCommand) -> Vec<OsString> {
    // Processes of their own namespace all end with its first one: nothing that the program starts outlives us.
    let base =
        ["bwrap", "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--clearenv"];
    let mut argv: Vec<OsString> = base.into_iter().map(OsString::from).collect();
    let mut push = |words: &[&OsStr]| argv.extend(words.iter().map(|w| OsString::from(*w)));
    if !command.network {
        push(&["--unshare-net".as_ref()]);
    }
    if command.superuser {
        push(&["--unshare-user", "--uid", "0", "--gid", "0"].map(OsStr::new));
    }
    // The root is an empty file system of its own, so that mount points can be made in it without touching the tree.
    push(&["--tmpfs", "/"].map(OsStr::new));
    for dir in ["usr", "etc", "var"] {
        let inside = format!("/{dir}");
        push(&["--ro-bind".as_ref(), command.root.join(dir).as_os_str(), inside.as_ref()]);
    }
    for dir in ["bin", "sbin", "lib", "lib64"] {
        push(&["--symlink".as_ref(), format!("usr/{dir}").as_ref(), format!("/{dir}").as_ref()]);
    }
    push(
        &["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run", "--tmpfs", "/var/tmp"]
            .map(OsStr::new),
    );
    for bind in &command.binds {
        let option = match bind.access {
            Access::ReadOnly => "--ro-bind",
            Access::ReadWrite => "--bind",
            Access::Device => "--dev-bind",
        };
        push(&[option.as_ref(), bind.host.as_os_str(), bind.inside.as_os_str()]);
    }
    push(&["--chdir".as_ref(), command.workdir.as_os_str()]);
    for (key, value) in &command.env {
        push(&["--setenv".as_ref(), key, value]);
    }
    push(&["--".as_ref(), &command.program]);
    argv.extend(command.args.iter().cloned());
    argv
}
