#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""W7 at random: programs of both libcs take steps while writers are switched, and each says of each of its connections
whether it may be, must be or must not be severed: walk/notes.h has the rules. Meanwhile homing-sever is restarted: by a
service manager that keeps its descriptors, by its supervisor when the process is killed that holds the permits, and when
all of it is. HOMING_WALK_STEPS: at least so many steps, of all programs together; HOMING_WALK_SEED: the choices of an
earlier run."""
import collections
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(TOP, "../support"), os.path.join(TOP, "../shim")]
from homing import BUILD, HOSTS, directory, own_namespaces, put_names  # noqa: E402
from manager import Manager  # noqa: E402
from tap import cleanups, equal, eventually, main, test  # noqa: E402
from sever import Sever, need_root  # noqa: E402
from harness import LIBCS, environment  # noqa: E402

need_root()
own_namespaces("--net", "--mount")
STEPS = int(os.environ.get("HOMING_WALK_STEPS", 100000))
SEED = int(os.environ.get("HOMING_WALK_SEED", random.randrange(1 << 30)))
CLUSTERS, MEMBERS = 48, 4
STEPS_AT = 16  # in struct walk
base = directory()
counts = {}


def prepare():
    """Addresses, and names that are not managed, for nobody but us."""
    put_names(HOSTS + "".join("127.77.%d.%d plain-%d-%d.walk\nfd77::%x:%x plain-%d-%d.walk\n"
                              % (c + 1, m + 1, c, m, c + 1, m + 1, c, m)
                              for c in range(CLUSTERS) for m in range(MEMBERS)))
    # What is marked with 7 is refused before it is sent.
    rules = [ip + rule for ip in ("ip ", "ip -6 ")
             for rule in ("rule add pref 9 lookup local", "rule del pref 0", "rule add pref 1 fwmark 7 prohibit")]
    for command in ["ip -6 route add local fd77::/16 dev lo", *rules]:
        subprocess.run(command.split(), check=True)


class Restarts:
    """Of homing-sever, in three ways by turns, as many as are wanted, spread over the steps."""

    def __init__(self):
        self.sever = Sever()
        self.manager = Manager(["/usr/bin/nice", "-n", "-10", os.path.join(BUILD, "homing-sever"), "--run-dir", self.sever.run,
                                "--log-format", "json"])
        cleanups.append(self.sever.kill_at_once)
        self.ways = [self.kill_holder, self.plan, self.kill_all]
        self.wanted, self.done = max(2 * len(self.ways), STEPS // 50000), 0
        self.start()
        eventually(self.sever.answers, "homing-sever; log: " + self.sever.log_path)

    def start(self):
        with open(self.sever.log_path, "a", encoding="utf-8") as log:
            self.sever.process = self.manager.start(log)

    def kill_holder(self):
        os.kill(self.sever.status()["pid"], signal.SIGKILL)

    def plan(self):
        equal(self.sever.stop(), 0)
        self.start()

    def kill_all(self):
        eventually(lambda: not self.sever.status()["permits"]["not_stored"], "the service manager has all")
        self.sever.kill_at_once()
        self.start()

    def instance(self, before):
        """Of another one than `before`; False: it does not answer yet."""
        try:
            instance = self.sever.call("version")["instance"]
        except (OSError, AssertionError):
            return False
        return instance != before and instance

    def next(self, conductor):
        """At its turn."""
        if self.done == self.wanted or conductor.steps() < STEPS * (self.done + 1) / (self.wanted + 1):
            return
        before = self.instance(None)
        conductor.tell("restart")
        eventually(lambda: not self.sever.status()["permits"]["waiting"], "what was read is taken")
        self.ways[self.done % len(self.ways)]()
        conductor.tell(eventually(lambda: self.instance(before), "another homing-sever answers"))
        self.done += 1


class Conductor:
    def __init__(self, sever, restarts):
        self.file = os.path.join(base, "walk")
        self.agent = os.path.join(sever.run, "agent.sock")
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests/live/walk/conductor"), self.file, str(SEED), str(STEPS), str(restarts),
             self.agent, sever.order_path, str(sever.call("version")["instance"])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        cleanups.append(self.end)
        equal(self.process.stdout.readline(), "ready\n")

    def tell(self, what):
        self.process.stdin.write(f"{what}\n")
        equal(self.process.stdout.readline(), "ok\n")

    def steps(self):
        with open(self.file, "rb") as file:
            return struct.unpack_from("=Q", file.read(STEPS_AT + 8), STEPS_AT)[0]

    def report(self):
        self.process.stdin.write("report\n")
        lines = iter(self.process.stdout.readline, "end\n")
        return {(what, name): int(count) for what, name, count in (line.rstrip("\n").split("\t") for line in lines)}

    def end(self):
        self.process.kill()
        self.process.wait()


def walkers(conductor, restarts):
    """Of each libc one that forks, and one with threads. They leave room for homing-sever, for which homingd would repeat its
    orders: what is late for want of a processor is no verdict."""
    kinds = [(libc, threads) for libc in LIBCS for threads in (1, 2)]
    started = [subprocess.Popen(["nice", "-n", "10", os.path.join(BUILD, "tests/live/walk/walker-" + libc), conductor.file, str(number),
                                 str(threads)], env=environment(conductor.agent))
               for number, (libc, threads) in enumerate(kinds)]
    for one in started:
        cleanups.append(lambda one=one: one.poll() is None and one.kill())
    while any(one.poll() is None for one in started):
        assert conductor.process.poll() is None, "the conductor ended"
        restarts.next(conductor)
        time.sleep(0.1)
    return [one.returncode for one in started]


def say(what):
    rows = ["%s %d" % (name, count) for (kind, name), count in counts.items()
            if kind == what and (count or what == "count")]
    print("# %s: %s" % (what, ", ".join(rows)))


@test
def no_step_of_very_many_severs_wrongly_or_misses_one():
    prepare()
    restarts = Restarts()
    sever = restarts.sever
    conductor = Conductor(sever, restarts.wanted)
    begun = time.monotonic()
    print("# HOMING_WALK_SEED=%d HOMING_WALK_STEPS=%d" % (SEED, STEPS), flush=True)
    try:
        ended = walkers(conductor, restarts)
    finally:
        warned = collections.Counter((line["event"], line["message"]) for line in map(json.loads, sever.text().splitlines())
                                     if line["level"] not in ("debug", "info"))
        print("# homing-sever warned: %s" % dict(warned), flush=True)
    counts.update(conductor.report())
    conductor.end()
    status = sever.status()
    print("# %.0f s; homing-sever: %s" % (time.monotonic() - begun, {**status["severed"], **status["permits"]}))
    for what in ("count", "step", "severed", "spared"):
        say(what)
    equal(ended, [0] * len(ended))
    equal([counts["count", what] for what in ("wrong", "missed", "astray")], [0, 0, 0])
    equal(counts["count", "restarts"], restarts.wanted)


@test
def the_walk_came_across_every_kind_of_step_and_connection():
    # The last two take luck.
    never = {("severed", name) for name in (
        "healthy writer", "reader on the demoted", "unmanaged name on the demoted", "stranger on the demoted",
        "of the reader just asked for", "other port of the demoted", "endpoint not ordered", "made after the switch", "writer again",
        "number of an old tag")} | {("count", name) for name in ("wrong", "missed", "astray", "out of reach", "without a permit")} | {
            (what, name) for what in ("severed", "spared") for name in ("connected during the switch", "while connecting")}
    equal([key for key, count in counts.items() if not count and key not in never], [])


main()
