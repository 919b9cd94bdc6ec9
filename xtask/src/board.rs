// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the name that a user typed to a checked board.

pub(crate) use board_profile::Board;
