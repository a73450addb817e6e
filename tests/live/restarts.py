#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real programs while the agent is killed and ended in turns, again and again: each beside itself without the shim.

One of each runs all the time and is told to connect and to look up over and over; others are started, do that once,
and end. What they print and how they end is the same with the shim and without, all the time; descriptors, mappings
and memory grow no further than without it; and in the end all that still run follow a promotion.
HOMING_RESTART_SECONDS (20) is how long, HOMING_RESTART_EVERY (4) how often. As root: with an /etc/hosts of its own.
"""
import itertools
import os
import select
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TURNS = os.path.join(HERE, "turns")
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import (  # noqa: E402
    BUILD, NODE_PATH, Agent, all_here, cluster_of, directory, node_has_pg, own_hosts, own_namespaces, pair)
from tap import PATIENCE, cleanups, equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402


need_root()
own_namespaces("--mount")
SECONDS = float(os.environ.get("HOMING_RESTART_SECONDS", "20"))
EVERY = float(os.environ.get("HOMING_RESTART_EVERY", "4"))
JARS = "/usr/share/java/postgresql.jar"
NAME, UNMANAGED = "orders-db.invalid", "elsewhere.invalid"
PAUSE = 0.1  # between two turns: what is tested is how often the agent is gone, not load
# What a process under the shim may have more: the one descriptor of its permit;
OWN_DESCRIPTORS = 1
OWN_MAPPINGS = 30  # the library's, four views at most (V4), and as much again for what varies by itself
# How much more a program's memory grows than the same one's without the shim, in the better of two times: what leaks at
# each restart grows in both, and what a compiler or a garbage collector takes once in one of them.
GROWTH_KB = 512

pg = pair()
PORT = pg.port()
WORK = directory()
# So that without the shim the programs get to the same place.
own_hosts({NAME: pg.address("a"), UNMANAGED: "127.0.0.9"})
agent = Agent(cluster_of(pg, NAME))


# --- The programs

def compiled(*command):
    return shutil.which(command[0]) and subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0


def python_has(module):
    return subprocess.run(["/usr/bin/python3", "-c", "import " + module], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


WHERE = (NAME, PORT, UNMANAGED)
PSQL = ('\\c "host=%s port=%s dbname=postgres user=postgres sslmode=disable"\n'
        'SELECT host(inet_server_addr());' % WHERE[:2])
# The server answers no HTTP, and nothing listens at the other name: 7 says so, 6 would be that there is no such name.
CURL = ('while read -r _; do curl -s --max-time 20 -o /dev/null -w "%{remote_ip} " "http://$0:$1/";'
        ' curl -s --max-time 20 "http://$2:$1/"; echo $?; done')
CONNECT_C = os.path.join(HERE, "connect.c")
# What it is called, whether it is here, and the command; each line of its input is a turn, and gives one of output.
PROGRAMS = [
    ("psql", shutil.which("psql"), ["psql", "-XqAtw", "-v", "ON_ERROR_STOP=0", "-U", "postgres", "-h", NAME, "-p", PORT,
                                    "postgres"]),
    ("psycopg2", python_has("psycopg2"), ["/usr/bin/python3", "-B", TURNS + "/psycopg2_turns.py", *WHERE]),
    ("node pg", node_has_pg(), ["node", TURNS + "/node_pg_turns.js", *WHERE]),
    ("curl in a shell", shutil.which("curl"), ["sh", "-c", CURL, *WHERE]),
    ("Perl", shutil.which("perl"), ["/usr/bin/perl", TURNS + "/perl_turns.pl", *WHERE]),
    ("Ruby", shutil.which("ruby"), ["ruby", TURNS + "/ruby_turns.rb", *WHERE]),
    ("PHP streams", shutil.which("php"), ["php", TURNS + "/php_turns.php", *WHERE]),
    ("JDBC", os.path.exists(JARS) and compiled("javac", "-d", WORK, TURNS + "/Turns.java"),
     # All of its heap is in memory from the start: when it first uses a part of it is a matter of luck.
     ["java", "-Xms32m", "-Xmx32m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
      WORK + ":" + JARS, "Turns", *WHERE]),
    ("a musl program", compiled("musl-gcc", "-O1", "-o", WORK + "/musl", CONNECT_C), [WORK + "/musl", *WHERE[:2], "-"]),
    ("a glibc program", compiled("cc", "-O1", "-o", WORK + "/glibc", CONNECT_C), [WORK + "/glibc", *WHERE[:2], "-"]),
]


class Program:
    """One of them, with the shim or (plain) without."""

    def __init__(self, name, command, plain):
        env = {"PATH": os.environ["PATH"], "NODE_PATH": NODE_PATH, "LC_ALL": "C.UTF-8", "HOME": WORK}
        if not plain:
            env.update(LD_PRELOAD=os.path.join(BUILD, "shim/libhoming.so"), HOMING_SOCKET=agent.socket)
        self.name, self.rest, self.turns = name + (", plain" if plain else ""), b"", 0
        self.line = (PSQL if name == "psql" else "turn").encode() + b"\n"
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, cwd=WORK)
        cleanups.append(self.end)

    def begin(self):
        self.turns += 1
        try:
            self.process.stdin.write(self.line)
            self.process.stdin.flush()
        except BrokenPipeError:
            raise AssertionError("%s before its turn %d: %s" % (self.name, self.turns, self.answer())) from None

    def answer(self):
        """The line that a turn gives."""
        while b"\n" not in self.rest:
            if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
                raise AssertionError("%s says nothing in its turn %d" % (self.name, self.turns))
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return "ended with %d: %s" % (self.process.wait(), self.rest.decode())
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def once(self):
        """A turn and the end: (all it said, exit code)"""
        said, _ = self.process.communicate(self.line, timeout=PATIENCE)
        cleanups.remove(self.end)
        return said.decode(), self.process.returncode

    def end(self):
        self.process.kill()
        self.process.wait()

    def size(self):
        """(descriptors, mappings, KB of memory)"""
        with open("/proc/%d/maps" % self.process.pid) as maps:
            mappings = len(maps.readlines())
        return descriptors(self.process.pid), mappings, memory_kb(self.process.pid)


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def memory_kb(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))


class Pair:
    """A program with the shim, and the same one without."""

    def __init__(self, name, command):
        self.name, self.both = name, [Program(name, command, plain) for plain in (False, True)]

    def turn(self):
        for one in self.both:
            one.begin()
        said = [one.answer() for one in self.both]
        assert said[0] == said[1] and "ended" not in said[0], "%s: %r, and plain %r" % (self.name, *said)

    def sizes(self):
        return [one.size() for one in self.both]


def once(name, command):
    said, plain = [Program(name, command, plain).once() for plain in (False, True)]
    equal((name, said), (name, plain))


# --- The agent

class Restarter:
    def __init__(self):
        self.count, self.next = 0, time.monotonic() + EVERY

    def due(self):
        """Kills it or tells it to end, in turns; it is started again at once."""
        if time.monotonic() < self.next:
            return
        self.count += 1
        if self.count % 2:
            agent.kill()
        else:
            equal(agent.stop(), 0)
        agent.spawn()
        self.next += EVERY


def sever_sizes():
    pid = agent.status()["severing"]["pid"]
    with open("/proc/%d/status" % pid) as status:
        parent = next(int(line.split()[1]) for line in status if line.startswith("PPid:"))
    return [(one, descriptors(one), memory_kb(one)) for one in (parent, pid)]


def agent_size():
    eventually(agent.answers, "the agent answers")
    return descriptors(agent.process.pid), memory_kb(agent.process.pid)


def here():
    return [(name, command) for name, there, command in PROGRAMS if there]


def run(pairs, seconds):
    """Turns of all that run, and one that ends between two of them; how many turns, and how many ended."""
    end, ended, names = time.monotonic() + seconds, 0, itertools.cycle(here())
    for turns in itertools.count():
        if time.monotonic() >= end:
            return turns, ended
        for pair in pairs:
            restarter.due()
            pair.turn()
        once(*next(names))
        ended += 1
        time.sleep(PAUSE)


def report(pairs, sizes):
    for pair in pairs:
        print("# %-16s descriptors, mappings, KB: %s, then %s, then %s; plain %s, then %s, then %s" % (
            pair.name, *itertools.chain(*zip(*(them[pair.name] for them in sizes)))))


def growth_kb(first, then):
    """Of two programs' sizes: by how much more the first one grew."""
    return then[0][2] - first[0][2] - max(0, then[1][2] - first[1][2])


