# SPDX-License-Identifier: MIT OR Apache-2.0
"""The LUNs that are judged: each seen by two initiators, made on a board that is up."""

import os
import sys
import time

sys.path.append("/stress")
from lib import LOCAL, TREE, fail, must, read, settle as probed, wait_for  # noqa: E402
from sg import Device  # noqa: E402

TARGET = LOCAL + "/qemu_tgt"
SIZE = 24 << 20  # Below 65536 blocks: a test that finds so many moves 32 MiB at once, which sg refuses.
ISO = "/tmp/judged.iso"

# Handler and parameters. The block-backed disk is the board's own, as only it has a disk to itself.
KINDS = {
    "fileio": ("vdisk_fileio", "thin_provisioned=1"),
    "4k": ("vdisk_fileio", "thin_provisioned=1; blocksize=4096"),
    "readonly": ("vdisk_fileio", "thin_provisioned=1; read_only=1"),
    "removable": ("vdisk_fileio", "thin_provisioned=1; removable=1"),
    "nullio": ("vdisk_nullio", "size=%d" % SIZE),
    "blockio": ("vdisk_blockio", None),
    "cdrom": ("vcdrom", None),
}
BLOCKIO = "disk3"


def make(kinds):
    """Makes a LUN of each kind; the sg nodes by which the two initiators see it, and what takes all of it away."""
    must(LOCAL + "/mgmt", "add_session qemu_tgt judge")
    lun = 20
    for kind in kinds:
        name = add_device(kind)
        if kind != "blockio":
            must(TARGET + "/luns/mgmt", "add %s %d" % (name, lun))
        lun += 1
    found = {kind: wait_for("a LUN of " + kind, lambda kind=kind: pair(name_of(kind))) for kind in kinds}
    probed()
    for nodes in found.values():
        for node in nodes:
            settle(node)
            unlock(node)
    return found


def name_of(kind):
    return BLOCKIO if kind == "blockio" else "judged-" + kind


def add_device(kind):
    """Makes the device of a kind; its name."""
    handler, parameters = KINDS[kind]
    name = name_of(kind)
    if handler == "vdisk_fileio":
        path = "/tmp/%s.img" % name
        with open(path, "wb") as f:
            f.truncate(SIZE)
        parameters = "filename=%s; %s" % (path, parameters)
    if kind == "blockio":
        must("%s/devices/%s/size" % (TREE, name), str(SIZE))
        return name
    must("%s/handlers/%s/mgmt" % (TREE, handler), " ".join(filter(None, ["add_device", name, parameters])))
    if kind == "cdrom":
        with open(ISO, "wb") as f:
            f.truncate(4 << 20)
        must("%s/devices/%s/filename" % (TREE, name), ISO)
    return name


def pair(name):
    """The nodes of both initiators' LUNs of a device, the board's own initiator first; None until both are there."""
    found = []
    for session in ("qemu_host", "judge"):
        host = (read("%s/sessions/%s/host_no" % (TARGET, session)) or b"").split()
        if not host:
            return None
        for node in os.listdir("/sys/class/scsi_generic"):
            device = os.path.realpath("/sys/class/scsi_generic/%s/device" % node)
            model = (read(device + "/model") or b"").decode().strip()
            if model == name[:16] and os.path.basename(device).startswith(host[0].decode() + ":"):
                found.append("/dev/" + node)
    return found if len(found) == 2 else None


def settle(node, seconds=10):
    """Takes the unit attentions that wait for an initiator, as any initiator does before it starts."""
    until = time.monotonic() + seconds
    with Device(node) as device:
        while (sense := device.command("000000000000").sense) is not None and sense[0] == 6:
            if time.monotonic() > until:
                fail("%s has no end of unit attentions: %s" % (node, sense))


def unlock(node):
    """Allows medium removal. Linux' sd prevents it while it probes a removable disk, and does not repeat its allowing
    when a unit attention answered that: what is judged then would be sd's PREVENT."""
    with Device(node) as device:
        device.good("1e0000000000")
