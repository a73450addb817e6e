#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Names with an IPv4 address and an IPv6 address, in networks that have one of the two, both or neither.

In namespaces of its own: one interface, whose addresses the tests change, and a DNS server for what libc itself says.
"""
import contextlib
import random
import re
import resource
import select
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from harness import (
    AF_INET, AF_INET6, AI_ADDRCONFIG, AI_ALL, AI_CANONNAME, AI_V4MAPPED, BUILD, Agent, Probe, environment, eventually,
    main_beside_dns, per_libc)
from own_names import own_namespaces, put_names
from peers import Peers
from tap import Skip, equal, test, test_each

PROBE = str(BUILD) + "/tests/shim/probe-%s"
FOUR, SIX = "10.1.0.3", "fd00:1::3"
BLOCKED = "fd00:1::4"  # one that a test may take the route away from
NETWORKS = {  # the addresses of the interface, and routes through it
    "neither": [],
    "IPv4": ["10.1.0.9/16"],
    "IPv6": ["fd00:1::9/64"],
    "both": ["10.1.0.9/16", "fd00:1::9/64"],
    "the internet": ["192.0.2.9/24 default", "2a00::9/64 default"],
    "the internet, IPv6 in front of a unique local address": ["192.0.2.9/24 default", "fd00:1::9/64 default"],
    "the internet, IPv6 in front of an address of the link": ["192.0.2.9/24 default", "default6"],
    "IPv4 of the link": ["169.254.1.9/16 default", "2a00::9/64 default"],
    "a unique local address": ["192.0.2.9/24 default", "fd00:1::9/64", "2a00::9/64 default"],
    "6to4": ["192.0.2.9/24 default", "2002::9/64 default"],
}
PAIRS = [  # what the names of the DNS server stand for
    (FOUR, SIX), ("198.51.100.1", "2a00:1::1"), ("198.51.100.1", SIX), (FOUR, "2a00:1::1"), ("198.51.100.1", "2002:1::1"),
    ("198.51.100.1", "2001::1"), ("198.51.100.1", "fec0::1"), ("169.254.1.1", "2a00:1::1"), ("127.0.0.1", "::1"),
    ("127.0.0.1", "2a00:1::1"), ("198.51.100.1", "::1"),
]
ZONE = "".join(f"pair{i}.test 60 {four} {six}\n" for i, (four, six) in enumerate(PAIRS))
RESOLV = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
NSSWITCH = "hosts: files dns\nservices: files\nprotocols: files\n"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def network(name):
    """The interface begins anew: what it had before is gone."""
    for words in (["link", "del", "v0"], ["-6", "route", "del", "unreachable", BLOCKED]):
        subprocess.run(["ip", *words], stderr=subprocess.DEVNULL, check=False)
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    for end in ("v0", "v1"):
        Path(f"/proc/sys/net/ipv6/conf/{end}/accept_dad").write_text("0", encoding="ascii")
        ip("link", "set", end, "up")
    for words in map(str.split, NETWORKS[name]):
        family = ["-6"] if ":" in words[0] or words[0] == "default6" else []
        if words[0] != "default6":
            ip(*family, "address", "add", words[0], "dev", "v0", *(["nodad"] if family else []))
        if words[-1].startswith("default"):
            ip(*family, "route", "replace", "default", "dev", "v0")


def addresses(said):
    """Of a list, each once."""
    found = [fields.split()[5] for fields in said.split("[")[1:]]
    return [address for i, address in enumerate(found) if found.index(address) == i]


def lists(probe, name, **how):
    return addresses(probe.gai(name, **how))


@contextlib.contextmanager
def managed(libc, text4=FOUR, text6=SIX, family=4, name="db.test", **more):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry(name, text4, text6, family=family, **more)
        yield agent, probe


def both(libc, four=FOUR, six=SIX):
    """With a route to each, and 4 as the agent's family."""
    return [six, four] if libc == "glibc" else [four]


def alone(libc, wanted):
    """musl frees a list as one block, so that there one family is all that can be given."""
    return wanted if libc == "glibc" else wanted[:1]


