// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stages of a build: typed inputs in, one typed output that only the stage can construct.

pub(crate) mod image;
pub(crate) mod kernel;
pub(crate) mod modules;
pub(crate) mod rootfs;
pub(crate) mod tools;
