#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many of many new processes miss the agent at their first lookup, and how many of these still go astray at
their connect? On an idle machine, on a busy one, during failovers, and with an agent that is stopped.

usage: attach_storm.py [ROUNDS]      (default 3, of each kind: half a minute)

The name is `localhost`: who misses the agent is given 127.0.0.1, by libc, where only this rig listens. Busy is twelve
endless loops, which nobody favours, on whatever cores there are.
"""
import collections
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, Agent, cluster_of, own_names, pair, settle  # noqa: E402
from tap import cleanly, cleanups  # noqa: E402

NAME, ASTRAY = "localhost", "127.0.0.1"
LOOPS, CROWD, LANES, STARTS = 12, 100, 4, 300
Start = collections.namedtuple("Start", "given reached lookup_us connect_us")


class Storm:
    """New processes under way: how, how many and how many at once."""

    def __init__(self, agent, port, how, count, lanes=1):
        environment = dict(os.environ, LD_PRELOAD=os.path.join(BUILD, "shim/libhoming.so"), HOMING_SOCKET=agent.socket)
        self.count = count
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests/bench/attach_storm"), how, str(count), str(lanes), NAME, port],
            env=environment, stdout=subprocess.PIPE, text=True)
        cleanups.append(self.process.kill)

    def starts(self):
        lines = [line.split() for line in self.process.communicate()[0].splitlines()]
        assert len(lines) == self.count, "%d of %d programs ended" % (len(lines), self.count)
        return [Start(given, reached, float(lookup), float(connect)) for given, reached, lookup, connect in lines]


@contextlib.contextmanager
def busy(loops=LOOPS):
    processes = [subprocess.Popen(["timeout", "120", "sh", "-c", "while :; do :; done"]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def take_strays(port):
    """Whoever goes astray gets a connection, and so is told from who finds the writer gone."""
    listener = socket.create_server((ASTRAY, int(port)), backlog=1024)
    threading.Thread(target=lambda: [listener.accept()[0].close() for _ in iter(int, 1)], daemon=True).start()


def report(kind, starts):
    missed = sum(start.given == ASTRAY for start in starts)
    astray = sum(start.reached == ASTRAY for start in starts)
    waits = [sorted(getattr(start, what) / 1000 for start in starts) for what in ("lookup_us", "connect_us")]
    print("  %-28s n=%-5d missed at the lookup %4d, astray after connect %4d; ms of a lookup %.2f (max %.0f), connect "
          "%.2f (max %.0f)" % (kind, len(starts), missed, astray, *(x for w in waits for x in (w[len(w) // 2], w[-1]))),
          flush=True)


def during_switches(servers, agent, rounds):
    writer, standby = "a", "b"
    starts = []
    for _ in range(rounds):
        with busy():
            storm = Storm(agent, servers.port(), "lanes", STARTS, LANES)
            servers.stop(writer, "fast")
            servers.promote_begin(standby)
            starts += storm.starts()
        settle(servers, agent, writer, standby)
        writer, standby = standby, writer
    return starts


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    servers = pair()
    agent = Agent(cluster_of(servers, NAME))
    agent.start()
    agent.wait_writer("orders", servers.member("a"))
    port = servers.port()
    take_strays(port)

    def repeated(*how):
        return [start for _ in range(rounds) for start in Storm(agent, port, *how).starts()]

    print("New processes that miss the agent (%d cores):" % os.cpu_count(), flush=True)
    report("idle, %d at once" % CROWD, repeated("crowd", CROWD))
    report("idle, %d lanes" % LANES, repeated("lanes", STARTS, LANES))
    with busy():
        time.sleep(1)
        report("busy, %d at once" % CROWD, repeated("crowd", CROWD))
        report("busy, %d lanes" % LANES, repeated("lanes", STARTS, LANES))
    report("busy, during failovers", during_switches(servers, agent, rounds))
    agent.process.send_signal(signal.SIGSTOP)
    report("idle, the agent is stopped", repeated("lanes", 20, LANES))
    agent.process.send_signal(signal.SIGCONT)


own_names()
cleanly(main)