@per_libc
def both_families_are_given_and_the_one_with_a_route_first(libc):
    for family in (4, 6):
        for net, wanted in (("IPv4", [FOUR, SIX]), ("IPv6", [SIX, FOUR])):
            network(net)
            with managed(libc, family=family) as (_, probe):
                equal((net, lists(probe, "db.test")), (net, alone(libc, wanted)))
                equal((net, lists(probe, "db.test", socktype=0)), (net, alone(libc, wanted)))


@per_libc
def without_any_route_the_agents_family_is_first(libc):
    network("neither")
    for family, wanted in ((4, [FOUR, SIX]), (6, [SIX, FOUR])):
        with managed(libc, family=family) as (_, probe):
            for flags in (0, AI_ADDRCONFIG):
                equal(lists(probe, "db.test", flags=flags), alone(libc, wanted))


@per_libc
def addrconfig_leaves_out_a_family_without_a_route(libc):
    for net, wanted in (("IPv4", [FOUR]), ("IPv6", [SIX]), ("both", None)):
        network(net)
        with managed(libc) as (_, probe):
            found = lists(probe, "db.test", flags=AI_ADDRCONFIG)
            if wanted:
                equal((net, found), (net, wanted))
                equal(addresses(probe.ask("gai0", "db.test", "5432")), wanted)
            else:
                equal(found, both(libc))


@per_libc
def a_family_that_is_asked_for_is_given_whatever_the_routes(libc):
    for net in ("neither", "IPv4", "IPv6", "both"):
        network(net)
        with managed(libc) as (_, probe):
            for flags in (0, AI_ADDRCONFIG, AI_CANONNAME):
                equal(lists(probe, "db.test", family=AF_INET, flags=flags), [FOUR])
                equal(lists(probe, "db.test", family=AF_INET6, flags=flags), [SIX])
            equal(lists(probe, "db.test", family=AF_INET6, flags=AI_V4MAPPED), [SIX])
            for words in (("h", "db.test"), ("h2", "db.test", AF_INET), ("hr", "db.test", 500)):
                assert probe.ask(*words).endswith(" " + FOUR), net
            assert probe.ask("h2", "db.test", AF_INET6).endswith(" " + SIX), net


@per_libc
def all_of_v4mapped_is_both_written_as_ipv6(libc):
    flags = AI_V4MAPPED | AI_ALL
    for net, wanted in (("IPv4", ["::ffff:" + FOUR, SIX]), ("IPv6", [SIX, "::ffff:" + FOUR])):
        network(net)
        with managed(libc) as (_, probe):
            equal((net, lists(probe, "db.test", family=AF_INET6, flags=flags)), (net, alone(libc, wanted)))
            equal((net, lists(probe, "db.test", family=AF_INET6, flags=flags | AI_ADDRCONFIG)), (net, wanted[:1]))


@per_libc
def what_is_given_is_what_libc_gives_for_a_name_with_these_addresses(libc):
    """Byte for byte on glibc, but for the name. On musl it is that part of it which is of the agent's family, unless
    there is a route to the other one alone."""
    for net in NETWORKS:
        network(net)
        with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
            for i, pair in enumerate(PAIRS):
                family = random.choice((4, 6))
                agent.entry(f"managed{i}.test", *pair, family=family)
                for socktype, flags in ((1, 0), (0, AI_CANONNAME), (2, 0)):
                    how = {"socktype": socktype, "flags": flags, "service": "5432"}
                    compare(probe, plain, (net, i, family), how)


GAI_CONF = [
    "precedence ::ffff:0:0/96  100\n",
    "# precedence ::ffff:0:0/96  100\n",
    "precedence ::ffff:0:0/96 10\nprecedence ::/0 40\nprecedence 2a00:1::/32 5 # this one\n",
    "label ::/0 1\nlabel ::ffff:0:0/96 4\n",
    "label 2a00:1::/32 7\n precedence  fd00::/8 3\n",
    "reload yes\nlabel fd00::/8 1\nprecedence ::ffff:10.0.0.0/104 50\nbroken\nprecedence fec0::/x 90\n",
]


