// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whatever text comes in, the checker answers: it never panics, findings lie inside the text, and whatever it
//! accepts survives the flat form and has an ordered plan.

mod common;

use board_profile::Board;
use common::Random;
use std::fs;

/// Texts to start from: every shipped board, flat, and one that uses the whole format.
fn seeds() -> Vec<String> {
    let mut seeds: Vec<String> = common::shipped_names()
        .iter()
        .map(|name| {
            common::load_shipped(name).unwrap_or_else(|problems| panic!("{}", problems.plain())).flat()
        })
        .collect();
    seeds.push(include_str!("everything.toml").to_string());
    seeds
}

/// What must hold for any text. Returns whether it was accepted.
fn check(text: &str) -> bool {
    match Board::from_flat("mutated.toml", text) {
        Ok(board) => {
            let flat = board.flat();
            let again = Board::from_flat("flat.toml", &flat);
            let again = again.unwrap_or_else(|problems| panic!("{}\nfrom\n{text}", problems.plain()));
            assert_eq!(again, board, "from\n{text}");
            assert!(!board.plan().to_string().is_empty());
            true
        }
        Err(problems) => {
            let lines = text.lines().count().max(1) + 1;
            assert!(problems.len() > 0 && !problems.plain().is_empty());
            for problem in problems.iter() {
                assert!(problem.line().is_none_or(|line| line <= lines), "{problem} in\n{text}");
            }
            false
        }
    }
}

#[test]
fn truncated_text_is_answered() {
    for seed in seeds() {
        for (at, _) in seed.char_indices().step_by(5) {
            check(&seed[..at]);
        }
    }
}

#[test]
fn changed_characters_are_answered() {
    let mut random = Random(0x5ca1_ab1e);
    let alphabet: Vec<char> = "a0-_.=\"'[]{}#,\n\t \\é\u{0};/:9".chars().collect();
    for seed in seeds() {
        let original: Vec<char> = seed.chars().collect();
        for _ in 0..400 {
            let mut text = original.clone();
            for _ in 0..=random.below(3) {
                let (at, with) = (random.below(text.len()), alphabet[random.below(alphabet.len())]);
                match random.below(3) {
                    0 => text[at] = with,
                    1 => text.insert(at, with),
                    _ => drop(text.remove(at)),
                }
            }
            check(&text.into_iter().collect::<String>());
        }
    }
}

#[test]
fn moved_lines_are_answered_and_some_are_accepted() {
    let mut random = Random(0x0b0a_4d5e);
    let mut accepted = 0;
    for seed in seeds() {
        for _ in 0..400 {
            let mut lines: Vec<&str> = seed.lines().collect();
            let (from, to) = (random.below(lines.len()), random.below(lines.len()));
            match random.below(3) {
                0 => drop(lines.remove(from)),
                1 => lines.swap(from, to),
                _ => lines.insert(to, lines[from]),
            }
            accepted += usize::from(check(&lines.join("\n")));
        }
    }
    assert!(accepted > 50, "only {accepted}: the flat form was hardly tried");
}

/// Values of every type in the place of every value.
#[test]
fn every_value_of_every_type_is_answered() {
    let values = [
        "true",
        "0",
        "-1",
        "1.5",
        "\"\"",
        "\"x\"",
        "[]",
        "[\"x\"]",
        "[1]",
        "{}",
        "{ x = 1 }",
        "[{}]",
        "1979-05-27",
    ];
    for seed in seeds() {
        let lines: Vec<&str> = seed.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some((key, _)) = line.split_once(" = ") else { continue };
            for value in values {
                let mut changed: Vec<String> = lines.iter().map(|line| line.to_string()).collect();
                changed[at] = format!("{key} = {value}");
                check(&changed.join("\n"));
            }
        }
    }
}

#[test]
fn the_corpus_cut_short_is_answered() {
    let folder = common::boards_folder().join("profile/tests/broken");
    for path in common::toml_files(&folder) {
        let text = fs::read_to_string(path).expect("a readable profile");
        for (at, _) in text.char_indices().step_by(7) {
            check(&text[..at]);
        }
    }
}

/// The largest target there can be, to see that nothing grows with the square of it.
#[test]
fn a_board_with_every_lun_loads() {
    let mut text = String::from(
        "schema = 1\n[board]\nname = \"large\"\n[drivers]\nload = [\"virtio_pci\", \"virtio_blk\"]\n",
    );
    for number in 0..16384 {
        text +=
            &format!("[[device]]\nname = \"d{number}\"\nhandler = \"vdisk_nullio\"\nusn = \"u{number}\"\n");
    }
    text += "[[target]]\nname = \"tgt\"\n";
    for number in 0..16384 {
        text += &format!("[[target.lun]]\nlun = {number}\ndevice = \"d{number}\"\n");
    }
    let board = Board::from_flat("large.toml", &text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(board.targets()[0].luns.len(), 16384);
    assert_eq!(board.plan().steps.len(), 3 + 2 * 16384 + 1 + 16384);
}

/// Nesting deeper than any profile has must end in a message, not at the end of the stack.
#[test]
fn deep_nesting_is_answered() {
    let depth = 20_000;
    let texts = [
        format!("a = {}", "[".repeat(depth)),
        format!("a = {}", "{a=".repeat(depth)),
        format!("a{} = 1", ".a".repeat(depth)),
        format!("[a{}]", ".a".repeat(depth)),
        format!("[[a{}]]", ".a".repeat(depth)),
    ];
    for text in texts {
        assert!(!check(&text));
    }
}
