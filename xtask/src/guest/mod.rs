// SPDX-License-Identifier: MIT OR Apache-2.0
//! The guest as a tool: a built image, started with what one run adds to it.
//!
//! What a run adds comes as further initramfs archives behind the image's own, so that nothing of it is ever part
//! of what ships: the agent that runs commands, the user's files, drivers for both, and a disk of Debian packages.

pub(crate) mod agent;
pub(crate) mod archive;
pub(crate) mod boot;
pub(crate) mod firmware;
pub(crate) mod packages;
