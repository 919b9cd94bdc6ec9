// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stable names for disks: `/dev/disk/by-partlabel/*`, `/dev/disk/by-serial/*`, and `/dev/disk/image/*` for the
//! partitions of the image's own disk, kept up to date.

use crate::block::{self, Block};
use crate::root::{self, Root};
use crate::uevent::{self, Uevents};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

const DISK: &str = "/dev/disk";
const FOLDERS: [&str; 3] = ["by-partlabel", "by-serial", "image"];

/// The partitions of every image.
const IMAGE_LABELS: [&str; 3] = ["esp", "config", "data"];
/// Where systemd-boot and its stub say what they were loaded from.
const BOOT_PARTITION: &str =
    "/sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// Links below [`DISK`], `by-partlabel/data` to `vda3`, and names that more than one device claims.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    links: BTreeMap<String, String>,
    /// Link, device that has it, device that wanted it too.
    contested: Vec<(String, String, String)>,
}

impl Links {
    /// The links that these devices deserve, where `image` is the image's own disk. The first device keeps a name,
    /// so that one which comes later takes nothing from the appliance.
    fn of(blocks: &[Block], image: Option<&str>) -> Links {
        let mut links = Links::default();
        for block in blocks {
            let claims = claims(block).into_iter();
            for link in claims.filter(|link| !link.starts_with("image/") || image == Some(block.disk())) {
                links.claim(link, block);
            }
        }
        links
    }

    fn claim(&mut self, link: String, block: &Block) {
        if let Some(owner) = self.links.get(&link) {
            self.contested.push((link, owner.clone(), block.name.clone()));
        } else {
            self.links.insert(link, block.name.clone());
        }
    }

    /// True if the image's own disk is there.
    fn has_image(&self) -> bool {
        IMAGE_LABELS.iter().all(|label| self.links.contains_key(&format!("image/{label}")))
    }

    /// What a person should know about names that more than one device claims.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let told = |(link, owner, other): &(String, String, String)| {
            format!("{DISK}/{link} is {owner}; {other} claims the name too and does not get it")
        };
        self.contested.iter().map(told).collect()
    }

    /// Makes the folders hold these links and no others. A link that points to a live device stays as it is.
    fn apply(&mut self, root: &Root, blocks: &[Block]) -> io::Result<()> {
        for folder in FOLDERS {
            let place = root.at(DISK).join(folder);
            fs::create_dir_all(&place)?;
            for name in root::names(&place) {
                self.keep_or_remove(&place, &format!("{folder}/{name}"), blocks)?;
            }
        }
        for (link, device) in &self.links {
            let place = root.at(DISK).join(link);
            if fs::read_link(&place).is_err() {
                symlink(Path::new("../..").join(device), place)?;
            }
        }
        Ok(())
    }

    fn keep_or_remove(&mut self, folder: &Path, link: &str, blocks: &[Block]) -> io::Result<()> {
        let place = folder.join(link.split_once('/').map_or(link, |(_, name)| name));
        let present = fs::read_link(&place).unwrap_or_default();
        let present = present.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let claimed = |block: &Block| claims(block).iter().any(|claim| claim == link);
        let still_right = blocks.iter().any(|block| block.name == present && claimed(block));
        if still_right {
            self.links.insert(link.to_string(), present.to_string());
            return Ok(());
        }
        fs::remove_file(place)
    }
}

/// All names that a device could have.
fn claims(block: &Block) -> Vec<String> {
    let mut claims = Vec::new();
    if let Some(label) = block.label.as_deref() {
        claims.push(format!("by-partlabel/{}", file_name(label)));
    }
    if let Some(serial) = block.serial.as_deref().map(file_name) {
        let part = block.partition_of.as_ref().map_or(String::new(), |(_, number)| format!("-part{number}"));
        claims.push(format!("by-serial/{serial}{part}"));
    }
    let own = IMAGE_LABELS.iter().filter(|label| block.is_partition(label));
    claims.extend(own.map(|label| format!("image/{label}")));
    claims
}

