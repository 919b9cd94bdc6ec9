#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Does in the guest what a golden transcript says, and answers in the transcript's own words.

Takes a file with one JSON object a line, a step each, and prints one JSON object a line, an answer each, with the step's
number. A step that does not end in time is answered with that, and its thread is left behind: nothing waits for it.
"""

import ctypes
import errno
import fcntl
import glob
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

ROOT = "/sys/kernel/scst_tgt"
SG_IO = 0x2285
# Seconds after which a shell command is left to itself. The recorder waited for 30 on an idle machine.
SHELL_S = 120
# Seconds after which anything else counts as stuck.
STUCK_S = 180

# Names of nodes of SCSI devices.
NODE = re.compile(r"\b(?:sd[a-z]+|sr\d+|sg\d+)\b")
# Attributes whose writing makes SCSI devices come, go or change.
MOVING = ("mgmt", "filename", "active", "size", "resync_size", "force_close")

held = {}
background = []
stuck = []
sg_timeout_s = 20


class SgIoHdr(ctypes.Structure):
    """The kernel's struct sg_io_hdr, <scsi/sg.h>."""

    _fields_ = [
        ("interface_id", ctypes.c_int),
        ("dxfer_direction", ctypes.c_int),
        ("cmd_len", ctypes.c_ubyte),
        ("mx_sb_len", ctypes.c_ubyte),
        ("iovec_count", ctypes.c_ushort),
        ("dxfer_len", ctypes.c_uint),
        ("dxferp", ctypes.c_void_p),
        ("cmdp", ctypes.c_void_p),
        ("sbp", ctypes.c_void_p),
        ("timeout", ctypes.c_uint),
        ("flags", ctypes.c_uint),
        ("pack_id", ctypes.c_int),
        ("usr_ptr", ctypes.c_void_p),
        ("status", ctypes.c_ubyte),
        ("masked_status", ctypes.c_ubyte),
        ("msg_status", ctypes.c_ubyte),
        ("sb_len_wr", ctypes.c_ubyte),
        ("host_status", ctypes.c_ushort),
        ("driver_status", ctypes.c_ushort),
        ("resid", ctypes.c_int),
        ("duration", ctypes.c_uint),
        ("info", ctypes.c_uint),
    ]


