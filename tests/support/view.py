# SPDX-License-Identifier: Apache-2.0
"""A reader of the view that knows nothing but proto/PROTOCOL.md: View(path of agent.sock).read(name)."""
import fcntl
import mmap
import os
import socket
import struct
import threading
import time

from tap import PATIENCE

MASK = (1 << 64) - 1


def canonical(name):
    return name.lower().encode().removesuffix(b".")


def name_hash(name):
    name = canonical(name)
    h = 0xc2b2ae3d27d4eb4f ^ len(name)
    for at in range(0, len(name), 8):
        h = (h ^ int.from_bytes(name[at:at + 8], "little")) * 0x9e3779b97f4a7c15 & MASK
        h ^= h >> 32
    h = h * 0xc2b2ae3d27d4eb4f & MASK
    return h ^ h >> 29 or 1


def attach(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE)
        s.connect(path)
        s.sendall(bytes.fromhex("94 00 01 a6 61 74 74 61 63 68 91 02"))
        reply, (fd,), _, _ = socket.recv_fds(s, 100, 1)
    return reply, fd


class View:
    """Section 5. Python has no atomic loads: good enough for who reads what stands still, or looks again."""

    def __init__(self, path):
        self.reply, fd = attach(path)
        self.seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
        self.file_size = os.fstat(fd).st_size
        (self.size,) = struct.unpack_from(">Q", self.reply, 33)
        (self.instance,) = struct.unpack_from(">Q", self.reply, 51)
        self.map = mmap.mmap(fd, self.size, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED)
        os.close(fd)

    def word(self, at):
        return struct.unpack_from("=Q", self.map, at)[0]

    def copy(self, seq_at, copies_at, size):
        while True:
            seq = self.word(seq_at)
            copy = self.map[copies_at + seq % 2 * size:][:size]
            if self.word(seq_at) == seq:
                return copy

    def read(self, name):
        wanted, name = name_hash(name), canonical(name)
        for i in range(32):
            slot = self.word(48) + self.word(128) * ((wanted + i) % self.word(32))
            if self.word(slot) == 0:
                return None
            key = self.map[slot + 32:][:len(name)]
            if (self.word(slot), self.word(slot + 8), key) == (wanted, len(name), name):
                return Answer(self.copy(slot + 16, slot + 320, 128))
        return None

    def addresses(self, cluster):
        at = self.word(56) + self.word(136) * cluster
        copy = self.copy(at, at + 64, 4672)
        for i in range(struct.unpack_from("=Q", copy)[0]):
            raw, meta, text = struct.unpack_from("=16sQ48s", copy, 64 + 72 * i)
            yield raw, meta & 255, meta >> 8 & 255, meta >> 16 & 65535, text.rstrip(b"\0").decode()

    def officials(self, cluster):
        """Of all members, in their order."""
        at = self.word(56) + self.word(136) * cluster
        while True:
            seq = self.word(at)
            which = self.word(at + 64 + seq % 2 * 4672 + 8)
            first = self.word(152) + self.word(160) * (which & 0xffffffff)
            texts = [self.map[first + self.word(160) * i + seq % 2 * 256:][:256] for i in range(which >> 32)]
            if self.word(at) == seq:
                return [text.rstrip(b"\0").decode() for text in texts]


class Answer:
    def __init__(self, copy):
        meta, self.generation, self.endpoint, self.confirmed_ms, ages, rest, text4, text6 = \
            struct.unpack_from("=6Q16s48s", copy)
        self.mode, self.state, self.role, self.family = struct.pack("<I", meta & 0xffffffff)
        self.port, self.cluster = meta >> 32 & 65535, rest >> 32
        self.hold_ms, self.max_stale_ms = ages & 0xffffffff, ages >> 32
        self.text4, self.text6 = text4.rstrip(b"\0").decode(), text6.rstrip(b"\0").decode()


class Watch(threading.Thread):
    """Notes when the view of this socket first has this address for the name. It looks every half a millisecond."""

    def __init__(self, path, name, address):
        super().__init__(daemon=True)
        self.view, self.name_of, self.address, self.at = View(path), name, address, None
        self.start()

    def run(self):
        end = time.monotonic() + PATIENCE
        while self.at is None and time.monotonic() < end:
            if self.view.read(self.name_of).text4 == self.address:
                self.at = time.monotonic()
            time.sleep(0.0005)

    def since(self, moment):
        """Milliseconds; negative if the view was first."""
        self.join()
        assert self.at is not None, "it was not published"
        return (self.at - moment) * 1000
