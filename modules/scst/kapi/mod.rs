// SPDX-License-Identifier: GPL-2.0-only

//! What the target stack needs of the kernel and the `kernel` crate does not offer: the only room with `unsafe`.
//!
//! Each file wraps one C idea and shows a safe interface; nothing here knows what a LUN is.
//!
//! | file | wraps |
//! |---|---|
//! | `sysfs` | kobjects with attributes and links, below `/sys/kernel` |
//! | `params` | module parameters that sysfs shows |
//! | `uts` | what the kernel says of itself |
//! | `caller` | the process that asked for something, for another thread to act as |
//! | `done` | waiting, but not for ever |
//! | `global` | the one pointer to the core that other modules reach it by |
//! | `host`, `device`, `sdev` | a SCSI host, its parent device and its devices |
//! | `cmnd` | one command of the SCSI midlayer, owned until it is given back |
//! | `segments` | the pages of a command's data |
//! | `workq`, `noio` | running a command where it may sleep, without recursing into I/O |
//! | `livemap` | a map that is read without locks and whose entries drain before they go |
//! | `percpu` | counters of which every CPU has its own |
//! | `tasks` | who came before a moment, and when they have gone |
//! | `file`, `aio`, `bdev` | backing stores |
//! | `state_file` | files that keep state over a restart |

#![allow(unsafe_code)]

pub(crate) mod bindings;

pub mod aio;
pub mod bdev;
pub mod caller;
pub mod cmnd;
pub mod device;
pub mod done;
pub mod file;
pub mod global;
pub mod host;
pub mod livemap;
pub mod noio;
mod open;
pub mod params;
pub mod percpu;
mod sdev;
pub mod segments;
pub mod state_file;
pub mod sysfs;
pub mod tasks;
pub(crate) mod uts;
pub mod workq;

/// Nanoseconds of a clock that only goes forward. Any context.
#[inline]
pub fn now_ns() -> u64 {
    // SAFETY: May be called from any context but NMI, where no code of ours runs.
    unsafe { kernel::bindings::ktime_get() as u64 }
}

/// Sleeps for at least `ms` milliseconds. Process context only.
pub fn msleep(ms: u32) {
    // SAFETY: `msleep` may be called from any context that may sleep, which the caller's contract says.
    unsafe { kernel::bindings::msleep(ms) };
}
