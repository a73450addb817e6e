#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine rds-postgresql, from one seed and one pattern to the program on the new writer. Plain PostgreSQL servers
stand in for a Multi-AZ DB cluster, with functions of the names of rds_tools (tests/support/rds_tools.sql)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import own_namespaces  # noqa: E402
from managed import NAME, READERS, Managed  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
HOSTS = {"a": "one.rds.invalid", "b": "two.rds.invalid", "c": "three.rds.invalid"}
pg = Managed("rds-postgresql", "rds_tools.sql", HOSTS, ['"?.rds.invalid"'])
pg.sql("a", "INSERT INTO rds_tools.servers VALUES " + ", ".join(
    f"('db-{number}', '{host}', {pg.port()}, {number == 1})" for number, host in enumerate(HOSTS.values(), 1)))
agent = pg.agent


@test
def one_seed_and_one_pattern_bring_all_servers():
    agent.start()
    pg.steady("a")
    pg.readers("b", "c")
    equal(pg.members(), set(map(pg.member, "abc")))
    equal(sorted(agent.resolve(READERS)), sorted([pg.address("b"), pg.address("c")]))


@test
def without_the_extension_the_line_that_mends_it_is_said():
    pg.plain_says("CREATE EXTENSION rds_tools")


@test
def a_topology_without_rows_or_of_other_servers_is_a_failure():
    pg.sql("a", "BEGIN; CREATE TABLE kept AS TABLE rds_tools.servers; DELETE FROM rds_tools.servers; COMMIT")
    pg.fails("a", "returns no row")
    pg.sql("a", f"INSERT INTO rds_tools.servers VALUES ('db-green', 'green.rds.invalid', {pg.port()}, true)")
    pg.fails("a", "does not name this server")
    assert "green.rds.invalid:" + pg.port() not in pg.members(), pg.members()
    equal(agent.resolve(NAME), [pg.address("a")])
    pg.sql("a", "BEGIN; DELETE FROM rds_tools.servers; INSERT INTO rds_tools.servers TABLE kept; COMMIT")
    pg.steady("a")
    pg.readers("b", "c")


@test
def a_program_leaves_a_frozen_writer_for_the_one_that_was_promoted():
    pg.hold("a")
    pg.freeze("a")
    pg.promote("b")
    pg.steady("b")
    pg.reaches("b")


@test
def an_old_writer_that_wakes_up_is_not_followed():
    pg.thaw("a")
    eventually(lambda: pg.said("a")["demoted"] and pg.said("a")["role"] == "writer", "a claims again")
    pg.stays("b", "steady")
    pg.remains("b")


main()
