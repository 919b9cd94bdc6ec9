# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rows of history.py that send commands: residuals, odd buffers, rejected commands, error handling."""

import ctypes
import errno
import fcntl
import os
import random
import struct
import time

import lib
import rows
import sg
from lib import DEFAULT, LOCAL, TREE, must
from rows import check, fileio, flushes, luns, node, nullio, row, sdev, sg_of

INQUIRY = "12 00 00 %02x %02x 00"
READ_10 = "28 00 00 00 00 00 00 00 %02x 00"
WRITE_10 = "2a 00 00 00 00 00 00 00 %02x 00"
TEST_UNIT_READY, PREVENT, ALLOW = "00 00 00 00 00 00", "1e 00 00 00 01 00", "1e 00 00 00 00 00"
EJECT, LOAD, START = "1b 00 00 00 02 00", "1b 00 00 00 03 00", "1b 00 00 00 01 00"
SYNC_IMMED = "35 02 00 00 00 00 00 00 00 00"


@row("f9eda9357-residuals")
def _():
    """What a command leaves of its buffer is told, for buffers longer and shorter than the data."""
    fileio("f1")
    must(luns(), "add f1 0")
    with sg_of(0) as dev:
        full = 512 - dev.good("12 00 00 02 00 00", 512).resid
        check(36 <= full <= 512, "INQUIRY data of", full)
        for length in (5, 36, full, full + 1, 500):
            answer = dev.good(INQUIRY % (length >> 8, length & 255), length)
            check(answer.resid == length - min(length, full), length, answer)
        # The buffer is longer than what the CDB asks for.
        check(dev.good(INQUIRY % (0, 5), 96).resid == 91, "INQUIRY of 5 bytes")
        check(dev.good(READ_10 % 1, 4096).resid == 3584, "READ of one block into eight")
        # A read into a buffer that is too short delivers what fits; no residual is negative.
        answer = dev.command(READ_10 % 2, 512)
        check(answer.resid == 0 and answer.status in (0, 2), "READ of two blocks into one:", answer)
        # Half of what a write names must not be written.
        answer = dev.command(WRITE_10 % 2, out=b"x" * 512)
        check(answer.status == 2 and answer.resid >= 0, "WRITE of two blocks from one:", answer)
        check(dev.good("1a 00 3f 00 ff 00", 255).resid > 0, "MODE SENSE has no residual")
        check(dev.good("1a 00 3f 00 04 00", 4).resid == 0, "MODE SENSE of 4 bytes has one")


# CDBs that take a length, with %02x where it goes; and CDBs with as much data as they always have.
ALLOCATED = ("12 00 00 00 %02x 00", "12 01 83 00 %02x 00", "03 00 00 00 %02x 00", "1a 00 3f 00 %02x 00", "5a 00 3f 00 00 00 00 00 %02x 00",
             "4d 00 40 00 00 00 00 00 %02x 00", "5e 00 00 00 00 00 00 00 %02x 00", "5e 02 00 00 00 00 00 00 %02x 00",
             "9e 10 00 00 00 00 00 00 00 00 00 00 00 %02x 00 00", "9e 12 00 00 00 00 00 00 00 00 00 00 00 %02x 00 00",
             "a0 00 00 00 00 00 00 00 00 %02x 00 00", "a3 0c 00 00 00 00 00 00 00 %02x 00 00", "a3 0d 80 00 00 00 00 00 00 %02x 00 00")
# Of these SPC-4 has fewer bytes refused: REPORT LUNS, REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS.
LEAST = {"a0 00": 16, "a3 0d": 4}
READS = (("25 00 00 00 00 00 00 00 00 00", 8), ("08 00 00 00 02 00", 1024), ("28 00 00 00 00 00 00 00 02 00", 1024),
         ("a8 00 00 00 00 00 00 00 00 02 00 00", 1024), ("88 00 00 00 00 00 00 00 00 00 00 00 00 02 00 00", 1024))
WRITES = (("0a 00 00 00 02 00", 1024), ("2a 00 00 00 00 00 00 00 02 00", 1024), ("aa 00 00 00 00 00 00 00 00 02 00 00", 1024),
          ("8a 00 00 00 00 00 00 00 00 00 00 00 00 02 00 00", 1024), ("2e 02 00 00 00 00 00 00 02 00", 1024),
          ("ae 00 00 00 00 00 00 00 00 02 00 00", 1024), ("8e 02 00 00 00 00 00 00 00 00 00 00 00 02 00 00", 1024),
          ("2f 02 00 00 00 00 00 00 02 00", 1024), ("af 02 00 00 00 00 00 00 00 02 00 00", 1024),
          ("8f 02 00 00 00 00 00 00 00 00 00 00 00 02 00 00", 1024), ("41 00 00 00 00 00 00 00 09 00", 512),
          ("93 00 00 00 00 00 00 00 00 00 00 00 00 09 00 00", 512), ("89 00 00 00 00 00 00 00 00 00 00 00 00 02 00 00", 2048),
          ("42 00 00 00 00 00 00 00 08 00", 8), ("04 10 00 00 00 00", 4), ("15 10 00 00 04 00", 4),
          ("55 10 00 00 00 00 00 00 08 00", 8), ("5f 06 00 00 00 00 00 00 18 00", 24), ("1d 10 00 00 04 00", 4))


