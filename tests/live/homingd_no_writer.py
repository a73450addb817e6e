#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""For a while there is no writer, and then there is: what clients see that ran before, and ones started meanwhile.

Lookups never fail nor wait. Connects are refused at once, or wait for `hold` if they are blocking, where the old writer
is known to be none; where it is silent they go there, and are severed from it as soon as there is another.
HOMING_OUTAGE_SECONDS (5) is how long there is none. Times are printed, not asserted.
"""
import itertools
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.join(HERE, "../bench/failover/clients")
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import (  # noqa: E402
    BUILD, NODE_PATH, Agent, cluster_of, directory, node_has_pg, own_hosts, own_namespaces, pair, protected,
    settle)
from pulse import Pulse  # noqa: E402
from tap import cleanups, equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402


need_root()
own_namespaces("--mount")
OUTAGE = float(os.environ.get("HOMING_OUTAGE_SECONDS", "5"))
JARS = ["/usr/share/java/HikariCP.jar", "/usr/share/java/postgresql.jar", "/usr/share/java/slf4j-api.jar"]
NAME, UNMANAGED = "orders-db.invalid", "elsewhere.invalid"
NAMES = 2000  # that nobody looked up yet, 20 a second
HOLD_MS = 2000  # the default of `hold`
LOOKUP_ERRORS = ("translate host name", "ENOTFOUND", "EAI_", "getaddrinfo", "UnknownHost")

pg = pair()
pg.sql("a", "CREATE TABLE writes (client text)")
PORT = pg.port()
OUT = directory()
# What DNS would say, before the failover and long after it; and names that a JVM does not know yet.
own_hosts({NAME: pg.address("a"), UNMANAGED: "127.0.0.1",
           **{"n%d.%s" % (n, UNMANAGED): "127.0.0.1" for n in range(NAMES)}})
agent = Agent(cluster_of(pg, NAME))
agent.start()
agent.wait_writer("orders", pg.member("a"))
eventually(lambda: agent.status()["severing"]["available"], "severing is available")


def now_ms():
    return time.time() * 1000


class Program:
    """A program under the shim, or (plain) not, and what it printed since it was started."""

    def __init__(self, name, command, host=NAME, plain=False):
        self.name, self.command, self.out = name, command, os.path.join(OUT, "%d" % len(os.listdir(OUT)))
        env = dict(os.environ, CLIENT=name, PGHOST=host, PGPORT=PORT, PGUSER="postgres", PGDATABASE="postgres",
                   PGSSLMODE="disable", PGPASSWORD="x", NODE_PATH=NODE_PATH)
        run = [] if plain else [os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--"]
        with open(self.out, "w") as out, open(self.out + ".err", "w") as err:
            self.process = subprocess.Popen([*run, *command], env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        cleanups.append(self.end)

    def end(self):
        self.process.kill()
        self.process.wait()

    def lines(self):
        """All of them; the last may be cut off."""
        with open(self.out) as out:
            return out.read().rpartition("\n")[0].splitlines()


class Worker(Program):
    """One of the benchmark's clients: "MS NUMBER begin", then "MS NUMBER ok" or "MS NUMBER error CODE TEXT"."""

    def writes(self, since_ms):
        eventually(lambda: self.first_ok(since_ms), self.name + " writes")
        return self

    def again(self):
        self.end()
        return Worker(self.name, self.command).writes(0)

    def first_ok(self, since_ms):
        """When the first write was done that began after `since_ms`; None: not yet."""
        begun = set()
        for line in self.lines():
            ms, number, said = line.split(None, 2)
            if said == "begin" and int(ms) >= since_ms:
                begun.add(number)
            elif said == "ok" and number in begun:
                return int(ms)
        return None

    def errors(self):
        return [line.split(None, 3)[3] for line in self.lines() if line.split()[2] == "error"]

    def lookups(self, since_ms):
        """How many ms each lookup beside it took."""
        said = [line.split() for line in self.lines()]
        return [int(words[3]) for words in said if words[2] == "lookup" and int(words[0]) > since_ms]


class Dialer(Program):
    def attempts(self, what="connect"):
        return [one for one in map(json.loads, self.lines()) if one["what"] == what]

    def reaches(self, address, since_ms):
        return any(one["peer"] == address and one["began"] >= since_ms for one in self.attempts())


def commands():
    yield "psycopg2", ["/usr/bin/python3", "-B", os.path.join(CLIENTS, "psycopg2_loop.py")]
    yield "psql", ["bash", os.path.join(CLIENTS, "psql.sh")]
    if node_has_pg():
        yield "node pg", ["node", os.path.join(CLIENTS, "node_pg.js")]


def workers(when, **how):
    return [Worker("%s, %s" % (name, when), command, **how) for name, command in commands()]


def compiled():
    """Once, where HikariCP and a compiler are."""
    return all(map(os.path.exists, JARS)) and shutil.which("javac") and subprocess.run(
        ["javac", "-cp", ":".join(JARS), "-d", OUT, CLIENTS + "/Hikari.java", HERE + "/HikariBeside.java"],
        stdout=sys.stderr, check=False).returncode == 0


def hikari(when):
    return [Worker("HikariCP, " + when, [
        "java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", ":".join([OUT, *JARS]), "HikariBeside",
        "jdbc:postgresql://%s:%s/postgres?sslmode=disable" % (NAME, PORT), UNMANAGED, str(NAMES)])] if HIKARI else []


