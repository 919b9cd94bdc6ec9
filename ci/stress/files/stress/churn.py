# SPDX-License-Identifier: MIT OR Apache-2.0
"""LUNs, devices, sessions, targets and groups come and go while fio writes to LUNs that stay and verifies what it wrote.

fio runs once in peace and once under the churn; the difference of its worst latencies is what the churn costs a LUN
that nobody touches.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time

import lib
import rows
from lib import DEFAULT, LOCAL, TREE, fail, must, say

HANDLERS = TREE + "/handlers"
# Milliseconds that the churn may add to the slowest command, on a busy machine too; after 30 s Linux would abort it.
MOST_ADDED = 20_000
FIO = ["fio", "--output-format=json", "--direct=1", "--rw=randrw", "--bs=4k", "--size=24M", "--verify=crc32c",
       "--verify_fatal=1", "--time_based", "--group_reporting", "--ioengine=libaio", "--iodepth=8"]


def fio(disks, seconds):
    """Starts fio on each disk."""
    jobs = [word for number, disk in enumerate(disks) for word in ("--name=job%d" % number, "--filename=" + disk)]
    return subprocess.Popen(FIO + ["--runtime=%d" % seconds] + jobs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def result(process, seconds):
    """Milliseconds of the slowest command, and how many there were; fails where fio found an error."""
    out, _ = process.communicate(timeout=seconds + 600)
    text = out.decode(errors="replace")
    start = text.find("{")
    if process.returncode or start < 0:
        fail("fio ended with %d: %s" % (process.returncode, text[:3000]))
    jobs = json.loads(text[start:text.rindex("}") + 1])["jobs"]
    slowest, count = 0, 0
    for job in jobs:
        if job["error"]:
            fail("fio: error %d" % job["error"])
        for way in ("read", "write"):
            slowest = max(slowest, job[way]["clat_ns"]["max"])
            count += job[way]["total_ios"]
    return slowest / 1e6, count


class Churn:
    """Threads that each turn one thing round; their counts are the proof that they did."""

    def __init__(self, seed):
        self.seed = seed
        self.stop = False
        self.counts = {}
        self.threads = [threading.Thread(target=self.loop, args=(work,), daemon=True)
                        for work in (self.lun, self.replace, self.device, self.session, self.target, self.group)]

    def loop(self, work):
        rng = random.Random("%d %s" % (self.seed, work.__name__))
        while not self.stop:
            work(rng)
            self.counts[work.__name__] = self.counts.get(work.__name__, 0) + 1

    def lun(self, rng):
        """Among the LUNs that stay, on the host that fio uses."""
        number = rng.randrange(10, 20)
        must(rows.luns(), "add spare %d" % number)
        must(rows.luns(), "del %d" % number)

    def replace(self, rng):
        must(rows.luns(), "replace %s 30%s" % (rng.choice(["spare", "spare2"]), rng.choice(["", "; read_only=1"])))

    def device(self, rng):
        must(HANDLERS + "/vdisk_nullio/mgmt", "add_device x1 size_mb=8")
        if rng.random() < 0.5:
            must(rows.luns(), "add x1 40")
        must(HANDLERS + "/vdisk_nullio/mgmt", "del_device x1")

    def session(self, rng):
        name = "s%d" % rng.randrange(3)
        must(LOCAL + "/mgmt", "add_session keep_tgt " + name)
        must(LOCAL + "/mgmt", "del_session keep_tgt " + name)

    def target(self, rng):
        must(LOCAL + "/mgmt", "add_target t1 session_name=t1s")
        must(rows.luns("t1"), "add keep1 0")
        must(LOCAL + "/mgmt", "del_target t1")

    def group(self, rng):
        groups = LOCAL + "/keep_tgt/ini_groups"
        must(groups + "/mgmt", "create g1")
        must(groups + "/g1/luns/mgmt", "add spare 0")
        must(groups + "/g1/initiators/mgmt", "add moved")
        must(groups + "/g1/initiators/mgmt", "clear")
        must(groups + "/mgmt", "del g1")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for thread in self.threads:
            thread.join(300)
            if thread.is_alive():
                lib.stacks()
                fail("a thread of the churn hangs")


def prepare():
    lib.load()
    for name in ("keep1", "keep2"):
        rows.fileio(name, 32)
    for name in ("spare", "spare2"):
        rows.nullio(name)
    must(rows.luns(), "add keep1 0")
    must(rows.luns(), "add spare 30")
    must(LOCAL + "/mgmt", "add_target keep_tgt session_name=keep_host; session_name=moved")
    must(rows.luns("keep_tgt"), "add keep2 0")
    return [rows.node(0), rows.node(0, target="keep_tgt", session="keep_host")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    say("seed %d" % args.seed)
    for name in ("sg", "sd_mod"):
        lib.run("modprobe", name)
    memory = lib.Memory()
    lib.forget_leaks()
    disks = prepare()
    peace, _ = result(fio(disks, args.seconds), args.seconds)
    process = fio(disks, args.seconds)
    with Churn(args.seed) as churn:
        worst, count = result(process, args.seconds)
    say("turned round:", ", ".join("%s %d" % item for item in sorted(churn.counts.items())))
    if len(churn.counts) < len(churn.threads) or not count:
        fail("not everything was turned round, or fio did nothing")
    lib.unload()
    memory.check()
    say("%d verified commands; slowest in peace %.1f ms, under churn %.1f ms, added %.1f ms"
        % (count, peace, worst, max(0, worst - peace)))
    if worst - peace > MOST_ADDED:
        fail("the churn held up a LUN that nobody touched")


if __name__ == "__main__":
    sys.exit(main())
