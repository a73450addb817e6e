# SPDX-License-Identifier: Apache-2.0
"""Real PostgreSQL servers (pg.sh) and the probe by itself (probe_cli), for live tests in Python."""

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

SRC = Path(os.environ.get("HOMING_SRCDIR", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("HOMING_BUILDDIR", SRC / "build"))
PG_SH = SRC / "tests/support/pg.sh"
# Nothing takes so long unless it has failed: a bound, not a measure.
PATIENCE_S = 30


class Servers:
    """A root of throw-away servers; `with Servers() as pg: pg("init", "a")`."""

    def __enter__(self):
        self.root = None
        self.root = self("root_new").stdout.strip()
        self.port = int(self("port").stdout)
        return self

    def __exit__(self, *_):
        self("destroy")

    def __call__(self, command, *args, check=True):
        env = dict(os.environ, **({"PG_ROOT": self.root} if self.root else {}))
        return subprocess.run(["bash", str(PG_SH), command, *args], env=env, check=check, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def address(self, name):
        return self("address", name).stdout.strip()

    def at(self, name):
        return f"{self.address(name)}:{self.port}"

    def sql(self, name, text):
        return self("sql", name, text).stdout.strip()

    def file(self, name, text):
        """A file of ours in the root, private."""
        path = Path(self.root) / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return str(path)


class Probe:
    """probe_cli, its lines read as they come: wait("report 0 answer writer")."""

    def __init__(self, connection, members, password=None, options=(), env=None):
        self.process = subprocess.Popen(
            [str(BUILD / "tests/support/probe_cli"), *options, connection, password or "-", *members],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ, **(env or {})))
        self.rest, self.seen, self.unread = b"", [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        code = self.process.wait(PATIENCE_S)
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
        deadline = time.monotonic() + PATIENCE_S
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
        address = servers("net").stdout.strip() + ".253"
        conf = servers.file("resolv.conf", f"nameserver {address}\n")
        self.process = subprocess.Popen(
            [sys.executable, "-B", str(SRC / "tests/support/dns.py"), address, "0",
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


def have_postgres():
    return any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or "PG_BIN" in os.environ


def run(tests):
    """TAP: runs every function; its name is the sentence."""
    if not have_postgres() and not os.environ.get("CI"):
        print("1..0 # SKIP no PostgreSQL server is installed")
        return
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        name = test.__name__.replace("_", " ")
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            print("\n".join("# " + line for line in str(error).splitlines()), flush=True)
    sys.exit(1 if failed else 0)
