// SPDX-License-Identifier: GPL-2.0-only
//! Persistent reservations, action by action.

mod common;
#[path = "common/pr.rs"]
mod unit;

use common::hex;
use proto::pr::{Kind, Nexus, Refusal};
use proto::pr_access::Standing;
use proto::pr_id::{NoTransportId, TransportId};
use proto::sense::Sense;
use unit::{basic, check, initiator, moving, with_ids, Unit};

const REGISTER: u8 = 0;
const RESERVE: u8 = 1;
const RELEASE: u8 = 2;
const CLEAR: u8 = 3;
const PREEMPT: u8 = 4;
const PREEMPT_AND_ABORT: u8 = 5;
const REGISTER_AND_IGNORE: u8 = 6;
const MOVE: u8 = 7;

const CONFLICT: Result<proto::pr::Effect, Refusal> = Err(Refusal::Conflict);
const KINDS: [u8; 6] = [1, 3, 5, 6, 7, 8];

/// Initiators 1, 2 and 3 are registered with keys A1h, B1h and C1h.
fn three() -> Unit {
    let mut unit = Unit::default();
    for (n, key) in [(1, 0xA1), (2, 0xB1), (3, 0xC1)] {
        unit.out(n, REGISTER, 0, 0, key).expect("registered");
    }
    unit
}

fn standing(unit: &Unit, n: u8) -> Standing {
    unit.view().standing(Nexus {
        id: &initiator(n),
        port: 1,
    })
}

#[test]
fn registering_needs_the_own_key() {
    let mut unit = Unit::default();
    assert_eq!(unit.out(1, REGISTER, 0, 5, 0xA1), CONFLICT);
    let nothing = unit.out(1, REGISTER, 0, 0, 0).expect("nothing to do");
    assert!(!nothing.changed);
    assert_eq!(unit.head.generation, 0);
    unit.out(1, REGISTER, 0, 0, 0xA1).expect("registered");
    assert_eq!(unit.out(1, REGISTER, 0, 0x99, 0xA2), CONFLICT);
    assert_eq!(unit.out(1, REGISTER, 0, 0, 0xA2), CONFLICT);
    unit.out(1, REGISTER, 0, 0xA1, 0xA2).expect("another key");
    unit.out(1, REGISTER_AND_IGNORE, 0, 0x77, 0xA3)
        .expect("whatever the old one");
    assert_eq!((unit.keys(), unit.head.generation), (vec![0xA3], 3));
    unit.out(1, REGISTER_AND_IGNORE, 0, 0x77, 0)
        .expect("unregistered");
    assert_eq!((unit.keys(), unit.head.generation), (vec![], 4));
}

#[test]
fn strangers_and_wrong_keys_conflict() {
    for action in [
        RESERVE,
        RELEASE,
        CLEAR,
        PREEMPT,
        PREEMPT_AND_ABORT,
        REGISTER,
        MOVE,
    ] {
        let mut unit = three();
        let list = match action {
            MOVE => moving(0xA2, 0xD1, 0, 1, initiator(4).as_bytes()),
            _ => basic(0xA2, 0xB1, 0),
        };
        for n in [1, 9] {
            let sent = unit.send((&initiator(n), 1), [0x5F, action, 1], &list, &[1]);
            assert_eq!(sent, CONFLICT, "action {action} from {n}");
        }
        assert_eq!((unit.keys().len(), unit.head.generation), (3, 3));
    }
}

#[test]
fn who_holds_what() {
    for kind in KINDS {
        let mut unit = three();
        unit.out(1, RESERVE, kind, 0xA1, 0).expect("reserved");
        let all = kind >= 7;
        let others = if all {
            Standing::Holder
        } else {
            Standing::Registrant
        };
        assert_eq!(
            (standing(&unit, 1), standing(&unit, 2)),
            (Standing::Holder, others)
        );
        assert_eq!(standing(&unit, 9), Standing::Stranger);
        assert_eq!(unit.head.generation, 3, "RESERVE is not counted");
        assert!(
            !unit
                .out(1, RESERVE, kind, 0xA1, 0)
                .expect("as it is")
                .changed
        );
        let again = unit.out(2, RESERVE, kind, 0xB1, 0);
        assert_eq!(again.is_ok(), all, "type {kind}");
        for other in KINDS.into_iter().filter(|other| *other != kind) {
            assert_eq!(unit.out(1, RESERVE, other, 0xA1, 0), CONFLICT);
        }
    }
    for wrong in [0, 2, 4, 9, 15] {
        assert_eq!(
            three().out(1, RESERVE, wrong, 0xA1, 0),
            check(Sense::invalid_field_in_cdb_bit(2, 3))
        );
    }
    assert_eq!(
        three().out(1, RESERVE, 0x11, 0xA1, 0),
        check(Sense::invalid_field_in_cdb_bit(2, 7))
    );
}

