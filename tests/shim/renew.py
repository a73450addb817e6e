#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How a process that has a view comes to the next one: agents that die, restart, and retire their view (V3, V4)."""
import threading
import time

from harness import DNS, NONE, Agent, Probe, eventually, follows, main, per_libc
from tap import equal


@per_libc
def a_dead_agent_is_believed_until_its_answer_is_stale(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.entry(NONE, "10.1.2.3")
        agent.entry(DNS, "10.1.2.3", max_stale=5000)
        equal(probe.address(DNS), "10.1.2.3")
        agent.kill()
        assert probe.address(DNS) in ("10.1.2.3", plain.address(DNS))
        eventually(lambda: probe.gai(DNS) == plain.gai(DNS), "stale: the real resolver's answer (W9)")
        equal(probe.address(NONE), "10.1.2.3")


@per_libc
def a_new_agent_is_found_after_a_crash(libc):
    with Agent() as agent:
        with Probe(libc, agent) as probe:
            agent.entry(NONE, "10.1.2.3")
            equal(probe.address(NONE), "10.1.2.3")
            for i in range(4, 8):
                agent.kill()
                with Agent(agent.path) as agent:
                    agent.entry(NONE, f"10.1.2.{i}")
                    follows(probe, NONE, f"10.1.2.{i}")


@per_libc
def no_lookup_fails_while_agents_come_and_go(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry(NONE, "10.1.2.3")
        equal(probe.address(NONE), "10.1.2.3")
        end, failed = time.monotonic() + 6, []

        def lookups():
            while time.monotonic() < end:
                said = probe.gai(NONE, how=("times", 200))
                if " 10.1.2.3 " not in said or "changes=1" not in said:
                    failed.append(said)

        thread = threading.Thread(target=lookups)
        thread.start()
        while time.monotonic() < end:
            agent.kill()
            # An agent that knew no name yet would be asked, too: each lookup would then be the resolver's.
            with Agent(agent.path, first=[f"entry {NONE} names steady writer 4 10.1.2.3 - 60000 0"]):
                time.sleep(0.4)
        thread.join()
        equal(failed, [])


@per_libc
def a_retired_view_is_left_within_a_moment(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        equal(probe.address("db"), "10.1.2.3")
        agent.do("retire")
        agent.do("view")
        agent.entry("db", "10.1.2.4")
        follows(probe, "db", "10.1.2.4")
        equal(agent.attached(), 2)


@per_libc
def a_name_that_the_new_agent_does_not_know_yet_keeps_its_old_answer(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry(NONE, "10.1.2.3", max_stale=60000)
        agent.entry(DNS, "10.1.2.3", max_stale=60000)
        equal(probe.address(NONE), "10.1.2.3")
        for _ in range(3):  # three more agents, none of which comes to a verdict
            agent.do("retire")
            attached = agent.attached()
            agent.do("view")
            agent.entry(NONE, state="unknown")
            agent.entry("late", "10.1.2.9")
            eventually(lambda: probe.address("late") and agent.attached() > attached, "attached again")
            equal(probe.address(NONE), "10.1.2.3")
        agent.entry(NONE, "10.1.2.4")  # now there is one
        equal(probe.address(NONE), "10.1.2.4")
        assert probe.address(DNS) != "10.1.2.3", "a name that left the configuration is unmanaged"


@per_libc
def an_old_answer_that_is_stale_is_kept_for_nobody(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.entry(NONE, "10.1.2.3", max_stale=5000)
        equal(probe.address(NONE), "10.1.2.3")
        agent.do("retire")
        agent.do("view")
        agent.entry(NONE, state="unknown")
        eventually(lambda: probe.gai(NONE) == plain.gai(NONE), "nothing but the real resolver's answer")


@per_libc
def the_new_agents_mode_holds_for_an_old_answer(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.entry(DNS, "10.1.2.3")
        equal(probe.address(DNS), "10.1.2.3")
        agent.do("retire")
        agent.do("view")
        agent.entry(DNS, state="unknown", mode="off")
        eventually(lambda: probe.gai(DNS) == plain.gai(DNS), "the kill switch")


@per_libc
def views_that_were_left_give_their_memory_back(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        for i in range(1, 8):
            agent.entry("db", f"10.1.2.{i}")
            follows(probe, "db", f"10.1.2.{i}")
            agent.do("retire")
            agent.do("view")
        kept = int(probe.ask("maps").partition("=")[2])
        assert kept <= 4, f"{kept} views are mapped after 7 agents"


@per_libc
def a_beat_from_the_future_is_no_beat(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        equal(probe.address("db"), "10.1.2.3")
        agent.do("beat -3600000")
        equal(probe.address("db"), "10.1.2.3")
        eventually(lambda: probe.address("db") and agent.attached() > 2, "it asks for another view")


main()
