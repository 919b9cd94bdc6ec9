// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tools tree: a Debian release in the user's cache, with everything that a build runs.
//!
//! A tree is made whole or not at all, is never changed afterwards, and stands under a name made from the package
//! list and the lock, so that another list or lock is another tree.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use miette::IntoDiagnostic as _;

use crate::ctx::Ctx;
use crate::debian::{self, Difference, Packages};
use crate::enter::TreeCommand;
use crate::files;
use crate::host;
use crate::lock::Lock;
use crate::sources::Sources;
use crate::stamp::{Inputs, StampFile};
use crate::step::{self, Step};

/// The lock file, relative to the repository.
const LOCK: &str = "kernel-config/tools.lock";

/// Paths of a Debian system that no build reads.
const LEFT_OUT: [&str; 5] =
    ["./dev/*", "./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*", "./var/cache/apt/*.bin"];

/// A complete tools tree.
#[derive(Debug)]
pub(crate) struct ToolsTree {
    root: PathBuf,
    packages: Packages,
    differences: Vec<Difference>,
}

impl ToolsTree {
    /// A command that runs `program` inside the tree.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> TreeCommand {
        TreeCommand::new(&self.root, program)
    }

    /// Where the tree stands on the host.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Every package of the tree.
    pub(crate) fn packages(&self) -> &Packages {
        &self.packages
    }

    /// Where the tree is not what the lock says, because the mirror no longer has that.
    pub(crate) fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Adds the versions of `packages` to a stage's inputs; an absent one is an input too.
    pub(crate) fn versions(&self, inputs: &mut Inputs, packages: &[&str]) {
        for name in packages {
            inputs.value(format!("package {name}"), self.packages.version(name).unwrap_or("absent"));
        }
    }
}

/// Makes the tree, or finds the one that an earlier run made.
pub(crate) fn build(ctx: &Ctx, sources: &Sources) -> miette::Result<ToolsTree> {
    let _lock = Lock::of_cache(ctx, "tools")?;
    build_locked(ctx, sources)
}

fn build_locked(ctx: &Ctx, sources: &Sources) -> miette::Result<ToolsTree> {
    let lock_path = ctx.root.join(LOCK);
    let lock = Packages::read_lock(&lock_path)?;
    if lock.is_none() && ctx.locked {
        miette::bail!(
            help = "build once without --locked; that writes it",
            "--locked, and there is no {LOCK}"
        );
    }
    let tree = tree(ctx, sources, lock.as_ref())?;
    let Some(lock) = lock else {
        files::write(&lock_path, format!("{LOCK_HEADER}{}", tree.packages.to_text()))?;
        eprintln!("{LOCK} is new: it records the versions that this and every later build uses; commit it");
        // The tree's name contains the lock: with the lock written, give this tree that name.
        files::replace(&home(ctx, sources, None)?, &home(ctx, sources, Some(&tree.packages))?)?;
        return build_locked(ctx, sources);
    };
    check_lock(ctx, &lock, &tree)?;
    Ok(tree)
}

const LOCK_HEADER: &str = "# SPDX-License-Identifier: MIT OR Apache-2.0\n\
    # The packages of the tools tree: name, version, SHA-256 of the archive. Written by `cargo xtask lock`.\n";

/// Writes the lock anew from what the mirror has today.
pub(crate) fn relock(ctx: &Ctx, sources: &Sources) -> miette::Result<()> {
    let _lock = Lock::of_cache(ctx, "tools")?;
    files::remove(&ctx.root.join(LOCK))?;
    files::remove(&home(ctx, sources, None)?)?;
    build_locked(ctx, sources).map(drop)
}

/// Where the tree of this list and lock stands: `root/`, `packages` and its stamp.
fn home(ctx: &Ctx, sources: &Sources, lock: Option<&Packages>) -> miette::Result<PathBuf> {
    let settings = format!("{:?} {:?} {:?}", sources.tools, sources.kernel, LEFT_OUT);
    let lock = lock.map(Packages::to_text).unwrap_or_default();
    let id = &files::digest(format!("{settings}\n{lock}"))[..12];
    Ok(ctx.cache.join("tools").join(format!("{}-{id}", sources.tools.suite)))
}

