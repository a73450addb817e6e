#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`homingctl mode CLUSTER off` and `default` while programs connect some 10,000 times a second (I4): no connect and no
lookup fails, and all programs change over. They do so in a network namespace of their own, where the servers' addresses
lead to a program that accepts more than PostgreSQL would bear. Times are printed, not asserted."""
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import BUILD, NOBODY, Agent, cluster_of, own_hosts, own_namespaces, pair  # noqa: E402
from tap import PATIENCE, cleanups, equal, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
PROCESSES, RATE, ROUNDS, PAUSE = 4, 2500, 3, 1
CONNECTS = os.path.join(BUILD, "tests/live/connects")
NAME = "orders-db.absent.test"
pg = pair()
A, B = pg.address("a"), pg.address("b")
own_hosts({NAME: A})  # what DNS would say, before the failover and long after it
CLUSTERS = cluster_of(pg, NAME)
agent = Agent(CLUSTERS)
inside = []  # what to put before a command that is to run where the accepting program is


def gave_up(*_):
    raise AssertionError("a program did not change over")


def start(*command):
    """(process, its first line)"""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    cleanups.append(lambda: (process.kill(), process.wait()))
    return process, process.stdout.readline().strip()


class Dialer:
    def __init__(self, of=agent):
        run = [os.path.join(BUILD, "homingctl"), "--socket", of.socket, "run", "--"]
        self.process, self.first = start(*inside, *run, CONNECTS, "dial", NAME, pg.port(), str(RATE))

    def begin(self):
        self.process.stdin.write("\n")

    def change(self):
        """The next line: (ms, where it connects to from now on, or what failed)."""
        ms, said = self.process.stdout.readline().strip().split(None, 1)
        return int(ms), said

    def end(self):
        """(connects, failures, lines before the last)"""
        out, _ = self.process.communicate(timeout=PATIENCE)
        *lines, last = out.splitlines()
        return (*map(int, last.split()[1:]), lines)


def switch(mode, dialers, to):
    began_ms = time.monotonic() * 1000
    agent.ok("mode", "orders", mode)
    signal.alarm(PATIENCE)
    changes = [one.change() for one in dialers]
    signal.alarm(0)
    equal([said for _, said in changes], [to] * len(dialers))
    print("# mode %s: the last program changed over %.0f ms after it was asked for" % (
        mode, max(ms for ms, _ in changes) - began_ms))
    time.sleep(PAUSE)  # of load


@test
def no_connect_fails_when_the_cluster_is_switched_off_and_on_again_under_load():
    signal.signal(signal.SIGALRM, gave_up)
    agent.start()
    agent.wait_writer("orders", pg.member("a"))
    server, said = start("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
                         CONNECTS, "serve", pg.port(), A, B)
    equal(said, "ready")
    inside.extend(["nsenter", "--net=/proc/%d/ns/net" % server.pid])
    dialers = [Dialer() for _ in range(PROCESSES)]
    equal([one.first for one in dialers], [A] * PROCESSES)
    pg.stop("a")
    pg.promote("b")
    agent.wait_writer("orders", pg.member("b"))
    began = time.monotonic()
    for one in dialers:
        one.begin()
    signal.alarm(PATIENCE)
    equal([one.change()[1] for one in dialers], [B] * PROCESSES)
    signal.alarm(0)
    for _ in range(ROUNDS):
        switch("off", dialers, A)
        switch("default", dialers, B)
    seconds = time.monotonic() - began
    results = [one.end() for one in dialers]
    print("# %.0f connects per second" % (sum(connects for connects, _, _ in results) / seconds))
    equal([(failed, lines) for _, failed, lines in results], [(0, [])] * PROCESSES)


@test
def an_agent_that_cannot_sever_redirects_even_what_was_looked_up_before_it_ran():
    lone = Agent(CLUSTERS).of_nobody()
    early = Dialer(lone)
    equal(early.first, A)
    lone.start(before=NOBODY)
    lone.wait_writer("orders", pg.member("b"))
    severing = lone.status()["severing"]
    equal(severing["available"], False)
    assert "start it, as root, with: " in severing["why"], severing
    early.begin()
    signal.alarm(PATIENCE)
    while early.change()[1] != B:
        pass  # the first ones, until the agent has answered
    signal.alarm(0)
    equal(Dialer(lone).first, B)
    _, failed, lines = early.end()
    equal((failed, lines), (0, []))


main()
