#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How a process comes to its view and does without one (W9, I2), and that no bytes of an agent can harm it (V2)."""
import socket
import threading

from harness import AF_INET, AF_INET6, AI_CANONNAME, DNS, NONE, Agent, Probe, follows, main, per_libc
from tap import equal

MANNERS = ("hangs-up", "garbage", "half", "longer", "no-fd", "pipe", "unsealed", "short", "empty", "size",
           "major", "magic", "instance")


@per_libc
def one_view_is_attached_and_nothing_else_kept(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        before = probe.ask("fds")
        equal(probe.address("db"), "10.1.2.3")
        equal(probe.ask("fds"), before)
        equal(probe.ask("maps"), "views=1")
        assert "changes=1" in probe.gai("db", how=("times", 10000))
        equal(agent.attached(), 1)


@per_libc
def threads_whose_first_lookups_coincide_all_get_the_view(libc):
    for _ in range(10):
        with Agent() as agent, Probe(libc, agent) as probe:
            agent.entry(NONE, "10.1.2.3")
            said = probe.gai(NONE, how=("threads", 32))
            assert "DIFFERS" not in said and " 10.1.2.3 " in said, said
            equal(probe.ask("maps"), "views=1")


@per_libc
def a_process_without_an_agent_is_as_without_homing(libc):
    with Probe(libc, "/nonexistent/agent.sock") as probe, Probe(libc, preload=None) as plain:
        before = probe.ask("fds")
        for node in (DNS, "127.0.0.1"):
            equal(probe.gai(node), plain.gai(node))
            equal(probe.ask("h", node), plain.ask("h", node))
        equal(probe.ask("fds"), before)


@per_libc
def a_process_started_before_its_agent_attaches_later(libc):
    with Agent() as first:
        path = first.path + ".later"
        with Probe(libc, path) as probe:
            probe.gai(DNS)
            with Agent(path) as agent:
                agent.entry(DNS, "10.1.2.3")
                follows(probe, DNS, "10.1.2.3")


@per_libc
def an_agent_that_misbehaves_changes_nothing_and_leaves_nothing(libc):
    with Agent() as agent, Probe(libc, preload=None) as plain:
        agent.entry(DNS, "10.1.2.3")
        for manner in MANNERS:
            agent.do(f"manner {manner}")
            with Probe(libc, agent) as probe:
                before = probe.ask("fds")
                equal((manner, probe.gai(DNS)), (manner, plain.gai(DNS)))
                equal((manner, probe.ask("fds")), (manner, before))
                equal((manner, probe.ask("maps")), (manner, "views=0"))
                agent.do("manner proper")
                follows(probe, DNS, "10.1.2.3")


@per_libc
def a_reply_with_two_descriptors_leaves_none_open(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry(DNS, "10.1.2.3")
        agent.do("manner two-fds")
        before = probe.ask("fds")
        probe.gai(DNS)
        equal(probe.ask("fds"), before)


@per_libc
def an_agent_that_does_not_answer_is_waited_for_a_moment_only(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.entry(DNS, "10.1.2.3")
        agent.do("manner silent")
        # it would hang for ever if it waited: that it comes back at all is what is tested here
        equal(probe.gai(DNS), plain.gai(DNS))
        agent.do("manner proper")
        follows(probe, DNS, "10.1.2.3")


@per_libc
def a_stopped_agent_with_a_full_backlog_is_not_waited_for(libc):
    with Agent() as agent, Probe(libc, preload=None) as plain:
        agent.entry(DNS, "10.1.2.3")
        agent.do("manner absent")
        agent.do("listen 0")
        waiting = []
        for _ in range(8):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            waiting.append(client)
            try:
                client.connect(agent.path)
            except BlockingIOError:
                break
        else:
            raise AssertionError("the backlog never fills")
        with Probe(libc, agent) as probe:
            before = probe.ask("fds")
            equal(probe.gai(DNS), plain.gai(DNS))
            equal(probe.ask("fds"), before)


@per_libc
def stale_asks_the_real_resolver_and_believes_it(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        for state, age in (("stale", 0), ("steady", 120000)):
            agent.entry(DNS, "10.1.2.3", state=state, age=age)
            for words in (("gai0", DNS, "80"), ("h", DNS), ("hr", DNS, 1024), ("h2r", DNS, AF_INET6, 1024)):
                equal(probe.ask(*words), plain.ask(*words))


@per_libc
def stale_falls_back_to_the_last_view_when_the_real_resolver_fails(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry(NONE, "10.1.2.3", "fd00::3", state="stale")
        equal(probe.address(NONE, family=AF_INET), "10.1.2.3")
        equal(probe.address(NONE, family=AF_INET6), "fd00::3")
        assert f" {NONE} 2 4 " in probe.ask("h", NONE) and "10.1.2.3" in probe.ask("h", NONE)
        assert "fd00::3" in probe.ask("h2", NONE, AF_INET6)
        assert "10.1.2.3" in probe.ask("hr", NONE, 1024)
        agent.entry(NONE, "10.1.2.3", state="stale", role="reader")
        equal(probe.address(NONE), "10.1.2.3")


@per_libc
def stale_does_not_believe_a_resolver_that_names_a_demoted_member(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.entry(DNS, "10.1.2.3", state="stale")
        agent.do("members w=10.1.2.3 d=127.0.0.1 d=::1")
        equal(probe.address(DNS), "10.1.2.3")
        said = probe.gai(DNS, flags=AI_CANONNAME)
        assert said.startswith("rc=0 errno=") and said.endswith(f" 10.1.2.3 0 {DNS}]"), said
        for words in (("h", DNS), ("hr", DNS, 1024), ("h2", DNS, 2), ("h2r", DNS, 2, 1024)):
            assert probe.ask(*words).endswith(" 10.1.2.3"), probe.ask(*words)
        agent.entry(DNS, "10.1.2.3", state="stale", role="reader")  # for reading it is as good as any
        equal(probe.gai(DNS), plain.gai(DNS))


@per_libc
def unknown_is_left_to_the_real_resolver(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.entry(DNS, "10.1.2.3", state="unknown")
        equal(probe.gai(DNS), plain.gai(DNS))
        equal(probe.ask("h", DNS), plain.ask("h", DNS))


@per_libc
def off_and_observe_change_nothing(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        for mode in ("off", "observe"):
            agent.entry(DNS, "10.1.2.3", mode=mode)
            for words in (("gai0", DNS, "80"), ("h", DNS), ("hr", DNS, 1024)):
                equal(probe.ask(*words), plain.ask(*words))
        for mode in ("names", "connect", "sever", "off"):  # and back, in a running process
            agent.entry(DNS, "10.1.2.3", mode=mode)
            equal((mode, probe.address(DNS)), (mode, plain.address(DNS) if mode == "off" else "10.1.2.3"))
        agent.entry(DNS, "10.1.2.3")
        equal(probe.address(DNS), "10.1.2.3")
        agent.do(f"gone {DNS}")
        equal(probe.gai(DNS), plain.gai(DNS))


@per_libc
def an_address_that_is_none_falls_through(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.entry(DNS, "not.an.address")
        equal(probe.gai(DNS), plain.gai(DNS))


@per_libc
def a_view_of_random_bytes_does_no_harm(libc):
    with Agent() as agent:
        for seed in range(60):
            agent.do("view")
            for i in range(40):
                agent.entry(f"{NONE}{i}", "10.1.2.3", role=("writer", "reader")[i % 2])
            agent.do("members w=10.1.2.3 r=10.1.2.4 d=10.1.2.5")
            with Probe(libc, agent) as probe:
                probe.gai(f"{NONE}0")
                agent.do(f"scribble {seed}")
                if seed % 3 == 0:
                    agent.do(f"scribble-header {seed}")
                for i in range(0, 40, 5):
                    probe.gai(f"{NONE}{i}")
                    probe.ask("h", f"{NONE}{i + 1}")
                equal((seed, probe.ask("fds")), (seed, "0 1 2"))
                equal(probe.close(), 0)


@per_libc
def a_view_that_changes_under_its_readers_is_never_torn(libc):
    """Both addresses of a list are of one answer."""
    answers = [("10.1.2.3", "fd00::3"), ("10.200.200.200", "fd00:2000:2000:2000:2000:2000:2000:2000")]
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry(NONE, *answers[0])
        assert probe.address(NONE) in answers[0]
        stop = threading.Event()

        def change():
            while not stop.is_set():
                for answer in answers:
                    agent.entry(NONE, *answer)

        thread = threading.Thread(target=change)
        thread.start()
        seen = set()
        for _ in range(300):
            said = probe.gai(NONE, how=("times", 300))
            seen.add(frozenset(node.split(" ")[5] for node in said.split("[")[1:]))
        stop.set()
        thread.join()
        strangers = [found for found in seen if not any(found <= set(answer) for answer in answers)]
        equal(strangers, [])


main()
