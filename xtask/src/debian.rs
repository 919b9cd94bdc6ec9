// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian packages: which mirror to fetch from, which versions were used, and how they differ from the lock.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use miette::IntoDiagnostic as _;
use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use crate::files;
use crate::step;

/// The mirror that the caller asked for, else the one of the host's own apt.
pub(crate) fn mirror(ctx: &Ctx) -> miette::Result<String> {
    if let Some(mirror) = &ctx.mirror {
        return Ok(mirror.clone());
    }
    const FORMAT: &str = "$(REPO_URI) $(COMPONENT) $(CREATED_BY)";
    let listed = step::host_output(Command::new("apt-get").args(["indextargets", "--format", FORMAT]));
    listed.ok().and_then(|text| first_archive(&text)).ok_or_else(|| {
        miette::miette!(
            help = "name one with --mirror URL; it has to carry the suites of kernel-config/sources.toml",
            "this host's apt knows no package mirror"
        )
    })
}

/// The first archive in the output of `apt-get indextargets` that is a release's own, not its security updates.
fn first_archive(targets: &str) -> Option<String> {
    let packages_of_main = |line: &str| {
        let mut words = line.split_whitespace();
        let uri = words.next()?;
        (words.next()? == "main" && words.next()? == "Packages").then(|| uri.trim_end_matches('/').to_owned())
    };
    targets.lines().filter_map(packages_of_main).find(|uri| !uri.ends_with("-security"))
}

/// One package as it was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Package {
    /// The version, such as `7.3.4-1~bpo13+1`.
    pub(crate) version: String,
    /// The SHA-256 of its archive.
    pub(crate) sha256: String,
}

/// Packages by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Packages(BTreeMap<String, Package>);

/// One package that is not what the lock says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Difference {
    /// The package.
    pub(crate) package: String,
    /// The locked version; none if the lock does not have the package.
    pub(crate) locked: Option<String>,
    /// The version in use; none if the package is not there.
    pub(crate) used: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".to_owned());
        write!(f, "{}: locked {}, used {}", self.package, or_none(&self.locked), or_none(&self.used))
    }
}

impl Packages {
    /// Reads lines of name, version and SHA-256; `#` starts a comment line.
    pub(crate) fn parse(text: &str, path: &Path) -> miette::Result<Self> {
        let mut packages = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words: Vec<_> = line.split_whitespace().collect();
            let [name, version, sha256] = words[..] else {
                miette::bail!(
                    help = "`cargo xtask lock` writes the file anew",
                    "{}:{}: expected a name, a version and a SHA-256",
                    path.display(),
                    index + 1
                );
            };
            packages
                .insert(name.to_owned(), Package { version: version.to_owned(), sha256: sha256.to_owned() });
        }
        Ok(Self(packages))
    }

    /// Reads a file of such lines.
    pub(crate) fn read(path: &Path) -> miette::Result<Self> {
        Self::parse(&files::read(path)?, path)
    }

    /// Reads a lock file; that there is none is no error.
    pub(crate) fn read_lock(path: &Path) -> miette::Result<Option<Self>> {
        match fs::exists(path).into_diagnostic()? {
            true => Self::read(path).map(Some),
            false => Ok(None),
        }
    }

    /// Reads the paragraphs that `apt-cache show` prints.
    pub(crate) fn from_apt(paragraphs: &str) -> Self {
        let field = |paragraph: &str, name: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
        };
        let package = |paragraph: &str| {
            let (version, sha256) = (field(paragraph, "Version:")?, field(paragraph, "SHA256:")?);
            Some((field(paragraph, "Package:")?, Package { version, sha256 }))
        };
        Self(paragraphs.split("\n\n").filter_map(package).collect())
    }

    /// The lines that [`Packages::parse`] reads.
    pub(crate) fn to_text(&self) -> String {
        self.0
            .iter()
            .map(|(name, package)| format!("{name} {} {}\n", package.version, package.sha256))
            .collect()
    }

    /// The version of one package.
    pub(crate) fn version(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|package| package.version.as_str())
    }

    /// All packages in name order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Package)> {
        self.0.iter().map(|(name, package)| (name.as_str(), package))
    }

    /// What apt has to be told so that it takes these versions wherever the mirror still has them.
    pub(crate) fn preferences(&self) -> String {
        let pin = |(name, package): (&str, &Package)| {
            format!("Package: {name}\nPin: version {}\nPin-Priority: 1001\n\n", package.version)
        };
        self.iter().map(pin).collect()
    }

    /// Where `used` is not what this lock says, in version or in content.
    pub(crate) fn differences(&self, used: &Self) -> Vec<Difference> {
        let mut names: Vec<_> = self.0.keys().chain(used.0.keys()).collect();
        names.sort();
        names.dedup();
        let version = |packages: &Self, name: &str| packages.version(name).map(str::to_owned);
        names
            .into_iter()
            .filter(|name| self.0.get(*name) != used.0.get(*name))
            .map(|name| Difference {
                package: name.clone(),
                locked: version(self, name),
                used: version(used, name),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(text: &str) -> Packages {
        Packages::parse(text, Path::new("x.lock")).unwrap()
    }

    #[test]
    fn the_first_archive_of_main_is_the_mirror() {
        let targets = "http://a.example/debian-security/ main Packages\n\
                       http://b.example/debian/ main DEP-11\n\
                       http://b.example/debian/ contrib Packages\n\
                       http://c.example/debian/ main Packages\n\
                       http://d.example/debian/ main Packages\n";
        assert_eq!(first_archive(targets).unwrap(), "http://c.example/debian");
        assert_eq!(first_archive(""), None);
    }

    #[test]
    fn lines_survive_a_round_trip() {
        let text = "a 1.0-1 00\nb 2:3~rc1 11\n";
        assert_eq!(packages(&format!("# comment\n{text}")).to_text(), text);
    }

    #[test]
    fn a_malformed_line_is_named() {
        let error = Packages::parse("a 1 00\nb 2\n", Path::new("kernel-config/tools.lock")).unwrap_err();
        assert!(error.to_string().starts_with("kernel-config/tools.lock:2:"), "{error}");
    }

    #[test]
    fn paragraphs_of_apt_are_read() {
        let text =
            "Package: make\nVersion: 4.4.1-2\nSHA256: ab\nDescription: x\n\nPackage: local\nVersion: 1\n";
        assert_eq!(Packages::from_apt(text).to_text(), "make 4.4.1-2 ab\n");
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let lock = packages("gone 1 00\nnewer 1 00\nrebuilt 1 00\nsame 1 00\n");
        let used = packages("extra 1 00\nnewer 2 22\nrebuilt 1 33\nsame 1 00\n");
        let told: Vec<_> = lock.differences(&used).iter().map(Difference::to_string).collect();
        assert_eq!(
            told,
            [
                "extra: locked none, used 1",
                "gone: locked 1, used none",
                "newer: locked 1, used 2",
                "rebuilt: locked 1, used 1"
            ]
        );
        assert_eq!(lock.differences(&lock), []);
    }
}
