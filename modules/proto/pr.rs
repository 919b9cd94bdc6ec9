// SPDX-License-Identifier: GPL-2.0-only
//! Persistent reservations (SPC-4 5.13): who is registered at a logical unit, who holds it, and what each service action
//! of PERSISTENT RESERVE OUT does to that.

use super::pr_access::Standing;
use super::pr_id::TransportId;
use super::pr_list::{Action, Move, Request, WRONG_SPEC_I_PT};
use super::sense::Sense;

/// TYPE of a persistent reservation (SPC-4 table 116).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // They bear the standard's names.
pub enum Kind {
    WriteExclusive = 1,
    ExclusiveAccess = 3,
    WriteExclusiveRegistrantsOnly = 5,
    ExclusiveAccessRegistrantsOnly = 6,
    WriteExclusiveAllRegistrants = 7,
    ExclusiveAccessAllRegistrants = 8,
}

impl Kind {
    /// The type with this code.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::WriteExclusive,
            3 => Self::ExclusiveAccess,
            5 => Self::WriteExclusiveRegistrantsOnly,
            6 => Self::ExclusiveAccessRegistrantsOnly,
            7 => Self::WriteExclusiveAllRegistrants,
            8 => Self::ExclusiveAccessAllRegistrants,
            _ => return None,
        })
    }

    /// The code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Every registrant holds it.
    pub const fn is_all_registrants(self) -> bool {
        matches!(
            self,
            Self::WriteExclusiveAllRegistrants | Self::ExclusiveAccessAllRegistrants
        )
    }

    /// Every registrant may use the unit.
    const fn is_shared(self) -> bool {
        !matches!(self, Self::WriteExclusive | Self::ExclusiveAccess)
    }

    /// Those whom it keeps out may not even read.
    pub const fn excludes_readers(self) -> bool {
        matches!(
            self,
            Self::ExclusiveAccess
                | Self::ExclusiveAccessRegistrantsOnly
                | Self::ExclusiveAccessAllRegistrants
        )
    }

    /// A nexus of that standing may do everything.
    pub const fn grants_all(self, standing: Standing) -> bool {
        match standing {
            Standing::Holder => true,
            Standing::Registrant => self.is_shared(),
            Standing::Stranger => false,
        }
    }
}

/// A registered I_T nexus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registrant {
    /// The initiator port.
    pub id: TransportId,
    /// The target port's relative identifier.
    pub port: u16,
    /// Reservation key, never 0.
    pub key: u64,
    /// Holds the reservation, by itself: never set for the all-registrants types.
    pub holder: bool,
}

impl Registrant {
    /// An empty slot.
    pub const NONE: Self = Self {
        id: TransportId::NONE,
        port: 0,
        key: 0,
        holder: false,
    };

    /// Whether it is this nexus.
    pub fn is(&self, nexus: Nexus<'_>) -> bool {
        self.port == nexus.port && self.id == *nexus.id
    }
}

/// An I_T nexus.
#[derive(Clone, Copy, Debug)]
pub struct Nexus<'a> {
    /// The initiator port.
    pub id: &'a TransportId,
    /// The target port's relative identifier.
    pub port: u16,
}

/// What there is beside the registrants. All zero is a unit that nobody has reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// PRGENERATION.
    pub generation: u32,
    /// Registrations and reservation are to outlive a loss of power.
    pub aptpl: bool,
    /// Type of the reservation; its scope is always the logical unit.
    pub reservation: Option<Kind>,
    /// Registrants in use, at the front of their table.
    pub used: usize,
}

/// The state of a logical unit, to be read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What there is beside the registrants.
    pub head: Head,
    /// Who is registered, in the order in which they came.
    pub registrants: &'a [Registrant],
}

impl<'a> View<'a> {
    /// The state in `head` and the used part of `slots`.
    pub fn new(head: Head, slots: &'a [Registrant]) -> Self {
        Self {
            head,
            registrants: slots.get(..head.used).unwrap_or(slots),
        }
    }

    /// How a nexus stands to the reservation; without one, registrants are that.
    pub fn standing(&self, nexus: Nexus<'_>) -> Standing {
        match self.registrants.iter().find(|r| r.is(nexus)) {
            Some(r) if self.is_holder(r) => Standing::Holder,
            Some(_) => Standing::Registrant,
            None => Standing::Stranger,
        }
    }

