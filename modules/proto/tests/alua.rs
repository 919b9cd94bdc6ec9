// SPDX-License-Identifier: GPL-2.0-only
//! Access states by name and by code, what passes in each, and a port's access as a number.

use proptest::prelude::*;
use proto::alua::{AccessState, PortAccess, Reach};
use proto::opcode::Op;
use proto::optable::TABLE;
use proto::sense::Sense;

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

/// The commands that pass in `state`, in the order of the table.
fn passing(state: AccessState) -> Vec<Op> {
    let rows = TABLE.iter().filter(|row| row.reach.passes(state));
    rows.map(|row| row.op).collect()
}

#[test]
fn an_accessible_port_passes_everything() {
    for state in [AccessState::Active, AccessState::NonOptimized] {
        assert_eq!(passing(state).len(), TABLE.len());
        assert_eq!(state.refusal(), None);
        assert!(state.is_accessible());
    }
}

/// SPC-4 5.15.2.4.4 to 5.15.2.4.6 and 5.15.2.5, with READ CAPACITY and what stood there in SPC-3.
#[test]
fn the_other_states_pass_their_lists() {
    use AccessState::{Offline, Standby, Transitioning, Unavailable};
    let always = [
        Op::RequestSense,
        Op::Inquiry,
        Op::ReadCapacity10,
        Op::ReadCapacity16,
        Op::ReportLuns,
        Op::ReportTargetPortGroups,
    ];
    assert_eq!(passing(Transitioning), always);
    let mut lasting = always.to_vec();
    lasting.push(Op::SetTargetPortGroups);
    assert_eq!(passing(Unavailable), lasting);
    assert_eq!(passing(Offline), lasting);
    let standby = passing(Standby);
    assert_eq!(standby.len(), lasting.len() + 11 + 12);
    for row in TABLE {
        let named = ["MODE ", "LOG ", "RESERVE", "RELEASE", "PERSISTENT RESERVE"];
        let managed = named.iter().any(|name| row.name.starts_with(name));
        let expected = managed || row.op == Op::SendDiagnostic || lasting.contains(&row.op);
        assert_eq!(standby.contains(&row.op), expected, "{}", row.name);
    }
}

#[test]
fn each_state_has_its_refusal() {
    let refusal = |state: AccessState| state.refusal();
    assert_eq!(refusal(AccessState::Standby), Some(Sense::ALUA_STANDBY));
    assert_eq!(
        refusal(AccessState::Unavailable),
        Some(Sense::ALUA_UNAVAILABLE)
    );
    assert_eq!(refusal(AccessState::Offline), Some(Sense::ALUA_UNAVAILABLE));
    assert_eq!(
        refusal(AccessState::Transitioning),
        Some(Sense::ALUA_TRANSITION)
    );
}

#[test]
fn only_two_states_show_no_device() {
    let shown = AccessState::ALL.map(AccessState::is_disconnected);
    assert_eq!(shown, [false, false, false, true, true, false]);
}

/// Nothing that changes the medium gets through a port that does not lead to it.
#[test]
fn what_writes_needs_access() {
    for row in TABLE.iter().filter(|row| row.is_write()) {
        assert_eq!(row.reach, Reach::Accessible, "{}", row.name);
    }
}

#[test]
fn a_port_to_a_unit_without_groups_is_zero() {
    assert_eq!(PortAccess::default().bits(), 0);
    assert!(PortAccess::is_accessible(0));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn access_is_kept_in_a_number(state in 0..6_usize, grouped: bool, id: u16) {
        let access = PortAccess {
            state: AccessState::ALL[state],
            grouped,
            group: (id != 0).then_some(id),
        };
        prop_assert_eq!(PortAccess::from_bits(access.bits()), access);
        prop_assert_eq!(PortAccess::is_accessible(access.bits()), access.state.is_accessible());
    }

    #[test]
    fn no_number_is_taken_amiss(bits: u32) {
        let access = PortAccess::from_bits(bits);
        prop_assert_eq!(PortAccess::from_bits(access.bits()), access);
    }
}
