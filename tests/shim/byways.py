#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other ways than getaddrinfo() and connect(): what each of them reaches, which is what libhoming(7) says of it."""
import errno
import os
import random
import re
import socket

from harness import DNS, SRC, Agent, Probe, hash_of, main, per_libc
from peers import Peers
from taker import Sever
from tap import Skip, equal, test

NET = f"127.{random.randrange(16, 250)}.{random.randrange(250)}"
A, B = (f"{NET}.{i}" for i in (1, 2))
NAME = "db.test"
PAGE = SRC / "packaging/man/libhoming.7"


class World:
    """A process that was given A for NAME, which is B by now, and has a permit."""

    def __init__(self, libc):
        self.peers, self.agent = Peers(A, B), Agent()
        self.port = self.peers.port
        self.sever = Sever(self.agent)
        self.probe = Probe(libc, self.agent)
        self.writer(A, B, 1)
        equal(self.probe.address(NAME), A)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.probe.close()
        self.sever.close()
        self.agent.close()
        self.peers.__exit__()

    def writer(self, address, other, generation):
        self.agent.do(f"members w={address}@{self.port} d={other}@{self.port}")
        for name in (NAME, DNS):
            self.agent.do(f"entry {name} sever steady writer 4 {address} - 60000 0 port={self.port} generation={generation}")

    def tried(self, way):
        """Where it came to, and its tag."""
        self.probe.ask("dial", A, self.port, "k")
        permit = self.sever.take()
        self.writer(B, A, 2)
        said = self.probe.ask(way, A, self.port)
        if said.startswith("rc=-1 "):
            raise Skip(f"not on this kernel: {said}")
        return re.search(r" peer=(\S+) ", said)[1], permit.slot(said.rpartition("=")[2])


# What the page says of a way, for the verbs of the probe.
WAYS = {"deferred": "TCP_FASTOPEN_CONNECT", "fastopen": "MSG_FASTOPEN", "elsewhere": "dlmopen", "ring": "io_uring",
        "later": "getaddrinfo_a", "netns": "setns", "deny": "AF_NETLINK"}


@test
def the_manual_has_a_row_for_each_way():
    table = PAGE.read_text().partition(".Ss Other ways to look up and to connect\n")[2].partition("\n.S")[0]
    rows = table.split("\n.It ")[1:]
    equal(len(rows), len(WAYS))
    for row, way in zip(rows, WAYS.values()):
        assert way in row.partition("\n")[0], (way, row)


@per_libc
def a_connect_that_is_sent_with_the_first_bytes_goes_where_any_other_does(libc):
    with World(libc) as world:
        equal(world.tried("deferred"), (B, (hash_of(NAME), 2)))


@per_libc
def what_is_sent_to_an_address_without_a_connect_goes_there(libc):
    with World(libc) as world:
        equal(world.tried("fastopen"), (A, None))


@test
def a_second_libc_connects_where_it_is_told_to():
    with World("glibc") as world:
        equal(world.tried("elsewhere"), (A, None))


@per_libc
def io_uring_connects_where_it_is_told_to(libc):
    with World(libc) as world:
        equal(world.tried("ring"), (A, None))


@test
def getaddrinfo_a_gives_what_the_real_resolver_says():
    with World("glibc") as world, Probe("glibc", preload=None) as plain:
        equal(world.probe.address(DNS), A)
        equal(world.probe.ask("later", DNS), plain.ask("later", DNS))


@per_libc
def who_goes_to_another_network_namespace_hands_over_again(libc):
    if os.geteuid() != 0:
        raise Skip("needs root, to make one")
    with World(libc) as world:
        world.probe.ask("dial", A, world.port, "")
        permits = [world.sever.take()]
        back = world.probe.ask("netns")
        for way in (), ("netns", back):
            if way:
                equal(world.probe.ask(*way), "0")
            for _ in range(2):
                world.probe.ask("dial", A, world.port, "")  # nobody listens in the new one
            permits.append(world.sever.take())
            world.sever.nothing_comes()
        spaces = [permit.netlink.getsockopt(socket.SOL_SOCKET, 71, 8) for permit in permits]  # SO_NETNS_COOKIE
        assert spaces[0] == spaces[2] != spaces[1], spaces
        equal([permit.gone() for permit in permits], [True, True, False])


@per_libc
def a_connection_that_was_told_of_in_another_network_namespace_is_not_told_of_again(libc):
    if os.geteuid() != 0:
        raise Skip("needs root, to make one")
    with World(libc) as world:
        told = world.probe.ask("dial", A, world.port, "k").rpartition("=")[2]
        world.sever.take()
        world.probe.ask("netns")
        world.probe.ask("dial", A, world.port, "")
        world.sever.take()
        said = world.probe.ask("redial", told, A, world.port)
        assert f"errno={errno.EISCONN} " in said, said
        world.sever.nothing_comes()


@per_libc
def who_may_have_no_netlink_socket_is_steered_and_not_severed(libc):
    with World(libc) as world:
        equal(world.probe.ask("deny", socket.AF_NETLINK), "0 0")
        world.writer(B, A, 2)
        for _ in range(20):
            said = world.probe.ask("dial", A, world.port, "")
            assert said.startswith("rc=0 errno=77 ") and f"peer=2 {B} " in said, said
        while world.sever.waiting():
            equal(world.sever.server.accept()[0].recv(64), b"")
        equal(world.probe.address(NAME), B)
        equal(world.probe.ask("fds"), "0 1 2")


main()
