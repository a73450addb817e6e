#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a process hands over so that its outdated connections can be severed (proto/permit.h), when, and what it says
of its sockets there. The other end is played by this script; it holds what comes against the contract."""
import ctypes
import os
import resource
import select
import socket
import sys
import time

from harness import BUILD, Agent, Probe, eventually, hash_of, main, own_network, per_libc
from peers import Peers
from taker import CONNECTS, Sever
from tap import Skip, equal

SO_COOKIE = 57
NET = own_network()
A, B, C, D = (f"{NET}.{i}" for i in (1, 2, 3, 4))  # nobody listens at D
NAME, READER = "db.test", "ro.test"


class World:
    def __init__(self, libc, sever=True, env=None, **more):
        self.peers = Peers(A, B, C)
        self.port = self.peers.port
        self.agent = Agent()
        self.sever = Sever(self.agent) if sever else None
        self.probe = Probe(libc, self.agent, env=env, **more)
        self.before = self.probe.ask("fds").split()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.probe.close()
        if self.sever:
            self.sever.close()
        self.agent.close()
        self.peers.__exit__()

    def writer(self, address, *others, generation=1, mode="sever", state="steady", hold=0):
        self.agent.do("members " + " ".join([f"w={address}@{self.port}"] + [f"rd={o}@{self.port}" for o in others]))
        for name, role in ((NAME, "writer"), (READER, "reader")):
            self.agent.do(f"entry {name} {mode} {state} {role} 4 {address} - 60000 0 port={self.port} "
                          f"generation={generation} hold={hold}")

    def dial(self, address, how="k", before=()):
        """The descriptor number, kept open."""
        said = self.probe.ask(*before, "dial", address, self.port, how)
        assert said.startswith("rc=0 errno=77 "), said
        return int(said.rpartition("=")[2]) if "k" in how else None

    def started(self, **more):
        """One connection to A for NAME, and the permit."""
        self.writer(A, B, **{**more, "mode": "names"})
        equal(self.probe.address(NAME), A)
        self.writer(A, B, **more)
        fd = self.dial(A)
        return fd, self.sever.take()

    def open_to_all(self):
        """Its sockets: for programs of other users."""
        os.chmod(os.path.dirname(self.agent.path), 0o755)
        os.chmod(self.agent.path, 0o777)
        os.chmod(self.sever.path, 0o777)

    def kept(self):
        """Descriptors that the process has beyond what it began with."""
        return [int(fd) for fd in self.probe.ask("fds").split() if fd not in self.before]


@per_libc
def the_first_managed_connect_hands_over_and_tags(libc):
    for mode in ("observe", "connect", "sever"):
        with World(libc) as world:
            fd, permit = world.started(mode=mode, generation=7)
            equal(permit.slot(fd), (hash_of(NAME), 7))
            equal(permit.tagged(), [fd])
            equal(permit.pid, world.probe.process.pid)
            equal(permit.counts(), [1, 0, 0, 0, 0, 0, 0])
            equal([n for n in world.kept() if n != fd], [1000])
            for _ in range(100):
                world.dial(A, how="")
            world.sever.nothing_comes()
            equal(permit.counts(), [101, 0, 0, 0, 0, 0, 0])
            equal(permit.gone(), False)
            world.probe.close()
            eventually(permit.gone, "the end of the process shows")


@per_libc
def an_agent_that_answers_the_first_lookup_too_late_costs_no_protection(libc):
    """The lookup goes to the real resolver; the connect that follows finds the view, and is steered and tagged."""
    with Agent() as agent, Peers("127.0.0.1", "127.0.0.2") as peers, Probe(libc, agent) as probe:
        sever = Sever(agent)
        agent.do(f"members w=127.0.0.2@{peers.port} d=127.0.0.1@{peers.port}")
        agent.do(f"entry localhost sever steady writer 4 127.0.0.2 - 60000 0 port={peers.port}")
        agent.do("manner silent")
        equal(probe.address("localhost"), "127.0.0.1")
        agent.do("manner slow")  # 60 ms
        said = probe.ask("dial", "127.0.0.1", peers.port, "k")
        assert "peer=2 127.0.0.2 " in said, said
        equal(sever.take().slot(said.rpartition("=")[2]), (hash_of("localhost"), 1))
        sever.close()


@per_libc
def without_a_managed_connect_nothing_is_handed_over(libc):
    with World(libc) as world:
        world.writer(A, B)
        equal(world.probe.address(NAME), A)
        world.dial(B, how="")  # not given for the name
        world.dial(A, how="u")
        for mode in ("off", "names"):
            world.writer(A, B, mode=mode)
            world.dial(A, how="")
        world.sever.nothing_comes()
        equal(world.kept(), [])


@per_libc
def a_process_may_refuse(libc):
    for value in ("0", "false", "FALSE", "no", "off", "Off"):
        with World(libc, env={"HOMING_SEVER": value}) as world:
            world.writer(A, B)
            equal(world.probe.address(NAME), A)
            world.writer(B, A)
            assert f"peer=2 {B} " in world.probe.ask("dial", A, world.port, ""), "it is redirected all the same"
            permit = world.sever.take()
            fd = world.dial(B)
            equal((permit.slot(fd), sum(permit.counts())), ((0, 1), 0))  # known, for no endpoint, and not counted
            world.sever.nothing_comes()


@per_libc
def a_process_that_says_anything_else_is_severed(libc):
    for value in ("", "1", "true", "yes", "on", "00", "offside", "of"):
        with World(libc, env={"HOMING_SEVER": value}) as world:
            fd, permit = world.started()
            equal((value, permit.slot(fd)), (value, (hash_of(NAME), 1)))


@per_libc
def counts_say_what_was_done(libc):
    with World(libc) as world:
        _, permit = world.started()
        world.writer(B, A)
        world.dial(A, how="")
        equal(permit.counts(), [2, 1, 0, 0, 0, 0, 0])
        world.writer(B, A, mode="observe")
        world.dial(A, how="")
        equal(permit.counts(), [3, 1, 1, 0, 0, 0, 0])
        world.writer(B, A, state="no_writer")
        world.probe.ask("dial", A, world.port, "n")
        equal(permit.counts(), [4, 1, 1, 1, 0, 0, 0])
        world.writer(B, A)
        equal(world.probe.address(READER), A)
        world.dial(A, how="")  # the reader's
        equal(permit.counts(), [5, 1, 1, 1, 0, 0, 0])
        world.dial(A, how="")  # it cannot be told whose
        equal(permit.counts(), [6, 2, 1, 1, 1, 0, 0])


@per_libc
def the_tag_has_the_generation_of_the_answer_that_was_followed(libc):
    with World(libc) as world:
        first, permit = world.started()
        world.writer(B, A, generation=2)
        second = world.dial(A)
        equal((permit.slot(first), permit.slot(second)), ((hash_of(NAME), 1), (hash_of(NAME), 2)))
        assert permit.cookie(first) != permit.cookie(second)


@per_libc
def the_endpoint_looked_up_last_is_the_one_tagged(libc):
    with World(libc) as world:
        world.writer(B, A)
        equal((world.probe.address(NAME), world.probe.address(READER)), (B, A))
        fd = world.dial(A)
        permit = world.sever.take()
        equal(permit.slot(fd), (hash_of(READER), 1))
        equal(permit.slot(world.dial(B)), (hash_of(NAME), 1))
        world.writer(A, B)
        for name in (NAME, READER, NAME, NAME, READER):
            world.agent.do(f"members wr={A}@{world.port}")
            equal(world.probe.address(name), A)
            equal(permit.slot(world.dial(A)), (hash_of(name), 1))


@per_libc
def names_that_say_more_different_things_than_there_is_room_for_are_tagged_as_ever(libc):
    """And the connect is left as it is: a name that says that it is right has no room, perhaps."""
    says = {f"{role}{number}.test": (role, mode, address) for number, (role, mode, address) in enumerate((
        ("writer", "sever", A), ("writer", "sever", B), ("writer", "observe", A), ("writer", "observe", B),
        ("reader", "sever", A), ("reader", "observe", A)))}
    names = list(says)
    for first in range(len(names)):
        with World(libc) as world:
            world.agent.do(f"members wr={A}@{world.port} d={B}@{world.port}")
            for name in names:
                world.agent.do(f"entry {name} sever steady {says[name][0]} 4 {A} - 60000 0 port={world.port}")
            order = names[first:] + names[:first]
            for name in order:
                equal(world.probe.address(name), A)
            for name, (role, mode, address) in says.items():
                world.agent.do(f"entry {name} {mode} steady {role} 4 {address} - 60000 0 port={world.port} generation=9")
            said = world.probe.ask("dial", A, world.port, "k")
            assert f" peer=2 {A} " in said, said
            equal(world.sever.take().slot(said.rpartition("=")[2])[0], hash_of(order[-1]))


@per_libc
def names_that_have_left_the_address_leave_their_room_to_one_that_has_not(libc):
    """Even if they were looked up later. They say different things because of their holds."""
    others = [f"w{number}.test" for number in range(6)]
    with World(libc) as world:
        world.writer(A, B, C)
        equal(world.probe.address(NAME), A)
        for address in (A, C):
            for number, name in enumerate(others):
                world.agent.do(f"entry {name} sever steady writer 4 {address} - 60000 0 port={world.port} "
                               f"hold={100 + number}")
                equal(world.probe.address(name), address)
        fd = world.dial(A)
        equal(world.sever.take().slot(fd)[0], hash_of(NAME))


@per_libc
def a_connect_for_an_unmanaged_name_has_no_tag(libc):
    with World(libc) as world:
        fd, permit = world.started()
        world.agent.do(f"entry other.test names steady writer 4 {C} - 60000 0 port={world.port}")
        equal(world.probe.address("other.test"), C)
        equal(permit.slot(world.dial(C)), None)
        equal(permit.slot(fd), (hash_of(NAME), 1))


@per_libc
def an_unmanaged_name_that_was_given_the_address_last_does_not_take_the_tag(libc):
    """Redis on the same host, a CNAME, getLocalHost on a database node: it is the managed name's port."""
    with World(libc) as world:
        fd, permit = world.started()
        world.agent.do(f"entry other.test names steady writer 4 {A} - 60000 0 port={world.port}")
        equal(world.probe.address("other.test"), A)
        equal(permit.slot(world.dial(A)), (hash_of(NAME), 1))
        world.writer(B, A, generation=2)
        last = world.dial(A)  # as asked
        equal(world.probe.ask("peer", last), f"2 {A} {world.port}")
        equal(permit.slot(last), (hash_of(NAME), 2))
        equal(permit.slot(fd), (hash_of(NAME), 1))


