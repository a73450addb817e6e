# SPDX-License-Identifier: Apache-2.0
"""reset.py - aborts all TCP connections of a server's port at once, from its own end, as homing-sever does from the
other: each peer gets a RST. linux/inet_diag.h, linux/sock_diag.h."""
import socket
import struct

SOCK_DIAG, BY_FAMILY, DESTROY = 4, 20, 21
REQUEST, DUMP = 0x1, 0x300
ESTABLISHED = 1 << 1
HEAD, BODY, ID = struct.Struct("=IHHII"), struct.Struct("=BBBBI"), 48
DONE, ERROR = 3, 2
AT_ONCE = 100


def request(kind, flags, sock_id):
    body = BODY.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ESTABLISHED) + sock_id
    return HEAD.pack(HEAD.size + len(body), kind, REQUEST | flags, 1, 0) + body


def messages(data):
    at = 0
    while at < len(data):
        length, kind, _, _, _ = HEAD.unpack_from(data, at)
        yield kind, data[at + HEAD.size:at + length]
        at += (length + 3) & ~3


class Reset:
    """Looks when it is made, which takes a while, and aborts what it saw when it is called."""

    def __init__(self, port):
        self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG)
        self.netlink.send(request(BY_FAMILY, DUMP, bytes(ID)))
        self.orders, kind = [], None
        while kind != DONE:
            for kind, body in messages(self.netlink.recv(1 << 16)):
                if kind == ERROR:
                    raise OSError("sock_diag: error %d" % -struct.unpack_from("=i", body)[0])
                if kind == BY_FAMILY and struct.unpack_from("!H", body, 4)[0] == port:
                    self.orders.append(request(DESTROY, 0, body[4:4 + ID]))

    def __call__(self):
        for at in range(0, len(self.orders), AT_ONCE):
            self.netlink.send(b"".join(self.orders[at:at + AT_ONCE]))
