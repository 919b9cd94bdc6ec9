// SPDX-License-Identifier: GPL-2.0-only

//! What an initiator has sent: commands, KiB, and how many of them were not aligned, by direction.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};

use crate::kapi::cmnd::{Cmnd, Direction};
use crate::kapi::percpu::Triples;

/// Which way the data of a command goes, as SCST's statistics files name it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Way {
    /// Nobody knows the command.
    Unknown,
    /// No data.
    None,
    /// To the initiator.
    Read,
    /// From the initiator.
    Write,
    /// Both ways. Linux has no such commands any more.
    Bidi,
}

impl Way {
    /// The way that the initiator's buffer says.
    pub(crate) fn of(cmnd: &Cmnd) -> Self {
        match cmnd.direction() {
            Direction::None => Self::None,
            Direction::In => Self::Read,
            Direction::Out => Self::Write,
        }
    }
}

/// What is counted for each [`Way`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Count {
    /// Commands.
    Commands,
    /// Bytes of their buffers.
    Bytes,
    /// Commands of which the offset or the length is no multiple of [`ALIGNMENT`].
    Unaligned,
}

/// Bytes that an aligned command's offset and length are multiples of.
pub(crate) const ALIGNMENT: u64 = 4096;

const WAYS: usize = 5;

/// The counts of one initiator.
pub(crate) struct Stats {
    counters: Triples<WAYS>,
    /// What the counters were when they were last reset: a counter of a CPU is never written by another.
    base: [[Atomic<i64>; 3]; WAYS],
}

impl Stats {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            counters: Triples::new()?,
            base: [const { [const { Atomic::new(0) }; 3] }; WAYS],
        })
    }

    /// Counts a command by the length of its buffer. Any context.
    #[inline]
    pub(crate) fn count(&self, way: Way, bytes: u32, unaligned: bool) {
        self.counters.add(
            usize::from(way as u8),
            [1, u64::from(bytes), u64::from(unaligned)],
        );
    }

    /// What was counted since the last reset.
    pub(crate) fn get(&self, way: Way, count: Count) -> u64 {
        let base = self.slot(way, count).map_or(0, |b| b.load(Relaxed));
        self.raw(way, count).wrapping_sub(base as u64)
    }

    /// Sets the three counts of `way` to 0.
    pub(crate) fn reset(&self, way: Way) {
        for count in [Count::Commands, Count::Bytes, Count::Unaligned] {
            if let Some(base) = self.slot(way, count) {
                base.store(self.raw(way, count) as i64, Relaxed);
            }
        }
    }

    fn raw(&self, way: Way, count: Count) -> u64 {
        self.counters
            .sum(usize::from(way as u8), usize::from(count as u8))
    }

    fn slot(&self, way: Way, count: Count) -> Option<&Atomic<i64>> {
        self.base
            .get(usize::from(way as u8))?
            .get(usize::from(count as u8))
    }
}
