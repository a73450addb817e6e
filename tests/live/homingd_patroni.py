#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine patroni with a real Patroni, etcd and PostgreSQL: switchover, crash, a leader that hangs, one that cannot let go,
pause, and the loss of etcd; and a program under the library that follows. homingd is given no account of any database."""
import http.server
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import PLAIN, Agent, Holder, cluster_text  # noqa: E402
from patroni_cluster import Patroni  # noqa: E402
from tap import cleanups, equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
p = Patroni()
NAME, READERS = "orders-db.invalid", "orders-ro.invalid"
MEMBERS = [p.member("a"), p.member("b")]
KEYS = "    max_switches: 0\n    max_lag: 100GB\n"


def cluster(rest, engine="patroni", connection=None):
    return cluster_text("orders", MEMBERS, NAME, READERS, connection or f"rest_port={rest}", KEYS, engine)


agent = Agent(cluster(p.rest))
p.seen = lambda: json.dumps(agent.cluster("orders"), indent=1)


def member(name):
    return agent.member("orders", p.member(name))


def state():
    now = agent.cluster("orders")
    return now["state"], now["writer"]


def steady(name):
    p.in_time(lambda: state() == ("steady", p.member(name)), f"{name} is the steady writer")
    eventually(lambda: agent.resolve(NAME) == [p.address(name)], "the name leads there")


def serves_readers(name):
    p.wait_replica(name)
    p.in_time(lambda: member(name)["reader"], f"{name} serves readers")


def reaches(name):
    """The program's next question; the one before may have been answered by the old writer."""
    p.in_time(lambda: holder.ask().split()[:2][-1] == p.address(name), f"the program is at {name}")


class Stranger(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(404)

    def log_message(self, *_):
        pass


@test
def another_http_server_at_the_port_is_named_as_such():
    server = http.server.ThreadingHTTPServer((p.address("a"), 0), Stranger)
    cleanups.append(server.server_close)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    agent.write(cluster(server.server_port))
    agent.start()
    error = eventually(lambda: member("a").get("error"), "an error")
    assert "(HTTP status 404): look what is at this port" in error, error
    agent.write(cluster(p.rest))
    agent.ok("reload")
    server.shutdown()


@test
def a_cluster_that_begins_has_a_writer_as_soon_as_it_has_a_leader():
    p.begin("a")
    p.wait_leader("a")
    steady("a")
    p.begin("b")
    serves_readers("b")
    equal(agent.resolve(READERS), [p.address("b")])
    equal((member("a")["term"], member("a")["authenticated"]), ("1", False))


@test
def the_engine_of_the_database_itself_says_the_same():
    by_patroni = agent.cluster("orders")
    agent.write(cluster(p.rest, "postgresql", PLAIN))
    agent.ok("reload")
    eventually(lambda: agent.cluster("orders")["engine"] == "postgresql" and member("a")["connected"], "it is asked")
    steady("a")
    by_itself = agent.cluster("orders")
    equal([by_itself[key] for key in ("term", "identity", "switches")], [by_patroni[key] for key in ("term", "identity", "switches")])
    agent.write(cluster(p.rest))
    agent.ok("reload")
    steady("a")


@test
def a_program_follows_a_switchover():
    global holder
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    holder = Holder(NAME, p.port, agent)
    equal(holder.first, p.address("a"))
    p.switch("b")
    steady("b")
    reaches("b")
    serves_readers("a")
    equal(agent.cluster("orders")["term"], "2")


@test
def a_program_follows_a_failover():
    p.kill("b")
    steady("a")
    reaches("a")
    p.begin("b")
    serves_readers("b")


@test
def W6_a_leader_that_hung_and_wakes_up_is_not_followed():
    # Between two of its cycles: with etcd's API v3, Patroni 3.0 takes its lock back from the new leader where it hung inside one.
    p.hold("a")
    p.stop("a")
    steady("b")
    reaches("b")
    p.go_on("a")
    p.in_time(lambda: member("a")["role"] == "writer" and member("a")["answered_ms"] < 1000, "it claims again")
    equal(state(), ("steady", p.member("b")))
    p.release("a")
    serves_readers("a")
    equal(state(), ("steady", p.member("b")))


@test
def W3_who_got_the_lock_is_followed_while_the_old_leader_cannot_let_go():
    p.hold("b")
    p.in_time(lambda: p.says("b")[0] == 503 and p.says("a")[1].get("cluster_unlocked"), "the lock has run out")
    equal(state(), ("steady", p.member("b")))
    p.fail_over("a")
    p.in_time(lambda: agent.cluster("orders")["reason"] == "lock", "the lock decides")
    equal((p.says("b")[1]["role"] in ("master", "primary"), agent.cluster("orders")["writer"]), (True, p.member("a")))
    reaches("a")
    p.release("b")
    serves_readers("b")
    steady("a")


@test
def W3_in_a_paused_cluster_a_second_primary_is_ambiguous():
    p.ctl("pause", "--wait", "orders")
    p.in_time(lambda: "paused" in (member("a").get("note") or ""), "it says so")
    p.sql("b", "SELECT pg_promote()")
    eventually(lambda: state() == ("ambiguous", p.member("a")), "both claim")
    p.ctl("resume", "--wait", "orders")
    serves_readers("b")
    steady("a")


@test
def W6_without_etcd_there_is_no_writer_and_with_it_there_is_one_again():
    p.end_store()
    p.in_time(lambda: state()[0] == "no_writer", "the leader has demoted itself")
    p.begin_store()
    p.in_time(lambda: state()[0] == "steady", "one of them is the leader")


main()
