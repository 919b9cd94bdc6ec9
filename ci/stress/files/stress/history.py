# SPDX-License-Identifier: MIT OR Apache-2.0
"""What went wrong once in targets of this kind, row by row: each is a way to break the management or the local transport.

`python3 history.py` runs all rows, with words only those whose name contains one. ci/stress/README.md has the table.
"""

import errno
import os
import sys
import threading
import time

import lib
import rows
from lib import DEFAULT, LOCAL, TREE, must
from rows import check, fileio, luns, node, nullio, refuse, row, sdev, sg_of

HANDLERS = TREE + "/handlers"


# --- names and grammars ----------------------------------------------------------------------------------------------

@row("names-odd")
def _():
    """Odd names are made or refused without a word from the kernel, and what was made can be removed."""
    mark = rows.mark("names-odd begins")
    for name in ("mgmt", "stats", "version"):
        refuse(LOCAL + "/mgmt", "add_target " + name, "EEXIST")
    for name in (".", "..", "a/b"):
        refuse(LOCAL + "/mgmt", "add_target " + name, "EINVAL")
        refuse(LOCAL + "/mgmt", "add_session scst_local_tgt " + name, "EINVAL")
        refuse(HANDLERS + "/vdisk_nullio/mgmt", "add_device " + name, "EINVAL")
    for name in ("x" * 256, "x" * 3000):
        refuse(LOCAL + "/mgmt", "add_target " + name, "ENAMETOOLONG", "EINVAL")
    for name in ("\u00e9", "x" * 255, "%s%n", "a:b", "-"):
        must(LOCAL + "/mgmt", "add_target %s session_name=%s" % (name, name))
        must(LOCAL + "/mgmt", "del_target " + name)
    must(DEFAULT + "/ini_groups/mgmt", "create g1")
    refuse(DEFAULT + "/ini_groups/mgmt", "create mgmt", "EEXIST")
    refuse(DEFAULT + "/ini_groups/g1/initiators/mgmt", "add mgmt", "EEXIST")
    must(DEFAULT + "/ini_groups/mgmt", "del g1")
    refuse(HANDLERS + "/vdisk_nullio/mgmt", "add_device " + "x" * 65, "EINVAL")
    log = rows.log_since(mark)
    check("duplicate filename" not in log and "Call Trace" not in log, log)


@row("names-equal-sessions")
def _():
    """Sessions of two targets may have one name; the default's files and hosts stay their own."""
    mark = rows.mark("names-equal begins")
    nullio("n1")
    for target in ("t1", "t2"):
        must(LOCAL + "/mgmt", "add_target %s session_name=same" % target)
        must(luns(target), "add n1 0")
    hosts = {rows.host(t, "same") for t in ("t1", "t2")}
    check(len(hosts) == 2, hosts)
    links = {os.path.realpath("%s/%s/sessions/same/host" % (LOCAL, t)) for t in ("t1", "t2")}
    check(len(links) == 2 and all(os.path.isdir(link) for link in links), links)
    must(LOCAL + "/mgmt", "del_session t1 same")
    check(not os.path.exists(LOCAL + "/t1/sessions/same"), "it is still there")
    check(node(0, target="t2", session="same"), "the other has gone")
    check("Call Trace" not in rows.log_since(mark), "the kernel warned")


@row("names-duplicate-target")
def _():
    """A target, a device and a LUN that exist already are refused with EEXIST, and nothing of them changes."""
    nullio("n1")
    must(luns(), "add n1 3")
    refuse(LOCAL + "/mgmt", "add_target scst_local_tgt", "EEXIST")
    refuse(HANDLERS + "/vdisk_nullio/mgmt", "add_device n1", "EEXIST")
    refuse(luns(), "add n1 3", "EEXIST")
    check(os.path.exists(DEFAULT + "/luns/3/device"), "the LUN has gone")


