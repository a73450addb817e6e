#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pooler on each database host, at a port of its own: connections to it by the managed name are steered and severed as
those to the database itself are, and keep the port."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import BUILD, NOBODY, Agent, answered, cluster_text, demote, directory, pair  # noqa: E402
from tap import cleanups, equal, eventually, give_up, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
PGBOUNCER = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
if not os.access(PGBOUNCER, os.X_OK):
    give_up("pgbouncer is not installed")
NAME, PORT = "orders-db.invalid", 6432
SETTINGS = """[databases]
postgres = host=%s port=%s dbname=postgres user=postgres
[pgbouncer]
listen_addr = %s
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = session
"""
pg = pair()


def clusters(more):
    text = cluster_text("orders", [pg.member("a"), pg.member("b")], NAME, also="    max_switches: 0\n")
    return text.replace("role: writer", "role: writer" + more)


agent = Agent(clusters(", ports: [%d]" % PORT))


def pooler(server):
    """PgBouncer at the server's host, before it alone."""
    path = os.path.join(directory(), "pgbouncer.ini")
    with open(path, "w") as out:
        out.write(SETTINGS % (pg.address(server), pg.port(), pg.address(server), PORT))
    process = subprocess.Popen([*NOBODY, PGBOUNCER, "-q", path], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    cleanups.append(lambda: (process.kill(), process.wait()))


class Program:
    """A Python program under the shim, which is asked a line at a time."""

    def __init__(self, *argv):
        self.process = subprocess.Popen([os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--",
                                         "/usr/bin/python3", "-B", *argv], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        cleanups.append(self.end)
        self.first = self.read()

    def end(self):
        self.process.kill()
        self.process.wait()

    def read(self):
        return self.process.stdout.readline().split()

    def ask(self):
        self.process.stdin.write("ask\n")
        return self.read()


# It looks the name up once, and says at each line to whom it is connected then.
CACHES = """
import socket, sys
at = socket.getaddrinfo(sys.argv[1], sys.argv[2], socket.AF_INET, socket.SOCK_STREAM)[0][4]
print(*at, flush=True)
for line in sys.stdin:
    with socket.create_connection(at) as there:
        print(*there.getpeername(), flush=True)
"""


@test
def connections_to_the_pooler_follow_the_writer_and_keep_the_port():
    for server in "ab":
        pooler(server)
    agent.start()
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    a, b = pg.address("a"), pg.address("b")
    pool, direct, caches = (answered(lambda argv=argv: Program(*argv)) for argv in (
        (os.path.join(HERE, "holder.py"), NAME, str(PORT)), (os.path.join(HERE, "holder.py"), NAME, pg.port()),
        ("-c", CACHES, NAME, str(PORT))))
    equal([pool.first, direct.first, caches.first], [[a], [a], [a, str(PORT)]])
    equal(caches.ask(), [a, str(PORT)])
    listed = eventually(lambda: [c for c in agent.json("connections")["connections"] if c["port"] == PORT], "listed")
    equal([(c["address"], c["member"], c["outdated"]) for c in listed], [(a, pg.member("a"), False)])
    assert "%s port %d" % (pg.member("a"), PORT) in agent.ok("connections")
    assert "also at port %d" % PORT in agent.ok("status")
    demote(pg, "a", "b")
    agent.wait_writer("orders", pg.member("b"))
    eventually(lambda: agent.cluster("orders")["severed"] == 2, "both are severed")
    generation = agent.cluster("orders")["endpoints"][0]["generation"]
    equal(caches.ask(), [b, str(PORT)])
    equal([pool.ask()[:2], direct.ask()[:2]], [["anew", b]] * 2)
    # What a reload takes away or brings counts at the next connect.
    for more, reached in (("", a), (", ports: [1, %d]" % PORT, b)):
        agent.write(clusters(more))
        agent.ok("reload")
        equal(caches.ask(), [reached, str(PORT)])
        equal(agent.json("resolve", NAME)["other_ports"], [1, PORT] if more else [])
    equal(agent.cluster("orders")["endpoints"][0]["generation"], generation)


main()