@per_libc
def a_second_connect_of_a_socket_leaves_its_tag(libc):
    with World(libc) as world:
        fd, permit = world.started()
        world.writer(A, B, generation=2)
        world.probe.ask("redial", fd, A, world.port)
        equal(permit.slot(fd), (hash_of(NAME), 1))
        world.probe.ask("close", fd)
        equal(world.dial(A), fd)  # the number is another socket's now
        equal(permit.slot(fd), (hash_of(NAME), 2))


@per_libc
def a_socket_that_is_connected_anew_is_tagged_anew(libc):
    with World(libc) as world:
        _, permit = world.started()
        world.writer(D, A)
        equal(world.probe.address(NAME), D)
        said = world.probe.ask("dial", D, world.port, "k")
        assert said.startswith("rc=-1 errno=111 "), said
        fd = int(said.rpartition("=")[2])
        equal(permit.slot(fd), (hash_of(NAME), 1))
        world.writer(A, D, generation=2)
        equal(world.probe.address(NAME), A)
        assert world.probe.ask("redial", fd, A, world.port).startswith("rc=0 "), "it can be tried again"
        equal(permit.slot(fd), (hash_of(NAME), 2))
        equal(world.probe.ask("dissolve", fd), "rc=0")
        equal(permit.slot(fd), None)
        assert world.probe.ask("redial", fd, B, world.port).startswith("rc=0 "), "it can be used again"
        equal(permit.slot(fd), None)  # B was not given for the name


