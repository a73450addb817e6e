#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A view of an agent to come, of the same major: larger rows, a weight, a flag "healthy" and others, values in all that is
reserved, modes, states and roles that nobody knows. Today's library and each one that was kept (tests/frozen) read it, and
programs follow."""
import functools
import gzip
import platform
import tempfile
from pathlib import Path

from harness import AF_INET, AI_CANONNAME, LIBCS, LIBRARY, SRC, Agent, Probe, eventually, hash_of, main, own_network
from peers import Peers
from taker import Sever
from tap import equal, test, test_each

NET = own_network()
A, B, C = (f"{NET}.{i}" for i in (1, 2, 3))
NAME, READER, POOL = "db.test", "ro.test", "localhost"  # the real resolver knows the last one
KEPT = sorted((SRC / "tests/frozen").glob(f"libhoming-*-{platform.machine()}.so.gz"))
LIBRARIES = {"today's": None, **{path.stem: path for path in KEPT}}
each = test_each([f"{name}, {libc}" for name in LIBRARIES for libc in LIBCS])


@functools.cache
def folder():
    """Made by a test, because the script starts again before the first one."""
    return tempfile.TemporaryDirectory(prefix="homing-kept-")


def library_of(name):
    if not LIBRARIES[name]:
        return LIBRARY
    library = Path(folder().name) / name
    if not library.exists():
        library.write_bytes(gzip.decompress(LIBRARIES[name].read_bytes()))
    return library


class World:
    def __init__(self, case):
        name, _, self.libc = case.rpartition(", ")
        self.peers, self.agent, self.generation = Peers(A, B, C), Agent(), 0
        self.sever = Sever(self.agent)
        self.port = self.peers.port
        self.publish(A, B)
        self.probe = Probe(self.libc, self.agent, preload=library_of(name))

    def publish(self, writer, reader, values=None):
        """A new agent to come: what was handed out before is retired."""
        self.generation += 1
        if self.generation > 1:
            self.agent.do("retire")
            self.agent.do("view")
            self.agent.do("sever 77")
        self.agent.do("officials@1 node-w.corp node-r.corp")
        self.agent.do(f"members@1 w={writer}@{self.port} rd={reader}@{self.port}")  # of the second cluster
        for name, role in ((NAME, "writer"), (READER, "reader"), (POOL, "writer")):
            self.agent.do(f"entry {name} sever steady {role} 4 {writer} - 60000 0 port={self.port} cluster=1 generation={self.generation}")
        if values:
            self.agent.do(f"newer {POOL} {values}")
        self.agent.do("ahead")

    def dial(self, address, expected, how=""):
        said = self.probe.ask("dial", address, self.port, how)
        assert f" peer=2 {expected} " in said, said
        return said.rpartition("=")[2]

    def looked_up(self, name, flags=0):
        return self.probe.gai(name, family=AF_INET, flags=flags).partition("[")[2].partition("]")[0].split(" ")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.probe.close()
        self.sever.close()
        self.agent.close()
        self.peers.__exit__()


@each
def lookups_connects_tags_and_canonical_names_are_as_ever(case):
    with World(case) as world:
        equal([world.probe.address(name) for name in (NAME, READER)], [A, B])
        equal(world.looked_up(NAME, AI_CANONNAME)[7], "node-w.corp")
        number = world.dial(A, A, "k")
        permit = world.sever.take()
        equal(permit.slot(number), (hash_of(NAME), 1))
        world.publish(B, A)
        eventually(lambda: world.probe.address(NAME) == B, "the next agent's view is followed")
        equal(world.probe.address(READER), A)
        equal(world.looked_up(NAME, AI_CANONNAME)[7], "node-w.corp")
        world.publish(C, B)
        eventually(lambda: world.probe.address(NAME) == C, "the next agent's view is followed")
        equal(world.probe.ask("peer", number), f"2 {A} {world.port}")
        world.dial(B, C)


@each
def an_endpoint_without_a_writer_is_given_its_first_choice(case):
    """Mode 200 is unknown. Roles: 2 and 3 are reserved, 200 is unknown."""
    with World(case) as world:
        equal(world.probe.address(POOL), A)
        at = A
        for values, next_at in (("5 1 2", B), ("5 1 3", A), ("200 1 200", B)):
            world.publish(next_at, C, values)
            eventually(lambda: world.probe.address(POOL) == next_at, f"{values}: the first choice")
            world.dial(next_at, next_at)
            at = next_at
        equal(at, B)


@each
def a_state_that_nobody_knows_redirects_nothing(case):
    with World(case) as world:
        equal(world.probe.address(POOL), A)
        world.publish(B, A, "5 200 0")
        # The real resolver's answer counts, because it is no demoted member's (W9).
        eventually(lambda: world.probe.address(POOL, family=AF_INET) == "127.0.0.1", "the real resolver is asked")
        world.dial(A, A)


@test
def a_library_is_kept():
    assert KEPT or platform.machine() != "x86_64", "tests/frozen has none"


main()
