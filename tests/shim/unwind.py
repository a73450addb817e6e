#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Threads that are cancelled in a lookup or a connect: what their callers put aside for that case runs as without the
shim (I3), and a look back from a signal handler passes through the shim."""
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from harness import SRC, Agent, Lines, environment, own_network, per_libc
from own_names import DONE, STAGE, be_oneself, own_namespaces, put_names
from peers import Peers
from tap import Skip, cleanups, equal, test
from tap import main as run

NET = own_network()
A, B = f"{NET}.1", f"{NET}.2"
NAME, STRANGER = "db.test", "nobody.test"
COMPILERS = {"glibc": ["g++", "-x", "c++", "-rdynamic"], "musl": ["musl-gcc"]}
CANCELED = {"glibc": "canceled cleaned destroyed", "musl": "canceled cleaned"}

programs = {}  # of each libc


def program(libc):
    """Compiled at its first use, because the script starts again before that."""
    if libc not in programs:
        if not shutil.which(COMPILERS[libc][0]):
            raise Skip(f"needs {COMPILERS[libc][0]}")
        folder = tempfile.mkdtemp(prefix="homing-unwind-")
        cleanups.append(lambda: shutil.rmtree(folder))
        path = f"{folder}/unwind-{libc}"
        subprocess.run([*COMPILERS[libc], "-O2", "-pthread", "-o", path, str(SRC / "tests/shim/unwind.c")], check=True)
        programs[libc] = path
    return programs[libc]


class Full:
    """A server whose backlog is full: a connect to it sleeps."""

    def __init__(self, address):
        self.server = socket.socket()
        self.server.bind((address, 0))
        self.server.listen(0)
        self.port = self.server.getsockname()[1]
        self.clients = [socket.socket() for _ in range(4)]
        for client in self.clients:
            client.setblocking(False)
            client.connect_ex((address, self.port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in (*self.clients, self.server):
            one.close()


class World(Lines):
    def __init__(self, libc):
        self.libc = libc
        self.agent = Agent()
        super().__init__([program(libc)], environment(self.agent))

    def close(self):
        super().close()
        self.agent.close()

    def fds(self):
        return sorted(os.listdir(f"/proc/{self.process.pid}/fd"))

    def writer(self, address, other, port, state="steady", hold=600000):
        self.agent.do(f"members w={address}@{port} rd={other}@{port}")
        self.agent.do(f"entry {NAME} connect {state} writer 4 {address} - 60000 0 port={port} hold={hold}")

    def canceled(self, line, more=""):
        equal((line, self.ask(line)), (line, CANCELED[self.libc] + more))


@per_libc
def a_lookup_that_is_cancelled_cleans_up_after_its_callers(libc):
    with World(libc) as world:
        world.writer(A, B, 5432)
        world.canceled(f"pending gai {STRANGER}")
        world.canceled(f"asleep gai {STRANGER}")
        equal(world.ask(f"run gai {NAME}"), "rc=0 errno=0")
        world.writer(A, B, 5432, state="stale")  # the real resolver is asked
        world.canceled(f"pending gai {NAME}")
        world.canceled(f"asleep gai {NAME}")


@per_libc
def a_connect_that_is_cancelled_cleans_up_after_its_callers(libc):
    with World(libc) as world, Full(A) as full, Full("127.0.0.1") as here:
        world.writer(B, A, full.port)
        equal(world.ask("run gai localhost"), "rc=0 errno=0")
        for how in ("pending", "asleep"):
            world.canceled(f"{how} connect {A} {full.port}")  # was never looked up
            world.canceled(f"{how} connect 127.0.0.1 {here.port}")  # for a name that is not managed
        world.writer(A, B, full.port)
        equal(world.ask(f"run gai {NAME}"), "rc=0 errno=0")
        for how in ("pending", "asleep"):
            world.canceled(f"{how} connect {A} {full.port}")
    with World(libc) as world, Peers(A, B) as peers, Full(B) as full:
        world.writer(A, B, peers.port)
        equal(world.ask(f"run gai {NAME}"), "rc=0 errno=0")
        equal(world.ask(f"run connect {A} {peers.port}"), "rc=0 errno=0")
        world.agent.do(f"members rd={A}@{peers.port} w={B}@{full.port}")
        world.agent.do(f"entry {NAME} connect steady writer 4 {B} - 60000 0 port={full.port}")
        for how in ("pending", "asleep"):
            world.canceled(f"{how} connect {A} {peers.port}")  # redirected
        world.writer(A, B, peers.port)
        equal(world.ask(f"run connect {A} {peers.port}"), "rc=0 errno=0")


@per_libc
def a_connect_that_waits_for_a_writer_is_a_cancellation_point(libc):
    with World(libc) as world, Peers(A, B) as peers:
        world.writer(A, B, peers.port)
        equal(world.ask(f"run gai {NAME}"), "rc=0 errno=0")
        equal(world.ask(f"run connect {A} {peers.port}"), "rc=0 errno=0")
        before = world.fds()
        world.writer(A, B, peers.port, state="no_writer")
        for how in ("pending", "asleep", "async"):
            world.canceled(f"{how} connect {A} {peers.port}")
        world.writer(A, B, peers.port, state="no_writer", hold=0)
        equal(world.ask(f"run connect {A} {peers.port}"), "rc=-1 errno=111")
        world.canceled(f"pending connect {A} {peers.port}")  # refused at once
        world.writer(A, B, peers.port)
        equal(world.ask(f"run connect {A} {peers.port}"), "rc=0 errno=0")
        equal(world.fds(), before)


@test
def a_look_back_from_a_signal_handler_passes_through():
    with World("glibc") as world, Full(A) as full:
        world.writer(A, B, full.port)
        world.canceled(f"trace gai {STRANGER}", " traced")
        equal(world.ask(f"run gai {NAME}"), "rc=0 errno=0")
        world.canceled(f"trace connect {A} {full.port}", " traced")
        world.writer(A, B, full.port, state="no_writer")
        world.canceled(f"trace connect {A} {full.port}", " traced")


def main():
    """Who is asked for a name does not answer."""
    if os.environ.get(STAGE) != DONE:
        own_namespaces("--mount", "--net")
        put_names(nsswitch="hosts: files dns\n", resolv="nameserver 127.0.0.1\noptions timeout:30\n")
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("53", encoding="ascii")
        be_oneself()
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 53))
    run()


main()