    /// Whether a registrant holds the reservation, alone or with all others.
    pub fn is_holder(&self, registrant: &Registrant) -> bool {
        registrant.holder || self.head.reservation.is_some_and(Kind::is_all_registrants)
    }

    /// The key of the reservation's holder, 0 if all registrants hold it; `None` without a reservation.
    pub fn holder_key(&self) -> Option<u64> {
        self.head.reservation?;
        Some(
            self.registrants
                .iter()
                .find(|r| r.holder)
                .map_or(0, |r| r.key),
        )
    }

    /// What can never be otherwise, whoever wrote it down: keys are not 0, nobody is registered twice, and a reservation
    /// has one holder or, of the all-registrants types, registrants.
    pub fn is_consistent(&self) -> bool {
        let holders = count(self.registrants.iter().filter(|r| r.holder));
        let held_right = match self.head.reservation {
            None => holders == 0,
            Some(kind) if kind.is_all_registrants() => holders == 0 && !self.registrants.is_empty(),
            Some(_) => holders == 1,
        };
        let mut rest = self.registrants.iter();
        let mut unique = true;
        while let Some(r) = rest.next() {
            let again = rest
                .clone()
                .any(|other| other.port == r.port && other.id == r.id);
            unique &= r.key != 0 && !again;
        }
        held_right && unique && self.head.used == self.registrants.len()
    }
}

/// Why a PERSISTENT RESERVE OUT is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// RESERVATION CONFLICT.
    Conflict,
    /// CHECK CONDITION.
    Check(Sense),
}

impl From<Sense> for Refusal {
    fn from(sense: Sense) -> Self {
        Self::Check(sense)
    }
}

/// Whom a PERSISTENT RESERVE OUT that was carried out concerns beside its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Unit attention for every other nexus that is not registered any more.
    pub removed: Option<Sense>,
    /// Unit attention for every other nexus that still is.
    pub remaining: Option<Sense>,
    /// The commands of every other nexus that is not registered any more are aborted.
    pub abort: bool,
    /// Something is different now.
    pub changed: bool,
}

/// The state of a logical unit, to be changed.
#[derive(Debug)]
pub struct State<'a> {
    /// What there is beside the registrants.
    pub head: Head,
    /// Registrants, and room for more.
    pub slots: &'a mut [Registrant],
}

/// Registrants that `request` may add at most, at a target with so many ports.
pub fn may_add(request: &Request<'_>, ports: usize) -> usize {
    let ids = request.ids.map_or(0, count).saturating_add(1);
    ids.saturating_mul(if request.all_ports {
        ports.saturating_add(1)
    } else {
        1
    })
}

/// Carries a PERSISTENT RESERVE OUT out that came over `me`; `ports` are the relative identifiers of all target ports.
/// To be called with a copy: a state that was refused something may be half changed.
pub fn out(
    state: &mut State<'_>,
    request: &Request<'_>,
    me: Nexus<'_>,
    ports: &[u16],
) -> Result<Effect, Refusal> {
    let own = state
        .view()
        .registrants
        .iter()
        .find(|r| r.is(me))
        .map(|r| r.key);
    match (request.action, own) {
        (Action::RegisterAndIgnore, _) => return state.register(request, me, ports, own),
        (Action::Register, own) if own.unwrap_or(0) == request.key => {
            return state.register(request, me, ports, own);
        }
        (_, Some(key)) if key == request.key => {}
        _ => return Err(Refusal::Conflict),
    }
    match request.action {
        Action::Reserve => state.reserve(request, me),
        Action::Release => state.release(request, me),
        Action::Clear => Ok(state.clear()),
        Action::Preempt => state.preempt(request, me),
        Action::PreemptAndAbort => {
            let effect = state.preempt(request, me)?;
            Ok(Effect {
                abort: true,
                ..effect
            })
        }
        _ => state.register_and_move(request, me, ports),
    }
}

const CHANGED: Effect = Effect {
    removed: None,
    remaining: None,
    abort: false,
    changed: true,
};
const NOTHING: Effect = Effect {
    changed: false,
    ..CHANGED
};

