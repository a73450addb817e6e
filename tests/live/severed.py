#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Layers 2 and 3 together, with unmodified programs of both libcs and the real homing-sever: what was connected to the
demoted member is severed, and its next connect, to the same cached address, is on the new writer."""
import contextlib
import os
import random
import resource
import sys

TOP = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(TOP, "../support"), os.path.join(TOP, "../shim")]
from tap import equal, eventually, main, test  # noqa: E402
from sever import Sever, need_root  # noqa: E402
from harness import BUILD, LIBCS, Agent, Probe, hash_of  # noqa: E402
from peers import Peers  # noqa: E402

need_root()
NET = "127.%d.%d." % (random.randrange(16, 250), random.randrange(250))
A, B, C = NET + "1", NET + "2", NET + "3"
NAME, READER = "db.test", "ro.test"
sever = Sever().start()
agent = Agent(sever.run + "/agent.sock")
peers = Peers(A, B, C)
generation = 0


def publish(writer, *readers, state="steady", switch=True):
    """Each call is a switch. The demoted serve reads."""
    global generation
    generation += switch
    agent.do("members w=%s@%d " % (writer, peers.port) + " ".join("rd=%s@%d" % (r, peers.port) for r in readers))
    for name, role in ((NAME, "writer"), (READER, "reader")):
        agent.do("entry %s sever %s %s 4 %s - 60000 0 port=%d generation=%d"
                 % (name, state, role, writer, peers.port, generation))


@contextlib.contextmanager
def program(libc, **more):
    """The one program: homing-sever has no permit of another one any more."""
    sever.wait_processes(0)
    with Probe(libc, agent, **more) as probe:
        yield probe


def looks_up(probe, name, address):
    """The library waits 20 ms for its view at first."""
    eventually(lambda: probe.address(name) == address, "%s is %s" % (name, address))


def order(demoted):
    """Once homing-sever has the permit of the one program: it may still be on its way to it."""
    sever.wait_processes(1)
    return sever.sever(hash_of(NAME), generation, (demoted, peers.port))


def offered():
    """Those of who has closed them in the meantime are refused, or not even looked at."""
    permits = sever.status()["permits"]
    return permits["taken"] + permits["refused"] + permits["left"]


def dial(probe, address, expected):
    said = probe.ask("dial", address, peers.port, "k")
    assert said.startswith("rc=0 errno=77 block=1 peer=2 %s " % expected), said
    return said.rpartition("=")[2]


def fates(probe, fds):
    return ["severed" if probe.ask("hangup", fd, 2) == "errno=103" else "alive" for fd in fds]


def a_pool_comes_back(probe):
    publish(A, B)
    looks_up(probe, NAME, A)
    pool = [dial(probe, A, A) for _ in range(20)]
    publish(B, A)
    equal(order(A)["severed"], 20)
    equal(fates(probe, pool), ["severed"] * 20)
    again = [dial(probe, A, B) for _ in range(20)]
    equal(order(A)["severed"], 0)
    equal(fates(probe, again), ["alive"] * 20)


@test
def a_pool_is_severed_and_comes_back_on_the_new_writer():
    for libc in LIBCS:
        with program(libc) as probe:
            a_pool_comes_back(probe)


def strays(probe, old, new):
    """A switch, of which the program never gets to see a view that is not stale. Returns what it keeps at the old writer."""
    address = probe.address(NAME)
    pool = [dial(probe, address, old) for _ in range(3)]
    publish(new, old, state="stale")
    equal((order(old)["severed"], fates(probe, pool)), (3, ["severed"] * 3))
    pool = [dial(probe, address, old) for _ in range(3)]
    equal((order(old)["severed"], fates(probe, pool)), (3, ["severed"] * 3))
    pool = [dial(probe, address, old) for _ in range(3)]
    for _ in range(2):
        equal((order(old)["severed"], fates(probe, pool)), (0, ["alive"] * 3))
    publish(new, old, switch=False)
    return pool


@test
def who_comes_back_to_the_demoted_member_is_severed_once_for_each_switch():
    for libc in LIBCS:
        before = sever.text().count('"returned"')
        with Probe(libc, agent) as probe:
            publish(A, B)
            kept = strays(probe, A, B)
            strays(probe, B, A)
            publish(B, A)
            equal((order(A)["severed"], fates(probe, kept)), (3, ["severed"] * 3))
        equal(sever.text().count('"returned"'), before + 2)


def locked_in(libc):
    """A program that may lock 8 MiB, and no privilege to lock more."""
    argv = ["setpriv", "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock", BUILD / ("tests/shim/probe-" + libc)]
    size = 8 << 20
    return program(libc, argv=argv, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (size, size)))


@test
def a_program_that_has_locked_its_memory_is_severed_and_comes_back_on_the_new_writer():
    for libc in LIBCS:
        with locked_in(libc) as probe:
            equal(probe.ask("lock"), "0")
            a_pool_comes_back(probe)


@test
def readers_on_the_same_node_keep_their_connections():
    for libc in LIBCS:
        with program(libc) as probe:
            publish(A, B)
            looks_up(probe, NAME, A)
            looks_up(probe, READER, B)
            writes, reads = dial(probe, A, A), dial(probe, B, B)
            publish(B, A)
            equal(probe.address(READER), A)
            reads_of_old = dial(probe, A, A)
            equal(order(A)["severed"], 1)
            equal(fates(probe, [writes, reads, reads_of_old]), ["severed", "alive", "alive"])


@test
def children_of_a_fork_are_severed_by_their_own_permits():
    for libc in LIBCS:
        with program(libc) as probe:
            publish(A, B)
            looks_up(probe, NAME, A)
            fd = dial(probe, A, A)
            probe.ask("fork", "dial", A, peers.port, "k")
            publish(B, A)
            equal(order(A)["severed"], 1)
            equal(fates(probe, [fd]), ["severed"])


@test
def who_closed_all_descriptors_is_severed_after_its_next_connect():
    for libc in LIBCS:
        with program(libc) as probe:
            before = offered()
            publish(A, B)
            looks_up(probe, NAME, A)
            dial(probe, A, A)
            probe.ask("closefrom", 3)
            pool = [dial(probe, A, A) for _ in range(3)]
            eventually(lambda: offered() == before + 2, "both permits were looked at")
            publish(B, A)
            equal(order(A)["severed"], 3)
            equal(fates(probe, pool), ["severed"] * 3)


main()
agent.close()
