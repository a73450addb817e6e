#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that change their root directory (chroot) between their first lookup and their first connect, as HAProxy does. If
the folder of the sockets is below the new one, too, such a program is severed at a failover, and finds an agent that is started
again. If not, it is named among the connections, and why."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import Agent, Holder, cluster_of, demote, directory, own_hosts, own_namespaces, pair  # noqa: E402
from sever import need_root  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402

need_root()
own_namespaces("--mount")
NAME = "orders-db.absent.test"
ROOTED = """import os, socket, sys
import psycopg2
with open(%r) as file: holder = file.read()
root, sys.argv = sys.argv[1], ["holder", *sys.argv[2:]]
socket.getaddrinfo(sys.argv[1], sys.argv[2])
os.chroot(root)
os.chdir("/")
exec(holder)""" % os.path.join(HERE, "holder.py")
pg = pair()
A, B = pg.address("a"), pg.address("b")
own_hosts({NAME: A})
agent = Agent(cluster_of(pg, NAME)).start()
agent.wait_writer("orders", pg.member("a"))
eventually(lambda: agent.status()["severing"]["available"], "severing is available")
programs = {}


def rooted(root):
    class Rooted(Holder):
        program = ["-B", "-c", ROOTED, root]
    one = Rooted(NAME, pg.port(), agent)
    equal(one.first, A)
    return one


def with_sockets():
    """A folder below which the folder of the sockets is where it is below ours."""
    root, run = directory(), os.path.dirname(agent.socket)
    os.makedirs(root + run)
    subprocess.run(["mount", "--bind", run, root + run], check=True)
    return root


def untagged():
    """{pid: why}"""
    rows = [row.partition("untagged: ") for row in agent.ok("connections").splitlines()]
    return {int(row.split()[0]): why for row, found, why in rows if found}


def is_tagged(program):
    return program.process.pid in {row["pid"] for row in agent.json("connections")["connections"]}


@test
def who_finds_no_socket_is_named_and_why():
    programs["bare"], programs["mounted"] = rooted(directory()), rooted(with_sockets())
    eventually(lambda: is_tagged(programs["mounted"]), "the other one has handed over")
    equal(untagged()[programs["bare"].process.pid], "has changed its root directory, where the sockets have to be, too")


@test
def who_finds_it_follows_an_agent_that_was_started_again_and_is_severed():
    agent.kill()
    agent.start()
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.status()["severing"]["available"] and is_tagged(programs["mounted"]), "it is known again")
    demote(pg, "a", "b")
    agent.wait_writer("orders", pg.member("b"))
    eventually(lambda: agent.cluster("orders")["severed"] == 1, "one is severed")
    equal(programs["mounted"].ask().split()[:2], ["anew", B])
    equal(programs["bare"].ask(), A)


main()
