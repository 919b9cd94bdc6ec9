# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rows of history.py about what initiators are told, or not told, when something happens to a unit that they use."""

import os
import struct
import threading
import time

import lib
import rows
from lib import LOCAL, TREE, must
from rows import backing, check, fileio, luns, node, nullio, remove_device, row, sg_of
from history_held import READY, TIMED_OUT, reader_of, under_way

HANDLERS = TREE + "/handlers"
SYNC = "35 00 00 00 00 00 00 00 00 00"
STANDBY, GONE, CLEARED, RESET = (2, 4, 0x0B), (5, 0x25, 0), (6, 0x2F, 0), (6, 0x29, 0)
UNREADABLE, WRITE_ERROR = (3, 0x11, 0), (3, 3, 0)
# Of the reset of one unit, which goes no further where that fails.
UNIT_ALONE = 0x101


def read(lba, blocks=8):
    return struct.pack(">BBIBHB", 0x28, 0, lba, 0, blocks, 0)


def write(lba, blocks=8):
    return struct.pack(">BBIBHB", 0x2A, 0, lba, 0, blocks, 0)


def stalled(name, *targets):
    """A disk `name` on another one of ours, whose name is returned, shown at LUN 1 of `targets`."""
    below = "below-" + name
    fileio(below)
    must(LOCAL + "/mgmt", "add_target %s session_name=%s" % (below, below))
    must(luns(below), "add %s 0" % below)
    must(HANDLERS + "/vdisk_blockio/mgmt", "add_device %s filename=%s" % (name, node(0, target=below, session=below)))
    for one in targets:
        must(luns(one), "add %s 1" % name)
        node(1, target=one, session=one)
    return below


def field_pointer(answer):
    """The byte of the CDB that fixed-format sense data point at; `None` where they point nowhere."""
    raw = answer.raw
    return struct.unpack_from(">H", raw, 16)[0] if len(raw) >= 18 and raw[15] & 0xC0 == 0xC0 else None


@row("identity-of-a-mounted-disc")
def _():
    """Who changes what a drive says of itself takes nothing from those who have its disc mounted."""
    image = backing("disc", 8)
    rows.shell("echo kept >/tmp/kept && /usr/sbin/mke2fs -q -t ext4 -b 4096 -F %s" % image)
    must(HANDLERS + "/vcdrom/mgmt", "add_device c1")
    must(TREE + "/devices/c1/filename", image)
    must(luns(), "add c1 0")
    drive = node(0, "sr")
    lib.wait_for("the disc", lambda: int(lib.read("/sys/block/%s/size" % os.path.basename(drive)) or 0) > 8192)
    lib.settle()
    rows.shell("mkdir -p /tmp/mnt && mount -t ext4 -o ro,noload %s /tmp/mnt" % drive)
    try:
        must(TREE + "/devices/c1/prod_id", "another")
        must(TREE + "/devices/c1/usn", "another")
        rows.shell("echo 3 >/proc/sys/vm/drop_caches; ls /tmp/mnt/lost+found && dd if=%s of=/dev/null bs=4096 count=64" % drive)
        with sg_of(0) as dev:
            check(b"another" in dev.good("12 00 00 00 60 00", 96).data, "the drive has its old name")
    finally:
        rows.shell("umount /tmp/mnt")


@row("unreadable-disc")
def _():
    """Where a disc cannot be read, the drive says at which block: Linux takes no block for block 0."""
    image = backing("disc", 8)
    must(HANDLERS + "/vcdrom/mgmt", "add_device c1")
    must(TREE + "/devices/c1/filename", image)
    must(luns(), "add c1 0")
    with sg_of(0) as dev:
        dev.good(READY)
        os.truncate(image, 1 << 20)
        answer = dev.command(read(1024, 1), 2048)
        check(answer.sense == UNREADABLE, answer)
        check(answer.raw[0] & 0x80 and struct.unpack_from(">I", answer.raw, 3)[0] == 1024, "not at block 1024:", answer.raw.hex())


@row("owed-over-closing")
def _():
    """That something acknowledged was lost is told also where the store was closed and opened since then."""
    for handler in ("vdisk_fileio", "vdisk_blockio"):
        fileio("below")
        must(LOCAL + "/mgmt", "add_target below session_name=below")
        must(luns("below"), "add below 0")
        place = node(0, target="below", session="below")
        must("%s/%s/mgmt" % (HANDLERS, handler), "add_device above filename=" + place)
        must(luns(), "add above 0")
        with sg_of(0) as dev:
            dev.good(write(0), out=bytes(4096))
            must(TREE + "/devices/below/active", "0")
            dev.good("35 02 00 00 00 00 00 00 00 00")
            lib.wait_for("the flush that failed", lambda: lib.name_of(lib.write(TREE + "/devices/above/sync", "1")) == "EIO")
            must(TREE + "/devices/below/active", "1")
            must(TREE + "/devices/above/active", "0")
            must(TREE + "/devices/above/active", "1")
            answer = dev.command(SYNC)
            while answer.sense and answer.sense[0] == 6:
                answer = dev.command(SYNC)
            check(answer.sense == WRITE_ERROR, handler, answer)
            dev.good(SYNC)
        must(luns(), "del 0")
        remove_device("above")
        must(LOCAL + "/mgmt", "del_target below")
        remove_device("below")


