// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stages of a build: typed inputs in, one typed output that only the stage can construct.

use crate::board::Board;
use crate::cli::Flavor;

mod archives;
pub(crate) mod convert;
pub(crate) mod drivers;
pub(crate) mod image;
mod incremental;
pub(crate) mod kernel;
pub(crate) mod modules;
pub(crate) mod packages;
pub(crate) mod program;
pub(crate) mod rootfs;
pub(crate) mod source;
pub(crate) mod tools;

/// The folder of one board's outputs; the debug flavour's stand beside the release's.
fn board_folder(board: &Board, flavor: Flavor) -> String {
    match flavor {
        Flavor::Release => board.name().to_owned(),
        Flavor::Debug => format!("{}-{}", board.name(), flavor.name()),
    }
}
