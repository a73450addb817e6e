#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Layers 2 and 3 together, with unmodified programs of both libcs and the real homing-sever: what was connected to the
demoted member is severed, and its next connect, to the same cached address, is on the new writer."""
import os
import random
import sys

TOP = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(TOP, "../support"), os.path.join(TOP, "../shim")]
from tap import equal, main, test  # noqa: E402
from sever import Sever, need_root  # noqa: E402
from harness import LIBCS, Agent, Probe, hash_of  # noqa: E402
from peers import Peers  # noqa: E402

need_root()
NET = "127.%d.%d." % (random.randrange(16, 250), random.randrange(250))
A, B, C = NET + "1", NET + "2", NET + "3"
NAME, READER = "db.test", "ro.test"
sever = Sever().start()
agent = Agent(sever.run + "/agent.sock")
peers = Peers(A, B, C)
generation = 0


def publish(writer, *readers):
    """Each call is a switch. The demoted serve reads."""
    global generation
    generation += 1
    agent.do("members w=%s@%d " % (writer, peers.port) + " ".join("rd=%s@%d" % (r, peers.port) for r in readers))
    for name, role in ((NAME, "writer"), (READER, "reader")):
        agent.do("entry %s sever steady %s 4 %s - 60000 0 port=%d generation=%d"
                 % (name, role, writer, peers.port, generation))


def order(demoted):
    return sever.sever(hash_of(NAME), generation, (demoted, peers.port))


def dial(probe, address, expected):
    said = probe.ask("dial", address, peers.port, "k")
    assert said.startswith("rc=0 errno=77 block=1 peer=2 %s " % expected), said
    return said.rpartition("=")[2]


def fates(probe, fds):
    return ["severed" if probe.ask("hangup", fd, 2) == "errno=103" else "alive" for fd in fds]


@test
def a_pool_is_severed_and_comes_back_on_the_new_writer():
    for libc in LIBCS:
        with Probe(libc, agent) as probe:
            publish(A, B)
            equal(probe.address(NAME), A)
            pool = [dial(probe, A, A) for _ in range(20)]
            publish(B, A)
            equal(order(A)["severed"], 20)
            equal(fates(probe, pool), ["severed"] * 20)
            again = [dial(probe, A, B) for _ in range(20)]
            equal(order(A)["severed"], 0)
            equal(fates(probe, again), ["alive"] * 20)


@test
def readers_on_the_same_node_keep_their_connections():
    for libc in LIBCS:
        with Probe(libc, agent) as probe:
            publish(A, B)
            equal((probe.address(NAME), probe.address(READER)), (A, B))
            writes, reads = dial(probe, A, A), dial(probe, B, B)
            publish(B, A)
            equal(probe.address(READER), A)
            reads_of_old = dial(probe, A, A)
            equal(order(A)["severed"], 1)
            equal(fates(probe, [writes, reads, reads_of_old]), ["severed", "alive", "alive"])


@test
def children_of_a_fork_are_severed_by_their_own_permits():
    for libc in LIBCS:
        with Probe(libc, agent) as probe:
            publish(A, B)
            equal(probe.address(NAME), A)
            fd = dial(probe, A, A)
            probe.ask("fork", "dial", A, peers.port, "k")
            publish(B, A)
            equal(order(A)["severed"], 1)
            equal(fates(probe, [fd]), ["severed"])


@test
def who_closed_all_descriptors_is_severed_after_its_next_connect():
    for libc in LIBCS:
        with Probe(libc, agent) as probe:
            publish(A, B)
            equal(probe.address(NAME), A)
            dial(probe, A, A)
            probe.ask("closefrom", 3)
            pool = [dial(probe, A, A) for _ in range(3)]
            sever.wait_processes(1)
            publish(B, A)
            equal(order(A)["severed"], 3)
            equal(fates(probe, pool), ["severed"] * 3)


main()
agent.close()
