# SPDX-License-Identifier: MIT OR Apache-2.0
"""Disks of kinds that a machine under QEMU has none of; a null block device plays them. Some take no gaps between the pages of a
transfer, as NVMe drives often do; some cannot give blocks back; some want nobody to change what they are writing."""

import os
import struct
import sys

import lib
import rows
from history_io import ODD, odd_buffers
from history_told import HANDLERS, SYNC, read, write
from lib import must
from rows import check, luns, node, nullio, remove_device, sg_of

# The null block device marks the first sector of each block that was written, and reads the others as zeroes where a page
# ends inside a block: with blocks as large as pages it gets none that do. It takes two pages that happen to lie together.
IN_PAGES = tuple((odd, pieces) for odd, pieces in ODD if odd == 0)


@rows.row("gap-inside-a-block")
def _():
    """A disk that takes no gaps is given none inside a block either, where no transfer can be cut."""
    for size, buffers in ((512, ODD), (4096, IN_PAGES)):
        with lib.NullBlock("row", size=16, virt_boundary=1, blocksize=size) as below:
            odd_buffers("vdisk_blockio", below.node, "blocksize=%d" % size, buffers=buffers)
            for waits in (False, True):
                odd_buffers("vdisk_fileio", below.node, "o_direct=1; async=1; blocksize=%d" % size, waits, buffers)
    # Blocks that are smaller than the disk's are put together in the page cache.
    with lib.NullBlock("row", size=16, virt_boundary=1, blocksize=4096) as below:
        for waits in (False, True):
            odd_buffers("vdisk_fileio", below.node, "o_direct=1; async=1", waits)


@rows.row("unmap-without-zeroes")
def _():
    """UNMAP on a block device that cannot give blocks back leaves what was written last, also where only the cache has it."""
    old, new = bytes([1]) * 32768, bytes([2]) * 32768
    with lib.NullBlock("row", size=16) as below:
        must(HANDLERS + "/vdisk_fileio/mgmt", "add_device f1 filename=%s; thin_provisioned=1" % below.node)
        must(luns(), "add f1 0")
        with sg_of(0) as dev:
            dev.good(write(0, 64), out=old)
            dev.good(SYNC)
            dev.good(write(0, 64), out=new)
            parameters = struct.pack(">HH4xQI4x", 22, 16, 0, 60)
            dev.good("42 00 00 00 00 00 00 00 18 00", out=parameters)
            found = dev.good(read(0, 64), 32768).data
            check(found == new, "blocks of", {found[at] for at in range(0, 32768, 512)}, "instead of 2")
        must(luns(), "del 0")
        remove_device("f1")


@rows.row("stable-pages")
def _():
    """A disk whose data must not change as they are written asks for the same from those who use ours above it."""
    with lib.NullBlock("row", size=16) as below:
        asks = "/sys/block/%s/queue/stable_writes"
        must(asks % os.path.basename(below.node), "1")
        nullio("n1")
        must(HANDLERS + "/vdisk_blockio/mgmt", "add_device b1 filename=" + below.node)
        must(luns(), "add b1 0")
        must(luns(), "add n1 1")
        check(int(lib.read(asks % os.path.basename(node(0)))) == 1, "the disk above does not ask")
        check(int(lib.read(asks % os.path.basename(node(1)))) == 0, "a disk asks that need not")
        # Who found another disk there cannot be asked; what it writes is copied.
        must(luns(), "replace b1 1")
        with sg_of(1) as dev:
            dev.good(write(8), out=bytes([7]) * 4096)
            check(dev.good(read(8), 4096).data == bytes([7]) * 4096, "not what was written")
        must(luns(), "clear")
        remove_device("b1")
        # Past the page cache it is the same; through it, the cache's own pages are what must not change.
        for more, wanted in (("o_direct=1; async=1", 1), ("", 0)):
            must(HANDLERS + "/vdisk_fileio/mgmt", "add_device f1 filename=%s; %s" % (below.node, more))
            must(luns(), "add f1 0")
            must(luns(), "add n1 1")
            check(int(lib.read(asks % os.path.basename(node(0)))) == wanted, more, "asks:", not wanted)
            node(1)
            must(luns(), "replace f1 1")
            for lun in (0, 1):
                with sg_of(lun) as dev:
                    dev.good(write(8), out=bytes([8 + lun]) * 4096)
                    check(dev.good(read(8), 4096).data == bytes([8 + lun]) * 4096, "not what was written")
            must(luns(), "clear")
            remove_device("f1")


if __name__ == "__main__":
    sys.exit(rows.main(["gap-inside-a-block", "unmap-without-zeroes", "stable-pages"]))
