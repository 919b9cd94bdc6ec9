# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rows of history.py in which commands are held back, or cut short by their initiator's patience."""

import mmap
import os
import threading
import time

import lib
import rows
from lib import DEFAULT, LOCAL, TREE, must
from rows import check, fileio, luns, node, nullio, row, sg_of

HANDLERS = TREE + "/handlers"
READY, READ_10 = "00 00 00 00 00 00", "28 00 00 00 00 00 00 00 08 00"
WCE, MODE_CHANGED, TIMED_OUT = 4, (6, 0x2A, 1), 3


def target(name, *devices):
    """A target with one session, which sees `devices` from LUN 0 on."""
    must(LOCAL + "/mgmt", "add_target %s session_name=%s" % (name, name))
    for lun, device in enumerate(devices):
        must(luns(name), "add %s %d" % (device, lun))
        node(lun, target=name, session=name)


def reader_of(disk, seconds):
    """A thread that reads the disk once, whose commands are patient for so long; and what became of it."""
    must("/sys/block/%s/device/timeout" % os.path.basename(disk), str(seconds))
    ended = []

    def read():
        fd = os.open(disk, os.O_RDONLY | os.O_DIRECT)
        try:
            ended.append(os.preadv(fd, [mmap.mmap(-1, 4096)], 1 << 20))
        except OSError as e:
            ended.append(e)
        finally:
            os.close(fd)
    return threading.Thread(target=read), ended


def under_way(name, lun, code):
    """Waits until a command with this operation code is under way, from the session that is called as its target is."""
    place, command = b"%s %s LUN %d," % (name.encode(), name.encode(), lun), b"ms: %02x" % code
    lib.wait_for("a command %02x" % code, lambda: any(
        place in line and command in line for line in (lib.read(TREE + "/trace_cmds") or b"").splitlines()))


@row("aborted-twice")
def _():
    """A command that is sent again after an abort, and aborted again, costs nobody else a reset."""
    nullio("n1")
    target("t1", "n1")
    target("t2", "n1")
    # Whoever looks at new disks is done with these.
    time.sleep(1)
    reader, ended = reader_of(node(0, target="t1", session="t1"), 1)
    with sg_of(0, target="t2", session="t2") as other:
        other.good(READY)
        must(LOCAL + "/t1/black_hole", "3")
        reader.start()
        reader.join(60)
        must(LOCAL + "/t1/black_hole", "0")
        check(not reader.is_alive(), "the READ never ended")
        check(isinstance(ended[0], OSError), "a READ that was swallowed came back with", ended)
        answer = other.command(READY)
        check(answer.status == 0, "another initiator was told of a reset:", answer)


@row("held-back-for-long")
def _():
    """However long a command was held back, it is sent again where its initiator is told of a change instead of an answer."""
    nullio("n1")
    target("t1", "n1")
    time.sleep(1)
    # The midlayer gives a command up after six times its patience.
    reader, ended = reader_of(node(0, target="t1", session="t1"), 1)
    change = threading.Thread(target=must, args=(TREE + "/devices/n1/size_mb", "128"))
    must(TREE + "/devices/n1/block", "1")
    try:
        reader.start()
        time.sleep(8)
        # Whoever changes the size also waits until the initiators have read it again.
        change.start()
        time.sleep(1)
    finally:
        must(TREE + "/devices/n1/block", "0")
    change.join(60)
    reader.join(60)
    check(ended == [4096], "a READ that was held back came back with", ended)


@row("cache-off-cut-short")
def _():
    """A MODE SELECT that turns the write cache off, and is aborted before all is stable, leaves the cache as it was."""
    fileio("below")
    must(luns(), "add below 0")
    must(HANDLERS + "/vdisk_blockio/mgmt", "add_device above filename=" + node(0))
    target("t1", "above")
    target("t2", "above")
    time.sleep(1)
    with sg_of(0, target="t1", session="t1") as dev, sg_of(0, target="t2", session="t2") as other:
        other.good(READY)
        # From the first COMPARE AND WRITE on, who waits for writers can be told to stop.
        dev.good("89 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00", out=bytes(1024))
        page = bytearray(dev.good("1a 08 08 00 ff 00", 255).data[4:24])
        check(page[2] & WCE, "there is no write cache")
        page[0], page[2] = page[0] & 0x7F, page[2] & ~WCE
        must(TREE + "/devices/below/block", "1")
        writer = threading.Thread(target=lambda: other.good("2a 00 00 00 10 00 00 00 08 00", out=bytes(4096)))
        try:
            writer.start()
            under_way("t2", 0, 0x2A)
            answer = dev.command("15 10 00 00 18 00", out=bytes(4) + bytes(page), timeout_ms=2000)
            check(answer.host == TIMED_OUT, "answered with a write under way that is not stable:", answer)
            now = dev.good("1a 08 08 00 ff 00", 255).data[6]
            check(now & WCE, "the cache is off, and what is in it was never flushed")
        finally:
            must(TREE + "/devices/below/block", "0")
        writer.join(60)
        check(not writer.is_alive(), "the WRITE never ended")
        answer = other.command(READY)
        check(answer.sense == MODE_CHANGED, "the other initiator was not told:", answer)
        dev.good("15 10 00 00 18 00", out=bytes(4) + bytes(page))
        check(not dev.good("1a 08 08 00 ff 00", 255).data[6] & WCE, "the cache is still on")


@row("black-hole-of-another-group")
def _():
    """A session that moves to another group, which shows the same device, is swallowed as that group says."""
    nullio("n1")
    target("t1", "n1")
    group = LOCAL + "/t1/ini_groups/g"
    must(LOCAL + "/t1/ini_groups/mgmt", "create g")
    must(group + "/luns/mgmt", "add n1 0")
    must(group + "/black_hole", "1")
    with sg_of(0, target="t1", session="t1") as dev:
        dev.good(READY)
        must(group + "/initiators/mgmt", "add t1")
        answer = dev.command(READY, timeout_ms=1000)
        check(answer.host == TIMED_OUT, "the group that swallows commands has answered:", answer)
        must(group + "/initiators/mgmt", "clear")
        dev.good(READY, timeout_ms=1000)
