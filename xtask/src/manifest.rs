// SPDX-License-Identifier: MIT OR Apache-2.0
//! `manifest.json`: what an image consists of, so that two images can be told apart without opening them.

use std::collections::BTreeMap;
use std::path::Path;

use miette::IntoDiagnostic as _;
use serde::Serialize;

use crate::board::Board;
use crate::cli::ImageType;
use crate::debian::{Difference, Package};
use crate::files;
use crate::pipeline::Built;
use crate::sources::Sources;
use crate::stage::convert;
use crate::stamp::Stamp;

/// The manifest's own version; a reader may rely on the keys of the version it knows.
const SCHEMA: u32 = 1;

/// The whole file. Keys are in a fixed order, so equal images have equal manifests.
#[derive(Debug, Serialize)]
struct Manifest<'a> {
    schema: u32,
    version: &'a str,
    board: &'a str,
    flavor: &'a str,
    arch: &'a str,
    source_date_epoch: u64,
    kernel: KernelFacts<'a>,
    cmdline: &'a str,
    /// Files of the image's folder.
    outputs: BTreeMap<String, FileFacts>,
    /// Files in the middle of the build.
    parts: BTreeMap<String, FileFacts>,
    /// What each stage read: digests or values.
    inputs: BTreeMap<&'a str, &'a BTreeMap<String, String>>,
    /// The board's Debian packages, which are in the image.
    packages: BTreeMap<&'a str, &'a Package>,
    /// The packages that the image was built with.
    tools: BTreeMap<&'a str, &'a Package>,
    /// Where those were not what the lock says.
    tools_lock_differences: &'a [Difference],
    /// Every file of the root file system.
    files: &'a [String],
    /// The flat profile.
    profile: &'a str,
}

#[derive(Debug, Serialize)]
struct KernelFacts<'a> {
    release: &'a str,
    series: &'a str,
    source: &'a str,
}

#[derive(Debug, Serialize)]
struct FileFacts {
    sha256: String,
    bytes: u64,
}

/// Writes the manifest of `built`, if it is not there word for word.
pub(crate) fn write(sources: &Sources, board: &Board, built: &Built) -> miette::Result<()> {
    let profile = board.flat();
    let text =
        serde_json::to_string_pretty(&manifest(sources, board, built, &profile)).into_diagnostic()? + "\n";
    let path = built.image.manifest();
    match files::read(&path).is_ok_and(|old| old == text) {
        true => Ok(()),
        false => files::write(&path, text),
    }
}

fn manifest<'a>(sources: &'a Sources, board: &'a Board, built: &'a Built, profile: &'a str) -> Manifest<'a> {
    let Built { tools, kernel, modules, program, packages, rootfs, image } = built;
    let mut parts = facts(kernel.stamp(), |path| {
        ["out/bzImage", "out/config"].iter().any(|name| path == Path::new(name))
    });
    for stamp in [modules.stamp(), program.stamp(), rootfs.stamp()] {
        parts.extend(facts(stamp, |_| true));
    }
    let mut outputs = facts(image.stamp(), |_| true);
    for kind in [ImageType::Qcow2, ImageType::Iso] {
        let inputs = convert::inputs(sources, tools, image, kind);
        if let Ok(stamp) = convert::stamp(image, kind).check(&inputs) {
            outputs.extend(facts(&stamp, |_| true));
        }
    }
    let stages = [
        ("kernel", kernel.stamp()),
        ("modules", modules.stamp()),
        ("program", program.stamp()),
        ("packages", packages.stamp()),
        ("rootfs", rootfs.stamp()),
        ("image", image.stamp()),
    ];
    Manifest {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        board: board.name(),
        flavor: kernel.flavor().name(),
        arch: board.arch().as_str(),
        source_date_epoch: sources.source_date_epoch,
        kernel: KernelFacts {
            release: kernel.release(),
            series: &sources.kernel.series,
            source: kernel.source_version(),
        },
        cmdline: image.cmdline(),
        outputs,
        parts,
        inputs: stages.into_iter().map(|(name, stamp)| (name, stamp.inputs())).collect(),
        packages: packages.packages().iter().collect(),
        tools: tools.packages().iter().collect(),
        tools_lock_differences: tools.differences(),
        files: rootfs.files(),
        profile,
    }
}

/// Digest and size of those outputs of one stage that `wanted` says yes to.
fn facts(stamp: &Stamp, wanted: impl Fn(&Path) -> bool) -> BTreeMap<String, FileFacts> {
    let chosen = stamp.outputs().filter(|(path, _)| wanted(path));
    chosen
        .map(|(path, sha256)| {
            let bytes = stamp.size(path).unwrap_or_default();
            (path.display().to_string(), FileFacts { sha256: sha256.to_owned(), bytes })
        })
        .collect()
}
