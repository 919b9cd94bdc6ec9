// SPDX-License-Identifier: GPL-2.0-only
//! The parameter list of PERSISTENT RESERVE OUT (SPC-4 6.14).

use super::pr_id::TransportId;
use super::sense::Sense;

/// Bytes of the basic parameter list.
const BASIC: usize = 24;

/// A PERSISTENT RESERVE OUT command with its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What to do.
    pub action: Action,
    /// SCOPE of the CDB.
    pub scope: u8,
    /// TYPE of the CDB.
    pub kind: u8,
    /// RESERVATION KEY: the nexus's own.
    pub key: u64,
    /// SERVICE ACTION RESERVATION KEY.
    pub action_key: u64,
    /// APTPL, of the three actions that register.
    pub aptpl: bool,
    /// ALL_TG_PT of REGISTER and REGISTER AND IGNORE EXISTING KEY.
    pub all_ports: bool,
    /// The TransportIDs of REGISTER with SPEC_I_PT, or the one of REGISTER AND MOVE.
    pub ids: Option<Ids<'a>>,
    /// What REGISTER AND MOVE has beside.
    pub target: Option<Move>,
}

/// Where REGISTER AND MOVE moves the reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The nexus that the command came over is unregistered.
    pub unregister: bool,
    /// Relative target port identifier.
    pub port: u16,
}

/// Service actions of PERSISTENT RESERVE OUT, by their codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // They bear the standard's names.
pub enum Action {
    Register = 0,
    Reserve = 1,
    Release = 2,
    Clear = 3,
    Preempt = 4,
    PreemptAndAbort = 5,
    RegisterAndIgnore = 6,
    RegisterAndMove = 7,
}

impl Action {
    /// The service action with this code.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Register,
            1 => Self::Reserve,
            2 => Self::Release,
            3 => Self::Clear,
            4 => Self::Preempt,
            5 => Self::PreemptAndAbort,
            6 => Self::RegisterAndIgnore,
            7 => Self::RegisterAndMove,
            _ => return None,
        })
    }
}

/// TransportIDs one after another, all of them checked.
#[derive(Clone, Copy, Debug)]
pub struct Ids<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Ids<'a> {
    /// `field`, which begins at byte `at` of the parameter list, has TransportIDs and nothing else; at least one.
    fn check(field: &'a [u8], at: usize) -> Result<Self, Sense> {
        let ids = Self { rest: field, at };
        let mut rest = ids;
        let mut sum: usize = 0;
        for (_, id) in &mut rest {
            sum = sum.saturating_add(id.as_bytes().len());
        }
        if sum == field.len() && sum != 0 {
            Ok(ids)
        } else {
            Err(Sense::invalid_field_in_parameter_list(offset(rest.at)))
        }
    }
}

impl Iterator for Ids<'_> {
    /// A TransportID and its offset in the parameter list.
    type Item = (u16, TransportId);

    fn next(&mut self) -> Option<Self::Item> {
        let id = TransportId::parse(self.rest).ok()?;
        let at = offset(self.at);
        self.at = self.at.saturating_add(id.as_bytes().len());
        self.rest = self.rest.get(id.as_bytes().len()..)?;
        Some((at, id))
    }
}

/// An offset as a field pointer has it.
fn offset(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// SPEC_I_PT, where it does not belong or its TransportIDs are missing.
pub(super) const WRONG_SPEC_I_PT: Sense = Sense::invalid_field_in_parameter_list_bit(20, 3);
/// APTPL, where nothing can be kept.
pub const WRONG_APTPL: Sense = Sense::invalid_field_in_parameter_list_bit(20, 0);

/// Understands the CDB's fields and the whole parameter list.
///
/// Errors: 1A/00 for a list of another length than its action has, 26/00 with a pointer for TransportIDs that are none,
/// or that the list cuts short.
pub fn parse(action: Action, scope: u8, kind: u8, list: &[u8]) -> Result<Request<'_>, Sense> {
    let mut request = Request {
        action,
        scope,
        kind,
        key: u64_at(list, 0)?,
        action_key: u64_at(list, 8)?,
        aptpl: false,
        all_ports: false,
        ids: None,
        target: None,
    };
    if action == Action::RegisterAndMove {
        return parse_move(request, list);
    }
    let flags = list
        .get(20)
        .copied()
        .ok_or(Sense::PARAMETER_LIST_LENGTH_ERROR)?;
    let registers = matches!(action, Action::Register | Action::RegisterAndIgnore);
    request.aptpl = registers && flags & 0x01 != 0;
    request.all_ports = registers && flags & 0x04 != 0;
    if flags & 0x08 != 0 {
        if action != Action::Register {
            return Err(WRONG_SPEC_I_PT);
        }
        let len = list.get(24..28).and_then(be32).ok_or(WRONG_SPEC_I_PT)?;
        let field = list.get(28..).unwrap_or(&[]);
        if len != field.len() {
            return Err(Sense::invalid_field_in_parameter_list(24));
        }
        request.ids = Some(Ids::check(field, 28)?);
    } else if list.len() != BASIC {
        return Err(Sense::PARAMETER_LIST_LENGTH_ERROR);
    }
    Ok(request)
}

fn parse_move<'a>(mut request: Request<'a>, list: &'a [u8]) -> Result<Request<'a>, Sense> {
    let flags = list
        .get(17)
        .copied()
        .ok_or(Sense::PARAMETER_LIST_LENGTH_ERROR)?;
    let port = list
        .get(18..20)
        .and_then(be16)
        .ok_or(Sense::PARAMETER_LIST_LENGTH_ERROR)?;
    let len = list
        .get(20..24)
        .and_then(be32)
        .ok_or(Sense::PARAMETER_LIST_LENGTH_ERROR)?;
    let field = list.get(24..).unwrap_or(&[]);
    if len != field.len() || len == 0 {
        return Err(Sense::invalid_field_in_parameter_list(20));
    }
    let id = TransportId::parse(field).map_err(|_| Sense::invalid_field_in_parameter_list(24))?;
    if id.as_bytes().len() != len || id.is_any_port() {
        return Err(Sense::invalid_field_in_parameter_list(24));
    }
    request.aptpl = flags & 0x01 != 0;
    request.ids = Some(Ids {
        rest: field,
        at: 24,
    });
    request.target = Some(Move {
        unregister: flags & 0x02 != 0,
        port,
    });
    Ok(request)
}

fn u64_at(list: &[u8], at: usize) -> Result<u64, Sense> {
    let field = list.get(at..).and_then(|rest| rest.first_chunk());
    field
        .map(|bytes| u64::from_be_bytes(*bytes))
        .ok_or(Sense::PARAMETER_LIST_LENGTH_ERROR)
}

fn be32(field: &[u8]) -> Option<usize> {
    let bytes = field.first_chunk()?;
    usize::try_from(u32::from_be_bytes(*bytes)).ok()
}

fn be16(field: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*field.first_chunk()?))
}
