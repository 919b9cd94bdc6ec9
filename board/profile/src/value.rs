// SPDX-License-Identifier: MIT OR Apache-2.0
//! The small value types a board is made of; each can only be built from text that was checked.

use serde::{Serialize, Serializer};
use std::fmt;

/// A size in bytes, written in a profile as `"64 MiB"`, `"64M"` or a plain number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// Binary units, largest first, with the spellings a profile may use.
const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl Size {
    /// A size of `bytes` bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Size(bytes)
    }

    /// A size of `mib` binary megabytes.
    pub const fn from_mib(mib: u64) -> Self {
        Size(mib << 20)
    }

    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Reads `"64 MiB"`, `"64MiB"`, `"64M"`, `"65536"` or `"512 B"`; units are powers of 1024.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the text, fit for a diagnostic.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = (&text[..digits], text[digits..].trim_start());
        if number.is_empty() {
            return Err("a size starts with a number".into());
        }
        let shift = shift_of(unit)?;
        let number: u64 = number.parse().map_err(|_| "the number is too large".to_string())?;
        number.checked_mul(1 << shift).map(Size).ok_or_else(|| "the size is beyond 16 EiB".into())
    }
}

/// The power of two that a unit stands for.
fn shift_of(unit: &str) -> Result<u32, String> {
    if unit.is_empty() || unit == "B" {
        return Ok(0);
    }
    for (name, shift) in UNITS {
        if unit == name || unit == &name[..1] {
            return Ok(shift);
        }
    }
    if let Some((name, _)) = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name)) {
        return Err(format!("the unit `{unit}` is written `{name}`"));
    }
    if unit.len() == 2 && unit.ends_with('B') {
        return Err(format!("the unit `{unit}` is ambiguous; sizes are binary: `{}iB`", &unit[..1]));
    }
    Err(format!("`{unit}` is not a unit; use KiB, MiB, GiB or TiB"))
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, shift) in UNITS {
            if self.0 != 0 && self.0 % (1 << shift) == 0 {
                return write!(f, "{} {name}", self.0 >> shift);
            }
        }
        write!(f, "{} B", self.0)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The value of an SCST attribute or parameter, as the profile gives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// A switch; written as `1` or `0`.
    Flag(bool),
    /// A number; written in decimal.
    Number(i64),
    /// A number; written in hexadecimal behind `0x`.
    Hex(i64),
    /// Text; written as it is.
    Text(String),
}

impl AttributeValue {
    /// True for a switch that is on.
    pub fn is_on(&self) -> bool {
        matches!(self, AttributeValue::Flag(true))
    }
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttributeValue::Flag(on) => f.write_str(if *on { "1" } else { "0" }),
            AttributeValue::Number(number) => number.fmt(f),
            AttributeValue::Hex(number) => write!(f, "0x{number:x}"),
            AttributeValue::Text(text) => f.write_str(text),
        }
    }
}

impl Pattern {
    /// Whether it may match more than one name.
    pub(crate) fn is_wild(&self) -> bool {
        self.0.contains(['*', '?', '!'])
    }
}

/// Defines a newtype over checked text.
macro_rules! text_type {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes text that the checker has accepted.
            pub(crate) fn checked(text: &str) -> Self {
                $name(text.to_string())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

text_type! {
    /// The board's name: lower-case letters, digits, `-` and `_`; also the name of its file and of its image.
    BoardName;
    /// A kernel module's name with underscores, as `lsmod` prints it.
    ModuleName;
    /// A Debian package's name.
    PackageName;
    /// A path inside the repository, relative to the profile's folder, without `..`.
    RelativePath;
    /// An absolute path on the appliance.
    DevicePath;
    /// A terminal's name below `/dev`, such as `ttyS0`.
    Tty;
    /// A disk's serial number, at most 20 characters.
    Serial;
    /// An SCST device's name, at most 64 characters.
    DeviceName;
    /// An SCST target's name.
    TargetName;
    /// A session's name, unique over all targets of the board.
    SessionName;
    /// The name of an initiator group, device group or target group.
    GroupName;
    /// An initiator pattern: `*`, `?` and one `!` are wild.
    Pattern;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_every_spelling() {
        for text in ["64 MiB", "64MiB", "64M", "67108864", "67108864 B", "65536 KiB", " 64  MiB "] {
            assert_eq!(Size::parse(text), Ok(Size::from_mib(64)), "{text}");
        }
    }

    #[test]
    fn sizes_print_in_the_largest_unit_that_is_exact() {
        for text in ["64 MiB", "1 TiB", "1536 MiB", "512 B", "0 B", "3 KiB"] {
            assert_eq!(Size::parse(text).map(|s| s.to_string()), Ok(text.to_string()));
        }
    }

    #[test]
    fn wrong_sizes_say_why() {
        for (text, why) in [
            ("", "starts with a number"),
            ("MiB", "starts with a number"),
            ("-1", "starts with a number"),
            ("64 MB", "`MiB`"),
            ("64 mib", "written `MiB`"),
            ("64 parsecs", "not a unit"),
            ("17179869184 GiB", "beyond 16 EiB"),
            ("99999999999999999999", "too large"),
        ] {
            let error = Size::parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
