#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One homingd with a thousand members, half of them with TLS verify-full: what it takes, how late its loop is, and whether
servers that stall delay anybody.

usage: thousand.py [SECONDS [CLUSTERS]]      (default 30 of each part, and 250 clusters of 4; as root, in a network
                                              namespace of its own)

The members are stand-ins for MySQL in one process (thousand_servers.c). The loop's lag is what a question to agent.sock
takes that is asked every 2 ms: an upper bound, since this process and the answer itself are in it. Then some members stall:
they accept and say nothing, or stop in the middle of TLS or of the login; a writer and a reader of each kind, of several
clusters. Meanwhile other clusters switch in place: from the servers' word until the view has it.
"""
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, Agent, cluster_text, directory, own_hosts, own_namespaces  # noqa: E402
from tap import PATIENCE, cleanly, cleanups, eventually  # noqa: E402
from view import View  # noqa: E402

MEMBERS = 4
EVERY = 0.002  # seconds between two questions
CALM = 35      # seconds: the 30 s of fast questions after the start
STALLED = 8    # clusters, each with one stalled member
SWITCHES = 20


class Crowd:
    """The stand-ins."""

    def __init__(self, clusters):
        self.net, self.port, self.folder = "127.%d" % random.randrange(20, 220), random.randrange(20000, 32000), directory()
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests/bench/thousand_servers"), self.folder, "db", str(clusters), self.net, str(self.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        cleanups.append(self.process.kill)
        self.hear("ready")

    def hear(self, word):
        line = self.process.stdout.readline()
        assert line == word + "\n", "thousand_servers: %r" % line

    def say(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.hear("done")

    def address(self, cluster, member):
        return "%s.%d.%d" % (self.net, cluster, member + 1)

    @staticmethod
    def host(cluster, member):
        return "m%d-%d.thousand.test" % (cluster, member)

    def text(self, cluster):
        tls = cluster % 2 == 0
        hosts = [(self.host if tls else self.address)(cluster, member) for member in range(MEMBERS)]
        how = "verify-full tls_ca=%s/ca.pem" % self.folder if tls else "off"
        return cluster_text("c%d" % cluster, ["%s:%d" % (host, self.port) for host in hosts], name(cluster),
                            connection="user=homing tls=" + how, engine="mysql",
                            also="    password_file: %s/password\n    max_switches: 0\n" % self.folder)


def name(cluster):
    return "c%d.internal" % cluster


class Cases:
    def __init__(self, clusters):
        self.clusters, self.crowd = clusters, Crowd(clusters)
        own_hosts({self.crowd.host(c, m): self.crowd.address(c, m) for c in range(0, clusters, 2) for m in range(MEMBERS)})
        with open(os.open(self.crowd.folder + "/password", os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            out.write("homing-test\n")
        self.agent = Agent("".join(map(self.crowd.text, range(clusters)))).start()
        self.view, self.writers, self.next = None, {}, 0

    def status(self):
        return eventually(self.agent.status, "an answer of the agent")["clusters"]

    def all_have_writers(self):
        return all(c["writer"] for c in self.status())

    def unwell(self, but=()):
        """How many clusters are not steady, and of how many members the last report is no answer."""
        clusters = [c for c in self.status() if c["cluster"] not in but]
        return (sum(c["state"] != "steady" for c in clusters),
                sum(m["report"] != "answer" for c in clusters for m in c["members"]))

    def lags(self, seconds):
        """Milliseconds of each question."""
        asked, found, end = name(self.clusters - 1).encode(), [], time.monotonic() + seconds
        request = b"\x94\0\1\xa7resolve\x91" + bytes([0xa0 + len(asked)]) + asked
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(self.agent.socket)
            while (began := time.monotonic()) < end:
                s.sendall(request)
                assert s.recv(65536), "the agent has closed the connection"
                took = time.monotonic() - began
                found.append(took * 1000)
                time.sleep(max(0, EVERY - took))
        return sorted(found)

    def switch(self, cluster):
        """Milliseconds from the servers' word until it is in the view; less if the view was first."""
        to = (self.writers.get(cluster, 0) + 1) % MEMBERS
        self.crowd.say("switch", cluster)
        began, self.writers[cluster] = time.monotonic(), to
        while self.view.read(name(cluster)).text4 != self.crowd.address(cluster, to):
            assert time.monotonic() < began + PATIENCE, "%s is not published" % name(cluster)
            time.sleep(0.0005)
        return (time.monotonic() - began) * 1000

    def switches(self):
        """Of clusters that are far from those that stall, each once."""
        self.view = View(self.agent.socket)
        found = []
        for _ in range(min(SWITCHES, self.clusters // 4)):
            self.next += 1
            found.append(self.switch(self.clusters - 1 - self.next))
            time.sleep(random.random() / 4)  # anywhere between two questions
        return found

    def stall(self):
        """The clusters with a stalled member: even ones have TLS."""
        for number in range(STALLED):
            self.crowd.say("mute" if number < STALLED // 2 else "halt", number, number // 2 % 2)
        return {"c%d" % number for number in range(STALLED)}


# --- What is printed ----------------------------------------------------------------------------------

def used(pid):
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    with open("/proc/%d/status" % pid) as status:
        anonymous = next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), anonymous, len(os.listdir("/proc/%d/fd" % pid))


def measure(cases, what, seconds, but=()):
    pid = cases.agent.process.pid
    before, began = used(pid), time.monotonic()
    lags = cases.lags(seconds)
    after, took = used(pid), time.monotonic() - began
    print("  %s: lag median %.2f ms, p99 %.2f ms, max %.1f ms (n=%d); CPU %.1f %%, RssAnon %.1f MB, %d descriptors; "
          "%d others of the clusters are not steady, %d others of the members do not answer" % (
              what, statistics.median(lags), lags[int(len(lags) * 0.99)], lags[-1], len(lags),
              (after[0] - before[0]) / took * 100, after[1], after[2], *cases.unwell(but)), flush=True)


def report_switches(cases, what):
    took = cases.switches()
    print("  %s: in place, %d clusters in turn: published after median %.0f ms, max %.0f ms" % (
        what, len(took), statistics.median(took), max(took)), flush=True)


def main():
    own_namespaces("--net", "--mount")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    clusters = int(sys.argv[2]) if len(sys.argv) > 2 else 250
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print("%d clusters of %d members, every other one with TLS verify-full:" % (clusters, MEMBERS), flush=True)
    began = time.monotonic()
    cases = Cases(clusters)
    eventually(cases.all_have_writers, "all clusters have writers", 4 * PATIENCE)
    print("  all have writers %.1f s after the start" % (time.monotonic() - began), flush=True)
    measure(cases, "asked every 50 ms, as after a start", min(seconds, 20))
    time.sleep(CALM)
    measure(cases, "at rest", seconds)
    report_switches(cases, "at rest")
    time.sleep(CALM)
    but = cases.stall()
    measure(cases, "%d members stall" % STALLED, seconds, but)
    report_switches(cases, "%d members stall" % STALLED)
    cases.agent.stop()


cleanly(main)
