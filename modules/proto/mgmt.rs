// SPDX-License-Identifier: GPL-2.0-only
//! The words of SCST's management commands.

use core::num::IntErrorKind;

/// Why a management word is refused, as the errno the writer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// EINVAL: not a number, or not a word that is known here.
    Inval,
    /// ERANGE: a number, and too large.
    Range,
}

/// The segments of a write: separated by `;` or newline, ended by an empty one.
///
/// A value in double quotes is one word with all that is in it, see [`Words`].
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    rest: &'a str,
}

/// The words of a segment: separated by white space or `=`.
///
/// SCST knows no quoting, and takes a double quote for a character like any other. So do we, but where that leaves a
/// value no meaning: a double quote behind `=`, blanks or not, opens a value that may contain blanks, `=`, `;` and newlines,
/// up to the next double quote that a separator or the end of the write follows. The quotes are not part of it. A value
/// in quotes that needs none keeps them, as in SCST.
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
        let (segment, rest) = self.rest.split_at_checked(end_of_segment(self.rest))?;
        let rest = rest.get(1..).unwrap_or("");
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
        let skipped = self.rest.len().saturating_sub(text.len());
        let is_value = self
            .rest
            .get(..skipped)
            .is_some_and(|skipped| skipped.contains('='));
        if let Some((value, rest)) = is_value.then(|| quoted(text)).flatten() {
            self.rest = rest;
            return Some(value);
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

/// Where the first segment of `text` ends, in bytes.
fn end_of_segment(text: &str) -> usize {
    let mut behind_equals = false;
    let mut resume_at = 0;
    for (at, c) in text.char_indices() {
        if at < resume_at {
            continue;
        }
        match c {
            ';' | '\n' => return at,
            '"' if behind_equals => {
                if let Some((_, rest)) = text.get(at..).and_then(quoted) {
                    resume_at = text.len().saturating_sub(rest.len());
                }
                behind_equals = false;
            }
            '=' => behind_equals = true,
            c if is_separator(c) => {}
            _ => behind_equals = false,
        }
    }
    text.len()
}

/// The value in double quotes that `text` begins with, and what is behind it; `None` unless it needs the quotes.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let ends_word =
        |rest: &str| rest.is_empty() || rest.starts_with(|c| c == ';' || is_separator(c));
    let (value, rest) = text
        .match_indices('"')
        .filter_map(|(at, quote)| Some((text.get(..at)?, text.get(at..)?.strip_prefix(quote)?)))
        .find(|(_, rest)| ends_word(rest))?;
    value
        .contains(|c| c == ';' || is_separator(c))
        .then_some((value, rest))
}

const fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\x0B' | '\x0C' | '\n' | '=')
}

/// Whether `word` is the command word or parameter name `keyword`, in any case.
pub fn is(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

/// An unsigned number, base 0: `0x` hexadecimal, leading `0` octal, else decimal; a `+` may stand
/// before it.
pub fn number(word: &str) -> Result<u64, Error> {
    let word = word.strip_prefix('+').unwrap_or(word);
    let (digits, radix) = match word.as_bytes() {
        [b'0', b'x' | b'X', ..] => (word.get(2..).unwrap_or(""), 16),
        [b'0', _, ..] => (word.get(1..).unwrap_or(""), 8),
        _ => (word, 10),
    };
    // from_str_radix would take another sign.
    if digits.starts_with(['+', '-']) {
        return Err(Error::Inval);
    }
    u64::from_str_radix(digits, radix).map_err(|error| match error.kind() {
        IntErrorKind::PosOverflow => Error::Range,
        _ => Error::Inval,
    })
}

/// A signed number, base 0.
pub fn signed(word: &str) -> Result<i64, Error> {
    match word.strip_prefix('-') {
        None => i64::try_from(number(word)?).map_err(|_| Error::Range),
        Some(digits) if digits.starts_with('+') => Err(Error::Inval),
        Some(digits) => 0_i64
            .checked_sub_unsigned(number(digits)?)
            .ok_or(Error::Range),
    }
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
