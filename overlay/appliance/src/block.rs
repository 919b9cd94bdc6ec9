// SPDX-License-Identifier: MIT OR Apache-2.0
//! Block devices as the kernel shows them: which disk a partition is on, its label, the disk's serial number.

use crate::root::{self, Root};
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of the unit in which the kernel gives sizes, whatever a disk's sectors are.
pub(crate) const SIZE_UNIT_BYTES: u64 = 512;

/// A disk or a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The name below `/dev`.
    pub(crate) name: String,
    /// For a partition, its disk's name and its number there.
    pub(crate) partition_of: Option<(String, u32)>,
    /// The label in the partition table.
    pub(crate) label: Option<String>,
    /// The partition's unique GUID, as the kernel spells it.
    pub(crate) uuid: Option<String>,
    /// The disk's serial number, as it says it.
    pub(crate) serial: Option<String>,
    /// Size in bytes.
    pub(crate) bytes: u64,
}

impl Block {
    /// The name of the disk that this is, or is on.
    pub(crate) fn disk(&self) -> &str {
        self.partition_of.as_ref().map_or(&self.name, |(disk, _)| disk)
    }

    /// True if this is a partition with that label.
    pub(crate) fn is_partition(&self, label: &str) -> bool {
        self.partition_of.is_some() && self.label.as_deref() == Some(label)
    }
}

/// All block devices that hold something, in a fixed order.
pub(crate) fn scan(root: &Root) -> Vec<Block> {
    let class = root.at("/sys/class/block");
    let blocks = root::names(&class).into_iter().filter_map(|name| read(&class.join(&name), name));
    blocks.filter(|block| block.bytes > 0).collect()
}

fn read(entry: &Path, name: String) -> Option<Block> {
    let device = fs::canonicalize(entry).ok()?;
    let uevent = fs::read_to_string(device.join("uevent")).unwrap_or_default();
    let value = |key: &str| uevent.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let number = root::first_line(&device.join("partition")).and_then(|number| number.parse().ok());
    let disk = match number {
        Some(_) => device.parent()?.to_path_buf(),
        None => device.clone(),
    };
    let disk_name = disk.file_name()?.to_str()?.to_string();
    let units: u64 = root::first_line(&device.join("size"))?.parse().ok()?;
    Some(Block {
        name,
        partition_of: number.map(|number| (disk_name, number)),
        label: value("PARTNAME").map(str::to_string),
        uuid: value("PARTUUID").map(str::to_string),
        serial: serial(&disk),
        bytes: units.saturating_mul(SIZE_UNIT_BYTES),
    })
}

/// The serial number of virtio disks, of NVMe and MMC, of SCSI and ATA disks, and of USB ones, in this order.
fn serial(disk: &Path) -> Option<String> {
    root::first_line(&disk.join("serial"))
        .or_else(|| root::first_line(&disk.join("device/serial")))
        .or_else(|| unit_serial_number(&disk.join("device/vpd_pg80")))
        .or_else(|| usb_serial(disk))
}

/// VPD page 80h: four bytes of header, then the serial number in ASCII (SPC-4, 7.8.14).
fn unit_serial_number(page: &Path) -> Option<String> {
    let page = fs::read(page).ok()?;
    let length = usize::from(*page.get(2)?) << 8 | usize::from(*page.get(3)?);
    let text = page.get(4..4 + length)?;
    let text =
        String::from_utf8_lossy(text).trim_matches(|c: char| c.is_whitespace() || c == '\0').to_string();
    (!text.is_empty()).then_some(text)
}

/// USB sticks are not asked for VPD pages; the device that they hang on has a serial number of its own.
fn usb_serial(disk: &Path) -> Option<String> {
    let usb_device: PathBuf =
        disk.ancestors().find(|ancestor| ancestor.join("idVendor").exists())?.to_path_buf();
    root::first_line(&usb_device.join("serial"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Adds a device to a made-up `/sys`, with the kernel's layout: a folder somewhere, and a link to it by name.
    pub(crate) fn add(root: &Root, device: &str, files: &[(&str, &[u8])]) {
        let folder = root.at("/sys/devices").join(device);
        for (name, content) in files {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        let class = root.at("/sys/class/block");
        fs::create_dir_all(&class).unwrap();
        symlink(Path::new("../../devices").join(device), class.join(folder.file_name().unwrap())).unwrap();
    }

    /// A virtio disk with the image's partitions, and a SCSI disk, a USB stick and an empty drive.
    pub(crate) fn populate(root: &Root) {
        add(
            root,
            "pci/virtio0/block/vda",
            &[("size", b"4194304\n"), ("serial", b"root disk\n"), ("uevent", b"")],
        );
        for (number, label) in [("1", "esp"), ("2", "config"), ("3", "data")] {
            let uevent = format!(
                "MAJOR=254\nDEVTYPE=partition\nPARTN={number}\nPARTNAME={label}\nPARTUUID=0aa0-{number}\n"
            );
            let number_line = format!("{number}\n");
            let files: [(&str, &[u8]); 3] =
                [("size", b"131072\n"), ("partition", number_line.as_bytes()), ("uevent", uevent.as_bytes())];
            add(root, &format!("pci/virtio0/block/vda/vda{number}"), &files);
        }
        let page = b"\x00\x80\x00\x08  WD-42 ";
        add(root, "pci/host0/block/sda", &[("size", b"1\n"), ("device/vpd_pg80", page), ("uevent", b"")]);
        let usb = [("size", b"1\n".as_slice()), ("uevent", b"")];
        add(root, "pci/usb1/host1/block/sdb", &usb);
        fs::write(root.at("/sys/devices/pci/usb1/idVendor"), "1234\n").unwrap();
        fs::write(root.at("/sys/devices/pci/usb1/serial"), "STICK/7\n").unwrap();
        add(root, "pci/host2/block/sr0", &[("size", b"0\n"), ("uevent", b"")]);
    }

    #[test]
    fn disks_and_partitions_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        populate(&root);
        let blocks = scan(&root);
        let names: Vec<&str> = blocks.iter().map(|block| block.name.as_str()).collect();
        assert_eq!(names, ["sda", "sdb", "vda", "vda1", "vda2", "vda3"], "an empty drive holds nothing");
        let data = &blocks[5];
        assert_eq!(data.partition_of, Some(("vda".to_string(), 3)));
        assert_eq!(data.label.as_deref(), Some("data"));
        assert_eq!(data.bytes, 64 << 20);
        let serials: Vec<_> = blocks.iter().map(|block| block.serial.as_deref().unwrap()).collect();
        assert_eq!(serials, ["WD-42", "STICK/7", "root disk", "root disk", "root disk", "root disk"]);
    }
}