@row("grammar-extra-words")
def _():
    """Commands with a word too many, or a word that is none, change nothing; an unknown command is an error."""
    fileio("f1")
    for path, data in ((HANDLERS + "/vdisk_nullio/mgmt", "del_device f1 extra"), (LOCAL + "/mgmt", "del_target scst_local_tgt extra"),
                       (LOCAL + "/mgmt", "add_x scst_local_tgt y"), (LOCAL + "/mgmt", "frobnicate scst_local_tgt y"),
                       (luns(), "add f1"), (luns(), "add f1 0 extra"), (luns(), "add f1 x"), (luns(), "del"), (luns(), "\n"),
                       (luns(), "add f1 0; read_only=2"), (luns(), "add f1 16384"), (LOCAL + "/mgmt", "add_session nosuch s"),
                       (LOCAL + "/mgmt", "add_session scst_local_tgt"), (HANDLERS + "/vdisk_fileio/mgmt", "add_device"),
                       (HANDLERS + "/vdisk_fileio/mgmt", "add_device f2 filename=/tmp/f1; nosuch=1")):
        refuse(path, data, "EINVAL")
    must(DEFAULT + "/ini_groups/mgmt", "create g1")
    refuse(DEFAULT + "/ini_groups/mgmt", "del g1 extra", "EINVAL")
    for path in (TREE + "/devices/f1", DEFAULT + "/ini_groups/g1"):
        check(os.path.isdir(path), path, "has gone")
    check(os.listdir(DEFAULT + "/luns") == ["mgmt"], os.listdir(DEFAULT + "/luns"))


@row("1eb5498df-add-session-reports")
def _():
    """add_session says when it fails, and add_target with a session that fails leaves no target."""
    refuse(LOCAL + "/mgmt", "add_session nosuch s1", "EINVAL", "ENOENT")
    refuse(LOCAL + "/mgmt", "add_target t1 session_name=a/b", "EINVAL")
    check(not os.path.exists(LOCAL + "/t1"), "half a target is left")


# --- backing files ---------------------------------------------------------------------------------------------------

@row("backing-fifo")
def _():
    """A FIFO as backing file is refused at once, and holds up nobody else's commands."""
    path = "/tmp/fifo"
    if not os.path.exists(path):
        os.mkfifo(path)
    start = time.monotonic()
    refuse(HANDLERS + "/vdisk_fileio/mgmt", "add_device f1 filename=" + path, "EINVAL", "ENXIO", "EACCES")
    nullio("n1")
    check(time.monotonic() - start < 5, "took", time.monotonic() - start)


@row("reservation-files-odd")
def _():
    """No kind of file that reservations might be kept in stops anything, not even the file that shows its name."""
    nullio("n1")
    own = TREE + "/devices/n1/pr_file_name"
    fifo = "/tmp/pr-fifo"
    if not os.path.exists(fifo):
        os.mkfifo(fifo)
    for path in (fifo, "/dev/console", "/tmp"):
        refuse(own, path, "EINVAL", "EISDIR")
    start = time.monotonic()
    lib.write(own, own)
    check(lib.read(own) is not None and time.monotonic() - start < 5, "the name cannot be read")


@row("backing-odd-files")
def _():
    """Directories, character devices and files that are not there are refused with what the open says."""
    for path, code in (("/tmp", ("EISDIR", "EINVAL")), ("/dev/null", ("EINVAL",)), ("/tmp/not-there", ("ENOENT",)),
                       ("/proc/self/mem", ("EINVAL", "EACCES", "ESRCH")), ("relative", ("EINVAL",))):
        refuse(HANDLERS + "/vdisk_fileio/mgmt", "add_device f1 filename=" + path, *code)
    check(not os.path.exists(TREE + "/devices/f1"), "f1 is there")
    refuse(HANDLERS + "/vdisk_blockio/mgmt", "add_device b1 filename=" + rows.backing("b1"), "ENOTBLK", "EINVAL")


@row("attribute-fills-its-page")
def _():
    """A file that has more to show than a page holds shows what fits, without a warning of the kernel's."""
    nullio("n1")
    mark = rows.mark("long name begins")
    long = "/tmp" + "/" * 4089 + "pr"
    must(TREE + "/devices/n1/pr_file_name", long)
    shown = lib.read(TREE + "/devices/n1/pr_file_name")
    check(shown.startswith(long.encode()), "shows %r" % shown[-20:])
    check("WARNING" not in rows.log_since(mark), "the kernel warned")


@row("blocksize-odd")
def _():
    """Block sizes that are none are refused without a warning."""
    mark = rows.mark("blocksize begins")
    path = rows.backing("f1")
    for size in (511, 513, 1, 256, 3000, 1 << 31):
        refuse(HANDLERS + "/vdisk_fileio/mgmt", "add_device f1 filename=%s; blocksize=%d" % (path, size), "EINVAL", "ERANGE")
    check("WARNING" not in rows.log_since(mark), "the kernel warned")


