#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two agents of one node and one state directory, as during a rollout: what an operator told one of them is news to the
other, which takes it over instead of writing it over (W2)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import Agent, Servers, cluster_text  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402

pg = Servers()
pg.init("a")
pg.init("other")
A, OTHER = pg.member("a"), pg.member("other")

# Verdicts are saved every quarter of max_stale.
CLUSTER = cluster_text("orders", [A, OTHER], also="    max_stale: 5s\n")

told, other = Agent(CLUSTER), Agent(CLUSTER)
os.mkdir(told.base + "/state", 0o700)
os.symlink(told.base + "/state", other.base + "/state")


def mode(agent):
    return agent.cluster("orders")["mode"]


@test
def both_find_the_writer():
    pg.stop("other")
    for agent in (told, other):
        agent.start()
        agent.wait_writer("orders", A)


@test
def a_mode_that_one_was_told_is_in_force_in_the_other():
    told.ok("mode", "orders", "observe")
    eventually(lambda: mode(other) == "observe", "the other has heard of it")
    equal(mode(told), "observe")
    told.ok("mode", "orders", "default")
    eventually(lambda: mode(other) is None, "the other has heard of it")
    assert other.log("state_merged"), other.text()


@test
def another_data_set_that_one_was_told_to_accept_is_accepted_by_the_other():
    pg.start("other")
    for agent in (told, other):
        agent.wait_state("orders", "ambiguous")
        equal(agent.cluster("orders")["writer"], A)
    told.ok("accept", "orders", OTHER)
    eventually(lambda: other.cluster("orders")["writer"] == OTHER, "the other has heard of it")
    equal(told.cluster("orders")["writer"], OTHER)
    equal(other.resolve("orders-db"), [pg.address("other")])


@test
def what_was_taken_over_outlives_both():
    pg.stop("a")
    for agent in (told, other):
        agent.kill()
    for agent in (other, told):
        agent.start()
        agent.wait_writer("orders", OTHER)


main()
