// SPDX-License-Identifier: GPL-2.0-only
//! SCSI as bytes: what a CDB, a LUN field, sense data or a mode page says, and how the answers are
//! written.
//!
//! Pure functions over `core`: nothing is allocated, no input can make it panic. Compiled into the
//! kernel module and, to be tested, as a host crate.
//!
//! | module | what it knows |
//! |---|---|
//! | [`opcode`], [`optable`] | each command's one description, which parsing and reports share |
//! | [`cdb`], [`command`] | bytes to a typed command and its transfer, or why not |
//! | [`pr`], [`pr_list`], [`pr_in`], [`pr_id`], [`pr_access`] | persistent reservations |
//! | [`alua`], [`port_groups`] | asymmetric access to a unit |
//! | [`pr_file`], [`pr_text`] | how they outlive the power, and how people read them |
//! | [`sense`], [`status`] | how a command ends |
//! | [`attention`] | what an initiator is told before its next command |
//! | [`range`] | blocks to bytes, checked |
//! | [`inquiry`], [`mode`], [`mode_file`], [`log`], [`capacity`], [`unmap`], [`format`], [`mmc`], [`lun`], [`opcodes_report`] | answers and lists |
//! | [`mgmt`], [`id`] | the words of SCST's management interface, default identities |
//! | [`pattern`], [`cpumask`], [`io_grouping`] | who belongs to a group, and what its settings say |
//! | [`text`], [`writer`] | inline strings, bounded output |
//!
//! Functions that write an answer take a buffer already cut to the allocation length and return how
//! many of its bytes hold the answer; length fields inside are those of the whole answer.

pub mod alua;
pub mod attention;
pub mod capacity;
pub mod cdb;
pub mod command;
pub mod cpumask;
pub mod device_type;
pub mod format;
pub mod id;
pub mod inquiry;
pub mod io_grouping;
pub mod log;
pub mod lun;
pub mod mgmt;
pub mod mmc;
pub mod mode;
pub mod mode_file;
pub mod opcode;
pub mod opcodes_report;
pub mod optable;
pub mod pattern;
pub mod port_groups;
pub mod pr;
pub mod pr_access;
pub mod pr_file;
pub mod pr_id;
pub mod pr_in;
pub mod pr_list;
pub mod pr_text;
pub mod range;
pub mod sense;
pub mod served;
pub mod status;
pub mod text;
pub mod unmap;
pub mod writer;
