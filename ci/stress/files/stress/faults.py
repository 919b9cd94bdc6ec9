# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fails each allocation of each management write in turn, on a kernel with fault injection.

A write must succeed or answer ENOMEM; one that failed must have changed nothing; and when the modules have gone, nothing
may be left. What the kernel below does when its own allocations fail, such as in the scan of a SCSI device, is met on
the way.
"""

import argparse
import errno
import itertools
import os
import re
import sys
import time

import fuzz
import grammar
import lib
from lib import DEFAULT, LOCAL, TREE, fail, must, say

DEBUG = "/sys/kernel/debug/failslab"
# Of attributes that show nothing and do not take every number.
VALUES = {"eui64_id": "0x0123456789abcdef", "naa_id": "0x3000000000000001"}
# Attributes that refuse what they show, with the errno of each and the reason.
REFUSED = {
    "rel_tgt_id": ("EINVAL", "a target without a number shows 0"),
    "transport_id": ("EINVAL", "it shows bytes that are no text"),
    "pr_state": ("EINVAL EBUSY", "its first line is not all of it, and a device in use takes none"),
    "pr_file_name": ("EBUSY", "a device in use keeps its file"),
    "size": ("EACCES", "a drive's can only be read"),
    "size_mb": ("EACCES", "a drive's can only be read"),
}
FILE, DISC, GROUPS = "/tmp/faults.img", "/tmp/faults.iso", TREE + "/device_groups"


class Case:
    """One write, what it needs beforehand, and what undoes it."""

    def __init__(self, path, data, undo=(), before=()):
        self.path, self.data, self.undo, self.before = path, data, undo, before

    def __str__(self):
        return "%s <- %r" % (self.path[len(TREE):], self.data)


def cases():
    """Every management command, in an order in which each finds what it needs; those that add undo themselves."""
    handlers, drivers = TREE + "/handlers/", LOCAL + "/mgmt"
    luns, groups = LOCAL + "/t1/luns/mgmt", LOCAL + "/t1/ini_groups/mgmt"
    inside, patterns = LOCAL + "/t1/ini_groups/g1/luns/mgmt", LOCAL + "/t1/ini_groups/g1/initiators/mgmt"
    for handler, params in (("vdisk_nullio", "size_mb=8; read_only=0"), ("vdisk_fileio", "filename=" + FILE),
                            ("vdisk_blockio", "filename=/dev/vdb"), ("vcdrom", "")):
        mgmt = handlers + handler + "/mgmt"
        add, delete = (mgmt, "add_device x1 " + params), (mgmt, "del_device x1")
        yield Case(*add, undo=[delete])
        yield Case(*delete, before=[add])
    yield Case(drivers, "add_target t2 session_name=s2; session_name=s3", undo=[(drivers, "del_target t2")])
    yield Case(drivers, "del_target t2", before=[(drivers, "add_target t2 session_name=s2")])
    yield Case(drivers, "add_session t1 s2", undo=[(drivers, "del_session t1 s2")])
    yield Case(drivers, "del_session t1 s2", before=[(drivers, "add_session t1 s2")])
    yield Case(luns, "add n1 5", undo=[(luns, "del 5")])
    yield Case(luns, "add n1 5; read_only=1", undo=[(luns, "del 5")])
    yield Case(luns, "del 5", before=[(luns, "add n1 5")])
    yield Case(luns, "clear", before=[(luns, "add n1 5"), (luns, "add n1 6")])
    yield Case(luns, "replace n2 5", before=[(luns, "add n1 5")], undo=[(luns, "del 5")])
    yield Case(handlers + "vdisk_nullio/mgmt", "del_device x1",
               before=[(handlers + "vdisk_nullio/mgmt", "add_device x1"), (luns, "add x1 5")])
    yield Case(groups, "create g1", undo=[(groups, "del g1")])
    group = [(groups, "create g1")]
    gone = [(groups, "del g1")]
    yield Case(groups, "del g1", before=group + [(inside, "add n1 0"), (patterns, "add nobody")])
    yield Case(inside, "add n1 0", before=group, undo=gone)
    # The session moves to the group, and back.
    yield Case(patterns, "add s1", before=group + [(inside, "add n1 3")], undo=[(patterns, "clear")] + gone)
    yield Case(patterns, "del s1", before=group + [(inside, "add n1 3"), (patterns, "add s1")], undo=gone)
    yield Case(GROUPS + "/mgmt", "create dg1", undo=[(GROUPS + "/mgmt", "del dg1")])
    group = [(GROUPS + "/mgmt", "create dg1")]
    gone = [(GROUPS + "/mgmt", "del dg1")]
    yield Case(GROUPS + "/dg1/devices/mgmt", "add n1", before=group, undo=gone)
    yield Case(GROUPS + "/dg1/target_groups/mgmt", "create tg1", before=group, undo=gone)
    for name in ("t1", "far"):
        yield Case(GROUPS + "/dg1/target_groups/tg1/mgmt", "add " + name,
                   before=group + [(GROUPS + "/dg1/target_groups/mgmt", "create tg1")], undo=gone)


def attributes(matches):
    """Every plain file that matches and takes what it shows already, or a new disc for a CD-ROM."""
    for path in fuzz.writable():
        name = os.path.basename(path)
        if grammar.command(fuzz.random.Random(1), path) is not None or name in grammar.STOPPERS or name == "force_close":
            continue
        value = (lib.read(path) or b"").split(b"\n")[0]
        if path.endswith("/cd1/filename"):
            value = DISC.encode()
        case = Case(path, value.decode(errors="replace") or VALUES.get(name, "1"))
        if not matches(case):
            continue
        code = lib.write(case.path, case.data)
        if code == errno.EAGAIN:
            code = lib.settled(600)
        expected, why = REFUSED.get(name, ("", ""))
        if not code:
            yield case
        elif lib.name_of(code) in expected.split():
            say("     refused: %s: %s, as %s" % (case, lib.name_of(code), why))
        else:
            fail("%s, which is what it shows: %s" % (case, lib.name_of(code)))


def write_failing(path, data, nth, patience):
    """A write whose `nth` allocation fails; the errno, and whether it came to that. Where the checkers make it take longer
    than its writer is let wait, its end is waited for."""
    fd = os.open(path, os.O_WRONLY)
    control = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
    try:
        os.write(control, b"%d" % nth)
        try:
            os.write(fd, data.encode())
            code = 0
        except OSError as e:
            code = e.errno
        if code == errno.EAGAIN:
            code = lib.settled(patience)
        left = int(os.pread(control, 32, 0).split(b"\0")[0])
        os.pwrite(control, b"0", 0)
        return code, left == 0
    finally:
        os.close(control)
        os.close(fd)


def listing():
    """What is in the tree; the numbers of links and of hosts ascend for ever."""
    return sorted(re.sub(r"/export\d+$", "/export", folder + "/" + name)
                  for folder, dirs, files in os.walk(TREE) for name in dirs + files)


def steps(args):
    nth = 0
    while True:
        nth += 1 if nth < args.first else args.every
        yield nth


def try_case(case, args, count, progress):
    for nth in steps(args):
        for path, data in case.before:
            must(path, data)
        was = listing()
        progress.note(sum(count.values()), "%s <- %r, allocation %d" % (case.path, case.data, nth))
        code, fired = write_failing(case.path, case.data, nth, args.patience / 2)
        where = "%s <- %r with allocation %d failing" % (case.path, case.data, nth)
        if fired and code not in (0, errno.ENOMEM):
            fail("%s: %s" % (where, lib.name_of(code)))
        if code == errno.ENOMEM and listing() != was:
            changed = set(listing()) ^ set(was)
            fail("%s changed the tree: %s" % (where, sorted(changed)[:10]))
        if code == errno.ENOMEM:
            # What failed for want of memory must work when there is some.
            must(case.path, case.data)
        if not fired and code:
            fail("%s <- %r: %s" % (case.path, case.data, lib.name_of(code)))
        for path, data in case.undo:
            must(path, data)
        count[code] = count.get(code, 0) + 1
        if not fired or nth > args.most:
            return nth


def prepare():
    for path in (FILE, DISC):
        with open(path, "wb") as f:
            f.truncate(4 << 20)
    lib.load()
    for command in ("add_device n1 size_mb=8", "add_device n2 size_mb=8"):
        must(TREE + "/handlers/vdisk_nullio/mgmt", command)
    must(TREE + "/handlers/vcdrom/mgmt", "add_device cd1")
    must(LOCAL + "/mgmt", "add_target t1 session_name=s1")
    must(LOCAL + "/t1/luns/mgmt", "add n1 0")
    must(DEFAULT + "/luns/mgmt", "add n1 0")


def work(args, progress):
    count, done = {}, 0
    for case in itertools.chain(filter(args.matches, cases()), attributes(args.matches)):
        if not os.path.exists(case.path) and not case.before:
            continue
        deepest = try_case(case, args, count, progress)
        done += 1
        say("%4d allocations: %s" % (deepest, case))
    total = sum(count.values())
    say("%d writes of %d kinds: %s" % (total, done, ", ".join("%s %d" % (lib.name_of(c), n) for c, n in count.items())))
    if not count.get(errno.ENOMEM):
        fail("no write ever failed, so nothing was injected")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1000, help="so many allocations are failed one after another")
    parser.add_argument("--every", type=int, default=1, help="and of the later ones each of these many")
    parser.add_argument("--most", type=int, default=5000, help="where a write ends that allocates without end")
    parser.add_argument("--patience", type=int, default=600)
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help="kinds of write that contain one of these")
    parser.add_argument("--but", nargs="+", default=[], metavar="WORD", help="and none of these")
    args = parser.parse_args()
    args.matches = lambda case: (any(word in str(case) for word in args.only)
                                 and not any(word in str(case) for word in args.but))
    if not os.path.isdir(DEBUG):
        lib.run("mount", "-t", "debugfs", "debugfs", "/sys/kernel/debug")
    if not os.path.exists("/proc/thread-self/fail-nth") or not os.path.isdir(DEBUG):
        say("this kernel injects no faults: nothing to do")
        return
    memory = lib.Memory()
    lib.forget_leaks()
    for name, value in (("ignore-gfp-wait", "N"), ("verbose", "0")):
        must(DEBUG + "/" + name, value)
    prepare()
    start = time.monotonic()
    progress = lib.Progress()
    lib.watch({lib.alone(lambda: work(args, progress)): progress}, args.patience)
    say("took %d s" % (time.monotonic() - start))
    lib.unload()
    memory.check()
    say("no allocation that failed did harm")


if __name__ == "__main__":
    sys.exit(main())
