#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent plays the files of tests/scenarios with stand-ins for servers of Aurora MySQL
(tests/support/aurora_mysql.py). aurora_postgresql.py plays one of them with real servers of PostgreSQL."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import Agent, own_namespaces  # noqa: E402
from tap import equal, eventually, main, test_each  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
import scenario  # noqa: E402
from aurora import Aurora  # noqa: E402

NAME = "orders-db.invalid"
db = Aurora("a", "b", "c")
agent = Agent(db.cluster((NAME, "writer")))


class Stage:
    def __init__(self):
        self.aware = set(db.names)

    def writes(self, name):
        db.fail_over(name)
        self.learns(name)

    def claims_on(self, name):
        """What its own file says is for it alone."""
        db.say(*db.rows(name), "open " + name, of=name)
        self.aware.discard(name)

    def learns(self, name):
        if name not in self.aware:
            db.forget(name)
        self.aware.add(name)

    def falls_silent(self, name):
        db.freeze(name)

    def answers_again(self, name):
        db.thaw(name)

    def ends(self, name):
        db.kill(name)

    lets_nobody_in = ends  # what MySQL does: it listens once it lets somebody in

    def starts(self, name):
        self.learns(name)
        if name == db.writer:
            db.say(*db.rows(None))  # nobody is the writer until the next one is
        db.start(name)
        # A server's own start is known to the second: two within one would be one.
        eventually(lambda: self.said(name)["connected"] and self.said(name)["role"] == "reader", f"{name} is heard to be a reader")

    @staticmethod
    def said(name):
        return agent.member("orders", db.member(name))

    def names(self, name):
        db.lead_seed(name)

    def is_followed(self, name):
        agent.wait_writer("orders", db.member(name))
        equal(agent.resolve(NAME), [db.address(name)])

    def stays(self, name, state):
        def so():
            now = agent.cluster("orders")
            return now["state"] == (state or now["state"]) and now["writer"] == db.member(name)
        equal(agent.cluster("orders")["writer"], db.member(name))
        eventually(so, f"{name} is the writer, {state}")
        equal(agent.resolve(NAME), [db.address(name)])


def all_well():
    """As each file begins: all run, and a is the writer."""
    stage = Stage()
    for name in db.names:
        if os.path.exists(f"{db.file}.{name}"):
            db.forget(name)
        if name in db.processes:
            db.kill(name)
    stage.names("a")
    db.fail_over("a")
    for name in db.names:
        db.start(name)
    stage.is_followed("a")
    eventually(lambda: all(stage.said(name)["connected"] for name in db.names), "all are heard")
    return stage


@test_each(scenario.names())
def it_is_played_with_stand_ins_for_aurora_mysql(name):
    if not agent.process:
        agent.start()
    scenario.play(name, all_well())


main()
