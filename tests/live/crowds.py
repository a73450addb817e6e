#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A user that crowds permit.sock takes nothing from others: connections, places in line, permits. Real programs of one
user under the library, beside another user that does nothing else."""
import contextlib
import itertools
import json
import os
import random
import socket
import subprocess
import sys

TOP = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(TOP, "../support"), os.path.join(TOP, "../shim")]
from tap import cleanups, equal, eventually, main, test, test_each  # noqa: E402
from sever import Client, Sever, need_root  # noqa: E402
from homing import preload  # noqa: E402
from harness import BUILD, LIBCS, Agent, Probe, hash_of  # noqa: E402
from peers import Peers  # noqa: E402

need_root()
NET = "127.%d.%d." % (random.randrange(16, 250), random.randrange(250))
A, B = NET + "1", NET + "2"
NAME = "db.test"
PROGRAMS = 20
uids = itertools.count(61000)  # each is a user that nobody has barred yet
without_acl = preload("no_acl")


class Servers(Peers):
    """They let go of what has ended."""

    def __init__(self):
        super().__init__(A, B)
        self.open = []
        for server in self.sockets:
            server.setblocking(False)

    def tidy(self):
        for server in self.sockets:
            with contextlib.suppress(BlockingIOError):
                while True:
                    self.open.append(server.accept()[0])
        for one in [one for one in self.open if has_ended(one)]:
            one.close()
            self.open.remove(one)


def has_ended(connection):
    try:
        return not connection.recv(1, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


peers = Servers()


def as_user(uid, *command):
    return ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups", *map(str, command)]


class Node:
    """A homing-sever, and the agent that tells programs of it."""

    def __init__(self, *wrap):
        self.sever = Sever().start(wrap=wrap)
        for path in (self.sever.base, self.sever.run):
            os.chmod(path, 0o755)
        self.agent = Agent(self.sever.run + "/agent.sock")
        os.chmod(self.agent.path, 0o666)
        self.generation = 0
        self.switch(A, B)

    def switch(self, writer, reader):
        self.generation += 1
        self.agent.do("members w=%s@%d rd=%s@%d" % (writer, peers.port, reader, peers.port))
        self.agent.do("entry %s sever steady writer 4 %s - 60000 0 port=%d generation=%d"
                      % (NAME, writer, peers.port, self.generation))

    def permits(self):
        return self.sever.status()["permits"]

    def protected(self, uid):
        """Which of this user's processes have a connection to A that would be severed."""
        rows = self.sever.call("connections", {"addresses": [[A, peers.port]]})
        return {row["pid"] for row in rows if row["uid"] == uid}

    def events(self, event):
        return [line for line in map(json.loads, self.sever.text().splitlines()) if line["event"] == event]

    def close(self):
        self.agent.close()
        equal(self.sever.stop(), 0)


class Programs:
    """Programs of one user, each with a connection to A."""

    def __init__(self, node, uid, count=PROGRAMS):
        self.node, self.uid = node, uid
        self.all = [self.start(libc) for _, libc in zip(range(count), itertools.cycle(LIBCS))]

    def start(self, libc):
        one = Probe(libc, self.node.agent, argv=as_user(self.uid, BUILD / ("tests/shim/probe-" + libc)))
        eventually(lambda: one.address(NAME) == A, "it has its view")  # the library waits 20 ms for it
        self.dial(one, "k")
        return one

    def dial(self, one, how=""):
        said = one.ask("dial", A, peers.port, how)
        assert said.startswith("rc=0 "), said
        if how:
            one.fd = said.rpartition("=")[2]

    def are_protected(self):
        """Those that are not make one more connection each, as programs do."""
        missing = {one.process.pid for one in self.all} - self.node.protected(self.uid)
        for one in self.all:
            if one.process.pid in missing:
                self.dial(one)
        peers.tidy()
        return not missing

    def severed(self):
        self.node.switch(B, A)
        self.node.sever.sever(hash_of(NAME), self.node.generation, (A, peers.port))
        return [one.ask("hangup", one.fd, 2) for one in self.all].count("errno=103")

    def close(self):
        for one in self.all:
            one.close()


def flood(node, uid, how, *wrap, before=()):
    process = subprocess.Popen([*before, *as_user(uid, *wrap, os.path.join(BUILD, "tests/support/flood"), node.sever.permit, how, 4,
                                                  512)], stdout=subprocess.PIPE, text=True)
    cleanups.append(process.kill)
    equal(process.stdout.readline().strip(), "going")
    return process


def all_get_in_beside(node, how):
    hostile, uid = next(uids), next(uids)
    process = flood(node, hostile, how)
    programs = Programs(node, uid)
    eventually(programs.are_protected, "each has handed over its permit")
    equal(programs.severed(), PROGRAMS)
    assert process.poll() is None, "it floods no more"
    programs.close()
    process.kill()
    process.wait()
    return hostile


@test_each(["silent", "junk", "permit"])
def programs_get_in_beside_a_user_who_floods_and_he_is_barred(how):
    node = Node()
    hostile = all_get_in_beside(node, how)
    eventually(lambda: node.events("user_barred"), "he is barred")
    equal({line["uid"] for line in node.events("user_barred")}, {hostile})
    node.close()


