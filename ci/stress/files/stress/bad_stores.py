# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stores that fail, stall, fill up, shrink or vanish: the right sense to their own LUN, and nothing to the others.

The bad store of each row is a disk of ours below another one, in a session of its own, or a file in a small file system.
Meanwhile a neighbour of the LUN, in the same session, writes and reads back, and is timed.
"""

import os
import struct
import sys
import threading
import time

import lib
import rows
from lib import LOCAL, TREE, must
from rows import check, luns, node, row, sg_of

BLOCKS, SIZE = 8, 4096
NOT_READY, READ_ERROR, WRITE_ERROR = (2, 0x04, 0x03), (3, 0x11, 0), (3, 0x03, 0)
FULL, BEYOND = (7, 0x27, 7), (5, 0x21, 0)
FORCED = 8
SYNC, SYNC_IMMED = "35 00 00 00 00 00 00 00 00 00", "35 02 00 00 00 00 00 00 00 00"
# Seconds that a store stalls at least, and which a command of a neighbour may take on a busy machine.
STALL, PATIENCE = 10, 25
# What a neighbour must have done while a store stalls: what was under way when that began, and one more from begin to end.
MEANWHILE = 2
# Writes of each kind that have to be told of their failure while others flush; and how many, within how many seconds, there may be
# until one flush was told of a failure and another was not.
ROUNDS, MOST_ROUNDS, LONGEST = 50, 1000, 60
# The ways to a store, with what the device is made with.
KINDS = (("vdisk_blockio", ""), ("vdisk_fileio", ""), ("vdisk_fileio", "async=1"), ("vdisk_fileio", "async=1; o_direct=1"))


def read(lba, count=BLOCKS, flags=0):
    return struct.pack(">BBIBHB", 0x28, flags, lba, 0, count, 0)


def write(lba, count=BLOCKS, flags=0):
    return struct.pack(">BBIBHB", 0x2A, flags, lba, 0, count, 0)


def verify(lba):
    return struct.pack(">BBIBHB", 0x2F, 0, lba, 0, BLOCKS, 0)


def same(lba, count):
    return struct.pack(">BBIBHB", 0x41, 0, lba, 0, count, 0)


def compare_and_write(lba):
    return struct.pack(">BBQ3xBBB", 0x89, 0, lba, BLOCKS, 0, 0)


class Neighbour:
    """A LUN beside the bad one: whatever happens there, here data is right and nothing waits."""

    def __init__(self, lun=1):
        self.worst, self.count = 0.0, 0
        rows.fileio("neighbour")
        must(luns(), "add neighbour %d" % lun)
        self.dev = sg_of(lun)
        self.dev.good("00 00 00 00 00 00")
        self.loop = rows.Background(self.turn)

    def turn(self):
        data = struct.pack("<Q", self.count) * 512
        start = time.monotonic()
        lba = self.count % 1000 * BLOCKS
        self.dev.good(write(lba, flags=FORCED if self.count % 4 == 0 else 0), out=data)
        check(self.dev.good(read(lba), SIZE).data == data, "the neighbour reads something else")
        self.worst = max(self.worst, time.monotonic() - start)
        self.count += 1

    def __enter__(self):
        self.loop.__enter__()
        return self

    def __exit__(self, kind, *rest):
        self.loop.__exit__(kind, *rest)
        os.close(self.dev.fd)
        if kind is None:
            check(self.count > 1, "the neighbour did nothing")
            check(self.worst < PATIENCE, "the neighbour waited", self.worst)
            lib.say("   the neighbour: %d writes and reads, the slowest took %.0f ms" % (self.count, self.worst * 1000))


class Below:
    """A disk of ours for another one to stand on, in a session of its own."""

    def __init__(self, params=""):
        rows.fileio("below", params=params)
        must(LOCAL + "/mgmt", "add_target below session_name=below")
        must(luns("below"), "add below 0")
        self.node = node(0, target="below", session="below")

    def attribute(self, name, value):
        must("%s/devices/below/%s" % (TREE, name), value)


class Above:
    """The disk on the bad store, as LUN 0."""

    def __init__(self, handler, path, params=""):
        must("%s/handlers/%s/mgmt" % (TREE, handler), "add_device above filename=%s; %s" % (path, params))
        must(luns(), "add above 0")
        node(0)
        self.dev = sg_of(0)
        self.dev.good("00 00 00 00 00 00")

    def expect(self, sense, cdb, length=0, **more):
        answer = self.dev.command(cdb, length, **more)
        check(answer.sense == sense, cdb, answer, "instead of", sense)

    def remove(self):
        os.close(self.dev.fd)
        must(luns(), "del 0")
        rows.remove_device("above")


def data(byte, blocks=BLOCKS):
    return bytes([byte]) * (512 * blocks)


@row("fails-and-comes-back")
def _():
    """A store that fails: medium errors for what reaches it, once per failure for what it had cached; then it serves again."""
    below = Below()
    with Neighbour():
        for handler, params in KINDS:
            above = Above(handler, below.node, params)
            cached = handler == "vdisk_fileio" and "o_direct" not in params
            above.dev.good(write(0), out=data(1))
            above.dev.good(SYNC)
            below.attribute("active", "0")
            above.expect(READ_ERROR, read(4096), SIZE)
            above.expect(WRITE_ERROR, write(8, flags=FORCED), out=data(2))
            if cached:
                # What is written goes to the page cache; whoever wants it to be stable is told.
                above.dev.good(write(16), out=data(3))
                above.expect(WRITE_ERROR, SYNC)
                # An answer that came too early for the failure leaves it to the next.
                above.dev.good(write(24), out=data(4))
                above.dev.good(SYNC_IMMED)
                time.sleep(0.5)
                above.expect(WRITE_ERROR, SYNC)
                # So does a sync that the administrator asked for.
                above.dev.good(write(32), out=data(5))
                code = lib.write(TREE + "/devices/above/sync", "1")
                check(lib.name_of(code) == "EIO", "sync:", lib.name_of(code))
                above.expect(WRITE_ERROR, SYNC)
            else:
                above.expect(WRITE_ERROR, write(16), out=data(3))
            if handler == "vdisk_blockio":
                above.expect(WRITE_ERROR, SYNC)
                above.dev.good(SYNC_IMMED)
                time.sleep(0.5)
                below.attribute("active", "1")
                above.expect(WRITE_ERROR, SYNC)
                above.dev.good(SYNC)
                below.attribute("active", "0")
            # Nothing is verified that may not be on the medium.
            above.expect(WRITE_ERROR, verify(4096))
            above.dev.good("12 00 00 00 24 00", 36)
            below.attribute("active", "1")
            above.dev.good(write(64, flags=FORCED), out=data(6))
            check(above.dev.good(read(64), SIZE).data == data(6), "not what was written")
            check(above.dev.good(read(0), SIZE).data == data(1), "not what was stable before")
            above.remove()


@row("aborted-flush")
def _():
    """A flush that fails after its initiator has given it up is told by the next one, whatever command it was part of."""
    below = Below()
    for handler, params in KINDS[:2]:
        above = Above(handler, below.node, params)
        other = sg_of(0)
        for cdb, sent in ((SYNC, None), (write(64, flags=FORCED), data(3)), (verify(0), None)):
            above.dev.good(write(0), out=data(1))
            below.attribute("block", "1")
            ended = []
            flush = threading.Thread(target=lambda: ended.append(other.command(cdb, out=sent, timeout_ms=2000)))
            try:
                flush.start()
                time.sleep(4)
                # Its commands are held back, so nothing of the store is in use.
                below.attribute("active", "0")
            finally:
                below.attribute("block", "0")
            flush.join(60)
            check(ended and ended[0].host == 3, handler, cdb, "was not given up:", ended)
            below.attribute("active", "1")
            above.expect(WRITE_ERROR, SYNC)
            above.dev.good(write(0), out=data(1))
            above.dev.good(SYNC)
        os.close(other.fd)
        above.remove()


@row("nobody-else-is-told")
def _():
    """What was to be stable and is not is told to who wrote it, though others flush the same store and are told of it too."""
    # Without a cache of its own: where an empty flush fails too, everybody is told.
    below = Below("write_through=1")
    for params in ("write_through=1", "write_through=1; async=1"):
        above = Above("vdisk_fileio", below.node, params)
        # What COMPARE AND WRITE compares is in the cache, until it could not be written back.
        above.dev.good(same(8192, MOST_ROUNDS * BLOCKS), out=data(1, 1))
        told, turn, until = [], 0, time.monotonic() + LONGEST

        def flush(dev):
            told.append(dev.command(SYNC).status)
        others = [sg_of(0) for _ in range(2)]
        below.attribute("active", "0")
        started = [rows.Background(lambda dev=dev: flush(dev)) for dev in others]
        try:
            for one in started:
                one.__enter__()
            while turn < ROUNDS or (not {0, 2} <= set(told) and turn < MOST_ROUNDS and time.monotonic() < until):
                lba, turn = turn * BLOCKS, turn + 1
                for name, cdb, out in (("WRITE", write(lba), data(1)), ("WRITE SAME", same(lba, BLOCKS), data(1, 1)),
                                       ("COMPARE AND WRITE", compare_and_write(8192 + lba), data(1) + data(2))):
                    answer = above.dev.command(cdb, out=out)
                    check(answer.sense == WRITE_ERROR, params, name, turn, answer, "instead of", WRITE_ERROR)
        finally:
            for one in started:
                one.__exit__(None)
            below.attribute("active", "1")
            for dev in others:
                os.close(dev.fd)
        check({0, 2} <= set(told), "the others' flushes came to", set(told), "in", turn, "rounds")
        above.remove()


@row("stalls-and-goes-on")
def _():
    """A store that stalls holds up its own commands beyond their time limit, and nobody else; then it goes on."""
    below = Below()
    with Neighbour() as neighbour:
        for handler, params in KINDS[:2]:
            above = Above(handler, below.node, params)
            answers = []

            def stalled(cdb, *args, **more):
                start = time.monotonic()
                answer = above.dev.command(cdb, *args, timeout_ms=2000, **more)
                answers.append((time.monotonic() - start, answer))
            below.attribute("block", "1")
            threads = [threading.Thread(target=stalled, args=(read(1024 * n + 512), SIZE)) for n in range(3)]
            threads.append(threading.Thread(target=stalled, args=(write(8, flags=FORCED),), kwargs={"out": data(7)}))
            for thread in threads:
                thread.start()
            begun = neighbour.count
            time.sleep(STALL)
            lib.wait_for("the neighbour's going on", lambda: neighbour.count >= begun + MEANWHILE)
            check(not answers, "a stalled command was answered:", answers)
            below.attribute("block", "0")
            for thread in threads:
                thread.join(60)
            check(len(answers) == len(threads), "only", len(answers), "came back")
            for seconds, answer in answers:
                check(seconds >= STALL - 1 and answer.host in (0, 3), seconds, answer)
            above.dev.good(write(8, flags=FORCED), out=data(8))
            check(above.dev.good(read(8), SIZE).data == data(8), "not what was written")
            above.remove()


@row("fills-up")
def _():
    """A store without room: space allocation failed for what needs some, and everything else is served."""
    below = Below()
    for folder in ("/tmp/small", "/tmp/small4"):
        os.makedirs(folder, exist_ok=True)
    rows.shell("mount -t tmpfs -o size=2m tmpfs /tmp/small; /usr/sbin/mke2fs -q -t ext4 -F %s && mount -t ext4 %s /tmp/small4"
               % (below.node, below.node))
    try:
        with Neighbour():
            for folder, params in (("small", ""), ("small", "async=1"), ("small4", ""), ("small4", "async=1; o_direct=1")):
                fill_up("/tmp/" + folder, params)
    finally:
        rows.shell("umount /tmp/small; umount /tmp/small4")


def fill_up(folder, params):
    path = folder + "/disk"
    with open(path, "wb") as f:
        f.truncate(64 << 20)
    above = Above("vdisk_fileio", path, params)
    above.dev.good(write(0), out=data(1))
    above.dev.good(SYNC)
    with open(folder + "/filler", "wb", buffering=0) as f:
        try:
            while f.write(bytes(65536)) == 65536:
                pass
        except OSError:
            pass
        os.fsync(f.fileno())
    above.expect(FULL, write(65536, 128), out=data(2, 128))
    above.expect(FULL, write(65536, 128, FORCED), out=data(2, 128))
    above.expect(FULL, same(65536, 16384), out=data(3, 1))
    above.dev.good(write(0, flags=FORCED), out=data(4))
    check(above.dev.good(read(0), SIZE).data == data(4), "not what was written")
    check(above.dev.good(read(120000), SIZE).data == data(0), "a hole has data")
    os.unlink(folder + "/filler")
    os.sync()
    above.dev.good(write(65536, 128, FORCED), out=data(5, 128))
    check(above.dev.good(read(65536, 128), 65536).data == data(5, 128), "not what was written")
    above.remove()
    os.unlink(path)


@row("shrinks")
def _():
    """A store that became shorter: errors beyond its end, and no write makes it longer again."""
    with Neighbour():
        for params in ("", "async=1"):
            path = rows.backing("above", 16)
            above = Above("vdisk_fileio", path, params)
            above.dev.good(write(0, flags=FORCED), out=data(1))
            os.truncate(path, 8 << 20)
            half = 8 << 11
            above.expect(READ_ERROR, read(half), SIZE)
            above.expect(READ_ERROR, read(half - 4), SIZE)
            above.expect(READ_ERROR, verify(half))
            for flags in (0, FORCED):
                above.expect(WRITE_ERROR, write(half + 64, flags=flags), out=data(2))
            above.expect(WRITE_ERROR, same(half, 8), out=data(2, 1))
            check(os.path.getsize(path) == 8 << 20, "the file grew")
            above.dev.good(write(half - BLOCKS), out=data(3))
            above.dev.good(SYNC)
            check(above.dev.good(read(0), SIZE).data == data(1), "not what was written")
            must(TREE + "/devices/above/resync_size", "1")
            lib.wait_for("8 MiB", lambda: rows.size_of(node(0)) == 8 << 20, 10)
            above.dev.good("00 00 00 00 00 00")
            above.expect(BEYOND, read(half), SIZE)
            above.remove()
        below = Below()
        above = Above("vdisk_blockio", below.node)
        os.truncate("/tmp/below", 8 << 20)
        below.attribute("resync_size", "1")
        lib.wait_for("8 MiB below", lambda: rows.size_of(below.node) == 8 << 20, 10)
        above.expect(READ_ERROR, read(half), SIZE)
        above.expect(WRITE_ERROR, write(half), out=data(2))
        above.dev.good(write(0, flags=FORCED), out=data(1))
        above.remove()


@row("vanishes")
def _():
    """A store that is taken away for good: errors, the device can be removed, and nothing hangs."""
    for handler, params in KINDS:
        below = Below()
        with Neighbour():
            above = Above(handler, below.node, params)
            above.dev.good(write(0), out=data(1))
            must(luns("below"), "del 0")
            for cdb, length, out in ((read(4096), SIZE, None), (write(8, flags=FORCED), 0, data(2))):
                answer = above.dev.command(cdb, length, out=out)
                check(answer.sense in (READ_ERROR, WRITE_ERROR, NOT_READY), handler, params, cdb, answer)
            start = time.monotonic()
            above.remove()
            check(time.monotonic() - start < 20, "removing it took", time.monotonic() - start)
        rows.clean()


if __name__ == "__main__":
    sys.exit(rows.main(sys.argv[1:]))
