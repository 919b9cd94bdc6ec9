// SPDX-License-Identifier: GPL-2.0-only

//! How long commands take, by direction and size of their data. Measured only while somebody wants to know.

use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};

use crate::kapi::sysfs::Page;
use crate::stats::Way;

/// Not 0 while commands are timed (`measure_latency`). Commands look at it, and share it without writing.
pub(crate) static MEASURE: Atomic<i32> = Atomic::new(0);

/// Ways that are told apart: none, read, write, both.
const WAYS: usize = 4;
/// Sizes that are told apart: powers of two from 512 bytes to 512 KiB.
pub(crate) const SIZES: usize = 11;

/// The figures of one direction and size. Nanoseconds, but for the squares.
struct Cell {
    count: Atomic<i64>,
    min: Atomic<i64>,
    max: Atomic<i64>,
    sum: Atomic<i64>,
    /// Of microseconds, so that they last.
    squares: Atomic<i64>,
}

impl Cell {
    const fn new() -> Self {
        Self {
            count: Atomic::new(0),
            min: Atomic::new(i64::MAX),
            max: Atomic::new(0),
            sum: Atomic::new(0),
            squares: Atomic::new(0),
        }
    }

    fn record(&self, ns: i64) {
        self.count.fetch_add(1, Relaxed);
        self.sum.fetch_add(ns, Relaxed);
        let us = ns / 1000;
        self.squares.fetch_add(us.saturating_mul(us), Relaxed);
        keep(&self.min, ns, |new, old| new < old);
        keep(&self.max, ns, |new, old| new > old);
    }

    fn clear(&self) {
        self.count.store(0, Relaxed);
        self.min.store(i64::MAX, Relaxed);
        self.max.store(0, Relaxed);
        self.sum.store(0, Relaxed);
        self.squares.store(0, Relaxed);
    }
}

/// Stores `new` where it is `better` than what is there.
fn keep(slot: &Atomic<i64>, new: i64, better: impl Fn(i64, i64) -> bool) {
    let mut old = slot.load(Relaxed);
    while better(new, old) {
        match slot.cmpxchg(old, new, Relaxed) {
            Ok(_) => return,
            Err(now) => old = now,
        }
    }
}

/// The figures of one initiator.
pub(crate) struct Latency(KVec<Cell>);

impl Latency {
    pub(crate) fn new() -> Result<Self> {
        let mut cells = KVec::with_capacity(WAYS * SIZES, GFP_KERNEL)?;
        while cells.len() < WAYS * SIZES {
            cells
                .push_within_capacity(Cell::new())
                .map_err(|_| ENOMEM)?;
        }
        Ok(Self(cells))
    }

    /// Takes note of a command with a buffer of `bytes` that took `ns` nanoseconds. Any context.
    pub(crate) fn record(&self, way: Way, bytes: u32, ns: u64) {
        if let Some(cell) = self.0.get(place(way, size_of(bytes))) {
            cell.record(i64::try_from(ns).unwrap_or(i64::MAX));
        }
    }

    /// Prints the figures of file number `file`, see [`place`]: what SCST's files of this kind look like. There is one
    /// state, as a command is with its device from the moment it arrives.
    pub(crate) fn show(&self, file: usize, page: &mut Page<'_>) {
        page.push(b"state count min max avg stddev\n");
        let Some(cell) = self.0.get(file) else { return };
        let count = cell.count.load(Relaxed);
        if count <= 0 {
            return;
        }
        let average = cell.sum.load(Relaxed) / count;
        let mean = average / 1000;
        let variance = (cell.squares.load(Relaxed) / count)
            .saturating_sub(mean.saturating_mul(mean))
            .max(0);
        let deviation = variance.unsigned_abs().isqrt();
        for state in ["exec", "total"] {
            page.print(format_args!(
                "{state} {count} {} {} {} {deviation}.0\n",
                Micros(cell.min.load(Relaxed)),
                Micros(cell.max.load(Relaxed)),
                Micros(average),
            ));
        }
    }

    /// Forgets the figures of file number `file`.
    pub(crate) fn clear(&self, file: usize) {
        if let Some(cell) = self.0.get(file) {
            cell.clear();
        }
    }
}

/// Nanoseconds, printed as microseconds with one decimal.
struct Micros(i64);

impl core::fmt::Display for Micros {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{}", self.0 / 1000, self.0 % 1000 / 100)
    }
}

/// The number of the cell, and of its file, for a way and a size.
fn place(way: Way, size: usize) -> usize {
    let way = match way {
        Way::Unknown | Way::None => 0,
        Way::Read => 1,
        Way::Write => 2,
        Way::Bidi => 3,
    };
    way * SIZES + size
}

/// The smallest size that holds `bytes`; the largest takes all that is longer.
fn size_of(bytes: u32) -> usize {
    let shift = bytes.max(512).saturating_sub(1).ilog2().saturating_add(1);
    (shift.saturating_sub(9) as usize).min(SIZES - 1)
}