@test
def programs_are_here_to_be_tested():
    all_here(PROGRAMS)


@test
def while_the_agent_is_restarted_again_and_again_nothing_differs_and_nothing_grows():
    global pairs, restarter
    agent.start()
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    pairs = [Pair(name, command) for name, command in here()]
    restarter = Restarter()
    sizes, severs, counts = [], [], []
    for _ in range(3):
        counts.append(run(pairs, SECONDS / 3))
        sizes.append({pair.name: pair.sizes() for pair in pairs})
        severs.append(sever_sizes())
    print("# %d restarts, %d turns of %d pairs of programs, %d pairs that ended" % (
        restarter.count, sum(turns for turns, _ in counts), len(pairs), sum(ended for _, ended in counts)))
    report(pairs, sizes)
    print("# homingd", agent_size(), "homing-sever", *severs)
    for pair in pairs:
        first, then, last = (them[pair.name] for them in sizes)
        now, now_plain = last
        assert now[0] <= now_plain[0] + OWN_DESCRIPTORS, (pair.name, now, now_plain)
        assert now[1] <= now_plain[1] + OWN_MAPPINGS, (pair.name, now, now_plain)
        assert min(growth_kb(first, then), growth_kb(then, last)) <= GROWTH_KB, (pair.name, first, then, last)
    equal([[pid for pid, _, _ in parts] for parts in severs[1:]], [[pid for pid, _, _ in severs[0]]] * 2)
    for first, then, last in zip(*severs):
        assert min(then[2] - first[2], last[2] - then[2]) <= GROWTH_KB, (first, then, last)


def views(pid):
    """Of which agents: the inodes of those that are mapped."""
    with open("/proc/%d/maps" % pid) as maps:
        return {line.split()[4] for line in maps if "memfd:homing-view" in line}


def has_the_agents_view(one):
    """After a turn. A shell looks nothing up, and each of its children attaches anew."""
    one.begin()
    one.answer()
    return "shell" in one.name or views(one.process.pid) >= views(agent.process.pid)


@test
def all_that_still_run_follow_a_promotion():
    for pair in pairs:
        pair.both.pop().end()
    eventually(agent.answers, "the agent answers")
    agent.wait_writer("orders", pg.member("a"))
    for pair in pairs:  # the view of an agent that was killed is believed for a while; and psql ends where nobody listens
        eventually(lambda: has_the_agents_view(pair.both[0]), pair.name + " has the view of the agent that runs")
    pg.kill("a")
    pg.promote("b")
    agent.wait_writer("orders", pg.member("b"))
    for pair in pairs:
        one = pair.both[0]

        def follows():
            one.begin()
            said = one.answer()
            assert "ended" not in said, (one.name, said)
            return set(said.split()) & {pg.address("a"), pg.address("b")} == {pg.address("b")}
        eventually(follows, one.name + " gets to the new writer")


main()
