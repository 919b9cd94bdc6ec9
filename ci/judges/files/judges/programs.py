# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every program of sg3-utils, run on each kind of LUN; its exit status is compared with sg3-utils.md."""

import argparse
import glob
import os
import subprocess
import sys

import luns
import table
from lib import fail, say

BLOCK = 512
# Where Debian's package puts them; the guest has no dpkg to ask.
PROGRAMS = ("/usr/bin/sg*_*", "/usr/bin/sginfo", "/usr/bin/scsi_*", "/usr/bin/rescan-scsi-bus.sh")


def files():
    """What the programs read: blocks of data."""
    contents = {
        "blocks": b"judged by others" * (8 * BLOCK // 16),
        "twice": (b"judged by others" * (BLOCK // 16)) * 2,
        "one": b"judged by others" * (BLOCK // 16),
    }
    for name, data in contents.items():
        with open("/tmp/" + name, "wb") as f:
            f.write(data)


def programs():
    """The names of the programs that are there."""
    found = {os.path.basename(path) for pattern in PROGRAMS for path in glob.glob(pattern)}
    return found or fail("there are no programs of sg3-utils")


def play(command, sg):
    """Runs a command of the table on a LUN; its exit status and what it printed."""
    words = [word.replace("SG", sg) for word in command.split()]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return "hangs", ""
    return str(done.returncode), done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="print the table with what was seen")
    parser.add_argument("--show", action="store_true", help="print what the programs print")
    options = parser.parse_args()
    rows, = table.tables("sg3-utils.md")
    kinds = [name for name in rows[0] if name in luns.KINDS]
    listed = {row["command"].split()[0] for row in rows}
    if listed != programs():
        fail("the table and the package have different programs: %s" % (listed ^ programs()))
    files()
    nodes = luns.make(kinds)
    wrong, count, seen = [], 0, []
    for row in rows:
        seen.append(dict(row))
        if not row["why"] and {row[kind] for kind in kinds} - {"0", "-"}:
            fail("%s: neither success nor a reason" % row["command"])
        for kind in kinds:
            if row[kind] == "-":
                continue
            luns.settle(nodes[kind][0])
            status, text = play(row["command"], nodes[kind][0])
            count += 1
            seen[-1][kind] = status
            if status != row[kind]:
                wrong.append("%s on %s: %s, expected %s" % (row["command"], kind, status, row[kind]))
                say("UNEXPECTED", wrong[-1])
            if options.show or status != row[kind]:
                say("    " + "\n    ".join(text.splitlines()[:None if options.show else 12]))
    if options.table:
        table.show(seen)
    if wrong:
        fail("%d of %d statuses are not what the table says" % (len(wrong), count))
    say("%d programs, %d commands as the table says" % (len(listed), count))


if __name__ == "__main__":
    sys.exit(main())
