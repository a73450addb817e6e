#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""I3: an unmanaged name behaves byte for byte as without the shim, and so does every name under `observe`.

The same lookups, with the shim and without, in both libcs: names x families x socket types x flags x services.
In namespaces of its own, with its own resolver: tests/support/dns.py on the loopback, /etc/hosts, resolv.conf.
"""
import itertools
import re

from harness import (
    AF_INET, AF_INET6, AF_UNSPEC, AI_ADDRCONFIG, AI_ALL, AI_CANONNAME, AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE,
    AI_V4MAPPED, Agent, Probe, main_beside_dns, per_libc)
from own_names import own_namespaces, put_names
from tap import equal

HOSTS = "127.0.0.1 localhost\n::1 localhost\n10.5.5.5 Canonical.hosts alias.hosts\n10.1.1.1 managed.hosts\n"
ZONE = """one.test 60 10.4.4.4
both.test 60 10.4.4.4 fd00::4
six.test 60 fd00::6
many.test 60 10.4.4.4 10.4.4.5 10.4.4.6 fd00::4 fd00::5
managed.test 60 10.4.4.7 fd00::7
short.search.test 60 10.4.4.8
alias.test 60 cname Node-A.test
far.test 60 cname alias.test
writer.test 60 cname Node-A.test
node-a.test 60 10.4.4.9
writer6.test 60 cname node-six.test
node-six.test 60 fd00::9
broken.test 60 fail
"""
RESOLV = "nameserver 127.0.0.1\nsearch search.test\noptions timeout:1 attempts:1 ndots:2\n"
NSSWITCH = "hosts: files dns\nservices: files\nprotocols: files\n"

ERRNO = re.compile(r"\berrno=11\b|\berrno=22\b|\berrno=77\b")

LONG = ".".join(["a" * 63] * 3 + ["b" * 61])
# Names that the configuration of this test manages, so that they are asked for only under `observe`.
MANAGED = ["managed.test", "MANAGED.test.", "managed.hosts", "localhost"]
UNMANAGED = [
    "-", "", ".", "..", "127.0.0.1", "127.1", "1", "0x7f.1", "0x7f000001", "010.1.1.1", "1.2.3.4.5", "256.1.1.1",
    "1.2.3.4.", "::1", "::", "::ffff:1.2.3.4", "fe80::1%lo", "fe80::1%1", "fe80::1%nope", "1.2.3.4%lo", "[::1]",
    "one.test", "ONE.test", "one.test.", "one.test..", "both.test", "six.test", "many.test",
    "alias.test", "ALIAS.Test.", "far.test", "no.test", "no", "short", "canonical.hosts", "alias.hosts", "ALIAS.hosts", "a b", "a/b", "a:b", "-a.test",
    "_a.test", "*.test", "a..test", ".test", "xn--mnchen-3ya.test", "\x01.test", "x" * 63 + ".test",
    "x" * 64 + ".test", LONG, LONG + ".", LONG + "b", "x" * 1000, "x" * 3000,
]
FLAGS = [0, AI_CANONNAME, AI_PASSIVE, AI_NUMERICHOST, AI_NUMERICSERV, AI_ADDRCONFIG, AI_V4MAPPED,
         AI_V4MAPPED | AI_ALL, AI_ADDRCONFIG | AI_V4MAPPED | AI_CANONNAME, AI_NUMERICHOST | AI_CANONNAME,
         0x40, 0x80, 0x40000000]
FAMILIES = [AF_UNSPEC, AF_INET, AF_INET6, 1, 99]
SERVICES = ["-", "", "5432", "http", "bad-service", "65536", "-1", " 80"]


# A server that fails is waited for a second, so less often.
BROKEN = [("gai", "broken.test", "80", AF_INET, 1, 0, AI_CANONNAME), ("hr", "broken.test", 1024),
          ("gai", "m\u00fcnchen.test", "-", AF_INET, 0, 0, 0)]


def getaddrinfos(names):
    """Every name with every flag and family; service and socket type change beside them."""
    besides = itertools.cycle(itertools.product(SERVICES, [(1, 0), (0, 0), (2, 17), (1, 17), (3, 0), (99, 0)]))
    for name, flags, family in itertools.product(names, FLAGS, FAMILIES):
        service, (socktype, protocol) = next(besides)
        yield ("gai", name, service, family, socktype, protocol, flags)
    for name, service in itertools.product(names, SERVICES):
        yield ("gai0", name, service)
        yield ("gai", name, service, AF_UNSPEC, 1, 0, AI_CANONNAME)


def gethostbynames(names):
    for name in names:
        if name == "-":
            continue
        yield ("h", name)
        for family in (AF_INET, AF_INET6):  # others abort in glibc
            yield ("h2", name, family)
        for size in (0, 1, 16, 64, 100, 128, 1024, 8192):
            yield ("hr", name, size)
            for family in (AF_INET, AF_INET6):
                yield ("h2r", name, family, size)


def agree(words, probe, plain):
    """musl leaves EAGAIN in errno if the DNS server's reply had to be waited for: chance, on either side."""
    found, expected = probe.ask(*words), plain.ask(*words)
    waited = probe.libc == "musl" and ("errno=11 " in found + " " or "errno=11 " in expected + " ")
    if waited:
        equal((words, ERRNO.sub("", found)), (words, ERRNO.sub("", expected)))
    else:
        equal((words, found), (words, expected))
    return found