#[test]
fn releasing_tells_those_who_shared() {
    for kind in KINDS {
        let mut unit = three();
        assert!(
            !unit
                .out(2, RELEASE, kind, 0xB1, 0)
                .expect("nothing reserved")
                .changed
        );
        unit.out(1, RESERVE, kind, 0xA1, 0).expect("reserved");
        if kind < 7 {
            assert!(
                !unit
                    .out(2, RELEASE, kind, 0xB1, 0)
                    .expect("not the holder")
                    .changed
            );
        }
        let wrong = if kind == 5 { 6 } else { 5 };
        assert_eq!(
            unit.out(1, RELEASE, wrong, 0xA1, 0),
            check(Sense::INVALID_RELEASE)
        );
        assert_eq!(unit.head.reservation, Kind::from_code(kind));
        let effect = unit.out(1, RELEASE, kind, 0xA1, 0).expect("released");
        let told = (kind >= 5).then_some(Sense::RESERVATIONS_RELEASED);
        assert_eq!((effect.remaining, effect.removed), (told, None));
        assert_eq!(
            (
                unit.head.reservation,
                unit.keys().len(),
                unit.head.generation
            ),
            (None, 3, 3)
        );
    }
}

#[test]
fn a_holder_who_leaves_releases() {
    for kind in KINDS {
        let mut unit = three();
        unit.out(1, RESERVE, kind, 0xA1, 0).expect("reserved");
        let effect = unit.out(1, REGISTER, 0, 0xA1, 0).expect("unregistered");
        let (told, stays) = match kind {
            1 | 3 => (None, false),
            5 | 6 => (Some(Sense::RESERVATIONS_RELEASED), false),
            _ => (None, true),
        };
        assert_eq!(effect.remaining, told);
        assert_eq!(unit.head.reservation.is_some(), stays, "type {kind}");
        unit.out(2, REGISTER, 0, 0xB1, 0).expect("unregistered");
        unit.out(3, REGISTER, 0, 0xC1, 0).expect("unregistered");
        assert_eq!(
            unit.head.reservation, None,
            "the last registrant of type {kind}"
        );
    }
}

#[test]
fn clearing_tells_everybody() {
    let mut unit = three();
    unit.out(1, RESERVE, 3, 0xA1, 0).expect("reserved");
    let effect = unit
        .out(2, CLEAR, 0, 0xB1, 0)
        .expect("cleared by a registrant");
    assert_eq!(
        (effect.removed, effect.remaining),
        (Some(Sense::RESERVATIONS_PREEMPTED), None)
    );
    assert_eq!(
        (unit.keys(), unit.head.reservation, unit.head.generation),
        (vec![], None, 4)
    );
}

#[test]
fn preempting_the_reservation_takes_it() {
    for kind in KINDS.into_iter().filter(|kind| *kind < 7) {
        let mut unit = three();
        unit.out(1, RESERVE, kind, 0xA1, 0).expect("reserved");
        let effect = unit.out(2, PREEMPT, 6, 0xB1, 0xA1).expect("preempted");
        assert_eq!(effect.removed, Some(Sense::REGISTRATIONS_PREEMPTED));
        let told = (kind != 6).then_some(Sense::RESERVATIONS_RELEASED);
        assert_eq!((effect.remaining, effect.abort), (told, false));
        assert_eq!(unit.keys(), [0xB1, 0xC1]);
        assert_eq!(
            (standing(&unit, 2), standing(&unit, 3)),
            (Standing::Holder, Standing::Registrant)
        );
        assert_eq!(
            unit.head.reservation,
            Some(Kind::ExclusiveAccessRegistrantsOnly)
        );
        assert_eq!(unit.head.generation, 4);
        assert_eq!(
            three().out(1, PREEMPT, kind, 0xA1, 0),
            check(Sense::invalid_field_in_parameter_list(8))
        );
    }
}

