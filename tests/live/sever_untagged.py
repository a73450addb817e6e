#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""W7 with sever_untagged: what no program has tagged is aborted, once for each switch; but not what homingd asks the
servers with, not what a program with HOMING_SEVER=0 has, and not what may have been tagged for an earlier homing-sever."""
import os
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
import homing  # noqa: E402
from homing import BUILD, Agent, cluster_of, demote, pair, settle  # noqa: E402
from tap import PATIENCE, cleanups, equal, eventually, main, test  # noqa: E402
from sever import Client, Sever, need_root, pack, unpack  # noqa: E402

need_root()
NAME = "orders-db.invalid"
PROBES = "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity WHERE application_name = 'homingd'"
pg = pair()
agent = Agent(cluster_of(pg, NAME, also="    sever_untagged: true\n"))


class Holder(homing.Holder):
    """Under the shim unless `plain`, with this value of HOMING_SEVER."""

    def __init__(self, host, plain=False, sever="1"):
        super().__init__(host, pg.port(), None if plain else agent, env=dict(os.environ, HOMING_SEVER=sever))

    def ask(self):
        return super().ask().split(None, 2)[:2]


class Dialer:
    """A program under the library, with one connection to a name. It had others before, with the same number."""

    CODE = """if True:
        import socket, struct, sys
        for _ in range(3):
            s = None  # it is closed, and leaves nothing
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.connect((sys.argv[1], int(sys.argv[2])))
        print(flush=True)
        input()
        print(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), flush=True)"""

    def __init__(self, address, port, env):
        env = dict(env, LD_PRELOAD=os.path.join(BUILD, "shim/libhoming.so"))
        self.process = subprocess.Popen([sys.executable, "-c", self.CODE, address, str(port)], env=env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cleanups.append(self.end)
        equal(self.process.stdout.readline(), "\n")

    def fate(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return "severed" if int(self.process.stdout.readline()) else "alive"

    def end(self):
        self.process.kill()
        self.process.wait()


@test
def only_what_is_nobodys_is_severed_with_what_is_outdated():
    agent.start()
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    tagged, plain, refused = Holder(NAME), Holder(pg.address("a"), plain=True), Holder(NAME, sever="0")
    equal([one.first for one in (tagged, plain, refused)], [pg.address("a")] * 3)
    eventually(lambda: agent.status()["severing"]["processes"] == 2, "both have handed over")
    probes = pg.sql("a", PROBES)
    assert probes, "homingd is connected"
    demote(pg, "a", "b")
    agent.wait_writer("orders", pg.member("b"))
    done = eventually(lambda: [e["switch"]["sever"] for e in agent.json("history")
                               if e["switch"] and e["switch"]["sever"] and e["switch"]["sever"]["done"]], "it is done")
    equal(tagged.ask(), ["anew", pg.address("b")])
    equal(plain.ask(), ["anew", pg.address("a")])  # it names the member, and nobody steers it
    equal(refused.ask(), [pg.address("a")])
    equal(pg.sql("a", PROBES), probes)
    equal(done[-1]["not_severed"], 0)
    agent.stop()
    for one in (tagged, plain, refused):
        one.end()


@test
def what_comes_after_the_first_sweep_or_is_spared_is_left_alone():
    sever, one = Sever().start(), Client()
    address, port = "127.79.%d.1" % (os.getpid() % 250 + 1), 7432
    equal(one.do("listen", address, port), "ok")
    equal(one.do("permit", sever.permit), "ok")
    sever.wait_processes(1)
    spared, there = (one.do("connect", address, port, 0, 0) for _ in range(2))
    order = {"endpoints": [], "addresses": [[address, port]], "untagged": True,
             "spared": [int(one.do("cookie", spared))]}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(sever.order_path)
        connection.sendall(pack([0, 1, "sever", [order]]))
        eventually(lambda: one.do("state", there) != "alive", "the first sweep")
        late = one.do("connect", address, port, 0, 0)
        (_, _, error, done), _ = unpack(connection.recv(65536))  # after the last sweep, two seconds later
    equal([error, done["severed"]], [None, 1])
    equal([one.do("state", fd) for fd in (spared, late)], ["alive"] * 2)
    one.end()


@test
def what_somebody_knew_before_homing_sever_is_spared_and_counted():
    sever, one = Sever().start(), Client()
    address, port = "127.79.%d.2" % (os.getpid() % 250 + 1), 7432
    order = {"endpoints": [], "addresses": [[address, port]], "untagged": True}

    def connect(is_known):
        fd = one.do("connect", address, port, 0, 0)
        if is_known:
            one.do("cookie", fd)  # as every program does that tags it
        return fd
    equal(one.do("listen", address, port), "ok")
    old, unknown = connect(True), connect(False)
    sever.kill_at_once()
    sever.start()
    equal(one.do("permit", sever.permit), "ok")
    sever.wait_processes(1)
    unpublished = connect(True)
    equal(sever.call("published"), True)
    young = connect(False)
    known = connect(True)
    equal(sever.call("published"), True)  # the last time counts
    done = sever.call("sever", order)
    equal([done["untagged"], done["older"], done["severed"]], [5, 3, 2])
    equal([one.do("state", fd) for fd in (old, unpublished, known, unknown, young)], ["alive"] * 3 + ["severed"] * 2)
    one.end()


@test
def what_somebody_knew_before_the_order_is_spared_and_counted_if_the_order_says_so():
    sever, one = Sever().start(), Client()
    address, port = "127.79.%d.3" % (os.getpid() % 250 + 1), 7432
    equal(sever.call("published"), True)
    equal(one.do("listen", address, port), "ok")
    known, unknown = (one.do("connect", address, port, 0, 0) for _ in range(2))
    one.do("cookie", known)
    done = sever.call("sever", {"endpoints": [], "addresses": [[address, port]], "untagged": True, "unasked": True})
    equal([done["untagged"], done["older"], done["severed"]], [2, 1, 1])
    equal([one.do("state", fd) for fd in (known, unknown)], ["alive", "severed"])
    one.end()


def warnings():
    return [warning["warning"] for warning in agent.cluster("orders")["warnings"]
            if warning["warning"] != "member_unreachable"]


def a_program_with_HOMING_SEVER_0_is_spared(agent_socket, sever, port):
    server, address = Client(), "127.0.0.1"
    equal(server.do("listen", address, port), "ok")
    refused, plain = (Dialer("localhost", port, dict(os.environ, HOMING_SOCKET=agent_socket, HOMING_SEVER=value))
                      for value in "01")
    sever.start()
    equal(sever.call("published"), True)
    done = sever.call("sever", {"endpoints": [], "addresses": [[address, port]], "untagged": True})
    equal([done["older"], done["severed"]], [1, 1])
    equal([refused.fate(), plain.fate()], ["alive", "severed"])
    for one in (refused, plain, server):
        one.end()


@test
def a_program_with_HOMING_SEVER_0_that_connected_while_no_agent_was_there_is_spared():
    sever = Sever()
    a_program_with_HOMING_SEVER_0_is_spared(os.path.join(sever.run, "agent.sock"), sever, 20000 + os.getpid() % 10000)


@test
def a_program_with_HOMING_SEVER_0_that_connected_before_its_name_was_managed_is_spared():
    agent.start()
    a_program_with_HOMING_SEVER_0_is_spared(agent.socket, Sever(), 30000 + os.getpid() % 10000)
    agent.stop()


@test
def after_a_restart_without_permits_no_program_with_HOMING_SEVER_0_is_cut():
    settle(pg, agent.start(), "a", "b")
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    refused, plain = Holder(NAME, sever="0"), Holder(pg.address("b"), plain=True)
    equal([one.first for one in (refused, plain)], [pg.address("b")] * 2)
    eventually(lambda: agent.status()["severing"]["processes"] == 1, "it has handed over")
    sever = Sever(agent.base)
    sever.kill_at_once()
    sever.start()
    eventually(lambda: agent.status()["severing"]["available"], "severing is available again")
    tagged = Holder(NAME)  # whereby the namespace is known
    eventually(lambda: agent.status()["severing"]["processes"] == 1, "it has handed over")
    demote(pg, "b", "a")
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.cluster("orders")["spared_older"] == 1, "the order is carried out, and one is spared")
    equal(tagged.ask(), ["anew", pg.address("a")])
    equal([refused.ask(), plain.ask()], [[pg.address("b")], ["anew", pg.address("b")]])  # nobody ever noted that one
    assert "spared, as known before homing-sever: 1" in agent.ctl("status").stdout, agent.ctl("status").stdout
    eventually(lambda: warnings() == ["spared_older"], "that is a warning")
    said = agent.ctl("status")
    equal(said.returncode, 1)
    assert "1 connection to demoted members" in said.stdout, said.stdout
    assert f"ss -tnp 'dst {pg.member('b')}'" in said.stdout, said.stdout
    refused.end()
    eventually(lambda: not warnings(), "none is left", 3 * PATIENCE)
    agent.stop()


def said_of_severing():
    return [entry["switch"] for entry in agent.json("history") if entry["switch"]][-1]["sever"]


@test
def if_the_mode_becomes_sever_after_the_switch_they_are_severed_but_for_a_program_with_HOMING_SEVER_0():
    settle(pg, agent.start(), "b", "a")
    agent.ok("mode", "orders", "names")
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    refused, plain = Holder(NAME, sever="0"), Holder(pg.address("a"), plain=True)
    equal([one.first for one in (refused, plain)], [pg.address("a")] * 2)
    demote(pg, "a", "b")
    agent.wait_writer("orders", pg.member("b"))
    equal(said_of_severing(), None)
    agent.ok("mode", "orders", "sever")
    eventually(lambda: said_of_severing()["done"], "it is done")
    equal([refused.ask(), plain.ask(), said_of_severing()["untagged"]], [[pg.address("a")], ["anew", pg.address("a")], 1])
    eventually(lambda: warnings() == ["spared_older"], "what is spared is a warning")
    said = agent.ctl("status").stdout
    assert "made in mode off or names, and not told of yet" in said, said
    agent.stop()
    agent.start()
    eventually(lambda: warnings() == ["spared_older"], "it is one of the next agent, too")
    for one in (refused, plain):
        one.end()
    agent.stop()


@test
def if_the_mode_becomes_sever_before_the_switch_a_program_with_HOMING_SEVER_0_is_not_cut_either():
    settle(pg, agent.start(), "a", "b")
    agent.ok("mode", "orders", "names")
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    refused, plain = Holder(NAME, sever="0"), Holder(pg.address("b"), plain=True)
    equal([one.first for one in (refused, plain)], [pg.address("b")] * 2)
    agent.ok("mode", "orders", "sever")
    demote(pg, "b", "a")
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: said_of_severing()["done"], "it is done")
    equal([refused.ask(), plain.ask()], [[pg.address("b")], ["anew", pg.address("b")]])
    for one in (refused, plain):
        one.end()
    agent.stop()


main()
