// SPDX-License-Identifier: GPL-2.0-only
//! The host side of `proto`.
#![no_std]
#[path = "mod.rs"]
mod proto;
pub use proto::*;
