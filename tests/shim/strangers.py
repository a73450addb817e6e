#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A process that has looked up very many names which are not managed, and lived through very many failovers, is
steered and tagged like one that has just begun."""
import resource

from harness import AF_INET, HOSTS, Agent, Probe, eventually, hash_of, main, own_network, per_libc
from peers import Peers
from taker import Sever
from tap import equal

NET = own_network()
A, B = f"{NET}.1", f"{NET}.2"
NAME, READER = "db.test", "ro.test"
STRANGERS, EACH, FAILOVERS = 250, 40, 300
# musl takes 48 addresses of one name at most.
STRANGE = {f"s{name}.test": [f"10.{name}.{host // 250}.{host % 250 + 1}" for host in range(EACH)]
           for name in range(STRANGERS)}
HOSTILE = {f"hostile{name}.test": [f"11.{name}.{host // 250}.{host % 250 + 1}" for host in range(2000)] for name in range(3)}


def hosts():
    return HOSTS + f"{A} alike.test\n" + "".join(f"{address} {name}\n" for names in (STRANGE, HOSTILE)
                           for name, addresses in names.items() for address in addresses)


class World:
    def __init__(self, libc):
        self.peers, self.agent = Peers(A, B), Agent()
        self.sever, self.probe = Sever(self.agent), Probe(libc, self.agent)
        self.generation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.probe.close()
        self.sever.close()
        self.agent.close()
        self.peers.__exit__()

    def writer(self, address, other):
        self.generation += 1
        self.agent.do(f"members w={address}@{self.peers.port} rd={other}@{self.peers.port}")
        for name, role in ((NAME, "writer"), (READER, "reader")):
            self.agent.do(f"entry {name} sever steady {role} 4 {address} - 60000 0 port={self.peers.port} "
                          f"generation={self.generation}")

    def look_up_strangers(self, names):
        for name, addresses in names.items():
            said = self.probe.gai(name, family=AF_INET)
            assert said.startswith("rc=0 ") and addresses[0] in said, said

    def dial(self, address, expected):
        """The number of the descriptor."""
        said = self.probe.ask("dial", address, self.peers.port, "k")
        assert f" peer=2 {expected} " in said, said
        return said.rpartition("=")[2]

    def fail_over(self):
        for _ in range(FAILOVERS // 2):
            for new, old in ((B, A), (A, B)):
                self.writer(new, old)
                equal((self.probe.address(READER), self.probe.address(NAME)), (old, new))

    def is_as_fresh(self):
        """The switch: what is cached is redirected, and tagged so that the next switch severs it."""
        self.writer(B, A)
        number = self.dial(A, B)
        permit = self.sever.take()
        equal(permit.slot(number), (hash_of(NAME), self.generation))
        equal(self.probe.address(NAME), B)
        self.writer(A, B)
        equal(permit.slot(self.dial(B, A)), (hash_of(NAME), self.generation))
        equal(permit.counts()[5], 0)


@per_libc
def after_ten_thousand_strangers_and_three_hundred_failovers_a_switch_is_followed(libc):
    with World(libc) as world:
        world.writer(A, B)
        eventually(lambda: world.probe.address(NAME) == A, "the view is there")
        world.look_up_strangers(STRANGE)
        world.fail_over()
        world.look_up_strangers(STRANGE)
        world.is_as_fresh()


@per_libc
def a_name_that_is_looked_up_after_them_is_known_too(libc):
    with World(libc) as world:
        world.agent.do("members")
        world.look_up_strangers(STRANGE)
        world.writer(A, B)
        equal(world.probe.address(NAME), A)
        world.is_as_fresh()


@per_libc
def a_process_with_few_names_is_charged_for_little(libc):
    taken = {}
    for what, env in (("disabled", {"HOMING_DISABLE": "1"}), ("homing", {})):
        with Probe(libc, "/nonexistent", env=env) as probe:
            probe.address("1.2.3.4")  # what libc takes for itself
            before = int(probe.ask("mapped"))
            equal(probe.address("localhost"), "127.0.0.1")
            few = int(probe.ask("mapped")) - before
            for name in STRANGE:
                probe.gai(name, family=AF_INET)
            taken[what] = (few, int(probe.ask("mapped")) - before)
    few, many = (homing - disabled for homing, disabled in zip(taken["homing"], taken["disabled"]))
    assert 0 < few <= 64 and few < many <= 256, (few, many)


@per_libc
def a_hostile_name_server_with_three_answers_uses_no_room_up(libc):
    with World(libc) as world:
        world.writer(A, B)
        world.look_up_strangers(HOSTILE)
        equal(world.probe.address(NAME), A)
        world.look_up_strangers(HOSTILE)
        world.is_as_fresh()


@per_libc
def a_name_for_which_there_was_no_memory_keeps_its_address_as_it_is(libc):
    """The table cannot be mapped at the lookup of a stranger that has the member's address."""
    with World(libc) as world:
        world.writer(A, B)
        equal(world.probe.address("127.0.0.1"), "127.0.0.1")
        pid = world.probe.process.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as lines:
            size = next(int(line.split()[1]) for line in lines if line.startswith("VmSize:")) * 1024
        resource.prlimit(pid, resource.RLIMIT_AS, (size + 8192, resource.RLIM_INFINITY))
        equal(world.probe.address("alike.test"), A)
        resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        eventually(lambda: world.probe.address(NAME) == A, "the view is attached to, after a pause")
        world.writer(B, A)
        world.dial(A, A)



main(hosts())