fn tree(ctx: &Ctx, sources: &Sources, lock: Option<&Packages>) -> miette::Result<ToolsTree> {
    let home = home(ctx, sources, lock)?;
    let mut inputs = Inputs::new();
    inputs.value("packages", sources.tools.packages.join(" "));
    inputs.value("suite", &sources.tools.suite);
    inputs.value("from the kernel's suite", sources.tools.from_kernel_suite.join(" "));
    inputs.value("kernel series", &sources.kernel.series);
    inputs.value("kernel suite", &sources.kernel.suite);
    let stamp = StampFile::new(home.join("stamp.json"), &home);
    step::stage(ctx, "tools", &stamp, &inputs, |step| {
        if ctx.offline {
            miette::bail!(
                help = "build once without --offline; later builds then need no network",
                "the tools tree has to be fetched, and --offline forbids it"
            );
        }
        let mirror = debian::mirror(ctx)?;
        host::ensure_tools(step)?;
        files::fresh_dir(&home)?;
        bootstrap(ctx, sources, lock, &mirror, &home, step)?;
        list_packages(&home, step)?;
        Ok(vec!["packages".into()])
    })?;
    let packages = Packages::read(&home.join("packages"))?;
    let differences = lock.map(|lock| lock.differences(&packages)).unwrap_or_default();
    Ok(ToolsTree { root: home.join("root"), packages, differences })
}

/// Makes the tree's files by `mmdebstrap`, as root or in a user namespace, in one pipe so that they belong to the caller.
fn bootstrap(
    ctx: &Ctx,
    sources: &Sources,
    lock: Option<&Packages>,
    mirror: &str,
    home: &Path,
    step: &Step,
) -> miette::Result<()> {
    let (suite, root) = (&sources.tools.suite, home.join("root"));
    files::make_dir(&root)?;
    let mut args: Vec<String> = vec![
        format!("--mode={}", if host::is_root() { "root" } else { "unshare" }),
        "--variant=apt".into(),
        "--format=tar".into(),
        // apt's lists stay, so that packages for images come from the same snapshot of the mirror as the tree.
        "--skip=cleanup/apt/lists".into(),
        "--aptopt=APT::Install-Recommends \"false\"".into(),
        // A tree that was not finished is made anew: nothing in it has to survive a power cut on the way.
        "--dpkgopt=force-unsafe-io".into(),
        format!("--include={}", sources.tools.packages.join(",")),
        format!("--include={}", sources.kernel.package()),
    ];
    if let Some(keyring) = host::keyring() {
        args.push(format!("--keyring={}", keyring.display()));
    }
    let preferences = home.join("preferences");
    let locked = lock.map(Packages::preferences).unwrap_or_default();
    files::write(&preferences, locked + &sources.preferences())?;
    args.push(format!("--setup-hook=upload {} /etc/apt/preferences.d/sources", preferences.display()));
    args.extend([suite.clone(), "-".into(), format!("deb {mirror} {suite} main")]);
    args.push(format!("deb {mirror} {} main", sources.kernel.suite));
    let mut unpack: Vec<String> = vec!["-x".into(), "--directory".into(), root.display().to_string()];
    unpack.extend(LEFT_OUT.iter().map(|path| format!("--exclude={path}")));
    let log = ctx.log("tools");
    // Only the archive may go into the pipe; what mmdebstrap says goes to the log by its own way.
    let make = duct::cmd("mmdebstrap", args)
        .stderr_file(std::fs::File::options().append(true).open(log).into_diagnostic()?);
    step.run_expression("mmdebstrap", make.pipe(duct::cmd("tar", unpack)))
}

/// Records name, version and digest of every package in the tree, from apt's own signed lists.
fn list_packages(home: &Path, step: &Step) -> miette::Result<()> {
    let root = home.join("root");
    let installed =
        step.read(&TreeCommand::new(&root, "dpkg-query").args(["-W", "-f", "${Package}=${Version}\n"]))?;
    let shown = step.read(&TreeCommand::new(&root, "apt-cache").arg("show").args(installed.lines()))?;
    let packages = Packages::from_apt(&shown);
    let missing: Vec<_> = installed
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, version)| packages.version(name) != Some(version))
        .collect();
    if !missing.is_empty() {
        return Err(step.failure(&format!("apt has no record of {missing:?}")));
    }
    files::write(&home.join("packages"), packages.to_text())
}

/// Says where the tree is not what the lock asks for; with `--locked` that is an error.
fn check_lock(ctx: &Ctx, lock: &Packages, tree: &ToolsTree) -> miette::Result<()> {
    if tree.differences.is_empty() {
        return Ok(());
    }
    debug_assert_ne!(lock, &tree.packages);
    let lines: Vec<_> = tree.differences.iter().map(|difference| format!("  {difference}")).collect();
    if ctx.locked {
        miette::bail!(
            help = "the mirror no longer has the locked versions: name one that does with --mirror, or renew the \
                    lock with `cargo xtask lock`",
            "--locked, and the tools tree differs from {LOCK}:\n{}",
            lines.join("\n")
        );
    }
    if ctx.dry_run.is_none() {
        eprintln!(
            "WARNING: the tools tree differs from {LOCK}; the manifest records it:\n{}",
            lines.join("\n")
        );
    }
    Ok(())
}
