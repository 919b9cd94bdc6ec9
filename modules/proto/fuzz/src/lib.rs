// SPDX-License-Identifier: GPL-2.0-only
//! What must hold for any bytes at all. Each module has one function, `any`, which panics when it does not hold.
#![allow(unreachable_pub, missing_docs, dead_code)] // A test includes this file, too.

pub mod answers;
pub mod cdb;
pub mod input;
pub mod kept;
pub mod lists;
pub mod mode;
pub mod reservations;
pub mod words;

/// A target's name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target; a corpus of the same name is beside.
pub const TARGETS: [Target; 7] = [
    ("answers", answers::any),
    ("cdb", cdb::any),
    ("kept", kept::any),
    ("lists", lists::any),
    ("mode", mode::any),
    ("reservations", reservations::any),
    ("words", words::any),
];