@test_each(["silent", "junk", "permit"])
def so_they_do_where_the_file_system_cannot_keep_him_out(how):
    node = Node("env", "LD_PRELOAD=" + without_acl["LD_PRELOAD"])
    all_get_in_beside(node, how)
    node.close()


def control_group():
    """A new one, or None: there is no hierarchy that we may use."""
    for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids"):
        path = "%s/homing-test-%d-%d" % (top, os.getpid(), next(uids))
        if os.access(top + "/cgroup.procs", os.W_OK):
            with contextlib.suppress(OSError):
                os.mkdir(path)
                cleanups.append(lambda path=path: eventually(lambda: removed(path), "nobody is in it"))
                return path
    return None


def removed(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


def within(group):
    """What a command begins with that is to run there."""
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', group]


@test
def of_root_the_control_group_that_floods_is_barred_and_no_other():
    """Another one connects in vain now and then, so that he may well be the last of too many."""
    hostile, other = control_group(), control_group()
    if not other:
        return  # tests/unit/sever/queue tells them apart, too
    node = Node()
    one = Client(wrap=within(other))
    process = flood(node, 0, "junk", *within(hostile))

    def barred_after_one_more():
        equal(one.do("hostile", "silent", node.sever.permit), "ok")
        assert process.poll() is None, "it floods no more"
        return node.events("user_barred")
    eventually(barred_after_one_more, "it is barred")
    eventually(lambda: node.permits()["waiting"] == 0, "the flood has ended")
    equal(one.do("permit", node.sever.permit), "ok")
    eventually(lambda: node.permits()["processes"] == 1, "the other one has handed over")
    barred = node.events("user_barred")
    equal([line["uid"] for line in barred], [0])
    assert barred[0]["pid"] in flooders(process), barred
    process.kill()
    process.wait()
    one.end()
    node.close()


@test
def of_a_user_whom_several_containers_have_the_network_namespace_that_floods_is_barred_and_no_other():
    node, uid = Node(), next(uids)
    process = flood(node, uid, "junk", before=["unshare", "--net"])
    eventually(lambda: node.events("user_barred"), "it is barred")
    eventually(lambda: node.permits()["waiting"] == 0, "the flood has ended")
    one, other = Client(wrap=as_user(uid)), Client(wrap=["unshare", "--net", *as_user(uid)])
    for client in one, other:
        equal(client.do("permit", node.sever.permit), "ok")
    eventually(lambda: node.permits()["processes"] == 2, "both have handed over")
    assert process.poll() is None, "it floods no more"
    barred = node.events("user_barred")
    equal([line["uid"] for line in barred], [uid])
    assert barred[0]["pid"] in flooders(process), barred
    process.kill()
    process.wait()
    one.end()
    other.end()
    node.close()


def flooders(process):
    with open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="utf-8") as children:
        return {process.pid, *map(int, children.read().split())}


def hand_over(one, node, times):
    """Each from a process of its own. Of a full line they lose places, also before they have sent anything."""
    equal(one.do("children", times, node.sever.permit), "ok")
    eventually(lambda: node.permits()["waiting"] == 0, "all were looked at")


@test
def who_hands_over_again_gets_in_though_his_user_has_all_places():
    node, uid = Node("prlimit", "--nofile=700"), next(uids)
    one, others = Client(wrap=as_user(uid)), Client(wrap=as_user(uid))
    equal(one.do("permit", node.sever.permit), "ok")
    eventually(lambda: node.permits()["processes"] == 1, "the first one has handed over")
    hand_over(others, node, 200)
    full = node.permits()
    assert full["over_quota"], full
    for taken in range(full["taken"] + 1, full["taken"] + 4):
        equal(one.do("permit", node.sever.permit), "ok")
        eventually(lambda: node.permits()["taken"] == taken, "it is taken")
    after = node.permits()
    equal([after[what] for what in ("processes", "over_quota", "taken_away")],
          [full[what] for what in ("processes", "over_quota", "taken_away")])
    equal([pid for pid, _ in node.sever.call("holders")].count(one.process.pid), 1)
    for client in (one, others):
        client.end()
    node.close()


@test
def two_users_who_fill_all_places_keep_no_third_one_out():
    node = Node("prlimit", "--nofile=700")  # about 90 permits
    hostile, uid = [next(uids), next(uids)], next(uids)
    holders = [Client(wrap=as_user(one)) for one in hostile]
    for one in holders:
        hand_over(one, node, 200)
    full = node.permits()
    assert full["processes"] < 100, full
    equal({user["uid"] for user in full["short"]}, set(hostile))
    programs = Programs(node, uid)
    eventually(programs.are_protected, "each has handed over its permit")
    after = node.permits()
    equal(after["processes"], full["processes"])
    assert after["taken_away"] >= full["taken_away"] + PROGRAMS, (full, after)
    equal({line["uid"] for line in node.events("permit_taken_away")} - set(hostile), set())
    equal({user["uid"] for user in after["short"]}, set(hostile))
    for one in holders:
        hand_over(one, node, 50)  # they get nothing back
    equal(programs.severed(), PROGRAMS)
    programs.close()
    for one in holders:
        one.end()
    node.close()


main()
