// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boot scenarios: steps against a running guest, and a verdict.
//!
//! A scenario is a file in `ci/scenarios/`, [`file::Scenario`] once it is checked. [`play::Play`] goes through its
//! steps on one board and one flavour of the kernel; [`verdict::Verdict`] says how it went.

mod acks;
mod cuts;
pub(crate) mod file;
mod outside;
pub(crate) mod play;
mod steps;
pub(crate) mod verdict;
