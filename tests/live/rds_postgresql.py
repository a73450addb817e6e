#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine rds-postgresql, from one seed and one pattern to the program on the new writer. Plain PostgreSQL servers
stand in for a Multi-AZ DB cluster, with functions of the names of rds_tools (tests/support/rds_tools.sql)."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import PLAIN, SRC, Agent, Holder, Servers, cluster_text, own_hosts, own_namespaces  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
pg = Servers()
pg.init("a")
with open(os.path.join(SRC, "tests/support/rds_tools.sql"), encoding="ascii") as text:
    SCHEMA = pg.file("rds_tools.sql", text.read())
pg.own("rds_tools.sql")
pg.psql("a", "-f", SCHEMA)
PORT = pg.port()
NAMES = {"a": "one.rds.invalid", "b": "two.rds.invalid", "c": "three.rds.invalid"}
SEED, NAME, READERS = "orders.cluster.invalid", "orders-db.invalid", "orders-ro.invalid"
pg.clone("b", "a")
pg.clone("c", "a")
ROWS = ", ".join(f"('db-{pg.address(name).split('.')[3]}', '{host}', {PORT}, {'true' if name == 'a' else 'false'})"
                 for name, host in NAMES.items())
pg.sql("a", "INSERT INTO rds_tools.servers VALUES " + ROWS)
pg.init("plain")
own_hosts({SEED: pg.address("b"), **{host: pg.address(name) for name, host in NAMES.items()}})

CLUSTERS = f"""
  - name: orders
    engine: rds-postgresql
    seeds: ["{SEED}:{PORT}"]
    host_patterns: ["?.rds.invalid"]
    connection: "{PLAIN}"
    endpoints: [{{names: [{NAME}], role: writer}}, {{names: [{READERS}], role: reader}}]
    mode: sever
    max_switches: 0
"""
agent = Agent(CLUSTERS + cluster_text("plain", [pg.member("plain")], engine="rds-postgresql"))


def member(name):
    return f"{NAMES[name]}:{PORT}"


def said(name):
    return agent.member("orders", member(name))


def wait_reader(name):
    eventually(lambda: said(name)["role"] == "reader" and said(name)["reader"], f"{name} serves readers: {said(name)}")


def fails(text):
    eventually(lambda: text in (said("a")["error"] or ""), f"a says {text}")


@test
def one_seed_and_one_pattern_bring_all_servers():
    agent.start()
    agent.wait_writer("orders", member("a"))
    wait_reader("b")
    wait_reader("c")
    equal(sorted(m["member"] for m in agent.cluster("orders")["members"]), sorted(map(member, "abc")))
    equal(sorted(agent.resolve(READERS)), sorted([pg.address("b"), pg.address("c")]))


@test
def without_the_extension_the_line_that_mends_it_is_said():
    row = eventually(lambda: agent.cluster("plain")["members"][0]["error"], "it says what is wrong")
    assert "CREATE EXTENSION rds_tools" in row, row


@test
def a_topology_without_rows_or_of_other_servers_is_a_failure():
    pg.sql("a", "BEGIN; CREATE TABLE kept AS TABLE rds_tools.servers; DELETE FROM rds_tools.servers; COMMIT")
    fails("returns no row")
    pg.sql("a", f"INSERT INTO rds_tools.servers VALUES ('db-green', 'green.rds.invalid', {PORT}, true)")
    fails("does not name this server")
    assert "green.rds.invalid:" + PORT not in [m["member"] for m in agent.cluster("orders")["members"]]
    equal(agent.resolve(NAME), [pg.address("a")])
    pg.sql("a", "BEGIN; DELETE FROM rds_tools.servers; INSERT INTO rds_tools.servers TABLE kept; COMMIT")
    agent.wait_writer("orders", member("a"))
    wait_reader("b")
    wait_reader("c")


@test
def a_program_leaves_a_frozen_writer_for_the_one_that_was_promoted():
    global holder
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    holder = Holder(NAME, PORT, agent)
    eventually(lambda: agent.json("connections")["connections"], "its connection is known")
    equal(holder.first, pg.address("a"))
    pg.freeze("a")
    pg.promote("b")
    agent.wait_writer("orders", member("b"))
    assert holder.ask().startswith("anew " + pg.address("b"))


@test
def an_old_writer_that_wakes_up_is_not_followed():
    pg.thaw("a")
    eventually(lambda: said("a")["demoted"] and said("a")["role"] == "writer", "a claims again")
    equal(agent.cluster("orders")["writer"], member("b"))
    equal(agent.resolve(NAME), [pg.address("b")])
    equal(holder.ask(), pg.address("b"))


main()
