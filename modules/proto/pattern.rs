// SPDX-License-Identifier: GPL-2.0-only
//! Patterns that initiators' names are matched with, as SCST's groups have them.
//!
//! `*` stands for any run of characters, `?` for one; case does not count. The first `!` turns the result of matching
//! what follows it around, so that `!iqn.*` matches every name that does not begin with `iqn.`.

/// Whether `name` fits `pattern`. Takes at most time in proportion to the product of the lengths.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('!') {
        None => glob(pattern.as_bytes(), name.as_bytes()),
        Some(("", rest)) => !glob(rest.as_bytes(), name.as_bytes()),
        Some((head, rest)) => inverted_behind(head.as_bytes(), rest.as_bytes(), name.as_bytes()),
    }
}

/// `head!rest`: some beginning of `name` fits `head`, and what is behind it does not fit `rest`.
fn inverted_behind(head: &[u8], rest: &[u8], name: &[u8]) -> bool {
    (0..=name.len()).any(|cut| {
        name.split_at_checked(cut)
            .is_some_and(|(start, end)| glob(head, start) && !glob(rest, end))
    })
}

/// Whether `name` fits `pattern`, a `!` being a character like others.
///
/// Only the last `*` is ever tried again: what an earlier one took cannot help a later one.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p = p.saturating_add(1);
            }
            Some(b'?') => (p, n) = (p.saturating_add(1), n.saturating_add(1)),
            Some(q) if q.eq_ignore_ascii_case(c) => {
                (p, n) = (p.saturating_add(1), n.saturating_add(1));
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken = taken.saturating_add(1);
                    (p, n) = (at.saturating_add(1), *taken);
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .is_none_or(|rest| rest.iter().all(|c| *c == b'*'))
}
