// SPDX-License-Identifier: MIT OR Apache-2.0
//! Virtual machines: what one consists of, how QEMU is told, and how it is watched and stopped.
//!
//! [`machine::Machine`] is a description and [`machine::Machine::argv`] a pure function of it; [`running::Vm`] is
//! the one place that starts a process. QEMU never outlives xtask: it is killed with its sandbox, which is killed
//! with the thread that started it.

pub(crate) mod accel;
pub(crate) mod console;
pub(crate) mod disks;
pub(crate) mod faults;
pub(crate) mod machine;
pub(crate) mod qmp;
pub(crate) mod running;
pub(crate) mod write_log;
