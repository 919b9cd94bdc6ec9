// SPDX-License-Identifier: GPL-2.0-only
//! Any sequence of PERSISTENT RESERVE OUT commands from a few nexuses leaves a state that makes sense, and that can be
//! kept and read again.

use proto::pr::{may_add, out, Head, Nexus, Registrant, State, View};
use proto::pr_id::TransportId;
use proto::pr_list::{self, Action};
use proto::{pr_file, pr_in, pr_text};

use super::input::{cut_is_a_prefix, Input};

const PORTS: [u16; 2] = [1, 2];
/// Enough for rules to meet, few enough for an input to be tried often.
const MOST_COMMANDS: usize = 24;
const MOST_REGISTRANTS: usize = 64;

#[derive(Default)]
struct Unit {
    head: Head,
    slots: Vec<Registrant>,
}

pub fn any(data: &[u8]) {
    let mut input = Input(data);
    let mut unit = Unit::default();
    for _ in 0..MOST_COMMANDS {
        if input.is_empty() || unit.slots.len() > MOST_REGISTRANTS {
            break;
        }
        unit.command(&mut input);
        assert!(View::new(unit.head, &unit.slots).is_consistent());
    }
    unit.is_kept();
    unit.is_shown();
}

impl Unit {
    fn command(&mut self, input: &mut Input<'_>) {
        let (who, what) = (input.u8(), input.u8());
        let id = initiator(who & 3);
        let me = Nexus {
            id: &id,
            port: PORTS[usize::from(who >> 2 & 1)],
        };
        let mut list = input.bytes(120).to_vec();
        let own = View::new(self.head, &self.slots)
            .registrants
            .iter()
            .find(|r| r.is(me))
            .map(|r| r.key);
        if let (true, Some(key), Some(to)) = (who & 8 == 0, own, list.first_chunk_mut::<8>()) {
            *to = key.to_be_bytes();
        }
        let Some(action) = Action::from_code(what & 7) else {
            return;
        };
        let Ok(request) = pr_list::parse(action, who >> 7, what >> 3 & 15, &list) else {
            return;
        };
        let mut slots = self.slots.clone();
        slots.resize(
            self.head.used + may_add(&request, PORTS.len()),
            Registrant::NONE,
        );
        let mut state = State {
            head: self.head,
            slots: &mut slots,
        };
        if out(&mut state, &request, me, &PORTS).is_ok() {
            self.head = state.head;
            slots.truncate(self.head.used);
            self.slots = slots;
        }
    }

    fn is_kept(&self) {
        let view = View::new(self.head, &self.slots);
        let mut file = vec![0; pr_file::len(view)];
        assert_eq!(pr_file::write(view, &mut file), file.len());
        file[..8].copy_from_slice(&pr_file::SIGNATURE);
        let mut slots = vec![Registrant::NONE; view.registrants.len()];
        let head = pr_file::read(&file, &mut slots).expect("as written");
        assert_eq!(
            (head, &slots),
            (
                Head {
                    generation: 0,
                    ..self.head
                },
                &self.slots
            )
        );
    }

    fn is_shown(&self) {
        let view = View::new(self.head, &self.slots);
        let mut text = String::new();
        pr_text::print(view, &mut text).expect("a String takes everything");
        let mut slots = vec![Registrant::NONE; pr_text::registrants(&text)];
        let head = pr_text::parse(&text, &mut slots).expect("as printed");
        assert_eq!(
            (head, &slots),
            (
                Head {
                    aptpl: false,
                    ..self.head
                },
                &self.slots
            )
        );
        for room in [0, 7, 8, 24, 61] {
            cut_is_a_prefix::<()>(room, |out| Ok(pr_in::keys(view, out)));
            cut_is_a_prefix::<()>(room, |out| Ok(pr_in::reservation(view, out)));
            cut_is_a_prefix::<()>(room, |out| Ok(pr_in::capabilities(view, true, out)));
            cut_is_a_prefix::<()>(room, |out| Ok(pr_in::full_status(view, out)));
        }
    }
}

fn initiator(n: u8) -> TransportId {
    let mut bytes = [0; 24];
    (bytes[0], bytes[11]) = (6, n);
    TransportId::parse(&bytes).expect("a SAS TransportID")
}
