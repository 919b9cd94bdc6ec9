# SPDX-License-Identifier: MIT OR Apache-2.0
"""Random and broken commands to every kind of device, with odd lengths, directions and buffers.

Several processes send them; with `--meanwhile`, others reset the devices and take LUNs away and back. A command must end
as SAM knows it: a status of the standard, sense data with CHECK CONDITION, a residual within what was asked for, and nothing
written behind the buffer. Afterwards every device must still do its work. Whoever runs this watches the kernel's log.
"""

import argparse
import ctypes
import fcntl
import mmap
import os
import random
import signal
import sys
import time

import lib
import sg
from lib import DEFAULT, TREE, fail, must, say

HANDLERS = ("vdisk_fileio", "vdisk_blockio", "vdisk_nullio", "vcdrom")
# GOOD, CHECK CONDITION, BUSY, RESERVATION CONFLICT, TASK SET FULL, TASK ABORTED.
STATUSES = (0x00, 0x02, 0x08, 0x18, 0x28, 0x40)
# Linux's own verdicts; anything but 0 needs somebody who resets, times out or takes LUNs away.
NO_CONNECT, TIME_OUT, ABORT, ERROR, RESET, REQUEUE, TRANSPORT_DISRUPTED, TARGET_FAILURE = 1, 3, 5, 7, 8, 0xD, 0xE, 0x10
DISTURBED = (NO_CONNECT, TIME_OUT, ABORT, ERROR, RESET, REQUEUE, TRANSPORT_DISRUPTED, TARGET_FAILURE)
SIZES = [0, 1, 2, 3, 4, 7, 8, 12, 16, 18, 24, 31, 32, 36, 60, 96, 252, 255, 256, 511, 512, 513, 1024, 2048, 4096, 8192, 65535, 65536]
AREA = 65536 + 8192
SIZE = 8 << 20
ODD = (0, 0, 0, 1, 3, 4, 511, 512, 4095)
GUARD = bytes([0xA5]) * 64
EDGES = (1, 2, 4, 8, 0x10, 0x3F, 0x7F, 0x80, 0xFF)


def mostly_nothing(drawn):
    """Of ten bytes seven are nothing, two are edges, one is as it was drawn."""
    if drawn % 10 < 7:
        return 0
    return drawn if drawn % 10 == 9 else EDGES[drawn % len(EDGES)]


MOSTLY_NOTHING = bytes(map(mostly_nothing, range(256)))
START_STOP_UNIT = 0x1B


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--commands", type=int, default=10000, help="for each handler")
    parser.add_argument("--senders", type=int, default=3, help="processes for each handler")
    parser.add_argument("--handlers", default=",".join(HANDLERS))
    parser.add_argument("--meanwhile", action="store_true", help="reset devices, and take LUNs away and back")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds from one disturbance to the next, on average")
    parser.add_argument("--patience", type=int, default=300, help="seconds after which a command counts as hung")
    return parser.parse_args()


def natural(opcode):
    """Bytes of a CDB by its opcode's group (SPC-4 4.2.5.1)."""
    return (6, 10, 10, 16, 16, 12, 10, 16)[opcode >> 5]


