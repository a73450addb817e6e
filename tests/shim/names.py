#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Layer 1: what the five functions answer for managed names (W9), in both libcs, against a view that stands."""
import re

from harness import (
    AF_INET, AF_INET6, AF_UNSPEC, AI_ADDRCONFIG, AI_ALL, AI_CANONNAME, AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE,
    AI_V4MAPPED, DNS, Agent, Probe, main, per_libc)
from tap import equal

STREAM, DGRAM = 1, 2


def lists(probe, managed, literal, **how):
    """A managed name's list is the numeric address' list but for the name in it."""
    wanted = probe.gai(literal, **how).replace(f" {literal}]", f" {managed}]")
    if wanted.startswith("rc=0 "):  # libc may have used errno, we leave it
        wanted = re.sub(" errno=[0-9]+ ", " errno=77 ", wanted)
    equal((how, probe.gai(managed, **how)), (how, wanted))


@per_libc
def a_managed_name_gives_the_list_of_its_numeric_address(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db.example", "10.1.2.3")
        for service in ("-", "5432", "http", "no-such-service", "", "99999", "-1"):
            for socktype in (0, STREAM, DGRAM, 3, 99):
                for flags in (0, AI_CANONNAME, AI_PASSIVE, AI_NUMERICSERV,
                              AI_V4MAPPED | AI_CANONNAME, AI_ALL | AI_V4MAPPED):
                    for family in (AF_UNSPEC, AF_INET):
                        lists(probe, "db.example", "10.1.2.3", service=service, socktype=socktype,
                              flags=flags, family=family)


@per_libc
def unknown_flags_are_refused_as_libc_refuses_them(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        equal(probe.gai("db", flags=0x40000000), probe.gai("10.1.2.3", flags=0x40000000).replace("10.1.2.3]", "db]"))


@per_libc
def a_name_is_answered_without_hints(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        literal = probe.ask("gai0", "10.1.2.3", "5432")
        equal(probe.ask("gai0", "db", "5432"), literal.replace(" 10.1.2.3]", " db]"))


@per_libc
def upper_case_and_a_trailing_dot_are_the_same_name(libc):
    long = ".".join(["a" * 63] * 3 + ["b" * 61])
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("orders-db.internal", "10.1.2.3")
        agent.entry(long, "10.1.2.4")
        for spelling in ("orders-db.internal", "ORDERS-db.Internal", "orders-db.internal."):
            equal(probe.address(spelling), "10.1.2.3")
        equal(len(long), 253)
        equal(probe.address(long), "10.1.2.4")
        equal(probe.address(long.upper() + "."), "10.1.2.4")
        equal(probe.ask("h", long + ".").split()[2], long)


def canonical(probe, name, **how):
    """The canonical name, and the address in the same answer."""
    fields = probe.gai(name, flags=AI_CANONNAME, **how).partition("[")[2].partition("]")[0].split(" ")
    return fields[5], fields[7]


@per_libc
def the_canonical_name_is_that_of_the_members_host(libc):
    perturbed = {"MALLOC_PERTURB_": "85", "MALLOC_CHECK_": "3"}
    with Agent() as agent, Probe(libc, agent, env=perturbed) as probe:
        agent.members("w=10.1.2.3", "rd=10.1.2.4", officials=("node-a.corp", "node-b.corp"))
        agent.entry("orders-db.internal", "10.1.2.3")
        equal(canonical(probe, "Orders-DB.internal."), ("10.1.2.3", "node-a.corp"))
        equal(canonical(probe, "orders-db.internal", socktype=0, service="5432"), ("10.1.2.3", "node-a.corp"))
        # the list is freed by the libc that made it: again and again, in many threads
        for how in (("times", 2000), ("threads", 16, "times", 200)):
            said = probe.gai("orders-db.internal", flags=AI_CANONNAME, how=how)
            assert "changes=1" in said and "DIFFERS" not in said, said
        agent.members("w=10.1.2.4", "rd=10.1.2.3", officials=("node-b.corp", "node-a.corp"))
        agent.entry("orders-db.internal", "10.1.2.4")
        equal(canonical(probe, "orders-db.internal"), ("10.1.2.4", "node-b.corp"))
        agent.members("w=10.1.2.4", officials=("-",))
        equal(canonical(probe, "orders-db.internal"), ("10.1.2.4", "orders-db.internal"))


@per_libc
def of_a_reader_endpoint_it_is_that_of_the_reader_whose_turn_it_is(libc):
    pool = {f"10.1.2.{i}": f"node-{i}.corp" for i in range(3, 12)}
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.members("w=10.1.2.3", *(f"r={address}" for address in list(pool)[1:]), officials=pool.values())
        agent.entry("ro", "10.1.2.3", role="reader")
        said = {canonical(probe, "ro") for _ in range(16)}
        equal(said, set(list(pool.items())[1:]))
        for address, name in pool.items():
            agent.members(f"r={address}", officials=(name,))
            words = probe.ask("hr", "ro", 1024).split()
            equal((words[3], words[-1]), (name, address))


@per_libc
def an_answer_of_the_last_view_has_the_canonical_name_of_its_member(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.members("w=10.1.2.3", "d=127.0.0.1", officials=("node-a.corp", "node-b.corp"))
        agent.entry(DNS, "10.1.2.3", age=70000)  # the real resolver names a demoted member (W9)
        equal(canonical(probe, DNS, family=AF_INET), ("10.1.2.3", "node-a.corp"))
        assert " node-a.corp " in probe.ask("hr", DNS, 1024)


@per_libc
def a_member_whose_host_is_the_name_asked_for_is_no_alias_of_itself(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("orders-db.internal", "10.1.2.3")
        before = [probe.ask(how, name, *more) for name in ("Orders-DB.internal", "orders-db.internal.")
                  for how, *more in (("h",), ("hr", 1024))]
        agent.members("w=10.1.2.3", officials=("orders-db.INTERNAL",))
        after = [probe.ask(how, name, *more) for name in ("Orders-DB.internal", "orders-db.internal.")
                 for how, *more in (("h",), ("hr", 1024))]
        equal(after, before)
        equal(canonical(probe, "Orders-DB.internal"), ("10.1.2.3", "Orders-DB.internal"))


@per_libc
def the_canonical_name_is_the_name_asked_for_if_no_other_is_known(libc):
    with Agent() as agent, Probe(libc, agent, env={"MALLOC_PERTURB_": "85", "MALLOC_CHECK_": "3"}) as probe:
        agent.entry("orders-db.internal", "10.1.2.3")
        said = probe.gai("Orders-DB.internal.", flags=AI_CANONNAME)
        assert said.endswith(" 10.1.2.3 0 Orders-DB.internal]"), said
        said = probe.gai("orders-db.internal", socktype=0, flags=AI_CANONNAME)
        first, *others = said.split("[")[1:]
        assert "orders-db.internal]" in first, said
        equal({other.split()[-1] for other in others}, {"-]" if libc == "glibc" else "orders-db.internal]"})
        # the list is freed by the libc that made it: again and again, in many threads
        for how in (("times", 2000), ("threads", 16, "times", 200)):
            said = probe.gai("orders-db.internal", flags=AI_CANONNAME, how=how)
            assert "changes=1" in said and "DIFFERS" not in said, said


@per_libc
def more_spellings_than_can_be_kept_do_no_harm(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.members("w=10.1.2.3", "r=10.1.2.4", officials=("node-a.corp", "node-b.corp"))
        agent.entry("orders-database.internal", "10.1.2.3")
        equal(canonical(probe, "orders-database.internal"), ("10.1.2.3", "node-a.corp"))
        for bits in range(2000):
            name = "".join(c.upper() if bits >> i & 1 else c for i, c in enumerate("orders-database")) + ".internal"
            assert " 10.1.2.3 0 " in probe.gai(name), name
        equal(canonical(probe, "orders-database.internal"), ("10.1.2.3", "node-a.corp"))
        # One that is new has no room in musl: then it is the name asked for, which has.
        agent.members("w=10.1.2.3", officials=("renamed-at-greater-length.corp",))
        equal(canonical(probe, "orders-database.internal"),
              ("10.1.2.3", "renamed-at-greater-length.corp" if libc == "glibc" else "orders-database.internal"))


@per_libc
def an_unspecified_family_gets_the_one_that_the_writer_has(libc):
    """tests/shim/families.py has the writers with both."""
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("both", "10.1.2.3", "fd00::3")
        agent.entry("only4", "10.1.2.3", family=6)
        agent.entry("only6", "-", "fd00::3", family=4)
        equal(probe.address("only4"), "10.1.2.3")
        equal(probe.address("only6"), "fd00::3")
        equal(probe.address("both", family=AF_INET6), "fd00::3")
        equal(probe.address("both", family=AF_INET), "10.1.2.3")


@per_libc
def a_family_that_the_writer_lacks_is_no_name(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("four", "10.1.2.3")
        agent.entry("six", "-", "fd00::3", family=6)
        equal(probe.gai("four", family=AF_INET6), "rc=-2 errno=77")
        equal(probe.gai("six", family=AF_INET), "rc=-2 errno=77")
        equal(probe.gai("six", family=AF_INET, flags=AI_V4MAPPED), "rc=-2 errno=77")
        equal(probe.address("four", family=AF_INET6, flags=AI_V4MAPPED), "::ffff:10.1.2.3")
        equal(probe.address("six", family=AF_INET6, flags=AI_V4MAPPED), "fd00::3")


@per_libc
def what_is_no_name_goes_straight_to_libc(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.entry("db", "10.1.2.3")
        for how in ({"node": "-", "service": "80", "flags": AI_PASSIVE}, {"node": "-", "service": "-"},
                    {"node": "db", "flags": AI_NUMERICHOST}, {"node": "127.0.0.1"}, {"node": "127.1"},
                    {"node": "010.1"}, {"node": "::1"}, {"node": "::1%lo"},
                    {"node": "fe80::1%nope"}, {"node": "1.2.3.4", "family": AF_INET6},
                    {"node": "127.0.0.1", "service": "http", "socktype": 0, "flags": AI_CANONNAME},
                    {"node": "::ffff:1.2.3.4"}, {"node": "FE80::1"}):
            equal(probe.gai(**how), plain.gai(**how))
        for words in (("h", "127.1"), ("h2", "::1", AF_INET6), ("hr", "127.0.0.1", 200),
                      ("hr", "127.0.0.1", 20), ("h2r", "::1", AF_INET6, 200)):
            equal(probe.ask(*words), plain.ask(*words))
        equal(agent.attached(), 0)
        for family in (1, 99):
            equal(probe.gai("db", family=family).split()[0], plain.gai("db", family=family).split()[0])


@per_libc
def the_gethostbyname_family_answers_too(libc):
    alias = "" if libc == "glibc" else " alias={}"
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("orders-db.internal", "10.1.2.3", "fd00::3")
        for spelling in ("orders-db.internal", "ORDERS-db.internal", "orders-db.internal."):
            name = spelling.rstrip(".")
            four = f"h_errno=0 {name} 2 4" + alias.format(name) + " 10.1.2.3"
            six = f"h_errno=0 {name} 10 16" + alias.format(name) + " fd00::3"
            equal(probe.ask("h", spelling), "errno=77 " + four)
            equal(probe.ask("h2", spelling, AF_INET), "errno=77 " + four)
            equal(probe.ask("h2", spelling, AF_INET6), "errno=77 " + six)
            equal(probe.ask("hr", spelling, 1024), "rc=0 errno=77 " + four)
            equal(probe.ask("h2r", spelling, AF_INET, 1024), "rc=0 errno=77 " + four)
            equal(probe.ask("h2r", spelling, AF_INET6, 1024), "rc=0 errno=77 " + six)


@per_libc
def the_reentrant_forms_refuse_every_buffer_that_is_too_small_and_never_overrun_it(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("orders-db.internal", "10.1.2.3", "fd00::3")
        for official in ("-", "node-a.corp", ".".join(["node-b"] * 36)):
            agent.members("w=10.1.2.3", "w=fd00::3", officials=(official, official))
            for family in (AF_INET, AF_INET6):
                fits = False
                for size in range(0, 260 + len(official)):
                    said = probe.ask("h2r", "orders-db.internal", family, size)
                    fits = fits or said.startswith("rc=0 ")
                    assert said.startswith("rc=0 ") if fits else said.startswith("rc=34 "), (size, said)
                    assert "OUT" not in said and "OVER" not in said, (size, said)
                assert fits and (official == "-") == (f" {official} " not in said), said


@per_libc
def a_family_that_the_writer_lacks_is_unknown_to_gethostbyname(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.entry("six", "-", "fd00::3", family=6)
        agent.entry("four", "10.1.2.3")
        equal(probe.ask("h", "six"), plain.ask("h", "fd00::3"))
        equal(probe.ask("hr", "six", 1024), plain.ask("hr", "fd00::3", 1024))
        equal(probe.ask("h2r", "four", AF_INET6, 1024), plain.ask("h2r", "10.1.2.3", AF_INET6, 1024))


@per_libc
def readers_take_turns_from_a_random_start(libc):
    pool = [f"10.1.2.{i}" for i in range(4, 12)]
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("ro", "10.1.2.3", role="reader")
        agent.do("members w=10.1.2.3 " + " ".join("r=" + address for address in pool) + " d=10.1.2.99")
        seen = [probe.address("ro") for _ in range(16)]
        equal(sorted(seen[:8]), sorted(pool))
        equal(seen[:8], seen[8:])
        starts = {probe.gai("ro", how=("fork",)).split()[7] for _ in range(24)}
        assert len(starts) > 1, f"24 forked children all begin with {starts}"


@per_libc
def an_endpoint_without_readers_falls_back_to_the_writer(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("ro", "10.1.2.3", role="reader")
        equal(probe.address("ro"), "10.1.2.3")
        agent.do("members w=10.1.2.3 d=10.1.2.4")
        equal(probe.address("ro"), "10.1.2.3")
        agent.do("members w=10.1.2.3 r=10.1.2.4")
        equal(probe.address("ro"), "10.1.2.4")
        equal(probe.gai("ro", family=AF_INET6), "rc=-2 errno=77")


@per_libc
def the_view_is_followed_from_one_lookup_to_the_next(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        for i in range(50):
            agent.entry("db", f"10.1.2.{i}")
            equal(probe.address("db"), f"10.1.2.{i}")


@per_libc
def the_states_that_have_an_answer_give_it(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        for state in ("steady", "suspect", "no_writer", "ambiguous", "frozen"):
            agent.entry("db", "10.1.2.3", state=state)
            equal((state, probe.address("db")), (state, "10.1.2.3"))


@per_libc
def what_an_agent_says_that_is_newer_than_the_shim_keeps_the_name_managed(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.do("members w=10.1.2.3 rd=127.0.0.1")
        agent.entry(DNS, "10.1.2.3")
        for mode, state, role, address in ((200, 1, 0, "10.1.2.3"), (4, 1, 200, "10.1.2.3"), (99, 2, 99, "10.1.2.3"),
                                           (4, 200, 0, "10.1.2.3"), (4, 200, 1, plain.address(DNS, family=AF_INET))):
            agent.do(f"newer {DNS} {mode} {state} {role}")
            # An unknown state asks the real resolver. Its answer counts, unless it is a demoted member's (W9).
            equal((mode, state, role, probe.address(DNS, family=AF_INET)), (mode, state, role, address))


@per_libc
def a_managed_lookup_makes_no_system_call(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        agent.entry("ro", "10.1.2.3", role="reader")
        agent.members("w=10.1.2.3", "r=10.1.2.4", officials=("node-a.corp", "node-b.corp"))
        for name, address in (("db", "10.1.2.3"), ("ro", "10.1.2.4")):
            for flags in (0, AI_CANONNAME, AI_ADDRCONFIG | AI_V4MAPPED):
                how = {"service": "5432", "flags": flags}
                equal(probe.address(name, **how), address)  # the first may: it attaches
                said = probe.gai(name, how=("strict", "times", 1000), **how)
                assert address in said and "changes=1" in said, said


main()
