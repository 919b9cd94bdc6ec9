# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rows of history.py in which there is much of something: submitters, devices, or too little memory."""

import contextlib
import mmap
import os
import threading
import time

import lib
import rows
from lib import DEFAULT, LOCAL, TREE, must
from rows import Background, check, fileio, luns, node, nullio, row, sdev, sg_of

HANDLERS = TREE + "/handlers"
COPY_MANAGER = TREE + "/targets/copy_manager/copy_manager_tgt/luns"
# LUNs of the copy manager's target, and how many devices `410c46240` makes; that many take minutes.
MANY_LUNS = 16384
REGISTER, PREEMPT_AND_ABORT = "5f 00 00 00 00 00 00 00 18 00", "5f 05 01 00 00 00 00 00 18 00"
DEVICES = int(os.environ.get("DEVICES", 200))


@row("a4a55aab4-replace-of-a-dead-backend")
def _():
    """With async_lun_replace a LUN whose backend has stopped answering is replaced at once; the rest is caught up on."""
    nullio("below")
    nullio("n2", "size_mb=8")
    must(luns(), "add below 0")
    must(HANDLERS + "/vdisk_blockio/mgmt", "add_device dead filename=" + node(0))
    must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
    must(luns("t1"), "add dead 0")
    disk = node(0, target="t1", session="s1")
    with stalled_reader(disk):
        start = time.monotonic()
        code = lib.write(luns("t1"), "replace n2 0")
        check(code == 0, "replace:", lib.name_of(code), "after", time.monotonic() - start, "s")
        check(os.path.realpath(LOCAL + "/t1/luns/0/device").endswith("/n2"), "the LUN still shows the dead device")
        check(not opens_alone(disk_below()), "the dead device was closed with a command under way")
    lib.wait_for("the new disk's size", lambda: rows.size_of(node(0, target="t1", session="s1")) == 8 << 20)
    rows.remove_device("dead")
    lib.wait_for("the dead device's close", lambda: opens_alone(disk_below()))


@row("replaced-commands-are-preempted")
def _():
    """PREEMPT AND ABORT waits for what its victim has under way also where another device was put in the LUN's place since."""
    nullio("below")
    nullio("n2", "size_mb=8")
    must(luns(), "add below 0")
    must(HANDLERS + "/vdisk_blockio/mgmt", "add_device shared filename=" + node(0))
    for number in (1, 2):
        must(LOCAL + "/mgmt", "add_target t%d session_name=s%d" % (number, number))
        must(luns("t%d" % number), "add shared 0")
    disk = node(0, target="t1", session="s1")
    node(0, target="t2", session="s2")
    # What is aborted is not answered, and ends with its initiator's patience.
    must("/sys/block/%s/device/timeout" % os.path.basename(disk), "5")
    victim, other = (1).to_bytes(8, "big"), (2).to_bytes(8, "big")
    with sg_of(0, target="t1", session="s1") as dev:
        dev.good(REGISTER, out=bytes(8) + victim + bytes(8))
    with sg_of(0, target="t2", session="s2") as dev:
        dev.good(REGISTER, out=bytes(8) + other + bytes(8))
        preempt = threading.Thread(target=lambda: dev.good(PREEMPT_AND_ABORT, out=other + victim + bytes(8)))
        with stalled_reader(disk):
            must(luns("t1"), "replace n2 0")
            preempt.start()
            preempt.join(2)
            check(preempt.is_alive(), "answered with a command of its victim under way")
        preempt.join(60)
        check(not preempt.is_alive(), "PREEMPT AND ABORT never ended")
        keys = dev.good("5e 00 00 00 00 00 00 00 40 00", 64).data
        check(keys[4:8] == bytes([0, 0, 0, 8]) and keys[8:16] == other, "the victim is still registered:", keys[:24].hex())


@contextlib.contextmanager
def stalled_reader(disk):
    """A READ of `disk`, LUN 0 of the target t1, that the device `below` answers when the block ends, and LUNs that are replaced
    at once meanwhile."""
    # Whoever looks at new disks is done with these; `settle` would wait for the disk below, which is in use.
    time.sleep(1)
    must(TREE + "/devices/below/block", "1")
    must(TREE + "/async_lun_replace", "1")
    reader = threading.Thread(target=read_some, args=(disk,))
    try:
        reader.start()
        lib.wait_for("a READ under way", lambda: b"t1 s1 LUN 0," in (lib.read(TREE + "/trace_cmds") or b""))
        yield
    finally:
        must(TREE + "/devices/below/block", "0")
        must(TREE + "/async_lun_replace", "0")
    reader.join(60)
    check(not reader.is_alive(), "the READ never ended")


