// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where profile text comes from: the caller's loader, so that this crate touches no file.

/// The text of one profile and the path to show for it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path that messages name; also what tells two profiles apart.
    pub path: String,
    /// The TOML text.
    pub text: String,
}

/// Finds profiles by name. A closure `Fn(&str) -> Result<Source, String>` is a loader too.
pub trait Loader {
    /// The profile called `name` (as in `inherit = ["base"]`, or what the user gave for the board).
    ///
    /// # Errors
    /// One sentence saying why it cannot be had, for example `no file board/bsae.toml`.
    fn load(&self, name: &str) -> Result<Source, String>;

    /// All names there are, for "did you mean".
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<F: Fn(&str) -> Result<Source, String>> Loader for F {
    fn load(&self, name: &str) -> Result<Source, String> {
        self(name)
    }
}
