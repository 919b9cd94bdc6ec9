// SPDX-License-Identifier: GPL-2.0-only
//! What holds after any sequence of PERSISTENT RESERVE OUT commands from any nexuses, and for any bytes.

mod common;
#[path = "common/pr.rs"]
mod unit;

use proptest::collection::vec;
use proptest::prelude::*;
use proto::pr::{Head, Nexus, Refusal, Registrant};
use proto::pr_access::Standing;
use proto::pr_id::TransportId;
use proto::{pr_file, pr_list, pr_text};
use unit::{basic, initiator, moving, with_ids, Unit};

const PORTS: [u16; 2] = [1, 2];

/// One command: who sends it, action and type, keys, flags, whom it names.
#[derive(Clone, Debug)]
struct Step {
    from: (u8, u16),
    action: u8,
    kind: u8,
    /// Send the nexus's own key, whatever it is.
    own_key: bool,
    key: u64,
    action_key: u64,
    flags: u8,
    named: (u8, u16),
}

fn step() -> impl Strategy<Value = Step> {
    let kinds = prop_oneof![9 => prop::sample::select(vec![1_u8, 3, 5, 6, 7, 8]), 1 => any::<u8>()];
    // Few keys, so that they meet; every third registration names others.
    let flags = prop::sample::select(vec![0_u8, 0, 1, 4, 5, 8, 12, 0xFF]);
    (
        (1_u8..5, 1_u16..3, 0_u8..8, kinds),
        (prop::bool::weighted(0.8), 0_u64..4, 0_u64..4, flags),
        (1_u8..6, 1_u16..4),
    )
        .prop_map(
            |((n, port, action, kind), (own_key, key, action_key, flags), named)| Step {
                from: (n, port),
                action,
                kind,
                own_key,
                key,
                action_key,
                flags,
                named,
            },
        )
}

fn key_of(unit: &Unit, n: u8, port: u16) -> Option<u64> {
    let id = initiator(n);
    unit.view()
        .registrants
        .iter()
        .find(|r| r.is(Nexus { id: &id, port }))
        .map(|r| r.key)
}

fn list_of(step: &Step, key: u64) -> Vec<u8> {
    let named = initiator(step.named.0);
    match step.action {
        7 => moving(
            key,
            step.action_key,
            step.flags & 3,
            step.named.1,
            named.as_bytes(),
        ),
        0 if step.flags & 8 != 0 => with_ids(key, step.action_key, step.flags, &[named.as_bytes()]),
        _ => basic(key, step.action_key, step.flags & !8),
    }
}

/// Sends one command and checks what it did.
fn check_step(unit: &mut Unit, step: &Step) {
    let before = unit.clone();
    let own = key_of(unit, step.from.0, step.from.1);
    let key = if step.own_key {
        own.unwrap_or(0)
    } else {
        step.key
    };
    let me = initiator(step.from.0);
    let cdb = [0x5F, step.action, step.kind];
    let result = unit.send((&me, step.from.1), cdb, &list_of(step, key), &PORTS);
    let view = unit.view();
    assert!(view.is_consistent(), "{step:?} made {:?}", unit.slots);
    let holders = view
        .registrants
        .iter()
        .filter(|r| view.is_holder(r))
        .count();
    match view.head.reservation {
        Some(kind) if kind.is_all_registrants() => assert_eq!(holders, view.registrants.len()),
        Some(_) => assert_eq!(holders, 1),
        None => assert_eq!(holders, 0),
    }
    assert!(!view.head.aptpl || !view.registrants.is_empty());

    let Ok(effect) = result else {
        assert_eq!(
            (unit.head, &unit.slots),
            (before.head, &before.slots),
            "{step:?} was refused"
        );
        return;
    };
    // Whoever changes something without a registration of its own has made one.
    let ignores = step.action == 6;
    assert!(
        own == Some(key) || (own.is_none() && key == 0 && step.action == 0) || ignores,
        "{step:?}"
    );
    let counted = !matches!(step.action, 1 | 2) && effect.changed;
    let generation = before.head.generation + u32::from(counted);
    assert_eq!(unit.head.generation, generation, "{step:?}");
    assert_eq!(
        effect.changed,
        (unit.head, &unit.slots) != (before.head, &before.slots),
        "{step:?}"
    );
    assert_eq!(effect.abort, step.action == 5);
    check_removed(&before, unit, step, effect.removed.is_some());
    if matches!(step.action, 4 | 5) {
        check_preempt(&before, unit, step);
    }
}

/// Nobody loses a registration but the sender, and those whom CLEAR and PREEMPT concern.
fn check_removed(before: &Unit, after: &Unit, step: &Step, told: bool) {
    let me = initiator(step.from.0);
    for r in &before.slots {
        let stays = after.view().standing(Nexus {
            id: &r.id,
            port: r.port,
        }) != Standing::Stranger;
        let own_port = r.id == me;
        assert!(stays || own_port || told, "{step:?} removed {r:?}");
        assert!(
            stays || own_port || matches!(step.action, 3..=5),
            "{step:?} removed {r:?}"
        );
    }
}

