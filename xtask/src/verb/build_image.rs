// SPDX-License-Identifier: MIT OR Apache-2.0
//! `build-image`: board profile in, bootable disk image out.

use std::process::ExitCode;
use std::time::Instant;

use crate::board::Boards;
use crate::cli::{BuildImage, ImageType, StageName};
use crate::ctx::Ctx;
use crate::files;
use crate::pipeline::{self, Built};
use crate::stage::convert;

/// Builds the board's image and says where it is.
pub(crate) fn run(ctx: &Ctx, args: &BuildImage) -> miette::Result<ExitCode> {
    let started = Instant::now();
    let board = Boards::new(ctx).load(&args.board.board)?;
    let last = args.until.unwrap_or(StageName::Image);
    let Some(built) = pipeline::build_until(ctx, &board, args.board.flavor, last)? else {
        eprintln!("built up to {} in {:.1} s", last.name(), started.elapsed().as_secs_f64());
        return Ok(ExitCode::SUCCESS);
    };
    if !args.types.is_empty() {
        pipeline::convert(ctx, &board, &built, &args.types)?;
    }
    match args.json {
        true => print!("{}", files::read(&built.image.manifest())?),
        false => tell(ctx, &built, &args.types, started),
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(ctx: &Ctx, built: &Built, types: &[ImageType], started: Instant) {
    let mut kinds = vec![ImageType::Disk, ImageType::Uki];
    kinds.extend(types.iter().filter(|kind| !matches!(kind, ImageType::Disk | ImageType::Uki)));
    for kind in kinds {
        let path = convert::path(&built.image, kind);
        let mib = std::fs::metadata(&path).map_or(0, |meta| meta.len()) as f64 / f64::from(1 << 20);
        let shown = path.strip_prefix(&ctx.root).unwrap_or(&path).display();
        println!("{:>9}: {shown} ({mib:.1} MiB)", kind.name());
    }
    eprintln!("built in {:.1} s", started.elapsed().as_secs_f64());
}
