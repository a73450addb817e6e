#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Members' addresses that a process was given for no name, because another process looked them up: HOMING_ASSUME says
which endpoint is meant by them, and a permit may be wanted whatever is meant.

In a network of its own that consists of this host alone: AWAY is a member's address that leads nowhere, so that a connect
to it either was sent elsewhere or fails.
"""
import os
import subprocess
import tempfile
from contextlib import nullcontext

from harness import Agent, Probe, eventually, hash_of, make_setuid, per_libc, to_be_setuid
from own_names import own_namespaces, put_names
from peers import Peers
from taker import REDIRECTED, Sever
from tap import Skip, equal, main, test

AWAY, OWN, HERE = "192.0.2.1", "10.9.0.1", "127.9.0.2"
NEAR = "192.0.2.7"  # is reached, and connects to it do not come from it
AWAY6, HERE6 = "2001:db8::1", "::1"
NAME, OTHER, READER = "db.test", "other.test", "ro.test"
UNREACHABLE = "rc=-1 errno=101 "


class World:
    """The writer was at AWAY, and is HERE now. Nobody looks its name up."""

    def __init__(self, libc, assume=NAME, path=None, **more):
        self.peers, self.own = Peers(HERE, HERE6), None
        self.port = self.peers.port
        self.agent = Agent(path)
        self.sever = Sever(self.agent)
        self.probe = Probe(libc, self.agent, env={"HOMING_ASSUME": assume} if assume else None)
        self.publish(**more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.probe.close()
        self.sever.close()
        self.agent.close()
        self.peers.__exit__()
        if self.own:
            self.own.__exit__()

    def publish(self, name=NAME, mode="sever", state="steady", flags="rd", old=AWAY, more="", ports="", index=1):
        if ports:
            self.agent.do(f"ports {ports}")
        self.agent.do(f"members w={HERE}@{self.port}/0 w={HERE6}@{self.port}/0 {flags}={old}@{self.port}/{index} "
                      f"{flags}={AWAY6}@{self.port}/{index}")
        self.agent.do(f"entry {name} {mode} {state} writer 4 {HERE} {HERE6} 60000 0 port={self.port} generation=5 {more}")

    def dial(self, address, port=None, how=""):
        return self.probe.ask("dial", address, port or self.port, how)

    def is_sent(self, address, to=HERE, port=None, how=""):
        said = self.dial(address, port, how)
        want = f"rc=0 errno=77 block={0 if 'n' in how else 1} peer={10 if ':' in to else 2} {to} {port or self.port}"
        assert said.startswith(want), f"found    {said}\nexpected {want}"
        return said.rpartition("=")[2]

    def is_left_alone(self, address=AWAY, port=None):
        said = self.dial(address, port)
        assert said.startswith(UNREACHABLE), said


@per_libc
def an_address_that_came_from_another_process_leads_to_the_new_writer_and_is_tagged(libc):
    with World(libc) as world:
        fd = world.is_sent(AWAY, how="k")
        permit = world.sever.take()
        equal(permit.slot(fd), (hash_of(NAME), 5))
        world.is_sent(AWAY, how="n")
        world.is_sent(f"::ffff:{AWAY}", f"::ffff:{HERE}")
        world.is_sent(AWAY6, HERE6)
        equal(permit.counts()[REDIRECTED], 4)


@per_libc
def without_the_variable_or_with_another_name_it_is_left_alone(libc):
    for assume in (None, "", ",", OTHER, "." + NAME, "x" * 300, NAME + "x", f"{OTHER}, {NAME}"):
        with World(libc, assume) as world:
            world.is_left_alone()
            world.sever.nothing_comes()


@per_libc
def a_list_of_names_counts_up_to_its_eighth(libc):
    for assume in (f"{OTHER},{NAME}", f"{NAME},{OTHER}", f",,{'x' * 300},{NAME.upper()}.,"):
        with World(libc, assume) as world:
            world.is_sent(AWAY)
    seven = ",".join(f"n{i}" for i in range(7))
    for assume, counts in ((f"{seven},{NAME}", True), (f"{seven},n7,{NAME}", False)):
        with World(libc, assume) as world:
            (world.is_sent if counts else world.is_left_alone)(AWAY)


@per_libc
def only_the_first_name_of_an_endpoint_counts(libc):
    with World(libc, more="endpoint=77") as world:
        world.is_left_alone()


@per_libc
def another_port_or_address_is_left_alone(libc):
    with World(libc) as world:
        world.is_left_alone(port=world.port - 1)
        world.is_left_alone("192.0.2.2")
        world.is_sent(AWAY)
        world.publish(old="192.0.2.2")
        world.is_left_alone()
        world.is_sent("192.0.2.2")


@per_libc
def an_address_that_a_member_has_left_is_left_alone_unless_its_data_set_is_there_still(libc):
    with World(libc, flags="d", index=65535) as world:
        world.is_left_alone()
        world.sever.nothing_comes()
        world.publish(flags="ds", index=65535)
        world.is_sent(AWAY)
        world.publish(flags="d", index=65535)
        world.is_left_alone()


@per_libc
def a_poolers_port_of_the_endpoint_is_kept(libc):
    with Peers(HERE) as pooler, World(libc, ports=f"1 {pooler.port}", more=f"other={pooler.port}") as world:
        world.is_sent(AWAY, port=pooler.port)
        world.is_left_alone(port=1)  # that of another endpoint of the cluster


@per_libc
def the_mode_counts_as_for_a_name_that_was_looked_up(libc):
    for mode in ("off", "names", "observe"):
        with World(libc, mode=mode) as world:
            world.is_left_alone()
            world.publish(mode="connect")
            world.is_sent(AWAY)
    with World(libc, mode="off") as world:
        world.is_left_alone()
        world.sever.nothing_comes()


@per_libc
def an_address_of_this_host_means_this_host(libc):
    with World(libc) as world:
        world.own = Peers(OWN, "127.9.0.7", port=world.port)
        for own in (OWN, "127.9.0.7"):
            world.publish(old=own)
            world.is_sent(own, to=own)
        world.sever.nothing_comes()


@per_libc
def a_name_that_was_looked_up_wins(libc):
    with World(libc) as world:
        world.is_sent(AWAY)
        equal(world.probe.address("away.test"), AWAY)
        world.is_left_alone()


@per_libc
def an_agent_that_comes_later_is_found(libc):
    with Agent() as first, Peers(HERE) as peers:
        path = first.path + ".later"
        probe = Probe(libc, path, env={"HOMING_ASSUME": NAME})
        assert probe.ask("dial", AWAY, peers.port, "").startswith(UNREACHABLE)
        with Agent(path) as agent:
            agent.do(f"members w={HERE}@{peers.port} d={AWAY}@{peers.port}")
            agent.do(f"entry {NAME} connect steady writer 4 {HERE} - 60000 0 port={peers.port}")
            eventually(lambda: f"peer=2 {HERE} " in probe.ask("dial", AWAY, peers.port, ""), "redirected")
        probe.close()


@per_libc
def what_was_connected_before_an_agent_had_the_address_is_told_of_when_it_has(libc):
    for there in (False, True):  # an agent, which knows of other addresses
        with Agent() as first, Peers(HERE, NEAR) as peers, Probe(libc, first, env={"HOMING_ASSUME": f"{OTHER},{NAME}"}) as probe:
            if not there:
                first.kill()
            kept = [probe.ask("dial", to, peers.port, "k").rpartition("=")[2] for to in (NEAR, HERE)]
            with nullcontext(first) if there else Agent(first.path) as agent:
                sever = Sever(agent)
                agent.do(f"members w={NEAR}@{peers.port} w={HERE}@{peers.port}")
                agent.do(f"entry {NAME} sever steady writer 4 {NEAR} - 60000 0 port={peers.port} generation=5")
                agent.do("sever 3")
                eventually(lambda: probe.ask("dial", "192.0.2.2", 1, "") and sever.waiting(), "a permit")
                permit = sever.take()
                equal([permit.slot(fd) for fd in kept], [(hash_of(NAME), 0), None])  # HERE is this host's own
                sever.close()


@per_libc
def an_agent_that_is_late_is_waited_for_at_the_first_connect(libc):
    with World(libc) as world:
        world.agent.do("manner slow")  # 60 ms
        world.is_sent(AWAY)


@per_libc
def a_process_that_is_to_be_left_alone_assumes_nothing(libc):
    with World(libc) as world, Probe(libc, world.agent, env={"HOMING_ASSUME": NAME, "HOMING_DISABLE": "1"}) as probe:
        assert probe.ask("dial", AWAY, world.port, "").startswith(UNREACHABLE)


@per_libc
def a_process_that_is_not_to_be_severed_hands_nothing_over_for_that(libc):
    with World(libc, None, flags="rdp") as world, Probe(libc, world.agent, env={"HOMING_SEVER": "0"}) as probe:
        equal(probe.address("localhost"), "127.0.0.1")
        assert probe.ask("dial", AWAY, world.port, "").startswith(UNREACHABLE)
        world.sever.nothing_comes()


@per_libc
def where_untagged_connections_are_severed_a_connect_to_a_member_hands_over(libc):
    for lookup in ("localhost", "away.test"):  # the second is an unmanaged name of that very address
        with World(libc, None, flags="rd") as world:
            equal(world.probe.address(lookup), "127.0.0.1" if lookup == "localhost" else AWAY)
            world.is_left_alone()
            world.sever.nothing_comes()
            world.publish(flags="rdp")
            world.is_left_alone(port=1)
            world.is_left_alone("192.0.2.2")
            world.dial(AWAY, how="u")
            world.sever.nothing_comes()
            world.is_left_alone()
            permit = world.sever.take()
            equal(permit.tagged(), [])
            world.is_left_alone()
            world.sever.nothing_comes()


@test
def a_setuid_program_assumes_nothing():
    with open("/proc/self/uid_map", encoding="ascii") as users:  # an ordinary user is root of these namespaces, and of nobody else
        if int(users.read().split()[2]) <= 65534:
            raise Skip("needs root, to make a program of another user")
    # Its environment does not tell it where the agent is, either: it is where every program finds it, in this mount namespace.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "homing-test", "/run"], check=True)
    os.mkdir("/run/homing")
    with World("glibc", path="/run/homing/agent.sock") as world, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        os.chmod(world.agent.path, 0o777)
        program = to_be_setuid(folder)

        def run():
            probe = Probe("glibc", preload=None, argv=[program], env={"HOMING_ASSUME": NAME})
            equal(probe.address("localhost"), "127.0.0.1")
            equal(probe.ask("maps"), "views=1")
            return probe
        with run() as probe:
            assert f" peer=2 {HERE} " in probe.ask("dial", AWAY, world.port, "")
        make_setuid(program)
        with run() as probe:
            assert probe.ask("dial", AWAY, world.port, "").startswith(UNREACHABLE)


own_namespaces("--mount", "--net")
put_names(f"127.0.0.1 localhost\n{AWAY} away.test\n")
for address in (f"{OWN}/32",):
    subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
subprocess.run(["ip", "route", "add", "local", f"{NEAR}/32", "dev", "lo", "src", OWN], check=True)
main()