@row("d18c8fc71-blocksize-below-backing")
def _():
    """A blockio device with blocks smaller than its disk's is refused."""
    fileio("f1", params="blocksize=4096")
    must(luns(), "add f1 0")
    disk = node(0)
    refuse(HANDLERS + "/vdisk_blockio/mgmt", "add_device b1 filename=%s; blocksize=512" % disk, "EINVAL")
    must(HANDLERS + "/vdisk_blockio/mgmt", "add_device b1 filename=%s; blocksize=4096" % disk)
    rows.remove_device("b1")


@row("blockio-size-beyond-disk")
def _():
    """A blockio device cannot be made larger than its disk."""
    must(HANDLERS + "/vdisk_blockio/mgmt", "add_device b1 filename=/dev/vdb")
    size = int(lib.read(TREE + "/devices/b1/size").split()[0])
    refuse(TREE + "/devices/b1/size", str(size + 512), "EINVAL")
    must(TREE + "/devices/b1/size", str(size - 4096))


# --- LUNs as the initiator sees them ----------------------------------------------------------------------------------

@row("lun-removed-disk-gone")
def _():
    """A LUN that is removed takes its SCSI device along, one that is added brings one, and nobody scans."""
    nullio("n1")
    must(luns(), "add n1 0")
    must(luns(), "add n1 7")
    check(node(7) and os.path.isdir(sdev(0)), "not there")
    must(luns(), "del 7")
    check(not os.path.exists(sdev(7)), "still there after del")
    must(luns(), "clear")
    check(not os.path.exists(sdev(0)), "still there after clear")


@row("lun-resized")
def _():
    """A disk that grew or shrank has its new size at once; a file that grew, after resync_size."""
    nullio("n1", "size_mb=64")
    fileio("f1")
    must(luns(), "add n1 0")
    must(luns(), "add f1 1")
    check(rows.size_of(node(0)) == 64 << 20, "the size is not 64 MiB")
    must(TREE + "/devices/n1/size_mb", "128")
    lib.wait_for("128 MiB", lambda: rows.size_of(node(0)) == 128 << 20, 5)
    os.truncate("/tmp/f1", 40 << 20)
    node(1)
    must(TREE + "/devices/f1/resync_size", "1")
    lib.wait_for("40 MiB", lambda: rows.size_of(node(1)) == 40 << 20, 5)


@row("lun-renamed")
def _():
    """A device whose identity changes is re-identified where it is, mounted or not: names, and page 83h."""
    fileio("f1")
    must(luns(), "add f1 0")
    disk = os.open(node(0), os.O_RDONLY)
    must(TREE + "/devices/f1/t10_vend_id", "VENDOR")
    must(TREE + "/devices/f1/prod_id", "OTHER NAME")
    must(TREE + "/devices/f1/t10_dev_id", "other-id")
    check(lib.read(sdev(0) + "/vendor").strip() == b"VENDOR", lib.read(sdev(0) + "/vendor"))
    check(lib.read(sdev(0) + "/model").strip() == b"OTHER NAME", lib.read(sdev(0) + "/model"))
    check(b"other-id" in lib.read(sdev(0) + "/vpd_pg83"), lib.read(sdev(0) + "/vpd_pg83"))
    check(b"OTHER NAME" in lib.read("/proc/scsi/scsi"), lib.read("/proc/scsi/scsi"))
    check(len(os.pread(disk, 4096, 0)) == 4096, "the open disk does not read on")
    os.close(disk)


@row("lun-replaced")
def _():
    """A LUN whose device is replaced has the other's size and identity, without anybody writing to rescan."""
    fileio("f1", 16)
    fileio("f2", 24)
    with open("/tmp/f2", "r+b") as f:
        f.write(b"second" * 100)
    must(luns(), "add f1 0")
    disk = node(0)
    must(luns(), "replace f2 0")
    lib.wait_for("24 MiB", lambda: rows.size_of(disk) == 24 << 20, 5)
    check(lib.read(sdev(0) + "/model").strip() == b"f2", lib.read(sdev(0) + "/model"))
    check(b"f2" in lib.read(sdev(0) + "/vpd_pg83"), "page 83h is the old one")
    out = rows.shell("dd if=%s bs=600 count=1 iflag=direct,fullblock 2>/dev/null || dd if=%s bs=4096 count=1 iflag=direct 2>/dev/null" % (disk, disk))
    check(out.startswith("secondsecond"), out[:40])


