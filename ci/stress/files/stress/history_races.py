# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rows of history.py in which things go while others use them."""

import itertools
import os
import re
import threading
import time

import lib
import rows
from lib import DEFAULT, LOCAL, TREE, must
from rows import check, fileio, luns, node, nullio, row, sdev, sg_of

HANDLERS = TREE + "/handlers"
READ = "28 00 00 00 00 00 00 00 08 00"


def read_disk(path):
    """Reads a disk whole, past the cache; what goes meanwhile may fail."""
    try:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            while os.read(fd, 1 << 17):
                pass
        finally:
            os.close(fd)
    except OSError:
        time.sleep(0.002)


def any_disk():
    for name in os.listdir("/sys/block"):
        if name.startswith("sd"):
            read_disk("/dev/" + name)


@row("bad63dc69-load-without-target")
def _():
    """The transport unloads when no target was ever made, and when its default target was deleted."""
    must(LOCAL + "/mgmt", "del_target scst_local_tgt")
    for options in ("add_default_tgt=0", "add_default_tgt=1", "add_default_tgt=0"):
        lib.wait_for("rmmod", lambda: lib.run("rmmod", "scst_local").returncode == 0)
        done = lib.run("modprobe", "scst_local", options)
        check(done.returncode == 0, done.stdout)
        check(os.path.isdir(DEFAULT) == options.endswith("1"), options)
    lib.wait_for("rmmod", lambda: lib.run("rmmod", "scst_local").returncode == 0)
    lib.load("scst_local")


@row("unload-refused-for-the-core")
def _():
    """The core stays while others use it, and comes back after everything was unloaded in any order."""
    nullio("n1")
    must(luns(), "add n1 0")
    node(0)
    check(lib.delete("scst") != 0, "the core went under its users")
    lib.wait_for("rmmod", lambda: lib.run("rmmod", "scst_vdisk").returncode == 0)
    check(not os.path.exists(TREE + "/devices/n1") and not os.path.exists(sdev(0)), "the device outlived its handler")
    lib.load("scst_vdisk")


@row("c06fb90d7-luns-come-and-go-under-io")
def _():
    """LUNs are added and removed while all disks are read; deleting sleeps and scanning sleeps, nobody hangs."""
    nullio("n1")
    must(luns(), "add n1 0")
    with rows.Background(any_disk) as reads:
        for _ in range(25):
            must(luns(), "add n1 1")
            must(luns(), "add n1 2")
            must(luns(), "del 1")
            must(luns(), "replace n1 2")
            must(luns(), "del 2")
    check(reads.count > 1, "nothing was read")


@row("2ab81dfa2-session-goes-under-io")
def _():
    """del_session with commands arriving: they end, the session and its host go, and no warning is given."""
    mark = rows.mark("session-goes begins")
    nullio("n1")
    must(LOCAL + "/mgmt", "add_target t1")
    must(luns("t1"), "add n1 0")
    with rows.Background(any_disk), rows.Background(any_disk):
        for _ in range(15):
            must(LOCAL + "/mgmt", "add_session t1 s1")
            number = rows.host("t1", "s1")
            node(0, target="t1", session="s1")
            must(LOCAL + "/mgmt", "del_session t1 s1")
            check(not os.path.exists("/sys/class/scsi_host/host%d" % number), "the host stays")
    check("Call Trace" not in rows.log_since(mark), "the kernel warned")


@row("a88ccc623-events-meet-removal")
def _():
    """Capacity and identity change while sessions come and go: events meet hosts that leave."""
    nullio("n1")
    must(LOCAL + "/mgmt", "add_target t1")
    must(luns("t1"), "add n1 0")
    sizes = itertools.cycle(range(16, 1000))

    # With a pause: each change makes the initiator try its commands again, and one without end would never let it finish.
    def change(name, value):
        must(TREE + "/devices/n1/" + name, value)
        time.sleep(0.05)
    with rows.Background(lambda: change("size_mb", str(next(sizes)))), \
            rows.Background(lambda: change("prod_id", "P%d" % next(sizes))):
        for _ in range(25):
            must(LOCAL + "/mgmt", "add_session t1 s1")
            must(LOCAL + "/mgmt", "del_session t1 s1")
        for _ in range(5):
            must(LOCAL + "/mgmt", "del_target t1")
            must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
            must(luns("t1"), "add n1 0")


@row("e1066553c-attributes-of-new-targets")
def _():
    """Every file of a target can be read and written from the moment it is there until it goes."""
    def hammer():
        for folder, _, files in os.walk(LOCAL + "/t1"):
            for name in files:
                lib.read(folder + "/" + name)
                if name not in ("mgmt", "force_close", "black_hole"):
                    lib.write(folder + "/" + name, "1")
    nullio("n1")
    with rows.Background(hammer), rows.Background(hammer):
        for _ in range(30):
            must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
            must(luns("t1"), "add n1 0")
            must(LOCAL + "/mgmt", "del_target t1")


@row("4aa7817db-devices-in-a-tight-loop")
def _():
    """A device is added and deleted in a tight loop, alone and with a LUN of two targets, while the tree is read."""
    def look():
        for folder, _, files in os.walk(TREE + "/devices"):
            for name in files:
                lib.read(folder + "/" + name)
    must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
    with rows.Background(look), rows.Background(any_disk):
        for turn in range(60):
            nullio("x1", "size_mb=8")
            if turn % 4 == 0:
                must(luns(), "add x1 0")
                must(luns("t1"), "add x1 3")
            rows.remove_device("x1")
    check(not [l for l in os.listdir(DEFAULT + "/luns") if l != "mgmt"], "a LUN outlived its device")