@per_libc
def a_socket_that_is_connected_anew_for_somebody_else_loses_its_tag(libc):
    with World(libc) as world:
        _, permit = world.started()
        world.writer(D, A)
        equal(world.probe.address(NAME), D)
        world.agent.do(f"entry other.test names steady writer 4 {B} - 60000 0 port={world.port}")
        equal(world.probe.address("other.test"), B)
        equal(world.probe.address("localhost"), "127.0.0.1")  # by a name that is not managed
        for address in (B, C, "127.0.0.1"):  # C was never looked up
            for how in ("k", "nk"):
                said = world.probe.ask("dial", D, world.port, how)
                assert said.startswith("rc=-1 errno=111 "), said
                fd = int(said.rpartition("=")[2])
                equal(permit.slot(fd), (hash_of(NAME), 1))
                assert "errno=106 " not in world.probe.ask("redial", fd, address, world.port), "it can be tried again"
                equal(permit.slot(fd), None)


@per_libc
def a_socket_that_is_connected_keeps_its_tag(libc):
    """Whatever is tried with it, by its number or with the number when it goes on by another one."""
    with World(libc) as world:
        fd, permit = world.started()
        tag = (hash_of(NAME), 1)
        equal(world.probe.address("localhost"), "127.0.0.1")
        for address in (B, C, "127.0.0.1"):
            assert world.probe.ask("redial", fd, address, world.port).startswith("rc=-1 errno=106 ")
            equal(permit.slot(fd), tag)
        world.probe.ask("dup", fd, 900)
        world.probe.ask("close", fd)
        equal(world.dial(C), fd)
        equal(permit.slot(fd), tag)


@per_libc
def of_an_address_of_more_names_than_are_kept_those_that_are_kept_are_tagged(libc):
    with World(libc) as world:
        fd, permit = world.started()
        for address in (A, C):
            for i in range(17):
                world.agent.do(f"entry n{i}.test names steady writer 4 {address} - 60000 0 port={world.port}")
                equal(world.probe.address(f"n{i}.test"), address)
        equal(permit.slot(world.dial(A)), (hash_of(NAME), 1))
        world.writer(C, A)
        equal(world.probe.address(NAME), C)  # there is no room for it
        equal(permit.slot(world.dial(C)), None)
        equal(permit.slot(fd), (hash_of(NAME), 1))


@per_libc
def a_writers_and_a_readers_pool_of_one_process_are_told_apart(libc):
    """Two nodes, both names looked up, addresses cached. The writer's pool comes to the new writer after each switchover,
    and what is the reader's alone stays the reader's."""
    with World(libc) as world:
        writer, reader = (hash_of(name) for name in (NAME, READER))
        world.writer(A, B)
        equal((world.probe.address(NAME), world.probe.address(READER)), (A, B))
        world.dial(A)
        permit = world.sever.take()

        def dialled(address, at, endpoint, generation):
            fd = world.dial(address)
            equal(world.probe.ask("peer", fd), f"2 {at} {world.port}")
            equal(permit.slot(fd), (endpoint, generation))

        dialled(A, A, writer, 1)
        dialled(B, B, reader, 1)
        new, old = B, A
        for generation in range(2, 8):
            world.writer(new, old, generation=generation)
            dialled(old, new, writer, generation)  # the writer's, cached
            equal(world.probe.address(READER), old)
            dialled(old, old, reader, generation)  # looked up, then connected
            dialled(old, new, writer, generation)  # and whoever else
            equal(world.probe.address(NAME), new)
            dialled(old, old, reader, generation)  # the writer's name has left it
            dialled(new, new, writer, generation)
            new, old = old, new


@per_libc
def both_names_on_one_server_are_the_writers_unless_the_readers_was_just_asked_for(libc):
    with World(libc) as world:
        fd, permit = world.started()
        world.agent.do(f"members wr={A}@{world.port}")
        equal(world.probe.address(READER), A)
        equal(permit.slot(world.dial(A)), (hash_of(READER), 1))
        equal(permit.slot(world.dial(A)), (hash_of(NAME), 1))
        equal(permit.slot(fd), (hash_of(NAME), 1))


@per_libc
def who_connects_to_a_demoted_member_while_nothing_is_confirmed_is_behind(libc):
    with World(libc) as world:
        _, permit = world.started(generation=4)
        world.writer(B, A, generation=5, state="stale")
        fd = world.dial(A)
        equal(world.probe.ask("peer", fd), f"2 {A} {world.port}")
        equal(permit.slot(fd), (hash_of(NAME), 0))
        equal(permit.counts(), [2, 0, 0, 0, 0, 0, 1])
        world.writer(A, B, generation=6, state="stale")
        equal(permit.slot(world.dial(A)), (hash_of(NAME), 6))
        equal(permit.counts(), [3, 0, 0, 0, 0, 0, 1])


