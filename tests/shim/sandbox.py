#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program that forbids itself system calls (seccomp) before its first lookup: those that libhoming(7) lists are enough,
and each of them is needed. The filter is made of that very list."""
import os
import re
import resource
import signal
import socket
import subprocess

from harness import DNS, NONE, SRC, Agent, Probe, eventually, main, own_network, per_libc
from peers import Peers
from tap import equal

NET = own_network()
A, B, D = (f"{NET}.{i}" for i in (1, 2, 3))  # nobody listens at D
NAME, READER = "db.test", "ro.test"
PAGE = SRC / "packaging/man/libhoming.7"

# What the program and its libc need to talk with this test, and to look a name up in /etc/hosts.
LIBC = {"glibc": "read write openat close fstat newfstatat lseek brk mmap munmap mprotect futex uname getrandom exit_group",
        "musl": "read write open close brk mmap munmap mprotect exit_group"}
# glibc looks for nscd, and musl opens files so.
RESOLVER = {"glibc": "socket connect", "musl": "fcntl"}
# What the program needs for its own connects.
DIALS = "socket connect getpeername fcntl close"


class Killed(Exception):
    pass


def numbers():
    said = subprocess.run([*os.environ.get("CC", "cc").split(), "-E", "-dM", "-"], input="#include <asm/unistd.h>\n",
                          capture_output=True, text=True, check=True).stdout
    return {name: number for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", said, re.MULTILINE)}


NUMBERS = numbers()


def listed():
    """The rows of the page: what is done, and the calls that it takes beside those of the rows before it."""
    section = PAGE.read_text().partition(".Sh SYSTEM CALLS\n")[2].partition("\n.Sh ")[0]
    return [(title, calls.split()) for title, calls in re.findall(r"^\.It (.*)\n\.Li (.*)$", section, re.MULTILINE)]


class World:
    def __init__(self, libc, calls, preload=True, before=(), env=None):
        self.peers, self.agent = Peers(A, B), Agent()
        self.port = self.peers.port
        self.sever = socket.socket(socket.AF_UNIX)
        self.sever.bind(os.path.dirname(self.agent.path) + "/permit.sock")
        self.sever.listen(64)
        self.writer(A, B)
        self.probe = Probe(libc, self.agent, env=env, **({} if preload else {"preload": None}))
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(self.probe.process.pid, resource.RLIMIT_NOFILE, (most, most))  # 1,024 is usual
        for words in before:
            self.probe.ask(*words)
        known = [NUMBERS[call] for call in calls if call in NUMBERS]
        equal(self.probe.ask("allow", ",".join(known)), "0 0")

    def writer(self, address, *readers, **more):
        words = {"port": self.port, "generation": 1, **more}
        state, mode = words.pop("state", "steady"), words.pop("mode", "sever")
        self.agent.do(f"members w={address}@{self.port} " + " ".join(f"rd={r}@{self.port}" for r in readers))
        for name, role in ((NAME, "writer"), (READER, "reader")):
            self.agent.do(f"entry {name} {mode} {state} {role} 4 {address} - 60000 0 " +
                          " ".join(f"{key}={value}" for key, value in words.items()))

    def ask(self, *words):
        said = self.probe.ask(*words)
        if not said:
            equal(self.probe.process.wait(), -signal.SIGSYS)
            raise Killed(words)
        return said

    def address(self, name):
        return self.ask("gai", name, "-", 2, 1, 0, 0).partition("[")[2].split(" ")[5]

    def dial(self, address, expected, how=""):
        said = self.ask("dial", address, self.port, how)
        assert f" peer=2 {expected} " in said, said
        return said.rpartition("=")[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.probe.close()
        self.sever.close()
        self.agent.close()
        self.peers.__exit__()


# ---- what is done under each row's title ----

def lookups(world):
    equal(world.address(DNS), "127.0.0.1")
    assert "127.0.0.1" in world.ask("h", DNS)
    equal(world.address(NAME), A)
    for i in range(2, 8):  # agents are started again, and older views are given back
        world.agent.do("retire")
        world.agent.do("view")
        world.agent.entry(NONE, f"10.1.2.{i}")
        eventually(lambda i=i: " 10.1.2.%d " % i in world.ask("gai", NONE, "-", 0, 1, 0, 0), "the next view")


def readers(world):
    world.agent.do(f"members w={A}@{world.port} r={B}@{world.port} r={D}@{world.port}")
    equal({world.address(READER) for _ in range(2)}, {B, D})


def connects(world):
    world.writer(A, B, keepalive=5000)
    equal(world.address(NAME), A)
    fd = world.dial(A, A, "k")
    eventually(lambda: world.dial(A, A) and world.ask("fds").split()[-1] == "1000", "a permit is handed over")
    world.writer(B, A)
    world.dial(A, B)
    world.ask("redial", fd, A, world.port)
    world.ask("dissolve", fd)
    equal(world.address(DNS), "127.0.0.1")
    world.ask("redial", fd, "127.0.0.1", world.port)
    world.ask("close", world.ask("fds").split()[-1])
    eventually(lambda: world.dial(A, B) and world.ask("fds").split()[-1] == "1000", "and another one")


def waits(world):
    equal(world.address(NAME), A)
    world.writer(A, B, state="no_writer", hold=50)
    assert world.ask("dial", A, world.port, "").startswith("rc=-1 errno=111 "), "it is refused in the end"


def high(world):
    equal(world.address(NAME), A)
    world.ask("fill", 1030)
    world.dial(A, A, "k")


def locked(world):
    equal(world.address(NAME), A)


def assumes(world):
    world.agent.do(f"members w={A}@{world.port} d=::1@{world.port}/1")  # which is this host's own
    assert world.ask("dial", "::1", world.port, "").startswith("rc=-1 errno=111 ")


# Beside each title: what the program needs for it, beside LIBC.
ROWS = {
    "Looking names up": (lookups, "", ()),
    "Looking up a name that has several readers": (readers, "", ()),
    "Connecting to an address of a managed name": (connects, DIALS, ()),
    "Waiting for a writer": (waits, DIALS, ()),
    "Connecting with a descriptor of 1016 or above": (high, DIALS + " openat open", ()),
    "Looking names up with memory that is locked": (locked, "", (("lock",),)),
    "Connecting to an address of a member with HOMING_ASSUME": (assumes, DIALS, ()),
}


def base(libc, more):
    return {*LIBC[libc].split(), *RESOLVER[libc].split(), *more.split()}


def survives(libc, title, calls):
    do, _, before = ROWS[title]
    try:
        env = {"HOMING_ASSUME": NAME} if "HOMING_ASSUME" in title else {}
        with World(libc, calls, before=before, env=env) as world:
            do(world)
            return True
    except Killed:
        return False


@per_libc
def the_program_itself_needs_what_this_test_says(libc):
    for title, (_, more, before) in ROWS.items():
        with World(libc, base(libc, more), preload=False, before=before) as world:
            equal((title, world.address(DNS)), (title, "127.0.0.1"))
            if more:
                world.ask("fill", 1030)
                world.ask("dial", A, world.port, "k")


@per_libc
def the_calls_that_the_manual_lists_are_enough(libc):
    rows, calls = listed(), set()
    equal([title for title, _ in rows], list(ROWS))
    for title, more in rows:
        calls.update(more)
        assert survives(libc, title, base(libc, ROWS[title][1]) | calls), f"killed: {title}"


@per_libc
def each_call_that_the_manual_lists_is_needed(libc):
    calls = set()
    for title, more in listed():
        calls.update(more)
        for call in more:
            without = base(libc, ROWS[title][1])
            if call not in without:
                assert not survives(libc, title, (without | calls) - {call}), f"not needed: {call}: {title}"


def calls_of(*titles):
    return {call for title, more in listed() if title in titles for call in more}


@per_libc
def connects_in_mode_off_and_names_and_of_other_names_need_no_more_than_lookups(libc):
    """It is the way out if another mode's calls kill a program."""
    with World(libc, base(libc, DIALS) | calls_of("Looking names up")) as world:
        world.writer(A, B, mode="names")
        equal(world.address(NAME), A)
        for mode in ("names", "off"):
            world.writer(A, B, mode=mode)
            world.dial(A, A, "k")
        equal(world.address(DNS), "127.0.0.1")
        world.ask("dial", "127.0.0.1", world.port, "")


@per_libc
def what_is_told_late_is_told_by_the_calls_of_a_managed_connect(libc):
    titles = ("Looking names up", "Looking up a name that has several readers", "Connecting to an address of a managed name")
    with World(libc, base(libc, DIALS) | calls_of(*titles)) as world:
        world.writer(A, B, mode="names")
        equal(world.address(NAME), A)
        world.dial(A, A, "k")
        world.agent.do("sever 3")
        world.writer(A, B)
        equal(world.address(NAME), A)
        equal(world.ask("fds").split()[-1], "1000")


@per_libc
def no_call_is_listed_twice(libc):
    calls = [call for _, more in listed() for call in more]
    equal(len(calls), len(set(calls)))
    equal([call for call in calls if call not in NUMBERS], [])


main()
