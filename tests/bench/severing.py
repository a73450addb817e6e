#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long homing-sever takes for 1,000 connections of 50 processes, and what it costs; real sockets, on loopback.

usage: severing.py [ROUNDS]      (default 5; as root; part of `./bootstrap bench`)

From the order until the last process has found all of its connections broken; they look in turns, some 2 ms for all.
"""
import os
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tap import cleanly  # noqa: E402
from sever import Client, Sever  # noqa: E402

PROCESSES, EACH = 50, 20
ADDRESS, PORT = "127.78.%d.1" % (os.getpid() % 250 + 1), 7432
ENDPOINT = 1


def cpu_ms(pid):
    with open("/proc/%d/schedstat" % pid) as stat:
        return int(stat.read().split()[0]) / 1e6


def peak_mb(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def programs(sever):
    found = []
    for _ in range(PROCESSES):
        found.append(Client())
        found[-1].do("permit", sever.permit)
        found[-1].do("many", EACH, ADDRESS, PORT, ENDPOINT, 7)
    sever.wait_processes(PROCESSES)
    return found


def round_of(sever, spread_ms):
    """ms until all are severed, ms of the first sweep, ms of CPU until the last."""
    clients, done, severed = programs(sever), {}, 0
    pid = sever.status()["pid"]
    before, start = cpu_ms(pid), time.monotonic()
    order = threading.Thread(target=lambda: done.update(sever.sever(ENDPOINT, 8, (ADDRESS, PORT), spread_ms=spread_ms)))
    order.start()
    while severed < PROCESSES * EACH and time.monotonic() < start + 10:
        severed += sum(one.count()[1] for one in clients)
    took = time.monotonic() - start
    order.join()
    if (severed, done["severed"]) != (PROCESSES * EACH, PROCESSES * EACH):
        raise RuntimeError("%d severed, as seen by clients %d" % (done["severed"], severed))
    cost = cpu_ms(pid) - before
    for one in clients:
        one.end()
    sever.wait_processes(0)
    return took * 1000, done["first_us"] / 1000, cost


def run():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    sever, server = Sever().start(), Client()
    server.do("listen", ADDRESS, PORT)
    found = {0: [], 50: []}
    for _ in range(rounds):
        for spread_ms, results in found.items():
            results.append(round_of(sever, spread_ms))
    print("%-14s %18s %12s %8s" % ("sever_spread", "all severed (max)", "first sweep", "CPU"))
    for spread_ms, results in found.items():
        all_ms, first_ms, cost = zip(*results)
        print("%11d ms %9.0f (%.0f) ms %9.1f ms %5.1f ms" % (
            spread_ms, statistics.median(all_ms), max(all_ms), statistics.median(first_ms), statistics.median(cost)))
    print("homing-sever's memory: %.1f MB at most" % peak_mb(sever.status()["pid"]))


cleanly(run)
