// SPDX-License-Identifier: MIT OR Apache-2.0
//! The files behind a guest's disks: a working copy of the image, and empty disks beside it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use board_profile::{Bus, Size, Vm};
use miette::{miette, Context as _, IntoDiagnostic as _};

use super::machine::{Access, Disk, Format, Medium};

/// The working copy of the image in QEMU's format.
pub(crate) const QCOW2_COPY: &str = "disk.qcow2";
/// The serial number of the disk with the image.
const IMAGE_SERIAL: &str = "appliance";

/// The disks of `[vm]`, below `dir`: a copy of `image` grown to the board's disk size, then `[[vm.disk]]`.
///
/// What is there is kept, so that a guest finds again what it wrote; only a newer image replaces the copy.
/// The image itself is never written: it stays what the build made.
pub(crate) fn prepare(vm: &Vm, image: &Path, dir: &Path) -> miette::Result<Vec<Disk>> {
    std::fs::create_dir_all(dir)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot make {}", dir.display()))?;
    let mut disks = vec![disk(refresh(image, vm.disk_size, dir)?, vm.disk_bus, IMAGE_SERIAL)];
    for extra in &vm.disks {
        let path = dir.join(format!("{}.img", extra.serial.as_str()));
        grow(&path, extra.size)?;
        disks.push(disk(path, extra.bus, extra.serial.as_str()));
    }
    Ok(disks)
}

/// The image at `from` as a guest's first disk, in the drive and the format that it is meant for.
pub(crate) fn other(from: &Path, kind: Other, dir: &Path) -> miette::Result<Disk> {
    let own = |path| Disk { access: Access::ReadOnly, ..disk(path, Bus::Usb, IMAGE_SERIAL) };
    match kind {
        Other::Cd => Ok(Disk { medium: Medium::Cd, ..own(from.to_owned()) }),
        Other::Stick => Ok(own(from.to_owned())),
        // A guest writes to its disk, and the image stays what the build made.
        Other::Qcow2(bus) => {
            let path = dir.join(QCOW2_COPY);
            crate::files::copy(from, &path)?;
            Ok(Disk { format: Format::Qcow2, ..disk(path, bus, IMAGE_SERIAL) })
        }
    }
}

/// What an image that is no raw disk is given to a guest as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Other {
    /// An ISO in a CD drive.
    Cd,
    /// An ISO written to a USB stick.
    Stick,
    /// The disk in QEMU's format, on this bus.
    Qcow2(Bus),
}

/// A disk that a user brings: `FILE` or `FILE,ro`.
pub(crate) fn parse_added(text: &str) -> Result<(PathBuf, Access), String> {
    let (path, access) = match text.rsplit_once(',') {
        Some((path, "ro")) => (path, Access::ReadOnly),
        Some((_, word)) if !word.contains('/') && !word.contains('.') => {
            return Err(format!("`{word}` is not an access mode; write FILE or FILE,ro"));
        }
        _ => (text, Access::ReadWrite),
    };
    if path.is_empty() {
        return Err("no file is named; write FILE or FILE,ro".into());
    }
    Ok((path.into(), access))
}

/// The disk made of the user's file: qcow2 if it begins like one, raw otherwise.
pub(crate) fn added(path: &Path, access: Access, number: usize) -> miette::Result<Disk> {
    use std::io::Read as _;
    let path = path
        .canonicalize()
        .into_diagnostic()
        .wrap_err_with(|| format!("--add-disk {}: there is no such file", path.display()))?;
    let mut magic = [0; 4];
    let read = File::open(&path).and_then(|mut file| file.read(&mut magic));
    read.into_diagnostic().wrap_err_with(|| format!("--add-disk {}: cannot read it", path.display()))?;
    let format = if &magic == b"QFI\xfb" { Format::Qcow2 } else { Format::Raw };
    let serial = format!("added{number}");
    Ok(Disk { path, format, bus: Bus::Virtio, serial, access, medium: Medium::Disk, log: None })
}

/// A disk without content in the sparse file at `path`.
pub(crate) fn empty(path: PathBuf, serial: &str) -> Disk {
    disk(path, Bus::Virtio, serial)
}

