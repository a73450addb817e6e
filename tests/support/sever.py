# SPDX-License-Identifier: Apache-2.0
"""homing-sever and programs that hand over permits, for live tests."""
import contextlib
import os
import signal
import socket
import subprocess

from homing import BUILD, directory
from tap import PATIENCE, cleanups, end, eventually, give_up

CLIENT = os.path.join(BUILD, "tests/support/permit_client")


def pack(value):
    """MessagePack, as much of it as requests need."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xcf" + value.to_bytes(8, "big")
    if isinstance(value, str):
        raw = value.encode()
        return b"\xd9" + bytes([len(raw)]) + raw
    if isinstance(value, list):
        return b"\xdc" + len(value).to_bytes(2, "big") + b"".join(map(pack, value))
    return b"\xde" + len(value).to_bytes(2, "big") + b"".join(
        pack(k) + pack(v) for k, v in value.items())


def unpack(data, at=0):
    """(value, where it ends); IndexError if it is not all there."""
    def number(count):
        if at + 1 + count > len(data):
            raise IndexError
        return int.from_bytes(data[at + 1:at + 1 + count], "big")

    def items(count, where):
        out = []
        for _ in range(count):
            value, where = unpack(data, where)
            out.append(value)
        return out, where

    def pairs(count, where):
        flat, where = items(2 * count, where)
        return dict(zip(flat[::2], flat[1::2])), where

    def text(count, where):
        if where + count > len(data):
            raise IndexError
        return data[where:where + count].decode(), where + count

    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    if byte < 0x90:
        return pairs(byte & 15, at + 1)
    if byte < 0xa0:
        return items(byte & 15, at + 1)
    if byte < 0xc0:
        return text(byte & 31, at + 1)
    if byte in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[byte], at + 1
    if 0xcc <= byte <= 0xcf:
        size = 1 << (byte - 0xcc)
        return number(size), at + 1 + size
    if byte == 0xd9:
        return text(number(1), at + 2)
    if byte == 0xda:
        return text(number(2), at + 3)
    if byte == 0xdc:
        return items(number(2), at + 3)
    if byte == 0xde:
        return pairs(number(2), at + 3)
    raise ValueError("byte %#x at %d of a message" % (byte, at))


def signal_all(pids, number):
    """One ends with another: then it is not there any more."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Sever:
    """A homing-sever; `wrap` is a command to run it under."""

    def __init__(self, base=None):
        self.base = base or directory()
        self.run = os.path.join(self.base, "run")
        self.permit = os.path.join(self.run, "permit.sock")
        self.order_path = os.path.join(self.base, "run-admin/sever.sock")
        self.log_path = os.path.join(self.base, "sever.%d.log" % len(os.listdir(self.base)))
        self.process = None

    def spawn(self, *args, wrap=()):
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(
                [*wrap, os.path.join(BUILD, "homing-sever"), "--run-dir", self.run,
                 "--log-format", "json", *args], stderr=log, stdin=subprocess.DEVNULL)
        cleanups.append(self.kill)
        return self

    def start(self, *args, wrap=()):
        self.spawn(*args, wrap=wrap)
        eventually(self.answers, "homing-sever; log: " + self.log_path)
        return self

    def answers(self):
        assert self.process.poll() is None, self.text()
        try:
            return self.call("version")["instance"]
        except OSError:
            return False

    def accepts(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.permit) == 0

    def stop(self):
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def kill(self):
        if self.process:
            end(self.process)

    def parts(self):
        """The pids of all its processes."""
        return {int(pid) for pid in os.listdir("/proc") if pid.isdigit() and self.is_part(pid)}

    def is_part(self, pid):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as line:
                words = line.read().split("\0")
        except OSError:
            return False
        return words[0].endswith("homing-sever") and self.run in words

    def kill_at_once(self):
        """As a control group is: while one that is not stopped is left, it could start others."""
        stopped = set()
        while (there := self.parts()) != stopped:
            stopped = there
            signal_all(stopped, signal.SIGSTOP)
        signal_all(stopped, signal.SIGKILL)
        if self.process:
            self.process.wait()
        eventually(lambda: not self.parts(), "all of homing-sever has ended")

    def text(self):
        with open(self.log_path) as log:
            return log.read()

    def call(self, method, *params):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(self.order_path)
            s.sendall(pack([0, 1, method, list(params)]))
            data = b""
            while True:
                more = s.recv(1 << 20)
                assert more, "sever.sock ended"
                data += more
                try:
                    (_, _, error, result), _ = unpack(data)
                except IndexError:
                    continue
                assert error is None, error
                return result

    def status(self):
        return self.call("status")

    def wait_processes(self, count):
        return eventually(lambda: self.status()["permits"]["processes"] == count,
                          "%d permits; log: %s" % (count, self.log_path))

    def sever(self, endpoint, older_than, *addresses, **more):
        order = {"endpoints": [[endpoint, older_than]] if endpoint else [],
                 "addresses": [list(a) for a in addresses], **more}
        return self.call("sever", order)


class Client:
    """A program that hands over a permit: tests/support/permit_client.c."""

    alive = []

    def __init__(self, wrap=()):
        self.process = subprocess.Popen([*wrap, CLIENT], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self.alive.append(self)
        cleanups.append(self.end)

    def send(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def read(self):
        line = self.process.stdout.readline()
        assert line, "the client ended"
        return line.strip()

    def do(self, *words):
        self.send(*words)
        return self.read()

    def count(self):
        alive, severed = self.do("count").split()
        return int(alive), int(severed)

    def end(self):
        if self not in self.alive:
            return
        self.alive.remove(self)
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def need_root():
    if os.getuid() != 0 or not os.access("/proc/net/tcp", os.R_OK):
        give_up("needs root, for network namespaces and CAP_NET_ADMIN")
