#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unmodified programs, one line each in PROGRAMS, reach the writer by a name that no resolver has: as it is when
they start, and after a real promotion. Without the shim none of them gets anywhere."""
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import (  # noqa: E402
    BUILD, NODE_PATH, NODE_PG, PSYCOPG2, QUERY, Agent, all_here, answered, cluster_of, directory, node_has_pg, own_names,
    pair)
from tap import PATIENCE, cleanups, equal, eventually, main, test  # noqa: E402

own_names()
LIBRARY = os.path.join(BUILD, "shim/libhoming.so")
# Its first label is fine for a configuration and for DNS; .invalid never resolves (RFC 6761).
NAME = "orders-db.invalid"
ASYNCIO = """import asyncio, sys
async def go():
    _, w = await asyncio.open_connection(sys.argv[1], int(sys.argv[2])); print(w.get_extra_info("peername")[0])
asyncio.run(go())"""
PERL = """use IO::Socket::IP; my $s = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1]) or die $@;
print $s->peerhost, "\\n";"""
PHP_PDO = """$c = new PDO("pgsql:host=$argv[1];port=$argv[2];user=postgres;dbname=postgres");
echo $c->query($argv[3])->fetchColumn();"""
CURL = 'curl -sv --max-time 10 "http://$0:$1/" 2>&1 | sed -n "s/.*Connected to .*(\\([0-9.]*\\)).*/\\1/p"'


def installed(*programs):
    return all(shutil.which(program) for program in programs)


def python_has(module):
    return subprocess.run(["/usr/bin/python3", "-c", "import " + module], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


def php_has(extension):
    return installed("php") and extension in subprocess.run(["php", "-m"], stdout=subprocess.PIPE, text=True,
                                                            check=False).stdout.split()


def compiled(compiler, name):
    path = os.path.join(WORK, name)
    return shutil.which(compiler) and subprocess.run(
        [compiler, "-O1", "-o", path, os.path.join(HERE, "connect.c")], check=False).returncode == 0 and path


WORK = directory()
# What it is called, whether it is here, and the command that prints the address it got to.
PROGRAMS = [
    ("psql", installed("psql"), ["psql", "-XAtw", "-U", "postgres", "-h", "{name}", "-p", "{port}", "-c", QUERY,
                                 "postgres"]),
    ("psycopg2", python_has("psycopg2"), ["/usr/bin/python3", "-c", PSYCOPG2, "{name}", "{port}", QUERY]),
    ("node pg", node_has_pg(), ["node", "-e", NODE_PG, "{name}", "{port}", QUERY]),
    ("curl", installed("curl"), ["sh", "-c", CURL, "{name}", "{port}"]),
    ("Python asyncio", python_has("asyncio"), ["/usr/bin/python3", "-c", ASYNCIO, "{name}", "{port}"]),
    ("Perl", installed("perl"), ["perl", "-e", PERL, "{name}", "{port}"]),
    ("a musl program", compiled("musl-gcc", "musl"), [WORK + "/musl", "{name}", "{port}"]),
    ("a glibc program", compiled("cc", "glibc"), [WORK + "/glibc", "{name}", "{port}"]),
    ("a program under homingctl run", True,
     [BUILD + "/homingctl", "--socket", "{socket}", "run", "--", WORK + "/glibc", "{name}", "{port}"]),
    ("PHP pdo_pgsql under homingctl run --with", php_has("pdo_pgsql"),
     [BUILD + "/homingctl", "--socket", "{socket}", "run", "--with", "libpq.so.5", "--", "php", "-r", PHP_PDO, "{name}",
      "{port}", QUERY]),
]

pg = pair()
agent = Agent(cluster_of(pg, NAME))


def reached(command, shim):
    """The address that a program printed; None: it got nowhere."""
    env = {"PATH": os.environ["PATH"], "NODE_PATH": NODE_PATH, "LC_ALL": "C", "HOME": WORK}
    if shim:
        env.update(LD_PRELOAD=LIBRARY, HOMING_SOCKET=agent.socket)
    words = [word.format(name=NAME, port=pg.port(), socket=agent.socket) if word[0] == "{" else word
             for word in command]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() or (None if not shim else done.stderr)


def somewhere(command, shim):
    """A new process gives its agent 20 ms, which a busy machine may not, and then asks DNS, which does not have
    the name: then it is started again. Whoever got somewhere is believed at once."""
    reaches = ""
    end = time.monotonic() + PATIENCE
    while not re.fullmatch(r"[0-9.]+", reaches) and time.monotonic() < end:
        reaches = reached(command, shim) or ""
    return reaches


def check_all(writer):
    for name, here, command in PROGRAMS:
        if here:
            equal((name, somewhere(command, "homingctl run" not in name)), (name, pg.address(writer)))


@test
def every_program_of_the_matrix_is_here_to_be_tested():
    all_here(PROGRAMS)


@test
def all_connect_to_the_writer_by_name():
    agent.start()
    agent.wait_writer("orders", pg.member("a"))
    check_all("a")


@test
def all_connect_to_the_new_writer_after_a_promotion():
    pg.kill("a")
    pg.promote("b")
    agent.wait_writer("orders", pg.member("b"))
    check_all("b")


@test
def without_the_shim_the_name_leads_nowhere():
    for name, here, command in PROGRAMS:
        if here and "homingctl run" not in name and "musl" not in name:  # musl asks a dead DNS server too long
            equal((name, reached(command, False)), (name, None))


class Running:
    """A program that looks the name up each time that it is asked."""

    def __init__(self):
        loop = ("import socket, sys\n"
                "for line in sys.stdin: print(socket.gethostbyname(%r), flush=True)" % NAME)
        env = {"LD_PRELOAD": LIBRARY, "HOMING_SOCKET": agent.socket, "PATH": os.environ["PATH"]}
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", loop], env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        cleanups.append(self.end)
        self.first = self.ask()

    def ask(self):
        self.process.stdin.write("\n")
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.kill()
        self.process.wait()


@test
def while_the_agent_is_dead_the_programs_that_run_go_on():
    program = answered(Running)
    equal(program.first, pg.address("b"))
    agent.kill()
    equal(program.ask(), pg.address("b"))
    agent.start()
    eventually(lambda: agent.resolve(NAME) == [pg.address("b")], "the restarted agent answers")
    equal(program.ask(), pg.address("b"))
    program.end()


main()