def dialers(when):
    dialer = ["/usr/bin/python3", "-B", os.path.join(HERE, "dialer.py")]
    return [Dialer("%s, %s" % (kind, when), [*dialer, kind, NAME, PORT, "localhost", UNMANAGED])
            for kind in ("blocking", "nonblocking")]


def still_there(programs):
    for one in programs:
        equal((one.name, one.process.poll()), (one.name, None))


def check_lookups(all_workers, all_dialers, since_ms, stood_still_ms):
    for one in all_workers:
        equal([e for e in one.errors() if any(text in e for text in LOOKUP_ERRORS)], [])
    for one in all_workers:
        if took := one.lookups(since_ms):
            print("# %s: its slowest of %d lookups of other names took %d ms" % (one.name, len(took), max(took)))
            assert max(took) < HOLD_MS + stood_still_ms, (stood_still_ms, took)
    for one in all_dialers:
        tried = one.attempts() + one.attempts("lookup")
        equal([a for a in tried if a["error"] and a["error"].startswith("lookup")], [])
        print("# %s: its slowest lookup of another name took %.1f ms" % (
            one.name, max(a["ended"] - a["began"] for a in one.attempts("lookup") if a["ended"] > since_ms)))


def outage(break_it, check=lambda *_: None):
    """`break_it` leaves no writer; then the other one is promoted. `check` gets the dialers and the time in between."""
    with Pulse() as pulse:
        beside(pulse, break_it, check)


def beside(pulse, break_it, check):
    old = agent.cluster("orders")["writer"].split(":")[0]
    old = next(name for name in ("a", "b") if pg.address(name) == old)
    new = "b" if old == "a" else "a"
    began_ms = now_ms()
    running, dialing = workers("running") + hikari("running"), dialers("running")
    plain = workers("plain and at the right address", host=pg.address(new), plain=True)
    for one in running:
        one.writes(began_ms)
    # psql connects anew each time.
    running = [one if one.name.startswith("psql") else protected(agent, one) for one in running]
    for one in dialing:
        eventually(lambda: one.reaches(pg.address(old), began_ms), one.name + " gets through")
    break_it(old)
    known_ms = now_ms()
    running += workers("started meanwhile") + hikari("started meanwhile")
    dialing += dialers("started meanwhile")
    time.sleep(OUTAGE)
    still_there(running + dialing + plain)
    over_ms = now_ms()
    pg.promote(new)
    promoted_ms = now_ms()
    for one in running + plain:
        good_ms = eventually(lambda: one.first_ok(over_ms), one.name + " writes again: " + str(one.errors()[-3:]))
        print("# %s: first good write %+d ms after the promotion returned" % (one.name, good_ms - promoted_ms))
    for one in dialing:
        eventually(lambda: one.reaches(pg.address(new), over_ms), one.name + " gets through to the new writer")
    still_there(running + dialing + plain)
    for one in running + dialing + plain:
        one.end()
    for one in running:
        assert int(pg.sql(new, "SELECT count(*) FROM writes WHERE client = '%s'" % one.name)) > 0, one.name
    pg.sql(new, "TRUNCATE writes")
    settle(pg, agent, old, new)
    check_lookups(running, dialing, known_ms, pulse.worst_ms)
    check(dialing, known_ms, over_ms)


def refused_by_us(dialing, known_ms, over_ms):
    """While it was known that there is no writer: the blocking waited, the others did not; all were refused. A process
    whose first lookup the agent does not answer in time begins with what DNS says."""
    counts = {}
    for one in dialing:
        within = [a for a in one.attempts() if a["began"] >= known_ms and a["ended"] <= over_ms]
        if one.name.endswith("meanwhile"):
            within = list(itertools.dropwhile(lambda a: a["error"] is None, within))
        equal({(a["peer"], a["error"]) for a in within}, {(None, "ECONNREFUSED")})
        longest = max(within, key=lambda a: a["ended"] - a["began"])
        counts[one.name] = len(within)
        print("# %s: refused %d times, after %.0f ms at most" % (
            one.name, len(within), longest["ended"] - longest["began"]))
        if one.name.startswith("blocking"):
            during = [a for a in one.attempts("lookup")
                      if longest["began"] <= a["began"] and a["ended"] <= longest["ended"]]
            assert during, "no other name was looked up while a connect waited"
            assert all(a["ended"] - a["began"] > HOLD_MS / 2 for a in within), within
    for when in ("running", "started meanwhile"):
        assert counts["nonblocking, " + when] > counts["blocking, " + when], counts


HIKARI = compiled()


@test
def hikaricp_is_here_to_be_tested():
    if not HIKARI:
        print("# not tested, because it or a JDK is not installed: HikariCP")
    assert HIKARI or not os.environ.get("CI")


@test
def with_the_old_writer_stopped():
    def stop(old):
        pg.stop(old)
        agent.wait_state("orders", "suspect")
    outage(stop)


@test
def with_the_old_writer_silent():
    def freeze(old):
        pg.freeze(old)
        agent.wait_state("orders", "suspect")
    outage(freeze)


@test
def with_the_old_writer_up_and_read_only():
    def restart_read_only(old):
        pg.stop(old)
        with open(os.path.join(pg.data(old), "standby.signal"), "w"):
            pass
        pg.start(old)
        agent.wait_state("orders", "no_writer")
    outage(restart_read_only, refused_by_us)


main()