def disk_below():
    return node(0)


def opens_alone(path):
    """Whether nobody else has a disk open for himself."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL))
        return True
    except OSError:
        return False


def read_some(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        os.preadv(fd, [mmap.mmap(-1, 4096)], 1 << 20)
    except OSError:
        # The device that it was sent to has gone meanwhile.
        pass
    finally:
        os.close(fd)


@row("410c46240-many-devices")
def _():
    """Each new device gets the copy manager's next LUN, which begins again behind the last one; DEVICES=16500 goes round."""
    must(HANDLERS + "/vdisk_nullio/mgmt", "add_device first size_mb=8")
    start = time.monotonic()
    last = lun_of("first")
    for _ in range(DEVICES):
        must(HANDLERS + "/vdisk_nullio/mgmt", "add_device x1 size_mb=8")
        expected = (last + 1) % MANY_LUNS
        if expected == lun_of("first"):
            expected += 1
        last = lun_of("x1")
        check(last == expected, "LUN", last, "instead of", expected)
        must(HANDLERS + "/vdisk_nullio/mgmt", "del_device x1")
    lib.say("   %d devices, %.1f ms each" % (DEVICES, (time.monotonic() - start) * 1000 / DEVICES))
    check(sorted(os.listdir(COPY_MANAGER)) == sorted(["mgmt", str(lun_of("first"))]), os.listdir(COPY_MANAGER))


def lun_of(device):
    """The copy manager's LUN of a device that has no other."""
    (link,) = os.listdir(TREE + "/devices/%s/exported" % device)
    return int(os.path.basename(os.path.realpath(TREE + "/devices/%s/exported/%s" % (device, link))))


@row("411fb4f62-many-submitters")
def _():
    """Thirty-two processes write and verify at once, on two targets' LUNs of one device: each gets on, none reads another's."""
    fileio("f1", 32)
    must(luns(), "add f1 0")
    must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
    must(luns("t1"), "add f1 3")
    disks = [node(0), node(3, target="t1", session="s1")]
    until = time.monotonic() + 6
    children = {}
    for number in range(32):
        progress = lib.Progress()
        children[lib.alone(lambda n=number, p=progress: write_and_verify(disks[n % 2], n, until, p))] = progress
    lib.watch(children, 60)
    least = min(progress.done() for progress in children.values())
    lib.say("   the slowest process did %d rounds, all of them %d" % (least, sum(p.done() for p in children.values())))
    check(least > 0, "a process did not get on")


def write_and_verify(disk, number, until, progress):
    """Writes its own half MiB of the disk through ever other requests, and reads it back."""
    fd = os.open(disk, os.O_RDWR | os.O_DIRECT)
    buffer, back = mmap.mmap(-1, 1 << 19), mmap.mmap(-1, 1 << 19)
    turn = 0
    while time.monotonic() < until or not turn:
        turn += 1
        size = 4096 << (turn + number) % 8
        for at in range(0, 1 << 19, 4096):
            buffer[at:at + 8] = (number << 40 | turn << 20 | at >> 12).to_bytes(8, "little")
        for at in range(0, 1 << 19, size):
            os.pwritev(fd, [memoryview(buffer)[at:at + size]], (number << 19) + at)
        for at in range(0, 1 << 19, size):
            os.preadv(fd, [memoryview(back)[at:at + size]], (number << 19) + at)
        if back[:] != buffer[:]:
            lib.fail("process %d read something else than it wrote" % number)
        progress.note(turn, "process %d on %s" % (number, disk))
    os.close(fd)


@row("f15f2cdd5-swap-and-writeback")
def _():
    """With hardly any memory left, pages are swapped out to one LUN and written back to a file system on another."""
    must(HANDLERS + "/vdisk_blockio/mgmt", "add_device b1 filename=/dev/vdb")
    must(HANDLERS + "/vdisk_fileio/mgmt", "add_device f1 filename=%s" % on_disk("writeback.img", 96))
    must(luns(), "add b1 0")
    must(luns(), "add f1 1")
    swap, disk = node(0), node(1)
    rows.shell("mkswap %s && swapon %s" % (swap, swap))
    try:
        rows.shell("/usr/sbin/mke2fs -q -t ext4 -F %s && mkdir -p /tmp/mnt && mount -t ext4 %s /tmp/mnt" % (disk, disk))
        hog(meminfo("MemAvailable") + 32, 32)
        out = meminfo("SwapTotal") - meminfo("SwapFree")
        lib.say("   %d MiB were swapped out" % out)
        check(out >= 16, "only", out, "MiB were swapped out")
        rows.shell("umount /tmp/mnt")
    finally:
        rows.shell("swapoff %s" % swap)
    os.remove("/data/writeback.img")


