# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the stress programs share: the tree, the modules, and what they leave behind."""

import ctypes
import errno
import glob
import mmap
import os
import platform
import signal
import subprocess
import sys
import time
import traceback

TREE = "/sys/kernel/scst_tgt"
LOCAL = TREE + "/targets/scst_local"
DEFAULT = LOCAL + "/scst_local_tgt"
LAST_RESULT = TREE + "/last_sysfs_mgmt_res"
# Modules that let no writer wait; then this program waits, as long as the modules would.
FORCED_EAGAIN = "SCST_FORCE_EAGAIN" in os.environ
PATIENCE = 15
KMEMLEAK = "/sys/kernel/debug/kmemleak"

# What the kernel may keep when the modules have gone: caches of its own that are warm now and were not before.
SLACK_KIB = {"SUnreclaim": 4096, "VmallocUsed": 512, "Percpu": 1024}


def say(*words):
    print(*words, flush=True)


def fail(*words):
    say("FAILED:", *words)
    sys.exit(1)


def name_of(code):
    """An errno as people know it; 0 is success."""
    return "ok" if code == 0 else errno.errorcode.get(code, str(code))


def write(path, data):
    """One write(2) of all of `data`; the errno, 0 for success."""
    if isinstance(data, str):
        data = data.encode()
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as e:
        return e.errno
    try:
        os.write(fd, data)
        code = 0
    except OSError as e:
        code = e.errno
    finally:
        os.close(fd)
    return settled() if FORCED_EAGAIN and code == errno.EAGAIN and path.startswith(TREE) else code


def settled(seconds=PATIENCE):
    """How the management command that was written last ended; EAGAIN if it has not ended in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and os.path.exists(TREE):
        result = read(LAST_RESULT)
        if result is not None:
            return -int(result)
        time.sleep(0.005)
    return errno.EAGAIN


def must(path, data):
    """A write that the program cannot do without. One that takes long goes on by itself, and is waited for."""
    code = write(path, data)
    while code == errno.EAGAIN:
        time.sleep(0.5)
        result = read(LAST_RESULT)
        code = errno.EAGAIN if result is None else -int(result)
    if code:
        fail("writing %r to %s: %s" % (data, path, name_of(code)))


def read(path):
    """A file's content, or None where it cannot be read."""
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return None