#[test]
fn preempting_registrations_keeps_the_reservation() {
    let mut unit = three();
    unit.out(1, RESERVE, 1, 0xA1, 0).expect("reserved");
    // The type is not looked at: no reservation is made.
    let effect = unit
        .out(2, PREEMPT_AND_ABORT, 0, 0xB1, 0xC1)
        .expect("preempted");
    assert_eq!(
        (effect.removed, effect.remaining, effect.abort),
        (Some(Sense::REGISTRATIONS_PREEMPTED), None, true)
    );
    assert_eq!(
        (unit.keys(), standing(&unit, 1)),
        (vec![0xA1, 0xB1], Standing::Holder)
    );
    assert_eq!(unit.out(2, PREEMPT, 1, 0xB1, 0xDEAD), CONFLICT);
    assert_eq!(
        unit.out(2, PREEMPT, 1, 0xB1, 0),
        check(Sense::invalid_field_in_parameter_list(8))
    );
    assert_eq!(
        unit.out(2, PREEMPT, 2, 0xB1, 0xA1),
        check(Sense::invalid_field_in_cdb_bit(2, 3))
    );
    assert_eq!(
        unit.out(2, PREEMPT, 0x11, 0xB1, 0xA1),
        check(Sense::invalid_field_in_cdb_bit(2, 7))
    );
    assert_eq!(unit.keys(), [0xA1, 0xB1]);
}

#[test]
fn preempting_the_own_key_removes_the_own_registration_too() {
    let mut unit = three();
    unit.out(1, RESERVE, 1, 0xA1, 0).expect("reserved");
    let effect = unit.out(2, PREEMPT, 1, 0xB1, 0xB1).expect("preempted");
    assert_eq!(effect.remaining, None);
    assert_eq!(
        (unit.keys(), standing(&unit, 2)),
        (vec![0xA1, 0xC1], Standing::Stranger)
    );
    let mut alone = Unit::default();
    alone.out(1, REGISTER, 0, 0, 0xA1).expect("registered");
    alone.out(1, PREEMPT, 1, 0xA1, 0xA1).expect("preempted");
    assert_eq!((alone.keys(), alone.head.aptpl), (vec![], false));
}

#[test]
fn preempting_what_all_registrants_hold() {
    let mut unit = three();
    unit.out(1, RESERVE, 7, 0xA1, 0).expect("reserved");
    let effect = unit
        .out(2, PREEMPT, 0, 0xB1, 0xC1)
        .expect("one registration");
    assert_eq!((effect.remaining, unit.keys()), (None, vec![0xA1, 0xB1]));
    assert_eq!(
        unit.head.reservation,
        Some(Kind::WriteExclusiveAllRegistrants)
    );
    unit.out(2, PREEMPT, 3, 0xB1, 0).expect("the reservation");
    assert_eq!(
        (unit.keys(), standing(&unit, 2)),
        (vec![0xB1], Standing::Holder)
    );
    assert_eq!(unit.head.reservation, Some(Kind::ExclusiveAccess));
}

#[test]
fn a_holder_may_preempt_itself() {
    let mut unit = three();
    // Initiator 3 shares the key of 1.
    unit.out(3, REGISTER, 0, 0xC1, 0xA1).expect("another key");
    unit.out(1, RESERVE, 1, 0xA1, 0).expect("reserved");
    let effect = unit.out(1, PREEMPT, 3, 0xA1, 0xA1).expect("preempted");
    assert_eq!(effect.remaining, Some(Sense::RESERVATIONS_RELEASED));
    assert_eq!(
        (unit.keys(), standing(&unit, 1)),
        (vec![0xA1, 0xB1], Standing::Holder)
    );
    assert_eq!(unit.head.reservation, Some(Kind::ExclusiveAccess));
}