def in_time(work, seconds):
    """What work() returns, or None if it takes longer."""
    box = []
    thread = threading.Thread(target=lambda: box.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    return box[0] if box else None


def failed(verb, error):
    return f"{verb}-{errno.errorcode.get(error.errno, 'E?')}({error.errno})"


def literal(data):
    """Bytes as the transcripts write them."""
    out = []
    for byte in data:
        char = chr(byte)
        if char in "\\'":
            out.append("\\" + char)
        elif char in "\n\r\t":
            out.append({"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char])
        elif 32 <= byte < 127:
            out.append(char)
        else:
            out.append(f"\\x{byte:02x}")
    return "'" + "".join(out) + "'"


def content(path):
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as error:
        return failed("OPEN", error)
    try:
        data = b""
        while piece := os.read(fd, 65536):
            data += piece
        return literal(data)
    except OSError as error:
        return failed("READ", error)
    finally:
        os.close(fd)


def read(step):
    return [content(os.path.join(ROOT, step["path"]))]


def written(path, data):
    """One write(2) with all of the data, and nothing else: no buffering, no second try."""
    try:
        fd = os.open(path, os.O_WRONLY)
    except OSError as error:
        return failed("OPEN", error)
    try:
        return f"ok({os.write(fd, data)} of {len(data)})"
    except OSError as error:
        return failed("WRITE", error)
    finally:
        os.close(fd)


def result_of_last():
    """`last_sysfs_mgmt_res`, once nothing is under way any more."""
    for _ in range(50):
        text = content(ROOT + "/last_sysfs_mgmt_res")
        if not text.startswith("READ-EAGAIN"):
            return text.strip("'").removesuffix("\\n")
        time.sleep(0.1)
    return "stuck-EAGAIN"


def write(step):
    path = os.path.join(ROOT, step["path"])
    result = written(path, bytes.fromhex(step["hex"]))
    if os.path.basename(path) in MOVING:
        settle()
    return [f"{result}; last_sysfs_mgmt_res={result_of_last()}"]


def listing(step):
    names = sorted(name for name in os.listdir(os.path.join(ROOT, step["path"])) if name != "mgmt")
    return [repr(names)]


def contents(step):
    root = os.path.normpath(os.path.join(ROOT, step["path"]))
    lines = []
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                lines.append(f"{os.path.relpath(path, root)} = {content(path)}")
    return sorted(lines)


def own_nodes(step):
    """The recorder's node names and ours, as far as both have the LUN."""
    pairs = []
    for node, lun in step["nodes"].items():
        kind = "scsi_generic" if node.startswith("sg") else "block"
        ours = glob.glob(f"/sys/class/scsi_device/{lun}/device/{kind}/*")
        pairs.append((node, os.path.basename(ours[0]) if ours else None))
    return pairs


def renamed(text, names):
    """`text` with the nodes in it renamed; one that has no name on the other side gets one that is no node."""
    return NODE.sub(lambda found: names.get(found[0], found[0]), text)


def in_our_names(text, step):
    return renamed(text, {node: ours or f"{node}_is_not_there" for node, ours in own_nodes(step)})


def in_their_names(text, step):
    return renamed(text, {ours: node for node, ours in own_nodes(step) if ours})


def shell(step):
    process = subprocess.Popen(
        ["bash", "-c", in_our_names(step["command"], step)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/root",
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=SHELL_S)
    except subprocess.TimeoutExpired:
        stuck.append(process)
        return ["[STILL RUNNING after 30s]"]
    settle()
    text = in_their_names(out.decode("utf-8", "backslashreplace"), step).replace("_is_not_there", "")
    lines = text.splitlines()
    return lines + [f"[rc={process.returncode}]"]


def sg_io(step):
    cdb = (ctypes.c_ubyte * len(step["cdb"])).from_buffer_copy(bytes(step["cdb"]))
    sense = (ctypes.c_ubyte * 64)()
    out = bytes.fromhex(step["out"]) if "out" in step else None
    length = len(out) if out is not None else step.get("in", 0)
    # One page more than needed, and the part of it that is used begins a page: buffers of any alignment are legal,
    # but an unaligned one is copied, which hides what the target does to a short transfer.
    memory = (ctypes.c_ubyte * (length + 8192))()
    address = (ctypes.addressof(memory) + 4095) & ~4095
    if out:
        ctypes.memmove(address, out, length)
    hdr = SgIoHdr()
    hdr.interface_id = ord("S")
    hdr.dxfer_direction = -2 if out is not None else -3 if length else -1
    hdr.cmd_len = len(step["cdb"])
    hdr.cmdp = ctypes.addressof(cdb)
    hdr.mx_sb_len = len(sense)
    hdr.sbp = ctypes.addressof(sense)
    hdr.dxfer_len = length
    hdr.dxferp = address if length else None
    hdr.timeout = sg_timeout_s * 1000
    try:
        fd = os.open("/dev/" + in_our_names(step["node"], step), os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return {"lines": [failed("OPEN", error)], "data": "", "total": 0}
    try:
        fcntl.ioctl(fd, SG_IO, hdr)
    except OSError as error:
        return {"lines": [failed("IOCTL", error)], "data": "", "total": 0}
    finally:
        os.close(fd)
    line = f"status={hdr.status:02x} host={hdr.host_status:02x} driver={hdr.driver_status:02x} resid={hdr.resid}"
    if hdr.sb_len_wr:
        line += f" sense=[{bytes(sense[: hdr.sb_len_wr]).hex(' ')}]"
    total = 0 if out is not None else max(0, min(length, length - hdr.resid))
    data = ctypes.string_at(address, min(total, 4096)).hex() if total else ""
    return {"lines": [line], "data": data, "total": total}


def hold(step):
    try:
        held[step["path"]] = os.open(in_our_names(step["path"], step), os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return [failed("OPEN", error)]
    return []


def let_go(step):
    fd = held.pop(step["path"], None)
    if fd is not None:
        os.close(fd)
    settle()
    return []


def start(step):
    command = in_our_names(step["command"], step)
    background.append(subprocess.Popen(["bash", "-c", command], stdin=subprocess.DEVNULL, start_new_session=True))
    time.sleep(1)
    return []


def stop(_step):
    while background:
        process = background.pop()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    settle()
    return []


def timeout(step):
    global sg_timeout_s
    sg_timeout_s = step["seconds"]
    return []


def run(step):
    done = subprocess.run(
        ["bash", "-c", step["command"]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/root"
    )
    return [] if done.returncode == 0 else [f"[rc={done.returncode}] {done.stdout.decode(errors='replace')}"]


def attached():
    """The SCSI devices with what hangs on each, and who uses the transport: it stands still when probing has ended."""
    seen = []
    complete = True
    for device in sorted(glob.glob("/sys/class/scsi_device/*/device")):
        nodes = glob.glob(device + "/block/*") + glob.glob(device + "/scsi_generic/*")
        with open(device + "/type", encoding="ascii") as file:
            wanted = 2 if file.read().strip() in ("0", "5") else 1
        complete = complete and len(nodes) >= wanted
        seen.append((device, len(nodes)))
    try:
        with open("/sys/module/scst_local/refcnt", encoding="ascii") as file:
            seen.append(file.read())
    except OSError:
        pass
    return complete, seen


def settle():
    """Waits until what a step began has found its end: disks are probed by other threads."""
    last, calm = None, 0
    for _ in range(60):
        try:
            complete, seen = attached()
        except OSError:
            complete, seen = False, None
        calm = calm + 1 if seen == last else 0
        last = seen
        if calm >= (2 if complete else 20):
            return
        time.sleep(0.03)


def reset(_step):
    """Back to a guest in which nothing was ever loaded."""
    stop(None)
    for path in list(held):
        os.close(held.pop(path))
    subprocess.run(["bash", "-c", "umount /mnt 2>/dev/null; losetup -D 2>/dev/null"], check=False)
    deadline = time.monotonic() + 30
    while os.path.exists("/sys/module/scst") and time.monotonic() < deadline:
        for module in ("scst_local", "scst_vdisk", "scst"):
            subprocess.run(["rmmod", module], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        time.sleep(0.1)
    timeout({"seconds": 20})
    for path in ("/tmp", "/var/lib/scst/pr", "/var/lib/scst/vdev_mode_pages"):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["find", path + "/", "-mindepth", "1", "-delete"], check=False)
    return ["the modules do not unload"] if os.path.exists("/sys/module/scst") else []


VERBS = {
    "read": read,
    "write": write,
    "list": listing,
    "contents": contents,
    "shell": shell,
    "cdb": sg_io,
    "open": hold,
    "close": let_go,
    "start": start,
    "stop": stop,
    "timeout": timeout,
    "run": run,
    "reset": reset,
}


def answer(step):
    def work():
        try:
            return VERBS[step["do"]](step)
        except Exception as error:  # The step's answer, whatever it is; the others still run.
            return [f"EXCEPTION {error!r}"]

    result = in_time(work, STUCK_S)
    if result is None:
        result = [f"[STUCK after {STUCK_S}s]"]
    return result if isinstance(result, dict) else {"lines": result}


def main():
    os.environ.update(LC_ALL="C", PATH="/usr/sbin:/usr/bin:/sbin:/bin", TZ="UTC")
    # The appliance's busybox reads the text index of modules; the recorder's kmod wants its own kind.
    subprocess.run(["depmod", "-a"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(sys.argv[1], encoding="ascii") as steps:
        for line in steps:
            step = json.loads(line)
            began = time.monotonic()
            result = answer(step)
            result["number"] = step["number"]
            result["seconds"] = round(time.monotonic() - began, 2)
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
    # Threads that are stuck in the kernel must not keep the guest.
    os._exit(0)
