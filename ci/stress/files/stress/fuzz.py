# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes to every writable file below /sys/kernel/scst_tgt, from several processes, while others read everything.

Most writes are commands and values that make sense, or such ones broken in one place: so objects come and go, under
other writers' hands. Whoever runs this watches the kernel's log; the program itself fails when a write does not return,
and when the modules do not unload or do not give their memory back.
"""

import argparse
import json
import os
import random
import signal
import sys
import time

import grammar
import lib
from lib import TREE, fail, say

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

    def __init__(self, number, args, progress):
        self.rng = random.Random(args.seed * 1000 + number)
        self.args = args
        self.progress = progress
        self.files = []
        self.commands = []
        self.answers = {}

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
        for done in range(count):
            if done % 2000 == 0 or not self.files:
                self.files = writable()
                self.commands = [f for f in self.files if grammar.command(self.rng, f) is not None]
            path, data = self.choose()
            if os.path.basename(path) == "suspend" and not data.strip().startswith(b"-"):
                data = b"1"
            self.progress.note(done, "%s <- %r" % (path, data[:120]))
            code = lib.write(path, data)
            self.answers[code] = self.answers.get(code, 0) + 1


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


def heal_always():
    while True:
        heal()
        time.sleep(1)


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
    progress = [lib.Progress() for _ in range(args.writers)]
    report = [os.pipe() for _ in range(args.writers)]
    share = -(-args.writes // args.writers)

    def work(number):
        writer = Writer(number, args, progress[number])
        writer.run(share)
        os.write(report[number][1], json.dumps(writer.answers).encode())

    writers = {lib.alone(lambda n=n: work(n)): progress[n] for n in range(args.writers)}
    others = [lib.alone(read_all) for _ in range(args.readers)] + [lib.alone(heal_always)]
    lib.watch(writers, args.patience, told=lambda seconds: say(
        "%d of %d writes after %d s" % (sum(p.done() for p in progress), share * args.writers, seconds)))
    for pid in others:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    answers = {}
    for pipe in report:
        for code, count in json.loads(os.read(pipe[0], 65536)).items():
            answers[int(code)] = answers.get(int(code), 0) + count
    return answers


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


if __name__ == "__main__":
    sys.exit(main())