@per_libc
def without_homing_sever_all_else_works_and_it_is_found_later(libc):
    with World(libc, sever=False) as world:
        world.writer(A, B)
        equal(world.probe.address(NAME), A)
        fd = world.dial(A)
        equal(world.kept(), [fd])
        world.sever = Sever(world.agent)
        eventually(lambda: world.dial(A, how="") or world.sever.waiting(), "it is handed over after a pause")
        permit = world.sever.take()
        equal(permit.slot(fd), (hash_of(NAME), 1))  # of before
        assert permit.counts()[CONNECTS] >= 2, permit.counts()


def fill(path):
    """The connections that have filled the backlog."""
    waiting = []
    for _ in range(8):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        waiting.append(client)
        try:
            client.connect(path)
        except BlockingIOError:
            return waiting
    raise AssertionError("a backlog without an end")


@per_libc
def a_full_backlog_is_not_waited_for(libc):
    with World(libc, sever=False) as world:
        world.sever = Sever(world.agent, backlog=0)
        waiting = fill(world.sever.path)
        world.writer(A, B)
        equal(world.probe.address(NAME), A)
        fd = world.dial(A)
        equal(world.kept(), [fd])
        equal(len(waiting), 2)


@per_libc
def who_found_no_room_comes_again_at_one_of_the_next_connects(libc):
    with World(libc, sever=False) as world:
        world.sever = Sever(world.agent, backlog=0)
        waiting = fill(world.sever.path)
        world.writer(A, B)
        equal(world.probe.address(NAME), A)
        world.dial(A, how="")
        world.sever.server.accept()[0].close()
        for _ in range(500):  # far less than the pause after other failures
            world.dial(A, how="")
            if world.sever.waiting():
                break
        equal(world.sever.take().pid, world.probe.process.pid)
        del waiting


@per_libc
def another_homing_sever_is_given_another_permit(libc):
    with World(libc) as world:
        fd, permit = world.started()
        for connects, instance in enumerate((5, 6, 7), 2):
            world.agent.do(f"sever {instance}")
            world.sever.nothing_comes()
            second = world.dial(A)
            later = world.sever.take()
            equal((later.slot(fd), later.slot(second)), ((hash_of(NAME), 1), (hash_of(NAME), 1)))
            equal((permit.gone(), later.gone()), (True, False))
            equal((permit.counts()[CONNECTS], later.counts()[CONNECTS]), (0, connects))  # homing-sever adds them up
            equal(len([n for n in world.kept() if n >= 1000]), 1)
            permit = later


@per_libc
def who_is_another_user_now_hands_over_again_unless_it_was_root(libc):
    """homing-sever takes a tag for its user's connections alone, and root's for all."""
    if os.geteuid() != 0:
        raise Skip("needs root, to be another user")
    with World(libc) as world:
        fd, permit = world.started()
        world.open_to_all()
        equal(world.probe.ask("euid", 61001), "0")
        world.dial(A)
        world.sever.nothing_comes()
        world.agent.do("sever 6")  # so this user hands over
        second = world.dial(A)
        of_user = world.sever.take()
        equal([world.probe.ask("euid", 0), world.probe.ask("euid", 61002)], ["0", "0"])
        third = world.dial(A)
        of_other = world.sever.take()
        equal([of_other.slot(n) for n in (fd, second, third)], [(hash_of(NAME), 1)] * 3)
        equal([permit.gone(), of_user.gone(), of_other.gone()], [True, True, False])
        world.dial(A)
        world.sever.nothing_comes()


@per_libc
def what_homing_sever_did_not_take_is_handed_over_again(libc):
    """It closes the connection when a quota is reached, or when it was too busy to look."""
    with World(libc) as world:
        fd, permit = world.started()
        permit.close()
        world.sever.permits.clear()
        eventually(lambda: world.dial(A, how="") or world.sever.waiting(), "it is handed over again")
        equal(world.sever.take().slot(fd), (hash_of(NAME), 1))
        equal(len([n for n in world.kept() if n >= 1000]), 1)


@per_libc
def who_closes_all_descriptors_hands_over_again(libc):
    with World(libc) as world:
        _, permit = world.started()
        for low in (3, 900, 3):
            world.probe.ask("closefrom", low)
            eventually(permit.gone, "the permit is taken back")
            fd = world.dial(A)
            permit = world.sever.take()
            equal(permit.slot(fd), (hash_of(NAME), 1))


@per_libc
def a_number_that_the_application_reused_is_not_touched(libc):
    with World(libc) as world:
        _, permit = world.started()
        world.probe.ask("close", 1000)
        equal(world.probe.ask("dup", 0, 1000), "1000")
        fd = world.dial(A)
        later = world.sever.take()
        equal(later.slot(fd), (hash_of(NAME), 1))
        equal(world.probe.ask("same", 0, 1000), "1")
        world.agent.do("sever 3")
        world.dial(A)
        world.sever.take()
        equal(world.probe.ask("same", 0, 1000), "1")


@per_libc
def who_closes_it_again_and_again_is_given_pauses(libc):
    with World(libc) as world:
        world.started()
        begun, tries, count = time.monotonic(), 0, 1
        while tries < 20 or time.monotonic() - begun < 1.5:
            tries += 1
            world.probe.ask("closefrom", 3)
            world.dial(A, how="")
            time.sleep(0.005)  # there is no room for so many at the servers
            while world.sever.waiting():
                world.sever.take()
                count += 1
        # At once, eight times after pauses that grow, and then one a second.
        assert 2 < count <= 11 + 2 * (time.monotonic() - begun), f"{count} permits"
        before = int(world.probe.ask("mapped"))
        for _ in range(3):
            world.probe.ask("closefrom", 3)
            eventually(lambda: world.dial(A, how="") or world.sever.waiting(), "another")
            world.sever.take()
        equal(int(world.probe.ask("mapped")), before)