@row("closes-a-file-of-proc")
def _():
    """A file that nothing can be lost of can be closed, though it cannot be flushed."""
    must(HANDLERS + "/vdisk_fileio/mgmt", "add_device f1 filename=/proc/cpuinfo")
    must(TREE + "/devices/f1/active", "0")
    must(TREE + "/devices/f1/active", "1")


@row("short-buffers-are-named")
def _():
    """COMPARE AND WRITE with data for one half only: the sense points at the number of blocks."""
    nullio("n1")
    fileio("f1")
    for lun, name in enumerate(("f1", "n1")):
        must(luns(), "add %s %d" % (name, lun))
        with sg_of(lun) as dev:
            dev.good(READY)
            answer = dev.command("89 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00", out=bytes(512))
            check(answer.sense == (5, 0x24, 0) and field_pointer(answer) == 13, name, answer, answer.raw.hex())


@row("standby-until-gone")
def _():
    """A unit that is removed is in standby until it has gone, however long another LUN of the session takes to go before it."""
    fileio("d1")
    must(LOCAL + "/mgmt", "add_target t1 session_name=t1")
    must(luns("t1"), "add d1 0")
    below = stalled("slow", "t1")
    group = TREE + "/device_groups"
    must(group + "/mgmt", "create dg")
    must(group + "/dg/devices/mgmt", "add d1")
    must(group + "/dg/target_groups/mgmt", "create tg")
    must(group + "/dg/target_groups/tg/group_id", "1")
    must(group + "/dg/target_groups/tg/mgmt", "add t1")
    must(group + "/dg/target_groups/tg/state", "standby")
    time.sleep(1)
    reader, ended = reader_of(node(1, target="t1", session="t1"), 60)
    leaving = [threading.Thread(target=lib.write, args=args) for args in (
        (luns("t1"), "del 1"), (HANDLERS + "/vdisk_fileio/mgmt", "del_device d1"))]
    with sg_of(0, target="t1", session="t1") as dev:
        dev.command(READY)
        must(TREE + "/devices/%s/block" % below, "1")
        try:
            reader.start()
            under_way("t1", 1, 0x28)
            for one in leaving:
                one.start()
                time.sleep(1)
            for cdb, size in ((read(0), 4096), (read(8), 4096), (read(16), 4096)):
                answer = dev.command(cdb, size, timeout_ms=5000)
                check(answer.sense in (STANDBY, GONE), "a unit in standby that goes away:", answer)
            # Nobody who asks how many commands are under way waits for what does not end.
            start = time.monotonic()
            count = lib.read("%s/t1/sessions/t1/commands" % LOCAL)
            check(time.monotonic() - start < 20, "counting commands took", time.monotonic() - start, count)
        finally:
            must(TREE + "/devices/%s/block" % below, "0")
    reader.join(60)
    for one in leaving:
        one.join(60)
        check(not one.is_alive(), "a removal hangs")
    check(ended == [4096], "the READ of the other LUN came back with", ended)
    lib.wait_for("the end of d1", lambda: not os.path.exists(TREE + "/devices/d1"))
    must(group + "/mgmt", "del dg")
    must(LOCAL + "/mgmt", "del_target t1")
    remove_device("slow")


@row("reset-in-vain")
def _():
    """A reset that cannot wait until a stalled store is done leaves nobody untold whose commands it has ended."""
    for one in ("t1", "t2"):
        must(LOCAL + "/mgmt", "add_target %s session_name=%s" % (one, one))
    below = stalled("slow", "t1", "t2")
    time.sleep(1)
    with sg_of(1, target="t1", session="t1") as dev, sg_of(1, target="t2", session="t2") as other:
        dev.good(READY)
        other.good(READY)
        answers = []
        reader = threading.Thread(target=lambda: answers.append(other.command(read(512), 4096, timeout_ms=20000)))
        must(TREE + "/devices/%s/block" % below, "1")
        try:
            reader.start()
            under_way("t2", 1, 0x28)
            try:
                dev.reset(UNIT_ALONE)
                check(False, "the reset of a unit whose store stalls has succeeded")
            except OSError:
                pass
            answer = other.command(READY)
            check(answer.sense == CLEARED, "the other initiator is not told:", answer)
        finally:
            must(TREE + "/devices/%s/block" % below, "0")
        reader.join(120)
        check(answers and (answers[0].host == TIMED_OUT or answers[0].sense in (CLEARED, RESET)),
              "a command that was ended for another initiator came back with", answers)
    for one in ("t1", "t2"):
        must(LOCAL + "/mgmt", "del_target " + one)
    remove_device("slow")


