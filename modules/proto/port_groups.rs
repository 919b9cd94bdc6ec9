// SPDX-License-Identifier: GPL-2.0-only
//! REPORT TARGET PORT GROUPS and SET TARGET PORT GROUPS (SPC-4 6.37, 6.45): what is reported, and what a list asks for.

use super::alua::AccessState;
use super::sense::Sense;
use super::writer::Writer;

/// Why a group is in its state: the STATUS CODE.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An initiator set it, by SET TARGET PORT GROUPS.
    Explicit = 1,
    /// The target set it.
    Implicit = 2,
}

/// What is reported of a group beside its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its identifier.
    pub id: u16,
    /// PREF: the target would like to be reached here.
    pub preferred: bool,
    /// The state of its ports.
    pub state: AccessState,
    /// Why they are in it.
    pub cause: Cause,
}

/// The states that a group can be in: T, O, U, S, AN and AO_SUP.
const SUPPORTED_STATES: u8 = 0xCF;

/// Bytes before the first group in the extended format, less the four of the length.
const EXTENDED_HEADER: u8 = 0x10;

/// Ports of a group that can be reported: their number has one byte.
const PORTS_MAX: usize = u8::MAX as usize;

/// REPORT TARGET PORT GROUPS data, group after group.
pub struct Report<'a>(Writer<'a>);

impl<'a> Report<'a> {
    /// A report without groups. Error: 24/00 at the PARAMETER DATA FORMAT field for a format other than 0, which begins with
    /// the length only, and 1, the extended one.
    pub fn new(format: u8, out: &'a mut [u8]) -> Result<Self, Sense> {
        let mut w = Writer::new(out);
        w.u32(0);
        match format {
            0 => {}
            // No time is promised within which a transition ends.
            1 => w.bytes(&[EXTENDED_HEADER, 0, 0, 0]),
            _ => return Err(Sense::invalid_field_in_cdb_bit(1, 7)),
        }
        Ok(Self(w))
    }

    /// Adds a group, and the relative identifiers of its ports: the first 255 of them.
    pub fn group(&mut self, group: Group, ports: impl Iterator<Item = u16>) {
        let preferred = u8::from(group.preferred) << 7;
        self.0
            .bytes(&[preferred | group.state as u8, SUPPORTED_STATES]);
        self.0.u16(group.id);
        self.0.bytes(&[0, group.cause as u8, 0]);
        let count_at = self.0.total();
        self.0.u8(0);
        let mut count: u8 = 0;
        for port in ports.take(PORTS_MAX) {
            self.0.u16(0);
            self.0.u16(port);
            count = count.saturating_add(1);
        }
        self.0.patch_u8(count_at, count);
    }

    /// Ends the report. Returns how many bytes of the buffer hold it.
    pub fn finish(mut self) -> usize {
        let len = self.0.total().saturating_sub(4);
        self.0.patch_u32(0, u32::try_from(len).unwrap_or(u32::MAX));
        self.0.stored()
    }
}

/// Groups that one list can set.
pub const CHANGES_MAX: usize = 64;

/// Bytes of a list's header and of each of its descriptors.
const DESCRIPTOR: usize = 4;

/// Bytes of the longest list.
pub const LIST_MAX: usize = DESCRIPTOR * (1 + CHANGES_MAX);

/// One descriptor of a list: a group is to be in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The state.
    pub state: AccessState,
    /// The group's identifier.
    pub group: u16,
    /// Offset of the descriptor in the list.
    at: u16,
}

impl Change {
    /// The sense for a group that does not exist: 26/00 at its identifier.
    pub const fn no_such_group(&self) -> Sense {
        Sense::invalid_field_in_parameter_list(self.at.saturating_add(2))
    }
}

/// Whether a list may be `list_len` bytes long; 0 asks for nothing. Error: 24/00 at the length for one that is longer than
/// [`LIST_MAX`] or ends inside a descriptor.
pub fn check_length(list_len: u32) -> Result<(), Sense> {
    match usize::try_from(list_len) {
        Ok(len) if len <= LIST_MAX && len % DESCRIPTOR == 0 => Ok(()),
        _ => Err(Sense::invalid_field_in_cdb(6)),
    }
}

/// What a list asks for, in its order. Error, in the place of a descriptor: 26/00 at the state for one that cannot be set.
/// Those are transitioning, and offline, which is a state of single ports and not of groups.
pub fn changes(list: &[u8]) -> impl Iterator<Item = Result<Change, Sense>> + Clone + '_ {
    let descriptors = list.chunks_exact(DESCRIPTOR).zip(0..=u16::MAX).skip(1);
    descriptors.map(|(descriptor, number)| {
        let at = number.saturating_mul(DESCRIPTOR as u16);
        let wrong_state = Sense::invalid_field_in_parameter_list_bit(at, 3);
        let &[state, _, high, low] = descriptor else {
            return Err(wrong_state);
        };
        match AccessState::from_code(state & 0x0F) {
            None | Some(AccessState::Transitioning | AccessState::Offline) => Err(wrong_state),
            Some(state) => Ok(Change {
                state,
                group: u16::from_be_bytes([high, low]),
                at,
            }),
        }
    })
}
