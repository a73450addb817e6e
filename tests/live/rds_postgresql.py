#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine rds-postgresql, from one seed and one pattern to the program on the new writer. Plain PostgreSQL servers
stand in for a Multi-AZ DB cluster, with functions of the names of rds_tools (tests/support/rds_tools.sql)."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import PLAIN, own_namespaces  # noqa: E402
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


def told_to_run(pattern, *spoil):
    """Whoever runs what the doctor prints, as it is printed, until there is nothing more to run."""
    run, secret = [], pg.file("pw", "homing-test\n")
    for statement in spoil:
        pg.sql("a", statement)
    for _ in range(4):
        written = pg.sql("a", "SELECT pg_current_wal_lsn()")
        for name in "bc":
            eventually(lambda n=name: pg.sql(n, f"SELECT pg_last_wal_replay_lsn() >= '{written}'") == "t", f"{name} is as far")
        text, _ = pg.doctor(PLAIN, f'user=homing dbname=postgres sslmode=disable"\n    password_file: "{secret}')
        found = re.search(r"; as an administrator, on the writer:\n +-> (GRANT .*;)\n", text)
        if not found:
            assert re.search(pattern, text), text
            return run
        run.append(found[1])
        pg.sql("a", found[1])
    return run


@test
def the_grants_that_are_missing_are_printed_as_they_have_to_be_run():
    schema, functions = "SCHEMA rds_tools", "ALL FUNCTIONS IN SCHEMA rds_tools"
    equal(told_to_run("one claims to be the writer", f"REVOKE USAGE ON {schema} FROM homing", f"REVOKE EXECUTE ON {functions} FROM PUBLIC",
                      "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC"),
          [f'GRANT USAGE ON {schema} TO "homing";', f'GRANT EXECUTE ON {functions} TO "homing";',
           'GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO "homing";'])


@test
def what_is_denied_within_a_function_is_named_and_no_grant_that_is_there_already():
    equal(told_to_run("login works, but permission denied for table servers, inside a function that homing's role may execute",
                      "REVOKE SELECT ON rds_tools.servers FROM homing"), [])
    pg.sql("a", "GRANT SELECT ON rds_tools.servers TO homing")


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
