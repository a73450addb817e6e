#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a process hands over so that its outdated connections can be severed (proto/permit.h), when, and what it says
of its sockets there. The other end is played by this script; it holds what comes against the contract."""
import fcntl
import os
import random
import select
import socket
import struct
import time

from harness import BUILD, LIMIT, Agent, Probe, eventually, hash_of, main, per_libc
from peers import Peers
from tap import equal

NET = f"127.{random.randrange(16, 250)}.{random.randrange(250)}"
A, B, C, D = (f"{NET}.{i}" for i in (1, 2, 3, 4))  # nobody listens at D
NAME, READER = "db.test", "ro.test"
HELLO = b"\x93\x02\xa6permit\x91\x01"
SLOTS, SIZE = 65536, 256 + 32 * 65536
AF_NETLINK, SOCK_DIAG, F_GET_SEALS, SHRINK, GROW = 16, 4, 1034, 2, 4
CONNECTS, REDIRECTED, WOULD_REDIRECT, REFUSED, SHARED, UNTRACKED = range(6)


class Permit:
    """What one process handed over, and the connection that it left open."""

    def __init__(self, connection):
        self.connection = connection
        data, self.fds, flags, _ = socket.recv_fds(connection, 64, 8)
        equal((data, flags & socket.MSG_CTRUNC, len(self.fds)), (HELLO, 0, 2))
        self.check_netlink(socket.socket(fileno=self.fds[0]))
        self.tags = self.fds[1]
        seals = fcntl.fcntl(self.tags, F_GET_SEALS)
        equal(seals & (SHRINK | GROW), SHRINK | GROW)
        equal(os.fstat(self.tags).st_size, SIZE)
        equal(struct.unpack("=8sQQ", os.pread(self.tags, 24, 0)), (b"hmgtags\0", 1, SLOTS))
        self.pid = struct.unpack("=3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def check_netlink(self, netlink):
        self.netlink = netlink
        equal(netlink.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN), AF_NETLINK)
        equal(netlink.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL), SOCK_DIAG)
        equal(netlink.getsockname(), (0, 0))

    def slot(self, fd):
        """(endpoint, generation) of a tagged descriptor number, or None."""
        cookie, endpoint, generation, since = struct.unpack("=4Q", os.pread(self.tags, 32, 256 + 32 * int(fd)))
        now = time.monotonic() * 1000
        assert not cookie or now - 60000 < since <= now, (since, now)
        return (endpoint, generation) if cookie else None

    def cookie(self, fd):
        return struct.unpack("=Q", os.pread(self.tags, 8, 256 + 32 * int(fd)))[0]

    def tagged(self):
        return [fd for fd in range(1100) if self.cookie(fd)]

    def counts(self):
        return list(struct.unpack("=6Q", os.pread(self.tags, 48, 24)))

    def gone(self):
        """Whether the process' end is closed; anything that it sent would be a mistake."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        if readable:
            equal(self.connection.recv(64), b"")
        return bool(readable)

    def close(self):
        self.netlink.close()
        os.close(self.tags)
        self.connection.close()


class Sever:
    """A listener at permit.sock."""

    def __init__(self, agent, backlog=64):
        self.path = os.path.dirname(agent.path) + "/permit.sock"
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(backlog)
        self.permits = []

    def waiting(self):
        return bool(select.select([self.server], [], [], 0)[0])

    def take(self):
        assert select.select([self.server], [], [], LIMIT)[0], "no permit came"
        self.permits.append(Permit(self.server.accept()[0]))
        return self.permits[-1]

    def nothing_comes(self):
        assert not self.waiting(), "a permit that is not wanted"

    def close(self):
        for permit in self.permits:
            permit.close()
        self.server.close()
        os.unlink(self.path)


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
            equal(permit.counts(), [1, 0, 0, 0, 0, 0])
            equal([n for n in world.kept() if n != fd], [1000])
            for _ in range(100):
                world.dial(A, how="")
            world.sever.nothing_comes()
            equal(permit.counts(), [101, 0, 0, 0, 0, 0])
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
    with World(libc, env={"HOMING_SEVER": "0"}) as world:
        world.writer(A, B)
        equal(world.probe.address(NAME), A)
        world.writer(B, A)
        assert f"peer=2 {B} " in world.probe.ask("dial", A, world.port, ""), "it is redirected all the same"
        world.sever.nothing_comes()
        equal(world.kept(), [])


