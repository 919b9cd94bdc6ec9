// SPDX-License-Identifier: MIT OR Apache-2.0
//! `scst.conf`: what is read, what is written, and that both are one.

mod common;

use board_profile::{Board, File, Stack};
use common::{compare_or_write, Random};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(folder("conf").join(name)).expect("a readable file")
}

fn read(name: &str, text: &str) -> Stack {
    Stack::from_conf(name, text).unwrap_or_else(|problems| panic!("{}\nin\n{text}", problems.plain()))
}

#[test]
fn a_canonical_file_comes_back_byte_for_byte() {
    let canonical = text("canonical.conf");
    assert_eq!(read("canonical.conf", &canonical).conf(), canonical);
}

#[test]
fn a_canonical_file_survives_toml() {
    let stack = read("canonical.conf", &text("canonical.conf"));
    let toml = stack.toml();
    let again = Stack::from_toml("stack.toml", &toml).unwrap_or_else(|p| panic!("{}\n{toml}", p.plain()));
    assert_eq!(again, stack);
    assert_eq!(again.toml(), toml);
}

#[test]
fn what_people_write_by_hand_is_understood() {
    let stack = read("by-hand.conf", &text("by-hand.conf"));
    compare_or_write(&folder("conf").join("by-hand.written"), &stack.conf());
    assert_eq!(read("written", &stack.conf()).conf(), stack.conf());
}

#[test]
fn the_whole_format_of_profiles_can_be_written_and_read_back() {
    let board = Board::from_flat("everything.toml", include_str!("everything.toml"))
        .unwrap_or_else(|problems| panic!("{}", problems.plain()));
    let conf = board.stack().conf();
    compare_or_write(&folder("conf").join("everything.written"), &conf);
    // What SCST has no word for: module parameters, and the size of a file that is made when it is missing.
    let again = read("everything.conf", &conf);
    assert_eq!(again.conf(), conf);
    assert_eq!(again.plan().steps.len() + 2, board.plan().steps.len(), "two files less");
}

#[test]
fn an_imported_configuration_is_a_board() {
    let boards = folder("../../../ci/boards");
    let text = fs::read_to_string(boards.join("imported.conf")).expect("a readable file");
    let stack = Stack::import_conf("imported.conf", &text).unwrap_or_else(|p| panic!("{}", p.plain()));
    let profile = board_profile::board_of("imported", "imported.conf", &stack);
    let profile = profile.replace("./profile.schema.json", "../../board/profile.schema.json");
    compare_or_write(&boards.join("imported.toml"), &profile);
    let loader = |name: &str| match name {
        "imported" => {
            Ok(board_profile::Source { path: "ci/boards/imported.toml".into(), text: profile.clone() })
        }
        other => common::source(other),
    };
    let board = board_profile::load("imported", &loader).unwrap_or_else(|p| panic!("{}", p.plain()));
    assert_eq!(board.stack(), &stack);
}

/// Every file of the folder of broken ones.
fn broken() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder("broken-conf")).expect("a readable folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "conf"));
    files.sort();
    files
}

#[test]
fn every_message_is_as_committed_and_has_a_next_step() {
    assert!(broken().len() >= 15, "only {}", broken().len());
    for path in broken() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a readable file");
        let problems = Stack::import_conf(&name, &text).expect_err(&name);
        compare_or_write(&path.with_extension("expected"), &problems.plain());
        for problem in problems.iter() {
            assert!(problem.help_text().is_some_and(|help| help.len() > 5), "{name}: {problem}");
        }
        let named: BTreeSet<usize> = problems.iter().map(|problem| problem.line().expect("a line")).collect();
        let marked = text.lines().enumerate().filter(|(_, line)| line.ends_with("#!"));
        let marked: BTreeSet<usize> = marked.map(|(index, _)| index + 1).collect();
        assert_eq!(named, marked, "{name}\n{}", problems.plain());
    }
}