@test
def an_administrators_gai_conf_is_followed():
    """Each content is seen by processes that begin with it, as glibc reads it once."""
    with tempfile.TemporaryDirectory(prefix="homing-families-") as folder, own_gai_conf(folder) as put:
        for content in GAI_CONF:
            put(content)
            for net in ("both", "the internet", "the internet, IPv6 in front of a unique local address", "6to4"):
                network(net)
                with Agent() as agent, Probe("glibc", agent) as probe, Probe("glibc", preload=None) as plain:
                    for i, pair in enumerate(PAIRS):
                        agent.entry(f"managed{i}.test", *pair)
                        compare(probe, plain, (f"{net}: {content}", i, 4), {})


@contextlib.contextmanager
def own_gai_conf(folder):
    """One that is mounted over the machine's."""
    path, there = Path(folder, "gai.conf"), Path("/etc/gai.conf")
    path.write_text("", encoding="ascii")
    if not there.exists():
        raise Skip("no /etc/gai.conf to mount another one over")
    subprocess.run(["mount", "--bind", path, there], check=True)
    try:
        yield lambda content: path.write_text(content, encoding="ascii")
    finally:
        subprocess.run(["umount", there], check=True)


def nodes(said):
    """What a lookup returned, and each node of its list; errno is libc's own if the resolver was asked."""
    result, *found = re.sub(r" errno=\d+", "", said).split(" [")
    return [result, *found]


def compare(probe, plain, case, how):
    """Of two addresses without a route libc's order is not ours: the agent's family is the better guess."""
    net, i, family = case
    name, pair = f"pair{i}.test", PAIRS[i]
    found = nodes(probe.gai(f"managed{i}.test", **how).replace(f"managed{i}.test", name))
    wanted = nodes(plain.gai(name, **how))
    routed = [address for address in pair if has_route(address)]
    if plain.libc == "musl":
        given = routed[0] if len(routed) == 1 else pair[family == 6]
        wanted = [node for node in wanted if node.startswith("rc=") or node.split()[5] == given]
    elif not routed:
        found, wanted = (sorted(node.replace(f" {name}]", " -]") for node in said) for said in (found, wanted))
    equal((net, pair, how, found), (net, pair, how, wanted))


