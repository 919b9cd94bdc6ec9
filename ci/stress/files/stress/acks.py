# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes to a disk of every kind of store, and notes what was made stable, until the power goes.

The other side is xtask's step `cuts`: it cuts the power and looks from outside whether what was noted is there. The
notes go to a disk of their own. Its sector 0 starts the work and carries the random seed; each store has AREA sectors
behind it. A sector of notes is: magic (64 bits), seed (32), number of notes (32), and notes of first sector (32), sectors
(16), kind (16), version (64). A sector of data is: magic, version, its own number or ALL, seed and store, and a
filling made of them. Everything is little-endian.
"""

import argparse
import mmap
import os
import random
import struct
import sys
import time

import lib
import rows
import sg
from lib import DEFAULT, TREE, must

MAGIC = 0x4445474155535341
ALL = (1 << 64) - 1
MASK = (1 << 64) - 1
SECTOR, AREA = 512, 2048
DATA, ZEROES = 0, 1
SIZE = 8 << 20
# Sectors below are written again and again, those above once, to be given back.
AGAIN, END = 12288, 16384


class Store:
    """A LUN, and what is said when its device is made."""

    def __init__(self, handler, where, params="", through=False, thin=False):
        self.handler, self.where, self.params, self.through, self.thin = handler, where, params, through, thin


# In the order of the journal's areas. `/cut` is the ext4 of the disk `cutfiles`; other names are disks.
STORES = (
    Store("vdisk_fileio", "/cut/buffered", "thin_provisioned=1", thin=True),
    Store("vdisk_fileio", "/cut/through", "write_through=1; thin_provisioned=1", through=True, thin=True),
    Store("vdisk_fileio", "/cut/direct", "async=1; o_direct=1"),
    Store("vdisk_fileio", "/cut/async", "async=1"),
    Store("vdisk_fileio", "cutpages"),
    Store("vdisk_blockio", "cutblock"),
    Store("vdisk_blockio", "cutfua", "write_through=1", through=True),
)


def disk(serial):
    """The node of the disk with a serial number."""
    for name in os.listdir("/sys/block"):
        if (lib.read("/sys/block/%s/serial" % name) or b"").strip() == serial.encode():
            return "/dev/" + name
    lib.fail("there is no disk", serial)


class Journal:
    """The notes of one store; a note is on its disk, past every cache, before the next command is sent."""

    def __init__(self, path, number):
        self.fd = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_SYNC)
        self.page = mmap.mmap(-1, 4096)
        self.at, self.end = 1 + number * AREA, 1 + (number + 1) * AREA - 1

    def started(self):
        """The seed, once the host has given one."""
        os.preadv(self.fd, [memoryview(self.page)[:SECTOR]], 0)
        magic, seed = struct.unpack_from("<QQ", self.page)
        return seed if magic == MAGIC else None

    def note(self, seed, notes):
        """Notes that what each of `notes` names is stable: (first sector, sectors, kind, version)."""
        data = struct.pack("<QII", MAGIC, seed, len(notes))
        data += b"".join(struct.pack("<IHHQ", *note) for note in notes)
        self.page[:SECTOR] = data.ljust(SECTOR, b"\0")
        os.pwritev(self.fd, [memoryview(self.page)[:SECTOR]], self.at * SECTOR)
        self.at += 1
        return self.at < self.end


class Worker:
    """Sends commands to one store, of every kind that promises something."""

    def __init__(self, number, dev, journal, seed):
        self.number, self.dev, self.journal, self.seed = number, dev, journal, seed
        self.store, self.rng = STORES[number], random.Random(seed * 16 + number)
        self.version, self.fresh = 0, AGAIN

    def sector(self, version, place):
        filling = MAGIC ^ version ^ (place << 20) & MASK
        owner = self.seed << 32 | self.number
        return struct.pack("<4Q", MAGIC, version, place, owner) + struct.pack("<Q", filling) * 60

    def data(self, lba, count):
        """New content for some sectors, and the note that says so."""
        self.version += 1
        return (b"".join(self.sector(self.version, lba + n) for n in range(count)), (lba, count, DATA, self.version))

    def some(self):
        """A place; small ones, for there shall be many."""
        count = self.rng.choice((1, 1, 3, 8, 8, 16, 64))
        lba = self.rng.randrange(AGAIN - count)
        return (lba if self.rng.random() < 0.5 else lba & ~7), count

    def cdb(self, opcode, lba, count, flags=0):
        """A CDB of 10 or 16 bytes, by its opcode."""
        if opcode < 0x60:
            return struct.pack(">BBIBHB", opcode, flags, lba, 0, count, 0)
        return struct.pack(">BBQIBB", opcode, flags, lba, count, 0, 0)

    def write(self, flags=0, place=None):
        """WRITE; the note of what it wrote."""
        lba, count = place or self.some()
        data, note = self.data(lba, count)
        self.dev.good(self.cdb(self.rng.choice((0x2A, 0x8A)), lba, count, flags), out=data)
        return note

    def synchronize(self, lba=0, count=0):
        self.dev.good(self.cdb(self.rng.choice((0x35, 0x91)), lba, count))

    # What follows returns the notes of what is stable when it returns.

    def flushed(self):
        """Writes, and a flush of everything."""
        notes = [self.write() for _ in range(self.rng.randrange(1, 12))]
        if self.rng.random() < 0.2:
            self.dev.good("1b 00 00 00 01 00")  # START STOP UNIT flushes too.
        else:
            self.synchronize()
        return self.latest(notes)

    def flushed_range(self):
        """Writes all over the place, and a flush of one of them alone."""
        notes = [self.write() for _ in range(self.rng.randrange(1, 6))]
        lba, count, _, version = self.rng.choice(notes)
        self.synchronize(lba, count)
        return [note for note in self.latest(notes) if note[:2] == (lba, count) and note[3] == version]

    def latest(self, notes):
        """Without those that a later one has overwritten a part of."""
        kept = []
        for note in reversed(notes):
            if all(note[0] + note[1] <= other[0] or other[0] + other[1] <= note[0] for other in kept):
                kept.append(note)
        return kept

    def forced(self):
        """FUA."""
        return [self.write(flags=8)]

    def verified(self):
        """WRITE AND VERIFY, which is stable by its nature."""
        lba, count = self.some()
        data, note = self.data(lba, count)
        self.dev.good(self.cdb(0x2E, lba, count, 2), out=data)
        return [note]

    def compared(self):
        """COMPARE AND WRITE with FUA."""
        lba, count = self.some()
        old = self.dev.good(self.cdb(0x28, lba, count), count * SECTOR).data
        data, note = self.data(lba, count)
        self.dev.good(struct.pack(">BBQ3xBBB", 0x89, 8, lba, count, 0, 0), out=old + data)
        return [note]

    def same(self):
        """WRITE SAME, flushed where writes are not stable by themselves."""
        lba, count = self.some()
        self.version += 1
        self.dev.good(self.cdb(self.rng.choice((0x41, 0x93)), lba, count), out=self.sector(self.version, ALL))
        if not self.store.through:
            self.synchronize(lba, count)
        return [(lba, count, DATA, self.version)]

    def given_back(self):
        """UNMAP of what was stable data; each place is used once."""
        if self.fresh >= END:
            return []
        lba, count = self.fresh, 8
        self.fresh += count
        self.write(8, (lba, count))
        self.dev.good(struct.pack(">BB5xHB", 0x42, 0, 24, 0), out=struct.pack(">HHIQII", 22, 16, 0, lba, count, 0))
        if not self.store.through:
            self.synchronize(lba, count)
        return [(lba, count, ZEROES, 0)]

    def cache_off(self):
        """MODE SELECT that takes the write cache away, and one that brings it back."""
        notes = [self.write() for _ in range(3)]
        self.select(0)
        notes.append(self.write())
        self.journal_now(self.latest(notes))
        self.select(4)
        return []

    def select(self, wce):
        page = bytearray(self.dev.good("1a 08 08 00 ff 00", 255).data[4:24])
        page[0] &= 0x7F
        page[2] = page[2] & ~4 | wce
        self.dev.good("15 10 00 00 18 00", out=bytes(4) + bytes(page))

    def after_reset(self):
        """A reset, and a write that is stable because the disk was made so."""
        self.dev.reset(sg.RESET_DEVICE)
        return self.plain()

    def plain(self):
        """A write to a disk that has no write cache."""
        return [self.write()]

    def journal_now(self, notes):
        return not notes or self.journal.note(self.seed, notes)

    def work(self):
        kinds = [self.flushed, self.flushed_range, self.forced, self.verified, self.compared, self.same]
        if self.store.thin:
            kinds.append(self.given_back)
        if self.store.through:
            kinds += [self.plain] * 6
        else:
            kinds.append(self.cache_off)
        while self.journal_now(self.rng.choice(kinds)()):
            if self.store.through and self.rng.random() < 0.03:
                self.journal_now(self.after_reset())


def prepare():
    """Makes the disks; their nodes."""
    lib.load()
    files = disk("cutfiles")
    os.mkdir("/cut")
    rows.shell("/usr/sbin/mke2fs -q -t ext4 -F %s && mount -t ext4 %s /cut" % (files, files))
    for number, store in enumerate(STORES):
        path = store.where if store.where.startswith("/") else disk(store.where)
        if path == store.where:
            with open(path, "wb") as f:
                f.truncate(SIZE)
        must("%s/handlers/%s/mgmt" % (TREE, store.handler), "add_device s%d filename=%s; %s" % (number, path, store.params))
        must(DEFAULT + "/luns/mgmt", "add s%d %d" % (number, number))
    nodes = [rows.sg_of(number) for number in range(len(STORES))]
    for dev in nodes:
        dev.good("00 00 00 00 00 00")
    os.sync()
    return nodes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, help="works for so long, and notes nothing on a disk")
    args = parser.parse_args()
    nodes = prepare()
    if args.seconds:
        return trial(nodes, args.seconds)
    journals = [Journal(disk("cutjournal"), number) for number in range(len(STORES))]
    print("ready", flush=True)
    while True:
        seed = journals[0].started()
        if seed is not None:
            break
        time.sleep(0.02)
    children = {}
    for number, (dev, journal) in enumerate(zip(nodes, journals)):
        children[lib.alone(Worker(number, dev, journal, seed).work)] = lib.Progress()
    lib.watch(children, 3600)
    # Nobody cut the power while there was room for notes; the host finds all of them.
    return 0


class Counter:
    """Takes notes, and no disk."""

    def __init__(self, until):
        self.until, self.count = until, 0

    def note(self, _seed, _notes):
        self.count += 1
        return time.monotonic() < self.until


def trial(nodes, seconds):
    """What each store acknowledges in some time, one after another."""
    for number, dev in enumerate(nodes):
        counter = Counter(time.monotonic() + seconds)
        Worker(number, dev, counter, 1).work()
        print("%s: %d in %.1f s" % (STORES[number].where, counter.count, seconds), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
