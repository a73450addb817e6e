#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""W7 at random: programs of both libcs take steps while writers are switched, and each says of each of its connections
whether it may be, must be or must not be severed: walk/notes.h has the rules. HOMING_WALK_STEPS: at least so many steps,
of all programs together; HOMING_WALK_SEED: the choices of an earlier run."""
import os
import random
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(TOP, "../support"), os.path.join(TOP, "../shim")]
from homing import BUILD, HOSTS, directory, own_namespaces, put_names  # noqa: E402
from tap import cleanups, equal, main, test  # noqa: E402
from sever import Sever, need_root  # noqa: E402
from harness import LIBCS, environment  # noqa: E402

need_root()
own_namespaces("--net", "--mount")
STEPS = int(os.environ.get("HOMING_WALK_STEPS", 100000))
SEED = int(os.environ.get("HOMING_WALK_SEED", random.randrange(1 << 30)))
CLUSTERS, MEMBERS = 48, 3
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


class Conductor:
    def __init__(self, sever):
        self.file = os.path.join(base, "walk")
        self.agent = os.path.join(sever.run, "agent.sock")
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests/live/walk/conductor"), self.file, str(SEED), str(STEPS), self.agent,
             sever.order_path, str(sever.call("version")["instance"])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        cleanups.append(self.end)
        equal(self.process.stdout.readline(), "ready\n")

    def report(self):
        self.process.stdin.write("report\n")
        lines = iter(self.process.stdout.readline, "end\n")
        return {(what, name): int(count) for what, name, count in (line.rstrip("\n").split("\t") for line in lines)}

    def end(self):
        self.process.kill()
        self.process.wait()


def walkers(conductor):
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
        time.sleep(0.1)
    return [one.returncode for one in started]


def say(what):
    rows = ["%s %d" % (name, count) for (kind, name), count in counts.items()
            if kind == what and (count or what == "count")]
    print("# %s: %s" % (what, ", ".join(rows)))


@test
def no_step_of_very_many_severs_wrongly_or_misses_one():
    prepare()
    sever = Sever().start(wrap=("nice", "-n", "-10"))
    conductor = Conductor(sever)
    begun = time.monotonic()
    print("# HOMING_WALK_SEED=%d HOMING_WALK_STEPS=%d" % (SEED, STEPS), flush=True)
    ended = walkers(conductor)
    counts.update(conductor.report())
    status = sever.status()
    print("# %.0f s; homing-sever: %s" % (time.monotonic() - begun, {**status["severed"], **status["permits"]}))
    for what in ("count", "step", "severed", "spared"):
        say(what)
    equal(ended, [0] * len(ended))
    equal([counts["count", what] for what in ("wrong", "missed", "astray")], [0, 0, 0])


@test
def the_walk_came_across_every_kind_of_step_and_connection():
    # The last two take luck.
    never = {("severed", name) for name in (
        "healthy writer", "reader on the demoted", "unmanaged name on the demoted", "stranger on the demoted",
        "other port of the demoted", "endpoint not ordered", "made after the switch", "writer again",
        "number of an old tag")} | {("count", name) for name in ("wrong", "missed", "astray", "out of reach")} | {
            (what, name) for what in ("severed", "spared") for name in ("connected during the switch", "while connecting")}
    equal([key for key, count in counts.items() if not count and key not in never], [])


main()
