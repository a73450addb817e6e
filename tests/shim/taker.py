# SPDX-License-Identifier: Apache-2.0
"""Stands in for homing-sever: takes permits, and looks at their tags and counts."""
import fcntl
import os
import select
import socket
import struct
import time

from harness import LIMIT
from tap import equal

HELLO = b"\x93\x02\xa6permit\x93\x02"
AF_NETLINK, SOCK_DIAG, F_GET_SEALS, SHRINK, GROW = 16, 4, 1034, 2, 4
CONNECTS, REDIRECTED, WOULD_REDIRECT, REFUSED, SHARED, UNTRACKED, BEHIND, LATE = range(8)


class Permit:
    """What one process handed over, and the connection that it left open."""

    def __init__(self, connection):
        self.connection = connection
        data, self.fds, flags, _ = socket.recv_fds(connection, 64, 8)
        equal((len(data), flags & socket.MSG_CTRUNC, len(self.fds)), (21, 0, 2))
        start, u32, self.slots, u32_too, wishes = struct.unpack(">11sBIBI", data)
        equal((start, u32, u32_too, wishes), (HELLO, 0xce, 0xce, 0))
        self.check_netlink(socket.socket(fileno=self.fds[0]))
        self.tags = self.fds[1]
        seals = fcntl.fcntl(self.tags, F_GET_SEALS)
        equal(seals & (SHRINK | GROW), SHRINK | GROW)
        equal(os.fstat(self.tags).st_size, 256 + 32 * self.slots)
        equal(struct.unpack("=8sQQ", os.pread(self.tags, 24, 0)), (b"hmgtags\0", 2, self.slots))
        self.pid = struct.unpack("=3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def check_netlink(self, netlink):
        self.netlink = netlink
        equal(netlink.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN), AF_NETLINK)
        equal(netlink.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL), SOCK_DIAG)
        equal(netlink.getsockname(), (0, 0))

    def slot(self, fd):
        """(endpoint, generation) of a tagged descriptor number, or None."""
        cookie, endpoint, generation, since = struct.unpack("=4Q", os.pread(self.tags, 32, 256 + 32 * int(fd)))
        now = time.monotonic() * 1000
        assert not cookie or now - 60000 < since <= now, (since, now)
        return (endpoint, generation) if cookie else None

    def cookie(self, fd):
        return struct.unpack("=Q", os.pread(self.tags, 8, 256 + 32 * int(fd)))[0]

    def since(self, fd):
        return struct.unpack("=Q", os.pread(self.tags, 8, 256 + 32 * int(fd) + 24))[0]

    def tagged(self):
        return [fd for fd in range(1100) if self.cookie(fd)]

    def counts(self):
        return list(struct.unpack("=7Q", os.pread(self.tags, 56, 24)))

    def late(self):
        """How many were tagged late."""
        return struct.unpack("=Q", os.pread(self.tags, 8, 24 + 8 * LATE))[0]

    def gone(self):
        """Whether the process' end is closed; anything that it sent would be a mistake."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        if readable:
            equal(self.connection.recv(64), b"")
        return bool(readable)

    def close(self):
        self.netlink.close()
        os.close(self.tags)
        self.connection.close()


class Sever:
    """A listener at permit.sock."""

    def __init__(self, agent, backlog=64):
        self.path = os.path.dirname(agent.path) + "/permit.sock"
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(backlog)
        self.permits, self.silent = [], []

    def waiting(self):
        return bool(select.select([self.server], [], [], 0)[0])

    def take(self):
        assert select.select([self.server], [], [], LIMIT)[0], "no permit came"
        self.permits.append(Permit(self.server.accept()[0]))
        return self.permits[-1]

    def take_sent(self):
        """The first that something was sent over, or None. Others may be left open, or closed, by who never came to that."""
        while self.waiting():
            connection = self.server.accept()[0]
            if select.select([connection], [], [], 0)[0] and connection.recv(1, socket.MSG_PEEK):
                self.permits.append(Permit(connection))
                return self.permits[-1]
            self.silent.append(connection)
        return None

    def nothing_comes(self):
        assert not self.waiting(), "a permit that is not wanted"

    def close(self):
        for permit in (*self.permits, *self.silent):
            permit.close()
        self.server.close()
        os.unlink(self.path)
