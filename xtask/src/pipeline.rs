// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of contents of a build: tools, kernel, modules, rootfs, image.
//!
//! Every stage is one file in `stage/`: typed inputs in, one typed output that only that stage can make.

use crate::board::Board;
use crate::cli::Flavor;
use crate::ctx::Ctx;
use crate::sources::Sources;
use crate::stage::{image, kernel, modules, rootfs, tools};

/// Everything that one board's build leaves behind.
#[derive(Debug)]
pub(crate) struct Built {
    /// The Debian tree that everything was built in, and that QEMU runs from.
    pub(crate) tools: tools::ToolsTree,
    /// The kernel of this architecture and flavour.
    pub(crate) kernel: kernel::Kernel,
    /// The in-kernel Rust, as `.ko` files.
    pub(crate) modules: modules::Modules,
    /// The operating system's files, as one initramfs archive.
    pub(crate) rootfs: rootfs::Rootfs,
    /// The bootable disk image and what stands beside it.
    pub(crate) image: image::Image,
}

/// Builds `board` with a kernel of `flavor`; stages whose inputs did not change are not run.
pub(crate) fn build(ctx: &Ctx, board: &Board, flavor: Flavor) -> miette::Result<Built> {
    let sources = Sources::read(ctx)?;
    let tools = tools::build(ctx, &sources)?;
    let kernel = kernel::build(ctx, &tools, board, flavor)?;
    let modules = modules::build(ctx, &tools, &kernel)?;
    let rootfs = rootfs::build(ctx, &tools, &kernel, &modules, board)?;
    let image = image::build(ctx, &tools, &kernel, &rootfs, board)?;
    Ok(Built { tools, kernel, modules, rootfs, image })
}
