#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dns.py - a DNS server for tests and the demo: answers A and AAAA from a file, over UDP.

usage: dns.py ADDRESS PORT FILE      PORT 0: any; prints "ready ADDRESS PORT" once it listens.

FILE has lines `NAME TTL ADDRESS...`, read again whenever it changed (write a new one and rename it
over). Instead of addresses: `silent` (never answers), `fail` (SERVFAIL), `cname TARGET`. A name that is
not there does not exist; `#` starts a comment. The log of questions goes to standard error if DNS_LOG is set.
"""

import ipaddress
import os
import socket
import struct
import sys

A, CNAME, AAAA, NXDOMAIN, SERVFAIL = 1, 5, 28, 3, 2
ALIASES_MAX = 8


class Zone:
    def __init__(self, path):
        self.path, self.stamp, self.names = path, None, {}

    def find(self, name):
        """None: no such name; else (ttl, [words])."""
        try:
            st = os.stat(self.path)
            stamp = (st.st_ino, st.st_mtime_ns, st.st_size)
            if stamp != self.stamp:
                self.names, self.stamp = self.read(), stamp
        except OSError:
            self.names, self.stamp = {}, None
        return self.names.get(name)

    def read(self):
        names = {}
        with open(self.path, encoding="ascii") as file:
            for line in file:
                words = line.split("#")[0].split()
                if len(words) >= 2:
                    names[words[0].lower().rstrip(".")] = (int(words[1]), words[2:])
        return names


def question(packet):
    """(name, type, end of the question) of a query's one question."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode("ascii").lower())
        at += 1 + packet[at]
    return ".".join(labels), struct.unpack_from("!H", packet, at + 1)[0], at + 5


def encoded(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(owner, rtype, ttl, data):
    return owner + struct.pack("!HHIH", rtype, 1, ttl, len(data)) + data


def records(zone, found, qtype):
    """The addresses, behind the aliases that lead to them."""
    out, owner = [], b"\xc0\x0c"
    while found and found[1][:1] == ["cname"] and len(out) < ALIASES_MAX:
        target = found[1][1]
        out.append(record(owner, CNAME, found[0], encoded(target)))
        owner, found = encoded(target), zone.find(target.lower())
    for word in found[1] if found else []:
        ip = ipaddress.ip_address(word)
        if qtype == (A if ip.version == 4 else AAAA):
            out.append(record(owner, qtype, found[0], ip.packed))
    return out


def answer(zone, packet):
    """The reply, or None for silence."""
    name, qtype, end = question(packet)
    if os.environ.get("DNS_LOG"):
        print(f"{name} {qtype}", file=sys.stderr, flush=True)
    found, rcode, out = zone.find(name), 0, []
    if found is None:
        rcode = NXDOMAIN
    elif found[1] == ["silent"]:
        return None
    elif found[1] == ["fail"]:
        rcode = SERVFAIL
    else:
        out = records(zone, found, qtype)
    # Response, authoritative, recursion as it was desired and available.
    flags = 0x8480 | (packet[2] & 1) << 8 | rcode
    return packet[:2] + struct.pack("!HHHHH", flags, 1, len(out), 0, 0) + packet[12:end] + b"".join(out)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    address, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    zone = Zone(path)
    print("ready", *sock.getsockname()[:2], flush=True)
    while True:
        packet, peer = sock.recvfrom(4096)
        try:
            reply = answer(zone, packet)
        except (IndexError, struct.error, UnicodeDecodeError, ValueError):
            continue  # not a query, or a line of the file is being written
        if reply:
            sock.sendto(reply, peer)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
