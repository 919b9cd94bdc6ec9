// SPDX-License-Identifier: GPL-2.0-only
//! What is read from files that anybody may have written: understood and consistent, or refused.

use proto::mode::ModeState;
use proto::pr::{Registrant, View};
use proto::pr_id::TransportId;
use proto::sense::Sense;
use proto::{mode_file, pr_file, pr_text};

pub fn any(data: &[u8]) {
    let Some((&what, rest)) = data.split_first() else {
        return;
    };
    match what % 5 {
        0 => reservations(rest),
        1 => core::str::from_utf8(rest).map_or((), reservations_as_text),
        2 => core::str::from_utf8(rest).map_or((), mode_parameters),
        3 => sense(rest),
        _ => transport_id(rest),
    }
}

fn reservations(file: &[u8]) {
    // Whoever writes a file sets its signature last.
    let mut file = file.to_vec();
    if let Some(signature) = file.first_chunk_mut() {
        *signature = pr_file::SIGNATURE;
    }
    let Ok(count) = pr_file::registrants(&file) else {
        return;
    };
    assert!(count <= file.len());
    let mut slots = vec![Registrant::NONE; count];
    let Ok(head) = pr_file::read(&file, &mut slots) else {
        return;
    };
    assert_eq!(head.used, count);
    assert!(View::new(head, &slots).is_consistent());
}

fn reservations_as_text(text: &str) {
    let count = pr_text::registrants(text);
    assert!(count <= text.len() + 1);
    let mut slots = vec![Registrant::NONE; count];
    let Ok(head) = pr_text::parse(text, &mut slots) else {
        return;
    };
    let view = View::new(head, &slots);
    assert!(view.is_consistent());
    let mut again = String::new();
    pr_text::print(view, &mut again).expect("a String takes everything");
    let mut twice = vec![Registrant::NONE; pr_text::registrants(&again)];
    assert_eq!(pr_text::parse(&again, &mut twice), Ok(head));
    assert_eq!(twice, slots);
}

fn mode_parameters(text: &str) {
    let name = text.split('\n').next().unwrap_or("");
    let default = ModeState::new(true, 1);
    let Some(state) = mode_file::read(name, text, &default) else {
        return;
    };
    let Some(again) = mode_file::write(name, &state) else {
        return;
    };
    assert_eq!(mode_file::read(name, again.as_str(), &default), Some(state));
}

fn sense(bytes: &[u8]) {
    let Some(sense) = Sense::parse(bytes) else {
        return;
    };
    let mut out = [0; 64];
    let len = sense.write_descriptor(&mut out);
    assert!(Sense::parse(&out[..len])
        .is_some_and(|again| again.key == sense.key && again.asc == sense.asc));
}

fn transport_id(bytes: &[u8]) {
    for id in [
        TransportId::parse(bytes),
        TransportId::stored(bytes),
        TransportId::of_session(bytes),
    ]
    .into_iter()
    .flatten()
    {
        assert_eq!(TransportId::stored(id.as_bytes()), Ok(id.clone()));
    }
}
