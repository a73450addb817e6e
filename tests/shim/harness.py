# SPDX-License-Identifier: Apache-2.0
"""What the shim's tests share: the fake agent and the unmodified program.

    from harness import Agent, Probe, main, per_libc

    @per_libc
    def a_sentence(libc): ...       # once for the program of each libc that there is

    main()      # names lead where own_names.py says

The shim itself gives its agent 20 ms, which a busy machine may not: the fake agent notices when a client had left
before its reply, and what failed meanwhile is no verdict, but run again.
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import tap  # noqa: E402
from own_names import HOSTS, own_names, own_network  # noqa: E402
from tap import equal  # noqa: E402

BUILD = Path(os.environ.get("HOMING_BUILDDIR", "build")).resolve()
SRC = Path(os.environ.get("HOMING_SRCDIR", "."))
LIBRARY = BUILD / "shim/libhoming.so"
LIBCS = [libc for libc in ("glibc", "musl") if (BUILD / f"tests/shim/probe-{libc}").exists()]

AF_UNSPEC, AF_INET, AF_INET6 = 0, socket.AF_INET, socket.AF_INET6
AI_PASSIVE, AI_CANONNAME, AI_NUMERICHOST, AI_V4MAPPED, AI_ALL, AI_ADDRCONFIG, AI_NUMERICSERV = (
    1, 2, 4, 8, 16, 32, 1024)
EAI_NONAME = -2
# A name that the real resolver has, and one that it refuses without asking anybody: its label is too long.
DNS, NONE = "localhost", "x" * 64 + ".invalid"
LIMIT = int(os.environ.get("HOMING_TEST_LIMIT", "20"))  # seconds that a condition may take to become true on a slow machine

agents = []  # of the test that runs


def eventually(condition, what):
    return tap.eventually(condition, what, LIMIT)


def follows(probe, name, address):
    eventually(lambda: probe.address(name) == address, f"{name} is {address}")


def hash_of(name):
    """As PROTOCOL.md has it."""
    mask, data = (1 << 64) - 1, name.encode()
    h = 0xc2b2ae3d27d4eb4f ^ len(data)
    for i in range(0, len(data), 8):
        h = (h ^ int.from_bytes(data[i:i + 8].ljust(8, b"\0"), "little")) * 0x9e3779b97f4a7c15 & mask
        h ^= h >> 32
    h = h * 0xc2b2ae3d27d4eb4f & mask
    return (h ^ h >> 29) or 1


class Lines:
    """A process that answers each line with one."""

    def __init__(self, argv, env=None, **more):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env,
                                        text=True, bufsize=1, **more)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        return self.process.stdout.readline().rstrip("\n")

    def close(self):
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        try:
            return self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Agent(Lines):
    """tests/support/fake_agent at its own socket, in a folder of its own. `first`: commands before anybody can ask it."""

    def __init__(self, path=None, first=()):
        self.folder = None if path else tempfile.mkdtemp(prefix="homing-shim-")
        self.path = path or self.folder + "/agent.sock"
        agents.append(self)
        self.missed = 0
        super().__init__([BUILD / "tests/support/fake_agent", self.path, *first])
        equal(self.process.stdout.readline(), "ready\n")

    def do(self, line):
        equal(self.ask(line), "ok")

    def entry(self, name, text4="-", text6="-", mode="names", state="steady", role="writer", family=4,
              max_stale=60000, age=0):
        self.do(f"entry {name} {mode} {state} {role} {family} {text4} {text6} {max_stale} {age}")

    def members(self, *members, officials=()):
        """`officials`: the names of the members' hosts, "-" for one that is not known."""
        if officials:
            self.do("officials " + " ".join(officials))
        self.do("members " + " ".join(members))

    def attached(self):
        return int(self.ask("attached"))

    def standard(self):
        """How many of 0, 1 and 2 the last client had open while it waited for its view."""
        return int(self.ask("standard"))

    def note_missed(self):
        if self.process.poll() is None:
            self.missed = int(self.ask("missed") or 0)

    def kill(self):
        self.note_missed()
        self.process.kill()
        self.process.wait()

    def close(self):
        self.note_missed()
        super().close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def environment(agent=None, preload=LIBRARY, **more):
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    if preload:
        env["LD_PRELOAD"] = str(preload)
    if agent:
        env["HOMING_SOCKET"] = getattr(agent, "path", agent)
    return {**env, **more}


class Probe(Lines):
    """tests/shim/probe, which knows nothing of homing. preload=None: without the shim."""

    def __init__(self, libc, agent=None, preload=LIBRARY, argv=None, env=None, **more):
        self.libc = libc
        argv = argv or [BUILD / f"tests/shim/probe-{libc}"]
        super().__init__(argv, environment(agent, preload, **(env or {})), **more)

    def ask(self, *words):
        return super().ask("\t".join(str(word) for word in words))

    def gai(self, node, service="-", family=AF_UNSPEC, socktype=socket.SOCK_STREAM, protocol=0, flags=0,
            how=()):
        return self.ask(*how, "gai", node, service, family, socktype, protocol, flags)

    def address(self, node, **more):
        """The one address of a getaddrinfo() that succeeds, or what it said."""
        said = self.gai(node, **more)
        fields = said.partition("[")[2].split(" ")
        return fields[5] if said.startswith("rc=0 ") else said


def compiled(folder, name, *argv):
    path = f"{folder}/{name}"
    subprocess.run([*os.environ.get("CC", "cc").split(), "-O1", "-I", SRC, "-o", path, *argv], check=True)
    return path


def to_be_setuid(folder):
    """A probe that finds the library as any other one: ld.so preloads nothing by a path into a setuid program."""
    library = shutil.copy(LIBRARY, folder)
    os.chmod(library, 0o755)
    return compiled(folder, "probe", "-pthread", *(SRC / f"tests/shim/{part}.c" for part in ("probe", "beget", "byways", "dial", "midway")),
                    library, f"-Wl,-rpath,{folder}")


def make_setuid(program):
    os.chown(program, 65534, 65534)
    os.chmod(program, 0o4755)
    if os.statvfs(program).f_flag & os.ST_NOSUID:
        raise tap.Skip("the temporary folder is mounted nosuid")


def missed():
    """Why a test of the shim may have failed that was not given its time. It may have failed before it closes its agents."""
    for agent in agents:
        agent.note_missed()
    count = sum(agent.missed for agent in agents)
    return f"{count} times something was not run in time" if count else None


per_libc = tap.test_each(LIBCS)
tap.before_each.append(agents.clear)
tap.excuses.append(missed)


def main(hosts=HOSTS):
    own_names(hosts)
    tap.main()


def main_beside_dns(zone_text):
    """All tests, beside a DNS server of this network namespace that has this zone. Names lead where the caller says."""
    with tempfile.NamedTemporaryFile("w", prefix="homing-zone-", encoding="ascii") as zone:
        zone.write(zone_text)
        zone.flush()
        with subprocess.Popen([sys.executable, "-B", SRC / "tests/support/dns.py", "127.0.0.1", "53", zone.name],
                              stdout=subprocess.PIPE, text=True) as dns:
            equal(dns.stdout.readline().split()[0], "ready")
            try:
                tap.main()
            finally:
                dns.terminate()