/// The disk that the image is on. A label alone proves nothing: the disks behind LUNs hold whatever initiators
/// wrote. It is the disk that the firmware booted from, if it has all partitions of an image, else the first that has.
fn image_disk<'a>(blocks: &'a [Block], booted_from: Option<&str>) -> Option<&'a str> {
    let complete = |disk: &str| {
        let on_disk: Vec<&Block> = blocks.iter().filter(|block| block.disk() == disk).collect();
        IMAGE_LABELS.iter().all(|label| on_disk.iter().any(|block| block.is_partition(label)))
    };
    let is_boot = |block: &&Block| {
        let uuid = block.uuid.as_deref();
        uuid.zip(booted_from).is_some_and(|(uuid, booted)| uuid.eq_ignore_ascii_case(booted))
    };
    let esp_of = |block: &&Block| block.is_partition("esp");
    let boot = blocks.iter().find(is_boot).map(Block::disk).filter(|disk| complete(disk));
    boot.or_else(|| blocks.iter().filter(esp_of).map(Block::disk).find(|disk| complete(disk)))
}

/// The GUID of the partition that the boot loader was read from, which it leaves in a variable of the firmware:
/// four bytes of attributes, then UTF-16.
fn booted_from(root: &Root) -> Option<String> {
    let variable = fs::read(root.at(BOOT_PARTITION)).ok()?;
    let units: Vec<u16> =
        variable.get(4..)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    Some(String::from_utf16_lossy(&units).trim_end_matches('\0').to_string())
}

/// A label or serial number as a file name: what a path cannot carry becomes `_`.
pub(crate) fn file_name(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:+=@%,#".contains(c);
    let name: String = text.trim().chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if name.chars().all(|c| c == '.') {
        name.replace('.', "_")
    } else {
        name
    }
}

/// Looks at all block devices once and makes their links.
pub(crate) fn refresh(root: &Root) -> io::Result<Links> {
    let blocks = block::scan(root);
    let mut links = Links::of(&blocks, image_disk(&blocks, booted_from(root).as_deref()));
    links.apply(root, &blocks)?;
    Ok(links)
}

/// Keeps the links right until the image's own disk is there; false if it is not at the deadline.
pub(crate) fn wait_for_image(root: &Root, limit: Duration) -> io::Result<bool> {
    wait_until(root, limit, Links::has_image)
}

/// Keeps the links right until all of these files below `/dev` are there; false if they are not at the deadline.
pub(crate) fn wait_for_devices(root: &Root, devices: &[&str], limit: Duration) -> io::Result<bool> {
    let there = |_: &Links| devices.iter().all(|device| root.at(device).exists());
    wait_until(root, limit, there)
}

/// If what is waited for is not there at once, the drivers that the machine's devices ask for are loaded: one may
/// bring it.
fn wait_until(root: &Root, limit: Duration, ready: impl Fn(&Links) -> bool) -> io::Result<bool> {
    let deadline = Instant::now() + limit;
    let mut events = Uevents::open()?;
    let mut found = ready(&refresh(root)?);
    if !found && !limit.is_zero() {
        uevent::load_drivers_of_present_devices(root);
        found = ready(&refresh(root)?);
    }
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if found || left.is_zero() {
            return Ok(found);
        }
        events.next_block_change(Some(left))?;
        found = ready(&refresh(root)?);
    }
}

