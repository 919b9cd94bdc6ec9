// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kernel configuration fragments: what they request, and whether the final configuration has it.

use std::path::Path;

use crate::files;
use crate::kconfig_tree::{self, Tree};

/// One fragment file.
#[derive(Debug, Clone)]
pub(crate) struct Fragment {
    name: String,
    text: String,
}

impl Fragment {
    /// Reads the file at `path`; messages call it `name`.
    pub(crate) fn read(name: &str, path: &Path) -> miette::Result<Self> {
        Ok(Self { name: name.to_owned(), text: files::read(path)? })
    }

    /// The path that messages show.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The file's content.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Every line that asks for something, with its number.
    fn requests(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end()));
        numbered.filter(|(_, line)| symbol(line).is_some())
    }
}

/// The symbol that a configuration line is about, without `CONFIG_`.
pub(crate) fn symbol(line: &str) -> Option<&str> {
    let set = line.strip_prefix("CONFIG_").and_then(|rest| rest.split_once('=')).map(|(name, _)| name);
    set.or_else(|| line.strip_prefix("# CONFIG_")?.strip_suffix(" is not set"))
}

/// A request that the final configuration does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The fragment's name.
    pub(crate) fragment: String,
    /// The line's number, from 1.
    pub(crate) line: usize,
    /// The line as it stands in the fragment.
    pub(crate) requested: String,
    /// The symbol, without `CONFIG_`.
    pub(crate) symbol: String,
}

/// Every requested line that `config` does not have. A later fragment may overrule an earlier one.
pub(crate) fn missing(fragments: &[Fragment], config: &str) -> Vec<Missing> {
    let have: std::collections::HashSet<_> = config.lines().collect();
    let mut missing = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        let later = &fragments[index + 1..];
        for (line, requested) in fragment.requests() {
            let symbol = symbol(requested).expect("a request names a symbol");
            let overruled = later.iter().any(|f| f.requests().any(|(_, l)| self::symbol(l) == Some(symbol)));
            // An option that does not exist in this configuration at all is as good as one that is switched off.
            let absent_is_fine = requested.starts_with('#') && value(config, symbol) == "n";
            if !overruled && !have.contains(requested) && !absent_is_fine {
                missing.push(Missing {
                    fragment: fragment.name.clone(),
                    line,
                    requested: requested.to_owned(),
                    symbol: symbol.to_owned(),
                });
            }
        }
    }
    missing
}

/// The value of `symbol` in a configuration; `n` if it is off or not there.
pub(crate) fn value<'a>(config: &'a str, symbol: &str) -> &'a str {
    let set = |line: &'a str| line.strip_prefix("CONFIG_")?.strip_prefix(symbol)?.strip_prefix('=');
    config.lines().find_map(set).unwrap_or("n")
}

/// The error for requests that were dropped: each with its place, what became of it, and what it would have needed.
pub(crate) fn explain(missing: &[Missing], config: &str, source: &Path) -> miette::Report {
    let tree = Tree::read(source);
    let told: Vec<_> = missing.iter().map(|request| tell(request, config, &tree)).collect();
    miette::miette!(
        help = "add the options that are off to a fragment, or take the line out; `cargo xtask menuconfig` shows \
                where an option stands",
        "the kernel's configuration dropped {} of the requested lines:\n{}",
        missing.len(),
        told.join("\n")
    )
}

fn tell(request: &Missing, config: &str, tree: &Tree) -> String {
    let Missing { fragment, line, requested, symbol } = request;
    let place = format!("{fragment}:{line}: {requested}");
    let got = value(config, symbol);
    let definitions = tree.definitions(symbol);
    if definitions.is_empty() {
        return format!("{place}\n    this kernel has no option CONFIG_{symbol}");
    }
    let mut text = format!("{place}\n    it is CONFIG_{symbol}={got} instead");
    for definition in definitions {
        let unmet = kconfig_tree::unmet(&definition.depends, &|name| value(config, name).to_owned());
        for (condition, off) in &unmet {
            let off: Vec<_> =
                off.iter().map(|name| format!("CONFIG_{name}={}", value(config, name))).collect();
            text += &format!("\n    unmet: depends on {condition}   ({})", off.join(", "));
        }
        if unmet.is_empty() && !definition.prompt {
            text += "\n    it cannot be chosen by itself: other options select it";
        }
        text += &format!("\n    defined in {}:{}", definition.file, definition.line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(name: &str, text: &str) -> Fragment {
        Fragment { name: name.into(), text: text.into() }
    }

    const CONFIG: &str = "CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_LOG=\"x\"\nCONFIG_LOCKED=y\n";

    #[test]
    fn a_dropped_option_is_found_with_its_place() {
        let base = fragment("base", "# words\nCONFIG_A=y\n\nCONFIG_RUST=y\n");
        let found = missing(&[base], CONFIG);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].fragment.as_str(), found[0].line, found[0].symbol.as_str()),
            ("base", 4, "RUST")
        );
    }

    #[test]
    fn another_value_than_asked_for_is_missing() {
        for wanted in ["CONFIG_B=y", "CONFIG_C=y", "# CONFIG_A is not set", "CONFIG_LOG=\"y\"", "CONFIG_A=m"]
        {
            assert_eq!(missing(&[fragment("f", wanted)], CONFIG).len(), 1, "{wanted}");
        }
        for wanted in ["CONFIG_B=m", "# CONFIG_C is not set", "# CONFIG_NEVER is not set", "CONFIG_LOG=\"x\""]
        {
            assert_eq!(missing(&[fragment("f", wanted)], CONFIG), [], "{wanted}");
        }
    }

    #[test]
    fn a_later_fragment_may_overrule() {
        let both = [fragment("base", "CONFIG_C=y\n"), fragment("board/x", "# CONFIG_C is not set\n")];
        assert_eq!(missing(&both, CONFIG), []);
    }

    #[test]
    fn the_message_names_the_unmet_dependency() {
        let dir = tempfile::tempdir().unwrap();
        let text = "config RUST\n\tbool \"Rust\"\n\tdepends on A && HAVE_RUST\n\tdepends on !LOCKED\n";
        std::fs::write(dir.path().join("Kconfig"), text).unwrap();
        let found = missing(&[fragment("rust.config", "CONFIG_RUST=y\nCONFIG_NONE=y\n")], CONFIG);
        let told = explain(&found, CONFIG, dir.path()).to_string();
        assert!(told.contains("rust.config:1: CONFIG_RUST=y"), "{told}");
        assert!(told.contains("unmet: depends on HAVE_RUST   (CONFIG_HAVE_RUST=n)"), "{told}");
        assert!(told.contains("unmet: depends on !LOCKED   (CONFIG_LOCKED=y)"), "{told}");
        assert!(told.contains("defined in Kconfig:1"), "{told}");
        assert!(
            told.contains("rust.config:2: CONFIG_NONE=y\n    this kernel has no option CONFIG_NONE"),
            "{told}"
        );
    }
}
