#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a homingd costs that has nothing to do: memory, CPU, wakeups, packets; no TLS.

usage: resources.py [SECONDS]      (default 20, of each size; as root, in a network namespace of its own:
                                    the packets of the loopback device are then the agent's)
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import Agent, Servers, cluster_text, own_namespaces  # noqa: E402
from tap import cleanly, eventually  # noqa: E402

MEMBERS = ("a", "b", "c")

def memory(pid):
    with open("/proc/%d/status" % pid) as status:
        fields = dict(line.split(":", 1) for line in status)
    return {key: int(fields[key].split()[0]) / 1024 for key in ("RssAnon", "VmRSS")}


def counters(pid):
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    with open("/proc/%d/status" % pid) as status:
        switches = sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    with open("/proc/net/dev") as devices:
        packets = sum(int(line.split()[2]) for line in devices if line.strip().startswith("lo:"))
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks, switches, packets


def steady(agent, clusters):
    status = agent.status()
    return status and sum(c["state"] == "steady" for c in status["clusters"]) == clusters


def measure(servers, clusters, seconds):
    members = [servers.member(name) for name in MEMBERS]
    names = ["c%d" % n for n in range(clusters)]
    agent = Agent("".join(cluster_text(n, members, "%s.internal, %s" % (n, n), n + "-ro.internal") for n in names))
    agent.start()
    eventually(lambda: steady(agent, clusters), "all clusters are steady")
    time.sleep(35)  # the 30 s of fast questions after a change, here the start
    before, began = counters(agent.process.pid), time.monotonic()
    time.sleep(seconds)
    after, took = counters(agent.process.pid), time.monotonic() - began
    cpu, wakeups, packets = ((b - a) / took for a, b in zip(before, after))
    size = memory(agent.process.pid)
    print("  %3d cluster%s of 3: RssAnon %.1f MB, VmRSS %.1f MB, CPU %.2f %%, %.0f wakeups/s, %.0f packets/s" % (
        clusters, "s" if clusters > 1 else " ", size["RssAnon"], size["VmRSS"], cpu * 100, wakeups,
        packets), flush=True)
    agent.stop()


def main():
    own_namespaces("--net", "--mount", "--ipc")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20
    print("The agent at rest (steady, no TLS, packets of both directions, acknowledgements included):", flush=True)
    servers = Servers()
    servers.init("a", "max_connections = 250", "autovacuum = off")
    for name in MEMBERS[1:]:
        servers.clone(name, "a")
    for clusters in (1, 100):
        measure(servers, clusters, seconds)


cleanly(main)