@row("50bb06cc5-del-device-freezes-nobody")
def _():
    """A device is deleted while another one's command is stuck: neither it nor anything else waits for that."""
    # The command waits for the disk below, which is held back.
    nullio("below")
    must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
    must(luns("t1"), "add below 0")
    below = node(0, target="t1", session="s1")
    must(HANDLERS + "/vdisk_blockio/mgmt", "add_device b1 filename=" + below)
    nullio("n1")
    must(luns(), "add b1 0")
    must(luns(), "add n1 1")
    node(0), node(1)
    with sg_of(0) as held, sg_of(1) as free:
        for one in (held, free):
            one.good("00 00 00 00 00 00")
        stuck = threading.Thread(target=lambda: held.good(READ, 4096, timeout_ms=100_000), daemon=True)
        must(TREE + "/devices/below/block", "1")
        try:
            stuck.start()
            lib.wait_for("a READ under way", lambda: re.search(rb"scst_local_host LUN 0, .*: 28 ", lib.read(TREE + "/trace_cmds") or b""))
            with rows.Background(lambda: free.good(READ, 4096)) as reads:
                for _ in range(10):
                    fileio("f2")
                    must(luns(), "add f2 5")
                    rows.remove_device("f2")
                done = reads.count
                lib.wait_for("a read of an untouched LUN", lambda: reads.count > done)
            check(stuck.is_alive(), "the command was not stuck all the time")
        finally:
            must(TREE + "/devices/below/block", "0")
        stuck.join(60)
        check(not stuck.is_alive(), "the stuck command never ended")


@row("14f4e35b6-group-goes-with-its-sessions")
def _():
    """Groups with sessions go, patterns move sessions to and fro, force_close closes: with no lock the wrong way round."""
    nullio("n1")
    must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
    must(luns("t1"), "add n1 0")
    groups = LOCAL + "/t1/ini_groups"
    with rows.Background(any_disk):
        for _ in range(8):
            must(groups + "/mgmt", "create g1")
            must(groups + "/g1/luns/mgmt", "add n1 2")
            must(groups + "/g1/initiators/mgmt", "add s?")
            lib.wait_for("LUN 2", lambda: os.path.isdir(sdev(2, target="t1", session="s1")))
            check(not os.path.exists(sdev(0, target="t1", session="s1")), "the target's own LUN stays")
            rows.refuse(groups + "/mgmt", "del g1", "EBUSY")
            must(groups + "/g1/initiators/mgmt", "clear")
            must(groups + "/mgmt", "del g1")
            node(0, target="t1", session="s1")
        must("/sys/module/scst/parameters/forcibly_close_sessions", "1")
        try:
            must(groups + "/mgmt", "create g1")
            must(groups + "/g1/initiators/mgmt", "add s1")
            must(groups + "/mgmt", "del g1")
            lib.wait_for("the session's end", lambda: not os.path.isdir(LOCAL + "/t1/sessions/s1"))
        finally:
            must("/sys/module/scst/parameters/forcibly_close_sessions", "0")


@row("force-close")
def _():
    """force_close closes its session, from its own file, under I/O, and twice; the write returns."""
    nullio("n1")
    must(LOCAL + "/mgmt", "add_target t1")
    must(luns("t1"), "add n1 0")
    with rows.Background(any_disk):
        for _ in range(10):
            must(LOCAL + "/mgmt", "add_session t1 s1")
            path = LOCAL + "/t1/sessions/s1/force_close"
            number = rows.host("t1", "s1")
            threads = [threading.Thread(target=lib.write, args=(path, "1")) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            lib.wait_for("the session's end", lambda: not os.path.isdir(LOCAL + "/t1/sessions/s1"))
            lib.wait_for("the host's end", lambda: not os.path.exists("/sys/class/scsi_host/host%d" % number))


@row("surprise-23-many-luns-then-unload")
def _():
    """Hundreds of LUNs are cleared about as fast as they were added, and the module unloads at once after that."""
    nullio("n1", "size_mb=8")
    count = 400
    start = time.monotonic()
    for lun in range(count):
        must(luns(), "add n1 %d" % lun)
    added = time.monotonic() - start
    must(luns(), "clear")
    cleared = time.monotonic() - start - added
    lib.say("   %d LUNs: added in %.2f s, cleared in %.2f s" % (count, added, cleared))
    check(cleared < 3 * added, "clearing takes", cleared, "after adding took", added)
    lib.wait_for("rmmod", lambda: lib.run("rmmod", "scst_local").returncode == 0, 10)
    lib.load("scst_local")


@row("probe-meets-removal")
def _():
    """A LUN, a SCSI device and the module go while disks are still being probed: the probe ends, and all of them go."""
    mark = rows.mark("probe-meets-removal begins")
    fileio("f1")
    nullio("n1")
    for turn in range(15):
        lib.load("scst_local")
        must(luns(), "add f1 0")
        must(luns(), "add n1 1")
        time.sleep(turn % 5 * 0.02)
        if turn % 3 == 1:
            must(luns(), "del 0")
        if turn % 3 == 2:
            lib.write(sdev(1) + "/delete", "1")
        lib.wait_for("rmmod", lambda: lib.delete("scst_local") == 0, 60)
    lib.load("scst_local")
    check("Call Trace" not in rows.log_since(mark), "the kernel warned")


@row("256-sessions")
def _():
    """256 sessions fit a small machine, and what they took comes back."""
    before = lib.memory()["MemFree"]
    for number in range(256):
        must(LOCAL + "/mgmt", "add_target t%d session_name=s%d" % (number, number))
    each = (before - lib.memory()["MemFree"]) // 256
    for number in range(256):
        must(LOCAL + "/mgmt", "del_target t%d" % number)
    lib.say("   a session takes %d KiB" % each)
    check(each < (1024 if not os.path.exists(lib.KMEMLEAK) else 4096), "a session takes", each, "KiB")