def has_route(address):
    """As a socket of this process, without a byte sent."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as asking:
        return asking.connect_ex((address, 5432)) == 0


@per_libc
def a_network_that_comes_later_is_noticed(libc):
    network("neither")
    with managed(libc) as (_, probe):
        equal(lists(probe, "db.test")[0], FOUR)
        network("IPv6")
        eventually(lambda: lists(probe, "db.test")[0] == SIX, "IPv6 is there")
        network("IPv4")
        eventually(lambda: lists(probe, "db.test")[0] == FOUR, "IPv4 took its place")
        network("both")
        eventually(lambda: lists(probe, "db.test")[0] == both(libc)[0], "IPv6 is there, too")
        network("IPv4")
        eventually(lambda: lists(probe, "db.test", flags=AI_ADDRCONFIG) == [FOUR], "IPv6 went away")


@per_libc
def a_route_is_asked_for_once_and_then_a_lookup_makes_no_system_call(libc):
    network("both")
    with managed(libc) as (_, probe):
        for flags in (0, AI_CANONNAME, AI_ADDRCONFIG | AI_V4MAPPED):
            wanted = probe.gai("db.test", flags=flags)
            equal(probe.gai("db.test", flags=flags, how=("strict", "times", 1000)), wanted + " changes=1")


@per_libc
def asking_keeps_errno(libc):
    """At the first lookup, which asks, and at the next one, whatever the kernel said."""
    for net in ("neither", "IPv4", "IPv6", "both"):
        network(net)
        with managed(libc) as (_, probe):
            refused, literal = (probe.gai(name, socktype=99).split(" [")[0] for name in ("db.test", FOUR))
            equal((net, refused), (net, literal))
        with managed(libc) as (_, probe):
            for said in (probe.gai("db.test"), probe.gai("db.test", flags=AI_ADDRCONFIG)):
                assert said.startswith("rc=0 errno=77 "), (net, said)


@per_libc
def a_switch_is_asked_for_anew(libc):
    network("both")
    with managed(libc) as (agent, probe):
        ip("-6", "route", "add", "unreachable", BLOCKED)
        equal(lists(probe, "db.test"), both(libc))
        agent.entry("db.test", "10.1.0.4", BLOCKED)
        equal(lists(probe, "db.test"), alone(libc, ["10.1.0.4", BLOCKED]))


@per_libc
def asking_leaves_no_descriptor_and_takes_none_of_0_1_and_2(libc):
    network("IPv6")
    with Agent() as agent, Probe(libc, agent, argv=[
            "bash", "-c", 'exec "$0" 98<&0 99>&1 <&- >&- 2>&-', str(Path(PROBE % libc))]) as probe:
        agent.entry("db.test", FOUR, SIX)
        equal(lists(probe, "db.test")[0], SIX)
        equal(probe.ask("fds"), "98 99")
        equal(probe.ask("open"), "0")


@per_libc
def without_descriptors_the_agents_family_is_first_until_there_are_some(libc):
    network("IPv6")
    with managed(libc, name="other.test") as (agent, probe):
        equal(probe.address("other.test"), SIX)
        agent.entry("db.test", FOUR, "fd00:1::5")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(probe.process.pid, resource.RLIMIT_NOFILE, (3, hard[1]))
        equal(lists(probe, "db.test"), alone(libc, [FOUR, "fd00:1::5"]))
        resource.prlimit(probe.process.pid, resource.RLIMIT_NOFILE, hard)
        eventually(lambda: lists(probe, "db.test")[0] == "fd00:1::5", "asked again")


@per_libc
def the_list_of_both_is_freed_by_the_libc_that_made_it(libc):
    network("both")
    with Agent() as agent, Probe(libc, agent, env={"MALLOC_PERTURB_": "85", "MALLOC_CHECK_": "3"}) as probe:
        agent.entry("db.test", FOUR, SIX)
        for flags in (0, AI_CANONNAME):
            for how in (("times", 5000), ("threads", 16, "times", 300), ("fork",)):
                said = probe.gai("db.test", socktype=0, flags=flags, how=how)
                equal(addresses(said), both(libc))
                assert "DIFFERS" not in said, said
        equal(probe.close(), 0)


@test
def valgrind_finds_nothing_in_a_list_of_both():
    if not shutil.which("valgrind"):
        raise Skip("no valgrind")
    network("both")
    with Agent() as agent, Probe("glibc", agent, argv=[
            "valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite",
            PROBE % "glibc"]) as probe:
        agent.entry("db.test", FOUR, SIX)
        for flags in (0, AI_CANONNAME):
            equal(addresses(probe.gai("db.test", flags=flags, how=("times", 20))), [SIX, FOUR])
        equal(probe.close(), 0)


@per_libc
def a_stale_answer_is_checked_in_both_families_and_replaced_by_both(libc):
    """W9: the real resolver has no such name, or names a demoted member in one of its families."""
    network("IPv6")
    with managed(libc, name="gone.test", state="stale") as (agent, probe):
        agent.entry("pair1.test", FOUR, SIX, state="stale")
        agent.entry("pair2.test", FOUR, SIX, state="stale")
        agent.do("members w=10.1.0.3 d=2a00:1::1")
        equal(lists(probe, "gone.test"), alone(libc, [SIX, FOUR]))
        equal(lists(probe, "pair1.test"), alone(libc, [SIX, FOUR]))
        equal(sorted(lists(probe, "pair2.test")), sorted(PAIRS[2]))


@per_libc
def a_reader_is_given_with_both_of_its_addresses(libc):
    readers = {f"10.1.0.{i}": f"fd00:1::{i}" for i in (4, 5, 6)}
    for net, wanted in (("IPv4", lambda four, six: [four, six]), ("IPv6", lambda four, six: [six, four])):
        network(net)
        with managed(libc, role="reader", name="ro.test") as (agent, probe):
            agent.do("members w=10.1.0.3@5432/0 " + " ".join(
                f"r={four}@5432/{i} r={six}@5432/{i}" for i, (four, six) in enumerate(readers.items(), 1)))
            seen = [lists(probe, "ro.test") for _ in range(6)]
            equal(sorted(seen[:3]), sorted(alone(libc, wanted(four, six)) for four, six in readers.items()))
            equal(seen[:3], seen[3:])


@per_libc
def readers_of_one_family_each_take_turns_where_there_is_a_route(libc):
    for net, wanted in (("IPv4", {"10.1.0.4"}), ("IPv6", {"fd00:1::5"}), ("both", {"10.1.0.4", "fd00:1::5"})):
        network(net)
        with managed(libc, role="reader", name="ro.test") as (agent, probe):
            agent.do("members w=10.1.0.3@5432/0 r=10.1.0.4@5432/1 r=fd00:1::5@5432/2")
            equal((net, {lists(probe, "ro.test")[0] for _ in range(4)}), (net, wanted))


@per_libc
def a_remembered_address_of_either_family_is_redirected(libc):
    """The table of seen addresses has both, so that a connect to the second one is steered, too."""
    old, new = (FOUR, SIX), ("10.1.0.4", "fd00:1::4")
    network("both")
    for address in (*old, *new):
        ip("address", "add", address, "dev", "v0", *(["nodad"] if ":" in address else []))
    with Peers(*old, *new) as peers, Agent() as agent, Probe(libc, agent) as probe:
        def writer(now, before, generation):
            agent.do("members " + " ".join(f"w={a}@{peers.port}/1" for a in now) + " " +
                     " ".join(f"d={a}@{peers.port}/2" for a in before))
            agent.do(f"entry db.test connect steady writer 4 {now[0]} {now[1]} 60000 0 port={peers.port} "
                     f"generation={generation}")

        writer(old, new, 1)
        given = lists(probe, "db.test")
        equal(sorted(given), sorted(old if libc == "glibc" else old[:1]))
        writer(new, old, 2)
        for address in given:
            said = probe.ask("dial", address, peers.port, "")
            assert f" {new[old.index(address)]} {peers.port}" in said, said


# Java lists IPv4 first whatever libc says, unless it is told not to.
PROGRAMS = {
    "python": ["/usr/bin/python3", "-c",
               "import socket; socket.create_connection(('db.test', {port}), 60).close()"],
    "node": ["node", "-e", "require('net').connect({host: 'db.test', port: {port}}).on('connect', () => process.exit(0))"
             ".on('error', error => { console.error(error); process.exit(1) })"],
    "psql": ["psql", "-w", "sslmode=disable gssencmode=disable user=x dbname=x host=db.test port={port}"],
    "java": ["java", "-Djava.net.preferIPv6Addresses=system", "{folder}/Dial.java", "{port}"],
}
JAVA = """public class Dial {
    public static void main(String[] to) throws Exception {
        new java.net.Socket("db.test", Integer.parseInt(to[0])).close();
    }
}
"""


def comes(program, agent, peers, folder):
    """Whether the program connects to one of the peers, and what it said if it did not."""
    argv = [word.replace("{folder}", folder).replace("{port}", str(peers.port)) for word in PROGRAMS[program]]
    with subprocess.Popen(argv, env=environment(agent), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, text=True) as process:
        while process.poll() is None:
            ready, _, _ = select.select([peers.sockets[0]], [], [], 0.1)
            if ready:
                peers.sockets[0].accept()[0].close()
                process.wait()
                return True, ""
        return bool(select.select([peers.sockets[0]], [], [], 0)[0]), process.stderr.read()


@test_each(PROGRAMS)
def a_program_reaches_a_server_over_the_only_family_that_it_has(program):
    """With both addresses in the view, and each of the two as the agent's own."""
    if not shutil.which(PROGRAMS[program][0]):
        raise Skip(f"no {program}")
    with tempfile.TemporaryDirectory(prefix="homing-families-") as folder:
        Path(folder, "Dial.java").write_text(JAVA, encoding="ascii")
        for net, here, family in (("IPv6", SIX, 4), ("IPv4", FOUR, 6)):
            network(net)
            ip("address", "add", here, "dev", "v0", *(["nodad"] if ":" in here else []))
            with Peers(here) as peers, Agent() as agent:
                agent.entry("db.test", FOUR, SIX, family=family)
                came, said = comes(program, agent, peers, folder)
                assert came, f"{program} did not come over {net}: {said}"


own_namespaces("--mount", "--net")
put_names("127.0.0.1 localhost\n", RESOLV, NSSWITCH)
main_beside_dns(ZONE)
