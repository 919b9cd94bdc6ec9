// SPDX-License-Identifier: GPL-2.0-only

//! The statistics files of targets and sessions: what was counted, by direction.

use kernel::prelude::*;

use super::show_key;
use crate::kapi::sysfs::{Attr, Page};
use crate::stats::{Count, Stats, Way};

/// What each file shows.
const FILES: [(Way, Count); 11] = [
    (Way::Unknown, Count::Commands),
    (Way::None, Count::Commands),
    (Way::Read, Count::Commands),
    (Way::Read, Count::Bytes),
    (Way::Read, Count::Unaligned),
    (Way::Write, Count::Commands),
    (Way::Write, Count::Bytes),
    (Way::Write, Count::Unaligned),
    (Way::Bidi, Count::Commands),
    (Way::Bidi, Count::Bytes),
    (Way::Bidi, Count::Unaligned),
];

/// The files, with mode `mode`. Their ids are their places in the table.
pub(super) const fn table(mode: u16) -> [Attr; FILES.len()] {
    [
        Attr::new(c"unknown_cmd_count", mode, 0),
        Attr::new(c"none_cmd_count", mode, 1),
        Attr::new(c"read_cmd_count", mode, 2),
        Attr::new(c"read_io_count_kb", mode, 3),
        Attr::new(c"read_unaligned_cmd_count", mode, 4),
        Attr::new(c"write_cmd_count", mode, 5),
        Attr::new(c"write_io_count_kb", mode, 6),
        Attr::new(c"write_unaligned_cmd_count", mode, 7),
        Attr::new(c"bidi_cmd_count", mode, 8),
        Attr::new(c"bidi_io_count_kb", mode, 9),
        Attr::new(c"bidi_unaligned_cmd_count", mode, 10),
    ]
}

/// Prints what file `id` shows of the sum of `all`.
pub(super) fn show<'a>(
    id: u16,
    all: impl Iterator<Item = &'a Stats>,
    page: &mut Page<'_>,
) -> Result {
    let (way, count) = *FILES.get(usize::from(id)).ok_or(EIO)?;
    let sum = all.fold(0_u64, |sum, stats| sum.wrapping_add(stats.get(way, count)));
    let value = match count {
        Count::Bytes => sum / 1024,
        Count::Commands | Count::Unaligned => sum,
    };
    show_key(page, fmt!("{value}"), false)
}

/// Resets what file `id` belongs to: all counts of its direction.
pub(super) fn reset(id: u16, stats: &Stats) -> Result {
    let (way, _) = *FILES.get(usize::from(id)).ok_or(EIO)?;
    stats.reset(way);
    Ok(())
}
