// SPDX-License-Identifier: GPL-2.0-only
//! Unit attentions: order, precedence, and that none is lost.

use proto::attention::{Precedence, Queue, MAX};
use proto::sense::{Sense, SenseKey, NAMED};

fn drain(queue: &mut Queue) -> Vec<(u8, u8)> {
    std::iter::from_fn(|| queue.take())
        .map(|sense| {
            assert_eq!(sense.key, SenseKey::UnitAttention);
            (sense.asc, sense.ascq)
        })
        .collect()
}

fn raise(queue: &mut Queue, senses: &[Sense]) {
    for sense in senses {
        queue.raise(sense, Precedence::Last);
    }
}

#[test]
fn conditions_are_reported_once_and_in_the_order_in_which_they_came() {
    let mut queue = Queue::new();
    assert!(queue.is_empty());
    raise(
        &mut queue,
        &[
            Sense::CAPACITY_CHANGED,
            Sense::MODE_PARAMETERS_CHANGED,
            Sense::CAPACITY_CHANGED,
        ],
    );
    assert!(!queue.is_empty());
    assert_eq!(drain(&mut queue), [(0x2A, 0x09), (0x2A, 0x01)]);
    assert!(queue.is_empty());
    assert_eq!(queue.take(), None);
}

#[test]
fn a_reset_comes_first_and_loses_nothing() {
    let mut queue = Queue::new();
    raise(
        &mut queue,
        &[Sense::CAPACITY_CHANGED, Sense::MEDIUM_CHANGED],
    );
    queue.raise(&Sense::NEXUS_LOSS, Precedence::First);
    queue.raise(&Sense::POWER_ON_RESET, Precedence::First);
    queue.raise(&Sense::NEXUS_LOSS, Precedence::Last);
    assert_eq!(
        drain(&mut queue.clone()),
        [(0x29, 0x00), (0x29, 0x07), (0x2A, 0x09), (0x28, 0x00)]
    );
    // One that waits further back comes to the front, and is still one.
    queue.raise(&Sense::NEXUS_LOSS, Precedence::First);
    assert_eq!(
        drain(&mut queue),
        [(0x29, 0x07), (0x29, 0x00), (0x2A, 0x09), (0x28, 0x00)]
    );
}

#[test]
fn every_condition_of_the_stack_fits_at_once() {
    let all: Vec<Sense> = NAMED
        .iter()
        .map(|(_, sense)| *sense)
        .filter(|sense| sense.key == SenseKey::UnitAttention)
        .collect();
    assert!(all.len() > 10 && all.len() <= MAX, "{}", all.len());
    let mut queue = Queue::new();
    raise(&mut queue, &all);
    raise(&mut queue, &all);
    queue.raise(&Sense::POWER_ON_RESET, Precedence::First);
    let told = drain(&mut queue);
    assert_eq!(told.len(), all.len());
    assert_eq!(told[0], (0x29, 0x00));
    assert!(all.iter().all(|s| told.contains(&(s.asc, s.ascq))));
}

#[test]
fn a_full_queue_reports_resets_first_all_the_same() {
    let mut queue = Queue::new();
    for ascq in 0..40 {
        queue.raise(
            &Sense::new(SenseKey::UnitAttention, 0x3F, ascq),
            Precedence::Last,
        );
    }
    queue.raise(&Sense::POWER_ON_RESET, Precedence::First);
    let told = drain(&mut queue);
    assert_eq!(told.len(), MAX);
    assert_eq!(told[..2], [(0x29, 0x00), (0x3F, 0x00)]);
}
