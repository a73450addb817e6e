#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""locked.py PERMIT_SOCK UID FILE HOST PORT ENDPOINT WHAT - as that user, connects there and hands over a memory, with a
tag of generation 7. A child of its own writes to that memory, or with another WHAT than `memory` to the connection, what
a file says that nobody can read: the kernel has it locked until it can. Says
`ready` before that and `locked` after it, each behind a line that it reads; takes the permit back and ends at the end of its
input. The child goes on."""
import ctypes
import fcntl
import os
import socket
import struct
import sys
import time

# proto/permit.h
MAGIC, VERSION, SLOTS = 0x0073676174676D68, 2, 1024
HELLO = b"\x93\x02\xa6permit\x93" + bytes([VERSION]) + b"\xce" + struct.pack(">I", SLOTS) + b"\xce" + bytes(4)
F_ADD_SEALS, F_SEAL_SHRINK_AND_GROW = 1033, 2 | 4
NETLINK_SOCK_DIAG = 4
PROT_READ, MAP_SHARED = 1, 1
SO_COOKIE, IPPROTO_MPTCP = 57, 262
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.send.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.pwrite.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long]


def hand_over(path, tag):
    """What is to be left open with it, and the memory."""
    memory = os.memfd_create("homing-tags", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(memory, 256 + 32 * SLOTS)
    os.pwrite(memory, struct.pack("<3Q", MAGIC, VERSION, SLOTS), 0)
    os.pwrite(memory, tag, 256)
    fcntl.fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK_AND_GROW)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    socket.send_fds(connection, [HELLO], [netlink.fileno(), memory])
    netlink.close()
    return connection, memory


def lock(memory, connection, file):
    """The child has it once it waits for the bytes."""
    at = libc.mmap(None, 4096, PROT_READ, MAP_SHARED, os.open(file, os.O_RDWR), 0)
    pid = os.fork()
    if pid == 0:
        os.closerange(0, 3)
        if connection:
            libc.send(connection.fileno(), at, 100, 0)
        libc.pwrite(memory, at, 100, 256 + 32 * 500)
        os._exit(0)
    while state(pid) not in b"SD":
        time.sleep(0.001)
    print(pid, flush=True)


def state(pid):
    with open(f"/proc/{pid}/stat", "rb") as stat:
        return stat.read().rpartition(b") ")[2][:1]


def run(path, uid, file, host, port, endpoint, what):
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP if what == "mptcp" else 0)
    server.connect((host, port))
    cookie, = struct.unpack("=Q", server.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))
    connection, memory = hand_over(path, struct.pack("<4Q", cookie, endpoint, 7, 1))
    print("ready", flush=True)
    sys.stdin.readline()
    lock(memory, server if what != "memory" else None, file)
    sys.stdin.readline()
    connection.shutdown(socket.SHUT_RDWR)  # the child has it, too


run(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], *map(int, sys.argv[5:7]), sys.argv[7])
