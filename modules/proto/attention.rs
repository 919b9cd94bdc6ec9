// SPDX-License-Identifier: GPL-2.0-only
//! The unit attention conditions of one I_T_L nexus, and which of them is reported next (SAM-5
//! 5.14).
//!
//! A reset is reported before all else. What waited already is kept behind it: a new capacity is
//! news for an initiator that was told of a reset only.

use super::sense::{Sense, SenseKey};

/// Conditions that a queue holds: more than there are codes, so that none is ever lost.
pub const MAX: usize = 16;

/// Where a condition goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// Before all others: resets and the loss of a nexus.
    First,
    /// After those that wait already.
    Last,
}

/// Additional sense code and qualifier.
type Code = (u8, u8);

/// The conditions that wait.
#[derive(Clone, Debug)]
pub struct Queue {
    /// In the order of reporting; all `None` are at the end.
    codes: [Option<Code>; MAX],
}

impl Queue {
    /// No condition.
    pub const fn new() -> Self {
        Self { codes: [None; MAX] }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        matches!(self.codes, [None, ..])
    }

    /// Takes the condition that is reported next.
    pub fn take(&mut self) -> Option<Sense> {
        let (asc, ascq) = self.codes.first_mut()?.take()?;
        self.codes.rotate_left(1);
        Some(Sense::new(SenseKey::UnitAttention, asc, ascq))
    }

    /// Adds a condition, once: one that waits already stays where it is, or goes to the front if it
    /// has to be there.
    pub fn raise(&mut self, sense: &Sense, precedence: Precedence) {
        let code = Some((sense.asc, sense.ascq));
        let at = self.codes.iter().position(|waits| *waits == code);
        let end = self.codes.iter().position(Option::is_none);
        let last = MAX.saturating_sub(1);
        match (precedence, at, end) {
            (Precedence::Last, Some(_), _) => {}
            (Precedence::Last, None, end) => self.put(end.unwrap_or(last), code),
            (Precedence::First, at, end) => {
                // Everything up to where it was, or to the end, goes one place back.
                let gap = at.or(end).unwrap_or(last);
                let mut moving = code;
                for slot in self.codes.iter_mut().take(gap.saturating_add(1)) {
                    moving = core::mem::replace(slot, moving);
                }
            }
        }
    }

    fn put(&mut self, at: usize, code: Option<Code>) {
        if let Some(slot) = self.codes.get_mut(at) {
            *slot = code;
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::new()
    }
}
