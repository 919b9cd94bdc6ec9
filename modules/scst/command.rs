// SPDX-License-Identifier: GPL-2.0-only

//! A command on its way through the core: a type for each state, so that no step can be left out or done twice.
//!
//! `Command<Received>` → [`Command::decode`] → `Command<Decoded>` → [`Command::admit`] → `Command<Admitted>` → the
//! device. Every state ends in [`Command::finish`], which consumes the command.

use kernel::sync::atomic::Relaxed;

use crate::attention::Precedence;
use crate::execute;
use crate::kapi::cmnd::{Cmnd, Completion, Direction};
use crate::kapi::livemap::Live;
use crate::kapi::tasks::Ending;
use crate::kapi::workq::Carrier;
use crate::latency;
use crate::nexus::Nexus;
use crate::proto::cdb;
use crate::proto::opcode;
use crate::proto::optable;
use crate::proto::sense::{Sense, SenseKey, DESCRIPTOR_MAX_LEN};
use crate::proto::status::Status;
use crate::stats::{self, Way};
use crate::task::{Order, Task};

/// Came in; its CDB was not looked at.
pub struct Received(());
/// Its CDB is understood.
pub struct Decoded(cdb::Decoded);
/// Nothing but the device decides how it ends.
pub struct Admitted(cdb::Decoded);

/// A command for a logical unit that exists. Dropped unfinished, it answers that the target failed.
pub struct Command<S> {
    cmnd: Cmnd,
    nexus: Task,
    state: S,
}

/// How a command ends.
#[derive(Clone, Copy)]
pub enum Outcome {
    /// GOOD, and so many bytes of data went over.
    Good(u64),
    /// CHECK CONDITION with this sense.
    Check(Sense),
    /// Another status, without data.
    Status(Status),
}

impl From<Sense> for Outcome {
    fn from(sense: Sense) -> Self {
        Self::Check(sense)
    }
}

/// Lets a function that answers with data use `?` on what is refused.
impl From<Result<usize, Sense>> for Outcome {
    fn from(result: Result<usize, Sense>) -> Self {
        match result {
            Ok(n) => Self::Good(n as u64),
            Err(sense) => Self::Check(sense),
        }
    }
}

impl<S> Command<S> {
    /// The initiator's view: buffer, direction, CDB.
    pub fn cmnd(&self) -> &Cmnd {
        &self.cmnd
    }

    /// The I_T_L nexus that it came over.
    pub fn nexus(&self) -> &Nexus {
        &self.nexus
    }

    /// A hold on the nexus of its own: per-CPU, so cheaper than one on the device.
    pub fn hold_nexus(&self) -> Live<Nexus> {
        self.nexus.hold_nexus()
    }

    /// Writes `bytes` to the start of the initiator's buffer, as far as they fit; an outcome for the bytes that did.
    pub fn respond(&self, bytes: &[u8]) -> Outcome {
        Outcome::Good(self.cmnd.copy_to_buffer(0, bytes) as u64)
    }

    /// Nobody waits for what it does any more: it was aborted, alone or with others. What takes long ends early then.
    #[inline]
    pub fn is_aborted(&self) -> bool {
        self.nexus.ending().is_some() || self.cmnd.is_aborted()
    }

    /// Ends the command: the one place in the core where one does.
    pub fn finish(mut self, outcome: Outcome) {
        if let Some(ns) = self.cmnd.clock() {
            let (way, bytes) = (Way::of(&self.cmnd), self.cmnd.buffer_len());
            self.nexus.it().latency.record(way, bytes, ns);
        }
        self.nexus.end_turn();
        match (self.nexus.ending(), &outcome) {
            (Some(ending), Outcome::Check(sense)) if sense.key == SenseKey::UnitAttention => {
                // The initiator has still to be told, and of this first.
                let attentions = self.nexus.unit_attentions();
                attentions.raise(*sense, Precedence::First);
                self.end_aborted(ending);
            }
            (Some(ending), _) => self.end_aborted(ending),
            (None, Outcome::Check(_)) => {
                self.nexus.fault();
                let descriptor = self.nexus.device().descriptor_sense();
                finish(self.cmnd, descriptor, outcome);
            }
            (None, _) => finish(self.cmnd, false, outcome),
        }
    }

