# SPDX-License-Identifier: Apache-2.0
"""The probe by itself (probe_cli), for live tests."""

import os
import re
import select
import subprocess
import sys
import time

from homing import BUILD, SRC
from tap import PATIENCE


class Probe:
    """probe_cli, its lines read as they come: wait("report 0 answer writer")."""

    def __init__(self, connection, members, password=None, options=(), env=None):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests/support/probe_cli"), *options, connection, password or "-", *members],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ, **(env or {})))
        self.rest, self.seen, self.unread = b"", [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        if code != 0 and sys.exc_info()[0] is None:
            raise AssertionError(f"probe_cli ended with {code}")

    def say(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def read(self, deadline):
        """The next line, or None at the deadline or end."""
        fd = self.process.stdout.fileno()
        while b"\n" not in self.rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                return None
            data = os.read(fd, 65536)
            if not data:
                return None
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        self.seen.append(line.decode())
        return self.seen[-1]

    def wait(self, pattern):
        """The first line that matches; others are kept for later waits, until forget()."""
        for line in self.unread:
            if re.search(pattern, line):
                self.unread.remove(line)
                return line
        deadline = time.monotonic() + PATIENCE
        while (line := self.read(deadline)) is not None:
            if re.search(pattern, line):
                return line
            self.unread.append(line)
        raise AssertionError(f"no line matches {pattern!r} in:\n" + "\n".join(self.seen))

    def during(self, seconds):
        """All lines of the next seconds."""
        lines, deadline = [], time.monotonic() + seconds
        while (line := self.read(deadline)) is not None:
            lines.append(line)
        return lines

    def forget(self):
        """What was printed so far is of no interest."""
        self.during(0)
        self.unread = []


class Dns:
    """dns.py for the probe: `with Dns(pg, "db 1 127.0.0.1") as dns: Probe(..., options=dns.options)`."""

    def __init__(self, servers, zone):
        self.servers = servers
        self.zone(zone)
        address = servers.net() + ".253"
        conf = servers.file("resolv.conf", f"nameserver {address}\n")
        self.process = subprocess.Popen(
            [sys.executable, "-B", os.path.join(SRC, "tests/support/dns.py"), address, "0",
             servers.root + "/zone"], stdout=subprocess.PIPE, text=True)
        self.options = ["-r", conf, "-p", self.process.stdout.readline().split()[2]]

    def zone(self, text):
        self.servers.file("zone.new", text + "\n")
        os.rename(self.servers.root + "/zone.new", self.servers.root + "/zone")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def field(line, name):
    return re.search(rf"\b{name}=(\S+)", line)[1]
