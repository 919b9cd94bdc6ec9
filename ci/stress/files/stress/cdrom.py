# SPDX-License-Identifier: MIT OR Apache-2.0
"""A CD-ROM that is exported by scst_local and held open while the module is removed, in every variant.

Each round loads scst_local, shows a CD-ROM, has it opened in some way, and removes the module from another thread at a
moment that chance picks: before the close, during it, after it. A removal may be refused while somebody has the drive
open; nothing may hang, and nothing may be left.
"""

import argparse
import errno
import fcntl
import os
import random
import sys
import threading
import time

import lib
from lib import DEFAULT, LOCAL, TREE, fail, must, say

DISCS = ["/tmp/cd1.iso", "/tmp/cd2.iso"]
BLOCK = 2048
CDROMEJECT = 0x5309


def drives(kind="sr"):
    """Device nodes of `kind` that scst_local made, by (host, LUN)."""
    found = {}
    base = "/sys/bus/scsi/devices"
    for entry in os.listdir(base):
        parts = entry.split(":")
        if len(parts) == 4 and parts[0].isdigit():
            folder = "%s/%s/%s" % (base, entry, {"sr": "block", "sd": "block", "sg": "scsi_generic"}[kind])
            try:
                names = [n for n in os.listdir(folder) if n.startswith(kind)]
            except OSError:
                continue
            for name in names:
                found[int(parts[0]), int(parts[3])] = "/dev/" + name
    return found


def host(target="scst_local_tgt", session="scst_local_host"):
    return int(lib.read("%s/%s/sessions/%s/host_no" % (LOCAL, target, session)))


def drive(lun=0, kind="sr", **where):
    number = host(**where)
    path = lib.wait_for("a %s for LUN %d" % (kind, lun), lambda: drives(kind).get((number, lun)))
    lib.wait_for(path, lambda: os.path.exists(path))
    return path


def try_open(path, flags):
    try:
        return os.open(path, flags)
    except OSError as e:
        if e.errno not in (errno.ENXIO, errno.ENOENT):
            raise
        return None


class Held:
    """Opens of drives, closed at some time by a thread."""

    def __init__(self, rng):
        self.rng = rng
        self.fds = []
        self.threads = []
        self.stop = False

    def open(self, path, flags=os.O_RDONLY | os.O_NONBLOCK):
        # The node is there a moment before the disk behind it is.
        fd = lib.wait_for("opening " + path, lambda: try_open(path, flags))
        self.fds.append(fd)
        return fd

    def reading(self, fd):
        """Reads the disc over and over until the file is closed or the drive has gone."""
        def work():
            at = 0
            while True:
                try:
                    if not os.pread(fd, 16 * BLOCK, at):
                        at = -16 * BLOCK
                    # Another round's cache would leave nothing to do below.
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                except OSError:
                    return
                at += 16 * BLOCK
                if self.stop:
                    return
        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()

    def close_soon(self):
        """Closes everything from a thread, after a moment that chance picks."""
        delay = self.rng.choice([0, 0, 0.001, 0.005, 0.02])

        def work():
            time.sleep(delay)
            self.stop = True
            for thread in readers:
                thread.join()
            for fd in self.fds:
                os.close(fd)
        readers = list(self.threads)
        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()

    def done(self):
        for thread in self.threads:
            thread.join()


def one_open(held):
    held.open(drive())


def many_opens(held):
    path = drive()
    for _ in range(4):
        held.open(path)
    held.open(drive(kind="sg"), os.O_RDWR)


def reading(held):
    fd = held.open(drive())
    held.reading(fd)


def several_reading(held):
    for _ in range(3):
        held.reading(held.open(drive()))


def other_target(held):
    must(LOCAL + "/mgmt", "add_target t2 session_name=s2")
    must(LOCAL + "/t2/luns/mgmt", "add cd1 0")
    held.open(drive())
    held.reading(held.open(drive(target="t2", session="s2")))


def backing(handler):
    """The drive is the backing store of a disk that the same target shows."""
    def work(held):
        path = drive()
        must(TREE + "/handlers/%s/mgmt" % handler,
             "add_device onto filename=%s; read_only=1; blocksize=%d" % (path, BLOCK))
        must(DEFAULT + "/luns/mgmt", "add onto 1")
        fd = held.open(drive(lun=1, kind="sd"))
        held.reading(fd)
        if held.rng.random() < 0.5:
            held.open(path)
        # As long as the disk is there its store has the drive open, so that the module stays.
        code = lib.delete("scst_local")
        if code not in (errno.EAGAIN, errno.EBUSY):
            fail("the module went, or not, with %s, under a disk that lives on its drive" % lib.name_of(code))
        must(TREE + "/handlers/%s/mgmt" % handler, "del_device onto")
    return work


