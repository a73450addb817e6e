#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the library costs in memory that a process is charged for, whether it uses it or not, and what in memory that is
locked (mlockall): little, at each step of a program's life. And a process that gets no memory does without (I3)."""
import os
import resource

from harness import BUILD, DNS, LIBRARY, Agent, Probe, follows, main, own_network, per_libc
from peers import Peers
from tap import equal

NET = own_network()
A, B = NET + ".1", NET + ".2"
NAME = "db.test"
KIB_AT_MOST = 64
MIB = 1 << 20


def status(probe, field):
    with open(f"/proc/{probe.process.pid}/status", encoding="ascii") as lines:
        return int(next(line.split()[1] for line in lines if line.startswith(field + ":")))


def mappings(probe):
    """(its first line, what is said of it) of each."""
    head, said = "", {}
    with open(f"/proc/{probe.process.pid}/smaps", encoding="ascii") as lines:
        for line in lines:
            key, _, value = line.partition(" ")
            if not key.endswith(":"):
                head, said = line.strip(), {}
            else:
                said[key[:-1]] = value.strip()
            if key == "VmFlags:":
                yield head, said


def charged(probe):
    """KiB that count for Committed_AS: private memory that may be written."""
    return sum(int(said["Size"].split()[0]) for _, said in mappings(probe) if "ac" in said["VmFlags"].split())


def code(probe):
    """KiB of the library's file in memory, which all processes share."""
    return sum(int(said["Rss"].split()[0]) for head, said in mappings(probe)
               if head.endswith("libhoming.so") and "ac" not in said["VmFlags"].split())


def cost(probe):
    locked = status(probe, "VmLck")
    return {"VmData": status(probe, "VmData"), "charged": charged(probe),
            "VmLck": locked - code(probe) if locked else 0}


def argv(libc):
    """The probe, without the privilege to lock as much as it likes. An ordinary user has none to give up."""
    give_up = [] if os.geteuid() else ["setpriv", "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock"]
    return [*give_up, BUILD / f"tests/shim/probe-{libc}"]


def limited_to(size):
    return lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (size, size))


class World:
    """A program that is homing's, and beside it the same without homing."""

    def __init__(self, libc, **more):
        self.peers, self.agent = Peers(A, B), Agent()
        self.port = self.peers.port
        self.publish(A, B)
        self.probe, self.plain = (Probe(libc, self.agent, preload=preload, **more) for preload in (LIBRARY, None))
        self.both("fds")  # both have started

    def publish(self, writer, *readers):
        self.agent.do(f"members w={writer}@{self.port} " + " ".join(f"rd={reader}@{self.port}" for reader in readers))
        self.agent.do(f"entry {NAME} sever steady writer 4 {writer} - 60000 0 port={self.port} generation=1")

    def both(self, *words):
        return [process.ask(*words) for process in (self.probe, self.plain)]

    def more(self):
        """By how much the first one costs more."""
        mine, its = cost(self.probe), cost(self.plain)
        return {field: mine[field] - its[field] for field in mine}

    def check(self, when, at_most=KIB_AT_MOST):
        more = self.more()
        print(f"# {when}: {more} KiB")
        assert max(more.values()) <= at_most, f"{when}: {more}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.probe.close()
        self.plain.close()
        self.agent.close()
        self.peers.__exit__()


def through_a_life(world, more):
    """Up to the first managed connect."""
    world.both("same", 0, 0)  # both have started
    world.check("loaded" + more)
    equal(len(set(world.both("gai", DNS, "-", 2, 1, 0, 0))), 1)
    world.check("after a lookup of an unmanaged name" + more)
    world.both("dial", "127.0.0.1", world.port, "")
    world.check("after a connect to what it gave" + more)
    equal(world.probe.address(NAME), A)
    world.plain.gai(A)
    world.check("after a lookup of a managed name" + more)