@per_libc
def a_forked_child_hands_over_its_own(libc):
    with World(libc) as world:
        fd, permit = world.started()
        tagged = permit.tagged()
        for _ in range(20):
            world.dial(A, how="", before=("fork",))
            child = world.sever.take()
            assert child.pid != permit.pid
            equal((len(child.tagged()), child.cookie(fd)), (2, permit.cookie(fd)))
            equal(child.counts(), [1, 0, 0, 0, 0, 0, 0])
            eventually(child.gone, "the child ends")
        equal((permit.tagged(), permit.gone()), (tagged, False))
        equal(permit.counts(), [1, 0, 0, 0, 0, 0, 0])


def chained(world, generations, how):
    """What the last of so many generations said, which descriptors it had beyond the first one's, and all permits."""
    said, _, fds = world.probe.ask("chain", generations, "dial", A, world.port, how).partition(" fds ")
    assert said.startswith("rc=0 errno=77 "), said
    permits = [world.sever.take() for _ in range(generations)]
    world.sever.nothing_comes()
    known = {int(fd) for fd in world.probe.ask("fds").split()}
    return said, sorted({int(fd) for fd in fds.split()} - known), permits


@per_libc
def a_chain_of_forks_has_one_permit_and_one_descriptor_more(libc):
    """Each process ends when it has forked. The connection of the first one is in the last one's tags, because it may be
    the last that has it; the first one's own permit, which the last one does not hold, stays as it is."""
    with World(libc, sever=False) as world:
        world.sever = Sever(world.agent, backlog=200)
        fd, permit = world.started()
        for generations in (1, 2, 150):
            said, more, permits = chained(world, generations, "")
            equal([number for number in more if number >= 900], [1001] if generations % 2 else [])
            pipe = [number for number in more if number < 900]
            equal(len(pipe), 2)
            for later in permits:
                equal((later.cookie(fd), later.slot(fd)), (permit.cookie(fd), (hash_of(NAME), 1)))
                eventually(later.gone, "each of them ends")
        equal((permit.tagged(), permit.gone(), permit.counts()), ([fd], False, [1, 0, 0, 0, 0, 0, 0]))
        equal([number for number in world.kept() if number != fd], [1000])


@per_libc
def what_each_process_of_a_chain_connects_is_in_the_tags_of_those_after_it(libc):
    with World(libc) as world:
        fd, permit = world.started()
        said, more, permits = chained(world, 30, "k")
        connected = {number for number in more if number < 900}
        equal(len(connected), 30 + 2)
        tagged = set(permits[-1].tagged())
        assert tagged - {fd} < connected and len(tagged) == 31, tagged
        for later in permits:
            assert {n: c for n in later.tagged() if (c := later.cookie(n)) != permits[-1].cookie(n)} == {}


@per_libc
def a_duplicate_goes_on_being_severed_when_its_first_number_was_closed_before_the_fork(libc):
    with World(libc) as world:
        fd, permit = world.started()
        cookie = permit.cookie(fd)
        equal(world.probe.ask("dup", fd, 700), "700")
        later = eventually(lambda: permit.since(at := world.dial(A)) > permit.since(fd) and at, "the clock goes on")
        world.probe.ask("close", fd)
        said, more, permits = chained(world, 2, "")
        for of_child in permits:
            equal((of_child.cookie(fd), of_child.cookie(later)), (cookie, permit.cookie(later)))


@per_libc
def a_chain_of_forks_maps_no_more_memory_than_a_short_one(libc):
    with World(libc) as world:
        world.started()
        mapped = [world.probe.ask("chain", count, "after", 4, "dial", A, world.port, "", "mapped").partition(" fds ")[0]
                  for count in (3, 33)]
        equal(mapped[0].rpartition(" | ")[2], mapped[1].rpartition(" | ")[2])


@per_libc
def a_chain_without_homing_sever_keeps_the_tags_for_the_next_one(libc):
    with World(libc) as world:
        fd, permit = world.started()
        world.sever.close()
        world.probe.ask("chain", 5, "dial", A, world.port, "")
        world.sever = Sever(world.agent)
        said, more, permits = chained(world, 1, "")
        equal(permits[0].cookie(fd), permit.cookie(fd))
        equal([number for number in more if number >= 900], [1001])


@per_libc
def a_child_that_connects_an_inherited_socket_elsewhere_has_no_tag_of_it(libc):
    """Even if that is before it has tags of its own, and the parent's tag stays."""
    for generations in ((), ("fork",)):
        with World(libc) as world:
            _, permit = world.started()
            world.writer(D, A)
            equal(world.probe.address(NAME), D)
            fd = int(world.probe.ask("dial", D, world.port, "k").rpartition("=")[2])
            equal(permit.slot(fd), (hash_of(NAME), 1))
            world.writer(A, B)
            said = world.probe.ask("fork", *generations, "after", 4, "redial", fd, C, world.port,
                                   "dial", A, world.port, "")
            assert said.startswith("rc=0 ") and " | rc=0 " in said, said
            equal((world.sever.take().slot(fd), permit.slot(fd)), (None, (hash_of(NAME), 1)))


