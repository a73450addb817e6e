# SPDX-License-Identifier: Apache-2.0
"""W11 with real servers, each host in a network namespace of its own: a member that is known by name moves from one to
another, and DNS names that. Its clients are those of tests/bench/failover, under the library.
"""
import os
import shutil
import subprocess
import sys
import time

from homing import (BUILD, NODE_PATH, PG_SH, PLAIN, SRC, Agent, cluster_text, directory, node_has_pg, own_namespaces,
                    put_names)
from sever import need_root
from tap import cleanups, eventually, give_up

sys.path.insert(0, os.path.join(SRC, "tests/bench/failover"))
from net import BRIDGE, Net, ip, mac  # noqa: E402

CLIENTS = os.path.join(SRC, "tests/bench/failover/clients")
NAME, MEMBER, READER, READERS = "orders-db.test", "db-1.test", "db-2.test", "orders-ro.test"
PORT = "5432"
HOSTS = ["10.77.0.%d" % n for n in range(1, 10)]
JARS = ["/usr/share/java/HikariCP.jar", "/usr/share/java/postgresql.jar", "/usr/share/java/slf4j-api.jar"]


def hosts():
    """A network for them."""
    need_root()
    own_namespaces("--net", "--mount")
    os.environ.update(PG_NET="10.77.0", PG_PORT=PORT)
    net = Net()
    for host in HOSTS:
        net.add(host, host)
        # A host that is cut off is not missed by its neighbours: packets to it vanish, as behind a router.
        ip("neighbour", "replace", host, "lladdr", mac(host), "dev", BRIDGE, "nud", "permanent")
    cleanups.append(lambda: [holder.kill() for holder in net.holders.values()])
    return net


def servers():
    """Their root directory."""
    done = subprocess.run(["bash", PG_SH, "root_new"], capture_output=True, text=True)
    if done.returncode != 0:
        give_up(" ".join(done.stderr.split()))
    root = os.environ["PG_ROOT"] = done.stdout.strip()
    cleanups.append(lambda: subprocess.run(["bash", PG_SH, "destroy"], env=dict(os.environ, PG_ROOT=root)))
    return root


class Dns:
    """Names of members, and what they lead to."""

    def __init__(self):
        self.zone, self.names = os.path.join(directory(), "zone"), {}
        self.write()
        with open(self.zone + ".log", "w") as log:
            process = subprocess.Popen([os.path.join(SRC, "tests/support/dns.py"), "127.53.0.1", "53", self.zone],
                                       stdout=subprocess.PIPE, stderr=log, env=dict(os.environ, DNS_LOG="1"), text=True)
        cleanups.append(process.kill)
        process.stdout.readline()
        put_names(resolv="nameserver 127.53.0.1\noptions timeout:1 attempts:2\n", nsswitch="hosts: files dns\n")

    def write(self):
        with open(self.zone + ".new", "w") as out:
            for name, (ttl, address) in self.names.items():
                out.write("%s %d %s\n" % (name, ttl, address))
        os.rename(self.zone + ".new", self.zone)

    def point(self, name, address, ttl=1):
        """Also what programs without homing would get."""
        self.names[name] = ttl, address
        if name == MEMBER:
            self.names[NAME] = ttl, address
        self.write()
        return time.time() * 1000

    def asked(self, name):
        """How often."""
        with open(self.zone + ".log") as log:
            return log.read().count(name + " ")


class Host:
    """Where the data set `data` is."""

    def __init__(self, stage, data):
        self.stage, self.data, self.at = stage, data, stage.pg(HOSTS[0], "address", data)

    def goes_silent(self):
        """Its link goes down; what it does then, nobody hears. Connections to it stand."""
        self.stage.net.cut(self.at)

    def stops(self):
        self.stage.pg(self.at, "kill", self.data)

    def comes_up(self, at):
        """The same data set, from the same disk, on another host."""
        self.stage.pg(self.at, "kill", self.data)
        with open("%s/%s.address" % (self.stage.root, self.data), "w") as out:
            out.write(at + "\n")
        self.stage.pg(at, "settings", self.data)
        self.stage.pg(at, "start", self.data)
        old, self.at = self.at, at
        return old


