# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes to every writable file below /sys/kernel/scst_tgt, from several processes, while others read everything.

Most writes are commands and values that make sense, or such ones broken in one place: so objects come and go, under
other writers' hands. Whoever runs this watches the kernel's log; the program itself fails when a write does not return,
and when the modules do not unload or do not give their memory back.
"""

import argparse
import ctypes
import mmap
import os
import random
import signal
import sys
import time

import grammar
import lib
from lib import TREE, fail, say

SLOT = 512
HUNG_S = 300


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--writes", type=int, default=20000, help="over all writers")
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--commands", type=float, default=0.01, help="share of whole management commands")
    parser.add_argument("--patience", type=int, default=HUNG_S, help="seconds after which a write counts as hung")
    return parser.parse_args()


WRITABLE = {}


def writable():
    """Every file that root may write to. What a name is in one directory it is taken to be in its sisters."""
    found = []
    for folder, _, files in os.walk(TREE):
        for name in files:
            path = folder + "/" + name
            kind = (folder.count("/"), name)
            if kind not in WRITABLE:
                try:
                    WRITABLE[kind] = os.lstat(path).st_mode & 0o200
                except OSError:
                    continue
            if WRITABLE[kind]:
                found.append(path)
    found.sort()
    return found


def mutate(rng, data):
    """`data` broken in one place."""
    kind = rng.randrange(10)
    at = rng.randrange(len(data) + 1)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1:]
    if kind == 2:
        return data[:at] + b"\0" + data[at:]
    if kind == 3:
        return data[:at] + rng.choice([b" ", b"=", b";", b"\n", b";;", b"\t", b"\\", b"'", b"\""]) + data[at:]
    if kind == 4:
        return data + b" " + data
    if kind == 5:
        return data + rng.choice([b"a", b"0", b" ", b";", b"\xff"]) * rng.choice([16, 200, 4000, 4095, 4096, 9000])
    if kind == 6:
        return b""
    if kind == 7:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(64)))
    if kind == 8:
        return data[::-1]
    return data.swapcase()


class Writer:
    """One process that writes."""

    def __init__(self, number, args, slot):
        self.rng = random.Random(args.seed * 1000 + number)
        self.args = args
        self.slot = slot
        self.number = number
        self.files = []
        self.answers = {}
        self.done = 0

    def note(self, path, data):
        """Where the parent looks when this does not return."""
        text = ("%s <- %r" % (path, data[:120])).encode()[:SLOT - 16]
        self.slot[8:SLOT] = text.ljust(SLOT - 8, b"\0")
        self.slot[0:8] = self.done.to_bytes(8, "little")

    def choose(self):
        rng = self.rng
        if rng.random() < self.args.commands:
            path = rng.choice(self.commands)
            return path, grammar.command(rng, path)
        path = rng.choice(self.files)
        if os.path.basename(path) in grammar.STOPPERS and rng.random() < 0.95:
            path = rng.choice(self.files)
        data = grammar.command(rng, path)
        if data is not None:
            # A whole command costs what adding a disk costs; broken ones are cheap.
            return path, mutate(rng, data)
        data = grammar.value(rng, path, lib.read(path) if rng.random() < 0.05 else b"")
        return path, data if rng.random() < 0.6 else mutate(rng, data)

    def run(self, count):
        while self.done < count:
            if self.done % 2000 == 0 or not self.files:
                self.files = writable()
                self.commands = [f for f in self.files if grammar.command(self.rng, f) is not None]
            path, data = self.choose()
            self.note(path, data)
            if os.path.basename(path) == "suspend" and not data.strip().startswith(b"-"):
                data = b"1"
            code = lib.write(path, data)
            self.answers[code] = self.answers.get(code, 0) + 1
            self.done += 1
        self.note("", b"")


def read_all():
    """Reads every file, again and again, and leaves the processors to the writers half of the time."""
    while True:
        for folder, _, files in os.walk(TREE):
            start = time.monotonic()
            for name in files:
                lib.read(folder + "/" + name)
            time.sleep(time.monotonic() - start)


def heal():
    """Lets stopped devices go on, so that no writer waits for ever for what another stopped."""
    for path in writable():
        name = os.path.basename(path)
        data = grammar.STOPPERS.get(name)
        while data and (lib.read(path) or b"0").split()[:1] not in ([b"0"], []):
            if lib.write(path, data):
                break


def child(work):
    pid = os.fork()
    if pid:
        return pid
    # Whoever is left behind by a parent that was killed would keep the modules busy.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    try:
        work()
    except KeyboardInterrupt:
        pass
    except BaseException as e:  # noqa: a child must never return into its parent's code
        say("a child of the fuzzer failed: %r" % e)
        os._exit(3)
    os._exit(0)


def prepare():
    os.makedirs("/tmp/fuzz", exist_ok=True)
    for path in grammar.FILES:
        with open(path, "wb") as f:
            f.truncate(4 << 20)
    for path, size in (("/tmp/fuzz/empty", 0), ("/tmp/fuzz/odd", 777)):
        with open(path, "wb") as f:
            f.truncate(size)
    if not os.path.exists("/tmp/fuzz/fifo"):
        os.mkfifo("/tmp/fuzz/fifo")
    lib.load()
    lib.must(TREE + "/handlers/vdisk_nullio/mgmt", "add_device keep size_mb=16")


def fuzz(args):
    memory = mmap.mmap(-1, SLOT * args.writers)
    share = -(-args.writes // args.writers)
    report = [os.pipe() for _ in range(args.writers)]

    def work(number):
        writer = Writer(number, args, memoryview(memory)[SLOT * number:SLOT * (number + 1)])
        writer.run(share)
        os.write(report[number][1], repr(writer.answers).encode())

    writers = {child(lambda n=n: work(n)): n for n in range(args.writers)}
    readers = [child(read_all) for _ in range(args.readers)]
    healer = child(lambda: [(heal(), time.sleep(1)) for _ in iter(int, 1)])
    watch(args, memory, writers, share)
    for pid in readers + [healer]:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    answers = {}
    for pipe in report:
        for code, count in eval(os.read(pipe[0], 65536)).items():
            answers[code] = answers.get(code, 0) + count
    return answers


def watch(args, memory, writers, share):
    """Waits for the writers, and fails when one makes no progress."""
    last = {n: (0, time.monotonic()) for n in range(args.writers)}
    told = time.monotonic()
    start = told
    while writers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in writers:
            if status:
                fail("writer %d ended with status %d" % (writers[pid], status))
            del writers[pid]
        elif pid:
            fail("a reader or the healer ended with status %d" % status)
        for pid, n in writers.items():
            done = int.from_bytes(memory[SLOT * n:SLOT * n + 8], "little")
            if done != last[n][0]:
                last[n] = (done, time.monotonic())
            elif time.monotonic() - last[n][1] > args.patience:
                hung(pid, n, memory)
        if time.monotonic() - told > 30:
            told = time.monotonic()
            total = sum(done for done, _ in last.values())
            say("%d of %d writes after %d s" % (total, share * args.writers, told - start))
        time.sleep(0.2)


def hung(pid, number, memory):
    text = memory[SLOT * number + 8:SLOT * (number + 1)].rstrip(b"\0").decode(errors="replace")
    say("writer %d is hung in: %s" % (number, text))
    for task in filter(str.isdigit, os.listdir("/proc")):
        stack = lib.read("/proc/%s/stack" % task)
        comm = lib.read("/proc/%s/comm" % task)
        if stack and b"scs" in stack:
            say(task, (comm or b"").decode().strip())
            say(stack.decode(errors="replace"))
    fail("a write did not return within the patience; process", pid)


def main():
    args = arguments()
    say("seed %d, %d writes by %d writers, %d readers" % (args.seed, args.writes, args.writers, args.readers))
    memory = lib.Memory()
    lib.forget_leaks()
    prepare()
    start = time.monotonic()
    answers = fuzz(args)
    heal()
    total = sum(answers.values())
    say("%d writes in %d s" % (total, time.monotonic() - start))
    say("answers:", ", ".join("%s %d" % (lib.name_of(c), n) for c, n in sorted(answers.items(), key=lambda i: -i[1])))
    if not answers.get(0) or len(answers) < 3:
        fail("the answers do not look as if the writes arrived")
    lib.unload()
    memory.check()
    say("fuzzed %d writes, seed %d" % (total, args.seed))


sys.exit(main())
