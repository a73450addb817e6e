#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two members that claim, and another data set: nothing is guessed, and there is a way out (I4)."""
import os
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import Agent, cluster_text, pair  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402

pg = pair()
pg.init("other")
A, B, OTHER = pg.member("a"), pg.member("b"), pg.member("other")
# A server that this machine does not run for a second is silent by default, and then its successor is the writer.
PATIENT = "    timeout: 5s\n"
agent = Agent(cluster_text("orders", [A, B], also=PATIENT))


def alarm(cluster, kind):
    return next((a for a in agent.cluster(cluster)["alarms"] if a["alarm"] == kind), None)


@test
def a_promotion_beside_a_living_writer_moves_nothing_and_raises_an_alarm():
    agent.start()
    agent.wait_writer("orders", A)
    pg.promote("b")
    agent.wait_state("orders", "ambiguous")
    equal(agent.cluster("orders")["writer"], A)
    equal(agent.resolve("orders-db"), [pg.address("a")])
    equal(agent.ctl("status").returncode, 1)
    raised = agent.log("alarm_raised")[-1]
    equal(raised["alarm"], "ambiguous")
    equal(raised["command"], "homingctl accept orders " + B)


@test
def it_stays_ambiguous_across_a_restart_of_the_agent():
    agent.kill()
    agent.start()
    agent.wait_state("orders", "ambiguous")
    equal(agent.cluster("orders")["writer"], A)
    equal(agent.log("writer_changed")[1:], [])


@test
def it_moves_when_the_old_writer_stops_claiming():
    pg.stop("a")
    agent.wait_writer("orders", B)
    equal(agent.resolve("orders-db"), [pg.address("b")])
    equal(alarm("orders", "ambiguous"), None)
    equal(agent.log("alarm_cleared")[-1]["alarm"], "ambiguous")


@test
def an_old_writer_that_comes_back_as_one_is_not_followed_but_called_out():
    pg.start("a")
    eventually(lambda: alarm("orders", "second_writer"), "an alarm")
    assert A in alarm("orders", "second_writer")["text"], alarm("orders", "second_writer")
    agent.wait_writer("orders", B)
    equal(agent.resolve("orders-db"), [pg.address("b")])
    equal(agent.ctl("status").returncode, 1)
    pg.stop("a")
    eventually(lambda: not alarm("orders", "second_writer"), "the alarm is cleared")
    equal(agent.cluster("orders")["alarms"], [])


@test
def accept_refuses_a_member_that_does_not_claim():
    done = agent.ctl("accept", "orders", A)
    equal(done.returncode, 1)
    assert "W1" in done.stderr, done.stderr
    equal(agent.ctl("accept", "orders", "nobody:1").returncode, 1)
    equal(agent.ctl("accept", "nowhere", A).returncode, 1)


@test
def the_command_that_the_alarm_prints_resolves_it():
    pg.rejoin("a", "b")
    pg.promote("a")
    agent.wait_state("orders", "ambiguous")
    command = shlex.split(alarm("orders", "ambiguous")["command"])
    equal(command, ["homingctl", "accept", "orders", A])
    agent.ok(*command[1:])
    equal(agent.cluster("orders")["writer"], A)
    equal(agent.resolve("orders-db"), [pg.address("a")])
    agent.kill()
    agent.start()
    agent.wait_writer("orders", A)


@test
def another_data_set_is_never_adopted_silently():
    agent.write(cluster_text("orders", [A, OTHER], also=PATIENT))
    agent.ok("reload")
    agent.wait_state("orders", "ambiguous")
    equal(agent.cluster("orders")["writer"], A)
    assert "W4" in agent.cluster("orders")["reason_text"], agent.cluster("orders")
    pg.stop("a")
    eventually(lambda: not agent.member("orders", A)["connected"], "a is gone")
    equal(agent.cluster("orders")["writer"], A)
    agent.ok("accept", "orders", OTHER)
    equal(agent.resolve("orders-db"), [pg.address("other")])


@test
def several_claims_at_a_first_start_are_not_chosen_between():
    pg.start("a")
    agent.write(cluster_text("fresh", [A, B]))
    agent.ok("reload")
    eventually(lambda: alarm("fresh", "ambiguous"), "an alarm")
    equal(agent.cluster("fresh")["state"], "unknown")
    equal(agent.cluster("fresh")["writer"], None)
    equal(agent.resolve("fresh-db"), None)


main()
