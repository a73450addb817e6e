# SPDX-License-Identifier: Apache-2.0
"""A file system for tests whose files nobody gets rid of: it takes what is written to them, and never says that it has. Or
nobody can even read them.

It speaks the kernel's FUSE protocol by itself (<linux/fuse.h>), as a local user's own file system would. A process that
closes such a file last waits, and no signal ends that. All of them go on when the file system ends.
"""
import ctypes
import errno
import os
import stat
import struct
import threading

from tap import cleanups

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, RELEASE, FLUSH, INIT, INTERRUPT, BATCH_FORGET = (
    1, 2, 3, 4, 14, 15, 16, 18, 25, 26, 36, 42)
SILENT = (FORGET, WRITE, INTERRUPT, BATCH_FORGET)
SILENT_READ = (*SILENT, READ)
ROOT, FILE = 1, 2  # inodes
WRITEBACK_CACHE = 1 << 16
HEADER = struct.Struct("=IIQQIIII")
MNT_FORCE, MNT_DETACH = 1, 2
libc = ctypes.CDLL(None, use_errno=True)


def attributes(node):
    mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o666
    return struct.pack("=6Q10I", node, 4096, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode, node, body):
    """The bytes of the answer, or a negative errno."""
    if opcode == INIT:
        return struct.pack("=IIIIHHIIHHI7I", 7, 31, 65536, WRITEBACK_CACHE, 16, 12, 65536, 1, 16, 0, 0, *[0] * 7)
    if opcode == LOOKUP:
        return struct.pack("=4QII", FILE, 0, 3600, 3600, 0, 0) + attributes(FILE) if body == b"file\0" else -errno.ENOENT
    if opcode in (GETATTR, SETATTR):
        return struct.pack("=QII", 3600, 0, 0) + attributes(node)
    if opcode == OPEN:
        return struct.pack("=QII", 0, 0, 0)
    if opcode == READ:
        return bytes(4096)
    return b"" if opcode in (RELEASE, FLUSH) else -errno.ENOSYS


def serve(fd, silent):
    while True:
        try:
            request = os.read(fd, 1 << 20)
        except OSError:
            return
        _, opcode, unique, node, *_ = HEADER.unpack_from(request)
        if opcode in silent:
            continue
        said = answer(opcode, node, request[HEADER.size:])
        error, data = (said, b"") if isinstance(said, int) else (0, said)
        try:
            os.write(fd, struct.pack("=IiQ", 16 + len(data), error, unique) + data)
        except OSError:
            pass  # the request was given up


def mount_stuck(directory, silent=SILENT):
    """The path of the file, and a function that lets go of all who wait for it."""
    fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions" % fd
    if libc.mount(b"stuck", directory.encode(), b"fuse", 6, options.encode()):
        raise OSError(ctypes.get_errno(), "mount")
    threading.Thread(target=serve, args=(fd, silent), daemon=True).start()

    def let_go():
        libc.umount2(directory.encode(), MNT_FORCE)  # whoever waits is told that it failed
        libc.umount2(directory.encode(), MNT_DETACH)
    cleanups.append(let_go)
    return os.path.join(directory, "file"), let_go