def compare(libc, agent, lookups, **env):
    count, seen = 0, set()
    with Probe(libc, agent, env=env) as probe, Probe(libc, preload=None) as plain:
        for words in lookups:
            found = agree(words, probe, plain)
            seen.add(found.partition(" ")[0])
            count += 1
        equal(probe.ask("fds"), plain.ask("fds"))
    assert len(seen) > 1, f"{count} lookups gave only {seen}"
    print(f"# {count} lookups", flush=True)


def populated(agent, mode):
    for name in MANAGED:
        agent.entry(name, "10.1.2.3", "fd00::3", mode=mode)


@per_libc
def unmanaged_names_are_as_without_the_shim(libc):
    with Agent() as agent:
        populated(agent, "names")
        with Probe(libc, agent) as probe:
            equal(probe.address("managed.test"), "10.1.2.3")
        compare(libc, agent, getaddrinfos(UNMANAGED))
        compare(libc, agent, gethostbynames(UNMANAGED))
        compare(libc, agent, BROKEN)


@per_libc
def a_managed_name_is_like_a_cname_of_the_writers_host(libc):
    """With all that a program sees of that: its canonical name and the aliases. The DNS has the same CNAME."""
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.members("w=10.4.4.9", "w=fd00::9", officials=("Node-A.test", "node-six.test"))
        agent.entry("writer.test", "10.4.4.9")
        agent.entry("writer6.test", "-", "fd00::9", family=6)
        for name, family in (("writer.test", AF_INET), ("writer6.test", AF_INET6)):
            lookups = [("gai", name, service, wanted, socktype, 0, flags)
                       for service in ("-", "5432") for wanted in (AF_UNSPEC, family) for socktype in (0, 1)
                       for flags in (AI_CANONNAME, AI_CANONNAME | AI_V4MAPPED, AI_CANONNAME | AI_PASSIVE)]
            lookups += [("h2", name, family), ("h2r", name, family, 8192)]
            for words in lookups + ([("h", name), ("hr", name, 8192)] if family == AF_INET else []):
                found, expected = (re.sub(r"\berrno=\d+", "", p.ask(*words)) for p in (probe, plain))
                equal((words, found), (words, expected))
                assert "rc=0" in found or words[0] in ("h", "h2"), found


@per_libc
def all_names_are_under_observe(libc):
    with Agent() as agent:
        for mode in ("observe", "off"):
            populated(agent, mode)
            compare(libc, agent, itertools.chain(getaddrinfos(MANAGED), gethostbynames(MANAGED)))


@per_libc
def all_names_are_with_homing_disabled(libc):
    with Agent() as agent:
        populated(agent, "names")
        compare(libc, agent, itertools.chain(getaddrinfos(MANAGED), gethostbynames(MANAGED)), HOMING_DISABLE="1")


own_namespaces("--mount", "--net")
put_names(HOSTS, RESOLV, NSSWITCH)
main_beside_dns(ZONE)
