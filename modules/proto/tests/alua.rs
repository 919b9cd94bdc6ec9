// SPDX-License-Identifier: GPL-2.0-only
//! Access states by name and by code.

use proto::alua::AccessState;

#[test]
fn names_and_codes_lead_back_to_their_state() {
    for state in AccessState::ALL {
        assert_eq!(AccessState::from_name(state.name()), Some(state));
        assert_eq!(AccessState::from_code(state as u8), Some(state));
    }
}

#[test]
fn what_is_no_state_is_refused() {
    for word in ["", "Active", "active ", "optimized", "activ"] {
        assert_eq!(AccessState::from_name(word), None, "{word:?}");
    }
    for code in [4, 5, 0xD, 0x10, 0xFF] {
        assert_eq!(AccessState::from_code(code), None, "{code:#x}");
    }
}

#[test]
fn the_codes_are_those_of_the_standard() {
    let codes = AccessState::ALL.map(|state| state as u8);
    assert_eq!(codes, [0, 1, 2, 3, 0xE, 0xF]);
}
