#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One JVM with a writer's pool and a reader's pool (HikariCP), both names managed, in a cluster of two. The JVM caches
addresses. Of two switchovers, the first comes when it has forgotten them, and looks both names up anew; the second comes
while it remembers: then the writer's pool has an address that was the reader's, too. HOMING_POOL_SWITCHES: how many switchovers, in
turns in place, where the old writer lives on and refuses writes, and by stopping it. Times are printed."""
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import BUILD, Agent, cluster_of, demote, directory, own_hosts, own_namespaces, pair, settle  # noqa: E402
from pulse import Pulse  # noqa: E402
from tap import cleanups, equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
SWITCHES = int(os.environ.get("HOMING_POOL_SWITCHES", "4"))
JARS = ["/usr/share/java/HikariCP.jar", "/usr/share/java/postgresql.jar", "/usr/share/java/slf4j-api.jar"]
NAME, READERS = "orders-db.invalid", "orders-ro.invalid"
CACHE_S = 20  # 30 by default
RIGHT_MS = 1200  # from the new writer's publication until both pools are right; not counted is that this machine stood still
READ_ONLY = "25006"
OUT = directory()


def now_ms():
    return time.time() * 1000


class Pools:
    """What the JVM printed: when, which pool, and what became of the request."""

    def __init__(self, of):
        self.out = os.path.join(OUT, "pools")
        env = dict(os.environ, PGUSER="postgres", PGPASSWORD="x")
        urls = ["jdbc:postgresql://%s:%s/postgres?sslmode=disable" % (name, PORT) for name in (NAME, READERS)]
        with open(self.out, "w") as out, open(self.out + ".err", "w") as err:
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "homingctl"), "--socket", of.socket, "run", "--", "java", "-Xmx64m",
                 "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dsun.net.inetaddr.ttl=%d" % CACHE_S, "-cp", ":".join([OUT, *JARS]), "HikariPools", *urls],
                env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        cleanups.append(self.end)

    def end(self):
        self.process.kill()
        self.process.wait()

    def said(self, who, since_ms):
        """[(ms, what)], without the last line, which may be cut off."""
        equal(self.process.poll(), None)
        with open(self.out) as out:
            lines = [line.split(None, 2) for line in out.read().rpartition("\n")[0].splitlines()]
        return [(int(ms), what) for ms, name, what in lines if name == who and int(ms) >= since_ms]

    def first_ok(self, who, since_ms):
        return next((ms for ms, what in self.said(who, since_ms) if what == "ok"), None)

    def goes_on(self, who, since_ms):
        """So many requests succeeded that every connection of the pool had several."""
        return sum(what == "ok" for _, what in self.said(who, since_ms)) >= 50


def compiled():
    return all(map(os.path.exists, JARS)) and shutil.which("javac") and subprocess.run(
        ["javac", "-cp", ":".join(JARS), "-d", OUT, HERE + "/HikariPools.java"], stdout=sys.stderr,
        check=False).returncode == 0


HIKARI = compiled()
pg = pair()
PORT = pg.port()
pg.sql("a", "CREATE TABLE writes (client text)")
own_hosts({NAME: pg.address("a"), READERS: pg.address("b")})
agent = Agent(cluster_of(pg, NAME, READERS))
worst = {"writer": 0, "reader": 0}


def in_place(old, new):
    demote(pg, old, new)


def by_stop(old, new):
    pg.stop(old)
    pg.promote(new)


def switch_over(pools, old, new, how):
    """Both pools are right soon, and the writer's has no read-only error after that."""
    how(old, new)
    agent.wait_writer("orders", pg.member(new))
    known_ms, firsts = now_ms(), {}
    with Pulse() as pulse:
        for who in worst:
            firsts[who] = eventually(lambda: pools.first_ok(who, known_ms), "%s after %s: %s" % (
                who, how.__name__, pools.said(who, known_ms)[-3:]))
    right_ms = known_ms + RIGHT_MS + pulse.total_ms
    print("# this machine stood still for %.0f ms meanwhile" % pulse.total_ms)
    for who, first_ms in firsts.items():
        worst[who] = max(worst[who], first_ms - known_ms)
        assert first_ms <= right_ms, (who, how.__name__, first_ms - known_ms, pulse.total_ms)
        eventually(lambda: pools.goes_on(who, right_ms), who + " goes on")
    until_ms = now_ms()
    late = [(ms, what) for ms, what in pools.said("writer", right_ms) if ms < until_ms and what != "ok"]
    assert not late, (how.__name__, [(ms - known_ms, what) for ms, what in late[:5]], len(late))
    settle(pg, agent, old, new)


@test
def two_pools_of_one_JVM_are_both_right_after_each_of_many_switchovers():
    if not HIKARI:
        print("# not tested, because it or a JDK is not installed: HikariCP")
        assert not os.environ.get("CI")
        return
    agent.start()
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    eventually(lambda: agent.resolve(READERS) == [pg.address("b")], "b serves readers")
    pools, began_ms = Pools(agent), now_ms()
    for who in worst:
        eventually(lambda: pools.goes_on(who, began_ms), who + " runs")
    looked_up_ms = now_ms()
    for i in range(SWITCHES):
        old, new = ("a", "b") if i % 2 == 0 else ("b", "a")
        if i % 2 == 0:
            eventually(lambda: now_ms() - looked_up_ms > 1000 * CACHE_S, "the JVM has forgotten both addresses")
            looked_up_ms = now_ms()
        switch_over(pools, old, new, in_place if i // 2 % 2 == 0 else by_stop)
        eventually(lambda: agent.resolve(READERS) == [pg.address(old)], old + " serves readers")
    errors = [what for who in worst for _, what in pools.said(who, began_ms) if what != "ok"]
    print("# %d switchovers: right after at most %d ms (writer) and %d ms (reader); errors in all: %d, of them read-only: %d"
          % (SWITCHES, worst["writer"], worst["reader"], len(errors), sum(READ_ONLY in what for what in errors)))


main()
