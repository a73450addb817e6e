#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine aurora-global-postgresql, from one seed and a pattern for each region to the program on the new writer, in
whichever region that is. Plain PostgreSQL servers stand in for a Global Database, with functions of the same names
(tests/support/aurora.sql): two in one region, one in another. Each has a log of its own, as each region has a volume."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import own_namespaces  # noqa: E402
from managed import NAME, READERS, Managed  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
pg = Managed("aurora-global-postgresql", "aurora.sql",
             {"a": "inst-1.eu.invalid", "b": "inst-2.eu.invalid", "c": "inst-3.us.invalid"},
             ["{region: eu-west-1, pattern: '?.eu.invalid'}", "{region: us-east-1, pattern: '?.us.invalid'}"])
pg.sql("a", "INSERT INTO aurora_instances (server_id, writes, region) VALUES"
            " ('inst-1', true, 'eu-west-1'), ('inst-2', false, 'eu-west-1'), ('inst-3', false, 'us-east-1')")
agent = pg.agent


def takes_over(name, *others):
    """What the status of the Global Database says then; the others follow."""
    pg.sql(name, "UPDATE aurora_instances SET writes = server_id = pg_catalog.aurora_db_instance_identifier()")
    for other in others:
        pg.rejoin(other, name)
    pg.steady(name)
    pg.readers(*others)


def lsn(name):
    return int(pg.sql(name, "SELECT aurora_lsn()"))


def write(name):
    """A segment of the log, which the agent hears of."""
    pg.sql(name, "CREATE TABLE IF NOT EXISTS written (n bigint); INSERT INTO written VALUES (1); SELECT pg_switch_wal()")
    pg.sql(name, "INSERT INTO written VALUES (1)")
    least = lsn(name)
    eventually(lambda: pg.said(name)["position"] >= least, f"the agent knows that {name} has written up to {least}")


def disputed(name, reason):
    """It stays the writer."""
    eventually(lambda: (pg.cluster()["state"], pg.cluster()["reason"]) == ("ambiguous", reason), "ambiguous: " + reason)
    pg.stays(name, "ambiguous")


@test
def one_seed_and_a_pattern_for_each_region_bring_all_instances():
    agent.start()
    pg.steady("a")
    pg.readers("b", "c")
    equal((pg.members(), pg.cluster()["term"]), (set(map(pg.member, "abc")), "1"))
    equal(sorted(agent.resolve(READERS)), sorted([pg.address("b"), pg.address("c")]))


@test
def a_plain_postgresql_is_told_what_to_write_instead():
    pg.plain_says("write engine: aurora-postgresql for one region, or postgresql")


@test
def the_stand_in_is_what_drivers_look_for():
    """They take a server for one of a Global Database that has both functions, and more than one region in the first."""
    equal(pg.sql("a", "SELECT proname FROM pg_proc WHERE oid IN ('aurora_global_db_status'::regproc,"
                      " 'aurora_global_db_instance_status'::regproc) ORDER BY 1").split(),
          ["aurora_global_db_instance_status", "aurora_global_db_status"])
    for name in "ac":
        equal(pg.sql(name, "SELECT aws_region, durability_lag_in_msec FROM aurora_global_db_status() ORDER BY 1").split(),
              ["eu-west-1|-1", "us-east-1|900"])
        equal(pg.sql(name, "SELECT server_id FROM aurora_global_db_instance_status() WHERE session_id = 'MASTER_SESSION_ID'"),
              "inst-1")
        equal(pg.sql(name, "SELECT count(*) FROM aurora_replica_status()"), "2" if name == "a" else "1")


@test
def an_instance_of_a_region_without_a_pattern_is_named_and_not_asked():
    pg.sql("a", "INSERT INTO aurora_instances (server_id, writes, region) VALUES ('inst-7', false, 'ap-south-1'),"
                " ('inst-8', false, 'us-east-1')")
    eventually(lambda: "inst-8.us.invalid:" + pg.port() in pg.members(), "that of a region with a pattern is a member")
    eventually(lambda: any("is in a region that no entry of host_patterns is for" in w["text"] for w in pg.cluster()["warnings"]),
               "the other one is named")
    equal([m for m in pg.members() if m.startswith("inst-7")], [])
    told, _ = pg.doctor()
    assert "names inst-3.us.invalid, which is taken as a member" in told, told
    assert "'inst-7' in region ap-south-1, which is in a region that no entry of host_patterns is for" in told, told
    pg.sql("a", "DELETE FROM aurora_instances WHERE server_id IN ('inst-7', 'inst-8')")


