// SPDX-License-Identifier: GPL-2.0-only
//! What PERSISTENT RESERVE IN answers (SPC-4 6.13). Each returns how many bytes of `out` hold the answer.

use super::pr::View;
use super::writer::Writer;

/// READ KEYS.
pub fn keys(view: View<'_>, out: &mut [u8]) -> usize {
    let mut w = Writer::new(out);
    w.u32(view.head.generation);
    w.u32(be_len(view.registrants.len().saturating_mul(8)));
    for registrant in view.registrants {
        w.u64(registrant.key);
    }
    w.stored()
}

/// READ RESERVATION.
pub fn reservation(view: View<'_>, out: &mut [u8]) -> usize {
    let mut w = Writer::new(out);
    w.u32(view.head.generation);
    match (view.head.reservation, view.holder_key()) {
        (Some(kind), Some(key)) => {
            w.u32(16);
            w.u64(key);
            w.u32(0);
            w.bytes(&[0, kind.code(), 0, 0]);
        }
        _ => w.u32(0),
    }
    w.stored()
}

/// REPORT CAPABILITIES: all types, RESERVE and RELEASE beside them, SPEC_I_PT, ALL_TG_PT; `keeps` says whether APTPL is
/// possible. The commands that tell of the unit alone pass every type.
pub fn capabilities(view: View<'_>, keeps: bool, out: &mut [u8]) -> usize {
    const CRH_SIP_ATP: u8 = 0x1C;
    const TMV_ALLOW_ALL: u8 = 0xC0;
    const TYPES: [u8; 2] = [0xEA, 0x01];
    let mut w = Writer::new(out);
    w.u16(8);
    w.u8(CRH_SIP_ATP | u8::from(keeps));
    w.u8(TMV_ALLOW_ALL | u8::from(view.head.aptpl));
    w.bytes(&TYPES);
    w.u16(0);
    w.stored()
}

/// READ FULL STATUS.
pub fn full_status(view: View<'_>, out: &mut [u8]) -> usize {
    let record = |id_len: usize| id_len.saturating_add(24);
    let len = view.registrants.iter().fold(0_usize, |sum, r| {
        sum.saturating_add(record(r.id.as_bytes().len()))
    });
    let mut w = Writer::new(out);
    w.u32(view.head.generation);
    w.u32(be_len(len));
    for registrant in view.registrants {
        let holder = view.is_holder(registrant);
        let kind = view
            .head
            .reservation
            .filter(|_| holder)
            .map_or(0, |kind| kind.code());
        w.u64(registrant.key);
        w.u32(0);
        w.bytes(&[u8::from(holder), kind]);
        w.u32(0);
        w.u16(registrant.port);
        w.u32(be_len(registrant.id.as_bytes().len()));
        w.bytes(registrant.id.as_bytes());
    }
    w.stored()
}

fn be_len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