/// Nobody keeps the preempted key but a sender who takes the reservation; others keep theirs.
fn check_preempt(before: &Unit, after: &Unit, step: &Step) {
    let me = initiator(step.from.0);
    let mine = Nexus {
        id: &me,
        port: step.from.1,
    };
    let everybody = step.action_key == 0;
    let took = before.view().holder_key() == Some(step.action_key);
    for r in &before.slots {
        let kept = after
            .slots
            .iter()
            .any(|other| other.id == r.id && other.port == r.port);
        let goes = !(took && r.is(mine)) && (everybody || r.key == step.action_key);
        assert_eq!(kept, !goes, "{step:?} and {r:?}");
    }
    let expected = if took {
        Some(step.kind)
    } else if after.slots.is_empty() {
        None
    } else {
        before.head.reservation.map(|k| k.code())
    };
    assert_eq!(
        after.head.reservation.map(|k| k.code()),
        expected,
        "{step:?}"
    );
    if took {
        assert_eq!(after.view().standing(mine), Standing::Holder);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_sequence_keeps_the_rules(steps in vec(step(), 1..60)) {
        let mut unit = Unit::default();
        for step in &steps {
            check_step(&mut unit, step);
        }
        // And what it led to can be kept and read again.
        let view = unit.view();
        let mut file = vec![0; pr_file::len(view)];
        prop_assert_eq!(pr_file::write(view, &mut file), file.len());
        file[..8].copy_from_slice(&pr_file::SIGNATURE);
        let mut slots = vec![Registrant::NONE; view.registrants.len()];
        let head = pr_file::read(&file, &mut slots).expect("as written");
        prop_assert_eq!((head, &slots), (Head { generation: 0, ..unit.head }, &unit.slots));
        let mut text = String::new();
        pr_text::print(view, &mut text).expect("printed");
        let head = pr_text::parse(&text, &mut slots).expect("as printed");
        prop_assert_eq!((head, &slots), (Head { aptpl: false, ..unit.head }, &unit.slots));
    }

    #[test]
    fn any_list_is_understood_or_refused(action in 0_u8..8, kind: u8, list in vec(any::<u8>(), 0..120), cut: bool) {
        let mut list = list;
        if cut && list.len() > 28 {
            // Lengths that fit, so that the TransportIDs are reached.
            let len = (list.len() - if action == 7 { 24 } else { 28 }) as u32;
            let at = if action == 7 { 20 } else { 24 };
            list[at..at + 4].copy_from_slice(&len.to_be_bytes());
        }
        let mut unit = Unit::default();
        let sent = unit.send((&initiator(1), 1), [0x5F, action, kind], &list, &PORTS);
        if let Err(Refusal::Check(sense)) = sent {
            prop_assert_eq!(sense.key as u8, 5);
        }
        prop_assert!(unit.view().is_consistent());
    }

    #[test]
    fn any_bytes_are_a_transport_id_or_not(bytes in vec(any::<u8>(), 0..300)) {
        for id in [TransportId::parse(&bytes), TransportId::stored(&bytes), TransportId::of_session(&bytes)].into_iter().flatten() {
            prop_assert_eq!(&TransportId::stored(id.as_bytes()), &Ok(id.clone()));
        }
    }

    #[test]
    fn any_file_is_read_or_refused(mut file in vec(any::<u8>(), 0..200)) {
        if file.len() > 20 {
            file[..16].copy_from_slice(&[pr_file::SIGNATURE, 1_u64.to_ne_bytes()].concat());
            let header = [1, file[17] & 1, file[18] & 15, 0];
            file[16..20].copy_from_slice(&header);
        }
        if let Ok(count) = pr_file::registrants(&file) {
            let mut slots = vec![Registrant::NONE; count];
            if let Ok(head) = pr_file::read(&file, &mut slots) {
                prop_assert_eq!(head.used, count);
            }
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "(version 1\n)?(generation [0-9]{1,12}\n)?(reservation 0[0-9] 00\n)?(registrant [0-9]{1,6} [0-9a-f]{16} [01] 24 [0-9a-f]{48}\n){0,3}") {
        let mut slots = vec![Registrant::NONE; pr_text::registrants(&text)];
        let _ = pr_text::parse(&text, &mut slots);
    }

    #[test]
    fn lists_have_one_reading(action in 0_u8..8, list in vec(any::<u8>(), 24)) {
        let action = pr_list::Action::from_code(action).expect("a code");
        if let Ok(request) = pr_list::parse(action, 0, 1, &list) {
            prop_assert_eq!(request.key.to_be_bytes().to_vec(), list[..8].to_vec());
            prop_assert_eq!(request.action_key.to_be_bytes().to_vec(), list[8..16].to_vec());
        }
    }
}
