// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lets the image's last partition take the room that the disk has, and the file system the partition's.
//!
//! Called before `data` is mounted it grows the partition, called after it grows the file system, and where there
//! is nothing to do it does nothing. Cut at any moment, the next boot goes on.

use crate::block::{self, Block};
use crate::gpt::{self, Disk, Grown};
use crate::root::Root;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;
use std::process::Command;

/// The partition that grows, by its label.
const LABEL: &str = "data";

/// What happened, as sentences for the console.
type Said = Vec<String>;

/// A disk or an image file.
struct DiskFile {
    file: File,
    sector_bytes: usize,
    nr_sectors: u64,
}

impl DiskFile {
    /// Opens for reading and writing. A file that is no device has sectors of 512 bytes.
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let is_device = file.metadata()?.file_type().is_block_device();
        let sector_bytes = if is_device { rustix::fs::ioctl_blksszget(&file)? as usize } else { 512 };
        let nr_sectors = file.seek(SeekFrom::End(0))? / sector_bytes as u64;
        if nr_sectors < 2 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "too small for a partition table"));
        }
        Ok(DiskFile { file, sector_bytes, nr_sectors })
    }
}

impl Disk for DiskFile {
    fn sector_bytes(&self) -> usize {
        self.sector_bytes
    }
    fn nr_sectors(&self) -> u64 {
        self.nr_sectors
    }
    fn read(&self, lba: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, lba.saturating_mul(self.sector_bytes as u64))
    }
    fn write(&mut self, lba: u64, buf: &[u8]) -> io::Result<()> {
        self.file.write_all_at(buf, lba * self.sector_bytes as u64)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// Grows the table of the image file or disk at `path`, and nothing else.
pub(crate) fn grow_table(path: &Path) -> Result<Said, String> {
    let complain = |error: String| format!("{}: {error}", path.display());
    let mut disk = DiskFile::open(path).map_err(|error| complain(error.to_string()))?;
    let sector_bytes = disk.sector_bytes as u64;
    match gpt::grow(&mut disk, LABEL).map_err(|error| complain(error.to_string()))? {
        Grown::Unchanged => Ok(vec![]),
        Grown::Partition { before, after } if before == after => {
            Ok(vec![format!("{}: the table's backup moved to the disk's end", path.display())])
        }
        Grown::Partition { before, after } => Ok(vec![format!(
            "{}: partition `{LABEL}` grew from {} to {}",
            path.display(),
            mebibytes(before * sector_bytes),
            mebibytes(after * sector_bytes)
        )]),
    }
}

/// Grows whatever can be grown now on the running system.
pub(crate) fn grow(root: &Root) -> Result<Said, String> {
    let blocks = block::scan(root);
    let link = std::fs::read_link(root.at("/dev/disk/image").join(LABEL)).unwrap_or_default();
    let named = link.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let partition = blocks
        .iter()
        .find(|block| block.name == named)
        .ok_or_else(|| "the image's own disk is not there: nothing to grow".to_string())?;
    let (disk, _) = partition.partition_of.as_ref().ok_or_else(|| format!("{named} is not a partition"))?;
    match mount_point(root, &partition.name) {
        Some(place) => grow_file_system(root, partition, &place),
        None => grow_partition(root, partition, disk),
    }
}

fn grow_partition(root: &Root, partition: &Block, disk: &str) -> Result<Said, String> {
    let device = root.at("/dev").join(disk);
    let mut said = grow_table(&device)?;
    if said.is_empty() {
        return Ok(said);
    }
    // The kernel takes the new table only while no partition of the disk is in use.
    let status = Command::new("blockdev").arg("--rereadpt").arg(&device).status();
    let grown = block::scan(root).into_iter().find(|block| block.name == partition.name);
    let grown = grown.is_some_and(|grown| grown.bytes > partition.bytes);
    if !grown || !status.is_ok_and(|status| status.success()) {
        said.push(format!("{disk} is in use: the kernel takes the new table at the next boot"));
    }
    Ok(said)
}

/// Where a device is mounted, as the kernel lists it.
fn mount_point(root: &Root, device: &str) -> Option<String> {
    let mounts = std::fs::read_to_string(root.at("/proc/self/mounts")).ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let source = fields.next()?;
        let place = fields.next()?;
        // The source is what was given to mount, which may be a link to the device.
        let real = std::fs::canonicalize(root.at(source)).ok()?;
        (real.file_name()?.to_str()? == device).then(|| place.to_string())
    })
}

/// Grows a mounted ext4 to its partition. The kernel journals each step of it.
fn grow_file_system(root: &Root, partition: &Block, place: &str) -> Result<Said, String> {
    let complain = |error: &dyn std::fmt::Display| format!("{place}: the file system does not grow: {error}");
    let folder = File::open(root.at(place)).map_err(|error| complain(&error))?;
    let before = rustix::fs::fstatvfs(&folder).map_err(|error| complain(&error))?;
    let blocks = partition.bytes / before.f_bsize;
    rustix::fs::ext4_ioc_resize_fs(&folder, blocks).map_err(|error| complain(&error))?;
    let after = rustix::fs::fstatvfs(&folder).map_err(|error| complain(&error))?;
    if after.f_blocks == before.f_blocks {
        return Ok(vec![]);
    }
    let size = |blocks: u64| mebibytes(blocks * before.f_bsize);
    Ok(vec![format!(
        "{place}: the file system grew from {} to {}",
        size(before.f_blocks),
        size(after.f_blocks)
    )])
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::tests::populate;

    #[test]
    fn a_mounted_partition_is_found_through_its_link() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        populate(&root);
        crate::links::refresh(&root).unwrap();
        std::fs::write(root.at("/dev/vda3"), "").unwrap();
        std::fs::create_dir_all(root.at("/proc/self")).unwrap();
        assert_eq!(mount_point(&root, "vda3"), None);
        let mounts = "rootfs / rootfs rw 0 0\n/dev/disk/image/data /data ext4 rw 0 0\n";
        std::fs::write(root.at("/proc/self/mounts"), mounts).unwrap();
        assert_eq!(mount_point(&root, "vda3").as_deref(), Some("/data"));
        assert_eq!(mount_point(&root, "vda2"), None);
    }

    #[test]
    fn what_is_no_disk_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let message = grow_table(file.path()).unwrap_err();
        assert!(
            message.contains("too small") && message.contains(file.path().to_str().unwrap()),
            "{message}"
        );
        file.as_file().set_len(1 << 20).unwrap();
        assert!(grow_table(file.path()).unwrap_err().contains("the signature is missing"));
    }
}