def on_disk(name, mib):
    """A file that does not live in memory."""
    path = "/data/" + name
    with open(path, "wb") as f:
        f.truncate(mib << 20)
    return path


def disk_of(mount):
    """The disk that a file system is on, or on a partition of."""
    with open("/proc/mounts") as f:
        (device,) = [line.split()[0] for line in f if line.split()[1] == mount]
    entry = os.path.realpath("/sys/class/block/" + os.path.basename(os.path.realpath(device)))
    if os.path.exists(entry + "/partition"):
        entry = os.path.dirname(entry)
    return "/dev/" + os.path.basename(entry)


def meminfo(key):
    """MiB."""
    with open("/proc/meminfo") as f:
        return int([line.split()[1] for line in f if line.startswith(key + ":")][0]) >> 10


def hog(mib, written):
    """Keeps `mib` of memory in use, in a process of its own, while that writes `written` MiB to a file and reads them back."""
    progress = lib.Progress()

    def work():
        memory = mmap.mmap(-1, mib << 20)
        for page in range(0, mib << 20, 4096):
            memory[page:page + 8] = page.to_bytes(8, "little")
            if page % (1 << 20) == 0:
                progress.note(page >> 20, "taking memory")
        block = os.urandom(1 << 20)
        with open("/tmp/mnt/file", "wb") as f:
            for number in range(written):
                f.write(number.to_bytes(4, "little") + block[4:])
                progress.note(mib + number, "writing")
            os.fsync(f.fileno())
        for page in range(0, mib << 20, 4096):
            if int.from_bytes(memory[page:page + 8], "little") != page:
                lib.fail("page %d came back as another" % (page >> 12))
            if page % (1 << 20) == 0:
                progress.note(2 * mib + (page >> 20), "looking at its memory")
        with open("/tmp/mnt/file", "rb") as f:
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            for number in range(written):
                if f.read(1 << 20) != number.to_bytes(4, "little") + block[4:]:
                    lib.fail("MiB %d of the file came back as another" % number)
                progress.note(3 * mib + number, "reading")
    lib.watch({lib.alone(work): progress}, 120)


@row("split-transfers-meet-a-rescan")
def _():
    """A transfer in parts ends although the disk's queue is frozen, over and over, between two of them."""
    must(TREE + "/handlers/vdisk_blockio/mgmt", "add_device b1 filename=/dev/vdb")
    must(luns(), "add b1 0")
    disk = node(0)
    must("/sys/block/%s/queue/max_sectors_kb" % os.path.basename(disk), "4")
    fd = os.open(disk, os.O_RDWR | os.O_DIRECT)
    areas = [mmap.mmap(-1, 1 << 20) for _ in range(4)]
    readers = [Background(lambda area=area: os.preadv(fd, [area], 0)) for area in areas]
    until = time.monotonic() + 8
    with readers[0], readers[1], readers[2], readers[3]:
        while time.monotonic() < until:
            must(sdev(0) + "/rescan", "1")
    os.close(fd)
    done = [reader.count for reader in readers]
    check(min(done) > 0, "transfers that have ended:", done)


@row("fab0164c5-final-flush")
def _():
    """A LUN that goes, with its session, its target, its device or alone, has the disk below flush what was written."""
    disk, below = on_disk("flushed.img", 16), disk_of("/data")
    ways = {"del 0": luns("t1"), "del_session t1 s1": LOCAL + "/mgmt", "del_target t1": LOCAL + "/mgmt",
            "del_device d1": HANDLERS + "/vdisk_fileio/mgmt"}
    for handler, path, disk_below in (("vdisk_fileio", disk, below), ("vdisk_blockio", "/dev/vdb", "/dev/vdb")):
        for command, mgmt in ways.items():
            must(HANDLERS + "/%s/mgmt" % handler, "add_device d1 filename=" + path)
            must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
            must(luns("t1"), "add d1 0")
            fd = os.open(node(0, target="t1", session="s1"), os.O_WRONLY | os.O_DIRECT)
            os.sync()
            lib.settle(2)
            os.pwritev(fd, [mmap.mmap(-1, 65536)], 0)
            os.close(fd)
            before = rows.flushes(disk_below)
            must(mgmt, command)
            done = rows.flushes(disk_below) - before
            check(done > 0, "%s: %s flushed nothing" % (handler, command))
            if "target" not in command:
                must(LOCAL + "/mgmt", "del_target t1")
            if "device" not in command:
                rows.remove_device("d1")
    os.remove(disk)
