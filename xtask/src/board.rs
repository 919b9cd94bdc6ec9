// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the name that a user typed to a checked board.

/// A checked board profile.
#[derive(Debug, Clone)]
pub(crate) struct Board;