def session_goes(held):
    held.reading(held.open(drive()))
    must(LOCAL + "/mgmt", "del_session scst_local_tgt scst_local_host")


def target_goes(held):
    held.open(drive())
    must(LOCAL + "/mgmt", "del_target scst_local_tgt")


def lun_goes(held):
    held.reading(held.open(drive()))
    must(DEFAULT + "/luns/mgmt", "del 0")


def user_deletes(held):
    held.reading(held.open(drive()))
    lib.write("/sys/class/scsi_device/%d:0:0:0/device/delete" % host(), "1")


def disc_changes(held):
    fd = held.open(drive())
    held.reading(fd)
    lib.write(TREE + "/devices/cd1/filename", held.rng.choice(DISCS))


def disc_leaves(held):
    fd = held.open(drive())
    try:
        fcntl.ioctl(fd, CDROMEJECT)
    except OSError:
        pass


def forced(held):
    held.reading(held.open(drive()))
    path = DEFAULT + "/sessions/scst_local_host/force_close"
    if os.path.exists(path):
        must(path, "1")


VARIANTS = [one_open, many_opens, reading, several_reading, other_target, backing("vdisk_fileio"), backing("vdisk_blockio"),
            session_goes, target_goes, lun_goes, user_deletes, disc_changes, disc_leaves, forced]


def remove():
    """Removes the module as soon as it can be; the refusals on the way."""
    refused = 0
    while True:
        code = lib.delete("scst_local")
        if code == 0:
            return refused
        if code not in (errno.EAGAIN, errno.EBUSY):
            fail("rmmod scst_local: " + lib.name_of(code))
        refused += 1
        time.sleep(0.002)


def round_of(rng, module, variant):
    code = lib.insert(module)
    if code:
        fail("loading scst_local: " + lib.name_of(code))
    must(DEFAULT + "/luns/mgmt", "add cd1 0")
    held = Held(rng)
    variant(held)
    early = rng.random() < 0.3
    if early:
        held.close_soon()
        held.done()
    refused = remove() if early else race(held)
    if lib.loaded("scst_local") or drives() or drives("sg"):
        fail("something of scst_local is left: %s %s" % (drives(), drives("sg")))
    if variant in (disc_changes, disc_leaves):
        must(TREE + "/devices/cd1/filename", DISCS[0])
    return refused


def race(held):
    held.close_soon()
    refused = remove()
    held.done()
    return refused


def rounds(args, progress):
    rng = random.Random(args.seed)
    module = lib.find_module("scst_local")
    refused = 0
    for number in range(args.rounds):
        variant = VARIANTS[number % len(VARIANTS)]
        progress.note(number, "round %d: %s" % (number, getattr(variant, "__qualname__", variant)))
        refused += round_of(rng, module, variant)
    say("the module was refused %d times while a drive was open" % refused)
    if args.rounds >= 4 * len(VARIANTS) and not refused:
        fail("no removal ever met an open drive")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--patience", type=int, default=180, help="seconds after which a round counts as hung")
    args = parser.parse_args()
    say("seed %d, %d rounds" % (args.seed, args.rounds))
    for name in ("sr_mod", "sg", "sd_mod"):
        lib.run("modprobe", name)
    for number, path in enumerate(DISCS):
        with open(path, "wb") as f:
            f.write(bytes([number]) * (BLOCK * 512 * (number + 1)))
    memory = lib.Memory()
    lib.forget_leaks()
    lib.load("scst", "scst_vdisk")
    must(TREE + "/handlers/vcdrom/mgmt", "add_device cd1")
    must(TREE + "/devices/cd1/filename", DISCS[0])
    progress = lib.Progress()
    start = time.monotonic()
    pid = lib.alone(lambda: rounds(args, progress))
    lib.watch({pid: progress}, args.patience, told=lambda s: say("round %d after %d s" % (progress.done(), s)))
    took = time.monotonic() - start
    lib.unload()
    memory.check()
    say("%d rounds, %.3f s each, seed %d" % (args.rounds, took / args.rounds, args.seed))


if __name__ == "__main__":
    sys.exit(main())