    /// Ends a command of which nothing must be taken for done.
    #[cold]
    fn end_aborted(self, ending: Ending) {
        match ending {
            Ending::Silence => {
                self.nexus.tell_silence();
                self.cmnd.vanish();
            }
            Ending::TaskAborted => finish(self.cmnd, false, Outcome::Status(Status::TaskAborted)),
            Ending::Reset => self.cmnd.reset(),
        }
    }
}

/// Ends a command that reached no logical unit, or that leaves [`Command::finish`].
pub(crate) fn finish(cmnd: Cmnd, descriptor: bool, outcome: Outcome) {
    let len = cmnd.buffer_len();
    match outcome {
        Outcome::Good(bytes) => {
            let used = u32::try_from(bytes).unwrap_or(u32::MAX).min(len);
            cmnd.done(Completion {
                status: Status::Good as u8,
                resid: len - used,
                sense: &[],
            });
        }
        Outcome::Status(status) => cmnd.done(Completion {
            status: status as u8,
            resid: len,
            sense: &[],
        }),
        Outcome::Check(sense) => {
            let mut buf = [0; DESCRIPTOR_MAX_LEN];
            let n = sense.write(descriptor, &mut buf);
            let sense = buf.get(..n).unwrap_or(&buf);
            cmnd.done(Completion {
                status: Status::CheckCondition as u8,
                resid: len,
                sense,
            });
        }
    }
}

impl Command<Received> {
    /// A command that arrived over `nexus`.
    pub(crate) fn new(cmnd: Cmnd, nexus: Live<Nexus>, order: Order) -> Self {
        Self {
            cmnd,
            nexus: Task::enter(nexus, order),
            state: Received(()),
        }
    }

    /// Understands the CDB, or ends the command with what is wrong with it.
    pub(crate) fn decode(self) -> Option<Command<Decoded>> {
        if latency::MEASURE.load(Relaxed) != 0 {
            self.cmnd.start_clock();
        }
        match cdb::parse_for(self.nexus.device().device_type(), self.cmnd.cdb()) {
            Ok(decoded) => {
                self.count(&decoded);
                Some(Command {
                    cmnd: self.cmnd,
                    nexus: self.nexus,
                    state: Decoded(decoded),
                })
            }
            Err(sense) => {
                let sense = self.refusal(sense);
                let unknown = sense == Sense::INVALID_OPCODE;
                let way = if unknown {
                    Way::Unknown
                } else {
                    Way::of(&self.cmnd)
                };
                let bytes = self.cmnd.buffer_len();
                self.nexus.it().stats.count(way, bytes, false);
                self.finish(sense.into());
                None
            }
        }
    }

    /// What is wrong with a CDB that has a mistake. Where nobody serves the command, that is what is wrong with it.
    #[cold]
    fn refusal(&self, mistake: Sense) -> Sense {
        let cdb = self.cmnd.cdb();
        let code = |at| cdb.get(at).copied().unwrap_or(0);
        match optable::lookup(code(0), code(1)) {
            Some(op) if !execute::serves(self.nexus.device(), op) => match mistake {
                Sense::INVALID_OPCODE => mistake,
                _ => op.not_supported(),
            },
            _ => mistake,
        }
    }

    /// Counts the command for the session's statistics.
    #[inline]
    fn count(&self, decoded: &cdb::Decoded) {
        let bytes = self.cmnd.buffer_len();
        let shift = self.nexus.device().block_shift();
        let offset = decoded.lba().checked_shl(shift).unwrap_or(0);
        let unaligned = shift != 0 && (offset | u64::from(bytes)) % stats::ALIGNMENT != 0;
        let way = Way::of(&self.cmnd);
        self.nexus.it().stats.count(way, bytes, unaligned);
    }
}

impl Command<Decoded> {
    /// What was asked.
    pub(crate) fn decoded(&self) -> &cdb::Decoded {
        &self.state.0
    }

    /// Whether the command is to vanish without an answer, as the group's black hole says.
    #[inline]
    pub(crate) fn is_swallowed(&self) -> bool {
        self.nexus.swallows(&self.state.0.transfer)
    }

    /// Lets the command vanish.
    pub(crate) fn vanish(self) {
        self.cmnd.vanish();
    }

    /// The gate: what forbids a command before its device sees it.
    pub(crate) fn admit(self) -> Option<Command<Admitted>> {
        match self.objection() {
            None => Some(Command {
                cmnd: self.cmnd,
                nexus: self.nexus,
                state: Admitted(self.state.0),
            }),
            Some(outcome) => {
                self.finish(outcome);
                None
            }
        }
    }

