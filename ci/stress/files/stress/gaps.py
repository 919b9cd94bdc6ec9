# SPDX-License-Identifier: MIT OR Apache-2.0
"""Disks that take no gaps between the pages of a transfer, as NVMe drives often do; a null block device plays them."""

import sys

import rows
from history_io import odd_buffers


@rows.row("gap-inside-a-block")
def _():
    """A disk that takes no gaps is given none inside a block either, where no transfer can be cut."""
    for size in (512, 4096):
        with rows.NullBlock(virt_boundary=1, blocksize=size) as below:
            odd_buffers("vdisk_blockio", below.node, "blocksize=%d" % size)
            for waits in (False, True):
                odd_buffers("vdisk_fileio", below.node, "o_direct=1; async=1; blocksize=%d" % size, waits)
    # Blocks that are smaller than the disk's are put together in the page cache.
    with rows.NullBlock(virt_boundary=1, blocksize=4096) as below:
        for waits in (False, True):
            odd_buffers("vdisk_fileio", below.node, "o_direct=1; async=1", waits)


if __name__ == "__main__":
    sys.exit(rows.main(["gap-inside-a-block"]))