#[test]
fn moving_a_reservation() {
    let (one, four) = (initiator(1), initiator(4));
    let to_four = |flags| moving(0xA1, 0xD1, flags, 2, four.as_bytes());
    let mut unit = three();
    let send = |unit: &mut Unit, list: &[u8]| unit.send((&one, 1), [0x5F, MOVE, 0], list, &[1, 2]);
    assert_eq!(
        send(&mut unit, &to_four(0)),
        check(Sense::SERVICE_ACTION_NOT_SUPPORTED)
    );
    unit.out(2, RESERVE, 5, 0xB1, 0).expect("reserved");
    assert_eq!(send(&mut unit, &to_four(0)), CONFLICT, "not the holder");
    unit.out(2, RELEASE, 5, 0xB1, 0).expect("released");
    unit.out(1, RESERVE, 7, 0xA1, 0).expect("reserved");
    assert_eq!(
        send(&mut unit, &to_four(0)),
        CONFLICT,
        "all registrants hold it"
    );
    unit.out(1, RELEASE, 7, 0xA1, 0).expect("released");
    unit.out(1, RESERVE, 5, 0xA1, 0).expect("reserved");

    let wrong = |list: Vec<u8>, byte| {
        let refused = check(Sense::invalid_field_in_parameter_list(byte));
        assert_eq!(send(&mut unit.clone(), &list), refused);
    };
    wrong(moving(0xA1, 0, 0, 2, four.as_bytes()), 8);
    wrong(moving(0xA1, 0xD1, 0, 3, four.as_bytes()), 18);
    wrong(moving(0xA1, 0xD1, 0, 2, &[]), 20);
    wrong(moving(0xA1, 0xD1, 0, 2, one.as_bytes()), 24);
    wrong(moving(0xA1, 0xD1, 0, 2, &[2; 24]), 24);
    wrong(
        moving(
            0xA1,
            0xD1,
            0,
            2,
            &[four.as_bytes(), four.as_bytes()].concat(),
        ),
        24,
    );
    wrong(to_four(0)[..40].to_vec(), 20);
    wrong([to_four(0), vec![0; 4]].concat(), 20);

    let effect = send(&mut unit, &to_four(1)).expect("moved");
    assert_eq!((effect.removed, effect.remaining), (None, None));
    assert_eq!(
        (unit.keys(), unit.head.aptpl),
        (vec![0xA1, 0xB1, 0xC1, 0xD1], true)
    );
    let holder = unit
        .view()
        .registrants
        .iter()
        .find(|r| r.holder)
        .expect("held");
    assert_eq!((holder.port, holder.key, &holder.id), (2, 0xD1, &four));
    assert_eq!(
        (unit.head.reservation, unit.head.generation),
        (Some(Kind::WriteExclusiveRegistrantsOnly), 4)
    );

    let back = moving(0xD1, 0xA2, 2, 1, one.as_bytes());
    unit.send((&four, 2), [0x5F, MOVE, 0], &back, &[1, 2])
        .expect("moved back, leaving");
    assert_eq!(
        (unit.keys(), standing(&unit, 1)),
        (vec![0xA2, 0xB1, 0xC1], Standing::Holder)
    );
}

#[test]
fn registering_others() {
    let (one, two, three) = (initiator(1), initiator(2), initiator(3));
    let mut unit = Unit::default();
    let list = with_ids(0, 0xA1, 0x04, &[two.as_bytes(), three.as_bytes()]);
    unit.send((&one, 1), [0x5F, REGISTER, 0], &list, &[1, 7])
        .expect("three initiators at two ports");
    assert_eq!((unit.keys(), unit.head.generation), (vec![0xA1; 6], 1));
    let ports: Vec<u16> = unit.slots.iter().map(|r| r.port).collect();
    assert_eq!(ports, [1, 7, 1, 7, 1, 7]);

    let again = with_ids(0, 0xD1, 0, &[initiator(4).as_bytes(), two.as_bytes()]);
    let sent = unit.send((&initiator(5), 1), [0x5F, REGISTER, 0], &again, &[1, 7]);
    assert_eq!(
        sent,
        check(Sense::invalid_field_in_parameter_list(52)),
        "2 is registered"
    );
    assert_eq!(unit.keys().len(), 6, "all or nothing");

    let misplaced = check(Sense::invalid_field_in_parameter_list_bit(20, 3));
    let by_registrant = with_ids(0xA1, 0xA2, 0, &[initiator(4).as_bytes()]);
    assert_eq!(
        unit.send((&one, 1), [0x5F, REGISTER, 0], &by_registrant, &[1]),
        misplaced
    );
    assert_eq!(
        unit.send(
            (&one, 1),
            [0x5F, REGISTER_AND_IGNORE, 0],
            &by_registrant,
            &[1]
        ),
        misplaced
    );
    assert_eq!(
        unit.send((&one, 1), [0x5F, REGISTER, 0], &basic(0xA1, 0xA1, 8), &[1]),
        misplaced
    );
    let nothing = with_ids(0, 0, 0, &[initiator(4).as_bytes()]);
    let sent = unit.send((&initiator(5), 1), [0x5F, REGISTER, 0], &nothing, &[1]);
    assert!(
        sent.is_ok(),
        "a stranger that registers nothing, and nobody"
    );
    assert_eq!(unit.keys().len(), 6);
    let cut = with_ids(0, 0xD1, 0, &[&four_bytes_short()]);
    let sent = unit.send((&initiator(5), 1), [0x5F, REGISTER, 0], &cut, &[1]);
    assert_eq!(sent, check(Sense::invalid_field_in_parameter_list(28)));

    let gone = unit.send(
        (&one, 1),
        [0x5F, REGISTER, 0],
        &basic(0xA1, 0, 0x04),
        &[1, 7],
    );
    assert!(gone.is_ok());
    assert_eq!(
        unit.keys().len(),
        4,
        "the initiator port is unregistered at both target ports"
    );
}

