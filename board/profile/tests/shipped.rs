// SPDX-License-Identifier: MIT OR Apache-2.0
//! The boards that are shipped: they load, survive the flat form, plan what is committed, and know every key.

mod common;

use board_profile::{declares_board, diff, template, Action, Board, Source};
use common::{boards_folder, compare_or_write, load_shipped, shipped_names};
use std::collections::HashSet;

#[test]
fn the_boards_of_the_product_are_there() {
    let names = shipped_names();
    for name in ["qemu-x86_64", "qemu-minimal", "generic-x86_64"] {
        assert!(names.iter().any(|known| known == name), "{name} is missing from {names:?}");
    }
    assert!(!names.iter().any(|name| name == "base"), "base is no board");
}

#[test]
fn every_shipped_board_loads_and_survives_the_flat_form() {
    for name in shipped_names() {
        let board = load_shipped(&name).unwrap_or_else(|problems| panic!("{}", problems.plain()));
        assert_eq!(board.name(), name, "a board is named like its file");
        let flat = board.flat();
        let again =
            Board::from_flat("profile.toml", &flat).unwrap_or_else(|p| panic!("{}\n{flat}", p.plain()));
        assert_eq!(again, board);
        assert_eq!(again.flat(), flat, "the flat form is canonical");
        assert_eq!(diff(&board, &again), []);
    }
}

#[test]
fn plans_are_as_committed() {
    for name in shipped_names() {
        let board = load_shipped(&name).unwrap_or_else(|problems| panic!("{}", problems.plain()));
        let golden = boards_folder().join("profile/tests/plans").join(format!("{name}.plan"));
        compare_or_write(&golden, &board.plan().to_string());
    }
}

#[test]
fn plans_are_ordered_and_name_each_object_once() {
    let everything = include_str!("everything.toml");
    let mut boards =
        vec![Board::from_flat("everything.toml", everything).unwrap_or_else(|p| panic!("{}", p.plain()))];
    boards.extend(
        shipped_names().iter().map(|name| load_shipped(name).unwrap_or_else(|p| panic!("{}", p.plain()))),
    );
    for board in boards {
        let mut done = HashSet::new();
        for step in board.plan().steps {
            for need in &step.needs {
                assert!(done.contains(need), "{} needs {need}, which comes later or never", step.object);
            }
            assert!(done.insert(step.object.clone()), "{} is there twice", step.object);
            if let Action::Write { path, data } = &step.action {
                assert!(!path.starts_with('/') && !data.contains('\n'), "{step}");
            }
        }
    }
}

#[test]
fn the_whole_format_survives_the_flat_form() {
    let board = Board::from_flat("everything.toml", include_str!("everything.toml"))
        .unwrap_or_else(|problems| panic!("{}", problems.plain()));
    let flat = board.flat();
    let again = Board::from_flat("flat", &flat).unwrap_or_else(|p| panic!("{}\n{flat}", p.plain()));
    assert_eq!(again, board);
    compare_or_write(&boards_folder().join("profile/tests/plans/everything.plan"), &board.plan().to_string());
}

#[test]
fn a_new_board_is_complete_as_it_stands() {
    let text = template("new-board");
    assert!(declares_board(&text));
    let loader = |name: &str| match name {
        "new-board" => Ok(Source { path: "board/new-board.toml".into(), text: text.clone() }),
        other => common::source(other),
    };
    let board =
        board_profile::load("new-board", &loader).unwrap_or_else(|problems| panic!("{}", problems.plain()));
    assert_eq!(board.name(), "new-board");
    assert_eq!(board.plan().steps.iter().filter(|step| step.object.kind() == "lun").count(), 1);
}

#[test]
fn a_session_needs_its_target_and_all_groups_but_no_lun() {
    let board = Board::from_flat("everything.toml", include_str!("everything.toml"))
        .unwrap_or_else(|problems| panic!("{}", problems.plain()));
    let plan = board.plan();
    let needs = |object: &str| -> Vec<&str> {
        let step = plan.steps.iter().find(|step| step.object.as_str() == object);
        step.expect("a step").needs.iter().map(|need| need.as_str()).collect()
    };
    assert_eq!(
        needs("session scst_local/tgt-1/host-a"),
        [
            "target scst_local/tgt-1",
            "group scst_local/tgt-1/backup",
            "initiator scst_local/tgt-1/backup/host-b",
            "initiator scst_local/tgt-1/backup/!iqn.*",
            "initiator scst_local/tgt-1/backup/host-?",
        ]
    );
    assert_eq!(needs("lun scst_local/tgt-1/0"), ["target scst_local/tgt-1", "device file1"]);
    assert_eq!(needs("lun scst_local/tgt-1/backup/0"), ["group scst_local/tgt-1/backup", "device cd1"]);
    assert_eq!(needs("device file1"), ["module scst_vdisk", "file /data/luns/file1.img"]);
}
