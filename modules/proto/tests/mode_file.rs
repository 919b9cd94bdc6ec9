// SPDX-License-Identifier: GPL-2.0-only
//! Saved mode parameters as text.
#![allow(missing_docs)]

use proptest::prelude::*;
use proto::mode::ModeState;
use proto::mode_file::{read, write};

const DEFAULT: ModeState = ModeState::new(true, 1);

#[test]
fn the_file_of_a_new_device() {
    let text = write("disk1", &DEFAULT).unwrap();
    let expected = "disk1\nTAS=0\nQERR=0\nTMF_ONLY=0\nSWP=0\nD_SENSE=0\nDPICZ=0\nQUEUE_ALG=1\nWRITE_THROUGH=0\n";
    assert_eq!(text.as_str(), expected);
}

#[test]
fn a_part_is_enough_and_a_mistake_too_much() {
    let swp = ModeState {
        swp: true,
        ..DEFAULT
    };
    assert_eq!(read("disk1", "disk1\nSWP=1\n", &DEFAULT), Some(swp));
    assert_eq!(read("disk1", "disk1\n", &swp), Some(swp));
    for wrong in [
        "",
        "disk2\nSWP=1\n",
        "disk1\nSWP=2\n",
        "disk1\nQERR=2\n",
        "disk1\nQUEUE_ALG=2\n",
        "disk1\nSWP\n",
        "disk1\nX=1\n",
        "disk1\nSWP=-1\n",
        "\0\0\0\0\0\nSWP=1\n",
    ] {
        assert_eq!(read("disk1", wrong, &DEFAULT), None, "{wrong:?}");
    }
}

#[test]
fn a_long_name_does_not_fit() {
    assert!(write(&"n".repeat(64), &DEFAULT).is_some());
    assert!(write(&"n".repeat(300), &DEFAULT).is_none());
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        wce: bool, tmf_only: bool, dpicz: bool, d_sense: bool, swp: bool, tas: bool, queue_alg in 0..2_u8,
        qerr in prop_oneof![Just(0_u8), Just(1), Just(3)]
    ) {
        let state = ModeState { wce, tst: 1, tmf_only, dpicz, d_sense, queue_alg, qerr, swp, tas };
        let text = write("a name", &state).unwrap();
        prop_assert_eq!(read("a name", text.as_str(), &DEFAULT), Some(state));
    }

    #[test]
    fn any_text_is_read_or_not(text in "(d\n)?([A-Z_]{0,14}=?[0-9]{0,2}\n){0,4}.{0,8}") {
        let _ = read("d", &text, &DEFAULT);
    }
}
