#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pinned.py PERMIT_SOCK UID COUNT - as that user, hands over so many memories, each by a process of its own, and holds
back a page of each. Says `ready`; ends the processes when it has read a line, says `ended`; ends after the next line."""
import fcntl
import os
import signal
import socket
import struct
import sys

# proto/permit.h
MAGIC, VERSION, SLOTS = 0x0073676174676D68, 2, 1024
HELLO = b"\x93\x02\xa6permit\x93" + bytes([VERSION]) + b"\xce" + struct.pack(">I", SLOTS) + b"\xce" + bytes(4)
F_ADD_SEALS, F_SEAL_SHRINK_AND_GROW = 1033, 2 | 4
NETLINK_SOCK_DIAG = 4


def pinned_memory():
    """And the pipe in which one of its pages lies."""
    memory = os.memfd_create("homing-tags", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(memory, 256 + 32 * SLOTS)
    os.pwrite(memory, struct.pack("<3Q", MAGIC, VERSION, SLOTS), 0)
    fcntl.fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK_AND_GROW)
    out, into = os.pipe()
    assert os.splice(memory, into, 4096, offset_src=0) == 4096
    os.close(into)
    return memory, out


def child(path, memory):
    pid = os.fork()
    if pid == 0:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        socket.send_fds(connection, [HELLO], [netlink.fileno(), memory])
        netlink.close()
        signal.pause()
    os.close(memory)
    return pid


def run(path, uid, count):
    pages, children = [], []
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    for _ in range(count):
        memory, page = pinned_memory()
        children.append(child(path, memory))
        pages.append(page)
    print("ready", flush=True)
    sys.stdin.readline()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    print("ended", flush=True)
    sys.stdin.readline()


run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