fn four_bytes_short() -> Vec<u8> {
    initiator(4).as_bytes()[..20].to_vec()
}

#[test]
fn lists_of_another_length() {
    for len in [0, 8, 16, 23, 25, 48] {
        let mut list = basic(0, 0xA1, 0);
        list.resize(len, 0);
        let sent = Unit::default().send((&initiator(1), 1), [0x5F, REGISTER, 0], &list, &[1]);
        assert_eq!(
            sent,
            check(Sense::PARAMETER_LIST_LENGTH_ERROR),
            "{len} bytes"
        );
    }
}

#[test]
fn aptpl_is_what_the_last_registration_said() {
    let mut unit = Unit::default();
    let mut register = |key, action_key, flags| {
        let list = basic(key, action_key, flags);
        unit.send((&initiator(1), 1), [0x5F, REGISTER, 0], &list, &[1])
            .expect("registered");
        unit.head.aptpl
    };
    assert!(register(0, 0xA1, 1));
    assert!(!register(0xA1, 0xA1, 0));
    assert!(register(0xA1, 0xA1, 1));
    assert!(
        !register(0xA1, 0, 1),
        "nobody is registered, nothing is kept"
    );
}

#[test]
fn answers() {
    let mut unit = three();
    unit.out(1, RESERVE, 3, 0xA1, 0).expect("reserved");
    let keys = "00 00 00 03 00 00 00 18 00 00 00 00 00 00 00 a1 00 00 00 00 00 00 00 b1 00 00 00 00 00 00 00 c1";
    assert_eq!(unit.read(0, 255), hex(keys));
    assert_eq!(unit.read(0, 20), hex(keys)[..20]);
    let reservation = "00 00 00 03 00 00 00 10 00 00 00 00 00 00 00 a1 00 00 00 00 00 03 00 00";
    assert_eq!(unit.read(1, 255), hex(reservation));
    assert_eq!(unit.read(2, 255), hex("00 08 1d c0 ea 01 00 00"));
    unit.head.aptpl = true;
    assert_eq!(unit.read(2, 255), hex("00 08 1d c1 ea 01 00 00"));
    let full = unit.read(3, 8 + 3 * 48);
    assert_eq!(
        full.len(),
        8 + 3 * 48,
        "a last record that fits exactly is there"
    );
    assert_eq!(full[..8], hex("00 00 00 03 00 00 00 90"));
    assert_eq!(
        full[8..32],
        hex("00 00 00 00 00 00 00 a1 00 00 00 00 01 03 00 00 00 00 00 01 00 00 00 18")
    );
    assert_eq!(full[32..56], *initiator(1).as_bytes());
    assert_eq!(full[56 + 12..56 + 14], [0, 0], "2 is no holder");
    unit.out(1, RELEASE, 3, 0xA1, 0).expect("released");
    assert_eq!(unit.read(1, 255), hex("00 00 00 03 00 00 00 00"));
    unit.out(1, RESERVE, 8, 0xA1, 0).expect("reserved");
    assert_eq!(unit.read(1, 255)[8..16], [0; 8], "no key is the holder's");
    assert_eq!(unit.read(3, 255)[56 + 12..56 + 14], [1, 8]);
}

