// SPDX-License-Identifier: GPL-2.0-only
//! The file that keeps registrations and a reservation over a loss of power.
//!
//! Its layout is SCST's: a signature, a version, four bytes about the reservation, and a record for each registrant.
//! Numbers are in the machine's byte order but for the keys. It is written with a signature of 0 first, so that a file
//! that was not finished is known by it.

use super::pr::{count, Head, Kind, Registrant, State, View};
use super::pr_id::TransportId;
use super::writer::Writer;

/// What a whole file begins with.
pub const SIGNATURE: [u8; 8] = 0xBBEE_EEAA_EEBB_DD77_u64.to_ne_bytes();
const VERSION: [u8; 8] = 1_u64.to_ne_bytes();
/// TYPE where nothing is reserved.
const NO_TYPE: u8 = 0xFF;
/// Bytes before the first record.
const HEADER: usize = 20;
/// Bytes of a record beside its TransportID.
const RECORD: usize = 11;

/// Not a file of ours, or not a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Bytes of the file for a state.
pub fn len(view: View<'_>) -> usize {
    view.registrants.iter().fold(HEADER, |sum, r| {
        sum.saturating_add(RECORD)
            .saturating_add(r.id.as_bytes().len())
    })
}

/// Writes the file as it is before its signature; the signature then takes the place of the first eight bytes. Returns
/// how many bytes of `out` hold it.
pub fn write(view: View<'_>, out: &mut [u8]) -> usize {
    let mut w = Writer::new(out);
    w.u64(0);
    w.bytes(&VERSION);
    let (is_set, kind) = match view.head.reservation {
        Some(kind) => (1, kind.code()),
        None => (0, NO_TYPE),
    };
    w.bytes(&[u8::from(view.head.aptpl), is_set, kind, 0]);
    for registrant in view.registrants {
        w.u8(u8::from(registrant.holder));
        w.bytes(registrant.id.as_bytes());
        w.u64(registrant.key);
        w.bytes(&registrant.port.to_ne_bytes());
    }
    w.stored()
}

/// How many registrants a file has.
pub fn registrants(file: &[u8]) -> Result<usize, Broken> {
    let mut records = Records(file.get(HEADER..).ok_or(Broken)?);
    let count = count(&mut records);
    if records.0.is_empty() {
        Ok(count)
    } else {
        Err(Broken)
    }
}

/// Reads a file into `slots`, which have room for its registrants. The generation counts from 0 again.
pub fn read(file: &[u8], slots: &mut [Registrant]) -> Result<Head, Broken> {
    let (signature, rest) = file.split_first_chunk::<8>().ok_or(Broken)?;
    let (version, rest) = rest.split_first_chunk::<8>().ok_or(Broken)?;
    let ([aptpl, is_set, kind, scope], rest) = rest.split_first_chunk::<4>().ok_or(Broken)?;
    if *signature != SIGNATURE || *version != VERSION || *scope != 0 || *is_set > 1 || *aptpl > 1 {
        return Err(Broken);
    }
    let reservation = match is_set {
        0 => None,
        _ => Some(Kind::from_code(*kind).ok_or(Broken)?),
    };
    let mut records = Records(rest);
    let mut used: usize = 0;
    for mut registrant in &mut records {
        registrant.holder &= reservation.is_some_and(|kind| !kind.is_all_registrants());
        *slots.get_mut(used).ok_or(Broken)? = registrant;
        used = used.saturating_add(1);
    }
    let head = Head {
        generation: 0,
        aptpl: *aptpl != 0,
        reservation,
        used,
    };
    let state = State { head, slots };
    if records.0.is_empty() && state.view().is_consistent() {
        Ok(head)
    } else {
        Err(Broken)
    }
}

/// The records, as far as they are whole.
struct Records<'a>(&'a [u8]);

impl Iterator for Records<'_> {
    type Item = Registrant;

    fn next(&mut self) -> Option<Registrant> {
        let (holder, rest) = self.0.split_first()?;
        let id = TransportId::stored(rest).ok()?;
        let rest = rest.get(id.as_bytes().len()..)?;
        let (key, rest) = rest.split_first_chunk::<8>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(Registrant {
            id,
            port: u16::from_ne_bytes(*port),
            key: u64::from_be_bytes(*key),
            holder: *holder != 0,
        })
    }
}