#[test]
fn toml_without_a_board_is_checked_like_one() {
    for (text, said) in [
        ("schema = 1\ninherit = [\"base\"]\n", "inherits nothing"),
        ("[[device]]\nname = \"d\"\nhandler = \"vdisk_nullio\"\n", "schema = 1"),
        ("schema = 1\n[[device]]\nname = \"d\"\nhandler = \"vdisk_nullio\"\nbogus = 1\n", "no key `bogus`"),
        ("schema = 1\n[board]\nname = \"x\"\n[vm]\nmemroy = 1\n", "memroy"),
    ] {
        let problems = Stack::from_toml("x.toml", text).expect_err(text).plain();
        assert!(problems.contains(said), "{text}: {problems}");
    }
}

#[test]
fn a_running_system_may_have_what_an_image_may_not() {
    let text = "HANDLER vdisk_fileio {\n\tDEVICE a {\n\t\tfilename /tmp/x\n\t}\n\tDEVICE b {\n\t\tfilename /tmp/x\n\t}\n}\n";
    assert_eq!(read("x.conf", text).devices().len(), 2);
    assert_eq!(Stack::import_conf("x.conf", text).expect_err("not in an image").len(), 3);
}

#[test]
fn every_printable_value_comes_back() {
    let mut random = Random(0x0c0f_fee5);
    // Signs that mean something come often.
    let signs: Vec<char> = " \"\"\\\\##{}{}'ab$;=!".chars().collect();
    let mut tried = 0;
    for _ in 0..20_000 {
        let count = 1 + random.below(12);
        let value: String = (0..count)
            .map(|_| match random.below(3) {
                0 => char::from(b' ' + random.below(95) as u8),
                _ => signs[random.below(signs.len())],
            })
            .collect();
        if value.trim() != value || value.is_empty() {
            continue;
        }
        let text = serde_json::to_string(&value).expect("text is JSON, and JSON text is TOML");
        let toml = format!(
            "schema = 1\n[[device]]\nname = \"d\"\nhandler = \"vdisk_nullio\"\nvend_specific_id = {text}\n"
        );
        let stack = Stack::from_toml("d.toml", &toml).unwrap_or_else(|p| panic!("{}", p.plain()));
        assert_eq!(read("written", &stack.conf()), stack, "{value}");
        tried += 1;
    }
    assert!(tried > 10_000, "only {tried}");
}

#[test]
fn every_comment_of_one_line_comes_back() {
    let mut random = Random(0xc033_e275);
    let signs: Vec<char> = " \"\"\\##{}{}'a\t\r\u{b}\u{85}\u{a0}\u{2028}üß漢🙂$;=!".chars().collect();
    for _ in 0..5_000 {
        let comment: String = (0..1 + random.below(9)).map(|_| signs[random.below(signs.len())]).collect();
        let text = toml::Value::String(comment.clone());
        let toml = format!("schema = 1\n[[target]]\nname = \"t\"\ncomment = {text}\n");
        let stack = Stack::from_toml("t.toml", &toml).unwrap_or_else(|p| panic!("{}", p.plain()));
        assert_eq!(read("written", &stack.conf()), stack, "{comment:?}");
        assert_eq!(Stack::from_toml("t.toml", &stack.toml()).expect("written"), stack, "{comment:?}");
        // As sysfs shows it.
        let file = File::parse(&format!("{comment}\n[key]\n"), true);
        assert_eq!((file.value, file.unsayable, file.key), (comment, false, true));
    }
}

#[test]
fn a_value_that_no_line_holds_is_known_as_such() {
    for (text, value, unsayable, key) in [
        ("a\n[key]\n", "a", false, true),
        ("/data/x\n[key]\n\n", "/data/x", false, true),
        ("none\n\n", "none", false, false),
        ("", "", false, false),
        ("a\nb\n[key]\n", "a", true, true),
        ("a\n\n[key]\n", "a", true, true),
        ("a\n[key]\n[key]\n", "a", true, true),
        ("\nb\n[key]\n", "", true, true),
        ("B\u{fffd}ro\n[key]\n", "B\u{fffd}ro", true, true),
    ] {
        let file = File::parse(text, true);
        assert_eq!((file.value.as_str(), file.unsayable, file.key), (value, unsayable, key), "{text:?}");
    }
}