@per_libc
def counts_say_what_was_done(libc):
    with World(libc) as world:
        _, permit = world.started()
        world.writer(B, A)
        world.dial(A, how="")
        equal(permit.counts(), [2, 1, 0, 0, 0, 0])
        world.writer(B, A, mode="observe")
        world.dial(A, how="")
        equal(permit.counts(), [3, 1, 1, 0, 0, 0])
        world.writer(B, A, state="no_writer")
        world.probe.ask("dial", A, world.port, "n")
        equal(permit.counts(), [4, 1, 1, 1, 0, 0])
        world.writer(B, A)
        equal(world.probe.address(READER), A)
        world.dial(A, how="")
        equal(permit.counts(), [5, 1, 1, 1, 1, 0])


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
def a_connect_for_an_unmanaged_name_has_no_tag(libc):
    with World(libc) as world:
        fd, permit = world.started()
        world.agent.do(f"entry other.test names steady writer 4 {A} - 60000 0 port={world.port}")
        equal(world.probe.address("other.test"), A)
        equal(permit.slot(world.dial(A)), None)
        equal(world.probe.address(NAME), A)
        equal(permit.slot(world.dial(A)), (hash_of(NAME), 1))


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
def an_address_of_more_names_than_are_kept_is_tagged_for_none(libc):
    """The one looked up last may be one of those that were left out."""
    with World(libc) as world:
        fd, permit = world.started()
        for i in range(17):
            world.agent.do(f"entry n{i}.test names steady writer 4 {A} - 60000 0 port={world.port}")
            equal(world.probe.address(f"n{i}.test"), A)
        equal(world.probe.address(NAME), A)
        equal(permit.slot(world.dial(A)), None)
        equal(permit.slot(fd), (hash_of(NAME), 1))


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


@per_libc
def a_full_backlog_is_not_waited_for(libc):
    with World(libc, sever=False) as world:
        world.sever = Sever(world.agent, backlog=0)
        waiting = []
        for _ in range(8):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            waiting.append(client)
            try:
                client.connect(world.sever.path)
            except BlockingIOError:
                break
        world.writer(A, B)
        equal(world.probe.address(NAME), A)
        fd = world.dial(A)
        equal(world.kept(), [fd])


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
        end = time.monotonic() + 1.5
        count = 1
        while time.monotonic() < end:
            world.probe.ask("closefrom", 3)
            world.dial(A, how="")
            time.sleep(0.005)  # there is no room for so many at the servers
            while world.sever.waiting():
                world.sever.take()
                count += 1
        assert 2 < count < 15, f"{count} permits"
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
            equal(len(child.tagged()), 1)
            eventually(child.gone, "the child ends")
        equal((permit.tagged(), permit.gone()), (tagged, False))
        equal(permit.counts(), [1, 0, 0, 0, 0, 0])


@per_libc
def a_vforked_child_writes_nothing(libc):
    with World(libc) as world:
        fd, permit = world.started()
        world.writer(B, A, generation=2)
        said = world.probe.ask("vfork", "dial", A, world.port, "")
        assert f"peer=2 {B} " in said, said
        world.sever.nothing_comes()
        equal((permit.tagged(), permit.slot(fd)), ([fd], (hash_of(NAME), 1)))


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
    def limited(**limits):
        def set_limits():
            import resource
            for name, value in limits.items():
                resource.setrlimit(getattr(resource, name), (value, value))
        return set_limits
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


@per_libc
def a_permit_costs_no_memory_that_is_not_written(libc):
    with World(libc) as world:
        _, permit = world.started()
        assert os.fstat(permit.tags).st_blocks * 512 <= 16384, os.fstat(permit.tags).st_blocks


main()
