#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where connects go (layer 2): to the writer if their address was given out for a managed name and is no longer
right for it, and in all doubt where they were meant to go."""
import platform
import socket
import subprocess
import threading
import time

from harness import AF_INET, AF_INET6, Agent, Probe, environment, eventually, main, own_network, per_libc
from peers import Peers
from tap import equal, test

NET = own_network()
A, B, C, D = (f"{NET}.{i}" for i in (1, 2, 3, 4))
REFUSED, INPROGRESS, TIMEDOUT = 111, 115, 110
NAME = "db.test"
# The first address that no process has, unless it asks for more: 47 bits on x86-64, 48 on arm64.
PAST_MEMORY = "1000000000000" if platform.machine() == "aarch64" else "800000000000"


class World:
    """An agent that manages NAME, a process that may have looked it up, and servers."""

    def __init__(self, libc, *addresses, env=None, peers=None):
        self.peers = peers or Peers(*(addresses or (A, B)))
        self.port = self.peers.port
        self.agent = Agent()
        self.probe = Probe(libc, self.agent, env=env)
        self.generation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.probe.close()
        self.agent.close()
        self.peers.__exit__()

    def writer(self, address, *others, text6="-", port=None, name=NAME, mode="connect", state="steady", role="writer",
               age=0, hold=2000, keepalive=0, members=None, others_at=()):
        """Publishes `address` as the writer; `others` are demoted and serve reads."""
        port = port or self.port
        self.generation += 1
        self.agent.do("members " + (members or " ".join(
            [f"w={address}@{port}"] + [f"rd={other}@{port}" for other in others])))
        self.agent.do(f"entry {name} {mode} {state} {role} 4 {address} {text6} 60000 {age} port={port} "
                      f"generation={self.generation} hold={hold} keepalive={keepalive}"
                      + "".join(f" other={at}" for at in others_at))

    def look_up(self, name=NAME, **more):
        return self.probe.address(name, **more)

    def dial(self, address, port=None, how="", before=()):
        return self.probe.ask(*before, "dial", address, port or self.port, how)

    def reaches(self, address, expected, port=None, how="", at=None, before=()):
        said = self.dial(address, port, how, before)
        block = 0 if "n" in how else 1
        want = f"rc=0 errno=77 block={block} peer={10 if ':' in expected else 2} {expected} {at or port or self.port}"
        assert said.startswith(want), f"found    {said}\nexpected {want}"
        return said


def given(libc, *addresses, **more):
    """The name was A's; now it is B's. The process still has A."""
    world = World(libc, *addresses, **more)
    world.writer(A, B)
    equal(world.look_up(), A)
    world.reaches(A, A)
    world.writer(B, A)
    return world


@per_libc
def a_cached_address_of_the_old_writer_leads_to_the_new_one(libc):
    with given(libc) as world:
        world.reaches(A, B)
        world.reaches(A, B, how="n")
        world.reaches(B, B)
        world.writer(A, B)
        world.reaches(A, A)


@per_libc
def whichever_function_gave_it_out(libc):
    for words in (("h", NAME), ("h2", NAME, AF_INET), ("hr", NAME, 1024), ("h2r", NAME, AF_INET, 1024)):
        with World(libc) as world:
            world.writer(A, B)
            assert A in world.probe.ask(*words)
            world.writer(B, A)
            world.reaches(A, B)


@per_libc
def a_v4_mapped_address_stays_one(libc):
    with given(libc) as world:
        for how in ("", "n"):
            world.reaches(f"::ffff:{A}", f"::ffff:{B}", how=how)


@per_libc
def an_ipv6_address_leads_to_the_new_writers_port(libc):
    with Peers("::1") as old, World(libc, peers=Peers("::1")) as world:
        members = f"{{}}=::1@{old.port} {{}}=::1@{world.port}"
        world.writer("-", text6="::1", port=old.port, members=members.format("w", "rd"))
        equal(world.look_up(family=AF_INET6), "::1")
        world.reaches("::1", "::1", port=old.port)
        world.writer("-", text6="::1", members=members.format("rd", "w"))
        world.reaches("::1", "::1", port=old.port, at=world.port)
        world.reaches("::1", "::1", port=old.port, at=world.port, how="n")


@per_libc
def members_of_different_ports_have_the_port_rewritten(libc):
    with Peers(A) as old, World(libc, peers=Peers(B)) as world:
        def switch(to, *flags):
            world.writer(to, port=world.port if to == B else old.port,
                         members=f"{flags[0]}={A}@{old.port} {flags[1]}={B}@{world.port}")
        switch(A, "w", "rd")
        equal(world.look_up(), A)
        switch(B, "rd", "w")
        world.reaches(A, B, port=old.port, at=world.port)
        equal(world.look_up(), B)  # and with the port that the program is configured with
        world.reaches(B, B, port=old.port, at=world.port)


@per_libc
def a_poolers_port_is_kept_at_the_new_writers_host(libc):
    with Peers(A, B) as pooler, World(libc) as world:
        world.writer(A, B, others_at=(22, pooler.port))
        equal(world.look_up(service=str(pooler.port)), A)
        world.reaches(A, A, port=pooler.port)
        world.writer(B, A, others_at=(22, pooler.port))
        world.reaches(A, B, port=pooler.port)
        world.reaches(f"::ffff:{A}", f"::ffff:{B}", port=pooler.port, how="n")
        world.reaches(A, B)
        equal(world.look_up(), B)
        world.reaches(B, B, port=pooler.port)
        world.writer(B, A)  # a reload took the port away
        world.reaches(A, A, port=pooler.port)


@per_libc
def a_port_that_is_none_of_the_clusters_is_left_alone(libc):
    with Peers(A) as other, given(libc) as world:
        world.reaches(A, A, port=other.port)


@per_libc
def an_address_that_was_not_given_for_the_name_is_left_alone(libc):
    with World(libc) as world:
        world.writer(A, B)
        equal(world.look_up(), A)
        world.writer(A, B)
        world.reaches(B, B)


@per_libc
def an_address_that_is_no_members_any_more_is_left_alone(libc):
    with World(libc, A, B, C) as world:
        world.writer(A, B)
        equal(world.look_up(), A)
        world.writer(B, A)
        world.reaches(A, B)
        world.writer(B, C)  # A has left the cluster: whoever has its address now, or dials it on purpose
        world.reaches(A, A)
        world.writer(B, C, state="no_writer")
        world.reaches(A, A)


@per_libc
def an_address_looked_up_as_a_literal_is_left_alone(libc):
    with World(libc) as world:
        world.writer(B, A)
        equal(world.look_up(), B)
        for words in (("gai", A, "-", 0, 1, 0, 0), ("gai", A, "-", 0, 1, 0, 4), ("h", A), ("hr", A, 1024)):
            assert A in world.probe.ask(*words)
        world.reaches(A, A)


@per_libc
def a_name_resolved_before_the_agent_was_up_is_redirected_too(libc):
    with Agent() as first:
        path = first.path + ".later"
        with Peers("127.0.0.1", "127.0.0.2") as peers, Probe(libc, path) as probe:
            equal(probe.address("localhost"), "127.0.0.1")
            with Agent(path) as agent:
                agent.do(f"members w=127.0.0.2@{peers.port} d=127.0.0.1@{peers.port}")
                agent.do(f"entry localhost connect steady writer 4 127.0.0.2 - 60000 0 port={peers.port}")
                eventually(lambda: "peer=2 127.0.0.2 " in probe.ask("dial", "127.0.0.1", peers.port), "redirected")


@per_libc
def an_address_that_an_unmanaged_name_has_too_is_left_alone(libc):
    with World(libc, "127.0.0.1", B) as world:
        world.writer("127.0.0.1", B)
        equal(world.look_up(), "127.0.0.1")
        world.writer(B, "127.0.0.1")
        world.reaches("127.0.0.1", B)
        equal(world.look_up("localhost"), "127.0.0.1")
        world.reaches("127.0.0.1", "127.0.0.1")


@per_libc
def an_address_that_is_a_reader_endpoints_alone_is_left_alone(libc):
    with World(libc) as world:
        reader = f"entry ro.test connect steady reader 4 {A} - 60000 0 port={world.port}"
        world.agent.do(reader)
        world.writer(A, B)
        equal(world.look_up(), A)
        world.writer(B, A)  # A serves reads now
        equal(world.look_up("ro.test"), A)
        world.reaches(A, A)
        world.reaches(A, B)  # whoever connects again without a lookup may be the writer's
        equal(world.look_up(), B)
        world.reaches(A, A)
        world.writer(B, members=f"wr={B}@{world.port} d={A}@{world.port}")  # and is silent
        world.reaches(A, B)


@per_libc
def a_reader_that_left_leads_to_one_that_serves(libc):
    with World(libc, A, B, C) as world:
        world.writer(A, B, role="reader", members=f"w={A}@{world.port} r={B}@{world.port}")
        equal(world.look_up(), B)
        for flags, expected in (("r", B), ("w", B), ("-", C), ("d", C)):
            world.writer(A, role="reader", members=f"-={A}@{world.port} {flags}={B}@{world.port} r={C}@{world.port}")
            world.reaches(B, expected)
        world.writer(A, role="reader", members=f"-={A}@{world.port} -={B}@{world.port}")
        world.reaches(B, B)


@per_libc
def the_mode_and_the_state_say_whether(libc):
    with given(libc) as world:
        for mode, expected in (("off", A), ("observe", A), ("names", A), ("connect", B), ("sever", B), ("off", A)):
            world.writer(B, A, mode=mode)
            world.reaches(A, expected)
        for state, expected in (("steady", B), ("suspect", B), ("ambiguous", B), ("frozen", B), ("stale", A),
                                ("unknown", A)):
            world.writer(B, A, state=state)
            world.reaches(A, expected)
        world.writer(B, A, age=120000)  # unconfirmed for longer than max_stale
        world.reaches(A, A)
        world.writer(B, A)
        world.reaches(A, B)
        world.agent.do(f"gone {NAME}")
        world.reaches(A, A)


@per_libc
def without_a_writer_a_nonblocking_connect_is_refused_at_once(libc):
    with given(libc) as world:
        world.writer(B, A, state="no_writer")
        for address in (A, B, f"::ffff:{A}"):
            if address == B:
                equal(world.look_up(), B)
            equal(world.dial(address, how="n"), f"rc=-1 errno={REFUSED} block=0 peer=-")


@per_libc
def without_a_writer_a_blocking_connect_waits_for_one(libc):
    with given(libc) as world:
        world.writer(A, B, state="no_writer", hold=60000)
        timer = threading.Timer(0.3, lambda: world.writer(B, A))
        timer.start()
        world.reaches(A, B)
        timer.join()
        world.writer(A, B, state="no_writer", hold=60000)
        timer = threading.Timer(0.3, lambda: world.writer(A, B))  # the demotion was undone
        timer.start()
        world.reaches(A, A)
        timer.join()


@per_libc
def and_is_refused_in_the_end(libc):
    with given(libc) as world:
        world.writer(B, A, state="no_writer", hold=150)
        start = time.monotonic()
        equal(world.dial(A), f"rc=-1 errno={REFUSED} block=1 peer=-")
        assert time.monotonic() - start >= 0.14, "did not wait"
        world.writer(B, A, state="no_writer", hold=600000)
        equal(world.dial(A, how="t"), f"rc=-1 errno={REFUSED} block=1 peer=-")


@per_libc
def a_signal_ends_the_wait_and_the_connect_is_refused(libc):
    """A program that is told EINTR waits until the connect is completed, and takes one that never began for that."""
    with given(libc) as world:
        world.writer(B, A, state="no_writer", hold=600000)
        equal(world.dial(A, how="e"), f"rc=-1 errno={REFUSED} block=1 peer=-")
        start = time.monotonic()
        world.writer(B, A, state="no_writer", hold=400)
        equal(world.dial(A, how="r"), f"rc=-1 errno={REFUSED} block=1 peer=-")
        assert time.monotonic() - start >= 0.39, "a signal that restarts a connect restarts the wait"


@per_libc
def a_program_that_goes_on_waiting_after_a_signal_is_not_told_of_success(libc):
    """As Python does (PEP 475)."""
    with given(libc) as world:
        world.writer(B, A, state="no_writer", hold=600000)
        equal(world.dial(A, how="ep"), f"rc=-1 errno={REFUSED} block=1 peer=-")


@test
def python_is_told_that_it_is_refused_after_a_signal():
    code = ("import signal, socket, sys\n"
            "signal.signal(signal.SIGALRM, lambda *_: None)\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)\n"
            "try:\n"
            "    print(socket.create_connection((sys.argv[1], int(sys.argv[2]))))\n"
            "except OSError as error:\n"
            "    print(error.errno)\n")
    with World("glibc") as world:
        world.writer(A, B, state="no_writer", hold=600000)
        said = subprocess.run(["/usr/bin/python3", "-c", code, NAME, str(world.port)], env=environment(world.agent),
                              capture_output=True, text=True, check=True).stdout
        equal(said, f"{REFUSED}\n")


@per_libc
def a_wait_ends_when_nothing_is_confirmed_any_more(libc):
    with given(libc) as world:
        world.writer(B, A, state="no_writer", hold=600000)
        timer = threading.Timer(0.2, lambda: world.writer(B, A, state="stale"))
        timer.start()
        world.reaches(A, A)
        timer.join()


@per_libc
def a_demoted_address_is_refused_if_the_writer_has_none_of_its_family(libc):
    with given(libc) as world:
        members = f"rd={A}@{world.port} w=::1@{world.port}"
        world.writer("-", text6="::1", members=members)
        equal(world.dial(A), f"rc=-1 errno={REFUSED} block=1 peer=-")
        equal(world.dial(f"::ffff:{A}"), f"rc=-1 errno={REFUSED} block=1 peer=-")


@per_libc
def what_the_real_connect_says_is_said(libc):
    with given(libc, A) as world:  # nobody listens at B
        equal(world.dial(A), f"rc=-1 errno={REFUSED} block=1 peer=-")
        equal(world.dial(A, how="n"), f"rc=-1 errno={REFUSED} block=0 peer=-")


@per_libc
def udp_and_unix_sockets_are_left_alone(libc):
    with given(libc) as world, Peers(A, port=world.port, kind=socket.SOCK_DGRAM):
        world.reaches(A, A, how="u")
        equal(world.probe.ask("unix", world.agent.path), "rc=0 errno=77")
        equal(world.probe.ask("unix", "/nonexistent"), "rc=-1 errno=2")


@per_libc
def a_connect_that_began_is_not_touched(libc):
    with given(libc) as world:
        fd = world.reaches(A, B, how="k").rpartition("=")[2]
        world.writer(A, B)
        world.writer(B, A, state="no_writer")
        equal(world.probe.ask("redial", fd, A, world.port).split(" peer=")[0], "rc=-1 errno=106 block=1")  # EISCONN
        equal(world.probe.ask("peer", fd), f"2 {B} {world.port}")


@per_libc
def programs_that_ask_by_connecting_again_are_answered(libc):
    with given(libc) as world:
        for _ in range(20):
            said = world.dial(A, how="nw")
            assert f" peer=2 {B} {world.port}" in said and said.startswith("rc=0 "), said


@per_libc
def a_signal_handler_may_connect(libc):
    with given(libc) as world:
        world.reaches(A, B, how="s")
        world.writer(B, A, state="no_writer", hold=50)
        equal(world.dial(A, how="s"), f"rc=-1 errno={REFUSED} block=1 peer=-")


@per_libc
def children_and_threads_connect_alike(libc):
    with given(libc) as world:
        for before in (("fork",), ("vfork",), ("fork", "fork"), ("threads", 16), ("times", 500)):
            said = world.dial(A, before=before)
            assert f"rc=0 errno=77 block=1 peer=2 {B} {world.port}" in said and "DIFFERS" not in said, said


@per_libc
def off_without_the_agents_view_and_disabled(libc):
    with World(libc, env={"HOMING_DISABLE": "1"}) as world:
        world.writer(A, B)
        world.look_up()
        world.writer(B, A)
        world.reaches(A, A)


@per_libc
def a_dead_agents_last_word_counts_until_it_is_stale(libc):
    with given(libc) as world:
        world.agent.do(f"entry {NAME} connect steady writer 4 {B} - 5000 0 port={world.port} generation=9")
        world.reaches(A, B)
        world.agent.kill()
        world.reaches(A, B)
        eventually(lambda: f"peer=2 {A} " in world.dial(A), "stale: untouched")


@per_libc
def keepalive_is_set_before_the_connect(libc):
    def options(fd):
        return [int(world.probe.ask("option", fd, *option)) for option in ((1, 9), (6, 4), (6, 5), (6, 18))]
    with given(libc) as world:
        fd = world.reaches(A, B, how="k").rpartition("=")[2]
        plain = options(fd)
        equal((plain[0], plain[3]), (0, 0))
        for mode, expected in (("connect", [1, 2, 1, 5000]), ("observe", plain)):
            world.writer(B, A, mode=mode, keepalive=5000)
            fd = world.dial(A, how="k").rpartition("=")[2]
            equal(options(fd), expected)
        world.writer(B, A, keepalive=5000)
        fd = world.reaches(B, B, how="k").rpartition("=")[2]
        equal(options(fd), plain)  # B was not looked up


@per_libc
def what_is_no_proper_connect_fails_as_without_the_shim(libc):
    with given(libc) as world, Probe(libc, preload=None) as plain:
        for what in ["file", "bad", "null", "unspec"] + [str(n) for n in list(range(1, 32)) + list(range(101, 136))]:
            equal((what, world.probe.ask("odd", what)), (what, plain.ask("odd", what)))


@per_libc
def a_pointer_to_nowhere_is_the_kernels_to_refuse(libc):
    with given(libc) as world:
        tagged = world.reaches(A, B, how="k").rpartition("=")[2]
        for fd in (-1, tagged):
            for pointer in ("0", "1", "ff0", "fff0", PAST_MEMORY, "dead000000000000", "8000000000000000",
                            "ffff800000000000", "ffffffff81000000", "fffffffffffffff0", "ffffffffffffffff"):
                equal((pointer, world.probe.ask("at", pointer, fd)), (pointer, "rc=-1 errno=14"))
        equal(world.probe.ask("peer", tagged), f"2 {B} {world.port}")
        world.reaches(A, B)


@per_libc
def unmanaged_connects_are_as_without_the_shim(libc):
    with Peers("127.0.0.1", "::1") as peers, World(libc) as world, Probe(libc, preload=None) as plain:
        world.writer(A, B)
        world.look_up()
        for name in ("localhost", "-"):
            for probe in (world.probe, plain):
                probe.gai(name)
            for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
                for port in (peers.port, 1):
                    for how in ("", "n", "u", "w", "s"):
                        words = ("dial", address, port, how)
                        equal((words, world.probe.ask(*words)), (words, plain.ask(*words)))


@per_libc
def what_an_agent_says_that_is_newer_than_the_shim_redirects_but_never_on_a_guess(libc):
    """Modes: 200 is unknown, 4 is connect. States: 200 is unknown, 1 is steady. Roles: 200 is unknown, 0 is writer."""
    for values, reached in (("4 1 0", B), ("200 1 0", B), ("4 1 200", B), ("200 1 200", B), ("4 200 0", A)):
        with given(libc) as world:
            world.agent.do(f"newer {NAME} {values}")
            world.reaches(A, reached)


@per_libc
def a_storm_of_forks_connects_where_it_should(libc):
    with given(libc) as world:
        before = world.probe.ask("fds")
        for _ in range(50):
            world.reaches(A, B, before=("fork",))
        equal(world.probe.ask("fds"), before)


@per_libc
def a_view_of_random_bytes_does_no_harm(libc):
    with World(libc) as world:
        for seed in range(60):
            world.agent.do("view")
            world.writer(A, B)
            with Probe(libc, world.agent) as probe:
                equal(probe.address(NAME), A)
                world.writer(B, A, hold=1)
                world.agent.do(f"scribble {seed}")
                for _ in range(5):
                    probe.ask("dial", A, world.port, "n")
                equal(probe.close(), 0)


main()
