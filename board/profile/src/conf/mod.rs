// SPDX-License-Identifier: MIT OR Apache-2.0
//! `scst.conf`, the text that SCST's own tools keep a configuration in.
//!
//! ```text
//! reading   text ─ tokens ─ statements ─ the tree that TOML becomes too ─ check ─ Stack
//! writing   Stack ─ Snapshot ─ sections ─ text
//! ```
//!
//! The tree carries places in the text, so a finding of the checker points into `scst.conf` as it would into a profile.
//! What SCST's own reader does silently (a fourth word dropped, a letter before `#` cut) is a finding here.

mod sections;
mod statements;
mod tokens;
mod tree;
mod values;
mod write;

pub(crate) use tree::read;
pub(crate) use values::number;
