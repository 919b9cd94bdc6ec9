// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of contents of a build: tools, source, kernel, modules, program, packages, rootfs, image.
//!
//! Every stage is one file in `stage/`: typed inputs in, one typed output that only that stage can make.

use crate::board::Board;
use crate::cli::{Flavor, ImageType, StageName};
use crate::ctx::Ctx;
use crate::lock::Lock;
use crate::manifest;
use crate::sources::Sources;
use crate::stage::{convert, image, kernel, modules, packages, program, rootfs, source, tools};

/// Everything that one board's build leaves behind.
#[derive(Debug)]
pub(crate) struct Built {
    /// The Debian tree that everything was built in, and that QEMU runs from.
    pub(crate) tools: tools::ToolsTree,
    /// The kernel of this architecture and flavour.
    pub(crate) kernel: kernel::Kernel,
    /// The in-kernel Rust, as `.ko` files.
    pub(crate) modules: modules::Modules,
    /// The program on the appliance.
    pub(crate) program: program::Program,
    /// The board's Debian packages.
    pub(crate) packages: packages::Unpacked,
    /// The operating system's files, as one initramfs archive.
    pub(crate) rootfs: rootfs::Rootfs,
    /// The bootable disk image and what stands beside it.
    pub(crate) image: image::Image,
}

/// Builds `board` with a kernel of `flavor`; stages whose inputs did not change are not run.
pub(crate) fn build(ctx: &Ctx, board: &Board, flavor: Flavor) -> miette::Result<Built> {
    let built = build_until(ctx, board, flavor, StageName::Image)?;
    Ok(built.expect("a build that goes to its end leaves everything"))
}

/// The same up to and with the stage `last`; the result is complete only if that is the last one.
pub(crate) fn build_until(
    ctx: &Ctx,
    board: &Board,
    flavor: Flavor,
    last: StageName,
) -> miette::Result<Option<Built>> {
    let _lock = Lock::of_outputs(ctx)?;
    let sources = Sources::read(ctx)?;
    let tools = tools::build(ctx, &sources)?;
    if last == StageName::Tools {
        return Ok(None);
    }
    let source = source::build(ctx, &sources, &tools)?;
    if last == StageName::Source {
        return Ok(None);
    }
    let request = kernel::Request::of(board, flavor);
    if last == StageName::Config {
        kernel::prove_config(ctx, &sources, &tools, &source, &request)?;
        return Ok(None);
    }
    let kernel = kernel::build(ctx, &sources, &tools, &source, &request)?;
    if last == StageName::Kernel {
        return Ok(None);
    }
    let modules = modules::build(ctx, &tools, &kernel, modules::Writers::Wait)?;
    if last == StageName::Modules {
        return Ok(None);
    }
    let program = program::build(ctx, &sources, &tools)?;
    if last == StageName::Program {
        return Ok(None);
    }
    let names: Vec<_> = board.rootfs().packages.iter().map(|name| name.as_str().to_owned()).collect();
    let packages = packages::build(ctx, &sources, &tools, &names)?;
    if last == StageName::Packages {
        return Ok(None);
    }
    let parts = rootfs::Parts { kernel: &kernel, modules: &modules, program: &program, packages: &packages };
    let rootfs = rootfs::build(ctx, &sources, &tools, parts, board)?;
    if last == StageName::Rootfs {
        return Ok(None);
    }
    let image = image::build(ctx, &sources, &tools, &kernel, &rootfs, board)?;
    let built = Built { tools, kernel, modules, program, packages, rootfs, image };
    if ctx.dry_run.is_none() {
        manifest::write(&sources, board, &built)?;
    }
    Ok(Some(built))
}

/// The modules once more, such that no writer of a management command waits for its end.
pub(crate) fn impatient_modules(ctx: &Ctx, built: &Built) -> miette::Result<modules::Modules> {
    let _lock = Lock::of_outputs(ctx)?;
    modules::build(ctx, &built.tools, &built.kernel, modules::Writers::Leave)
}

/// Packs what was built as `types` too, and names them in the manifest.
pub(crate) fn convert(ctx: &Ctx, board: &Board, built: &Built, types: &[ImageType]) -> miette::Result<()> {
    let _lock = Lock::of_outputs(ctx)?;
    let sources = Sources::read(ctx)?;
    for kind in types {
        convert::build(ctx, &sources, &built.tools, &built.image, *kind)?;
    }
    manifest::write(&sources, board, built)
}