def copy_of(pid, fd):
    """As a process has it that was passed the descriptor (SCM_RIGHTS)."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    process = os.pidfd_open(pid)
    copy = call(438, process, fd, 0)  # pidfd_getfd
    os.close(process)
    assert copy >= 0, os.strerror(ctypes.get_errno())
    return socket.socket(fileno=copy)


@per_libc
def what_was_passed_to_another_process_is_tagged_until_its_number_is_connected_anew(libc):
    """Or until its maker ends, as the permit does then."""
    with World(libc) as world:
        fd, permit = world.started()
        with copy_of(world.probe.process.pid, fd) as passed:
            cookie = int.from_bytes(passed.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)
            world.probe.ask("close", fd)
            equal((permit.cookie(fd), permit.slot(fd)), (cookie, (hash_of(NAME), 1)))
            equal(world.dial(A), fd)
            equal((permit.cookie(fd) in (0, cookie), permit.slot(fd)), (False, (hash_of(NAME), 1)))


@per_libc
def a_vforked_child_writes_nothing(libc):
    with World(libc) as world:
        fd, permit = world.started()
        world.writer(B, A, generation=2)
        for how in ("vfork", "share", "spawn"):
            said = world.probe.ask(how, "dial", A, world.port, "")
            assert f"peer=2 {B} " in said, said
            world.sever.nothing_comes()
            equal((permit.tagged(), permit.slot(fd)), ([fd], (hash_of(NAME), 1)))


@per_libc
def a_child_that_shares_the_memory_and_connects_first_does_not_take_its_parents_place(libc):
    """As vfork() and posix_spawn() make it, of the process itself and of a forked child of it."""
    for how in ("vfork", "share", "spawn"):
        with World(libc) as world:
            world.writer(A, B, mode="names")
            equal(world.probe.address(NAME), A)
            world.writer(A, B)
            world.dial(A, how="", before=(how,))
            of_child = world.sever.take()
            assert of_child.pid != world.probe.process.pid
            fd = world.dial(A)
            permit = world.sever.take()
            equal((permit.pid, permit.slot(fd)), (world.probe.process.pid, (hash_of(NAME), 1)))
            equal((permit.gone(), world.kept()), (False, sorted([fd, 1000])))
            eventually(of_child.gone, "the child's ends with it")
            world.dial(A, how="")
            world.dial(A, how="", before=(how,))
            world.sever.nothing_comes()
            said = world.probe.ask("fork", "after", 5, how, "dial", A, world.port, "", "dial", A, world.port, "")
            assert said.count("rc=0 errno=77 ") == 2, said
            for _ in range(2):
                equal(world.sever.take().cookie(fd), permit.cookie(fd))
            equal(permit.gone(), False)


@per_libc
def nor_does_a_child_of_such_a_child(libc):
    """It has ended when its grandparent goes on, who cannot know it."""
    for how in ("vfork", "share", "spawn"):
        with World(libc) as world:
            world.writer(A, B, mode="names")
            equal(world.probe.address(NAME), A)
            world.writer(A, B)
            world.dial(A, how="", before=("vfork", how))
            of_child = world.sever.take()
            fd = world.dial(A)
            permit = world.sever.take()
            equal((permit.pid, permit.slot(fd)), (world.probe.process.pid, (hash_of(NAME), 1)))
            eventually(of_child.gone, "the child's ends with it")
            world.dial(A, how="", before=("vfork", how))
            world.sever.nothing_comes()


@per_libc
def threads_whose_first_connects_coincide_are_all_tagged(libc):
    for _ in range(10):
        with World(libc) as world:
            world.writer(A, B)
            equal(world.probe.address(NAME), A)
            said = world.probe.ask("threads", 40, "dial", A, world.port, "k")
            permit = world.sever.take()
            world.sever.nothing_comes()
            fds = [fd for fd in world.kept() if fd != 1000]
            equal(len(fds), 40)
            equal(permit.tagged(), fds)
            equal(permit.counts()[CONNECTS], 40)


@per_libc
def threads_that_connect_while_it_is_handed_over_keep_their_tags(libc):
    for _ in range(6):
        with World(libc) as world:
            world.started()
            for instance in range(1, 7):
                world.agent.do(f"sever {instance}")
                world.probe.ask("threads", 16, "dial", A, world.port, "k")
                permit = world.sever.take()
                world.sever.nothing_comes()
                equal(permit.tagged(), [fd for fd in world.kept() if world.probe.ask("peer", fd).startswith("2 ")])


def overtaken(world, call, how):
    """A thread comes to one call of a hand-over and no further. Returns what was tagged and is, and the later permit."""
    fds = [world.started()[0]]
    world.agent.do("sever 5")
    equal(world.probe.ask("midway", call, how, "dial", A, world.port, "k"), {"jump": "jumped", "park": "parked"}[how])
    fds.append(world.dial(A))
    equal(world.sever.take_sent(), None)  # the thread may still be at it
    permit = eventually(lambda: world.dial(A, how="") and None or world.sever.take_sent(), "another one hands over")
    fds.append(world.dial(A))
    equal([permit.slot(fd) for fd in fds], [(hash_of(NAME), 1)] * 3)
    return fds, permit


@per_libc
def a_thread_that_leaves_a_hand_over_by_a_jump_does_not_end_them(libc):
    for call in ("memfd", "map", "send"):
        with World(libc) as world:
            fds, permit = overtaken(world, call, "jump")
            connects = permit.counts()[CONNECTS]
            for instance in (6, 7, 8):
                world.agent.do(f"sever {instance}")
                fds.append(world.dial(A))
                permit = eventually(world.sever.take_sent, "and from then on as ever")
                equal([permit.slot(fd) for fd in fds], [(hash_of(NAME), 1)] * len(fds))
            equal(permit.counts()[CONNECTS], connects + 3)


@per_libc
def a_thread_that_is_stopped_in_a_hand_over_finds_that_it_was_overtaken(libc):
    for call in ("memfd", "map", "send"):
        with World(libc) as world:
            fds, permit = overtaken(world, call, "park")
            said = world.probe.ask("resume")
            assert said.startswith("rc=0 errno=77 "), said
            fds.append(int(said.rpartition("=")[2]))
            stale = world.sever.silent[-1]
            eventually(lambda: select.select([stale], [], [], 0)[0], "it takes its own back")
            if call == "send":  # it was sending already
                for fd in socket.recv_fds(stale, 64, 8)[1]:
                    os.close(fd)
            equal(stale.recv(64), b"")
            fds.append(world.dial(A))
            equal([permit.slot(fd) for fd in fds], [(hash_of(NAME), 1)] * 5)
            equal((permit.gone(), world.sever.take_sent()), (False, None))


@per_libc
def descriptors_0_to_2_stay_closed(libc):
    with World(libc) as world:
        argv = ["bash", "-c", 'exec "$0" 98<&0 99>&1 <&- >&- 2>&-', BUILD / f"tests/shim/probe-{libc}"]
        with Probe(libc, world.agent, argv=argv) as world.probe:
            fd, permit = world.started()
            equal((fd, permit.slot(0)), (0, (hash_of(NAME), 1)))
            equal(world.probe.ask("fds"), "0 98 99 1000")


@per_libc
def limits_of_the_process_are_met_without_harm(libc):
    for limits in ({"RLIMIT_FSIZE": 4096}, {"RLIMIT_NOFILE": 5}, {"RLIMIT_NOFILE": 6}):
        with World(libc, preexec_fn=limited(**limits)) as world:
            world.writer(A, B)
            equal(world.probe.address(NAME), A)
            said = world.probe.ask("dial", A, world.port, "")
            assert said.startswith("rc=0 errno=77 "), said
            equal(world.kept(), [])
    with World(libc, preexec_fn=limited(RLIMIT_NOFILE=64)) as world:
        _, permit = world.started()
        equal([fd for fd in world.kept() if fd > 3], [48])


def limited(**limits):
    def set_limits():
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, name), (value, value))
    return set_limits


def moved(world, number):
    """A socket with this number that is connected for NAME at A, and was not when it was opened."""
    world.writer(D, A)
    equal(world.probe.address(NAME), D)
    fd = world.probe.ask("dial", D, world.port, "k").rpartition("=")[2]
    equal(world.probe.ask("dup", fd, number), str(number))
    world.probe.ask("close", fd)
    world.writer(A, B)
    equal(world.probe.address(NAME), A)
    assert world.probe.ask("redial", number, A, world.port).startswith("rc=0 "), number
    return number


@per_libc
def the_memory_has_a_slot_for_each_descriptor_that_may_ever_be(libc):
    """By the hard limit, up to which the program may raise the other one."""
    for hard, slots in ((64, 1016), (1017, 2040), (4000, 4088), (4096, 8184)):
        with World(libc, preexec_fn=limited(RLIMIT_NOFILE=hard)) as world:
            fd, permit = world.started()
            equal(permit.slots, slots)
            equal(permit.slot(fd), (hash_of(NAME), 1))


@per_libc
def high_numbers_are_tagged_before_and_after_a_hand_over(libc):
    numbers = [1015, 1016, 2039, 2040, 4000]
    with World(libc, sever=False, preexec_fn=limited(RLIMIT_NOFILE=4096)) as world:
        for number in numbers[:4]:
            moved(world, number)
        world.sever = Sever(world.agent)
        eventually(lambda: world.dial(A, how="") or world.sever.waiting(), "it is handed over after a pause")
        permit = world.sever.take()
        equal([permit.slot(number) for number in numbers], [(hash_of(NAME), 1)] * 4 + [None])
        counted = permit.counts()[CONNECTS]
        moved(world, 4000)
        for instance in (5, 6, 7):
            world.agent.do(f"sever {instance}")
            fd = world.dial(A)
            permit = world.sever.take()
            equal([permit.slot(number) for number in [fd, *numbers]], [(hash_of(NAME), 1)] * 6)
        assert permit.counts()[CONNECTS] > counted, permit.counts()
        equal(world.probe.ask("dissolve", 4000), "rc=0")
        equal([permit.slot(number) for number in numbers], [(hash_of(NAME), 1)] * 4 + [None])


@per_libc
def threads_that_need_more_of_the_memory_while_it_moves_keep_their_tags(libc):
    for _ in range(6):
        with World(libc, preexec_fn=limited(RLIMIT_NOFILE=4096)) as world:
            first, _ = world.started()
            for count, low in enumerate((1010, 2030), 1):
                world.probe.ask("fill", low)
                world.agent.do(f"sever {low}")
                world.probe.ask("threads", 16, "dial", A, world.port, "k")
                permit = world.sever.take()
                world.sever.nothing_comes()
                numbers = [first, *range(990, low + 40)]
                open_now = [fd for fd in numbers if world.probe.ask("peer", fd).startswith("2 ")]
                equal(len(open_now), 1 + 16 * count)
                equal([fd for fd in numbers if permit.cookie(fd)], open_now)


@per_libc
def what_does_not_fit_is_handed_over_in_a_larger_memory(libc):
    """A descriptor of before the limit was lowered. What root raises the limit for does not fit in the same way."""
    with World(libc, preexec_fn=limited(RLIMIT_NOFILE=5000)) as world:
        unconnected = world.probe.ask("dial", D, world.port, "k").rpartition("=")[2]
        equal(world.probe.ask("dup", unconnected, 4500), "4500")
        resource.prlimit(world.probe.process.pid, resource.RLIMIT_NOFILE, (1017, 1017))
        fd, permit = world.started()
        equal(permit.slots, 2040)
        assert world.probe.ask("redial", 4500, A, world.port).startswith("rc=0 ")
        world.sever.nothing_comes()
        second = world.dial(A)
        permit = world.sever.take()
        equal(permit.slots, 8184)
        equal((permit.slot(fd), permit.slot(second)), ((hash_of(NAME), 1),) * 2)


@per_libc
def a_limit_of_file_sizes_makes_the_memory_smaller(libc):
    with World(libc, preexec_fn=limited(RLIMIT_NOFILE=4096, RLIMIT_FSIZE=70000)) as world:
        fd, permit = world.started()
        equal((permit.slots, permit.slot(fd)), (2040, (hash_of(NAME), 1)))


def deep(probe, address, port, how="d"):
    """How many bytes of a stack a connect used."""
    return int(probe.ask("dial", address, port, how).rpartition("deep=")[2])


def place_of(address):
    """Where the table of what was looked up has an IPv4 address (seen_place())."""
    mixed = int.from_bytes(socket.inet_aton(address), "little") << 32 | 0xffff0000
    mixed = (mixed << 21 | mixed >> 43) & (1 << 64) - 1
    mixed ^= mixed >> 32
    return (mixed * 0x9e3779b97f4a7c15 & (1 << 64) - 1) >> 40


def neighbour_of(address):
    """An address of the loopback that stands right behind it, however large the table is."""
    numbers = (socket.inet_ntoa((0x7f000000 + n).to_bytes(4, "big")) for n in range(1 << 16, 1 << 24))
    return next(it for it in numbers if (place_of(it) - place_of(address)) % (1 << 15) == 1)


def more_stack(libc, world, names):
    """What connects used more than libc's own, and what it is that they may use."""
    with Probe(libc, preload=None) as plain:
        first, other = (deep(plain, A, world.port) for _ in range(2))
    found = {}

    def measure(what, address, most=1024, how="d"):
        """After a change of the view, and while something could not be told of yet, a connect may look once more at what is
        recalled: ten times a second at most, up to the larger bound. So most of those at once do not."""
        for _ in range(8):
            more = deep(world.probe, address, world.port, how) - other
            found[what] = (more, most)
            if more <= most or more > 2048:
                return
    measure("first of all", C, 2048 + first - other)  # libc's is bound to the program at its first use, too
    measure("never looked up", C)
    for name in names:
        world.agent.do(f"entry {name} sever steady writer 4 {A} - 60000 0 port={world.port} generation=1")
        equal(world.probe.address(name), A)
    measure("permit", A, 2048)
    world.sever.take()
    for state in ("steady", "no_writer", "stale", "unknown"):
        world.writer(A, B, state=state, hold=30)
        measure(state, A)
    world.writer(B, A)
    measure("redirected", A)
    measure("refused", A, how="dn")
    equal(world.probe.address(READER), A)
    measure("reader", A, 2048)  # its first turn
    measure("two names", A)
    equal(world.probe.address("localhost"), "127.0.0.1")
    measure("unmanaged", "127.0.0.1")
    for name, address in (("beside.test", neighbour_of("127.0.0.1")), ("gone.test", C), ("left.test", C)):
        world.agent.do(f"entry {name} names steady writer 4 {address} - 60000 0 port={world.port}")
        equal(world.probe.address(name), address)
    measure("beside another", "127.0.0.1")
    for name in ("gone.test", "left.test"):
        world.agent.do(f"gone {name}")
    measure("two that are gone", C)
    world.writer(A, B, mode="names")
    measure("recalled", A)
    world.writer(A, B)
    measure("told late", A, 2048)
    world.agent.do(f"entry localhost sever steady writer 4 127.0.0.1 - 60000 0 port={world.port}")
    measure("told late by name", "127.0.0.1", 2048)
    for state in ("steady", "unknown"):  # an agent that takes the place of another, and has no verdict yet
        for _ in range(3):
            before = world.agent.attached()
            world.agent.do("retire")
            world.agent.do("view")
            world.writer(B, A, state=state)
            measure("attach", A, 2048)
            eventually(lambda: measure("attach", A, 2048) or world.agent.attached() > before, "attached")
            measure("after " + state, A)
    return found


def measured_as(user, libc, names):
    """As of a program of this user; None: as whoever tests."""
    with World(libc) as world:
        if user:
            world.open_to_all()
            equal(world.probe.ask("euid", user), "0")
        world.writer(A, B)
        equal(world.probe.address(NAME), A)
        found = more_stack(libc, world, names)
        print(f"# {libc}, {user or 'tester'}, {len(names) + 1} names: "
              + ", ".join(f"{what} {it[0]}" for what, it in found.items()))
        equal([(what, *it) for what, it in found.items() if it[0] > it[1]], [])


@per_libc
def a_connect_needs_little_more_stack_than_libcs_own(libc):
    """A signal handler may connect, on a stack of SIGSTKSZ or of half that. Whose a socket is, is asked of another user than
    root alone."""
    for user in [61001, None] if os.geteuid() == 0 else [None]:
        for names in ([], [f"n{i}.test" for i in range(14)]):
            measured_as(user, libc, names)


@per_libc
def a_permit_costs_no_memory_that_is_not_written(libc):
    with World(libc) as world:
        _, permit = world.started()
        assert os.fstat(permit.tags).st_blocks * 512 <= 16384, os.fstat(permit.tags).st_blocks


main()