@row("lun-replaced-by-another-type")
def _():
    """A disk that is replaced by a CD-ROM drive becomes one for the initiator too, and back."""
    fileio("f1")
    must(HANDLERS + "/vcdrom/mgmt", "add_device c1")
    must(luns(), "add f1 0")
    node(0)
    must(luns(), "replace c1 0")
    node(0, "sr")
    must(luns(), "replace f1 0")
    node(0)


@row("4.7-delete-meets-del")
def _():
    """`del` waits for a user's own removal of the SCSI device, so that the flush which that ends with arrives."""
    for count in range(20):
        must(HANDLERS + "/vdisk_blockio/mgmt", "add_device b1 filename=/dev/vdb")
        must(luns(), "add b1 0")
        disk = os.open(node(0), os.O_WRONLY)
        os.write(disk, bytes([count + 1]) * 65536)
        os.fsync(disk)
        os.close(disk)
        folder = sdev(0)
        flushed = rows.flushes("/dev/vdb")
        user = threading.Thread(target=lib.write, args=(folder + "/delete", "1"))
        user.start()
        time.sleep(0.002 * (count % 5))
        must(luns(), "del 0")
        # The mapping's own end flushes too; the SCSI device's flush must have come before that.
        check(rows.flushes("/dev/vdb") > flushed, "nothing was flushed in round", count)
        check(not os.path.isdir(folder + "/block"), "the SCSI device stays")
        user.join()
        rows.remove_device("b1")


@row("queue-depth")
def _():
    """The queue depth is the device's limit, not 3."""
    nullio("n1")
    must(luns(), "add n1 0")
    node(0)
    depth = int(lib.read(sdev(0) + "/queue_depth"))
    limit = lib.read(TREE + "/devices/n1/max_tgt_dev_commands") or b"64"
    check(depth == int(limit.split()[0]), "it is", depth)


@row("a2feffdcf-high-luns")
def _():
    """LUNs 255, 256 and 16383 are seen; 16384 is refused."""
    nullio("n1")
    for lun in (0, 255, 256, 16383):
        must(luns(), "add n1 %d" % lun)
        node(lun)
    refuse(luns(), "add n1 16384", "EINVAL")
    must(luns(), "del 16383")
    check(not os.path.exists(sdev(16383)), "16383 stays")


@row("d4d9b4c5e-one-target-id")
def _():
    """Exactly one target id is scanned, and a session without LUNs shows nothing until it has one."""
    must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
    where = {"target": "t1", "session": "s1"}
    prefix = "%d:0:" % rows.host(**where)
    check(not [d for d in os.listdir("/sys/bus/scsi/devices") if d.startswith(prefix)], "something is there")
    nullio("n1")
    must(luns("t1"), "add n1 3")
    node(3, **where)
    lib.write("/sys/class/scsi_host/host%d/scan" % rows.host(**where), "- - -")
    targets = [d for d in os.listdir("/sys/bus/scsi/devices") if d.startswith("target" + prefix)]
    check(len(targets) == 1, targets)


@row("292f72e16-transport-ids")
def _():
    """The TransportIDs of many sessions are all different, also of those that come after others have gone."""
    seen = set()
    for turn in range(3):
        for number in range(50):
            must(LOCAL + "/mgmt", "add_target t%d session_name=s%d" % (number, number))
            seen.add(lib.read(LOCAL + "/t%d/sessions/s%d/transport_id" % (number, number)))
        for number in range(50):
            must(LOCAL + "/mgmt", "del_target t%d" % number)
        check(len(seen) == 50 * (turn + 1), "only", len(seen), "differ")


@row("84d335f13-host-no")
def _():
    """host_no is right as soon as the session is there, and never lies while it goes."""
    path = LOCAL + "/t1/sessions/s1/"
    seen = []

    def look():
        number = lib.read(path + "host_no")
        if number and number.strip():
            seen.append(int(number))
    with rows.Background(look):
        for _ in range(30):
            must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
            number = rows.host("t1", "s1")
            check(os.path.isdir("/sys/class/scsi_host/host%d" % number), "no host", number)
            check(os.path.realpath(path + "host").endswith("host%d" % number), os.path.realpath(path + "host"))
            must(LOCAL + "/mgmt", "del_target t1")
    check(seen, "nobody looked")


if __name__ == "__main__":
    import history_held  # noqa: their rows follow these
    import history_io  # noqa
    import history_told  # noqa
    import history_load  # noqa
    import history_races  # noqa
    import history_writes  # noqa
    sys.exit(rows.main(sys.argv[1:]))
