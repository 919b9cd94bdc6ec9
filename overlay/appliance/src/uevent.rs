// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's announcements of devices, and the loading of drivers for those that a driver waits for.

use crate::root::{self, Root};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, netlink, AddressFamily, RecvFlags, SocketFlags, SocketType};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The multicast group that the kernel itself sends to; the other is udev's.
const KERNEL_GROUP: u32 = 1;
/// The kernel's own limit is a page.
const MESSAGE_BYTES: usize = 8192;

/// An open ear. Open it before looking around: what comes in between is then not lost.
pub(crate) struct Uevents {
    socket: OwnedFd,
}

/// What matters of an announcement.
#[derive(Debug, Default, PartialEq, Eq)]
struct Uevent<'a> {
    is_block: bool,
    is_add: bool,
    modalias: Option<&'a str>,
}

impl Uevents {
    /// Opens the ear.
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            flags,
            Some(netlink::KOBJECT_UEVENT),
        )?;
        net::bind(&socket, &netlink::SocketAddrNetlink::new(0, KERNEL_GROUP))?;
        Ok(Uevents { socket })
    }

    /// Returns when a block device came, went or changed, or after `limit`; announcements that came together are
    /// taken together. Drivers for other new devices are loaded on the way: they may bring the disk.
    pub(crate) fn next_block_change(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            if !self.poll(deadline)? || self.drain()? {
                return Ok(());
            }
        }
    }

    /// True if there is something to read, false at the deadline.
    fn poll(&self, deadline: Option<Instant>) -> io::Result<bool> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], left.as_ref()) {
                Err(Errno::INTR) => {}
                result => return Ok(result? > 0),
            }
        }
    }

    /// Reads all that is there; true if a block device was among it.
    fn drain(&mut self) -> io::Result<bool> {
        let mut buffer = [0; MESSAGE_BYTES];
        let mut is_block = false;
        let mut aliases = BTreeSet::new();
        loop {
            match net::recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((length, _)) => {
                    let event = Uevent::parse(&buffer[..length.min(MESSAGE_BYTES)]);
                    is_block |= event.is_block;
                    aliases.extend(event.modalias.filter(|_| event.is_add).map(str::to_string));
                }
                // The kernel dropped some: look at everything.
                Err(Errno::NOBUFS) => is_block = true,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        load_drivers(&aliases);
        Ok(is_block)
    }
}

impl<'a> Uevent<'a> {
    fn parse(message: &'a [u8]) -> Self {
        let mut event = Uevent::default();
        for field in message.split(|byte| *byte == 0) {
            let Some((key, value)) = std::str::from_utf8(field).ok().and_then(|field| field.split_once('='))
            else {
                continue;
            };
            match key {
                "SUBSYSTEM" => event.is_block = value == "block",
                "ACTION" => event.is_add = value == "add",
                "MODALIAS" => event.modalias = Some(value),
                _ => {}
            }
        }
        event
    }
}

/// Loads the drivers that devices which are there already ask for, as far as the image carries them.
pub(crate) fn load_drivers_of_present_devices(root: &Root) {
    let mut aliases = BTreeSet::new();
    collect_aliases(&root.at("/sys/devices"), &mut aliases);
    load_drivers(&aliases);
}

/// What all devices below a folder ask for. The tree of devices has no loops but by links, which are not followed.
fn collect_aliases(folder: &Path, aliases: &mut BTreeSet<String>) {
    aliases.extend(root::first_line(&folder.join("modalias")));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect_aliases(&entry.path(), aliases);
        }
    }
}

/// Most devices have no driver in a small image, which is no error.
fn load_drivers(aliases: &BTreeSet<String>) {
    if aliases.is_empty() {
        return;
    }
    let mut command = Command::new("modprobe");
    command.args(["-a", "-b", "-q"]).args(aliases).stdout(Stdio::null()).stderr(Stdio::null());
    // Where even modprobe is missing, the drivers in /etc/appliance/modules failed loudly before.
    let _ = command.status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn present_devices_are_asked_wherever_they_are() {
        let folder = tempfile::tempdir().unwrap();
        for (device, alias) in
            [("pci0/0000:00:02.0", "pci:v1"), ("pci0/bridge/virtio1", "virtio:d2"), ("virtual", "")]
        {
            let device = folder.path().join(device);
            fs::create_dir_all(&device).unwrap();
            fs::write(device.join("modalias"), format!("{alias}\n")).unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), folder.path().join("pci0/loop")).unwrap();
        let mut aliases = BTreeSet::new();
        collect_aliases(folder.path(), &mut aliases);
        assert_eq!(aliases.into_iter().collect::<Vec<_>>(), ["pci:v1", "virtio:d2"]);
    }

    #[test]
    fn announcements_are_understood() {
        let disk = b"add@/devices/vda\0ACTION=add\0SUBSYSTEM=block\0DEVNAME=vda\0SEQNUM=7\0";
        assert_eq!(Uevent::parse(disk), Uevent { is_block: true, is_add: true, modalias: None });
        let card = b"add@/devices/pci\0ACTION=add\0SUBSYSTEM=pci\0MODALIAS=pci:v00001AF4d\0";
        let expected = Uevent { is_block: false, is_add: true, modalias: Some("pci:v00001AF4d") };
        assert_eq!(Uevent::parse(card), expected);
        assert_eq!(Uevent::parse(b"\xff\xfe\0=\0"), Uevent::default());
    }
}
