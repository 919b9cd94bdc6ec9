# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rows of history.py about COMPARE AND WRITE: what it compares, and that nobody writes meanwhile."""

import ctypes
import mmap
import os
import random
import threading

import lib
import rows
import sg
from lib import TREE, must
from rows import check, fileio, luns, node, row, sg_of, shell

MOST = 255


def compare_and_write(lba, blocks):
    return "89 00 %016x 00 00 00 %02x 00 00" % (lba, blocks)


def write_16(lba, blocks):
    return "8a 00 %016x %08x 00 00" % (lba, blocks)


def read_16(lba, blocks):
    return "88 00 %016x %08x 00 00" % (lba, blocks)


@row("1cd44e93a-compare-and-write-in-pieces")
def _():
    """COMPARE AND WRITE of as much as there can be, out of many pieces of memory, compares and writes all of it."""
    fileio("f1", 16, "blocksize=4096")
    must(luns(), "add f1 0")
    size = MOST * 4096
    old, new = os.urandom(size), os.urandom(size)
    with sg.Device(node(0)) as dev:
        dev.good(write_16(7, MOST), out=old, scattered=True)
        for at in (0, 4095, 4096, size // 2 + 1, size - 1):
            other = bytearray(old)
            other[at] ^= 1
            answer = dev.command(compare_and_write(7, MOST), out=bytes(other) + new, scattered=True)
            check(answer.sense == (0xE, 0x1D, 0), "a difference at", at, answer)
            check(answer.raw[0] & 0x80 and int.from_bytes(answer.raw[3:7], "big") == at, "the difference is at", at, answer.raw)
        check(dev.good(read_16(7, MOST), size).data == old, "a comparison that failed has written")
        answer = dev.good(compare_and_write(7, MOST), out=old + new, scattered=True)
        check(answer.resid == 0, answer)
        check(dev.good(read_16(7, MOST), size, scattered=True).data == new, "what was written is not what was sent")


def race(dev, other, rounds):
    """Compares and writes while somebody else writes to the same blocks. Returns how often the comparison came first."""
    old, new, plain = (bytes([byte]) * (MOST * 512) for byte in b"onp")
    first = 0
    for _ in range(rounds):
        dev.good(write_16(0, MOST), out=old)
        wait = random.random() * 0.002
        writer = threading.Timer(wait, lambda: other.good(write_16(0, MOST), out=plain))
        writer.start()
        answer = dev.command(compare_and_write(0, MOST), out=old + new)
        writer.join()
        check(answer.status == 0 or answer.sense == (0xE, 0x1D, 0), answer)
        first += answer.status == 0
        # Before or after: either way what was written plainly is there.
        left = dev.good(read_16(0, MOST), MOST * 512).data
        check(left == plain, "left:", left.count(b"o"), "old,", left.count(b"n"), "new,", left.count(b"p"), "plain bytes;", answer)
    return first


@row("compare-and-write-is-alone")
def _():
    """No write comes between the halves of a COMPARE AND WRITE, and none is held up for ever."""
    fileio("f1", 16)
    fileio("f2", 16, "async=1")
    must(TREE + "/handlers/vdisk_blockio/mgmt", "add_device b1 filename=/dev/vdb")
    for lun, name in enumerate(("f1", "f2", "b1")):
        must(luns(), "add %s %d" % (name, lun))
        with sg_of(lun) as dev, sg_of(lun) as other:
            first = race(dev, other, 30)
            lib.say("  %s: the comparison came first in %d of 30 rounds" % (name, first))
    # Who writes elsewhere, or all over the disk, goes on.
    with sg_of(0) as dev, sg_of(0) as other:
        stop = threading.Event()

        def compare():
            block = bytes(512)
            other.good(write_16(0, 1), out=block)
            while not stop.is_set():
                other.good(compare_and_write(0, 1), out=block + block)

        comparer = threading.Thread(target=compare)
        comparer.start()
        try:
            for number in range(100):
                dev.good(write_16(1 + number % 7 * 4096, 64), out=os.urandom(64 * 512))
            dev.good("93 00 %016x %08x 00 00" % (1, 32767), out=bytes(512))
        finally:
            stop.set()
            comparer.join()


@row("write-same-of-large-blocks")
def _():
    """WRITE SAME repeats the whole block where that is larger than the pieces that it is written in."""
    fileio("f1", 16, "blocksize=65536")
    must(luns(), "add f1 0")
    block = os.urandom(65536)
    with sg_of(0) as dev:
        dev.good("41 00 00 00 00 02 00 00 03 00", out=block)
        for lba in range(2, 5):
            check(dev.good(read_16(lba, 1), 65536).data == block, "block", lba, "is not what was to be repeated")
        check(dev.good(read_16(5, 1), 65536).data == bytes(65536), "the block behind was written")


def cached(path):
    """Pages of a file that the page cache holds."""
    fd = os.open(path, os.O_RDWR)
    try:
        with mmap.mmap(fd, 0) as area:
            start = ctypes.c_char.from_buffer(area)
            pages = (ctypes.c_ubyte * (len(area) // mmap.PAGESIZE))()
            result = ctypes.CDLL(None).mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(len(area)), pages)
            del start
    finally:
        os.close(fd)
    check(result == 0, "mincore of", path, "failed")
    return sum(page & 1 for page in pages)


@row("nothing-is-cached-past-the-page-cache")
def _():
    """What is to bypass the page cache does so with every command: what the cache put together would undo what passed it by."""
    shell("/usr/sbin/mke2fs -q -t ext4 -F /dev/vdb && mkdir -p /tmp/past && mount -t ext4 /dev/vdb /tmp/past && "
          "dd if=/dev/zero of=/tmp/past/disk bs=1M count=4 2>/dev/null && sync && echo 3 >/proc/sys/vm/drop_caches")
    try:
        must(TREE + "/handlers/vdisk_fileio/mgmt", "add_device p1 filename=/tmp/past/disk; o_direct=1; async=1; thin_provisioned=1")
        must(luns(), "add p1 0")
        old, new, block = os.urandom(4096), os.urandom(4096), os.urandom(512)
        with sg.Device(node(0)) as dev:
            for asynchronous in "10":
                must(TREE + "/devices/p1/async", asynchronous)
                for name, cdb, out, left in (
                        ("WRITE", write_16(9, 8), old, old), ("COMPARE AND WRITE", compare_and_write(9, 8), old + new, new),
                        ("VERIFY", "8f 02 %016x %08x 00 00" % (9, 8), new, new),
                        ("WRITE AND VERIFY", "8e 02 %016x %08x 00 00" % (9, 8), old, old),
                        ("WRITE SAME", "93 00 %016x %08x 00 00" % (9, 8), block, block * 8),
                        ("WRITE SAME of zeroes", "93 08 %016x %08x 00 00" % (8, 16), bytes(512), bytes(4096))):
                    for odd in (0, 16):
                        dev.good(write_16(9, 8), out=old if "COMPARE" in name else new if name == "VERIFY" else bytes(4096))
                        dev.good(cdb, out=out, odd=odd)
                        got = dev.good(read_16(9, 8), 4096, odd=odd).data
                        check(got == left, name, "from", odd, "left something else")
                        check(cached("/tmp/past/disk") == 0, name, "from", odd, "has left pages in the cache")
    finally:
        rows.clean()
        shell("umount /tmp/past")


@row("writes-that-share-a-page")
def _():
    """Writes to neighbouring blocks keep off each other's data, past the page cache too."""
    must(TREE + "/handlers/vdisk_fileio/mgmt", "add_device p1 filename=/dev/vdb; o_direct=1; async=1")
    must(luns(), "add p1 0")
    with sg_of(0) as dev, sg_of(0) as other:
        for turn in range(200):
            same, plain = bytes([turn % 250 + 1]) * 512, os.urandom(512)
            writer = threading.Timer(random.random() * 0.001, lambda: other.good(write_16(9, 1), out=plain))
            writer.start()
            dev.good("93 00 %016x %08x 00 00" % (8, 1), out=same)
            writer.join()
            dev.good("35 00 00 00 00 00 00 00 00 00")
            check(dev.good(read_16(8, 2), 1024).data == same + plain, "one of two writes was undone in turn", turn)