    /// In the standard's order of precedence (SAM-5 5.3.3): a reservation, a unit attention, the access state of the port,
    /// then what the CDB says against the nexus, then data.
    fn objection(&self) -> Option<Outcome> {
        let op = self.state.0.op;
        let device = self.nexus.device();
        if device.reservations().stop(&self.nexus, &self.state.0) {
            return Some(Outcome::Status(Status::ReservationConflict));
        }
        if !op.passes_ua() {
            if let Some(sense) = self.nexus.take_attention() {
                return Some(sense.into());
            }
        }
        if !self.nexus.access().is_accessible() {
            if let Some(outcome) = self.refusal_of_port() {
                return Some(outcome);
            }
        }
        let sense = if op.is_write() && self.nexus.is_read_only() {
            Sense::WRITE_PROTECTED
        } else {
            self.data_mismatch()?
        };
        // What is wrong with a command that nobody serves is that nobody serves it. Asked only here, where it matters.
        let served = execute::serves(device, op);
        let sense = if served { sense } else { op.not_supported() };
        Some(sense.into())
    }

    /// What a command is answered that its port does not let pass in its state.
    #[cold]
    fn refusal_of_port(&self) -> Option<Outcome> {
        let op = self.state.0.op;
        let sense = self.nexus.access().refusal(op)?;
        let served = execute::serves(self.nexus.device(), op);
        let sense = if served { sense } else { op.not_supported() };
        Some(sense.into())
    }

    /// Whether the buffer is not one for this command: [`Command::admit`] ends it.
    pub(crate) fn has_wrong_buffer(&self) -> bool {
        self.data_mismatch().is_some()
    }

    /// The initiator's buffer must go the command's way, and hold all that a command writes: half of what it names must
    /// not be written. A read into a smaller buffer is delivered as far as it fits.
    fn data_mismatch(&self) -> Option<Sense> {
        let bytes = self
            .state
            .0
            .transfer
            .bytes(self.nexus.device().block_shift());
        if bytes == 0 {
            return None;
        }
        match (self.state.0.transfer.direction, self.cmnd.direction()) {
            (opcode::Direction::None, _) => None,
            (opcode::Direction::In, Direction::In) => None,
            (opcode::Direction::Out, Direction::Out) => {
                (u64::from(self.cmnd.buffer_len()) < bytes).then_some(self.cut_short())
            }
            // A command whose answer may be empty needs no buffer.
            (opcode::Direction::In, Direction::None)
                if self.state.0.transfer.unit == cdb::Unit::Bytes =>
            {
                None
            }
            _ => Some(Sense::DATA_PHASE_ERROR),
        }
    }
}

impl Command<Decoded> {
    /// The sense for data that end too early. The list of FORMAT UNIT has a length that its CDB does not name; of COMPARE AND
    /// WRITE it is byte 13 that does.
    fn cut_short(&self) -> Sense {
        match self.state.0.op.length {
            opcode::Length::FormatHeader => Sense::PARAMETER_LIST_LENGTH_ERROR,
            opcode::Length::TwiceBlocks13 => Sense::invalid_field_in_cdb(13),
            _ => Sense::INVALID_FIELD_IN_CDB,
        }
    }
}

impl Command<Admitted> {
    /// Takes the command out of its nexus's task set, as [`Task::uncount`] does.
    pub(crate) fn uncount(&mut self) {
        self.nexus.uncount();
    }

    /// What keeps the command's port from letting it pass now: that port's state may be another than when it did.
    pub fn port_refusal(&self) -> Option<Sense> {
        self.nexus.access().refusal(self.decoded().op)
    }

    /// What was asked.
    #[inline]
    pub fn decoded(&self) -> &cdb::Decoded {
        &self.state.0
    }
}

impl Carrier for Command<Admitted> {
    type Rest = (Task, cdb::Decoded);

    fn is_aborted(&self) -> bool {
        Command::is_aborted(self)
    }

    fn end_aborted(self) {
        self.finish(Outcome::Status(Status::TaskAborted));
    }

    fn split(self) -> (Cmnd, Self::Rest) {
        (self.cmnd, (self.nexus, self.state.0))
    }

    fn join(cmnd: Cmnd, (nexus, decoded): Self::Rest) -> Self {
        Self {
            cmnd,
            nexus,
            state: Admitted(decoded),
        }
    }
}
