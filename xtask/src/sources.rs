// SPDX-License-Identifier: MIT OR Apache-2.0
//! `kernel-config/sources.toml`: which kernel, and which Debian release its tools come from.

use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Deserialize;

use crate::ctx::Ctx;
use crate::files;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sources {
    /// Seconds since 1970 that outputs carry as their time.
    pub(crate) source_date_epoch: u64,
    /// `[kernel]`.
    pub(crate) kernel: KernelSource,
    /// `[tools]`.
    pub(crate) tools: ToolsSource,
}

/// `[kernel]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KernelSource {
    /// Such as `7.3`.
    pub(crate) series: String,
    /// The suite that has the package.
    pub(crate) suite: String,
    /// The major version of clang and LLVM; `{llvm}` in the names of packages stands for it.
    pub(crate) llvm: u32,
}

impl KernelSource {
    /// The Debian package with the sources.
    pub(crate) fn package(&self) -> String {
        format!("linux-source-{}", self.series)
    }

    /// The Debian packages of the kernel's C compiler, linker and binary tools.
    pub(crate) fn llvm_packages(&self) -> [String; 3] {
        ["clang", "lld", "llvm"].map(|name| format!("{name}-{}", self.llvm))
    }
}

/// `[tools]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolsSource {
    /// The Debian release.
    pub(crate) suite: String,
    /// Names of source packages that come from the suite of the kernel's sources instead, which is a release's backports.
    pub(crate) from_kernel_suite: Vec<String>,
    /// What is installed in it.
    pub(crate) packages: Vec<String>,
}

impl Sources {
    /// What apt has to be told so that it takes the newest of those packages from there, whatever it has of them elsewhere.
    pub(crate) fn preferences(&self) -> String {
        let suite = &self.kernel.suite;
        let pin =
            |name: &String| format!("Package: src:{name}\nPin: release n={suite}\nPin-Priority: 990\n\n");
        self.tools.from_kernel_suite.iter().map(pin).collect()
    }

    /// Reads the repository's file.
    pub(crate) fn read(ctx: &Ctx) -> miette::Result<Self> {
        let path = ctx.root.join("kernel-config/sources.toml");
        Self::parse(&files::read(&path)?).wrap_err_with(|| format!("in {}", path.display()))
    }

    fn parse(text: &str) -> miette::Result<Self> {
        let mut sources: Self = toml::from_str(text).into_diagnostic()?;
        let llvm = sources.kernel.llvm.to_string();
        for name in &mut sources.tools.packages {
            *name = name.replace("{llvm}", &llvm);
        }
        let mut missing = sources.kernel.llvm_packages().to_vec();
        missing.retain(|name| !sources.tools.packages.contains(name));
        if !missing.is_empty() {
            miette::bail!(
                help = "write them there with {{llvm}} in the place of the number",
                "[tools] packages lacks what compiles the kernel: {}",
                missing.join(", ")
            );
        }
        Ok(sources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(packages: &str) -> String {
        format!(
            "source_date_epoch = 1\n[kernel]\nseries = \"7.3\"\nsuite = \"s\"\nllvm = 21\n\
             [tools]\nsuite = \"s\"\nfrom_kernel_suite = []\npackages = [{packages}]\n"
        )
    }

    #[test]
    fn one_number_names_every_package_of_llvm() {
        let sources =
            Sources::parse(&text(r#""clang-{llvm}", "lld-{llvm}", "llvm-{llvm}", "make""#)).unwrap();
        assert_eq!(sources.tools.packages, ["clang-21", "lld-21", "llvm-21", "make"]);
    }

    #[test]
    fn a_package_with_another_number_is_named() {
        let error = Sources::parse(&text(r#""clang-{llvm}", "lld-19", "llvm-{llvm}""#)).unwrap_err();
        assert_eq!(error.to_string(), "[tools] packages lacks what compiles the kernel: lld-21");
    }
}