@test
def W12_a_failover_within_the_region_is_followed():
    pg.hold("a")
    pg.stop("a")
    pg.promote("b")
    pg.steady("b")
    pg.reaches("b")
    takes_over("b", "a", "c")


@test
def W12_a_switchover_into_the_other_region_is_followed_and_the_old_region_reads():
    write("b")
    pg.stop("b")
    pg.promote("c")
    pg.steady("c")
    pg.reaches("c")
    equal((pg.switch()["from"], pg.switch()["to"], pg.switch()["loss_bytes"]), (pg.member("b"), pg.member("c"), 0))
    takes_over("c", "a", "b")
    equal(sorted(agent.resolve(READERS)), sorted([pg.address("a"), pg.address("b")]))


@test
def W5_a_region_that_is_out_of_reach_moves_nothing():
    pg.freeze("a")
    pg.freeze("b")
    eventually(lambda: agent.resolve(READERS) is None or not set(agent.resolve(READERS)) & {pg.address("a"), pg.address("b")},
               "they serve readers no more")
    pg.stays("c", "steady")
    pg.remains("c")
    pg.thaw("a")
    pg.thaw("b")
    pg.readers("a", "b")


@test
def W12_a_failover_that_loses_data_is_followed_and_says_how_much():
    """The other region has got nothing of what was written last, and the region of the writer is silent."""
    pg.file("c/pg_hba.conf", "host all all samenet trust\n")
    pg.own("c/pg_hba.conf")
    pg.sql("c", "SELECT pg_reload_conf()")
    pg.wait("c", "SELECT count(pg_terminate_backend(pid)) = 0 FROM pg_stat_replication")
    write("c")
    pg.freeze("c")
    eventually(lambda: pg.cluster()["state"] == "suspect", "the writer is silent")
    pg.promote("a")
    pg.steady("a")
    pg.reaches("a")
    assert pg.switch()["loss_bytes"] > 0, pg.switch()
    takes_over("a", "b")


@test
def W3_an_old_region_that_comes_back_as_a_writer_is_called_out_and_not_followed():
    pg.thaw("c")
    assert lsn("c") > lsn("a"), (lsn("c"), lsn("a"))
    disputed("a", "two_claims")
    pg.remains("a")


@test
def W12_nor_is_it_if_the_new_writer_falls_silent_before_it_has_written_as_much():
    pg.freeze("a")
    disputed("a", "unproven")
    pg.thaw("a")
    disputed("a", "two_claims")


@test
def W12_nor_is_it_once_it_was_started_again():
    pg.kill("c")
    pg.stays("a", "steady")
    pg.freeze("a")
    pg.start("c")
    disputed("a", "unproven")
    pg.thaw("a")
    disputed("a", "two_claims")


@test
def W6_nor_is_it_if_the_new_writer_dies_that_has_written_more():
    write("a")
    write("a")
    assert lsn("a") > lsn("c"), (lsn("a"), lsn("c"))
    pg.stays("a", "steady")
    pg.kill("a")
    disputed("a", "older_term")
    pg.start("a")
    pg.stays("a", "steady")


@test
def an_old_region_that_comes_back_as_a_reader_serves_as_one():
    takes_over("a", "c")
    pg.reaches("a")


@test
def an_empty_answer_is_a_failure_and_no_empty_database():
    pg.sql("a", "BEGIN; CREATE TABLE kept AS TABLE aurora_instances; DELETE FROM aurora_instances; COMMIT")
    pg.fails("a", "write engine: aurora-postgresql")
    equal((pg.cluster()["writer"], agent.resolve(NAME)), (pg.member("a"), [pg.address("a")]))
    assert set(map(pg.member, "abc")) <= pg.members(), pg.members()
    pg.sql("a", "INSERT INTO aurora_instances TABLE kept")
    pg.steady("a")


main()
