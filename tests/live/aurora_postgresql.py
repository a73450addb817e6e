#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine aurora-postgresql, from one seed and one pattern to the program on the new writer. Plain PostgreSQL servers
stand in for an Aurora cluster, with functions of the same names (tests/support/aurora.sql); nobody shuts an old writer
out but the test itself."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import BUILD, PLAIN, SRC, Agent, Holder, Servers, cluster_text, own_hosts, own_namespaces  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
pg = Servers()
pg.init("a")
with open(os.path.join(SRC, "tests/support/aurora.sql"), encoding="ascii") as text:
    SCHEMA = pg.file("aurora.sql", text.read())
pg.own("aurora.sql")
pg.psql("a", "-f", SCHEMA)
pg.sql("a", "INSERT INTO aurora_instances VALUES ('inst-1', true), ('inst-2', false), ('inst-3', false)")
pg.clone("b", "a")
pg.clone("c", "a")
pg.init("plain")
PORT = pg.port()
NAMES = {"a": "inst-1.rds.invalid", "b": "inst-2.rds.invalid", "c": "inst-3.rds.invalid"}
SEED, NAME, READERS = "orders.cluster.invalid", "orders-db.invalid", "orders-ro.invalid"
own_hosts({SEED: pg.address("b"), **{host: pg.address(name) for name, host in NAMES.items()},
           **{f"inst-{n}.astray.invalid": pg.address("a") for n in (1, 2, 3)}})

CLUSTERS = f"""
  - name: orders
    engine: aurora-postgresql
    seeds: ["{SEED}:{PORT}"]
    host_patterns: ["?.rds.invalid"]
    connection: "{PLAIN}"
    endpoints: [{{names: [{NAME}], role: writer}}, {{names: [{READERS}], role: reader}}]
    mode: sever
    max_switches: 0
"""
agent = Agent(CLUSTERS + cluster_text("plain", [pg.member("plain")], engine="aurora-postgresql"))


def member(name):
    return f"{NAMES[name]}:{PORT}"


def said(name):
    return agent.member("orders", member(name))


def members():
    return [m["member"] for m in agent.cluster("orders")["members"]]


def wait_reader(name):
    eventually(lambda: said(name)["role"] == "reader" and said(name)["reader"], f"{name} serves readers: {said(name)}")


def writes(name):
    """As Aurora's own status says it after a failover."""
    pg.sql(name, "UPDATE aurora_instances SET writes = server_id = pg_catalog.aurora_db_instance_identifier()")


def last_switch():
    return [e["switch"] for e in agent.json("history") if e["switch"]][-1]


def doctor(pattern="?.rds.invalid"):
    """What it prints, and its exit status."""
    config = Agent(CLUSTERS.replace("?.rds.invalid", pattern)).config
    done = subprocess.run([os.path.join(BUILD, "homingd"), "--doctor", config], capture_output=True, text=True, check=False)
    return done.stdout, done.returncode


@test
def the_doctor_visits_the_servers_that_the_seed_names():
    text, code = doctor()
    for name, role in ("a", "writer"), ("b", "reader"), ("c", "reader"):
        assert re.search(rf"ok +named {member(name)} at {pg.address(name)}: login works .*, {role}, ", text), text
    assert f"one claims to be the writer: named {member('a')}" in text, text
    equal((text.splitlines()[-1], code), ("0 problems, 0 remarks", 0))


@test
def the_doctor_finds_a_pattern_that_leads_nowhere_or_to_one_server():
    text, code = doctor("?.rds-2.invalid")
    for name in "abc":
        assert re.search(rf"PROBLEM +named {NAMES[name].replace('.rds', '.rds-2')}:{PORT}: ", text), text
    assert "the pattern '?.rds-2.invalid' leads nowhere: DNS knows none of the hosts" in text, text
    assert "correct '?.rds-2.invalid' in host_patterns" in text, text
    equal(code, 1)
    text, code = doctor("?.astray.invalid")
    assert f"named inst-1.astray.invalid:{PORT} and named inst-2.astray.invalid:{PORT} are one server" in text, text
    equal(code, 1)


@test
def one_seed_and_one_pattern_bring_all_instances():
    agent.start()
    agent.wait_writer("orders", member("a"))
    wait_reader("b")
    wait_reader("c")
    cluster = agent.cluster("orders")
    equal(sorted(m["member"] for m in cluster["members"]), sorted(map(member, "abc")))
    equal(cluster["term"], "of the volume")
    equal(sorted(agent.resolve(READERS)), sorted([pg.address("b"), pg.address("c")]))


