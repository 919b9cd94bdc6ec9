# SPDX-License-Identifier: MIT OR Apache-2.0
"""ext4 and XFS on blockio, over a disk whose cache is lost with its power: what was synchronised must be there after the journal's replay.

The disk is the kernel's null block device, with memory behind it and a write cache before that: what was neither flushed nor written with
FUA is gone when its power is switched off. Files are written, synchronised, renamed and removed until then; a file system that is not what
its journal says, or a file that is not what was synchronised, fails."""

import argparse
import os
import random
import re
import sys
import threading
import time

import luns
from lib import NullBlock, TREE, disks, fail, must, run, say, wait_for

MOUNT = "/mnt/judged"
NAME = "judged-cut"
LUN = 40
SIZE_MIB, CACHE_MIB = 320, 256  # XFS wants 300; the cache is never full, so nothing gets out by itself.

# How one is made, checked without a change, and what the kernel says when a journal was replayed.
FILE_SYSTEMS = {
    "ext4": (["mkfs.ext4", "-q", "-F"], ["e2fsck", "-f", "-n"], r"EXT4-fs \(%s\): recovery complete"),
    "xfs": (["mkfs.xfs", "-q", "-f"], ["xfs_repair", "-n"], r"XFS \(%s\): Ending recovery"),
}


class Disk:
    """A null block device, and the LUN that shows it."""

    def __init__(self):
        self.below = NullBlock("judged", size=SIZE_MIB, cache_size=CACHE_MIB, discard=1, blocksize=512)

    def on(self):
        """Power, a device, a LUN; the disk that the initiator sees."""
        must(TREE + "/handlers/vdisk_blockio/mgmt", "add_device %s filename=%s" % (NAME, self.below.on()))
        must(luns.TARGET + "/luns/mgmt", "add %s %d" % (NAME, LUN))
        node = wait_for("the disk", lambda: disks().get(NAME))[0]
        wait_for("the disk's size", lambda: int(open("/sys/block/%s/size" % os.path.basename(node)).read()) > 0)
        return node

    @staticmethod
    def off():
        """Takes away the LUN of a disk that has no power any more."""
        must(luns.TARGET + "/luns/mgmt", "del %d" % LUN)
        must(TREE + "/handlers/vdisk_blockio/mgmt", "del_device " + NAME)
        wait_for("the disk's removal", lambda: not disks().get(NAME))


class Writer(threading.Thread):
    """Changes a directory of its own until the disk fails; `acknowledged` is what must be there: names, and what is in them."""

    def __init__(self, number, seed):
        super().__init__()
        self.folder = "%s/%d" % (MOUNT, number)
        self.random = random.Random(seed)
        self.acknowledged, self.doubtful, self.error = {}, set(), None
        os.mkdir(self.folder)

    def run(self):
        try:
            while True:
                self.step()
        except OSError as error:
            self.error = error

    def step(self):
        """One change that was made durable; until it has been, a name that it touches may be as before or as after."""
        name = "f%d" % self.random.randrange(20)
        data = self.random.randbytes(self.random.choice((100, 4096, 20000, 150000)))
        path = os.path.join(self.folder, name)
        self.doubtful = {name}
        if self.random.random() < 0.2 and name in self.acknowledged:
            os.unlink(path)
            self.settle()
            del self.acknowledged[name]
        else:
            with open(path + ".new", "wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            os.rename(path + ".new", path)
            self.settle()
            self.acknowledged[name] = data
        self.doubtful = set()
        with open(os.path.join(self.folder, "noise"), "ab") as f:
            f.write(data)  # Never synchronised by itself.
        if self.random.random() < 0.1:
            os.unlink(os.path.join(self.folder, "noise"))

    def settle(self):
        """Makes the directory durable, or fails. XFS ends the fsync of a directory well although another's failure has just taken away
        what was to be written; what is opened then fails."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.close(os.open(self.folder, os.O_RDONLY))
        finally:
            os.close(fd)

    def check(self):
        """What of the acknowledged is not there, or not as it was written."""
        names = {name for name in os.listdir(self.folder) if not name.endswith(".new") and name != "noise"}
        wrong = [(name, "is back" if name in names else "is gone") for name in (names ^ set(self.acknowledged)) - self.doubtful]
        for name in names & set(self.acknowledged) - self.doubtful:
            with open(os.path.join(self.folder, name), "rb") as f:
                there, data = f.read(), self.acknowledged[name]
            if there != data:
                at = next((at for at, (a, b) in enumerate(zip(there, data)) if a != b), "the end")
                wrong.append((name, "has %d bytes, was written with %d, differs at %s" % (len(there), len(data), at)))
        return ["%s/%s %s; the writer ended with %s" % (self.folder, *what, self.error) for what in wrong]


def must_run(*argv):
    done = run(*argv)
    if done.returncode:
        fail("%s ended with %d:\n%s" % (" ".join(argv), done.returncode, done.stdout))
    return done.stdout


def kernel_says(pattern):
    return re.search(pattern, run("dmesg").stdout) is not None


def play(kind, disk, seed):
    """One life of a file system: made, used, cut off, replayed, checked; how many files it kept."""
    make, check, replayed = FILE_SYSTEMS[kind]
    chance = random.Random(seed)
    node = disk.on()
    must_run(*make, node)
    must_run("mount", "-t", kind, node, MOUNT)
    writers = [Writer(number, seed * 10 + number) for number in range(3)]
    os.sync()
    for writer in writers:
        writer.start()
    for writer in writers:
        wait_for("a writer's first durable file", lambda: writer.acknowledged or writer.error, 120)
    time.sleep(chance.uniform(0.5, 2.5))
    disk.below.cut()
    for writer in writers:
        writer.join(60)
        if writer.is_alive():
            fail("a writer goes on without a disk")
    must_run("umount", MOUNT)
    disk.off()
    node = disk.on()
    must_run("dmesg", "-c")
    must_run("mount", "-t", kind, node, MOUNT)
    if not kernel_says(replayed % os.path.basename(node)):
        fail("no journal was replayed:\n" + run("dmesg").stdout)
    wrong = [name for writer in writers for name in writer.check()]
    if wrong:
        fail("%s, seed %d: synchronised, and lost or changed:\n%s" % (kind, seed, "\n".join(wrong)))
    must_run("umount", MOUNT)
    must_run(*check, node)
    disk.below.cut()
    disk.off()
    return sum(len(writer.acknowledged) for writer in writers)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="lives of each file system")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    say("seed", options.seed)
    os.makedirs(MOUNT, exist_ok=True)
    for kind in FILE_SYSTEMS:
        run("modprobe", kind)
    for turn in range(options.rounds):
        for kind in FILE_SYSTEMS:
            disk = Disk()
            kept = play(kind, disk, options.seed + turn)
            disk.below.discard()
            if not kept:
                fail("%s: the power went before anything was synchronised" % kind)
            say("%s round %d: replayed and whole, %d files kept" % (kind, turn + 1, kept))
    say("%d file systems replayed" % (options.rounds * len(FILE_SYSTEMS)))


if __name__ == "__main__":
    sys.exit(main())
