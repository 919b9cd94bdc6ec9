// SPDX-License-Identifier: GPL-2.0-only
//! Initiator patterns, CPU masks and I/O grouping.

use proptest::prelude::*;
use proto::cpumask::{self, is_all, Error, Show};
use proto::io_grouping::IoGrouping;
use proto::mgmt;
use proto::pattern::matches;

#[test]
fn patterns() {
    let cases = [
        ("ini1", "ini1", true),
        ("INI1", "ini1", true),
        ("ini1", "ini12", false),
        ("ini?", "ini1", true),
        ("ini?", "ini", false),
        ("*", "", true),
        ("*", "anything", true),
        ("", "", true),
        ("", "x", false),
        ("scst_*host", "scst_local_host", true),
        ("*a*b*c", "xxaxxbxxbxc", true),
        ("*a*b*c", "xxaxxbxxbx", false),
        ("!bad*", "bad_one", false),
        ("!bad*", "good", true),
        ("!", "", false),
        ("!", "x", true),
        ("iqn!.x*", "iqn.x1", false),
        ("iqn!.x*", "iqn.y1", true),
        ("iqn!.x*", "eui.y1", false),
        ("a!b!c", "ab!c", false),
    ];
    for (pattern, name, expected) in cases {
        assert_eq!(matches(pattern, name), expected, "{pattern:?} {name:?}");
    }
}

/// The same rules, written as they are said.
fn naive(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((b'!', rest)), _) => !naive_glob(rest, name),
        (Some((b'*', rest)), _) => (0..=name.len()).any(|n| naive(rest, &name[n..])),
        (Some((b'?', rest)), Some((_, name))) => naive(rest, name),
        (Some((p, rest)), Some((n, name))) => p.eq_ignore_ascii_case(n) && naive(rest, name),
        (Some(_), None) => false,
    }
}

fn naive_glob(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|n| naive_glob(rest, &name[n..])),
        (Some((b'?', rest)), Some((_, name))) => naive_glob(rest, name),
        (Some((p, rest)), Some((n, name))) => p.eq_ignore_ascii_case(n) && naive_glob(rest, name),
        (Some(_), None) => false,
    }
}

proptest! {
    #[test]
    fn as_the_rules_say(pattern in "[ab*?!A]{0,8}", name in "[abB!]{0,10}") {
        prop_assert_eq!(matches(&pattern, &name), naive(pattern.as_bytes(), name.as_bytes()));
    }

    #[test]
    fn any_text_is_answered(pattern in any::<String>(), name in any::<String>()) {
        matches(&pattern, &name);
    }

    #[test]
    fn a_mask_comes_back(cpus in 1_usize..100, bits in any::<u128>()) {
        let words: Vec<u32> = (0..4).map(|at| (bits >> (32 * at)) as u32 & cpumask::all(at, cpus)).collect();
        let text = Show { words: &words, cpus }.to_string();
        let mut back = [0; 4];
        prop_assert_eq!(cpumask::parse(&text, cpus, &mut back), Ok(()));
        prop_assert_eq!(&back[..], &words[..]);
    }

    #[test]
    fn any_mask_is_answered(text in any::<String>(), cpus in 0_usize..200) {
        let _ = cpumask::parse(&text, cpus, &mut [0; 2]);
    }
}

#[test]
fn masks() {
    let mut words = [0; 2];
    assert_eq!(cpumask::parse("3", 2, &mut words), Ok(()));
    assert!(is_all(&words, 2));
    assert_eq!(
        Show {
            words: &words,
            cpus: 2
        }
        .to_string(),
        "3"
    );
    assert_eq!(cpumask::parse("ff", 2, &mut words), Err(Error::Overflow));
    assert_eq!(cpumask::parse("zz", 2, &mut words), Err(Error::Inval));
    assert_eq!(cpumask::parse("", 2, &mut words), Err(Error::Inval));
    assert_eq!(cpumask::parse("1,00000000", 40, &mut words), Ok(()));
    assert_eq!(words, [0, 1]);
    assert_eq!(
        Show {
            words: &words,
            cpus: 40
        }
        .to_string(),
        "01,00000000"
    );
}

#[test]
fn grouping() {
    assert_eq!(IoGrouping::parse("auto\n"), Ok(IoGrouping::Auto));
    assert_eq!(
        IoGrouping::parse("This_Group_Only"),
        Ok(IoGrouping::ThisGroupOnly)
    );
    assert_eq!(IoGrouping::parse("7"), Ok(IoGrouping::Explicit(7)));
    assert_eq!(IoGrouping::parse("0"), Err(mgmt::Error::Inval));
    assert_eq!(IoGrouping::parse("aut"), Err(mgmt::Error::Inval));
    for text in ["auto", "this_group_only", "never", "12"] {
        assert_eq!(IoGrouping::parse(text).unwrap().to_string(), text);
    }
}
