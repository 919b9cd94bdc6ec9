# SPDX-License-Identifier: MIT OR Apache-2.0
"""SCSI commands through the SG_IO ioctl (Linux include/scsi/sg.h, version 3)."""

import ctypes
import fcntl
import mmap
import os
import random

SG_IO = 0x2285
SG_SCSI_RESET = 0x2284
NONE, TO_DEVICE, FROM_DEVICE = -1, -2, -3
RESET_DEVICE, RESET_TARGET = 1, 4


class Piece(ctypes.Structure):
    """One of the pieces of memory that a buffer can be made of (struct iovec)."""
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Header(ctypes.Structure):
    _fields_ = [("interface_id", ctypes.c_int), ("dxfer_direction", ctypes.c_int), ("cmd_len", ctypes.c_ubyte),
                ("mx_sb_len", ctypes.c_ubyte), ("iovec_count", ctypes.c_ushort), ("dxfer_len", ctypes.c_uint),
                ("dxferp", ctypes.c_void_p), ("cmdp", ctypes.c_void_p), ("sbp", ctypes.c_void_p),
                ("timeout", ctypes.c_uint), ("flags", ctypes.c_uint), ("pack_id", ctypes.c_int),
                ("usr_ptr", ctypes.c_void_p), ("status", ctypes.c_ubyte), ("masked_status", ctypes.c_ubyte),
                ("msg_status", ctypes.c_ubyte), ("sb_len_wr", ctypes.c_ubyte), ("host_status", ctypes.c_ushort),
                ("driver_status", ctypes.c_ushort), ("resid", ctypes.c_int), ("duration", ctypes.c_uint),
                ("info", ctypes.c_uint)]


def scatter(area):
    """Has each page of fresh memory allocated by itself, in no order."""
    pages = list(range(0, len(area), mmap.PAGESIZE))
    random.shuffle(pages)
    for at in pages:
        area[at] = 1


def spans(size, odd, pieces):
    """Where a buffer of `size` bytes lies: offset and length of its pieces, all but the last of the lengths that `pieces` says. The
    first begins `odd` bytes into a page, each later one `odd` bytes into the second page behind the one before."""
    found, at = [], odd
    for length in list(pieces) + [size - sum(pieces)]:
        found.append((at, length))
        at += -(-length // mmap.PAGESIZE) * mmap.PAGESIZE + mmap.PAGESIZE
    return found


class Answer:
    """How a command ended."""

    def __init__(self, header, data, sense):
        self.status, self.host, self.resid = header.status, header.host_status, header.resid
        self.data, self.raw = data, sense

    @property
    def sense(self):
        """Key, code and qualifier, in either format; None without sense data."""
        raw = self.raw
        if len(raw) >= 4 and raw[0] & 0x7E == 0x72:
            return raw[1] & 0xF, raw[2], raw[3]
        return (raw[2] & 0xF, raw[12], raw[13]) if len(raw) >= 14 else None

    def __repr__(self):
        sense = "%x/%02x/%02x" % self.sense if self.sense else "none"
        return "status %02x host %02x resid %d sense %s" % (self.status, self.host, self.resid, sense)


class Device:
    """An open device node."""

    def __init__(self, path):
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def command(self, cdb, length=0, out=None, odd=0, timeout_ms=30000, direction=None, scattered=False, pieces=()):
        """Sends a CDB (bytes, or text in hexadecimal); `odd` moves the buffer off its page boundary, `pieces` cuts it (`spans`);
        with `scattered` it is made of pages from all over the memory, for a node that takes them as they are."""
        cdb = bytes.fromhex(cdb) if isinstance(cdb, str) else bytes(cdb)
        size = len(out) if out is not None else length
        places = spans(size, odd, pieces)
        area = mmap.mmap(-1, sum(places[-1]) + 4096)
        if scattered:
            scatter(area)
        if out is not None:
            sent = memoryview(out)
            for at, length in places:
                area[at:at + length], sent = sent[:length], sent[length:]
        base = (ctypes.c_ubyte * len(area)).from_buffer(area)
        command, sense = (ctypes.c_ubyte * len(cdb))(*cdb), (ctypes.c_ubyte * 252)()
        if direction is None:
            direction = TO_DEVICE if out is not None else FROM_DEVICE if size else NONE
        buffer = (Piece * len(places))(*((ctypes.addressof(base) + at, length) for at, length in places))
        header = Header(interface_id=ord("S"), dxfer_direction=direction, cmd_len=len(cdb), mx_sb_len=252, dxfer_len=size,
                        dxferp=ctypes.addressof(buffer) if size else None, iovec_count=len(places) if size else 0, cmdp=ctypes.addressof(command),
                        sbp=ctypes.addressof(sense), timeout=timeout_ms)
        fcntl.ioctl(self.fd, SG_IO, header)
        data = b"".join(area[at:at + length] for at, length in places)
        return Answer(header, data, bytes(sense)[:header.sb_len_wr])

    def good(self, cdb, length=0, **more):
        """A command that must succeed; a pending unit attention is taken first."""
        for _ in range(4):
            answer = self.command(cdb, length, **more)
            if answer.sense is None or answer.sense[0] != 6:
                break
        if answer.status or answer.host:
            raise AssertionError("%s: %r" % (cdb, answer))
        return answer

    def reset(self, what):
        fcntl.ioctl(self.fd, SG_SCSI_RESET, ctypes.c_int(what))
