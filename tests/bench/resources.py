#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a homingd that has nothing to do costs its node, and what it costs the servers: no TLS, all keys as they come.

usage: resources.py [SECONDS [WHAT...]]      (default 20, of each; WHAT: postgresql, mysql, many. As root, in a network
                                              namespace of its own: the packets of the loopback device are then the
                                              agent's, but for those of replication, which are counted before and taken off)

Questions are counted as what the agent's connections have sent, of which each is one segment: PostgreSQL keeps no count of
transactions that touch no table. The servers' processor time is that of the agent's own sessions, by the
kernel's clock of their processes (MariaDB: threads).
"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import mariadb  # noqa: E402
from homing import Agent, Servers, cluster_text, own_namespaces  # noqa: E402
from tap import AGAIN, cleanly, eventually  # noqa: E402

MEMBERS = ("a", "b", "c")
CALM = 35  # seconds: the 30 s of fast questions after a change, here the start
INSTANCES = 3000


# --- What is counted ----------------------------------------------------------------------------------

def memory(pid):
    with open("/proc/%d/status" % pid) as status:
        fields = dict(line.split(":", 1) for line in status)
    return {key: int(fields[key].split()[0]) / 1024 for key in ("RssAnon", "VmRSS")}


def busy(task):
    """Seconds on a processor so far, of /proc/PID or /proc/PID/task/TID."""
    with open(task + "/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


def busy_whole(pid):
    tasks = "/proc/%d/task/" % pid
    return sum(busy(tasks + task) for task in os.listdir(tasks))


def wakeups(pid):
    with open("/proc/%d/status" % pid) as status:
        return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)


def packets():
    with open("/proc/net/dev") as devices:
        return sum(int(line.split()[2]) for line in devices if line.strip().startswith("lo:"))


def asked(pid, members):
    """How many segments with data its connection to each of these has sent."""
    folder = "/proc/%d/fd/" % pid
    inodes = {os.readlink(folder + fd)[8:-1] for fd in os.listdir(folder) if os.readlink(folder + fd).startswith("socket:")}
    found = dict.fromkeys(members, 0)
    for line in subprocess.run(["ss", "-tineOH"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
        peer, inode, sent = line.split()[4], re.search(r"\bino:(\d+)", line), re.search(r"\bdata_segs_out:(\d+)", line)
        if peer in found and inode and inode[1] in inodes:
            found[peer] += int(sent[1]) if sent else 0
    return [found[member] for member in members]


def per_second(count, seconds):
    """What each of these numbers grows by in a second."""
    before, began = count(), time.monotonic()
    time.sleep(seconds)
    after, took = count(), time.monotonic() - began
    return [(b - a) / took for a, b in zip(before, after)]


# --- The servers --------------------------------------------------------------------------------------

class PostgreSQL:
    name, agent_keys = "postgresql", {}

    def __init__(self):
        self.servers = Servers()
        self.servers.init("a", "max_connections = 250", "autovacuum = off")
        for name in MEMBERS[1:]:
            self.servers.clone(name, "a")
        self.member = self.servers.member

    def sessions(self, name):
        pids = self.servers.sql(name, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
                                      "AND pid <> pg_backend_pid()")
        return ["/proc/" + pid for pid in pids.split()]


class MySQL:
    name, agent_keys = "mysql", {"engine": "mysql", "connection": "user=homing tls=off"}

    def __init__(self):
        self.db = mariadb.MariaDB()
        self.db.init("a")
        for name in MEMBERS[1:]:
            self.db.clone(name, "a")
        self.member = self.db.member
        self.agent_keys["also"] = "    password_file: %s\n" % self.db.file("password", mariadb.PASSWORD + "\n")

    def sessions(self, name):
        tids = self.db.sql(name, "SELECT TID FROM information_schema.PROCESSLIST WHERE USER = 'homing'")
        return ["/proc/%d/task/%s" % (self.db.processes[name].pid, tid) for tid in tids.split()]


# --- What is printed ----------------------------------------------------------------------------------

def steady(agent, clusters):
    status = agent.status()
    return status and sum(c["state"] == "steady" for c in status["clusters"]) == clusters


def start(servers, clusters):
    members = [servers.member(name) for name in MEMBERS]
    names = ["c%d" % n for n in range(clusters)]
    agent = Agent("".join(cluster_text(n, members, "%s.internal, %s" % (n, n), n + "-ro.internal", **servers.agent_keys)
                          for n in names))
    agent.start()
    eventually(lambda: steady(agent, clusters), "all clusters are steady")
    time.sleep(CALM)
    return agent


def own_cost(agent, seconds, others, what):
    """Of the agent: CPU (1: a processor), packets a second; those of others are taken off."""
    pid = agent.process.pid
    cpu, woken, sent = per_second(lambda: [busy_whole(pid), wakeups(pid), packets()], seconds)
    size = memory(pid)
    print("  %s: RssAnon %.1f MB, VmRSS %.1f MB, CPU %.2f %%, %.0f wakeups/s, %.0f packets/s" % (
        what, size["RssAnon"], size["VmRSS"], cpu * 100, woken, sent - others), flush=True)
    return cpu, sent - others


def sessions_cost(servers, agent, seconds):
    """The tasks of each server's sessions, the questions of each and its seconds of a processor in a second."""
    tasks, members = [servers.sessions(name) for name in MEMBERS], [servers.member(name) for name in MEMBERS]
    found = per_second(lambda: [*asked(agent.process.pid, members), *(sum(map(busy, of)) for of in tasks)], seconds)
    return tasks, found[:len(MEMBERS)], found[len(MEMBERS):]


def servers_cost(servers, agent, seconds):
    """Of each server: questions and seconds of a processor a second."""
    for _ in range(AGAIN):
        try:
            tasks, questions, cpu = sessions_cost(servers, agent, seconds)
            break
        except FileNotFoundError:
            print("    again: a session was made anew, as on a machine that stands still", flush=True)
    for name, of, count, share in zip(MEMBERS, tasks, questions, cpu):
        print("    server %s: %d session, %.2f questions/s, CPU of the session %.3f %%: %.0f us for a question" % (
            name, len(of), count, share * 100, share / count * 1e6), flush=True)
    return max(questions), max(cpu)


def estimate(cpu, sent, questions, server_cpu):
    print("    %d small instances, each with an agent, that follow this one cluster. Each server has %d sessions,\n"
          "      %d x %.2f = %.0f questions/s, %d x %.3f %% = %.2f processors, %d x %.1f / 3 = %.0f packets/s;\n"
          "      each instance as above: CPU %.2f %%, %.1f packets/s" % (
              INSTANCES, INSTANCES, INSTANCES, questions, INSTANCES * questions, INSTANCES, server_cpu * 100, INSTANCES * server_cpu,
              INSTANCES, sent, INSTANCES * sent / 3, cpu * 100, sent))
    clusters = INSTANCES // 3
    print("    %d small servers, as %d clusters, that one agent follows: %d x %.2f %% = %.2f processors,\n"
          "      %d x %.1f = %.0f packets/s, %d x %.2f = %.0f questions/s in all" % (
              INSTANCES, clusters, clusters, cpu * 100, clusters * cpu, clusters, sent, clusters * sent,
              INSTANCES, questions, INSTANCES * questions), flush=True)


def measure(kind, seconds):
    servers = kind()
    (others,) = per_second(lambda: [packets()], seconds)
    agent = start(servers, 1)
    found = own_cost(agent, seconds, others, "%s, 1 cluster of 3" % kind.name)
    estimate(*found, *servers_cost(servers, agent, seconds))
    agent.stop()


def measure_many(seconds):
    servers = PostgreSQL()
    (others,) = per_second(lambda: [packets()], seconds)
    agent = start(servers, 100)
    own_cost(agent, seconds, others, "postgresql, 100 clusters of 3")
    agent.stop()


def main():
    own_namespaces("--net", "--mount", "--ipc")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20
    chosen = sys.argv[2:] or ["postgresql", "mysql", "many"]
    print("The agent at rest (steady, no TLS; packets of both directions, acknowledgements included):", flush=True)
    for kind in (PostgreSQL, MySQL):
        if kind.name in chosen:
            measure(kind, seconds)
    if "many" in chosen:
        measure_many(seconds)


cleanly(main)
