#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Libraries of before, kept as bytes in tests/frozen: a program may run for months with the one that it began with, under
each agent that comes. They work with today's homingd and homing-sever: names, remembered addresses, severing, modes."""
import glob
import gzip
import os
import platform
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import SRC, Agent, Holder, answered, cluster_of, demote, directory, pair, settle  # noqa: E402
from sever import need_root  # noqa: E402
from tap import cleanups, equal, eventually, main, test_each  # noqa: E402

need_root()
KEPT = sorted(glob.glob(os.path.join(SRC, f"tests/frozen/libhoming-*-{platform.machine()}.so.gz")))
AT, NAME = directory(), "orders-db"
DIALER = """import socket, sys
address = socket.getaddrinfo(sys.argv[1], sys.argv[2], socket.AF_INET, socket.SOCK_STREAM)[0][4]
print(address[0], flush=True)
for line in sys.stdin:
    one = socket.socket()
    one.settimeout(30)
    one.connect(address)
    print(one.getpeername()[0], flush=True)
    one.close()
"""


def unpacked(path):
    library = os.path.join(AT, os.path.basename(path)[:-3])
    with gzip.open(path) as packed, open(library, "wb") as out:
        out.write(packed.read())
    return library


class Dialer(Holder):
    """Remembers the address that it was given once. .ask(): where it gets by it now."""

    program = ["-c", DIALER]


class World:
    def __init__(self, path):
        self.library = unpacked(path)
        self.pg = pair()
        self.agent = Agent(cluster_of(self.pg, NAME)).start()
        self.agent.wait_writer("orders", self.pg.member("a"))
        eventually(lambda: self.agent.status()["severing"]["available"], "severing is available")
        self.at = {name: self.pg.address(name) for name in "ab"}

    def begin(self, program):
        """The library is the kept one, whatever homingctl would preload."""
        env = dict(os.environ, LD_PRELOAD=self.library, HOMING_SOCKET=self.agent.socket)
        return answered(lambda: program(NAME, self.pg.port(), None, env=env))

    def switch(self, old, new):
        demote(self.pg, old, new)
        self.agent.wait_writer("orders", self.pg.member(new))

    def end(self):
        self.agent.stop()
        self.pg.destroy()


@test_each([os.path.basename(path) for path in KEPT])
def a_kept_library_follows_and_is_severed_under_todays_agent(name):
    world = World(os.path.join(SRC, "tests/frozen", name))
    holder, dialer = world.begin(Holder), world.begin(Dialer)
    equal([holder.first, dialer.first], [world.at["a"]] * 2)
    eventually(lambda: world.agent.status()["severing"]["processes"] == 1, "its permit is held")
    world.switch("a", "b")
    eventually(lambda: holder.ask().split()[:2] == ["anew", world.at["b"]], "it is severed, and comes back to the new writer")
    equal(dialer.ask(), world.at["b"])
    settle(world.pg, world.agent, "a", "b")
    world.agent.ok("mode", "orders", "off")
    eventually(lambda: dialer.ask() == world.at["a"], "in mode off it gets where it asks to")
    world.agent.ok("mode", "orders", "sever")
    eventually(lambda: dialer.ask() == world.at["b"], "it is steered again")
    eventually(lambda: holder.process.pid in {row["pid"] for row in world.agent.json("connections")["connections"]},
               "its connection is listed")
    for one in (holder, dialer):
        one.end()
    world.end()


@test_each(["there is one for this machine"])
def a_library_is_kept(_):
    assert KEPT or platform.machine() != "x86_64", "tests/frozen has none"


main()
