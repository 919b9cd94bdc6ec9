// SPDX-License-Identifier: GPL-2.0-only
//! Which commands a reservation stops, as the tables of SPC-4, SBC-3 and SPC-2 have it.

mod common;

use common::hex;
use proto::cdb::parse;
use proto::optable::TABLE;
use proto::pr::Kind;
use proto::pr_access::{compatible, Access, Compatible, Standing};

const WRITE_EXCLUSIVE: [u8; 3] = [1, 5, 7];
const EXCLUSIVE_ACCESS: [u8; 3] = [3, 6, 8];

/// Command, passes a stranger's way through Write Exclusive, Exclusive Access, and RESERVE of another nexus.
const PASSES: &[(&str, bool, bool, bool)] = &[
    ("00 00 00 00 00 00", true, true, false),
    ("03 00 00 00 12 00", true, true, true),
    ("12 00 00 00 24 00", true, true, true),
    ("1a 00 3f 00 ff 00", true, true, false),
    ("15 10 00 00 18 00", false, false, false),
    ("25 00 00 00 00 00 00 00 00 00", true, true, true),
    (
        "9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00",
        true,
        true,
        true,
    ),
    ("28 00 00 00 00 00 00 00 01 00", true, false, false),
    ("2f 00 00 00 00 00 00 00 01 00", true, false, false),
    ("2a 00 00 00 00 00 00 00 01 00", false, false, false),
    ("2e 00 00 00 00 00 00 00 01 00", false, false, false),
    ("41 00 00 00 00 00 00 00 01 00", false, false, false),
    ("42 00 00 00 00 00 00 00 18 00", false, false, false),
    (
        "89 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00",
        false,
        false,
        false,
    ),
    ("04 00 00 00 00 00", false, false, false),
    ("35 00 00 00 00 00 00 00 00 00", false, false, false),
    ("1b 00 00 00 01 00", true, true, true),
    ("1b 00 00 00 00 00", false, false, false),
    ("1b 00 00 00 03 00", false, false, false),
    ("1b 00 00 00 11 00", false, false, false),
    ("1d 04 00 00 00 00", false, false, false),
    ("1e 00 00 00 00 00", true, true, true),
    ("1e 00 00 00 01 00", false, false, false),
    ("4c 00 00 00 00 00 00 00 00 00", false, false, false),
    ("4d 00 00 00 00 00 00 00 ff 00", true, true, true),
    ("a0 00 00 00 00 00 00 00 01 00 00 00", true, true, true),
    ("a3 0a 00 00 00 00 00 00 01 00 00 00", true, true, true),
    ("a3 0c 00 00 00 00 00 00 10 00 00 00", true, true, false),
    ("a4 0a 00 00 00 00 00 00 00 08 00 00", false, false, false),
    (
        "9e 12 00 00 00 00 00 00 00 00 00 00 00 20 00 00",
        true,
        false,
        false,
    ),
    ("16 00 00 00 00 00", true, true, false),
    ("17 00 00 00 00 00", true, true, true),
    ("5e 00 00 00 00 00 00 00 ff 00", true, true, false),
    ("5f 00 00 00 00 00 00 00 18 00", true, true, false),
];

#[test]
fn what_passes() {
    for (cdb, writers, readers, reserve) in PASSES {
        let decoded = parse(&hex(cdb)).expect("a command");
        let (access, command) = (decoded.op.access, decoded.command);
        for (kinds, passes) in [(WRITE_EXCLUSIVE, writers), (EXCLUSIVE_ACCESS, readers)] {
            for kind in kinds.into_iter().filter_map(Kind::from_code) {
                let name = decoded.op.name;
                let stranger = access.passes_persistent(&command, kind, Standing::Stranger);
                assert_eq!(stranger, *passes, "{name} of a stranger under {kind:?}");
                assert!(
                    access.passes_persistent(&command, kind, Standing::Holder),
                    "{name} of the holder"
                );
                let registrant = access.passes_persistent(&command, kind, Standing::Registrant);
                let single = matches!(kind, Kind::WriteExclusive | Kind::ExclusiveAccess);
                assert_eq!(
                    registrant,
                    !single || *passes,
                    "{name} of a registrant under {kind:?}"
                );
            }
        }
        assert_eq!(
            access.passes_reserve(&command, false),
            *reserve,
            "{} under RESERVE",
            decoded.op.name
        );
        // Persistent reservations and RESERVE exclude each other, whoever asks.
        let own = access.passes_reserve(&command, true);
        assert_eq!(
            own,
            access != Access::Persistent,
            "{} of the holder of RESERVE",
            decoded.op.name
        );
    }
}

#[test]
fn what_writes_never_passes() {
    for op in TABLE.iter().filter(|op| op.is_write()) {
        assert_eq!(op.access, Access::Change, "{}", op.name);
    }
}

#[test]
fn reserve_beside_registrants() {
    use Compatible::{Conflict, Nothing, Proceed};
    use Standing::{Holder, Registrant, Stranger};
    let kind = Kind::from_code;
    for (reservation, registered, standing, expected) in [
        (None, false, Stranger, Proceed),
        (None, true, Registrant, Conflict),
        (None, true, Stranger, Conflict),
        (kind(1), true, Holder, Nothing),
        (kind(1), true, Registrant, Conflict),
        (kind(5), true, Registrant, Nothing),
        (kind(8), true, Holder, Nothing),
        (kind(5), true, Stranger, Conflict),
    ] {
        assert_eq!(compatible(reservation, registered, standing), expected);
    }
}
