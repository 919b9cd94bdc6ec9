# SPDX-License-Identifier: MIT OR Apache-2.0
"""What may be written where below /sys/kernel/scst_tgt: commands and values that make sense, for a fuzzer to start from.

The names come from small pools, so that commands of different writers meet on the same objects.
"""

import re

FILES = ["/tmp/fuzz/f%d" % n for n in range(4)]
PATHS = FILES + ["/tmp/fuzz/fifo", "/tmp/fuzz/none", "/tmp/fuzz", "/dev/null", "/dev/zero", "f0", "", "/proc/self/mem",
                 "/sys/kernel/scst_tgt/version", "/dev/vdb", "/tmp/fuzz/empty", "/tmp/fuzz/odd", "/dev/console"]
DEVICES = ["d%d" % n for n in range(6)] + ["keep"]
TARGETS = ["t%d" % n for n in range(3)] + ["scst_local_tgt"]
SESSIONS = ["s%d" % n for n in range(4)] + ["scst_local_host"]
GROUPS = ["g%d" % n for n in range(3)]
PATTERNS = ["s*", "s1", "!s*", "*", "?1", "scst*", "s[0]", "S2", "nobody", "!*", "**?*"]
ODD_NAMES = ["mgmt", "luns", ".", "..", "a/b", "x" * 63, "x" * 255, "x" * 300, "\u00e9", "%s%n", "host", "stats", "-", "0"]
FLAGS = ["0", "1", "2", "-1"]
NUMBERS = ["0", "1", "2", "7", "64", "255", "512", "4096", "16383", "16384", "65535", "65536", "0x10", "010", "-1", "4294967295",
           "4294967296", "9223372036854775807", "18446744073709551615", "18446744073709551616", "1e3", "", " 5 "]
WORDS = ["add", "del", "clear", "create", "move", "replace", "active", "standby", "auto", "never", "this_group_only", "shared",
         "per_initiator", "none", "all", "default", "FLAT", "PERIPHERAL", "LUN", "value", "transitioning", "nonoptimized"]
PARAMS = {
    "filename": PATHS,
    "blocksize": ["512", "1024", "2048", "4096", "511", "513", "0", "1", "65536", "8388608", "1073741824"],
    "size": ["1048576", "0", "512", "511", "1099511627776", "18446744073709551615"],
    "size_mb": ["1", "0", "16", "17592186044416", "18446744073709551615"],
    "read_only": FLAGS, "write_through": FLAGS, "nv_cache": FLAGS, "o_direct": FLAGS, "removable": FLAGS, "rotational": FLAGS,
    "thin_provisioned": FLAGS, "zero_copy": FLAGS, "async": FLAGS, "dummy": FLAGS, "read_zero": FLAGS, "active": FLAGS,
    "bind_alua_state": FLAGS, "lb_per_pb_exp": FLAGS, "tst": ["0", "1", "2", "7"], "numa_node_id": NUMBERS,
    "num_threads": NUMBERS, "cluster_mode": FLAGS, "t10_dev_id": ["id", "x" * 40], "usn": ["1", "serial"],
    "dif_mode": ["0"], "opt_trans_len": NUMBERS,
}
# Files whose writes stop I/O until another write lets it go on; the fuzzer's parent undoes them.
STOPPERS = {"block": b"0", "black_hole": b"0", "suspend": b"-1"}


def name(rng, pool):
    """Mostly a name that others use too."""
    return rng.choice(pool) if rng.random() < 0.95 else rng.choice(ODD_NAMES)


def lun(rng):
    return str(rng.randrange(6)) if rng.random() < 0.9 else rng.choice(NUMBERS)


def params(rng):
    keys = rng.sample(sorted(PARAMS), rng.choice([0, 0, 1, 1, 2, 3]))
    return "".join("; %s=%s" % (key, rng.choice(PARAMS[key])) for key in keys)


def add_device(rng, handler):
    if "nullio" in handler or "cdrom" in handler:
        return "add_device %s%s" % (name(rng, DEVICES), params(rng))
    path = "/dev/vdb" if "blockio" in handler and rng.random() < 0.5 else rng.choice(FILES if rng.random() < 0.8 else PATHS)
    return "add_device %s filename=%s%s" % (name(rng, DEVICES), path, params(rng))


def handler(rng, path):
    if rng.random() < 0.5:
        return "del_device " + name(rng, DEVICES[:-1])
    return add_device(rng, path)


def driver(rng, _path):
    kind = rng.randrange(4)
    target, session = name(rng, TARGETS), name(rng, SESSIONS)
    if kind == 0:
        sessions = "".join(" session_name=%s;" % name(rng, SESSIONS) for _ in range(rng.randrange(3)))
        return "add_target %s%s" % (target, sessions)
    if kind == 1:
        return "del_target " + target
    return "%s %s %s" % (rng.choice(["add_session", "del_session"]), target, session)


def luns(rng, _path):
    kind = rng.random()
    if kind < 0.40:
        extra = rng.choice(["", "", " read_only=1", "; read_only=0"])
        return "%s %s %s%s" % (rng.choice(["add", "add", "replace", "replace_no_ua"]), name(rng, DEVICES), lun(rng), extra)
    return "del " + lun(rng) if kind < 0.95 else "clear"


def groups(rng, _path):
    return "%s %s" % (rng.choice(["create", "del", "add"]), name(rng, GROUPS))


def initiators(rng, _path):
    kind = rng.random()
    if kind < 0.5:
        return "add " + name(rng, PATTERNS)
    if kind < 0.8:
        return "del " + name(rng, PATTERNS)
    return "move %s %s" % (name(rng, PATTERNS), name(rng, GROUPS)) if kind < 0.95 else "clear"


def members(pool):
    return lambda rng, _path: "%s %s" % (rng.choice(["add", "add", "create", "del"]), name(rng, pool))


# Which files take which commands, first match first.
MGMT = [(re.compile(pattern), make) for pattern, make in [
    (r"/handlers/[^/]+/mgmt$", handler),
    (r"/targets/[^/]+/mgmt$", driver),
    (r"/luns/mgmt$", luns),
    (r"/ini_groups/mgmt$", groups),
    (r"/initiators/mgmt$", initiators),
    (r"/device_groups/mgmt$", groups),
    (r"/devices/mgmt$", members(DEVICES)),
    (r"/target_groups/mgmt$", groups),
    (r"/target_groups/[^/]+/mgmt$", members(TARGETS + ["far"])),
]]


def command(rng, path):
    """A command for a management file, or None for any other file."""
    for pattern, make in MGMT:
        if pattern.search(path):
            return make(rng, path).encode()
    return None


def value(rng, path, current):
    """Something for a plain attribute: a number, a word, a name, a path, or what it shows now."""
    kind = rng.randrange(6)
    if kind == 0 and current:
        return current.split(b"\n")[0]
    if kind <= 2:
        return rng.choice(NUMBERS).encode()
    if kind == 3:
        return rng.choice(WORDS).encode()
    if kind == 4 and path.endswith("filename"):
        return rng.choice(PATHS).encode()
    return rng.choice(DEVICES + ODD_NAMES + PATHS + FLAGS).encode()
