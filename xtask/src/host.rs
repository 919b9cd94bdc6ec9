// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the host must have: the maker of the tools tree, and the program that enters it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::enter::Sandbox;
use crate::step::Step;

/// One program that the host must have, and the Debian package that brings it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// The program's name.
    pub(crate) program: &'static str,
    /// The Debian package.
    pub(crate) package: &'static str,
    /// What it is needed for.
    pub(crate) purpose: &'static str,
}

/// Everything that a build runs outside the tools tree, beside cargo itself.
const NEEDS: [Need; 5] = [
    Need { program: "mmdebstrap", package: "mmdebstrap", purpose: "makes the tools tree" },
    Need { program: "bwrap", package: "bubblewrap", purpose: "enters the tools tree" },
    Need { program: "tar", package: "tar", purpose: "unpacks the tools tree" },
    Need { program: "apt-get", package: "apt", purpose: "fetches the tools tree's packages" },
    Need { program: "newuidmap", package: "uidmap", purpose: "makes the tools tree as an ordinary user" },
];

/// What the caller needs of [`NEEDS`]: root can make user namespaces without help.
pub(crate) fn needs() -> impl Iterator<Item = &'static Need> {
    NEEDS.iter().filter(|need| !(is_root() && need.program == "newuidmap"))
}

/// What the caller has to have before anything can be built: bubblewrap has a substitute.
fn missing() -> Vec<&'static Need> {
    let substituted = |need: &Need| need.program == "bwrap" && Sandbox::here() == Sandbox::Unshare;
    needs().filter(|need| find(need.program).is_none() && !substituted(need)).collect()
}

/// True if the caller is root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The place of `program` in the caller's path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
}

/// What a program says about its version, in one line.
pub(crate) fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned)
}

/// Debian's own keys, which the apt of a derivative does not trust by itself.
pub(crate) fn keyring() -> Option<PathBuf> {
    let path = PathBuf::from("/usr/share/keyrings/debian-archive-keyring.gpg");
    path.exists().then_some(path)
}

/// Installs what is missing where the caller may, else says which command does.
pub(crate) fn ensure_tools(step: &Step) -> miette::Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|need| need.package).collect();
    let install = format!("apt-get install --yes {}", packages.join(" "));
    let programs = missing.iter().map(|need| format!("{} ({})", need.program, need.purpose));
    let programs = programs.collect::<Vec<_>>().join(", ");
    if !is_root() || find("apt-get").is_none() {
        miette::bail!(help = format!("run: sudo {install}"), "the host lacks {programs}");
    }
    step.say(&format!("the host lacks {programs}; running: {install}"));
    let quiet = |args: &[&str]| duct::cmd("apt-get", args).env("DEBIAN_FRONTEND", "noninteractive");
    step.run_expression("apt-get update", quiet(&["update"]))?;
    let mut args = vec!["install", "--yes", "--no-install-recommends"];
    args.extend(packages);
    step.run_expression("apt-get install", quiet(&args))
}