@test
def a_plain_postgresql_is_told_what_to_write_instead():
    row = eventually(lambda: agent.cluster("plain")["members"][0]["error"], "it says what is wrong")
    assert "write engine: postgresql" in row, row


@test
def a_program_leaves_a_frozen_writer_for_the_one_that_took_over():
    global holder
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    holder = Holder(NAME, PORT, agent)
    eventually(lambda: agent.json("connections")["connections"], "its connection is known")
    equal(holder.first, pg.address("a"))
    pg.freeze("a")
    pg.promote("b")
    agent.wait_writer("orders", member("b"))
    assert holder.ask().startswith("anew " + pg.address("b"))
    equal((last_switch()["from"], last_switch()["to"]), (member("a"), member("b")))
    assert last_switch()["loss"].startswith("none: "), last_switch()
    equal(said("a")["demoted"], True)


@test
def an_old_writer_that_still_claims_is_called_out_and_not_followed():
    pg.thaw("a")
    agent.wait_state("orders", "ambiguous")
    equal(agent.cluster("orders")["writer"], member("b"))
    equal(agent.resolve(NAME), [pg.address("b")])
    equal(holder.ask(), pg.address("b"))
    writes("b")
    pg.rejoin("a", "b")
    pg.rejoin("c", "b")
    agent.wait_writer("orders", member("b"))
    wait_reader("a")
    wait_reader("c")


@test
def the_first_writer_follows_the_second_as_that_followed_it():
    pg.kill("b")
    pg.promote("a")
    agent.wait_writer("orders", member("a"))
    assert holder.ask().startswith("anew " + pg.address("a"))
    equal(said("a")["demoted"], False)
    writes("a")
    pg.rejoin("b", "a")
    pg.rejoin("c", "a")
    wait_reader("b")
    wait_reader("c")


@test
def rows_of_another_time_are_no_members_and_no_writer():
    pg.sql("a", "INSERT INTO aurora_instances VALUES ('inst-9', true, '9 hours'), ('inst-8', false, '0')")
    eventually(lambda: "inst-8.rds.invalid:" + PORT in members(), "the row of now makes a member")
    assert "inst-9.rds.invalid:" + PORT not in members(), members()
    equal(agent.cluster("orders")["writer"], member("a"))
    pg.sql("a", "DELETE FROM aurora_instances WHERE server_id IN ('inst-8', 'inst-9')")


@test
def an_empty_answer_is_a_failure_and_no_empty_cluster():
    pg.sql("a", "BEGIN; CREATE TABLE kept AS TABLE aurora_instances; DELETE FROM aurora_instances; COMMIT")
    eventually(lambda: "returns no row" in (said("a")["error"] or ""), "the writer's answer is a failure")
    equal(agent.cluster("orders")["writer"], member("a"))
    assert set(map(member, "abc")) <= set(members()), members()
    equal(agent.resolve(NAME), [pg.address("a")])
    pg.sql("a", "INSERT INTO aurora_instances TABLE kept")
    agent.wait_writer("orders", member("a"))
    wait_reader("b")


@test
def members_that_let_nobody_in_yet_move_nothing_and_are_asked_on():
    pg.stop("c")
    pg.stop("b")
    pg.kill("a")
    pg.start_hidden("b")
    pg.start_hidden("c")
    eventually(lambda: all("not accepting connections" in (said(name)["error"] or "") for name in "bc"),
               "both say that they let nobody in yet")
    equal((agent.cluster("orders")["writer"], agent.resolve(NAME)), (member("a"), [pg.address("a")]))
    pg.stop("b")
    pg.start("b")
    pg.promote("b")
    agent.wait_writer("orders", member("b"))
    assert holder.ask().startswith("anew " + pg.address("b"))
    writes("b")


@test
def a_member_that_refuses_the_login_leaves_the_others_alone():
    pg.rejoin("a", "b")
    wait_reader("a")
    pg.stop("c", "immediate")
    pg.file("c/pg_hba.conf", "host replication all samenet trust\n")
    pg.own("c/pg_hba.conf")
    pg.start("c")
    eventually(lambda: "no pg_hba.conf entry" in (said("c")["error"] or ""), "c refuses the login: " + str(said("c")))
    pg.kill("b")
    pg.promote("a")
    agent.wait_writer("orders", member("a"))
    assert holder.ask().startswith("anew " + pg.address("a"))


main()
