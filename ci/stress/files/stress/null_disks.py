# SPDX-License-Identifier: MIT OR Apache-2.0
"""Disks that take no gaps between the pages of a transfer, as NVMe drives often do; a null block device plays them."""

import sys

import lib
import rows
from history_io import ODD, odd_buffers

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


if __name__ == "__main__":
    sys.exit(rows.main(["gap-inside-a-block"]))
