// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers that no two objects share, moving from one to another: one load brings each to its object.

use super::random_tests::Random;
use super::tests::{keep, load, own};
use super::Source;
use crate::fake::Fake;
use crate::report::State;
use std::collections::HashSet;
use std::fs;

/// Targets t0, t1, … and devices d0, d1, … with these numbers and serial numbers; 0 for none.
fn profile(numbers: &[u32]) -> String {
    let mut text = String::from("schema = 1\n");
    for (index, number) in numbers.iter().enumerate() {
        let given = |key: &str, value: String| {
            if *number == 0 {
                String::new()
            } else {
                format!("{key} = {value}\n")
            }
        };
        text += &format!("[[device]]\nname = \"d{index}\"\nhandler = \"vdisk_nullio\"\n");
        text += &given("usn", format!("\"s{number}\""));
        text += &format!("[[target]]\nname = \"t{index}\"\n");
        text += &given("rel_tgt_id", number.to_string());
    }
    text
}

fn shown(fake: &Fake, numbers: &[u32]) {
    for (index, number) in numbers.iter().enumerate().filter(|(_, number)| **number != 0) {
        assert_eq!(
            fake.cat(&format!("targets/scst_local/t{index}/rel_tgt_id")),
            format!("{number}\n[key]\n")
        );
        assert_eq!(fake.cat(&format!("devices/d{index}/usn")), format!("s{number}\n[key]\n"));
    }
}

fn no_object_twice(fake: &Fake, source: &Source, text: &str) {
    fs::write(fake.root.at(&source.path), text).unwrap();
    let plan = source.plan(&fake.root).unwrap();
    let mut objects = HashSet::new();
    for object in plan.steps.iter().map(|step| &step.object).chain(&plan.present) {
        assert!(objects.insert(object), "{object} is there twice in\n{plan}");
    }
}

#[test]
fn numbers_that_move_arrive_with_one_load() {
    for (from, to, writes) in [
        // Two swap; a shift; a circle of three; two swap beside one that moves away.
        (vec![1, 2], vec![2, 1], 3),
        (vec![1, 2, 3], vec![2, 3, 4], 3),
        (vec![1, 2, 3], vec![2, 3, 1], 4),
        (vec![1, 2, 3, 4], vec![2, 1, 9, 3], 5),
        // A new object gets what another gives up.
        (vec![7], vec![8, 7], 2),
    ] {
        for source in [own("/profile.toml"), keep("/profile.toml")] {
            let mut fake = Fake::new();
            load(&mut fake, &source, &profile(&from));
            no_object_twice(&fake, &source, &profile(&to));
            let (report, written) = load(&mut fake, &source, &profile(&to));
            assert_eq!(report.state, State::Up, "{from:?} {to:?}: {:?}", report.failures);
            let of_targets = written.iter().filter(|write| write.contains("rel_tgt_id")).count();
            assert_eq!(of_targets, writes, "{from:?} {to:?}: {written:?}");
            shown(&fake, &to);
            let (report, written) = load(&mut fake, &source, &profile(&to));
            assert_eq!((report.up, written), (report.objects, Vec::new()), "{from:?} {to:?}");
        }
    }
}

#[test]
fn any_permutation_arrives() {
    let mut random = Random(0x5eed);
    for _ in 0..40 {
        let mut numbers: Vec<u32> = (1..=6).collect();
        let mut shuffled = || {
            for at in 0..numbers.len() {
                numbers.swap(at, random.below(6));
            }
            numbers.iter().take(4).copied().collect::<Vec<u32>>()
        };
        let (from, to) = (shuffled(), shuffled());
        let mut fake = Fake::new();
        load(&mut fake, &own("/profile.toml"), &profile(&from));
        let (report, _) = load(&mut fake, &own("/profile.toml"), &profile(&to));
        assert_eq!(report.state, State::Up, "{from:?} {to:?}: {:?}", report.failures);
        shown(&fake, &to);
        let (_, written) = load(&mut fake, &own("/profile.toml"), &profile(&to));
        assert_eq!(written, Vec::<String>::new(), "{from:?} {to:?}");
    }
}

#[test]
fn who_is_not_to_have_a_number_any_more_gives_it_up() {
    let mut fake = Fake::new();
    load(&mut fake, &own("/profile.toml"), &profile(&[1, 2]));
    // Without --force what nobody describes stays, so the number cannot move.
    let (report, _) = load(&mut fake, &keep("/profile.toml"), &profile(&[0, 1]));
    let failed: Vec<_> = report.failures.iter().map(|failure| failure.object.as_str()).collect();
    assert_eq!(failed, ["attribute devices/d1/usn", "attribute targets/scst_local/t1/rel_tgt_id"]);
    let (report, written) = load(&mut fake, &own("/profile.toml"), &profile(&[0, 1]));
    assert_eq!(report.state, State::Up, "{:?}", report.failures);
    shown(&fake, &[0, 1]);
    assert!(written.contains(&"targets/scst_local/t0/rel_tgt_id < 3".to_string()), "{written:?}");
    assert_eq!(fake.cat("devices/d0/usn"), "0\n");
    let (_, written) = load(&mut fake, &own("/profile.toml"), &profile(&[0, 1]));
    assert_eq!(written, Vec::<String>::new());
}
