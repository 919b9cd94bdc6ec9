// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stable names for disks: `/dev/disk/by-partlabel/*` and `/dev/disk/by-serial/*`, kept up to date.

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
const FOLDERS: [&str; 2] = ["by-partlabel", "by-serial"];

/// Links below [`DISK`], `by-partlabel/data` to `vda3`, and names that more than one device claims.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    links: BTreeMap<String, String>,
    /// Link, device that has it, device that wanted it too.
    contested: Vec<(String, String, String)>,
}

impl Links {
    /// The links that these devices deserve. The first device keeps a name, so that a disk which comes later,
    /// such as an exported LUN with a copy of the image, takes nothing from the appliance.
    pub(crate) fn of(blocks: &[Block]) -> Links {
        let mut links = Links::default();
        for block in blocks {
            if let Some(label) = block.label.as_deref().map(file_name) {
                links.claim(format!("by-partlabel/{label}"), block);
            }
            if let Some(serial) = block.serial.as_deref().map(file_name) {
                let part =
                    block.partition_of.as_ref().map_or(String::new(), |(_, number)| format!("-part{number}"));
                links.claim(format!("by-serial/{serial}{part}"), block);
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

    /// True if there is a partition of that name.
    pub(crate) fn has_label(&self, label: &str) -> bool {
        self.links.contains_key(&format!("by-partlabel/{label}"))
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
        let still_right = blocks.iter().any(|block| {
            block.name == present && Links::of(std::slice::from_ref(block)).links.contains_key(link)
        });
        if still_right {
            self.links.insert(link.to_string(), present.to_string());
            return Ok(());
        }
        fs::remove_file(place)
    }
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
    let mut links = Links::of(&blocks);
    links.apply(root, &blocks)?;
    Ok(links)
}

/// Keeps the links right until all partitions in `labels` have one; returns those that do not at the deadline.
/// Where they are not there at once, the drivers that the machine's devices ask for are loaded: one may bring them.
pub(crate) fn wait(root: &Root, labels: &[String], limit: Duration) -> io::Result<Vec<String>> {
    let deadline = Instant::now() + limit;
    let mut events = Uevents::open()?;
    let mut missing = missing_labels(root, labels)?;
    if !missing.is_empty() && !limit.is_zero() {
        uevent::load_drivers_of_present_devices(root);
        missing = missing_labels(root, labels)?;
    }
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if missing.is_empty() || left.is_zero() {
            return Ok(missing);
        }
        events.next_block_change(Some(left))?;
        missing = missing_labels(root, labels)?;
    }
}

fn missing_labels(root: &Root, labels: &[String]) -> io::Result<Vec<String>> {
    let links = refresh(root)?;
    Ok(labels.iter().filter(|label| !links.has_label(label)).cloned().collect())
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
        assert!(links.has_label("config") && !links.has_label("nosuch"));
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
    fn names_that_paths_cannot_carry_are_changed() {
        for (text, name) in [("a/b c", "a_b_c"), ("..", "__"), ("  x ", "x"), ("é", "_")] {
            assert_eq!(file_name(text), name);
        }
    }
}
