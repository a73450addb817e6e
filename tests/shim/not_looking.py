#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Connections that are made while homing is not looking: in mode off or names, before there is an agent, before a reload
adds the name. They stay the process' own business; and when it is homing's, the next call that is not a literal's tells
homing-sever of them (W7)."""
import random
import resource
import shutil

from harness import DNS, NONE, Agent, Probe, eventually, hash_of, main, per_libc
from peers import Peers
from taker import Sever
from tap import equal

NET = f"127.{random.randrange(16, 250)}.{random.randrange(250)}"
A, B, C = (f"{NET}.{i}" for i in (1, 2, 3))
LOCAL = "127.0.0.1"  # what DNS, which is "localhost", is
NAME, READER, OTHER = "db.test", "ro.test", "other.test"


class World:
    """`agent=False`: none is there yet, and what the program looks up goes to the real resolver."""

    def __init__(self, libc, agent=True, **more):
        self.peers = Peers(A, B, C, LOCAL)
        self.port = self.peers.port
        self.folder = None
        self.agent = Agent()
        if not agent:
            self.agent.kill()
        self.sever = Sever(self.agent)
        self.probe = Probe(libc, self.agent, **more)
        if agent:
            self.agent.do("sever 3")
        self.before = self.probe.ask("fds").split()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.probe.close()
        self.sever.close()
        self.agent.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.peers.__exit__()

    def begin(self):
        """The agent comes."""
        self.folder, self.agent = self.agent.folder, Agent(self.agent.path)
        self.agent.do("sever 3")

    def entry(self, name, address, mode, role="writer", generation=7, state="steady"):
        self.agent.do(f"entry {name} {mode} {state} {role} 4 {address} - 60000 0 port={self.port} generation={generation}")

    def members(self, writer, *others, flags="rd"):
        self.agent.do(f"members w={writer}@{self.port} " + " ".join(f"{flags}={o}@{self.port}" for o in others))

    def managed(self, mode, **more):
        """NAME is A's, and READER is B's."""
        self.members(A, B)
        self.entry(NAME, A, mode, **more)
        self.entry(READER, B, mode, "reader", **more)

    def dial(self, address, how="k"):
        said = self.probe.ask("dial", address, self.port, how)
        assert said.startswith("rc=0 errno=77 "), said
        return int(said.rpartition("=")[2]) if "k" in how else None

    def look_up(self, name, address):
        equal(self.probe.address(name), address)

    def kept(self, *but):
        return [int(fd) for fd in self.probe.ask("fds").split() if fd not in self.before and int(fd) not in but]


CALLS = {
    "a lookup of a managed name": lambda world: world.probe.address(NAME),
    "a lookup of another name": lambda world: world.look_up(DNS, LOCAL),
    "gethostbyname": lambda world: world.probe.ask("h", NAME),
    "a connect to an address of another name": lambda world: world.dial(LOCAL, ""),
    "a connect to an address of a managed name": lambda world: world.dial(A, ""),
}


@per_libc
def what_is_connected_in_mode_off_or_names_is_told_at_the_next_call_after_the_mode_is_another(libc):
    for before in ("off", "names"):
        for now in ("observe", "connect", "sever"):
            for what, call in CALLS.items():
                with World(libc) as world:
                    world.managed("names")
                    world.look_up(DNS, LOCAL)
                    world.look_up(NAME, A)
                    world.managed(before)
                    fd = world.dial(A)
                    equal(world.kept(fd), [])
                    world.sever.nothing_comes()
                    world.managed(now)
                    world.sever.nothing_comes()
                    call(world)
                    permit = world.sever.take()
                    equal((what, permit.slot(fd), permit.late()), (what, (hash_of(NAME), 7), 1))


@per_libc
def a_child_that_shares_the_memory_takes_nothing_from_its_parent(libc):
    """It has descriptors of its own, and connects to elsewhere with a number that its parent has connected."""
    for how in ("vfork", "share", "spawn"):
        for elsewhere in (LOCAL, B):
            for before in ("off", "names"):
                with World(libc) as world:
                    world.managed("names")
                    for name, address in ((DNS, LOCAL), (READER, B), (NAME, A)):
                        world.look_up(name, address)
                    world.managed(before)
                    fd = world.dial(A)
                    for _ in range(2):
                        said = world.probe.ask(how, "after", 2, "close", fd, "dial", elsewhere, world.port, "k")
                        assert said.endswith(f" fd={fd}"), said
                    world.managed("sever")
                    world.look_up(DNS, LOCAL)
                    equal((how, elsewhere, world.sever.take().slot(fd)), (how, elsewhere, (hash_of(NAME), 7)))


@per_libc
def a_number_that_is_connected_to_the_same_address_again_is_told_of(libc):
    for between in (), (A,), (A, LOCAL, A, LOCAL), (LOCAL, A):
        with World(libc) as world:
            world.managed("names")
            world.look_up(DNS, LOCAL)
            world.look_up(NAME, A)
            world.managed("off")
            for address in (LOCAL, LOCAL, *between):
                world.dial(address, "")
            fd = world.dial(LOCAL)
            world.members(LOCAL, B)
            world.entry(DNS, LOCAL, "sever")
            world.look_up(DNS, LOCAL)
            permit = world.sever.take()
            equal((between, permit.slot(fd), permit.late()), (between, (hash_of(DNS), 0), 1))


@per_libc
def a_literals_connect_tells_nothing(libc):
    with World(libc) as world:
        world.managed("names")
        world.look_up(NAME, A)
        world.dial(A)
        world.managed("sever")
        world.dial(C, "")
        world.sever.nothing_comes()


@per_libc
def in_mode_off_and_names_nothing_is_handed_over_whatever_else_changes(libc):
    """It is the kill switch: a homing-sever that is started anew gets nothing either."""
    with World(libc) as world:
        world.managed("sever")
        world.look_up(NAME, A)
        first = world.dial(A)
        equal(world.sever.take().slot(first), (hash_of(NAME), 7))
        for mode in ("off", "names"):
            world.managed(mode)
            world.agent.do(f"sever {5 if mode == 'off' else 6}")
            for call in CALLS.values():
                world.look_up(DNS, LOCAL)
                call(world)
            world.sever.nothing_comes()
        second = world.dial(A)
        world.managed("sever")
        world.look_up(DNS, LOCAL)
        permit = world.sever.take()
        equal((permit.slot(first), permit.slot(second)), ((hash_of(NAME), 7),) * 2)


@per_libc
def a_homing_sever_that_is_started_anew_gets_the_permit_at_the_next_call(libc):
    with World(libc) as world:
        world.managed("sever")
        world.look_up(NAME, A)
        fd = world.dial(A)
        world.sever.take()
        world.agent.do("sever 5")
        world.look_up(NAME, A)
        equal(world.sever.take().slot(fd), (hash_of(NAME), 7))
        world.look_up(NAME, A)
        world.sever.nothing_comes()


@per_libc
def only_the_endpoint_whose_mode_is_another_is_told_of(libc):
    with World(libc) as world:
        world.managed("names")
        world.look_up(NAME, A)
        world.look_up(READER, B)
        writers, readers = world.dial(A), world.dial(B)
        world.entry(READER, B, "sever", "reader")
        world.look_up(READER, B)
        permit = world.sever.take()
        equal((permit.slot(writers), permit.slot(readers)), (None, (hash_of(READER), 7)))
        world.entry(NAME, A, "sever")
        world.look_up(READER, B)
        equal(permit.slot(writers), (hash_of(NAME), 7))
        world.sever.nothing_comes()


@per_libc
def who_connects_to_a_demoted_member_in_mode_names_is_tagged_as_outdated(libc):
    """A program that remembers the address. In another mode it would have been redirected."""
    with World(libc) as world:
        world.managed("names")
        world.look_up(NAME, A)
        world.members(B, A)
        world.entry(NAME, B, "names", generation=8)
        fd = world.dial(A)
        world.entry(NAME, B, "sever", generation=8)
        world.look_up(NAME, B)
        equal(world.sever.take().slot(fd), (hash_of(NAME), 7))


@per_libc
def what_was_closed_or_is_another_socket_by_now_is_not_tagged(libc):
    with World(libc) as world:
        world.managed("names")
        world.look_up(NAME, A)
        gone, other, again, there = (world.dial(A) for _ in range(4))
        for fd in (gone, other, again):
            world.probe.ask("close", fd)
        equal([world.dial(C), world.dial(B)], [gone, other])  # neither was given for a name
        world.probe.ask("close", gone)
        world.managed("sever")
        world.look_up(NAME, A)
        permit = world.sever.take()
        equal((permit.tagged(), permit.late()), ([there], 1))


@per_libc
def hundreds_of_connections_are_kept_in_mode_names_and_cost_no_descriptor(libc):
    with World(libc, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))) as world:
        world.managed("names")
        world.look_up(NAME, A)
        world.probe.ask("fill", 700)
        fds = [world.dial(A) for _ in range(300)]
        equal((min(fds) > 256, world.kept(*fds, *range(700))), (True, []))
        world.managed("sever")
        world.look_up(NAME, A)
        permit = world.sever.take()
        equal([permit.slot(fd) for fd in fds], [(hash_of(NAME), 7)] * 300)


@per_libc
def hundreds_of_connections_that_are_made_before_there_is_an_agent_are_kept(libc):
    """A pool is not forgotten because of what else the program connects to."""
    with World(libc, agent=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))) as world:
        world.look_up(DNS, LOCAL)
        fds = [world.dial(LOCAL) for _ in range(300)]
        world.begin()
        world.members(LOCAL, B)
        world.entry(DNS, LOCAL, "sever")
        eventually(lambda: world.probe.address(NONE) and world.sever.waiting(), "it attaches and tells")
        permit = world.sever.take()
        equal({permit.slot(fd) for fd in fds}, {(hash_of(DNS), 0)})


@per_libc
def what_has_no_slot_yet_is_told_once_there_is_a_larger_memory(libc):
    """The first memory has 1,016 slots, because the process may make no larger file then."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        resource.setrlimit(resource.RLIMIT_FSIZE, (40000, resource.RLIM_INFINITY))

    for mode in ("names", "sever"):
        with World(libc, preexec_fn=limit) as world:
            world.managed("sever")
            world.look_up(NAME, A)
            first = world.dial(A)
            equal(world.sever.take().slots, 1016)
            resource.prlimit(world.probe.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            world.managed(mode)
            world.probe.ask("fill", 1500)
            fds = [world.dial(A) for _ in range(3)]
            world.managed("sever")
            eventually(lambda: world.probe.address(NAME) and world.sever.waiting(), "it hands over anew")
            permit = world.sever.take()
            eventually(lambda: world.probe.address(NAME) and permit.slot(fds[0]), "it is told")
            equal([permit.slot(fd) for fd in (first, *fds)], [(hash_of(NAME), 7)] * 4)


@per_libc
def a_connect_that_begins_after_the_look_is_told_of_later(libc):
    """It was decided in mode names, and its thread comes to the kernel only after another one has looked."""
    with World(libc) as world:
        world.managed("names")
        world.look_up(NAME, A)
        equal(world.probe.ask("midway", "connect", "park", "dial", A, world.port, "k"), "parked")
        world.managed("sever")
        world.look_up(NAME, A)
        world.sever.nothing_comes()
        said = world.probe.ask("resume")
        assert said.startswith("rc=0 "), said
        fd = int(said.rpartition("=")[2])
        eventually(lambda: world.probe.address(NAME) and world.sever.waiting(), "it is told")
        equal(world.sever.take().slot(fd), (hash_of(NAME), 7))


@per_libc
def what_was_recalled_with_a_number_is_not_taken_for_the_next_connection_with_it(libc):
    """The first was the writer's and is closed. The next one is the reader's, and no memory can be had for its tag at first."""
    with World(libc, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))) as world:
        world.managed("names")
        world.look_up(NAME, A)
        fd = world.dial(A)
        world.probe.ask("close", fd)
        world.members(B, A)
        world.entry(NAME, B, "sever", generation=8)
        world.entry(READER, A, "sever", "reader", generation=9)
        world.look_up(NAME, B)
        world.look_up(READER, A)
        equal(world.dial(A), fd)
        resource.prlimit(world.probe.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        world.entry(NAME, B, "connect", generation=8)
        permit = eventually(lambda: world.probe.address(NAME) and world.sever.take_sent(), "it hands over")
        eventually(lambda: world.probe.address(NAME) and permit.slot(fd), "it is told")
        equal(permit.slot(fd), (hash_of(READER), 9))


@per_libc
def a_port_that_becomes_an_endpoints_later_is_looked_at_then(libc):
    """A reload adds a pooler's port, or a member with another port."""
    for how in ("ports", "member"):
        with World(libc) as world, Peers(A) as others:
            world.managed("sever")
            world.look_up(NAME, A)
            said = world.probe.ask("dial", A, others.port, "k")
            assert said.startswith("rc=0 "), said
            world.look_up(NAME, A)
            world.sever.nothing_comes()
            if how == "member":
                world.agent.do(f"members w={A}@{world.port} rd={A}@{others.port}")
            else:
                world.agent.do(f"entry {NAME} sever steady writer 4 {A} - 60000 0 port={world.port} generation=7 "
                               f"other={others.port}")
            world.look_up(NAME, A)
            equal(world.sever.take().slot(int(said.rpartition("=")[2])), (hash_of(NAME), 0))


@per_libc
def a_program_with_HOMING_SEVER_0_says_only_that_it_has_them(libc):
    with World(libc, env={"HOMING_SEVER": "0"}) as world:
        world.managed("names")
        world.look_up(NAME, A)
        fd = world.dial(A)
        world.managed("sever")
        world.look_up(NAME, A)
        permit = world.sever.take()
        equal((permit.slot(fd), permit.late()), ((0, 7), 0))


@per_libc
def what_is_connected_before_there_is_an_agent_is_told_when_there_is_one(libc):
    """Boot order. The generation is 0, which is before any that the agent gives."""
    for what in ("a lookup of another name", "a lookup of the name", "a connect"):
        with World(libc, agent=False) as world:
            world.look_up(DNS, LOCAL)
            fd = world.dial(LOCAL)
            equal(world.kept(fd), [])
            world.begin()
            world.members(LOCAL, B)
            world.entry(DNS, LOCAL, "sever")
            call = {"a lookup of another name": lambda: world.probe.address("x" * 64 + ".invalid"),
                    "a lookup of the name": lambda: world.probe.address(DNS),
                    "a connect": lambda: world.dial(LOCAL, "")}[what]
            eventually(lambda: call() and world.sever.waiting() or world.sever.waiting(), "it attaches and tells")
            permit = world.sever.take()
            equal((permit.slot(fd), permit.late()), ((hash_of(DNS), 0), 1))


@per_libc
def what_is_connected_before_a_reload_adds_the_name_is_told_afterwards(libc):
    with World(libc) as world:
        world.managed("sever")
        world.look_up(DNS, LOCAL)
        fd = world.dial(LOCAL)
        literal = world.dial(C)
        world.look_up(NAME, A)
        world.sever.nothing_comes()
        world.members(LOCAL, B)
        world.entry(DNS, LOCAL, "sever")
        world.look_up(DNS, LOCAL)
        permit = world.sever.take()
        equal((permit.slot(fd), permit.slot(literal)), ((hash_of(DNS), 0), None))


@per_libc
def a_name_that_is_added_in_mode_names_is_told_of_when_that_ends(libc):
    with World(libc) as world:
        world.managed("names")
        world.look_up(DNS, LOCAL)
        fd = world.dial(LOCAL)
        world.members(LOCAL, B)
        world.entry(DNS, LOCAL, "names")
        world.look_up(DNS, LOCAL)
        world.sever.nothing_comes()
        world.entry(DNS, LOCAL, "sever")
        world.look_up(DNS, LOCAL)
        equal(world.sever.take().slot(fd), (hash_of(DNS), 0))


@per_libc
def a_connection_for_another_name_is_not_taken_for_one_that_was_looked_up_later(libc):
    """The process was given the address for one name, connected, and then looked up another one."""
    with World(libc) as world:
        world.entry(OTHER, A, "names")
        world.entry(NAME, A, "names")
        world.members(A, B)
        world.look_up(OTHER, A)
        for name in (OTHER, NAME):
            world.agent.do(f"gone {name}")
        fd = world.dial(A)  # for OTHER, which nobody manages
        world.entry(NAME, A, "sever")
        world.look_up(NAME, A)
        later = world.dial(A)
        permit = world.sever.take()
        equal((permit.slot(fd), permit.slot(later)), (None, (hash_of(NAME), 7)))


@per_libc
def another_port_of_the_host_is_not_the_endpoints(libc):
    with World(libc, agent=False) as world, Peers(LOCAL) as others:
        world.look_up(DNS, LOCAL)
        said = world.probe.ask("dial", LOCAL, others.port, "k")
        assert said.startswith("rc=0 "), said
        world.begin()
        world.members(LOCAL, B)
        world.entry(DNS, LOCAL, "sever")
        before = world.agent.attached()
        eventually(lambda: world.probe.address(DNS) and world.agent.attached() > before, "it attaches")
        world.probe.address(DNS)
        world.sever.nothing_comes()


@per_libc
def a_forked_child_tells_of_what_it_has_inherited(libc):
    """A program that becomes a daemon in mode names, with its connection."""
    with World(libc) as world:
        world.managed("names")
        world.look_up(NAME, A)
        fd = world.dial(A)
        world.managed("sever")
        world.probe.ask("fork", "gai", NAME, "-", 0, 1, 0, 0)
        equal(world.sever.take().slot(fd), (hash_of(NAME), 7))


@per_libc
def threads_that_find_out_at_once_hand_over_once(libc):
    for _ in range(4):
        with World(libc) as world:
            world.managed("names")
            world.look_up(NAME, A)
            fds = [world.dial(A) for _ in range(40)]
            world.managed("sever")
            world.probe.ask("threads", 16, "dial", A, world.port, "k")
            permit = eventually(world.sever.take_sent, "a permit")  # of a thread that was not overtaken
            equal([permit.slot(fd) for fd in fds], [(hash_of(NAME), 7)] * 40)
            equal(permit.late(), 40)


@per_libc
def what_cannot_be_handed_over_yet_is_handed_over_later(libc):
    with World(libc) as world:
        world.managed("names")
        world.look_up(NAME, A)
        fd = world.dial(A)
        world.sever.close()
        world.managed("sever")
        world.look_up(NAME, A)
        world.sever = Sever(world.agent)
        eventually(lambda: world.probe.address(NAME) and world.sever.waiting(), "after a pause")
        equal(world.sever.take().slot(fd), (hash_of(NAME), 7))


main()
