// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian packages for one run, with all that they depend on, as a cached read-only file system.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use board_profile::Bus;
use miette::{miette, Context as _, IntoDiagnostic as _};

use crate::ctx::Ctx;
use crate::lock::Lock;
use crate::vm::machine::{Access, Disk, Format, Medium};
use crate::{debian, files, guest::firmware, sources::Sources, stage::tools::ToolsTree};

/// The serial number by which the agent finds the disk.
const SERIAL: &str = "xtask-packages";

/// The folder of the cache that the disks are in.
const FOLDER: &str = "with";

/// The modules that the guest mounts the disk with.
pub(crate) const MODULES: [&str; 3] = ["virtio_blk", "erofs", "overlay"];

/// The disk with `packages`; made on first use, found in the cache afterwards.
///
/// The packages are unpacked and not configured: their maintainer scripts do not run, so what those set up,
/// such as alternatives and users, is not there.
pub(crate) fn disk(ctx: &Ctx, tools: &ToolsTree, packages: &[String]) -> miette::Result<Disk> {
    let mut names: Vec<&str> = packages.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if let Some(bad) = names.iter().find(|name| !is_package_name(name)) {
        return Err(miette!(
            help = "write --with fio,perl",
            "--with: `{bad}` is not a Debian package's name"
        ));
    }
    let suite = Sources::read(ctx)?.tools.suite;
    let key = key(&suite, &names, &tools.packages().to_text());
    let path = ctx.cache.join(FOLDER).join(format!("{}.erofs", &key[..16]));
    if !path.exists() {
        if ctx.offline {
            return Err(miette!(
                help = "run it once without --offline",
                "the packages {} are not in the cache",
                names.join(", ")
            ));
        }
        make(ctx, tools, &names, &suite, &path)?;
    }
    Ok(Disk {
        path,
        format: Format::Raw,
        bus: Bus::Virtio,
        serial: SERIAL.into(),
        access: Access::ReadOnly,
        medium: Medium::Disk,
        log: None,
    })
}

/// What the disk is made of: with another tools tree come another archive's packages and another mkfs.
fn key(suite: &str, names: &[&str], tools: &str) -> String {
    files::digest(format!("{suite} {}\n{tools}", names.join(" ")))
}

/// Debian's rule for names: at least two of these characters, no mark at the start.
fn is_package_name(name: &str) -> bool {
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
}

/// Makes the disk at `path`, or waits for another guest that makes it, of this process or of another one.
fn make(ctx: &Ctx, tools: &ToolsTree, names: &[&str], suite: &str, path: &PathBuf) -> miette::Result<()> {
    let _lock = Lock::of_cache(ctx, FOLDER)?;
    if path.exists() {
        return Ok(());
    }
    eprintln!("     with: fetching {} and what they depend on", names.join(", "));
    let dir = path.parent().expect("the path is below the cache").to_owned();
    files::make_dir(&dir)?;
    let unique = format!("{}-{}", path.file_stem().unwrap_or_default().to_string_lossy(), std::process::id());
    let (tar, aside) = (dir.join(format!("{unique}.tar")), dir.join(format!("{unique}.new")));
    let made = fetch(ctx, names, suite, &tar).and_then(|()| {
        let mkfs = tools
            .command("mkfs.erofs")
            .args(["--quiet", "--tar=f", "-zlz4", "-T0"])
            .args([format!("/out/{unique}.new"), format!("/out/{unique}.tar")])
            .bind_rw(&dir, "/out");
        firmware::run(mkfs, "cannot make the file system of packages")?;
        std::fs::rename(&aside, path).into_diagnostic().wrap_err("cannot put the packages into the cache")
    });
    for leftover in [&tar, &aside] {
        files::remove(leftover)?;
    }
    made
}

/// Resolves, fetches and unpacks with mmdebstrap, which needs neither root nor an installed system.
fn fetch(ctx: &Ctx, names: &[&str], suite: &str, tar: &PathBuf) -> miette::Result<()> {
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=extract", "--format=tar", &format!("--include={}", names.join(","))]);
    if let Some(keyring) = crate::host::keyring() {
        command.arg(format!("--keyring={}", keyring.display()));
    }
    let output = command
        .arg(suite)
        .arg(tar)
        .arg(debian::mirror(ctx)?)
        .stdin(Stdio::null())
        .output()
        .into_diagnostic()
        .wrap_err("cannot run mmdebstrap")?;
    if output.status.success() {
        return Ok(());
    }
    let mut said = String::new();
    let lines: Vec<_> = output.stderr.split(|&b| b == b'\n').map(String::from_utf8_lossy).collect();
    for line in &lines[lines.len().saturating_sub(12)..] {
        let _ = writeln!(said, "  {line}");
    }
    Err(miette!(
        help = "check the names against the release's package list",
        "cannot fetch {}:\n{said}",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_and_another_tools_tree_are_another_disk() {
        let keys = [
            key("trixie", &["fio"], "erofs-utils 1.8"),
            key("trixie", &["fio", "perl"], "erofs-utils 1.8"),
            key("trixie", &["fio"], "erofs-utils 1.9"),
        ];
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), keys.len());
    }

    #[test]
    fn package_names_are_checked_before_anything_is_fetched() {
        for good in ["fio", "perl", "libc6", "g++", "sg3-utils", "0ad"] {
            assert!(is_package_name(good), "{good}");
        }
        for bad in ["", "f", "-oAPT::x", "Fio", "a b", "a;b", "../x"] {
            assert!(!is_package_name(bad), "{bad}");
        }
    }
}
