// SPDX-License-Identifier: MIT OR Apache-2.0
//! The image types that are made from the disk or the unified kernel image on request.

use std::path::{Path, PathBuf};

use super::image::{clamp_times, Image};
use super::tools::ToolsTree;
use crate::cli::ImageType;
use crate::ctx::Ctx;
use crate::enter::TreeCommand;
use crate::files;
use crate::sources::Sources;
use crate::stamp::{Inputs, Stamp, StampFile};
use crate::step::{self, Step};

/// Room for the file system's own tables around the unified kernel image, in KiB.
const FAT_OVERHEAD_KIB: u64 = 2048;
/// The serial number of the ISO's FAT, which mtools would otherwise take from the clock.
const FAT_SERIAL: &str = "5c57a001";

/// The file of `kind` in the image's folder, and what it is made from.
fn names(kind: ImageType) -> (&'static str, &'static str) {
    match kind {
        ImageType::Disk => ("disk.img", "disk.img"),
        ImageType::Uki => ("appliance.efi", "appliance.efi"),
        ImageType::Qcow2 => ("disk.qcow2", "disk.img"),
        ImageType::Iso => ("appliance.iso", "appliance.efi"),
    }
}

/// The place of the image of type `kind`.
pub(crate) fn path(image: &Image, kind: ImageType) -> PathBuf {
    image.dir().join(names(kind).0)
}

/// The record of an earlier conversion.
pub(crate) fn stamp(image: &Image, kind: ImageType) -> StampFile {
    StampFile::new(image.dir().join(stamp_name(kind)), image.dir())
}

fn stamp_name(kind: ImageType) -> String {
    format!("{}.stamp.json", names(kind).0)
}

/// Removes every conversion and its record from an image's folder.
pub(super) fn remove(dir: &Path) -> miette::Result<()> {
    for kind in [ImageType::Qcow2, ImageType::Iso] {
        files::remove(&dir.join(stamp_name(kind)))?;
        files::remove(&dir.join(names(kind).0))?;
    }
    Ok(())
}

/// What a conversion reads.
pub(crate) fn inputs(sources: &Sources, tools: &ToolsTree, image: &Image, kind: ImageType) -> Inputs {
    let from = names(kind).1;
    let mut inputs = Inputs::new();
    inputs.text("the stage's code", include_str!("convert.rs"));
    inputs.value(from, image.stamp().output(from).unwrap_or_default());
    inputs.value("source_date_epoch", sources.source_date_epoch.to_string());
    tools.versions(&mut inputs, &["qemu-utils", "mtools", "xorriso"]);
    inputs
}

/// Makes the image of type `kind`. Disk and unified kernel image are there already.
pub(crate) fn build(
    ctx: &Ctx,
    sources: &Sources,
    tools: &ToolsTree,
    image: &Image,
    kind: ImageType,
) -> miette::Result<Option<Stamp>> {
    if matches!(kind, ImageType::Disk | ImageType::Uki) {
        return Ok(None);
    }
    let name = names(kind).0;
    let inputs = inputs(sources, tools, image, kind);
    let made = step::stage(ctx, kind.name(), &stamp(image, kind), &inputs, |step| {
        let maker = Maker { sources, tools, image, step, work: image.dir().join("convert.partial") };
        files::fresh_dir(&maker.work)?;
        match kind {
            ImageType::Iso => maker.iso()?,
            _ => maker.qcow2()?,
        }
        files::replace(&maker.work.join(name), &image.dir().join(name))?;
        files::remove(&maker.work)?;
        Ok(vec![name.into()])
    })?;
    Ok(Some(made))
}

struct Maker<'a> {
    sources: &'a Sources,
    tools: &'a ToolsTree,
    image: &'a Image,
    step: &'a Step,
    work: PathBuf,
}

impl Maker<'_> {
    fn command(&self, program: &str) -> TreeCommand {
        let epoch = self.sources.source_date_epoch.to_string();
        let command =
            self.tools.command(program).bind_ro(self.image.dir(), "/in").bind_rw(&self.work, "/making");
        command.workdir("/making").env("SOURCE_DATE_EPOCH", epoch).env("MTOOLS_SKIP_CHECK", "1")
    }

    fn qcow2(&self) -> miette::Result<()> {
        let convert = self.command("qemu-img").args(["convert", "-f", "raw", "-O", "qcow2", "-c", "-m", "1"]);
        self.step.run(&convert.args(["/in/disk.img", "disk.qcow2"]))
    }

    /// An ISO whose El Torito entry and second partition are one FAT image with the unified kernel image in it.
    fn iso(&self) -> miette::Result<()> {
        let size = std::fs::metadata(self.image.uki()).map_or(0, |meta| meta.len());
        let kib = size.div_ceil(1024) + FAT_OVERHEAD_KIB;
        let run = |program: &str, args: &[&str]| self.step.run(&self.command(program).args(args));
        run("truncate", &["--size", &format!("{kib}K"), "efi.img"])?;
        run("mformat", &["-i", "efi.img", "-N", FAT_SERIAL, "::"])?;
        run("mmd", &["-i", "efi.img", "::/EFI", "::/EFI/BOOT"])?;
        run("mcopy", &["-i", "efi.img", "/in/appliance.efi", "::/EFI/BOOT/BOOTX64.EFI"])?;
        let layout =
            ["-V", "SCST_APPLIANCE", "-partition_offset", "16", "-append_partition", "2", "0xef", "efi.img"];
        let boot =
            ["-e", "--interval:appended_partition_2:all::", "-no-emul-boot", "-o", "appliance.iso", "empty"];
        let empty = self.work.join("empty");
        files::make_dir(&empty)?;
        clamp_times(&empty, self.sources.source_date_epoch)?;
        let xorriso = self.command("xorriso").args(["-as", "mkisofs"]);
        self.step.run(&xorriso.args(layout).args(["-appended_part_as_gpt"]).args(boot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_go_with_their_records_and_their_source_stays() {
        let dir = tempfile::tempdir().unwrap();
        let name = |kind: ImageType| names(kind).0;
        for kind in [ImageType::Disk, ImageType::Uki, ImageType::Qcow2, ImageType::Iso] {
            files::write(&dir.path().join(name(kind)), "").unwrap();
            files::write(&dir.path().join(stamp_name(kind)), "").unwrap();
        }
        remove(dir.path()).unwrap();
        let left: Vec<_> = files::walk(dir.path()).unwrap().iter().map(|p| p.display().to_string()).collect();
        assert_eq!(left.join(" "), "appliance.efi appliance.efi.stamp.json disk.img disk.img.stamp.json");
    }
}