#[test]
fn transport_ids_of_every_protocol() {
    for protocol in [0, 1, 3, 4, 6, 0x0A] {
        let mut id = [0; 24];
        id[0] = protocol;
        assert!(TransportId::parse(&id).is_ok(), "protocol {protocol}");
        for wrong in [0x40, 0x80, 0x10, 0x20] {
            id[0] = protocol | wrong;
            assert_eq!(TransportId::parse(&id), Err(NoTransportId));
        }
        id[0] = protocol;
        assert_eq!(TransportId::parse(&id[..23]), Err(NoTransportId));
    }
    for protocol in [2, 7, 8, 9, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F] {
        let mut id = [0; 24];
        id[0] = protocol;
        assert_eq!(
            TransportId::parse(&id),
            Err(NoTransportId),
            "protocol {protocol}"
        );
    }
}

/// An iSCSI TransportID of this format with this text.
fn iscsi(format: u8, text: &str) -> Vec<u8> {
    let mut field = text.as_bytes().to_vec();
    field.push(0);
    field.resize(field.len().next_multiple_of(4).max(20), 0);
    [
        vec![format << 6 | 5, 0],
        (field.len() as u16).to_be_bytes().to_vec(),
        field,
    ]
    .concat()
}

#[test]
fn transport_ids_of_iscsi() {
    let name = "iqn.2026-11.org.example:disk";
    let longest = format!("iqn.{}", "x".repeat(219));
    for good in [
        iscsi(0, name),
        iscsi(1, &format!("{name},i,0x00023d000001")),
        iscsi(1, &format!("{longest},i,0x00023d000001")),
        iscsi(0, "eui.02004567A425678D"),
    ] {
        let id = TransportId::parse(&good).expect("well formed");
        assert_eq!(id.as_bytes(), good);
        assert_eq!(id.is_any_port(), good[0] == 5);
        // What follows is the next one's.
        assert_eq!(
            TransportId::parse(&[&good[..], &[1, 2, 3]].concat()),
            Ok(id)
        );
    }
    let mut unterminated = iscsi(0, name);
    let end = unterminated.len();
    unterminated[4..end].fill(b'x');
    let mut ragged = iscsi(0, name);
    ragged[end - 1] = 1;
    for (what, bad) in [
        ("no session", iscsi(1, name)),
        ("a session", iscsi(0, &format!("{name},i,0x1"))),
        ("digits", iscsi(1, &format!("{name},i,0xg1"))),
        ("no digits", iscsi(1, &format!("{name},i,0x"))),
        (
            "too many digits",
            iscsi(1, &format!("{name},i,0x1234567890123")),
        ),
        ("no name", iscsi(0, "")),
        ("no kind of name", iscsi(0, "disk.of.somebody.else")),
        ("too long", iscsi(0, &format!("{longest}x"))),
        ("format 2", iscsi(2, name)),
        ("no end", unterminated),
        ("padding", ragged),
        ("cut", iscsi(0, name)[..24].to_vec()),
        (
            "a length that is no multiple of 4",
            vec![5, 0, 0, 21, b'i', b'q', b'n', b'.', b'x', 0, 0],
        ),
        (
            "too short a length",
            vec![5, 0, 0, 4, b'i', b'q', b'n', b'.', 0, 0, 0],
        ),
    ] {
        assert_eq!(TransportId::parse(&bad), Err(NoTransportId), "{what}");
    }
}

#[test]
fn transport_ids_that_somebody_wrote() {
    let short = TransportId::of_session(b"abc").expect("three bytes");
    assert_eq!(short.as_bytes(), [&b"abc"[..], &[0; 21]].concat());
    let odd = TransportId::of_session(&[0x46; 24]).expect("format 1 of SAS");
    assert_eq!(odd.as_bytes(), [0x46; 24]);
    assert!(TransportId::of_session(&iscsi(0, "iqn.a")).is_ok());
    for bad in [vec![], vec![6; 25], vec![5; 24], vec![5, 0, 0, 24, b'x']] {
        assert_eq!(TransportId::of_session(&bad), Err(NoTransportId), "{bad:?}");
    }
}
