#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long after a new writer first says so is it in the view? With real promotions.

usage: detect.py [ROUNDS]      (default 20, of each kind)

Two PostgreSQL servers and a homingd without timing keys. In each round the writer is stopped, killed or
frozen, and the standby promoted; detect.c watches server and view. Then the old writer comes back as
a standby, and the next round goes the other way.
"""
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, Agent, cluster_of, pair, settle  # noqa: E402
from tap import cleanly, cleanups  # noqa: E402

NAME = "orders-db.internal"
KINDS = (
    ("stopped", lambda servers, name: servers.stop(name, "fast")),
    ("killed", lambda servers, name: servers.kill(name)),
    ("frozen", lambda servers, name: servers.freeze(name)),
)


def start_watcher(servers, agent, asked, standby, *ends):
    watcher = subprocess.Popen(
        [os.path.join(BUILD, "tests/bench/detect"), agent.socket, NAME, servers.conninfo(asked),
         servers.address(standby), *ends],
        stdout=subprocess.PIPE, text=True)
    cleanups.append(watcher.kill)
    assert watcher.stdout.readline() == "ready\n", "detect did not start"
    return watcher


def one_round(servers, agent, end_writer, writer, standby):
    """Ends the writer, promotes the standby; milliseconds, or an exception."""
    watcher = start_watcher(servers, agent, standby, standby)
    end_writer(servers, writer)
    servers.promote_begin(standby)
    took = float(watcher.stdout.readline())
    watcher.wait()
    settle(servers, agent, writer, standby)
    return took


def contested_round(servers, agent, end_writer, writer, standby):
    """Promotes the standby beside the living writer, which then ends."""
    servers.promote(standby)
    agent.wait_state("orders", "ambiguous")
    watcher = start_watcher(servers, agent, writer, standby, "ends")
    end_writer(servers, writer)
    took = float(watcher.stdout.readline())
    watcher.wait()
    settle(servers, agent, writer, standby)
    return took


def report(kind, took):
    took.sort()
    print("  writer %-8s n=%d  median %5.0f ms  p90 %5.0f ms  max %5.0f ms" % (
        kind, len(took), statistics.median(took), took[int(len(took) * 0.9)], took[-1]), flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    print("New writer first answers 'not in recovery' -> view published:", flush=True)
    servers = pair()
    agent = Agent(cluster_of(servers, NAME, connection="user=homing dbname=postgres sslmode=disable",
                             also="    password_file: password\n"))
    with open(os.open(os.path.join(agent.base, "password"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
        out.write("homing-test\n")
    agent.start()
    agent.wait_writer("orders", servers.member("a"))
    writer, standby = "a", "b"
    for play, kinds in ((one_round, KINDS), (contested_round, KINDS[:2])):
        if play is contested_round:
            print("Two writers claim, and the old one stops claiming -> view published:", flush=True)
        for kind, end_writer in kinds:
            took = []
            for _ in range(rounds):
                took.append(play(servers, agent, end_writer, writer, standby))
                writer, standby = standby, writer
            report(kind, took)


cleanly(main)