impl State<'_> {
    /// The state as it is now.
    pub fn view(&self) -> View<'_> {
        View::new(self.head, self.slots)
    }

    fn register(
        &mut self,
        request: &Request<'_>,
        me: Nexus<'_>,
        ports: &[u16],
        own: Option<u64>,
    ) -> Result<Effect, Refusal> {
        if request.ids.is_some() && own.is_some() {
            return Err(WRONG_SPEC_I_PT.into());
        }
        if request.action_key == 0 {
            let Some(key) = own else { return Ok(NOTHING) };
            return Ok(self.unregister(request, me, key));
        }
        self.set(me, request.action_key)?;
        for port in ports.iter().filter(|_| request.all_ports) {
            self.set(Nexus { port: *port, ..me }, request.action_key)?;
        }
        for (at, id) in request.ids.into_iter().flatten() {
            self.add(Nexus { id: &id, ..me }, request.action_key, at)?;
            for port in ports
                .iter()
                .filter(|port| request.all_ports && **port != me.port)
            {
                self.add(
                    Nexus {
                        id: &id,
                        port: *port,
                    },
                    request.action_key,
                    at,
                )?;
            }
        }
        self.head.aptpl = request.aptpl;
        self.next_generation();
        Ok(CHANGED)
    }

    /// The nexus goes; with ALL_TG_PT, those of its initiator port at other target ports that have the same key do too.
    fn unregister(&mut self, request: &Request<'_>, me: Nexus<'_>, key: u64) -> Effect {
        let goes =
            |r: &Registrant| r.is(me) || (request.all_ports && r.id == *me.id && r.key == key);
        let held = self.view().registrants.iter().any(|r| r.holder && goes(r));
        let kind = self.head.reservation;
        self.retain(|r| !goes(r));
        if held {
            self.head.reservation = None;
        }
        self.head.aptpl = request.aptpl;
        self.tidy();
        self.next_generation();
        let shared = held && kind.is_some_and(Kind::is_shared);
        Effect {
            remaining: shared.then_some(Sense::RESERVATIONS_RELEASED),
            ..CHANGED
        }
    }

    fn reserve(&mut self, request: &Request<'_>, me: Nexus<'_>) -> Result<Effect, Refusal> {
        let kind = kind_of(request)?;
        match self.head.reservation {
            None => {
                self.hold(kind, me);
                Ok(CHANGED)
            }
            Some(now) if now == kind && self.view().standing(me) == Standing::Holder => Ok(NOTHING),
            Some(_) => Err(Refusal::Conflict),
        }
    }

    fn release(&mut self, request: &Request<'_>, me: Nexus<'_>) -> Result<Effect, Refusal> {
        let Some(now) = self.head.reservation else {
            return Ok(NOTHING);
        };
        if self.view().standing(me) != Standing::Holder {
            return Ok(NOTHING);
        }
        if request.scope != 0 || request.kind != now.code() {
            return Err(Sense::INVALID_RELEASE.into());
        }
        self.head.reservation = None;
        self.drop_holder();
        Ok(Effect {
            remaining: now.is_shared().then_some(Sense::RESERVATIONS_RELEASED),
            ..CHANGED
        })
    }

    fn clear(&mut self) -> Effect {
        self.retain(|_| false);
        self.tidy();
        self.next_generation();
        Effect {
            removed: Some(Sense::RESERVATIONS_PREEMPTED),
            ..CHANGED
        }
    }

    fn preempt(&mut self, request: &Request<'_>, me: Nexus<'_>) -> Result<Effect, Refusal> {
        let view = self.view();
        let now = view.head.reservation;
        // 0 is what a reservation is preempted by that all registrants hold.
        let of_reservation = view.holder_key() == Some(request.action_key);
        let known = view.registrants.iter().any(|r| r.key == request.action_key);
        let mut effect = Effect {
            removed: Some(Sense::REGISTRATIONS_PREEMPTED),
            ..CHANGED
        };
        if of_reservation {
            let kind = kind_of(request)?;
            let everybody = request.action_key == 0;
            self.retain(|r| r.is(me) || !(everybody || r.key == request.action_key));
            self.hold(kind, me);
            effect.remaining = (now != Some(kind)).then_some(Sense::RESERVATIONS_RELEASED);
        } else if request.action_key == 0 {
            return Err(Sense::invalid_field_in_parameter_list(8).into());
        } else if known {
            // The sender's own registration goes too, where that is its key (SPC-4 5.13.11.2.5).
            self.retain(|r| r.key != request.action_key);
            self.tidy();
        } else {
            return Err(Refusal::Conflict);
        }
        self.next_generation();
        Ok(effect)
    }

    fn register_and_move(
        &mut self,
        request: &Request<'_>,
        me: Nexus<'_>,
        ports: &[u16],
    ) -> Result<Effect, Refusal> {
        let kind = self
            .head
            .reservation
            .ok_or(Sense::invalid_field_in_cdb_bit(1, 4))?;
        if kind.is_all_registrants() || self.view().standing(me) != Standing::Holder {
            return Err(Refusal::Conflict);
        }
        if request.action_key == 0 {
            return Err(Sense::invalid_field_in_parameter_list(8).into());
        }
        let wrong_id = Sense::invalid_field_in_parameter_list(24);
        let id = request
            .ids
            .and_then(|mut ids| ids.next())
            .map(|(_, id)| id)
            .ok_or(wrong_id)?;
        let Move { unregister, port } = request.target.ok_or(wrong_id)?;
        if id == *me.id {
            return Err(wrong_id.into());
        }
        if port != me.port && !ports.contains(&port) {
            return Err(Sense::invalid_field_in_parameter_list(18).into());
        }
        let to = Nexus { id: &id, port };
        self.set(to, request.action_key)?;
        if unregister {
            self.retain(|r| !r.is(me));
        }
        self.hold(kind, to);
        self.head.aptpl = request.aptpl;
        self.next_generation();
        Ok(CHANGED)
    }

    /// Registers a nexus that must not be registered; `at` is where the parameter list names it.
    fn add(&mut self, nexus: Nexus<'_>, key: u64, at: u16) -> Result<(), Refusal> {
        if self.view().registrants.iter().any(|r| r.is(nexus)) {
            return Err(Sense::invalid_field_in_parameter_list(at).into());
        }
        self.set(nexus, key)
    }

    /// Gives a nexus the key, registered or not.
    fn set(&mut self, nexus: Nexus<'_>, key: u64) -> Result<(), Refusal> {
        let used = self.head.used;
        if let Some(registrant) = self.slots.iter_mut().take(used).find(|r| r.is(nexus)) {
            registrant.key = key;
            return Ok(());
        }
        let slot = self
            .slots
            .get_mut(used)
            .ok_or(Sense::INSUFFICIENT_REGISTRATION_RESOURCES)?;
        *slot = Registrant {
            id: nexus.id.clone(),
            port: nexus.port,
            key,
            holder: false,
        };
        self.head.used = used.saturating_add(1);
        Ok(())
    }

    /// Makes the reservation one of `kind`, held by `nexus` or by all.
    fn hold(&mut self, kind: Kind, nexus: Nexus<'_>) {
        self.head.reservation = Some(kind);
        for registrant in self.slots.iter_mut().take(self.head.used) {
            registrant.holder = !kind.is_all_registrants() && registrant.is(nexus);
        }
    }

    fn drop_holder(&mut self) {
        self.slots
            .iter_mut()
            .for_each(|registrant| registrant.holder = false);
    }

    /// Keeps the registrants that `keep` says yes to, in their order.
    fn retain(&mut self, keep: impl Fn(&Registrant) -> bool) {
        let mut kept: usize = 0;
        for at in 0..self.head.used {
            let Some(registrant) = self.slots.get(at).filter(|r| keep(r)) else {
                continue;
            };
            let registrant = registrant.clone();
            if let Some(slot) = self.slots.get_mut(kept) {
                *slot = registrant;
            }
            kept = kept.saturating_add(1);
        }
        self.head.used = kept;
    }

    /// Without registrants there is no reservation, and nothing to keep.
    fn tidy(&mut self) {
        if self.head.used == 0 {
            self.head.reservation = None;
            self.head.aptpl = false;
        }
    }

    fn next_generation(&mut self) {
        self.head.generation = self.head.generation.wrapping_add(1);
    }
}

/// The number of items, without an overflow that the library would panic for.
pub(super) fn count(items: impl Iterator) -> usize {
    items.fold(0, |sum, _| sum.saturating_add(1))
}

/// SCOPE and TYPE of a command that makes a reservation.
fn kind_of(request: &Request<'_>) -> Result<Kind, Refusal> {
    if request.scope != 0 {
        return Err(Sense::invalid_field_in_cdb_bit(2, 7).into());
    }
    Ok(Kind::from_code(request.kind).ok_or(Sense::invalid_field_in_cdb_bit(2, 3))?)
}