@row("residuals-of-every-command")
def _():
    """Each command with data tells what it leaves of a buffer that is longer, and fits into one that is shorter or refuses it."""
    fileio("f1", 16, "thin_provisioned=1")
    must(TREE + "/handlers/vdisk_blockio/mgmt", "add_device b1 filename=/dev/vdb; thin_provisioned=1")
    for lun, name in enumerate(("f1", "b1")):
        must(luns(), "add %s %d" % (name, lun))
        with sg_of(lun) as dev:
            # What the disk holds is compared with zeroes below.
            dev.good("93 00 00 00 00 00 00 00 00 00 00 00 00 10 00 00", out=bytes(512))
            for cdb in ALLOCATED:
                full = dev.good(cdb % 255, 1024)
                have = 1024 - full.resid
                check(0 < have <= 255, name, cdb, full)
                for length, size in ((have, have), (have - 1, 1024), (255, have - 1), (1, 1), (0, 512)):
                    # GET LBA STATUS gives whole descriptors.
                    if cdb.startswith("9e 12") and length < have:
                        continue
                    if length < LEAST.get(cdb[:5], 0):
                        answer = dev.command(cdb % length, size)
                        check(answer.sense == (5, 0x24, 0), name, cdb % length, "into", size, answer)
                        continue
                    answer, moved = dev.good(cdb % length, size), min(length, size, have)
                    check(answer.resid == size - moved, name, cdb % length, "into", size, answer)
                    check(moved < 5 or answer.data[4:moved] == full.data[4:moved], name, cdb % length, "into", size, "is other data")
            for cdb, have in READS:
                for size in (have, have - 1, have // 2, have + 1, have * 4):
                    answer = dev.good(cdb, size)
                    check(answer.resid == max(size - have, 0), name, cdb, "into", size, answer)
            for cdb, have in WRITES:
                for size in (have, have + 1, have * 4):
                    answer = dev.good(cdb, out=bytes(size))
                    check(answer.resid == size - have, name, cdb, "from", size, answer)
                for size in (1, have // 2, have - 1):
                    answer = dev.command(cdb, out=b"x" * size)
                    refused = answer.sense in ((5, 0x24, 0), (5, 0x1A, 0)) or cdb.startswith("1d")
                    check(refused and answer.resid == size, name, cdb, "from", size, answer)
            check(dev.good(READ_10 % 16, 8192).data == bytes(8192), name, "a command that was refused has written")
# Of these the ones that change nothing on the medium: VERIFY, MODE SELECT, PERSISTENT RESERVE OUT, SEND DIAGNOSTIC.
HARMLESS = ("2f", "af", "8f", "15", "55", "5f", "1d")


@row("371e083d0-rejected-commands")
def _():
    """Thousands of commands that are rejected cost no memory."""
    nullio("n1")
    must(luns(), "add n1 0")
    with sg_of(0) as dev:
        def reject(times):
            for _ in range(times):
                dev.command("c1 00 00 00 00 00")
                dev.command("28 00 ff ff ff ff 00 00 01 00", 512)
                dev.command("2a 00 00 00 00 00 00 00 08 00", out=b"x" * 512)
        reject(200)
        before = lib.memory()["SUnreclaim"]
        reject(800)
        grown = lib.memory()["SUnreclaim"] - before
    # The checkers of the debug kernel keep what was freed for a while.
    check(grown < (256 if not os.path.exists(lib.KMEMLEAK) else 16384), "2400 rejected commands cost", grown, "KiB")


@row("fa22b6d13-odd-buffer")
def _():
    """SG_IO with a buffer at an odd address works, on a blockio device of 4 KiB blocks too."""
    must(TREE + "/handlers/vdisk_blockio/mgmt", "add_device b1 filename=/dev/vdb; blocksize=4096")
    must(luns(), "add b1 0")
    pattern = random.Random(1).randbytes(8192)
    with sg_of(0) as dev:
        for odd in (0, 1, 3, 511, 4095):
            dev.good(WRITE_10 % 2, out=pattern, odd=odd)
            check(dev.good(READ_10 % 2, 8192, odd=odd).data == pattern, "not what was written at", odd)


# How a buffer of eight blocks can lie: bytes behind the start of a page, and lengths of its pieces but the last.
ODD = ((0, ()), (16, ()), (2044, ()), (4, (4,)), (0, (2048,)), (0, (1024,)), (0, (256,)), (0, (16,)), (16, (2048,)), (0, (1024, 8, 16)))


def odd_buffers(handler, path, params="", waits=False, buffers=ODD):
    """Writes and reads with buffers of all kinds that the initiator's side takes as they are, up to 16 MiB of the medium."""
    must(TREE + "/handlers/%s/mgmt" % handler, "add_device odd filename=%s; %s" % (path, params))
    if waits:
        # What is past the page cache is asynchronous when it is made.
        must(TREE + "/devices/odd/async", "0")
    must(luns(), "add odd 0")
    blocks = 1 if "blocksize=4096" in params else 8
    # This node takes buffers as they are, where sg has ones of its own.
    with sg.Device(node(0)) as dev:
        for turn, (odd, pieces) in enumerate(buffers * 2):
            data, lba = os.urandom(4096), turn * 9
            # With FUA in the second round.
            cdb = "%02x %02x %08x 00 %04x 00"
            where = handler, path, params, "waits" if waits else "", "at", odd, "pieces", pieces
            flags = 8 if turn >= len(buffers) else 0
            answer = dev.command(cdb % (0x2A, flags, lba, blocks), out=data, odd=odd, pieces=pieces)
            check(answer.status == 0, "WRITE", *where, answer)
            answer = dev.command(cdb % (0x28, flags, lba, blocks), 4096, odd=odd, pieces=pieces)
            check(answer.status == 0, "READ", *where, answer)
            check(answer.data == data, "not what was written,", *where)
            check(dev.good(cdb % (0x28, 0, lba, blocks), 4096).data == data, "not what was written, read plainly;", *where)
    must(luns(), "del 0")
    rows.remove_device("odd")


@row("odd-buffers-past-the-page-cache")
def _():
    """A buffer that the storage below cannot take as it lies is moved all the same, past the page cache too, waited for or not."""
    rows.shell("/usr/sbin/mke2fs -q -t ext4 -F /dev/vdb && mkdir -p /tmp/odd && mount -t ext4 /dev/vdb /tmp/odd && "
               "dd if=/dev/zero of=/tmp/odd/disk bs=1M count=4 2>/dev/null")
    try:
        for waits in (False, True):
            odd_buffers("vdisk_fileio", "/tmp/odd/disk", "o_direct=1; async=1", waits)
    finally:
        rows.clean()
        rows.shell("umount /tmp/odd")
    for waits in (False, True):
        odd_buffers("vdisk_fileio", "/dev/vdb", "o_direct=1; async=1", waits)
    odd_buffers("vdisk_blockio", "/dev/vdb")


@row("98b09a7a2-large-transfers")
def _():
    """Transfers of many pages in many pieces arrive whole."""
    fileio("f1", 32)
    must(luns(), "add f1 0")
    disk = node(0)
    out = rows.shell("""
        head -c 25165824 /dev/urandom >/tmp/random
        dd if=/tmp/random of=%s bs=24M oflag=direct conv=fsync,notrunc 2>/dev/null || exit 1
        dd if=%s bs=24M count=1 iflag=direct,fullblock 2>/dev/null | cmp - /tmp/random && head -c 25165824 /tmp/f1 | cmp - /tmp/random && echo same
        rm /tmp/random""" % (disk, disk))
    check("same" in out, out)


@row("54eeae329-allocation-length-0")
def _():
    """An allocation length of 0 is no error, in INQUIRY, REQUEST SENSE, MODE SENSE, REPORT LUNS."""
    nullio("n1")
    must(luns(), "add n1 0")
    with sg_of(0) as dev:
        for cdb in ("12 00 00 00 00 00", "12 01 83 00 00 00", "03 00 00 00 00 00", "1a 00 3f 00 00 00"):
            dev.good(cdb)
        answer = dev.command("a0 00 00 00 00 00 00 00 00 00 00 00")
        check(answer.status in (0, 2), answer)


@row("surprise-14-lba-at-end")
def _():
    """A transfer of nothing at the capacity, and one beyond it, are judged by their LBA."""
    nullio("n1", "size_mb=1")
    must(luns(), "add n1 0")
    with sg_of(0) as dev:
        dev.good("28 00 00 00 08 00 00 00 00 00")
        for cdb in ("28 00 00 00 08 01 00 00 00 00", "28 00 00 00 08 00 00 00 01 00",
                    "88 00 ff ff ff ff ff ff ff ff 00 00 00 01 00 00", "88 00 ff ff ff ff ff ff ff ff ff ff ff ff 00 00"):
            sense = dev.command(cdb, 512).sense
            check(sense == (5, 0x21, 0), cdb, sense)


@row("surprise-4-sync-immed-nullio")
def _():
    """SYNCHRONIZE CACHE with IMMED on a disk that stores nothing is good."""
    nullio("n1")
    must(luns(), "add n1 0")
    with sg_of(0) as dev:
        for _ in range(20):
            dev.good(SYNC_IMMED)
        dev.good("91 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00")


@row("surprise-5-long-names")
def _():
    """The longest names fit page 83h, or are refused; page 80h shows the longest serial number whole."""
    nullio("n1")
    must(luns(), "add n1 0")
    device = TREE + "/devices/n1/"
    with sg_of(0) as dev:
        for name in ("scsi_device_name", "t10_dev_id", "usn", "prod_id", "t10_vend_id", "vend_specific_id", "inq_vend_specific"):
            for length in (1, 8, 16, 20, 32, 64, 100, 200, 256, 1000):
                lib.write(device + name, "x" * length)
                for page in (0x00, 0x80, 0x83):
                    answer = dev.good("12 01 %02x 10 00 00" % page, 4096)
                    said = 4 + int.from_bytes(answer.data[2:4], "big")
                    check(said == 4096 - answer.resid, name, length, "page %02x" % page, said, answer)
        serial = (lib.read(device + "usn") or b"").split(b"\n")[0]
        check(serial in dev.good("12 01 80 10 00 00", 4096).data, serial, "is not in page 80h")


@row("surprise-6-inactive")
def _():
    """A device whose store is closed while it is exported answers, and serves again when it is open."""
    fileio("f1")
    must(luns(), "add f1 0")
    path = TREE + "/devices/f1/active"
    with sg_of(0) as dev:
        dev.good(READ_10 % 8, 4096)
        must(path, "0")
        answer = dev.command(READ_10 % 8, 4096)
        check(answer.status == 2 and answer.sense[0] in (2, 6), "READ of an inactive device:", answer)
        must(path, "1")
        dev.good(READ_10 % 8, 4096)


@row("surprise-16-rel-tgt-id")
def _():
    """rel_tgt_id takes what SPC allows and nothing else, and page 83h shows it."""
    path = DEFAULT + "/rel_tgt_id"
    for bad in ("65536", "-1", "x", "\n", "1 2"):
        rows.refuse(path, bad, "EINVAL", "ERANGE", "EBADSLT")
    nullio("n1")
    must(luns(), "add n1 0")
    must(path, "291")
    with sg_of(0) as dev:
        check(b"\x00\x00\x01\x23" in dev.good("12 01 83 10 00 00", 4096).data, "not in page 83h")
    lib.write(path, "0")


@row("surprise-17-write-protect")
def _():
    """A write to a LUN that is read-only says why, whatever command it is, and MODE SENSE says it beforehand."""
    fileio("f1", 16, "thin_provisioned=1")
    must(luns(), "add f1 0; read_only=1")
    with sg_of(0) as dev:
        check(dev.good("1a 00 3f 00 ff 00", 255).data[2] & 0x80, "WP is not set")
        for cdb, size in WRITES:
            if cdb[:2] not in HARMLESS:
                answer = dev.command(cdb, out=b"x" * size)
                check(answer.sense == (7, 0x27, 0), cdb, answer)
        dev.good(READ_10 % 1, 512)
    check(lib.read("/tmp/f1") == bytes(16 << 20), "a refused command has written")


@row("nv-cache-flushes-nothing")
def _():
    """A disk whose cache is said to be safe, or whose store has none, shows none, cannot be given one, and flushes nothing."""
    fileio("below")
    fileio("through", params="write_through=1")
    must(luns(), "add below 0")
    must(luns(), "add through 1")
    volatile, stable = node(0), node(1)
    for handler, disk, params, cached in (("vdisk_fileio", volatile, "", True), ("vdisk_fileio", volatile, "nv_cache=1", False),
                                          ("vdisk_blockio", volatile, "", True), ("vdisk_blockio", volatile, "nv_cache=1", False),
                                          ("vdisk_blockio", stable, "", False)):
        where = handler, disk, params
        must(TREE + "/handlers/%s/mgmt" % handler, "add_device nv filename=%s; %s" % (disk, params))
        said = lib.read(TREE + "/devices/nv/nv_cache")
        check(said == (b"0\n" if cached else b"1\n[key]\n"), *where, said)
        must(luns(), "add nv 2")
        node(2)
        with sg_of(2) as dev:
            # Byte 2 of the Caching mode page, current and changeable; V_SUP of page 86h.
            for what, cdb, at, bit in (("WCE", "1a 08 08 00 18 00", 6, 4), ("WCE can be changed", "1a 08 48 00 18 00", 6, 4),
                                       ("V_SUP", "12 01 86 00 40 00", 6, 1)):
                found = bool(dev.good(cdb, 64).data[at] & bit)
                check(found == cached, *where, what, found)
            dev.good(WRITE_10 % 8, out=bytes(4096))
            before = flushes(disk)
            dev.good("35 00 00 00 00 00 00 00 00 00")
            check((flushes(disk) > before) == cached, *where, "flushed", flushes(disk) - before, "times")
        must(luns(), "del 2")
        rows.remove_device("nv")


@row("removable-disk-ejected")
def _():
    """START STOP UNIT takes the medium of a removable disk out and puts it back, unless an initiator keeps it in."""
    fileio("r1", 16, "removable=1")
    fileio("f1")
    must(luns(), "add r1 0")
    must(luns(), "add f1 1")
    must(LOCAL + "/mgmt", "add_session scst_local_tgt other")
    gone, prevented, changed = (2, 0x3A, 2), (5, 0x53, 2), (6, 0x28, 0)
    # Whoever still probes a disk would be told in our place.
    node(0), node(0, session="other")
    lib.settle()
    with sg_of(0) as dev, sg_of(0, session="other") as other:
        other.command(TEST_UNIT_READY)
        dev.good(WRITE_10 % 1, out=b"kept" * 128)
        other.good(PREVENT)
        check(dev.command(EJECT).sense == prevented, "ejected what another initiator keeps in")
        other.good(ALLOW)
        # As Linux does after it has probed a disk; a unit attention can have answered that.
        dev.good(ALLOW)
        dev.good(EJECT)
        for cdb, length in ((TEST_UNIT_READY, 0), (READ_10 % 1, 512), ("25 00 00 00 00 00 00 00 00 00", 8), (SYNC_IMMED, 0), (START, 0)):
            check(dev.command(cdb, length).sense == gone, cdb, dev.command(cdb, length))
        check(other.command(WRITE_10 % 1, out=bytes(512)).sense == gone, "written without a medium")
        check(dev.good("03 00 00 00 12 00", 18).data[12:14] == b"\x3a\x02", "REQUEST SENSE does not know")
        dev.good("12 00 00 00 24 00", 36)
        dev.good(LOAD)
        dev.good(TEST_UNIT_READY)
        check(other.command(TEST_UNIT_READY).sense == changed, "the other initiator was not told")
        check(other.good(READ_10 % 1, 512).data == b"kept" * 128, "the medium lost its data")
        dev.good(EJECT)
        must(TREE + "/devices/r1/active", "0")
        must(TREE + "/devices/r1/active", "1")
        # Whoever manages the disk puts the medium back. Linux reads the capacity then, and may be told first.
        check(dev.command(TEST_UNIT_READY).sense in (None, changed), "the medium is still out")
        dev.good(TEST_UNIT_READY)
    with sg_of(1) as dev:
        # A disk that is not removable only flushes.
        dev.good(EJECT)
        dev.good(TEST_UNIT_READY)
    must(LOCAL + "/mgmt", "del_session scst_local_tgt other")


@row("buffers-that-go-out-are-not-written")
def _():
    """A command with an answer does not write into a buffer that its initiator only sends: it may be a file's page."""
    fileio("f1")
    must(luns(), "add f1 0")
    sent = b"\xa5" * 4096
    with sg.Device(node(0)) as dev:
        for cdb in ("a0 00 00 00 00 00 00 00 10 00 00 00", "12 00 00 00 ff 00", "03 00 00 00 ff 00", "1a 00 3f 00 ff 00"):
            # So that REQUEST SENSE has something to say.
            must(TREE + "/devices/f1/prod_id", cdb[:2])
            answer = dev.command(cdb, out=sent)
            if answer.sense is not None and answer.sense[0] == 6:
                check(answer.data == sent, cdb, "has written with a unit attention")
                answer = dev.command(cdb, out=sent)
            check(answer.sense == (5, 0x49, 0), cdb, answer)
            check(answer.data == sent, cdb, "has written into what was sent")


@row("reserve-goes-with-its-nexus")
def _():
    """RESERVE ends with the nexus that it came over, not with another of the same initiator to the same device."""
    fileio("f1")
    for lun in (0, 5, 6):
        must(luns(), "add f1 %d" % lun)
    must(LOCAL + "/mgmt", "add_session scst_local_tgt other")
    node(0), node(5), node(6), node(0, session="other")
    lib.settle()
    with sg_of(0) as dev, sg_of(0, session="other") as other:
        other.good(TEST_UNIT_READY)
        dev.good("16 00 00 00 00 00")
        must(luns(), "del 5")
        check(other.command(WRITE_10 % 1, out=bytes(512)).status == 0x18, "the reservation went with another LUN")
        dev.good("17 00 00 00 00 00")
        with sg_of(6) as through:
            through.good("16 00 00 00 00 00")
        check(other.command(WRITE_10 % 1, out=bytes(512)).status == 0x18, "not reserved")
        must(luns(), "del 6")
        other.good(WRITE_10 % 1, out=bytes(512))
    must(LOCAL + "/mgmt", "del_session scst_local_tgt other")


@row("closed-store-is-not-ready")
def _():
    """A store that was never opened is not ready, whatever is asked of it; a size that was set outlasts its closing."""
    blockio = TREE + "/handlers/vdisk_blockio/mgmt"
    must(blockio, "add_device b1 filename=/dev/vdb; active=0")
    must(luns(), "add b1 0")
    not_ready = (2, 4, 3)
    with sg_of(0) as dev:
        dev.command(TEST_UNIT_READY)
        for cdb, length in ((READ_10 % 1, 512), (READ_10 % 0, 0), (TEST_UNIT_READY, 0), ("2f 00 00 00 00 00 00 00 01 00", 0)):
            check(dev.command(cdb, length).sense == not_ready, cdb, dev.command(cdb, length))
        b1 = TREE + "/devices/b1/"
        must(b1 + "active", "1")
        whole = int(lib.read(b1 + "size").split()[0])
        must(b1 + "size", str(whole // 2))
        for _ in range(2):
            must(b1 + "active", "0")
            must(b1 + "active", "1")
            shown = int(lib.read(b1 + "size").split()[0])
            check(shown == whole // 2, "a size of", whole // 2, "was set, and is", shown)
        must(b1 + "resync_size", "1")
        check(int(lib.read(b1 + "size").split()[0]) == whole, "resync_size does not follow the store")


@row("format-unit-is-durable")
def _():
    """What FORMAT UNIT gives back of a disk without a write cache is on stable storage when it ends."""
    fileio("below", 16, "thin_provisioned=1")
    must(luns(), "add below 0")
    disk = node(0)
    must(TREE + "/handlers/vdisk_blockio/mgmt", "add_device b1 filename=%s; write_through=1; thin_provisioned=1" % disk)
    must(luns(), "add b1 1")
    with sg_of(1) as dev:
        dev.good(TEST_UNIT_READY)
        for cdb, out in (("04 00 00 00 00 00", None), ("04 10 00 00 00 00", bytes([0, 2, 0, 0]))):
            before = flushes(disk)
            dev.good(cdb, out=out)
            # With IMMED it ends when the unit is ready again. A flush is counted before who waits for it goes on.
            lib.wait_for("the end of " + cdb, lambda: dev.command(TEST_UNIT_READY).sense is None)
            check(flushes(disk) > before, cdb, "has ended without a flush")


MODE_PAGES, SWP = "/var/lib/scst/vdev_mode_pages", 8


def control(dev):
    """The Control mode page of a unit, as MODE SELECT takes it."""
    page = bytearray(dev.good("1a 08 0a 00 40 00", 64).data[:16])
    page[0], page[4] = 0, page[4] & 0x7F
    return page


@row("mode-pages-are-saved-or-not-set")
def _():
    """A MODE SELECT that cannot be saved changes nothing, and what was saved before outlasts a loss of power while saving."""
    rows.shell("mkdir -p {0} && mount -t tmpfs -o size=16k tmpfs {0}".format(MODE_PAGES))
    try:
        fileio("m1")
        must(luns(), "add m1 0")
        with sg_of(0) as dev:
            save(dev, control(dev))
            save(dev, control(dev))
            # The page of memory that the file before the last has, and all others.
            os.unlink(MODE_PAGES + "/m1.1")
            fill(MODE_PAGES + "/fill")
            check(save_with_swp(dev).sense == (4, 0x44, 0), "saved where there is no room")
            check(not control(dev)[8] & SWP, "what could not be saved is set")
            os.unlink(MODE_PAGES + "/fill")
            # The disk is protected, then not any more; the power goes while that is saved.
            check(save_with_swp(dev).status == 0, "not saved")
            page = control(dev)
            page[8] &= ~SWP
            save(dev, page)
        must(luns(), "del 0")
        must(TREE + "/handlers/vdisk_fileio/mgmt", "del_device m1")
        with open(MODE_PAGES + "/m1", "r+b") as f:
            f.write(bytes(8))
        fileio("m1")
        must(luns(), "add m1 0")
        with sg_of(0) as dev:
            check(control(dev)[8] & SWP, "what was saved before is lost")
        must(luns(), "del 0")
        must(TREE + "/handlers/vdisk_fileio/mgmt", "del_device m1")
    finally:
        rows.shell("umount " + MODE_PAGES)


def save(dev, page):
    dev.good("15 11 00 00 10 00", out=bytes(page))


def save_with_swp(dev):
    page = control(dev)
    page[8] |= SWP
    return dev.command("15 11 00 00 10 00", out=bytes(page))


def fill(path):
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError as e:
            check(e.errno == errno.ENOSPC, e)


@row("reset-turns-the-cache-off")
def _():
    """What was acknowledged with a write cache goes to stable storage when a reset takes that away."""
    nullio("below")
    must(luns(), "add below 0")
    disk = node(0)
    must(TREE + "/handlers/vdisk_blockio/mgmt", "add_device b1 filename=%s; write_through=1" % disk)
    must(luns(), "add b1 1")
    with sg_of(1) as dev:
        page = bytearray(dev.good("1a 08 08 00 18 00", 24).data)
        # MODE SELECT takes neither the length nor PS.
        page[0], page[4], page[4 + 2] = 0, page[4] & 0x7F, page[4 + 2] | 4
        dev.good("15 10 00 00 18 00", out=bytes(page))
        before = flushes(disk)
        dev.good(WRITE_10 % 1, out=b"x" * 512)
        check(flushes(disk) == before, "there is no write cache")
        dev.reset(sg.RESET_DEVICE)
        lib.wait_for("a flush", lambda: flushes(disk) > before)
        check(dev.good("1a 08 08 00 18 00", 24).data[6] & 4 == 0, "the write cache is still on")


@row("surprise-19-resets")
def _():
    """Device reset and target reset do what they say, tell every nexus, and are counted; what was not done is not."""
    nullio("n1")
    nullio("n2")
    must(luns(), "add n1 0")
    must(luns(), "add n2 1")
    must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
    must(luns("t1"), "add n1 0")
    # Whoever still probes a disk would be told in our place.
    node(0), node(1), node(0, target="t1", session="s1")
    lib.settle()
    with sg_of(0) as dev, sg_of(1) as second, sg_of(0, target="t1", session="s1") as other:
        for one in (dev, second, other):
            one.good("00 00 00 00 00 00")
        before = stats()
        dev.reset(sg.RESET_DEVICE)
        check([b - a for a, b in zip(before, stats())] == [0, 1, 0], before, stats())
        check(other.command("00 00 00 00 00 00").sense == (6, 0x29, 0), "the other nexus was not told")
        second.good("00 00 00 00 00 00")
        dev.reset(sg.RESET_TARGET)
        check([b - a for a, b in zip(before, stats())] == [0, 1, 1], before, stats())
        sense = other.command("00 00 00 00 00 00").sense
        check(sense and sense[:2] == (6, 0x29), "the other nexus was not told of the target's reset:", sense)
        dev.good("00 00 00 00 00 00")


@row("abort-one-of-several")
def _():
    """A command that is not answered is aborted, counted once, and alone: others of its device notice nothing."""
    nullio("n1")
    must(luns(), "add n1 0")
    must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
    must(luns("t1"), "add n1 0")
    node(0)
    node(0, target="t1", session="s1")
    lib.settle()
    with sg_of(0) as other, sg_of(0, target="t1", session="s1") as dev:
        for one in (other, dev):
            one.good("00 00 00 00 00 00")

        def reads():
            answer = other.command(READ_10 % 8, 4096)
            check(answer.status == 0 and answer.host == 0, "another nexus's READ:", answer)
        before = stats()
        must(LOCAL + "/t1/black_hole", "3")
        with rows.Background(reads) as background:
            answer = dev.command(READ_10 % 8, 4096, timeout_ms=1500)
            check(answer.host == 3, "the READ that is not answered:", answer)
        must(LOCAL + "/t1/black_hole", "0")
        check(background.count > 1, "nobody read")
        check([b - a for a, b in zip(before, stats())] == [1, 0, 0], before, stats())
        answer = dev.command(READ_10 % 8, 4096)
        check(answer.status == 0, "after the abort:", answer)


def stats():
    """Aborts, device resets, target resets."""
    text = lib.read(LOCAL + "/stats").decode()
    return [int(part.split(":")[1]) for part in text.split(",")]


@row("any-cdb")
def _():
    """Any command descriptor block, of any length and direction, is answered by every kind of device."""
    fileio("f1")
    nullio("n1")
    must(TREE + "/handlers/vcdrom/mgmt", "add_device c1")
    must(TREE + "/devices/c1/filename", rows.backing("any.iso"))
    for lun, name in enumerate(("f1", "n1", "c1")):
        must(luns(), "add %s %d" % (name, lun))
    rng = random.Random(20261122)
    for lun in range(3):
        with sg_of(lun) as dev:
            for opcode in range(256):
                for _ in range(3):
                    length = rng.choice([6, 10, 12, 16, 32]) if rng.random() < 0.3 else natural(opcode)
                    cdb = bytes([opcode]) + bytes(rng.choice([0, 0, 0, 1, 0xFF, rng.randrange(256)]) for _ in range(length - 1))
                    size = rng.choice([0, 1, 4, 36, 512, 4096, 65536])
                    out = rng.random() < 0.3
                    try:
                        answer = dev.command(cdb, length=size, out=rng.randbytes(size) if out and size else None)
                    except OSError:
                        # Linux itself refuses some lengths.
                        continue
                    check(answer.host == 0 and answer.status in (0, 2, 0x18, 8, 0x28), cdb.hex(), answer)
                    check(0 <= answer.resid <= size, cdb.hex(), answer)
                    check(answer.status != 2 or answer.sense, cdb.hex(), "CHECK CONDITION without sense")


def natural(opcode):
    """Bytes of a CDB by its opcode's group (SPC-4 4.2.5.1)."""
    return {0: 6, 1: 10, 2: 10, 3: 16, 4: 16, 5: 12, 6: 10, 7: 16}[opcode >> 5]


@row("surprise-3-ext4")
def _():
    """ext4 lives on a LUN through pressure on memory: nothing that allocates on the way waits for the LUN itself."""
    must(TREE + "/handlers/vdisk_blockio/mgmt", "add_device b1 filename=/dev/vdb")
    must(luns(), "add b1 0")
    disk = node(0)
    free = int([line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemAvailable")][0]) >> 10
    rows.shell("""
        /usr/sbin/mke2fs -q -t ext4 -F %s && mkdir -p /tmp/mnt && mount -t ext4 %s /tmp/mnt || exit 1
        dd if=/dev/zero of=/tmp/fill bs=1M count=%d 2>/dev/null
        dd if=/dev/urandom of=/tmp/some bs=1M count=8 2>/dev/null
        for n in 1 2 3 4 5 6 7 8; do cat /tmp/some; done >/tmp/mnt/big && sync && echo 3 >/proc/sys/vm/drop_caches || exit 1
        for n in 1 2 3 4 5 6 7 8; do cat /tmp/some; done | cmp - /tmp/mnt/big || exit 1
        rm /tmp/fill /tmp/some
        umount /tmp/mnt""" % (disk, disk, max(free - 120, 1)), 600)


@row("close-time-flush")
def _():
    """What was acknowledged reaches the backing store when the LUN is removed, the file system's last words too."""
    fileio("f1", 32)
    must(luns(), "add f1 0")
    disk = node(0)
    rows.shell("""
        /usr/sbin/mke2fs -q -t ext4 -F %s && mkdir -p /tmp/mnt && mount -t ext4 %s /tmp/mnt && echo last words >/tmp/mnt/file && umount /tmp/mnt
        """ % (disk, disk))
    must(luns(), "del 0")
    with open("/tmp/f1", "rb") as f:
        check(b"last words\n" in f.read(), "the file's content is not in the backing file")


@row("mounted-then-removed")
def _():
    """A LUN may be removed while it is mounted: the file system gets errors, and everything goes away."""
    fileio("f1", 32)
    must(luns(), "add f1 0")
    disk = node(0)
    rows.shell("/usr/sbin/mke2fs -q -t ext4 -F %s && mkdir -p /tmp/mnt && mount -t ext4 -o errors=continue %s /tmp/mnt && "
               "echo x >/tmp/mnt/x && sync" % (disk, disk))
    for turn, (path, command) in enumerate(((luns(), "del 0"), (TREE + "/handlers/vdisk_fileio/mgmt", "del_device f1"))):
        start = time.monotonic()
        must(path, command)
        check(time.monotonic() - start < 20, command, "took", time.monotonic() - start)
        check(lib.delete("scst_local") != 0 or turn, "the module went under a mounted file system")
        if not turn:
            check(not os.path.exists(sdev(0)), "the SCSI device stays")
    rows.shell("umount /tmp/mnt")


BLKPG, ADD_PARTITION, DELETE_PARTITION = 0x1269, 1, 2


def partition(disk, operation, start=0, length=0):
    """Adds or deletes partition 1 of a disk without a table (struct blkpg_partition of linux/blkpg.h), in bytes."""
    data = ctypes.create_string_buffer(struct.pack("qqi64s64s4x", start, length, 1, b"", b""))
    with open(disk, "rb") as f:
        fcntl.ioctl(f, BLKPG, struct.pack("iiiP", operation, 0, len(data), ctypes.addressof(data)))


@row("partition-out-of-step")
def _():
    """A disk over a partition that begins inside a physical block says where the first whole one begins."""
    fileio("below")
    must(luns(), "add below 0")
    disk = node(0)
    must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
    for sector, aligned in ((63, 1), (66, 6), (64, 0)):
        partition(disk, ADD_PARTITION, sector * 512, 8 << 20)
        lib.wait_for("the partition", lambda: os.path.exists(disk + "1"))
        must(TREE + "/handlers/vdisk_blockio/mgmt", "add_device above filename=%s1" % disk)
        must(luns("t1"), "add above 0")
        with sg_of(0, target="t1", session="s1") as dev:
            data = dev.good("9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00", 32).data
        found = data[13] & 0xF, int.from_bytes(data[14:16], "big") & 0x3FFF
        check(found == (3, aligned), "the partition at sector", sector, "has exponent and first aligned block", found)
        told = lib.read("/sys/block/%s/alignment_offset" % os.path.basename(node(0, target="t1", session="s1")))
        check(int(told) == aligned * 512, "Linux understands", told)
        must(luns("t1"), "del 0")
        must(TREE + "/handlers/vdisk_blockio/mgmt", "del_device above")
        partition(disk, DELETE_PARTITION)
