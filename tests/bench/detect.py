#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long after a new writer can be written to is it in the view? With real servers, and real promotions.

usage: detect.py [ROUNDS [WORD...]]      (default 20, of each kind; or of those kinds whose line holds a word: mysql, place)

Two PostgreSQL servers, then two of MariaDB, and a homingd without timing keys. In each round the writer is stopped,
killed, frozen or demoted in place, and the other one promoted; then it comes back as a standby, and the next round goes
the other way. A writer is frozen or demoted in place when the agent asks at its default interval again, which takes it half a
minute. All times are of one clock in this process: a thread looks into the view every half a millisecond.
PostgreSQL is promoted when it first answers "not in recovery" to who asks every millisecond, since pg_promote() returns up
to 0.1 s later; MariaDB when SET GLOBAL read_only = 0 returns.
"""
import contextlib
import os
import random
import signal
import statistics
import sys
import threading
import time

import psycopg2
import pymysql

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import mariadb  # noqa: E402
from homing import Agent, cluster_of, cluster_text, demote, pair, settle  # noqa: E402
from tap import PATIENCE, cleanly, eventually  # noqa: E402
from view import Watch  # noqa: E402

NAME = "orders-db.internal"
ASK = 0.001  # seconds


def start(text):
    agent = Agent(text)
    with open(os.open(os.path.join(agent.base, "password"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
        out.write(mariadb.PASSWORD + "\n")
    return agent.start()


def silent(agent):
    eventually(lambda: agent.cluster("orders")["state"] == "suspect", "the writer is found to be silent")


class Engine:
    agent = None

    def calm(self, _):
        """The agent asks at its default interval again, and it is anywhere between two questions: for kinds in which nothing
        breaks, so that nothing but its questions tells."""
        eventually(lambda: self.agent.cluster("orders")["pace"] == "steady", "it asks at its default interval", 2 * PATIENCE)
        time.sleep(random.random() / 4)


# --- PostgreSQL ---------------------------------------------------------------------------------------

class PostgreSQL(Engine):
    name = "postgresql"

    def __init__(self):
        self.servers = pair()
        self.agent = start(cluster_of(self.servers, NAME, connection="user=homing dbname=postgres sslmode=disable",
                                              also="    password_file: password\n"))
        self.agent.wait_writer("orders", self.servers.member("a"))

    def address(self, name):
        return self.servers.address(name)

    @contextlib.contextmanager
    def asked(self, name):
        """A question to it: whether it claims."""
        connection = psycopg2.connect(self.servers.conninfo(name))
        connection.autocommit = True
        cursor = connection.cursor()

        def claims():
            try:
                cursor.execute("SELECT pg_is_in_recovery()")
                return not cursor.fetchone()[0]
            except psycopg2.Error:
                return False
        yield claims
        connection.close()

    @staticmethod
    def first(claims, value):
        """When it first answers so."""
        end = time.monotonic() + PATIENCE
        while claims() != value:
            assert time.monotonic() < end, "it is not promoted"
            time.sleep(ASK)
        return time.monotonic()

    def fails_over(self, old, new, end_writer):
        with self.asked(new) as claims:
            end_writer(old)
            threading.Thread(target=self.servers.promote_begin, args=[new]).start()
            return self.first(claims, True)

    def changes_place(self, old, new, _):
        with self.asked(new) as claims:
            changing = threading.Thread(target=demote, args=[self.servers, old, new])
            changing.start()
            moment = self.first(claims, True)
            changing.join()
        return moment

    def ends_a_dispute(self, old, new, end_writer):
        """The new one is promoted beside the living writer, which then ends: that is the moment."""
        with self.asked(old) as claims:
            ending = threading.Thread(target=end_writer, args=[old])
            ending.start()
            moment = self.first(claims, False)
            ending.join()
        return moment

    def disputed(self, new):
        self.servers.promote(new)
        self.agent.wait_state("orders", "ambiguous")

    def late(self, name):
        self.servers.freeze(name)
        silent(self.agent)

    def kinds(self):
        """[(what happened to the old writer, how, what ends it, what comes before)]"""
        servers, stop = self.servers, lambda name: self.servers.stop(name, "fast")
        return [("stopped", self.fails_over, stop, None), ("killed", self.fails_over, servers.kill, None),
                ("frozen", self.fails_over, servers.freeze, self.calm),
                ("silent already", self.fails_over, self.late, None),
                ("demoted in place", self.changes_place, None, self.calm),
                ("disputed, stopped", self.ends_a_dispute, stop, self.disputed),
                ("disputed, killed", self.ends_a_dispute, servers.kill, self.disputed)]

    def settle(self, old, new):
        settle(self.servers, self.agent, old, new)


# --- MariaDB ------------------------------------------------------------------------------------------

class MySQL(Engine):
    name = "mysql"

    def __init__(self):
        self.db, self.frozen = mariadb.MariaDB(), []
        self.db.init("a")
        self.db.clone("b", "a")
        self.agent = start(cluster_text(
            "orders", [self.db.member("a"), self.db.member("b")], NAME, connection="user=homing tls=off", engine="mysql",
            also="    password_file: password\n    max_switches: 0\n"))
        self.wait("a", "b")

    def address(self, name):
        return self.db.address(name)

    def wait(self, writer, heir):
        self.agent.wait_writer("orders", self.db.member(writer))
        eventually(lambda: self.agent.member("orders", self.db.member(heir)).get("heir"), heir + " is an heir")

    @contextlib.contextmanager
    def operator(self, name):
        """A connection that is there already: its statements take no longer than the server does."""
        connection = pymysql.connect(unix_socket=f"{self.db.root}/{name}.sock", user="root", autocommit=True)

        def sql(text):
            with connection.cursor() as cursor:
                cursor.execute(text)
                return cursor.fetchone()
        yield sql
        connection.close()

    @staticmethod
    def promote(sql):
        for text in ("STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0"):
            sql(text)
        return time.monotonic()

    def fails_over(self, old, new, end_writer):
        with self.operator(new) as sql:
            end_writer(old)
            return self.promote(sql)

    def changes_place(self, old, new, _):
        """As quickly as it can be done: the agent may ask neither of them in between."""
        with self.operator(old) as old_sql, self.operator(new) as sql:
            old_sql("SET GLOBAL read_only = 1")
            (position,) = old_sql("SELECT @@global.gtid_current_pos")
            assert sql(f"SELECT MASTER_GTID_WAIT('{position}', {PATIENCE})") == (0,), "the replica lags"
            return self.promote(sql)

    def freeze(self, name):
        self.db.processes[name].send_signal(signal.SIGSTOP)
        self.frozen.append(name)

    def late(self, name):
        self.freeze(name)
        silent(self.agent)

    def kinds(self):
        return [("stopped", self.fails_over, self.db.stop, None), ("killed", self.fails_over, self.db.kill, None),
                ("frozen", self.fails_over, self.freeze, self.calm),
                ("silent already", self.fails_over, self.late, None),
                ("demoted in place", self.changes_place, None, self.calm)]

    def settle(self, old, new):
        self.agent.wait_writer("orders", self.db.member(new))
        if self.frozen:
            self.db.kill(self.frozen.pop())
        if old not in self.db.processes:
            self.db.start(old, "--read-only")
        self.db.follow(old, new)
        self.wait(new, old)


# --- The rounds ---------------------------------------------------------------------------------------

def one_round(engine, play, end_writer, before, old, new):
    if before:
        before(new)
    watch = Watch(engine.agent.socket, NAME, engine.address(new))
    took = watch.since(play(old, new, end_writer))
    engine.settle(old, new)
    return took


def report(kind, took):
    took.sort()
    print("  old writer %-18s n=%d  median %5.0f ms  p90 %5.0f ms  max %5.0f ms" % (
        kind, len(took), statistics.median(took), took[int(len(took) * 0.9)], took[-1]), flush=True)


def is_chosen(engine, kind):
    words = sys.argv[2:]
    return not words or any(word in "%s %s" % (engine.name, kind) for word in words)


def play_engine(engine, rounds):
    old, new = "a", "b"
    for kind, play, end_writer, before in [it for it in engine.kinds() if is_chosen(engine, it[0])]:
        took = []
        for _ in range(rounds):
            took.append(one_round(engine, play, end_writer, before, old, new))
            old, new = new, old
        report(kind, took)
    engine.agent.stop()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for engine in (PostgreSQL, MySQL):
        print("%s: the new writer can be written to (disputed: the old one claims no more) -> view published:"
              % engine.name, flush=True)
        play_engine(engine(), rounds)


cleanly(main)