fn disk(path: PathBuf, bus: Bus, serial: &str) -> Disk {
    let (serial, access) = (serial.into(), Access::ReadWrite);
    Disk { path, format: Format::Raw, bus, serial, access, medium: Medium::Disk, log: None }
}

/// Brings the working copy up to date: copied anew when the image is not the one that it was copied from.
fn refresh(image: &Path, size: Size, dir: &Path) -> miette::Result<PathBuf> {
    let copy = dir.join("disk.img");
    let origin = dir.join("disk.from");
    let now = identity(image)?;
    if copy.exists() && std::fs::read_to_string(&origin).is_ok_and(|old| old == now) {
        return Ok(copy);
    }
    if copy.exists() {
        eprintln!("     disk: {} starts anew, because the image was built anew", copy.display());
    }
    let aside = dir.join("disk.img.new");
    copy_sparse(image, &aside)?;
    grow(&aside, size)?;
    std::fs::remove_file(&origin).or_else(ignore_absence).into_diagnostic()?;
    std::fs::rename(&aside, &copy).and_then(|()| std::fs::write(&origin, now)).into_diagnostic()?;
    Ok(copy)
}

/// What tells one build of an image from the next.
fn identity(image: &Path) -> miette::Result<String> {
    let data = std::fs::metadata(image)
        .into_diagnostic()
        .wrap_err_with(|| format!("no disk image {}", image.display()))?;
    let modified = data.modified().into_diagnostic()?;
    Ok(format!("{} {} {modified:?}\n", image.display(), data.len()))
}

/// Copies `from` to `to` and keeps its holes.
pub(crate) fn copy_sparse(from: &Path, to: &Path) -> miette::Result<()> {
    let status = Command::new("cp")
        .args(["--sparse=always", "--reflink=auto", "--"])
        .args([from, to])
        .status()
        .into_diagnostic()
        .wrap_err("cannot run cp")?;
    if !status.success() {
        return Err(miette!("cannot copy {} to {}: {status}", from.display(), to.display()));
    }
    Ok(())
}

/// Makes the file at `path` at least `size` long; what is added is a hole.
pub(crate) fn grow(path: &Path, size: Size) -> miette::Result<()> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .and_then(
            |file| if file.metadata()?.len() < size.bytes() { file.set_len(size.bytes()) } else { Ok(()) },
        )
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot make the disk {}", path.display()))
}

fn ignore_absence(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn an_added_disk_is_a_file_with_an_optional_mode() {
        assert_eq!(parse_added("a.img"), Ok(("a.img".into(), Access::ReadWrite)));
        assert_eq!(parse_added("a.img,ro"), Ok(("a.img".into(), Access::ReadOnly)));
        assert_eq!(parse_added("/a,b/c.img"), Ok(("/a,b/c.img".into(), Access::ReadWrite)));
        assert!(parse_added("a.img,readonly").unwrap_err().contains("readonly"));
        assert!(parse_added(",ro").is_err());
    }

    #[test]
    fn a_copy_keeps_what_the_guest_wrote_until_the_image_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (image, work) = (dir.path().join("image"), dir.path().join("work"));
        std::fs::create_dir(&work).unwrap();
        std::fs::write(&image, b"first").unwrap();
        let copy = refresh(&image, Size::from_mib(64), &work).unwrap();
        let data = std::fs::metadata(&copy).unwrap();
        assert_eq!(data.len(), 64 << 20);
        assert!(data.blocks() < 1000, "the added space is a hole");
        std::fs::write(&copy, b"guest").unwrap();
        refresh(&image, Size::from_mib(64), &work).unwrap();
        assert_eq!(std::fs::read(&copy).unwrap(), b"guest");
        std::fs::write(&image, b"second build").unwrap();
        refresh(&image, Size::from_mib(64), &work).unwrap();
        assert!(std::fs::read(&copy).unwrap().starts_with(b"second build"));
        assert_eq!(std::fs::read(&image).unwrap(), b"second build");
    }
}
