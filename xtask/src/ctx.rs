// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is constant during one run of xtask: where things are and how much of the machine to use.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use miette::{Context as _, IntoDiagnostic as _};

use crate::cli::Global;
use crate::stamp::Stamp;

/// The records of the stages that a dry run found up to date, in order.
pub(crate) type Records = Arc<Mutex<Vec<(String, Stamp)>>>;

/// Where things are, and the settings that every stage may read. Nothing here decides anything.
#[derive(Debug, Clone)]
pub(crate) struct Ctx {
    /// The repository.
    pub(crate) root: PathBuf,
    /// Downloads, tools trees and compiler cache: the user's cache directory, safe to delete.
    pub(crate) cache: PathBuf,
    /// Build outputs, `target/` below the root, safe to delete.
    pub(crate) target: PathBuf,
    /// Jobs that a stage may run at once.
    pub(crate) jobs: usize,
    /// Nothing may be fetched.
    pub(crate) offline: bool,
    /// Only what the lock files name may be used.
    pub(crate) locked: bool,
    /// Nothing may be built either: the first stage that would run ends the run with its reason, and the stages
    /// before it leave their records here.
    pub(crate) dry_run: Option<Records>,
    /// The package mirror that the caller asked for; the host's own otherwise.
    pub(crate) mirror: Option<String>,
}

impl Ctx {
    /// Finds the root and the cache. Fails where the cache directory can be neither found nor made.
    pub(crate) fn new(global: &Global) -> miette::Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ is below the root").to_owned();
        let cache = cache_dir()?;
        std::fs::create_dir_all(&cache)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot make the cache directory {}", cache.display()))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            target: root.join("target"),
            root,
            cache,
            jobs: global.jobs.unwrap_or(cores),
            offline: global.offline,
            locked: global.locked,
            dry_run: None,
            mirror: global.mirror.clone(),
        })
    }
}

impl Ctx {
    /// The log of the stage called `name`.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.target.join("logs").join(format!("{name}.log"))
    }

    /// The flags that give another xtask the settings of this one.
    pub(crate) fn global_args(&self) -> Vec<String> {
        let mut args = vec![format!("--jobs={}", self.jobs)];
        args.extend(self.offline.then(|| "--offline".to_owned()));
        args.extend(self.locked.then(|| "--locked".to_owned()));
        args.extend(self.mirror.as_ref().map(|mirror| format!("--mirror={mirror}")));
        args
    }

    /// The compiler cache.
    pub(crate) fn ccache(&self) -> PathBuf {
        self.cache.join("ccache")
    }
}

/// `$SCST_APPLIANCE_CACHE`, else `$XDG_CACHE_HOME/scst-appliance`, else `~/.cache/scst-appliance`.
fn cache_dir() -> miette::Result<PathBuf> {
    let var = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    var("SCST_APPLIANCE_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|d| d.join("scst-appliance")))
        .or_else(|| var("HOME").map(|d| d.join(".cache/scst-appliance")))
        .ok_or_else(|| miette::miette!(help = "set HOME or SCST_APPLIANCE_CACHE", "no cache directory"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn another_xtask_gets_the_settings_of_this_one() {
        for line in ["", "--jobs 3 --offline", "--locked --mirror http://localhost/debian"] {
            let parse = |args: &[String]| {
                let program = ["xtask".to_owned()];
                let verb = ["lint".to_owned()];
                Ctx::new(&Cli::parse_from(program.iter().chain(&verb).chain(args)).global).unwrap()
            };
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            let (given, passed) = (parse(&words), parse(&parse(&words).global_args()));
            let settings = |ctx: &Ctx| (ctx.jobs, ctx.offline, ctx.locked, ctx.mirror.clone());
            assert_eq!(settings(&given), settings(&passed), "{line}");
        }
    }
}
