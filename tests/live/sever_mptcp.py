#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Connections over MPTCP: a tag names the socket that the program has, and the kernel lists and aborts the subflows below
it. With real sockets of both kinds at the other end, and with PostgreSQL and the library."""
import os
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import BUILD, Agent, answered, cluster_of, demote, pair  # noqa: E402
from tap import cleanups, equal, eventually, give_up, main, test, test_each  # noqa: E402
from sever import Client, Sever, need_root  # noqa: E402

need_root()
TCP, MPTCP = socket.IPPROTO_TCP, 262
try:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP).close()
except OSError:
    give_up("this kernel has no MPTCP")
ORDERS, READERS = 0x1111, 0x2222  # endpoint ids
AT, PORT = ("10.98.6.1", "fd98::6"), 7432
# Of the program's network namespace: how long a socket lives on without a subflow.
UP = """ip link set lo up && ip address add 10.98.6.1/32 dev lo && ip address add fd98::6/128 dev lo nodad &&
sysctl -qw net.mptcp.close_timeout=1 && exec "$0" """

sever = Sever().start()


def program(server):
    """One whose permit is held, in a network namespace of its own with servers of that protocol."""
    one = Client(wrap=["unshare", "-n", "sh", "-c", UP])
    taken = sever.status()["permits"]["taken"]
    equal(one.do("permit", sever.permit), "ok")
    eventually(lambda: sever.status()["permits"]["taken"] > taken, "the permit is taken")
    for protocol, address in ((server, AT[0]), (server, AT[1])):
        equal(one.do("protocol", protocol), "ok")
        equal(one.do("listen", address, PORT), "ok")
    equal(one.do("protocol", MPTCP), "ok")
    return one


def of_sever(done):
    return [done[what] for what in ("seen", "outdated", "severed", "failed", "mptcp_late", "mptcp_hidden")]


@test_each([AT[0], AT[1], "::ffff:" + AT[0]])
def a_server_without_MPTCP_is_left_at_once(address):
    one = program(TCP)
    outdated = one.do("connect", address, PORT, ORDERS, 7)
    kept = [one.do("connect", address, PORT, *tag) for tag in ((ORDERS, 8), (READERS, 7), (0, 0))]
    equal(one.do("recv", outdated), "waiting")
    equal(of_sever(sever.sever(ORDERS, 8, *((a, PORT) for a in AT))), [4, 1, 1, 0, 0, 0])
    equal(one.read(), "ECONNABORTED")
    equal([one.do("state", fd) for fd in kept], ["alive"] * 3)
    one.end()


@test
def if_the_server_speaks_it_too_the_program_notices_after_its_close_timeout():
    one = program(MPTCP)
    outdated, reader = (one.do("connect", AT[0], PORT, endpoint, 7) for endpoint in (ORDERS, READERS))
    equal(of_sever(sever.sever(ORDERS, 8, (AT[0], PORT))), [2, 1, 1, 0, 1, 0])
    eventually(lambda: one.do("state", outdated) != "alive", "the connection has ended")
    equal(one.do("state", reader), "alive")
    one.end()


@test
def a_connect_that_hangs_is_freed():
    one = program(TCP)
    equal(subprocess.run(["nsenter", "-n", "-t", str(one.process.pid), "ip", "route", "add", "10.98.7.0/24", "dev", "lo"]).returncode, 0)
    fd = one.do("start", "10.98.7.9", PORT, ORDERS, 7)
    equal(of_sever(sever.sever(ORDERS, 8, ("10.98.7.9", PORT))), [1, 1, 1, 0, 0, 0])
    equal(one.do("state", fd), "severed")
    one.end()


@test_each([TCP, MPTCP])
def an_order_for_untagged_ones_spares_what_a_tag_opts_out(server):
    one = program(server)
    untagged, refused, reader = (one.do("connect", AT[0], PORT, *tag) for tag in ((0, 0), (0, 0), (READERS, 7)))
    equal(one.do("forge", refused, one.do("cookie", refused), 0, 0), "ok")  # as HOMING_SEVER=0 has it
    done = sever.sever(0, 0, (AT[0], PORT), untagged=True)
    equal([done["untagged"], done["severed"]], [1, 1])
    eventually(lambda: one.do("state", untagged) != "alive", "the untagged one has ended")
    equal([one.do("state", fd) for fd in (refused, reader)], ["alive"] * 2)
    one.end()


NAME = "orders-db.invalid"
# Looks up, connects, and says of its connection what it finds when it is asked.
PROGRAM = """
import socket, sys
peer = socket.getaddrinfo(sys.argv[1], int(sys.argv[2]), socket.AF_INET, socket.SOCK_STREAM)[0][4]
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
s.connect(peer)
print(s.getpeername()[0], flush=True)
s.setblocking(False)
for _ in sys.stdin:
    try:
        print("ended" if s.recv(1) == b"" else "?", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""


class Program:
    def __init__(self, agent, port, how):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--", "/usr/bin/python3", "-c", PROGRAM, NAME, port],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=dict(os.environ, HOMING_SEVER=how))
        cleanups.append(self.end)
        self.first = self.process.stdout.readline().strip()

    def ask(self):
        self.process.stdin.write("ask\n")
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.kill()
        self.process.wait()


@test
def a_program_under_the_library_is_severed_and_one_that_refuses_is_not():
    pg = pair()
    agent = Agent(cluster_of(pg, NAME, also="    sever_untagged: true\n"))
    agent.start()
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    severed, refused = (answered(lambda how=how: Program(agent, pg.port(), how)) for how in "10")
    equal([one.first for one in (severed, refused)], [pg.address("a")] * 2)
    eventually(lambda: agent.status()["severing"]["processes"] == 2, "both have handed over")
    equal([one.ask() for one in (severed, refused)], ["BlockingIOError"] * 2)
    demote(pg, "a", "b")
    agent.wait_writer("orders", pg.member("b"))
    eventually(lambda: severed.ask() == "ConnectionAbortedError", "the writer's connection is severed")
    eventually(lambda: [e for e in agent.json("history") if e["switch"] and e["switch"]["sever"] and
                        e["switch"]["sever"]["done"]], "it is done")
    equal(refused.ask(), "BlockingIOError")
    agent.stop()


main()
