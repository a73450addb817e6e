#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine rds-mysql with MariaDB servers that have a table mysql.rds_topology: a stand-in for a Multi-AZ DB cluster of RDS,
which no real one has confirmed. One seed and allowed_networks are configured."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import Agent, directory, own_hosts, own_namespaces  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
from mariadb import PASSWORD, MariaDB  # noqa: E402

NAME, READERS, DOMAIN = "orders-db.invalid", "orders-ro.invalid", "abc.test"
db = MariaDB()
db.init("a")
db.clone("b", "a")
own_hosts({f"{name}.{DOMAIN}": db.address(name) for name in "ab"})
PASSWORD_FILE = db.file("pw", PASSWORD + "\n")


def cluster(also=f'    host_patterns: ["?.{DOMAIN}"]\n'):
    return f"""
  - name: orders
    engine: rds-mysql
    seeds: ["b.{DOMAIN}:{db.port}"]
{also}    connection: "user=homing tls=off"
    password_file: {PASSWORD_FILE}
    max_switches: 0
    endpoints: [{{names: [{NAME}], role: writer}}, {{names: [{READERS}], role: reader}}]
"""


agent = Agent(cluster(), base=directory())


def member(name):
    return agent.member("orders", f"{name}.{DOMAIN}:{db.port}")


def steady(name, term):
    agent.wait_writer("orders", f"{name}.{DOMAIN}:{db.port}")
    equal((agent.cluster("orders")["term"], agent.resolve(NAME)), (term, [db.address(name)]))


def settled(name):
    eventually(lambda: member(name)["heir"] and member(name)["reader"], name + " follows")


def seed_error(words):
    return eventually(lambda: words in agent.ctl("status").stdout, words)


@test
def a_server_without_the_table_is_told_which_engine_it_needs():
    agent.start()
    db.sql("a", "GRANT SELECT ON mysql.* TO homing")
    db.catch_up("b", "a")
    seed_error("write engine: mysql")


@test
def a_missing_privilege_is_named_with_its_grant():
    rows = ", ".join(f"({db.numbers[name]}, '{name}.{DOMAIN}', {db.port})" for name in "ab")
    db.sql("a", f"""REVOKE SELECT ON mysql.* FROM homing;
CREATE TABLE mysql.rds_topology (id INT, endpoint VARCHAR(255), port INT); INSERT INTO mysql.rds_topology VALUES {rows}""")
    db.catch_up("b", "a")
    seed_error("GRANT SELECT ON mysql.rds_topology TO 'homing'@'%'")
    db.sql("a", "GRANT SELECT ON mysql.rds_topology TO homing")
    db.catch_up("b", "a")


@test
def one_seed_brings_the_writer_and_its_reader():
    steady("a", "1")
    settled("b")
    equal(agent.resolve(READERS), [db.address("b")])


@test
def W12_the_reader_that_was_seen_to_follow_takes_over_when_the_writer_dies():
    db.kill("a")
    eventually(lambda: agent.cluster("orders")["state"] != "steady", "nobody claims")
    db.promote("b")
    steady("b", "2")


@test
def the_old_one_is_built_anew_and_takes_over_in_place():
    db.sql("b", f"UPDATE mysql.rds_topology SET id = {db.born + 1} WHERE endpoint = 'a.{DOMAIN}'")
    db.clone("a", "b")
    settled("a")
    db.switch("b", "a")
    steady("a", "3")


@test
def a_table_that_does_not_name_its_server_names_no_members():
    db.sql("a", "UPDATE mysql.rds_topology SET id = id + 100, endpoint = CONCAT('green-', endpoint)")
    eventually(lambda: "does not name this server" in (member("a").get("error") or ""), "it is told")
    equal({m["member"] for m in agent.cluster("orders")["members"]}, {f"{name}.{DOMAIN}:{db.port}" for name in "ab"})
    equal(agent.resolve(NAME), [db.address("a")])


main()