class Sender:
    """One process that sends."""

    def __init__(self, lun, number, commands, args, progress):
        self.rng = random.Random("%d %d %d" % (args.seed, lun, number))
        self.lun, self.args, self.progress = lun, args, progress
        self.area = mmap.mmap(-1, AREA)
        self.base = ctypes.addressof(ctypes.c_ubyte.from_buffer(self.area))
        self.cdb, self.sense = (ctypes.c_ubyte * 64)(), (ctypes.c_ubyte * 252)()
        self.header = sg.Header(interface_id=ord("S"), mx_sb_len=252, cmdp=ctypes.addressof(self.cdb), sbp=ctypes.addressof(self.sense))
        self.device = None
        self.last = bytes(6)
        self.known = commands
        self.ends = {}

    def bytes(self, count):
        """Bytes of an address or a length: mostly nothing, sometimes at an edge."""
        return self.rng.randbytes(count).translate(MOSTLY_NOTHING)

    def next_cdb(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.1:
            cdb = bytearray(self.last)
            cdb[int(rng.random() * len(cdb))] ^= 1 << int(rng.random() * 8)
            return bytes(cdb)
        if kind < 0.2:
            opcode = int(rng.random() * 256)
            length = natural(opcode) if rng.random() < 0.8 else rng.choice((6, 10, 12, 16, 32, 60))
            return bytes([opcode]) + self.bytes(length - 1)
        return self.supported()

    def supported(self):
        """A command that the device says it knows, with bits where it says that it looks at them, and seldom elsewhere."""
        known = self.known[int(self.rng.random() * len(self.known))]
        drawn = self.bytes(len(known.usage))
        if self.rng.random() >= 0.05:
            drawn = (int.from_bytes(drawn, "big") & known.mask).to_bytes(len(drawn), "big")
        cdb = bytearray(drawn)
        cdb[0] = known.opcode
        if known.action is not None:
            cdb[1] = cdb[1] & 0xE0 | known.action
        if known.opcode == START_STOP_UNIT and self.rng.random() < 0.9:
            # A unit that is stopped, or without its disc, refuses all that follows.
            cdb[4] = 1
        return bytes(cdb)

    def prepare(self, cdb):
        rng, header = self.rng, self.header
        size = SIZES[int(rng.random() * len(SIZES))]
        odd = ODD[int(rng.random() * len(ODD))]
        ctypes.memmove(self.cdb, cdb, len(cdb))
        if rng.random() < 0.2:
            # Parameter lists with a length that fits, now and then.
            self.area[odd:odd + 32] = self.bytes(32)
        self.area[odd + size:odd + size + 64] = GUARD
        header.cmd_len = len(cdb)
        header.dxfer_len = size
        header.dxferp = self.base + odd if size else None
        header.dxfer_direction = (sg.FROM_DEVICE if rng.random() < 0.5 else sg.TO_DEVICE) if size else sg.NONE
        header.timeout = rng.choice((1, 20, 1000)) if self.args.meanwhile and rng.random() < 0.01 else 60000
        return size, odd

    def send(self):
        cdb = self.next_cdb()
        size, odd = self.prepare(cdb)
        try:
            fcntl.ioctl(self.device, sg.SG_IO, self.header)
        except OSError as e:
            # What Linux refuses by itself; a device that went is opened anew.
            if self.args.meanwhile and e.errno in (5, 6, 19):
                self.reopen()
            return
        self.judge(cdb, size, odd)
        self.last = cdb

    def judge(self, cdb, size, odd):
        header = self.header
        wrong = self.wrong(header, size, odd)
        if wrong:
            fail(wrong, "%s, %d bytes %d: status %02x host %x resid %d" % (
                cdb.hex(), size, header.dxfer_direction, header.status, header.host_status, header.resid))
        if not header.host_status:
            self.ends[header.status] = self.ends.get(header.status, 0) + 1

    def wrong(self, header, size, odd):
        """What is wrong with the end of a command, if anything is."""
        if header.host_status:
            return None if self.args.meanwhile and header.host_status in DISTURBED else "Linux gave up on"
        if header.status not in STATUSES:
            return "no such status:"
        if not 0 <= header.resid <= size:
            return "the residual is beyond the buffer:"
        if header.status == 2 and header.sb_len_wr < 8:
            return "CHECK CONDITION without sense data:"
        if self.area[odd + size:odd + size + 64] != GUARD:
            return "something was written behind the buffer:"
        return None

    def reopen(self):
        if self.device is not None:
            os.close(self.device)
        self.device = None
        until = time.monotonic() + 60
        while self.device is None:
            try:
                self.device = os.open(node(self.lun), os.O_RDWR | os.O_NONBLOCK)
            except (OSError, TypeError):
                if time.monotonic() > until:
                    fail("LUN %d does not come back" % self.lun)
                time.sleep(0.02)

    def run(self, count):
        self.reopen()
        for done in range(count):
            self.progress.note(done, self.last.hex())
            self.send()
        # Without this, all commands might have been refused and nobody would know.
        if self.ends.get(0, 0) * 20 < count:
            fail("LUN %d: hardly anything was carried out: %r" % (self.lun, self.ends))


class Known:
    """A command that a device knows, with its service action or None, and the CDB usage data (SPC-4 6.35)."""

    def __init__(self, opcode, action, usage):
        self.opcode, self.action, self.usage = opcode, action, usage
        self.mask = int.from_bytes(usage, "big")


def known(path):
    """What REPORT SUPPORTED OPERATION CODES lists."""
    found = []
    with sg.Device(path) as dev:
        listed = dev.good("a3 0c 00 00 00 00 00 00 20 00 00 00", 8192).data
        for at in range(4, 4 + int.from_bytes(listed[:4], "big"), 8):
            opcode, action, flags = listed[at], int.from_bytes(listed[at + 2:at + 4], "big"), listed[at + 5]
            option = 2 if flags & 1 else 1
            one = dev.good(bytes([0xA3, 0x0C, option, opcode]) + action.to_bytes(2, "big") + bytes([0, 0, 1, 0, 0, 0]), 256).data
            found.append(Known(opcode, action if flags & 1 else None, one[4:4 + int.from_bytes(one[2:4], "big")]))
    return found


def node(lun):
    """The SCSI generic node of a LUN of the default session, or None."""
    host = lib.read(DEFAULT + "/sessions/scst_local_host/host_no")
    folder = "/sys/bus/scsi/devices/%d:0:0:%d/scsi_generic" % (int(host), lun)
    try:
        return "/dev/" + os.listdir(folder)[0]
    except (OSError, IndexError):
        return None


def prepare(handlers):
    lib.load()
    for lun, handler in enumerate(handlers):
        mgmt = "%s/handlers/%s/mgmt" % (TREE, handler)
        path = "/tmp/cdbs-%d" % lun
        with open(path, "wb") as f:
            f.truncate(SIZE)
        must(mgmt, "add_device x%d%s" % (lun, {"vdisk_fileio": " filename=%s; thin_provisioned=1" % path,
                                                 "vdisk_blockio": " filename=/dev/vdb", "vdisk_nullio": " size=%d" % SIZE}.get(handler, "")))
        if handler == "vdisk_blockio":
            # A command for all of a large disk takes as long as a hundred others.
            must("%s/devices/x%d/size" % (TREE, lun), str(SIZE))
        if handler == "vcdrom":
            must("%s/devices/x%d/filename" % (TREE, lun), path)
        must(DEFAULT + "/luns/mgmt", "add x%d %d" % (lun, lun))
        lib.wait_for("LUN %d" % lun, lambda lun=lun: node(lun))


def heal(handlers):
    """Takes back what a command may have done that stops all that follow: an ejected disc, software write protection."""
    for lun, handler in enumerate(handlers):
        if handler == "vcdrom" and b"/tmp" not in (lib.read("%s/devices/x%d/filename" % (TREE, lun)) or b""):
            lib.write("%s/devices/x%d/filename" % (TREE, lun), "/tmp/cdbs-%d" % lun)
        path = node(lun)
        if path:
            try:
                with sg.Device(path) as dev:
                    unprotect(dev)
            except OSError:
                pass


def unprotect(dev):
    """Clears SWP and D_SENSE of the control mode page (SPC-4 7.5.7)."""
    answer = dev.command("1a 08 0a 00 40 00", 64)
    page = bytearray(answer.data[4:16])
    if answer.status == 0 and len(page) == 12 and (page[2] & 4 or page[4] & 8):
        page[2] &= ~4
        page[4] &= ~8
        dev.command("15 10 00 00 10 00", out=bytes(4) + bytes(page))


def heal_always(handlers):
    while True:
        heal(handlers)
        time.sleep(2)


def disturb(handlers, args):
    """Resets of each kind, and LUNs that go and come."""
    rng = random.Random(args.seed)
    while True:
        lun = rng.randrange(len(handlers))
        if rng.random() < 0.7:
            path = node(lun)
            try:
                with sg.Device(path) as dev:
                    dev.reset(rng.choice((sg.RESET_DEVICE, sg.RESET_TARGET)))
            except (OSError, TypeError):
                pass
        else:
            lib.write(DEFAULT + "/luns/mgmt", "del %d" % lun)
            lib.write(DEFAULT + "/luns/mgmt", "add x%d %d" % (lun, lun))
        time.sleep(2 * args.pause * rng.random())


def works(handlers):
    """Every device still answers, and a disk keeps what is written to it."""
    heal(handlers)
    for lun, handler in enumerate(handlers):
        path = lib.wait_for("LUN %d" % lun, lambda lun=lun: node(lun))
        with sg.Device(path) as dev:
            dev.good("12 00 00 00 24 00", 36)
            dev.good("00 00 00 00 00 00")
            if handler in ("vdisk_fileio", "vdisk_blockio"):
                data = os.urandom(4096)
                dev.good("2a 00 00 00 00 10 00 00 08 00", out=data)
                if dev.good("28 00 00 00 00 10 00 00 08 00", 4096).data != data:
                    fail("LUN %d does not give back what was written" % lun)


def fuzz(args, handlers):
    senders = {}
    # Asked before anybody disturbs the answers.
    commands = [known(node(lun)) for lun in range(len(handlers))]
    for lun in range(len(handlers)):
        for number in range(args.senders):
            progress = lib.Progress()
            sender = Sender(lun, number, commands[lun], args, progress)
            count = -(-args.commands // args.senders)
            senders[lib.alone(lambda s=sender, n=count: s.run(n))] = progress
    others = [lib.alone(lambda: heal_always(handlers))]
    if args.meanwhile:
        others.append(lib.alone(lambda: disturb(handlers, args)))
    lib.watch(senders, args.patience, told=lambda seconds: say(
        "%d commands after %d s" % (sum(p.done() for p in senders.values()), seconds)))
    for pid in others:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def main():
    args = arguments()
    handlers = args.handlers.split(",")
    say("seed %d, %d commands to each of %s" % (args.seed, args.commands, ", ".join(handlers)))
    memory = lib.Memory()
    lib.forget_leaks()
    prepare(handlers)
    start = time.monotonic()
    fuzz(args, handlers)
    say("%d commands in %d s" % (args.commands * len(handlers), time.monotonic() - start))
    if args.meanwhile:
        for lun in range(len(handlers)):
            lib.write(DEFAULT + "/luns/mgmt", "add x%d %d" % (lun, lun))
    works(handlers)
    lib.unload()
    memory.check()
    say("fuzzed %d commands to each handler, seed %d" % (args.commands, args.seed))


if __name__ == "__main__":
    sys.exit(main())
