#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine aurora-postgresql, from one seed and one pattern to the program on the new writer. Plain PostgreSQL servers
stand in for an Aurora cluster, with functions of the same names (tests/support/aurora.sql); nobody shuts an old writer
out but the test itself."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import scenario  # noqa: E402
from homing import own_namespaces  # noqa: E402
from managed import NAME, READERS, Managed  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
pg = Managed("aurora-postgresql", "aurora.sql",
             {name: f"inst-{number}.rds.invalid" for number, name in enumerate("abc", 1)}, ['"?.rds.invalid"'],
             {f"inst-{number}.astray.invalid": "a" for number in (1, 2, 3)})
pg.sql("a", "INSERT INTO aurora_instances VALUES ('inst-1', true), ('inst-2', false), ('inst-3', false)")
agent = pg.agent


def writes(name):
    """As Aurora's own status says it after a failover."""
    pg.sql(name, "UPDATE aurora_instances SET writes = server_id = pg_catalog.aurora_db_instance_identifier()")


@test
def the_doctor_visits_the_servers_that_the_seed_names():
    text, code = pg.doctor()
    for name, role in ("a", "writer"), ("b", "reader"), ("c", "reader"):
        assert re.search(rf"ok +named {pg.member(name)} at {pg.address(name)}: login works .*, {role}, ", text), text
    assert f"one claims to be the writer: named {pg.member('a')}" in text, text
    equal((text.splitlines()[-1], code), ("0 problems, 0 remarks", 0))


@test
def the_doctor_finds_a_pattern_that_leads_nowhere_or_to_one_server():
    text, code = pg.doctor("?.rds.invalid", "?.rds-2.invalid")
    for name in "abc":
        assert re.search(rf"PROBLEM +named {pg.member(name).replace('.rds', '.rds-2')}: ", text), text
    assert "the pattern '?.rds-2.invalid' leads nowhere: DNS knows none of the hosts" in text, text
    assert "correct '?.rds-2.invalid' in host_patterns" in text, text
    equal(code, 1)
    text, code = pg.doctor("?.rds.invalid", "?.astray.invalid")
    assert f"named inst-1.astray.invalid:{pg.port()} and named inst-2.astray.invalid:{pg.port()} are one server" in text, text
    equal(code, 1)


@test
def one_seed_and_one_pattern_bring_all_instances():
    agent.start()
    pg.steady("a")
    pg.readers("b", "c")
    equal((pg.members(), pg.cluster()["term"]), (set(map(pg.member, "abc")), "of the volume"))
    equal(sorted(agent.resolve(READERS)), sorted([pg.address("b"), pg.address("c")]))


@test
def a_plain_postgresql_is_told_what_to_write_instead():
    pg.plain_says("write engine: postgresql")


@test
def a_program_leaves_a_frozen_writer_for_the_one_that_took_over():
    pg.hold("a")
    pg.freeze("a")
    pg.promote("b")
    pg.steady("b")
    pg.reaches("b")
    equal((pg.switch()["from"], pg.switch()["to"]), (pg.member("a"), pg.member("b")))
    assert pg.switch()["loss"].startswith("none: "), pg.switch()
    equal(pg.said("a")["demoted"], True)


@test
def an_old_writer_that_still_claims_is_called_out_and_not_followed():
    pg.thaw("a")
    pg.stays("b", "ambiguous")
    pg.remains("b")
    writes("b")
    pg.rejoin("a", "b")
    pg.rejoin("c", "b")
    pg.steady("b")
    pg.readers("a", "c")


@test
def the_first_writer_follows_the_second_as_that_followed_it():
    pg.kill("b")
    pg.promote("a")
    pg.steady("a")
    pg.reaches("a")
    equal(pg.said("a")["demoted"], False)
    writes("a")
    pg.rejoin("b", "a")
    pg.rejoin("c", "a")
    pg.readers("b", "c")


@test
def rows_of_another_time_are_no_members_and_no_writer():
    pg.sql("a", "INSERT INTO aurora_instances VALUES ('inst-9', true, '9 hours'), ('inst-8', false, '0')")
    eventually(lambda: "inst-8.rds.invalid:" + pg.port() in pg.members(), "the row of now makes a member")
    assert "inst-9.rds.invalid:" + pg.port() not in pg.members(), pg.members()
    equal(pg.cluster()["writer"], pg.member("a"))
    pg.sql("a", "DELETE FROM aurora_instances WHERE server_id IN ('inst-8', 'inst-9')")


@test
def an_empty_answer_is_a_failure_and_no_empty_cluster():
    pg.sql("a", "BEGIN; CREATE TABLE kept AS TABLE aurora_instances; DELETE FROM aurora_instances; COMMIT")
    pg.fails("a", "returns no row")
    equal((pg.cluster()["writer"], agent.resolve(NAME)), (pg.member("a"), [pg.address("a")]))
    assert set(map(pg.member, "abc")) <= pg.members(), pg.members()
    pg.sql("a", "INSERT INTO aurora_instances TABLE kept")
    pg.steady("a")
    pg.readers("b")


@test
def members_that_let_nobody_in_yet_move_nothing_and_are_asked_on():
    pg.stop("c")
    pg.stop("b")
    pg.kill("a")
    pg.start_hidden("b")
    pg.start_hidden("c")
    for name in "bc":
        pg.fails(name, "not accepting connections")
    equal((pg.cluster()["writer"], agent.resolve(NAME)), (pg.member("a"), [pg.address("a")]))
    pg.stop("b")
    pg.start("b")
    pg.promote("b")
    pg.steady("b")
    pg.reaches("b")
    writes("b")


class Stage:
    """For the words of tests/scenarios/README.md. Where Aurora restarts an instance as a reader, it is made the standby of who
    writes."""
    writer = "a"

    def writes(self, name):
        self.writer = name
        pg.promote(name)
        writes(name)

    def falls_silent(self, name):
        pg.freeze(name)

    def ends(self, name):
        pg.kill(name)

    def lets_nobody_in(self, name):
        pg.stop(name, "immediate")
        pg.start_hidden(name)

    def starts(self, name):
        if pg.cluster()["state"] == "steady":
            pg.rejoin(name, self.writer)
        else:
            pg.restart(name)

    def names(self, name):
        """The agent has long found the members, and asks its seed no more."""

    def is_followed(self, name):
        pg.steady(name)

    def stays(self, name, state):
        pg.stays(name, state or pg.cluster()["state"])


@test
def the_failover_that_aws_describes_is_followed():
    pg.rejoin("a", "b")
    pg.kill("b")
    pg.promote("a")
    writes("a")
    for name in "bc":
        pg.rejoin(name, "a")
    pg.steady("a")
    pg.readers("b", "c")
    scenario.play("aws_failover", Stage())
    pg.reaches("b")


@test
def a_member_that_refuses_the_login_leaves_the_others_alone():
    pg.rejoin("a", "b")
    pg.readers("a")
    pg.stop("c", "immediate")
    pg.file("c/pg_hba.conf", "host replication all samenet trust\n")
    pg.own("c/pg_hba.conf")
    pg.start("c")
    pg.fails("c", "no pg_hba.conf entry")
    pg.kill("b")
    pg.promote("a")
    pg.steady("a")
    pg.reaches("a")


main()
