# SPDX-License-Identifier: MIT OR Apache-2.0
"""What history.py's rows have in common: how they are listed, run and judged."""

import os
import subprocess
import sys
import threading
import time
import traceback

import lib
import sg
from lib import DEFAULT, LOCAL, TREE, must

ROWS = []


def row(name):
    """Marks a function as the test of `name`; its documentation says what must hold."""
    def mark(function):
        ROWS.append((name, function))
        return function
    return mark


def check(condition, *words):
    if not condition:
        raise AssertionError(" ".join(str(word) for word in words))


def refuse(path, data, *errnos):
    """A write that must be answered with one of `errnos`."""
    got = lib.name_of(lib.write(path, data))
    check(got in errnos, "%s <- %r: %s instead of %s" % (path, data[:80], got, "/".join(errnos)))


def backing(name, mib=16):
    path = "/tmp/" + name
    with open(path, "wb") as f:
        f.truncate(mib << 20)
    return path


def fileio(name, mib=16, params=""):
    must(TREE + "/handlers/vdisk_fileio/mgmt", "add_device %s filename=%s; %s" % (name, backing(name, mib), params))


def nullio(name, params="size_mb=64"):
    must(TREE + "/handlers/vdisk_nullio/mgmt", "add_device %s; %s" % (name, params))


def remove_device(name):
    must(TREE + "/handlers/vdisk_fileio/mgmt", "del_device " + name)


def luns(target="scst_local_tgt"):
    return "%s/%s/luns/mgmt" % (LOCAL, target)


def host(target="scst_local_tgt", session="scst_local_host"):
    return int(lib.read("%s/%s/sessions/%s/host_no" % (LOCAL, target, session)))


def sdev(lun, **where):
    """The SCSI device's folder."""
    return "/sys/bus/scsi/devices/%d:0:0:%d" % (host(**where), lun)


def node(lun, kind="sd", **where):
    """The device node of a LUN, once it can be opened."""
    folder = sdev(lun, **where) + {"sd": "/block", "sr": "/block", "sg": "/scsi_generic"}[kind]

    def there():
        try:
            path = "/dev/" + [n for n in os.listdir(folder) if n.startswith(kind)][0]
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
            return path
        except (OSError, IndexError):
            return None
    return lib.wait_for("%s of LUN %d" % (kind, lun), there)


def sg_of(lun, **where):
    return sg.Device(node(lun, "sg", **where))


def size_of(path):
    """Bytes of a disk."""
    return int(lib.read("/sys/block/%s/size" % os.path.basename(path))) * 512


def flushes(disk):
    """Flushes that a disk has done."""
    return int(lib.read("/sys/block/%s/stat" % os.path.basename(os.path.realpath(disk))).split()[15])


def shell(script, seconds=120):
    """Runs a shell script; its output."""
    done = subprocess.run(["/bin/sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds, check=False)
    check(done.returncode == 0, script, "ended with", done.returncode, done.stdout)
    return done.stdout


def log_since(mark):
    """What the kernel has said since the marker was written."""
    text = lib.run("dmesg").stdout
    return text[text.rfind(mark):]


def mark(text):
    lib.write("/dev/kmsg", text)
    return text


class Background:
    """Calls `work` over and over in a thread until the block ends; what it raises is raised there."""

    def __init__(self, work):
        self.work, self.error, self.stop, self.count = work, None, False, 0
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def loop(self):
        try:
            while not self.stop:
                self.work()
                self.count += 1
        except BaseException as e:  # Handed over to who waits.
            self.error = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stop = True
        self.thread.join(120)
        check(not self.thread.is_alive(), "a background loop hangs")
        if self.error and kind is None:
            raise self.error


def clean():
    """Everything away but the default target, so that no row sees another's remains."""
    lib.load()
    for target in os.listdir(LOCAL):
        if os.path.isdir(LOCAL + "/" + target) and target != "scst_local_tgt":
            must(LOCAL + "/mgmt", "del_target " + target)
    if not os.path.isdir(DEFAULT):
        must(LOCAL + "/mgmt", "add_target scst_local_tgt")
    if not os.path.isdir(DEFAULT + "/sessions/scst_local_host"):
        must(LOCAL + "/mgmt", "add_session scst_local_tgt scst_local_host")
    must(luns(), "clear")
    groups = DEFAULT + "/ini_groups"
    for group in os.listdir(groups) if os.path.isdir(groups) else []:
        if group != "mgmt":
            must(groups + "/mgmt", "del " + group)
    for device in os.listdir(TREE + "/devices"):
        remove_device(device)


def main(wanted):
    """Runs the rows whose name contains one of `wanted`, or all; the exit status."""
    failed, count = [], 0
    for name in ("sr_mod", "sg", "sd_mod"):
        lib.run("modprobe", name)
    lib.load()
    for name, function in ROWS:
        if wanted and not any(word in name for word in wanted):
            continue
        start, count = time.monotonic(), count + 1
        try:
            clean()
            function()
            lib.say("ok %s (%.1f s): %s" % (name, time.monotonic() - start, (function.__doc__ or "").split("\n")[0]))
        except BaseException:  # One row's failure must not hide the others.
            failed.append(name)
            lib.say("FAILED %s: %s\n%s" % (name, function.__doc__, traceback.format_exc()))
        sys.stdout.flush()
    clean()
    lib.unload()
    lib.say("%d rows, %d failed %s" % (count, len(failed), " ".join(failed)))
    return 1 if failed else 0
