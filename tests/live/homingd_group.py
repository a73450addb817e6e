#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine mysql with a real group of three MySQL servers and a single primary, each in a network namespace: primaries that
are exchanged, killed, frozen and cut off from the others, though not from the agent; and a group that has lost its majority."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import Agent, cluster_text  # noqa: E402
from moving import hosts  # noqa: E402
from tap import equal, eventually, give_up, main, say, test  # noqa: E402

net = hosts()
from mariadb import PASSWORD, Holder  # noqa: E402
from mysql import EVERY, FAILOVER, Group  # noqa: E402

if not shutil.which("nft"):
    give_up("nftables is not installed")
NAME, READERS = "orders-db.invalid", "orders-ro.invalid"
db = Group(net)
agent = Agent(cluster_text("orders", [db.member(name) for name in db.names], NAME, READERS, "user=homing tls=require",
                           f"    password_file: {db.file('pw', PASSWORD)}\n    max_switches: 0\n", engine="mysql"))


def member(name):
    return agent.member("orders", db.member(name))


def others(name):
    return [other for other in db.names if other != name]


def switches():
    return len([e for e in agent.json("history") if e["event"] == "writer_changed"])


def steady(name):
    """Also by the group's own view."""
    eventually(lambda: (agent.cluster("orders")["writer"], agent.cluster("orders")["state"]) == (db.member(name), "steady"),
               name + " is the writer", FAILOVER, EVERY)
    equal((agent.cluster("orders")["term"], agent.resolve(NAME)), (db.view(name), [db.address(name)]))


def whole(name):
    """All are members again, and `name` is the writer."""
    for other in db.names:
        eventually(lambda other=other: db.members(other) == {
            one: ("ONLINE", "PRIMARY" if one == name else "SECONDARY") for one in db.names}, other + " sees all", FAILOVER, EVERY)
    eventually(lambda: sorted(agent.resolve(READERS) or ()) == [db.address(other) for other in others(name)],
               "the others serve readers", FAILOVER, EVERY)
    steady(name)


def left(name):
    """The program has left the writer of before: it is at `name`."""
    equal(holder.ask().split()[:2], ["anew", db.address(name)])
    equal(holder.say("write"), db.address(name))


@test
def the_primary_and_its_secondaries_are_found():
    global holder
    db.init("a")
    db.join("b")
    db.join("c")
    say("MySQL " + db.sql("a", "SELECT @@version"))
    agent.start()
    whole("a")
    eventually(lambda: agent.ctl("status").returncode == 0, "all is well")
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    holder = Holder(NAME, db, agent, db.root + "/new/ca.pem")
    equal((holder.first, holder.say("write")), 2 * (db.address("a"),))
    eventually(lambda: len(agent.json("connections")["connections"]) == 1, "its connection is known")


@test
def W3a_a_primary_that_is_appointed_takes_over_in_the_same_view():
    view = db.view("a")
    db.appoint("b")
    steady("b")
    equal(agent.cluster("orders")["term"], view)
    left("b")


@test
def a_primary_that_is_killed_is_succeeded_in_a_newer_view():
    global primary
    db.kill("b")
    primary = db.wait_primary("b", by="a")
    steady(primary)
    left(primary)
    db.rejoin("b")
    whole(primary)


@test
def a_primary_that_is_frozen_is_succeeded_and_not_followed_when_it_wakes_up():
    global primary
    old, before = primary, switches()
    db.freeze(old)
    primary = db.wait_primary(old, by=others(old)[0])
    steady(primary)
    left(primary)
    db.thaw(old)
    whole(primary)  # it comes back by itself
    equal(switches(), before + 1)


@test
def W6_a_primary_that_was_cut_off_is_no_writer_neither_there_nor_when_it_is_back_with_its_old_view():
    global primary
    old, view, before = primary, db.view(primary), switches()
    db.cut(old)
    eventually(lambda: "majority" in (member(old).get("note") or ""), "it is with the few", FAILOVER, EVERY)
    equal((member(old)["role"], db.primary(old)), ("reader", old))
    primary = db.wait_primary(old, by=others(old)[0])
    steady(primary)
    left(primary)
    db.heal(old)
    claims = set()

    def is_back():
        claims.add((member(old)["role"], member(old)["term"]))
        equal(agent.cluster("orders")["writer"], db.member(primary))
        return db.members(old) == db.members(primary)
    eventually(is_back, "it is in the view of the others", FAILOVER, EVERY)
    say(f"it claimed the old view: {('writer', view) in claims}")
    whole(primary)
    equal(switches(), before + 1)


@test
def without_a_majority_there_is_no_writer_and_with_it_the_same_one():
    for other in others(primary):
        db.freeze(other)
    eventually(lambda: agent.cluster("orders")["state"] == "no_writer", "there is no writer", FAILOVER, EVERY)
    equal((member(primary)["role"], db.primary(primary)), ("reader", primary))
    for other in others(primary):
        db.thaw(other)
    whole(primary)
    equal(holder.say("write"), db.address(primary))
    holder.end()


main()
