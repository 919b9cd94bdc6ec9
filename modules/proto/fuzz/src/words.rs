// SPDX-License-Identifier: GPL-2.0-only
//! Text that is written to the management interface.

use proto::io_grouping::IoGrouping;
use proto::mgmt::{flag, number, number_to, segments, signed, words};
use proto::{cpumask, id, pattern};

pub fn any(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let quotes = text.contains('"');
    for segment in segments(text) {
        assert!(quotes || !segment.contains([';', '\n']));
        let found: Vec<_> = words(segment).collect();
        assert!(!found.is_empty() && found.iter().all(|word| !word.is_empty()));
        for word in found {
            let _ = (flag(word), signed(word), IoGrouping::parse(word));
            assert_eq!(
                number(word).ok().filter(|n| *n <= 99),
                number_to(word, 99).ok()
            );
        }
    }
    let (head, tail) = text.split_once('\n').unwrap_or((text, ""));
    matching(head, tail);
    cpus(head);
    assert!(id::t10_dev_id(1, head).len() <= 25);
}

/// A pattern and its inversion disagree, and `*` fits everything.
fn matching(pattern: &str, name: &str) {
    if !pattern.contains('!') {
        let inverted = format!("!{pattern}");
        assert_ne!(
            pattern::matches(pattern, name),
            pattern::matches(&inverted, name)
        );
        assert!(pattern::matches("*", name));
    } else {
        let _ = pattern::matches(pattern, name);
    }
}

/// What was read is shown so that it reads the same.
fn cpus(text: &str) {
    let mut set = [0; 4];
    if cpumask::parse(text, 100, &mut set).is_ok() {
        let mut again = [0; 4];
        let shown = cpumask::Show {
            words: &set,
            cpus: 100,
        }
        .to_string();
        assert_eq!(cpumask::parse(&shown, 100, &mut again), Ok(()));
        assert_eq!(again, set);
    }
}
