// SPDX-License-Identifier: GPL-2.0-only
//! A logical unit with reservations, driven by the bytes of commands.

#![allow(dead_code, unreachable_pub, missing_docs)] // Each test file uses its part.

use proto::cdb::{parse, Command};
use proto::pr::{may_add, out, Effect, Head, Nexus, Refusal, Registrant, State, View};
use proto::pr_id::TransportId;
use proto::pr_in;
use proto::pr_list::{self, Action};
use proto::sense::Sense;

/// Initiator port number `n`, as SAS names it.
pub fn initiator(n: u8) -> TransportId {
    let mut bytes = [0; 24];
    bytes[0] = 6;
    bytes[11] = n;
    TransportId::parse(&bytes).expect("a SAS TransportID")
}

/// The unit's state between commands.
#[derive(Clone, Default)]
pub struct Unit {
    pub head: Head,
    pub slots: Vec<Registrant>,
}

impl Unit {
    pub fn view(&self) -> View<'_> {
        View::new(self.head, &self.slots)
    }

    /// PERSISTENT RESERVE OUT as `nexus` sends it; a refused one changes nothing, as in the core.
    pub fn send(
        &mut self,
        nexus: (&TransportId, u16),
        cdb: [u8; 3],
        list: &[u8],
        ports: &[u16],
    ) -> Result<Effect, Refusal> {
        let len = (list.len() as u32).to_be_bytes();
        let cdb = [
            cdb[0], cdb[1], cdb[2], 0, 0, len[0], len[1], len[2], len[3], 0,
        ];
        let Command::PersistentReserveOut {
            action,
            scope,
            kind,
            ..
        } = parse(&cdb)?.command
        else {
            panic!("not a PERSISTENT RESERVE OUT");
        };
        let action = Action::from_code(action).expect("in the table");
        let request = pr_list::parse(action, scope, kind, list)?;
        let mut slots = self.slots.clone();
        slots.resize(
            self.head.used + may_add(&request, ports.len()),
            Registrant::NONE,
        );
        let mut state = State {
            head: self.head,
            slots: &mut slots,
        };
        let me = Nexus {
            id: nexus.0,
            port: nexus.1,
        };
        let effect = out(&mut state, &request, me, ports)?;
        let head = state.head;
        slots.truncate(head.used);
        (self.head, self.slots) = (head, slots);
        Ok(effect)
    }

    /// One with the basic list, from initiator `n` at port 1.
    pub fn out(
        &mut self,
        n: u8,
        action: u8,
        kind: u8,
        key: u64,
        action_key: u64,
    ) -> Result<Effect, Refusal> {
        self.send(
            (&initiator(n), 1),
            [0x5F, action, kind],
            &basic(key, action_key, 0),
            &[1],
        )
    }

    pub fn keys(&self) -> Vec<u64> {
        self.view().registrants.iter().map(|r| r.key).collect()
    }

    /// The answer of a service action of PERSISTENT RESERVE IN.
    pub fn read(&self, action: u8, room: usize) -> Vec<u8> {
        crate::common::answer(room, |out| match action {
            0 => pr_in::keys(self.view(), out),
            1 => pr_in::reservation(self.view(), out),
            2 => pr_in::capabilities(self.view(), true, out),
            _ => pr_in::full_status(self.view(), out),
        })
    }
}

/// The basic parameter list.
pub fn basic(key: u64, action_key: u64, flags: u8) -> Vec<u8> {
    let mut list = [key.to_be_bytes(), action_key.to_be_bytes(), [0; 8]].concat();
    list[20] = flags;
    list
}

/// A parameter list with TransportIDs.
pub fn with_ids(key: u64, action_key: u64, flags: u8, ids: &[&[u8]]) -> Vec<u8> {
    let ids = ids.concat();
    [
        basic(key, action_key, flags | 0x08),
        (ids.len() as u32).to_be_bytes().to_vec(),
        ids,
    ]
    .concat()
}

/// The parameter list of REGISTER AND MOVE.
pub fn moving(key: u64, action_key: u64, flags: u8, port: u16, id: &[u8]) -> Vec<u8> {
    let mut list = basic(key, action_key, 0);
    list[17] = flags;
    list[18..20].copy_from_slice(&port.to_be_bytes());
    list[20..24].copy_from_slice(&(id.len() as u32).to_be_bytes());
    [list, id.to_vec()].concat()
}

/// A refusal with sense.
pub fn check(sense: Sense) -> Result<Effect, Refusal> {
    Err(Refusal::Check(sense))
}