@per_libc
def a_process_is_charged_for_little(libc):
    with World(libc) as world:
        through_a_life(world, "")
        world.both("dial", A, world.port, "k")
        world.check("after a managed connect", at_most=2 * KIB_AT_MOST)


@per_libc
def a_process_that_has_locked_its_memory_holds_little_more(libc):
    with World(libc, argv=argv(libc), preexec_fn=limited_to(8 * MIB)) as world:
        equal(world.both("lock"), ["0", "0"])
        through_a_life(world, ", all memory locked")
        world.both("dial", A, world.port, "k")
        world.check("after a managed connect, all memory locked", at_most=3 * KIB_AT_MOST)


@per_libc
def views_that_come_and_go_do_not_use_up_what_may_be_locked(libc):
    with World(libc, argv=argv(libc), preexec_fn=limited_to(8 * MIB)) as world:
        equal(world.both("lock"), ["0", "0"])
        for i in range(2, 16):
            world.agent.entry("next.test", f"10.1.2.{i}")
            follows(world.probe, "next.test", f"10.1.2.{i}")
            world.agent.do("retire")
            world.agent.do("view")
        world.plain.gai("10.1.2.3")
        more = world.more()["VmLck"]
        assert more <= KIB_AT_MOST, f"{more} KiB are locked after 14 agents"


@per_libc
def a_process_that_may_lock_nothing_more_does_without_a_view(libc):
    with World(libc, argv=argv(libc), preexec_fn=limited_to(8 * MIB)) as world:
        equal(world.both("lock"), ["0", "0"])
        said = world.both("gai", DNS, "-", 2, 1, 0, 0)  # libc has what it needs
        world.agent.entry(DNS, "10.1.2.3")
        for process in (world.probe, world.plain):
            full = status(process, "VmLck") * 1024
            resource.prlimit(process.process.pid, resource.RLIMIT_MEMLOCK, (full, 8 * MIB))
        world.agent.do("retire")
        world.agent.do("view")
        world.agent.entry("late.test", "10.1.2.3")
        equal(world.probe.gai("late.test", family=2), world.plain.gai("late.test", family=2))
        equal(world.probe.ask("dial", A, world.port, "")[:13], "rc=0 errno=77")
        resource.prlimit(world.probe.process.pid, resource.RLIMIT_MEMLOCK, (8 * MIB, 8 * MIB))
        follows(world.probe, "late.test", "10.1.2.3")
        equal(said[0], said[1])


@per_libc
def a_process_that_gets_no_memory_does_without_homing(libc):
    with World(libc) as world:
        world.agent.do("manner hangs-up")
        said = world.both("gai", DNS, "-", 2, 1, 0, 0)  # libc has what it needs
        equal(said[0], said[1])
        world.agent.entry(DNS, "10.1.2.3")
        hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.prlimit(world.probe.process.pid, resource.RLIMIT_AS, (status(world.probe, "VmSize") * 1024, hard[1]))
        world.agent.do("manner proper")
        equal(world.probe.gai(DNS, family=2), said[1])
        equal(len(set(world.both("dial", "127.0.0.1", world.port, ""))), 1)
        resource.prlimit(world.probe.process.pid, resource.RLIMIT_AS, hard)
        follows(world.probe, DNS, "10.1.2.3")


@per_libc
def a_connect_for_which_there_is_no_memory_goes_where_it_should(libc):
    """Without a tag, because there is nowhere to keep one."""
    with World(libc) as world:
        equal(world.probe.address(NAME), A)
        world.publish(B, A)
        hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.prlimit(world.probe.process.pid, resource.RLIMIT_AS, (status(world.probe, "VmSize") * 1024, hard[1]))
        for _ in range(3):
            assert f" peer=2 {B} " in world.probe.ask("dial", A, world.port, ""), "it is redirected all the same"
        resource.prlimit(world.probe.process.pid, resource.RLIMIT_AS, hard)
        assert f" peer=2 {B} " in world.probe.ask("dial", A, world.port, "")


main()