/// Keeps the links right for ever, and loads the drivers of what is there and of what is plugged in.
pub(crate) fn follow(root: &Root) -> io::Result<()> {
    let mut events = Uevents::open()?;
    uevent::load_drivers_of_present_devices(root);
    loop {
        refresh(root)?;
        events.next_block_change(None)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::tests::{add, populate};

    fn system() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        populate(&root);
        fs::create_dir_all(root.at("/dev")).unwrap();
        (folder, root)
    }

    fn target(root: &Root, link: &str) -> Option<String> {
        let target = fs::read_link(root.at(DISK).join(link)).ok()?;
        Some(target.to_str()?.to_string())
    }

    #[test]
    fn every_label_and_serial_gets_a_link() {
        let (_folder, root) = system();
        let links = refresh(&root).unwrap();
        assert_eq!(target(&root, "by-partlabel/data").as_deref(), Some("../../vda3"));
        assert_eq!(target(&root, "by-serial/root_disk").as_deref(), Some("../../vda"));
        assert_eq!(target(&root, "by-serial/root_disk-part2").as_deref(), Some("../../vda2"));
        assert_eq!(target(&root, "by-serial/WD-42").as_deref(), Some("../../sda"));
        assert_eq!(target(&root, "by-serial/STICK_7").as_deref(), Some("../../sdb"));
        assert_eq!(target(&root, "image/data").as_deref(), Some("../../vda3"));
        assert!(links.has_image());
        assert!(links.contested.is_empty());
    }

    #[test]
    fn a_second_look_changes_nothing_and_a_gone_disk_loses_its_links() {
        let (_folder, root) = system();
        assert_eq!(refresh(&root).unwrap(), refresh(&root).unwrap());
        fs::remove_file(root.at("/sys/class/block/sda")).unwrap();
        refresh(&root).unwrap();
        assert_eq!(target(&root, "by-serial/WD-42"), None);
        assert!(target(&root, "by-partlabel/esp").is_some());
    }

    #[test]
    fn a_disk_that_comes_later_takes_no_name_from_the_first() {
        let (_folder, root) = system();
        refresh(&root).unwrap();
        // `aaa` is first in the order of names, and later in time.
        let uevent = b"PARTNAME=data\n";
        add(&root, "pci/lun/block/aaa/aaa1", &[("size", b"9\n"), ("partition", b"1\n"), ("uevent", uevent)]);
        let links = refresh(&root).unwrap();
        assert_eq!(target(&root, "by-partlabel/data").as_deref(), Some("../../vda3"));
        assert_eq!(links.contested.len(), 1);
        fs::remove_file(root.at("/sys/class/block/vda3")).unwrap();
        refresh(&root).unwrap();
        assert_eq!(target(&root, "by-partlabel/data").as_deref(), Some("../../aaa1"));
    }

    #[test]
    fn devices_are_waited_for_by_any_of_their_names() {
        let (_folder, root) = system();
        fs::write(root.at("/dev/sda"), "").unwrap();
        let wait = |devices: &[&str]| wait_for_devices(&root, devices, Duration::ZERO).unwrap();
        assert!(wait(&["/dev/sda", "/dev/disk/by-serial/WD-42"]));
        assert!(!wait(&["/dev/sda", "/dev/disk/by-serial/nosuch"]));
        assert!(wait_for_image(&root, Duration::ZERO).unwrap());
    }

    /// A disk with all labels of an image, first in the order of names.
    fn add_other_image(root: &Root) {
        for (number, label) in [("1", "esp"), ("2", "config"), ("3", "data")] {
            let uevent = format!("PARTNAME={label}\nPARTUUID=0bb0-{number}\n");
            let files = [
                ("size", b"9\n".as_slice()),
                ("partition", number.as_bytes()),
                ("uevent", uevent.as_bytes()),
            ];
            add(root, &format!("pci/other/block/aaa/aaa{number}"), &files);
        }
    }

    #[test]
    fn a_lone_label_makes_no_image() {
        let (_folder, root) = system();
        fs::remove_file(root.at("/sys/class/block/vda2")).unwrap();
        assert!(!refresh(&root).unwrap().has_image());
        assert_eq!(target(&root, "image/data"), None);
        assert!(target(&root, "by-partlabel/data").is_some());
        assert!(!wait_for_image(&root, Duration::ZERO).unwrap());
    }

    #[test]
    fn the_disk_that_the_firmware_booted_from_is_the_image() {
        let (_folder, root) = system();
        add_other_image(&root);
        let variable = root.at(BOOT_PARTITION);
        fs::create_dir_all(variable.parent().unwrap()).unwrap();
        let name: Vec<u8> = "0AA0-1\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(variable, [b"\x06\0\0\0".as_slice(), &name].concat()).unwrap();
        refresh(&root).unwrap();
        assert_eq!(target(&root, "image/data").as_deref(), Some("../../vda3"));
    }

    #[test]
    fn an_image_that_comes_later_is_not_ours() {
        let (_folder, root) = system();
        refresh(&root).unwrap();
        add_other_image(&root);
        refresh(&root).unwrap();
        for (label, device) in [("esp", "vda1"), ("config", "vda2"), ("data", "vda3")] {
            assert_eq!(target(&root, &format!("image/{label}")), Some(format!("../../{device}")));
        }
    }

    #[test]
    fn names_that_paths_cannot_carry_are_changed() {
        for (text, name) in [("a/b c", "a_b_c"), ("..", "__"), ("  x ", "x"), ("é", "_")] {
            assert_eq!(file_name(text), name);
        }
    }
}
