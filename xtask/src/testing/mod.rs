// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that proves the product, as one list: host tests, checks, builds and boot scenarios.
//!
//! A test has a name and ends in one [`report::Outcome`]. The four kinds are found by [`host`], [`checks`] and
//! [`guests`]; [`queue`] runs them side by side.

pub(crate) mod checks;
pub(crate) mod guests;
pub(crate) mod host;
pub(crate) mod queue;
pub(crate) mod report;