@row("reset-of-what-was-there")
def _():
    """A LUN that shows another device when its reset ends: what was reset is the one that it showed when the reset began."""
    nullio("n2")
    for one in ("t1", "t2"):
        must(LOCAL + "/mgmt", "add_target %s session_name=%s" % (one, one))
    must(luns("t2"), "add n2 0")
    below = stalled("slow", "t1", "t2")
    time.sleep(1)
    with sg_of(1, target="t1", session="t1") as dev, sg_of(1, target="t2", session="t2") as old, \
            sg_of(0, target="t2", session="t2") as new:
        for one in (dev, old, new):
            one.good(READY)
        reader = threading.Thread(target=lambda: old.command(read(512), 4096, timeout_ms=20000))
        reset = threading.Thread(target=dev.reset, args=(UNIT_ALONE,))
        must(TREE + "/devices/%s/block" % below, "1")
        try:
            reader.start()
            under_way("t2", 1, 0x28)
            reset.start()
            time.sleep(2)
            replace = threading.Thread(target=lib.write, args=(luns("t1"), "replace n2 1"))
            replace.start()
            time.sleep(2)
        finally:
            must(TREE + "/devices/%s/block" % below, "0")
        for one in (reset, replace):
            one.join(60)
            check(not one.is_alive(), "a reset or a replacement hangs")
        answer = new.command(READY)
        check(answer.sense != RESET, "what was not reset says so:", answer)
        answer = old.command(READY)
        check(answer.sense == RESET, "what was reset does not say so:", answer)
        reader.join(120)
    for one in ("t1", "t2"):
        must(LOCAL + "/mgmt", "del_target " + one)
    remove_device("slow")


@row("refused-state-keeps-stores")
def _():
    """A state that is refused, as one device's store cannot be opened, closes no other's that was open before."""
    for name in ("d1", "d2"):
        fileio(name)
        must("%s/devices/%s/bind_alua_state" % (TREE, name), "1")
    must(LOCAL + "/mgmt", "add_target t1 session_name=t1")
    group = TREE + "/device_groups"
    must(group + "/mgmt", "create dg")
    must(group + "/dg/target_groups/mgmt", "create tg")
    must(group + "/dg/target_groups/tg/mgmt", "add t1")
    for name in ("d1", "d2"):
        must(group + "/dg/devices/mgmt", "add " + name)
    state = group + "/dg/target_groups/tg/state"
    must(state, "standby")
    active = lambda: [int((lib.read("%s/devices/%s/active" % (TREE, d)) or b"0").split()[0]) for d in ("d1", "d2")]
    check(active() == [0, 0], "open in standby:", active())
    must(TREE + "/devices/d1/active", "1")
    os.rename("/tmp/d2", "/tmp/away")
    try:
        rows.refuse(state, "active", "ENOENT")
        check(active() == [1, 0], "after a state that was refused:", active())
    finally:
        os.rename("/tmp/away", "/tmp/d2")
    must(state, "active")
    check(active() == [1, 1], active())
    must(group + "/mgmt", "del dg")
    must(LOCAL + "/mgmt", "del_target t1")


@row("reservations-file-named-again")
def _():
    """The file of the reservations, given the name that it has, is there afterwards."""
    nullio("n1")
    own = TREE + "/devices/n1/pr_file_name"
    path = lib.read(own).decode().split("\n")[0]
    must(luns(), "add n1 0")
    with sg_of(0) as dev:
        dev.good(READY)
        # REGISTER, with APTPL.
        dev.good("5f 00 00 00 00 00 00 00 18 00", out=bytes(8) + bytes([1] * 8) + bytes(4) + b"\x01" + bytes(3))
    must(luns(), "del 0")
    check(os.path.exists(path), "there is no", path)
    os.remove(path)
    must(own, path)
    check(os.path.exists(path), "gone again:", path)


@row("format-that-failed")
def _():
    """A format that was answered before it failed is what commands are told, until another one does better."""
    failed, format_now = (3, 0x31, 1), ("04 10 00 00 00 00", b"\x00\x02\x00\x00")
    fileio("below", params="thin_provisioned=1")
    must(LOCAL + "/mgmt", "add_target below session_name=below")
    must(luns("below"), "add below 0")
    place = node(0, target="below", session="below")
    must(HANDLERS + "/vdisk_fileio/mgmt", "add_device above filename=%s; thin_provisioned=1" % place)
    must(luns(), "add above 0")
    node(0)
    time.sleep(1)
    with sg_of(0) as dev:
        dev.good(READY)
        must(TREE + "/devices/below/active", "0")
        dev.good(format_now[0], out=format_now[1])
        lib.wait_for("the end of the format", lambda: (dev.command(READY).sense or failed)[1] != 4)
        for _ in range(2):
            answer = dev.command(READY)
            check(answer.sense == failed, "after a format that failed:", answer)
        dev.good("12 00 00 00 24 00", 36)
        sense = dev.good("03 00 00 00 12 00", 18).data
        check((sense[2] & 15, sense[12], sense[13]) == failed, "REQUEST SENSE:", sense.hex())
        must(TREE + "/devices/below/active", "1")
        dev.good(format_now[0], out=format_now[1])
        lib.wait_for("the end of the other format", lambda: dev.command(READY).status == 0)
    must(luns(), "del 0")
    remove_device("above")
    must(LOCAL + "/mgmt", "del_target below")