#[test]
fn random_stacks_come_back() {
    let mut random = Random(0x5ca1_ab1e);
    for _ in 0..500 {
        let stack = random_stack(&mut random);
        let conf = stack.conf();
        let again = read("written", &conf);
        assert_eq!(again.conf(), conf);
        assert_eq!(again.toml(), stack.toml().lines().map(|line| format!("{line}\n")).collect::<String>());
    }
}

/// A stack whose devices and targets are in the order of their names, as a file that was written has them. Groups are
/// in whatever order.
fn random_stack(random: &mut Random) -> Stack {
    let mut toml = String::from("schema = 1\n");
    let mut devices = Vec::new();
    for handler in ["vcdrom", "vdisk_blockio", "vdisk_fileio", "vdisk_nullio"] {
        for index in 0..random.below(4) {
            let name = format!("{handler}{index}");
            toml.push_str(&format!("[[device]]\nname = \"{name}\"\nhandler = \"{handler}\"\n"));
            if handler == "vdisk_blockio" || handler == "vdisk_fileio" {
                toml.push_str(&format!("filename = \"/dev/{name}\"\n"));
            }
            if random.below(2) == 0 {
                toml.push_str(&format!("threads_num = {}\nprod_id = \"P {index}\"\n", random.below(9)));
            }
            devices.push(name);
        }
    }
    for index in 0..random.below(4) {
        toml.push_str(&format!("[[target]]\nname = \"t{index}\"\nsessions = [\"s{index}\", \"r{index}\"]\n"));
        if random.below(2) == 0 {
            toml.push_str(&format!("rel_tgt_id = {}\ncomment = \"no. {index}\"\n", index + 1));
        }
        luns(&mut toml, "target.lun", &devices, random);
        let mut groups: Vec<usize> = (0..random.below(5)).collect();
        for at in 0..groups.len() {
            let other = random.below(groups.len());
            groups.swap(at, other);
        }
        for group in groups {
            toml.push_str(&format!(
                "[[target.group]]\nname = \"g{group}\"\ninitiators = [\"{group}*\", \"?{group}\"]\n"
            ));
            luns(&mut toml, "target.group.lun", &devices, random);
        }
    }
    Stack::from_toml("random.toml", &toml).unwrap_or_else(|problems| panic!("{}\n{toml}", problems.plain()))
}

fn luns(toml: &mut String, table: &str, devices: &[String], random: &mut Random) {
    for lun in 0..random.below(5) {
        if let Some(device) = devices.get(random.below(devices.len())) {
            let read_only = random.below(2) == 0;
            toml.push_str(&format!(
                "[[{table}]]\nlun = {lun}\ndevice = \"{device}\"\nread_only = {read_only}\n"
            ));
        }
    }
}

#[test]
fn no_text_makes_the_reader_stumble() {
    let seeds = [text("canonical.conf"), text("by-hand.conf")];
    let mut random = Random(0x0b0a_4d5e);
    let alphabet: Vec<char> = "a0-_{}#\"\\\n\t é\u{0};/:9[]".chars().collect();
    for seed in seeds {
        for (at, _) in seed.char_indices() {
            let _ = Stack::from_conf("cut", &seed[..at]);
        }
        let original: Vec<char> = seed.chars().collect();
        for _ in 0..2000 {
            let mut text = original.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(text.len());
                match random.below(3) {
                    0 => text[at] = alphabet[random.below(alphabet.len())],
                    1 => text.insert(at, alphabet[random.below(alphabet.len())]),
                    _ => drop(text.remove(at)),
                }
            }
            let text: String = text.into_iter().collect();
            match Stack::from_conf("mutated", &text) {
                Ok(stack) => assert_eq!(read("again", &stack.conf()).conf(), stack.conf(), "from\n{text}"),
                Err(problems) => assert!(!problems.plain().is_empty()),
            }
        }
    }
}
