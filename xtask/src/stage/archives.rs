// SPDX-License-Identifier: MIT OR Apache-2.0
//! Archives of Debian packages: which ones a set of packages needs, and each of them in the cache.

use std::fs;
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic as _, WrapErr as _};

use super::tools::ToolsTree;
use crate::ctx::Ctx;
use crate::enter::TreeCommand;
use crate::files;
use crate::lock::Lock;
use crate::sources::Sources;
use crate::step::Step;

/// apt's lists of what the mirror has, in the tools tree.
const LISTS: &str = "/var/lib/apt/lists";

/// One package's archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Archive {
    /// The package.
    pub(super) name: String,
    /// Its version.
    pub(super) version: String,
    /// The archive in the cache.
    pub(super) path: PathBuf,
}

/// Resolves `names` and brings the archives of everything that they need, as far as it is `carried`, into the cache.
///
/// The mirror is the one that the tools tree was made from, and so are the versions, unless the mirror has replaced one
/// of them since: then all are those of today, with a loud line; `--locked` refuses that.
pub(super) fn fetch(
    ctx: &Ctx,
    sources: &Sources,
    tools: &ToolsTree,
    step: &Step,
    names: &[String],
    carried: impl Fn(&str) -> bool,
) -> miette::Result<Vec<Archive>> {
    let _lock = Lock::of_cache(ctx, "packages")?;
    let archives = ctx.cache.join("packages");
    let apt = Apt { tools, step, suite: &sources.tools.suite, offline: ctx.offline, lists: None };
    match apt.fetch(names, &carried, &archives)? {
        Ok(found) => return Ok(found),
        Err(gone) if ctx.locked => miette::bail!(
            help = "name a mirror that has it and make the tools tree from that: `cargo xtask clean tools`, then \
                    --mirror URL; or renew the lock with `cargo xtask lock`",
            "--locked, and the mirror no longer has {gone}"
        ),
        Err(gone) => step.say(&format!(
            "WARNING: the mirror no longer has {gone}; taking the versions that it has today, which the manifest \
             records. `cargo xtask lock` makes them those of every build"
        )),
    }
    let lists = archives.join("lists.partial");
    files::fresh_dir(&lists)?;
    let apt = Apt { lists: Some(lists.clone()), ..apt };
    step.run(&apt.online("apt-get", &["update"]))?;
    let found = apt.fetch(names, &carried, &archives)?;
    files::remove(&lists)?;
    found.map_err(|gone| {
        miette::miette!(
            help = "name another mirror with --mirror URL, after `cargo xtask clean tools`",
            "the mirror lists {gone} and does not have it"
        )
    })
}

/// The tools tree's apt, as if nothing were installed.
struct Apt<'a> {
    tools: &'a ToolsTree,
    step: &'a Step,
    suite: &'a str,
    offline: bool,
    /// Lists in the place of those that the tree was made from.
    lists: Option<PathBuf>,
}

impl Apt<'_> {
    fn command(&self, program: &str, args: &[&str]) -> TreeCommand {
        let options = [
            "Dir::State::status=/dev/null",
            "Debug::NoLocking=1",
            "pkgCacheGen::ForceEssential=,",
            // apt wants to write beside its lists, and the tree is read-only.
            "Dir::Cache::pkgcache=",
            "Dir::Cache::srcpkgcache=",
            "APT::Sandbox::User=root",
        ];
        let command = self.tools.command(program).superuser().args(args);
        let command = command.args(options.iter().flat_map(|option| ["-o", option]));
        match &self.lists {
            Some(lists) => command.bind_rw(lists, LISTS),
            None => command,
        }
    }

    fn online(&self, program: &str, args: &[&str]) -> TreeCommand {
        let resolver = fs::canonicalize("/etc/resolv.conf").unwrap_or_else(|_| "/etc/resolv.conf".into());
        self.command(program, args).network().bind_ro(resolver, "/etc/resolv.conf")
    }

    /// All archives, or the name and version of the first one that the mirror does not have.
    fn fetch(
        &self,
        names: &[String],
        carried: &impl Fn(&str) -> bool,
        archives: &Path,
    ) -> miette::Result<Result<Vec<Archive>, String>> {
        let simulate =
            self.command("apt-get", &["install", "--simulate", "--no-install-recommends"]).args(names);
        let resolved = self.step.read(&simulate).wrap_err_with(|| {
            format!("cannot resolve the packages {} in Debian {}", names.join(" "), self.suite)
        })?;
        files::make_dir(archives)?;
        let mut found = Vec::new();
        for (name, version) in installs(&resolved).filter(|(name, _)| carried(name)) {
            let path = archives.join(format!("{name}_{}.deb", version.replace(':', "%3a")));
            if !path.exists() && !self.download(name, version, &path)? {
                return Ok(Err(format!("{name} {version}")));
            }
            found.push(Archive { name: name.to_owned(), version: version.to_owned(), path });
        }
        found.sort();
        Ok(Ok(found))
    }

    /// Puts one archive in its place; false if the mirror does not have it.
    fn download(&self, name: &str, version: &str, path: &Path) -> miette::Result<bool> {
        if self.offline {
            miette::bail!(
                help = "build once without --offline",
                "the package {name} {version} has to be fetched, and --offline forbids it"
            );
        }
        let aside = path.with_file_name("download.partial");
        files::fresh_dir(&aside)?;
        self.step.log(&format!("fetching {name} {version}\n"))?;
        let wanted = format!("{name}={version}");
        let download = self.online("apt-get", &["download", &wanted]).bind_rw(&aside, "/out").workdir("/out");
        let output = download.to_command().output().into_diagnostic()?;
        let said = String::from_utf8_lossy(&output.stderr);
        self.step.log(&said)?;
        if !output.status.success() {
            return match is_gone(&said) {
                true => Ok(false),
                false => Err(self.step.failure(&format!("cannot fetch {name} {version}"))),
            };
        }
        let [file] = &files::walk(&aside)?[..] else {
            miette::bail!("apt-get download of {name} left no single archive in {}", aside.display());
        };
        files::replace(&aside.join(file), path)?;
        files::remove(&aside)?;
        Ok(true)
    }
}

/// Whether apt's complaint says that the mirror, which answers, does not have the file.
fn is_gone(complaint: &str) -> bool {
    complaint.lines().any(|line| line.starts_with("E:") && line.contains(" 404 "))
}

/// Names and versions in the lines `Inst NAME (VERSION …)` of a simulated installation.
fn installs(simulated: &str) -> impl Iterator<Item = (&str, &str)> {
    simulated.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(" (")?;
        Some((name, rest.split_whitespace().next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_installation_is_read() {
        let text = "NOTE: This is only a simulation!\nInst libc6 (2.41-12 Debian:13.1/stable [amd64])\n\
                    Inst sg3-utils (1.48-2 Debian:13.1/stable [amd64])\nConf libc6 (2.41-12 x [amd64])\n";
        assert_eq!(installs(text).collect::<Vec<_>>(), [("libc6", "2.41-12"), ("sg3-utils", "1.48-2")]);
    }

    #[test]
    fn a_replaced_package_is_told_from_a_mirror_that_does_not_answer() {
        assert!(is_gone(
            "E: Failed to fetch http://m/pool/l/lsscsi_0.32-1_amd64.deb  404  Not Found [IP: 10.0.0.1 80]"
        ));
        assert!(!is_gone("E: Failed to fetch http://m/pool/l/x_404_amd64.deb  Could not resolve 'm'"));
    }
}