def run(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def load(*modules):
    for module in modules or ("scst", "scst_vdisk", "scst_local"):
        done = run("modprobe", module)
        if done.returncode:
            fail("modprobe %s: %s" % (module, done.stdout))


def loaded(module):
    return os.path.isdir("/sys/module/" + module)


def unload(seconds=60):
    """Removes all three modules; a disk that is still being probed keeps scst_local in use for a moment."""
    for module in ("scst_local", "scst_vdisk", "scst"):
        until = time.monotonic() + seconds
        while loaded(module):
            done = run("rmmod", module)
            if done.returncode and time.monotonic() > until:
                fail("rmmod %s: %s (in use by %s)" % (module, done.stdout, openers()))
            if done.returncode:
                time.sleep(0.2)
    if os.path.exists(TREE):
        fail(TREE, "is still there though no module is")


def find_module(name):
    """The file of a module."""
    for folder, _, files in os.walk("/lib/modules/" + platform.release()):
        if name + ".ko" in files:
            return "%s/%s.ko" % (folder, name)
    fail("there is no module", name)


LIBC = ctypes.CDLL(None, use_errno=True)
# finit_module and delete_module: a process for each would cost more than all else in a round.
INSERT, DELETE = {"x86_64": (313, 176), "aarch64": (273, 106)}[platform.machine()]


def insert(path, options=""):
    """Loads a module's file, without what it depends on; the errno."""
    with open(path, "rb") as f:
        done = LIBC.syscall(INSERT, f.fileno(), options.encode(), 0)
    return ctypes.get_errno() if done else 0


def delete(name):
    """Removes a module unless it is in use; the errno."""
    done = LIBC.syscall(DELETE, name.encode(), os.O_NONBLOCK)
    return ctypes.get_errno() if done else 0


def alone(work):
    """Runs `work` in a process of its own, which dies with this one; its pid."""
    pid = os.fork()
    if pid:
        return pid
    LIBC.prctl(1, signal.SIGKILL)
    try:
        work()
    except SystemExit as e:
        os._exit(e.code or 0)
    except BaseException:  # A child must never return into its parent's code.
        traceback.print_exc()
        os._exit(3)
    os._exit(0)


class Progress:
    """What a process does at present, for another one to see: a number, and a text."""

    SIZE = 512

    def __init__(self):
        self.memory = mmap.mmap(-1, self.SIZE)

    def note(self, done, text):
        data = text.encode(errors="replace")[:self.SIZE - 8]
        self.memory[8:] = data.ljust(self.SIZE - 8, b"\0")
        self.memory[:8] = done.to_bytes(8, "little")

    def done(self):
        return int.from_bytes(self.memory[:8], "little")

    def text(self):
        return self.memory[8:].rstrip(b"\0").decode(errors="replace")


def watch(children, patience, every=30, told=None):
    """Waits for children, {pid: Progress}; fails when one fails, or makes no progress for `patience` seconds."""
    children = dict(children)
    last = {pid: (-1, time.monotonic()) for pid in children}
    start = spoken = time.monotonic()
    while children:
        time.sleep(0.1)
        for pid, progress in list(children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended and status:
                fail("a process ended with status %d in: %s" % (status, progress.text()))
            if ended:
                del children[pid]
            elif progress.done() != last[pid][0]:
                last[pid] = (progress.done(), time.monotonic())
            elif time.monotonic() - last[pid][1] > patience:
                stacks()
                fail("process %d is hung in: %s" % (pid, progress.text()))
        if told and time.monotonic() - spoken > every:
            spoken = time.monotonic()
            told(int(spoken - start))


def stacks():
    """Prints where in the kernel every thread is that is in the target stack or in the SCSI midlayer."""
    for stat in sorted(glob.glob("/proc/[0-9]*/task/[0-9]*")):
        stack = (read(stat + "/stack") or b"").decode(errors="replace")
        if "scs" in stack or "blk_mq" in stack:
            say(stat, (read(stat + "/comm") or b"").decode(errors="replace").strip())
            say(stack)


def openers():
    """Processes that have a SCSI disk open, for a message."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            links = [os.readlink("/proc/%s/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%s/fd" % pid)]
        except OSError:
            continue
        found += ["%s:%s" % (pid, to) for to in links if to.startswith(("/dev/sd", "/dev/sr", "/dev/sg"))]
    return " ".join(found) or "nobody"


def memory():
    """KiB of what only the kernel frees, with nothing cached that could be dropped."""
    os.sync()
    write("/proc/sys/vm/drop_caches", "3")
    time.sleep(2)
    with open("/proc/meminfo") as f:
        lines = [line.split() for line in f]
    return {words[0][:-1]: int(words[1]) for words in lines}


class Memory:
    """Whether the modules give back what they took: compared with a round of loading and unloading before."""

    def __init__(self):
        load()
        unload()
        self.before = memory()

    def check(self):
        """Call with the modules unloaded."""
        after = memory()
        grown = {key: after[key] - self.before[key] for key in SLACK_KIB}
        say("memory after unloading:", ", ".join("%s %+d KiB" % item for item in grown.items()))
        for key, slack in SLACK_KIB.items():
            # The checkers keep freed memory for a while; there kmemleak is the one to ask.
            if grown[key] > slack and not (key == "SUnreclaim" and os.path.exists(KMEMLEAK)):
                fail("%s grew by %d KiB" % (key, grown[key]))
        leaks()


def leaks():
    """Fails on what kmemleak finds, where there is kmemleak."""
    if not os.access(KMEMLEAK, os.W_OK):
        return
    # An object is reported when two scans have not found it; the second is for what moved during the first.
    for _ in range(2):
        if write(KMEMLEAK, "scan"):
            return
        time.sleep(6)
    text = (read(KMEMLEAK) or b"").decode(errors="replace")
    if "unreferenced object" in text:
        fail("kmemleak:\n" + text[:6000])
    say("kmemleak finds nothing")


def forget_leaks():
    """What was lost before a test began is not the test's."""
    if os.access(KMEMLEAK, os.W_OK):
        write(KMEMLEAK, "scan")
        write(KMEMLEAK, "clear")


def disks():
    """SCSI disks by model."""
    found = {}
    for name in os.listdir("/sys/block"):
        model = read("/sys/block/%s/device/model" % name)
        if model is not None:
            found.setdefault(model.decode(errors="replace").strip(), []).append("/dev/" + name)
    return found


class NullBlock:
    """A null block device of the kernel, with memory behind it, made with more attributes; without power until it is `on`.
    In a `with` block it has power, and its node is `node`."""

    def __init__(self, name, **attributes):
        self.folder = "/sys/kernel/config/nullb/" + name
        run("modprobe", "null_blk", "nr_devices=0")
        if not os.path.ismount("/sys/kernel/config"):
            done = run("mount", "-t", "configfs", "none", "/sys/kernel/config")
            if done.returncode:
                fail("mounting configfs:", done.stdout)
        os.mkdir(self.folder)
        for key, value in {"memory_backed": 1, **attributes}.items():
            must("%s/%s" % (self.folder, key), str(value))

    def on(self):
        """Gives it power; its node."""
        before = set(os.listdir("/sys/block"))
        must(self.folder + "/power", "1")
        return "/dev/" + wait_for("the null block device", lambda: set(os.listdir("/sys/block")) - before).pop()

    def cut(self):
        """Switches the power off, in the middle of whatever is going on."""
        must(self.folder + "/power", "0")

    def discard(self):
        """Lets the memory go."""
        os.rmdir(self.folder)

    def __enter__(self):
        self.node = self.on()
        return self

    def __exit__(self, *_):
        self.cut()
        self.discard()


def wait_for(what, test, seconds=30):
    """Polls until `test` gives something."""
    until = time.monotonic() + seconds
    while True:
        got = test()
        if got:
            return got
        if time.monotonic() > until:
            fail("%s did not happen within %d s" % (what, seconds))
        time.sleep(0.05)


def settle(seconds=30):
    """Waits until nobody probes a disk any more: each open of one counts as a use of scst_local."""
    quiet = 0
    until = time.monotonic() + seconds
    while quiet < 5 and time.monotonic() < until:
        time.sleep(0.1)
        quiet = quiet + 1 if int(read("/sys/module/scst_local/refcnt") or 0) == 0 else 0
