// SPDX-License-Identifier: GPL-2.0-only
//! Persistent reservations as the text of the attribute `pr_state`.

use super::pr::{count, Head, Kind, Registrant, State, View};
use super::pr_id::{TransportId, MAX_LEN};
use core::fmt::{self, Write};

/// The text does not describe a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Prints a state.
pub fn print(view: View<'_>, out: &mut impl Write) -> fmt::Result {
    writeln!(out, "version 1\ngeneration {}", view.head.generation)?;
    if let Some(kind) = view.head.reservation {
        writeln!(out, "reservation {:02x} {:02x}", kind.code(), 0)?;
    }
    for Registrant {
        id,
        port,
        key,
        holder,
    } in view.registrants
    {
        let (holder, len) = (u8::from(*holder), id.as_bytes().len());
        writeln!(out, "registrant {port} {key:016x} {holder} {len} {id:?}")?;
    }
    Ok(())
}

/// How many registrants a text has, at most.
pub fn registrants(text: &str) -> usize {
    count(lines(text).filter(|line| line.starts_with(REGISTRANT)))
}

/// The lines that say something. A set of one character is looked for without an index that could panic.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
}

const REGISTRANT: &str = "registrant";

/// Reads a text into `slots`, which have room for its registrants. Whether the state is kept over a loss of power is
/// not in the text.
pub fn parse(text: &str, slots: &mut [Registrant]) -> Result<Head, Malformed> {
    let mut head = Head::default();
    let mut lines = lines(text);
    if lines.next() != Some("version 1") {
        return Err(Malformed);
    }
    let generation = lines
        .next()
        .and_then(|line| line.strip_prefix("generation "));
    head.generation = generation
        .and_then(|n| n.trim().parse().ok())
        .ok_or(Malformed)?;
    for line in lines {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("reservation") if head.reservation.is_none() && head.used == 0 => {
                head.reservation = Some(reservation(&mut words)?);
            }
            Some(REGISTRANT) => {
                *slots.get_mut(head.used).ok_or(Malformed)? = registrant(&mut words)?;
                head.used = head.used.saturating_add(1);
            }
            _ => return Err(Malformed),
        }
        if words.next().is_some() {
            return Err(Malformed);
        }
    }
    let state = State { head, slots };
    if state.view().is_consistent() {
        Ok(head)
    } else {
        Err(Malformed)
    }
}

fn reservation<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Kind, Malformed> {
    let kind = words
        .next()
        .and_then(|word| u8::from_str_radix(word, 16).ok());
    let scope = words
        .next()
        .and_then(|word| u8::from_str_radix(word, 16).ok());
    match (kind.and_then(Kind::from_code), scope) {
        (Some(kind), Some(0)) => Ok(kind),
        _ => Err(Malformed),
    }
}

fn registrant<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Registrant, Malformed> {
    let mut word = || words.next().ok_or(Malformed);
    let port = word()?.parse().map_err(|_| Malformed)?;
    let key = u64::from_str_radix(word()?, 16).map_err(|_| Malformed)?;
    let holder = match word()? {
        "0" => false,
        "1" => true,
        _ => return Err(Malformed),
    };
    let len: usize = word()?.parse().map_err(|_| Malformed)?;
    let id = transport_id(word()?, len)?;
    Ok(Registrant {
        id,
        port,
        key,
        holder,
    })
}

fn transport_id(digits: &str, len: usize) -> Result<TransportId, Malformed> {
    let mut bytes = [0_u8; MAX_LEN];
    let field = bytes.get_mut(..len).ok_or(Malformed)?;
    if digits.len() != len.saturating_mul(2) {
        return Err(Malformed);
    }
    for (byte, pair) in field.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let pair = core::str::from_utf8(pair).map_err(|_| Malformed)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| Malformed)?;
    }
    match TransportId::stored(field) {
        Ok(id) if id.as_bytes().len() == len => Ok(id),
        _ => Err(Malformed),
    }
}
