// SPDX-License-Identifier: GPL-2.0-only
//! The words of SCST's management commands.

/// Why a management word is refused, as the errno the writer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// EINVAL: not a number, or not a word that is known here.
    Inval,
    /// ERANGE: a number, and too large.
    Range,
}

/// The segments of a write: separated by `;` or newline, ended by an empty one.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    rest: &'a str,
}

/// The words of a segment: separated by white space or `=`.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    rest: &'a str,
}

/// Splits a write into segments.
pub const fn segments(text: &str) -> Segments<'_> {
    Segments { rest: text }
}

/// Splits a segment into words.
pub const fn words(segment: &str) -> Words<'_> {
    Words { rest: segment }
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (segment, rest) = match self.rest.split_once([';', '\n']) {
            Some((segment, rest)) => (segment, rest),
            None => (self.rest, ""),
        };
        if segment.trim_matches(is_separator).is_empty() {
            self.rest = "";
            return None;
        }
        self.rest = rest;
        Some(segment)
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start_matches(is_separator);
        if text.is_empty() {
            return None;
        }
        let (word, rest) = text.split_at_checked(text.find(is_separator).unwrap_or(text.len()))?;
        self.rest = rest;
        Some(word)
    }
}

impl<'a> Words<'a> {
    /// The next word, or EINVAL where there is none.
    pub fn required(&mut self) -> Result<&'a str, Error> {
        self.next().ok_or(Error::Inval)
    }

    /// EINVAL if a word is left over.
    pub fn end(mut self) -> Result<(), Error> {
        match self.next() {
            Some(_) => Err(Error::Inval),
            None => Ok(()),
        }
    }

    /// What follows the words taken so far, without blanks at either end; empty if nothing does.
    pub fn rest(&self) -> &'a str {
        self.rest.trim_matches(is_separator)
    }
}

const fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\x0B' | '\x0C' | '\n' | '=')
}

/// Whether `word` is the command word or parameter name `keyword`, in any case.
pub fn is(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

/// An unsigned number, base 0: `0x` hexadecimal, leading `0` octal, else decimal.
pub fn number(_word: &str) -> Result<u64, Error> {
    Err(Error::Inval)
}

/// A signed number, base 0.
pub fn signed(_word: &str) -> Result<i64, Error> {
    Err(Error::Inval)
}

/// A number of at most `max`; a larger one is ERANGE.
pub fn number_to(word: &str, max: u64) -> Result<u64, Error> {
    number(word).and_then(|value| {
        if value > max {
            Err(Error::Range)
        } else {
            Ok(value)
        }
    })
}

/// A flag: exactly 0 or 1; any other number is EINVAL.
pub fn flag(word: &str) -> Result<bool, Error> {
    match number(word)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::Inval),
    }
}