class Stage:
    """A writer and its reader, the agent that knows them by name, and DNS."""

    def __init__(self):
        self.net, self.root = hosts(), servers()
        self.pg(HOSTS[0], "init", "a")
        self.pg(HOSTS[0], "sql", "a", "CREATE TABLE writes (client text)")
        self.pg(HOSTS[1], "clone", "b", "a")
        self.writer, self.dns = Host(self, "a"), Dns()
        self.dns.point(MEMBER, HOSTS[0])
        self.dns.point(READER, HOSTS[1])
        self.clusters = cluster_text("orders", [MEMBER, READER], NAME, READERS, PLAIN,
                                     "    max_switches: 0\n    max_lag: 100GB\n")
        self.agent = Agent(self.clusters)
        self.agent.start()
        self.settled()
        eventually(lambda: self.agent.status()["severing"]["available"], "severing is available")

    def pg(self, host, *command):
        done = subprocess.run([*self.net.inside(host), "bash", PG_SH, *command], env=dict(os.environ, PG_ROOT=self.root),
                              capture_output=True, text=True)
        assert done.returncode == 0, "pg.sh %s: %s" % (" ".join(command), done.stderr)
        return done.stdout.strip()

    def settled(self):
        self.agent.wait_writer("orders", MEMBER + ":" + PORT)

    def moves(self):
        return [e for e in self.agent.log("writer_changed") if e["reason"] == "moved"]

    def carry(self, goes, at):
        """The writer goes, in this way, and its data set comes up at `at`; nobody is told."""
        old = self.writer.at
        goes()
        self.agent.wait_state("orders", "suspect")
        self.writer.comes_up(at)
        assert self.agent.resolve(NAME) == [old], self.agent.resolve(NAME)

    def name(self, at, ttl):
        """DNS names that. Returns when, in ms, after the move is known."""
        before, named_ms = len(self.moves()), self.dns.point(MEMBER, at, ttl)
        eventually(lambda: len(self.moves()) == before + 1, "the move is known")
        return named_ms


class Worker:
    """One of the benchmark's clients: "MS NUMBER begin", then "MS NUMBER ok" or "MS NUMBER error CODE TEXT". With the
    library of `agent`, or without homing, to another host."""

    def __init__(self, name, command, agent=None, before=(), host=NAME):
        self.name, self.out = name, os.path.join(directory(), "out")
        self.made_of = name, command, agent, before, host
        run = [os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--"] if agent else []
        env = dict(os.environ, CLIENT=name, PGHOST=host, PGPORT=PORT, PGUSER="postgres", PGDATABASE="postgres",
                   PGSSLMODE="disable", PGPASSWORD="x", NODE_PATH=NODE_PATH)
        with open(self.out, "w") as out, open(self.out + ".err", "w") as err:
            self.process = subprocess.Popen(
                [*before, *run, *(word.replace(NAME, host) for word in command)], env=env, stdin=subprocess.DEVNULL,
                stdout=out, stderr=err)
        cleanups.append(self.end)

    def end(self):
        self.process.kill()
        self.process.wait()

    def again(self):
        self.end()
        return Worker(*self.made_of).writes()

    def writes(self):
        eventually(lambda: self.first_ok(0), self.name + " writes")
        return self

    def said(self):
        """[(ms, number, what)], in order."""
        with open(self.out) as out:
            lines = out.read().rpartition("\n")[0].splitlines()
        return [(int(ms), number, what) for ms, number, what in (line.split(None, 2) for line in lines)]

    def first_ok(self, since_ms):
        """When the first write was done that began after `since_ms`; None: not yet."""
        begun = set()
        for ms, number, what in self.said():
            if what == "begin" and ms >= since_ms:
                begun.add(number)
            elif what == "ok" and number in begun:
                return ms
        return None

    def last_end(self, before_ms):
        """When the last of the writes was over that began before `before_ms`; None: one hangs."""
        begun, last = set(), 0
        for ms, number, what in self.said():
            if what == "begin" and ms < before_ms:
                begun.add(number)
            elif what != "begin" and number in begun:
                begun.remove(number)
                last = ms
        return None if begun else last


def java():
    """The command that runs Hikari.java, compiled; None: not here."""
    if not (all(map(os.path.exists, JARS)) and shutil.which("javac")):
        return None
    out = directory()
    subprocess.run(["javac", "-cp", ":".join(JARS), "-d", out, CLIENTS + "/Hikari.java"], check=True, stdout=sys.stderr)
    return ["java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", ":".join([out, *JARS]), "Hikari",
            "jdbc:postgresql://%s:%s/postgres?sslmode=disable" % (NAME, PORT)]


def clients():
    """[(name, its command)] of those that are here."""
    found = [("psycopg2", ["/usr/bin/python3", "-B", os.path.join(CLIENTS, "psycopg2_loop.py")])]
    if node_has_pg():
        found.append(("node `pg` pool", ["node", os.path.join(CLIENTS, "node_pg.js")]))
    pool = java()
    return found + ([("HikariCP", pool)] if pool else [])
