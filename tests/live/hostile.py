#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A local user that sends descriptors which hang whoever closes them hangs nobody (I6): agent.sock, admin.sock and
permit.sock on a kernel without SO_PASSRIGHTS, that is, before Linux 6.16. One that connects to agent.sock all the time is
barred, too."""
import array
import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, NOBODY, SRC, Agent, cluster_text, directory, preload  # noqa: E402
from sever import Client, Sever, need_root  # noqa: E402
from stuck_files import mount_stuck  # noqa: E402
from tap import PATIENCE, cleanups, equal, eventually, main, say, test, test_each  # noqa: E402

need_root()
HOSTILE, FLOOD = [os.path.join(BUILD, "tests/support", name) for name in ("hostile", "flood")]
with open(os.path.join(SRC, "proto/view_format.h")) as header:
    VIEW_MAJOR = int(re.search(r"#define VIEW_MAJOR +(\d+)", header.read())[1])
REQUEST = b"\x94\x00\x01\xa6attach\x91" + bytes([VIEW_MAJOR])
CHILDREN_MAX = 8  # CLOSER_CHILDREN_MAX
without_passrights = preload("no_passrights")
without_acl = preload("no_passrights", "no_acl")
uids = iter(range(61000, 62000))  # each is a user that nobody has barred yet


@contextlib.contextmanager
def stuck_file():
    """A file that cannot be closed until this ends."""
    path, let_go = mount_stuck(directory())
    try:
        yield path
    finally:
        let_go()


def as_user(uid, *command, elsewhere=False):
    """In a network namespace of its own, if `elsewhere`, as in a container."""
    return (["unshare", "--net"] if elsewhere else []) + ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups", *command]


def hostile(uid, path, how, what, times, out=subprocess.PIPE, elsewhere=False):
    command = as_user(uid, HOSTILE, path, how, what, str(times), elsewhere=elsewhere)
    process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, text=True)
    cleanups.append(process.kill)
    return process


def attack(uid, path, how, what, *whom, elsewhere=False):
    """What comes of one connection. Whom it is meant for is stopped until all is sent, so that the sender is not the
    last one that has the descriptor. The process itself may hang when it ends."""
    for pid in whom:
        os.kill(pid, signal.SIGSTOP)
    try:
        process = hostile(uid, path, how, what, 1, elsewhere=elsewhere)
        said = process.stdout.readline().strip()
    finally:
        for pid in whom:
            os.kill(pid, signal.SIGCONT)
    return process.stdout.readline().strip() if said == "sent" else said


def new_agent(env=without_passrights):
    agent = Agent(cluster_text("orders", ["127.0.0.1:1"])).of_nobody()
    return agent.start(env=env, before=NOBODY)  # so it starts no homing-sever


def attach(path):
    """As a program that comes now; it has to get its view, and waits in line for that."""
    with socket.socket(socket.AF_UNIX) as connection:
        for side in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):  # no settimeout(): where the line is full, it does not wait
            connection.setsockopt(socket.SOL_SOCKET, side, struct.pack("ll", int(PATIENCE), 0))
        connection.connect(path)
        connection.sendall(REQUEST)
        data, rights, *_ = connection.recvmsg(64, socket.CMSG_SPACE(4))
    equal([len(data), len(rights)], [59, 1])
    os.close(array.array("i", rights[0][2])[0])


@contextlib.contextmanager
def in_loops(uid, path, file):
    """A user that does all of that, as often as it can."""
    loops = [hostile(uid, path, how, what, 0, subprocess.DEVNULL)
             for how, what in (("first", "tcp"), ("first", file), ("urgent", file), ("behind", file))]
    try:
        yield
    finally:
        for process in loops:
            process.kill()  # some end only with the file system


def children_of(pid, name):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as children:
        pids = children.read().split()
    return [int(child) for child in pids if comm(child) == name]


def comm(pid):
    try:
        with open("/proc/%s/comm" % pid) as name:
            return name.read().strip()
    except OSError:
        return ""


@test_each(["first", "urgent", "behind"])
def a_socket_that_lingers_does_not_hang_the_agent(how):
    agent, uid = new_agent(), next(uids)
    equal(attack(uid, agent.socket, how, "tcp", agent.process.pid), "ended")
    attach(agent.socket)  # or it fails: the agent waits for an hour
    equal([line["uid"] for line in agent.log("user_barred")], [uid])
    equal(attack(uid, agent.socket, how, "tcp"), "Permission denied")
    eventually(lambda: not children_of(agent.process.pid, "homing-close"), "what closes has ended")
    equal(agent.stop(), 0)


@test_each(["first", "urgent", "behind"])
def a_file_that_is_never_closed_does_not_hang_the_agent(how):
    agent, uid = new_agent(), next(uids)
    with stuck_file() as path:
        equal(attack(uid, agent.socket, how, path, agent.process.pid), "ended")
        attach(agent.socket)  # or it fails: the agent waits for ever
        eventually(lambda: children_of(agent.process.pid, "homing-close"), "a process that hangs in our place")
        for _ in range(100):
            attach(agent.socket)
    eventually(lambda: not children_of(agent.process.pid, "homing-close"), "it goes on when the file system ends")
    equal(agent.stop(), 0)


def attacked_in_loops(agent, uid):
    """What it costs others: tests/bench/hostile.py."""
    children = []
    with stuck_file() as path, in_loops(uid, agent.socket, path):
        eventually(lambda: agent.log("user_barred"), "he is barred")
        for _ in range(250):
            time.sleep(0.001)  # who connects all the time is barred
            attach(agent.socket)
            children.append(len(children_of(agent.process.pid, "homing-close")))
    say("%d processes hang" % max(children))
    assert max(children) <= CHILDREN_MAX, children
    equal([line["uid"] for line in agent.log("user_barred")], [uid])


@test
def others_are_served_while_a_user_does_that_in_a_loop():
    agent, uid = new_agent(), next(uids)
    attacked_in_loops(agent, uid)
    equal(attack(uid, agent.socket, "first", "tcp"), "Permission denied")
    equal(attack(next(uids), agent.socket, "first", "tcp", agent.process.pid), "ended")
    equal(agent.stop(), 0)


@test
def so_they_are_where_the_file_system_cannot_keep_it_out():
    agent, uid = new_agent(without_acl), next(uids)
    attacked_in_loops(agent, uid)
    equal(attack(uid, agent.socket, "first", "tcp", agent.process.pid), "ended")
    equal(agent.stop(), 0)


@test_each(["silent", "junk", "attach"])
def who_connects_to_the_agent_all_the_time_is_barred_and_nobody_else(how):
    agent, uid = new_agent(), next(uids)
    process = subprocess.Popen(as_user(uid, FLOOD, agent.socket, how, "1", "512"), stdout=subprocess.PIPE, text=True)
    cleanups.append(process.kill)
    equal(process.stdout.readline().strip(), "going")
    eventually(lambda: agent.log("user_barred"), "he is barred")
    attach(agent.socket)
    assert process.poll() is None, "it floods no more"
    equal([line["uid"] for line in agent.log("user_barred")], [uid])
    process.kill()
    process.wait()
    equal(agent.stop(), 0)


def new_sever():
    sever = Sever().start(wrap=["env", "LD_PRELOAD=" + without_passrights["LD_PRELOAD"]])
    for path in (sever.base, sever.run):
        os.chmod(path, 0o755)
    return sever


def hand_over(sever):
    """A program whose permit is held."""
    taken = sever.status()["permits"]["taken"]
    one = Client()
    equal(one.do("permit", sever.permit), "ok")
    eventually(lambda: sever.status()["permits"]["taken"] == taken + 1, "the permit is taken")
    return one


@test_each(["permit", "many"])
def what_hangs_the_receiver_costs_and_bars_its_sender_alone(how):
    sever, uid = new_sever(), next(uids)
    holder = sever.call("version")
    with stuck_file() as path:
        before = hand_over(sever)
        # The receiver closes it, and may be asked about another one before it is known to hang.
        equal(attack(uid, sever.permit, how, path, holder["pid"]), "ended")
        after = hand_over(sever)
        eventually(lambda: '"user_barred"' in sever.text(), "the sender is barred")
        equal(attack(uid, sever.permit, how, path), "Permission denied")
        permits = sever.status()["permits"]
        equal([permits["processes"], permits["receivers_stuck"], permits["paused"]], [2, 1, False])
        before.end(), after.end()
    equal(sever.call("version"), holder)
    equal(sever.stop(), 0)


def may_connect(uid, path):
    code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    return subprocess.run(as_user(uid, sys.executable, "-c", code, path), stderr=subprocess.DEVNULL).returncode == 0


@test
def what_hangs_the_receiver_does_not_bar_the_same_uid_in_another_network_namespace():
    sever, uid = new_sever(), next(uids)
    holder = sever.call("version")
    with stuck_file() as path, stuck_file() as another:
        equal(attack(uid, sever.permit, "permit", path, holder["pid"], elsewhere=True), "ended")
        eventually(lambda: '"user_barred"' in sever.text(), "the sender is barred")
        equal(may_connect(uid, sever.permit), True)
        equal(attack(uid, sever.permit, "permit", another, holder["pid"]), "ended")  # and so once more here
        eventually(lambda: sever.text().count('"user_barred"') == 2, "it is barred here, too")
        equal(may_connect(uid, sever.permit), False)
    equal(sever.stop(), 0)


@test
def a_descriptor_that_is_sent_to_the_agent_bars_its_sender_in_his_network_namespace():
    agent, uid = new_agent(), next(uids)
    with stuck_file() as path:
        equal(attack(uid, agent.socket, "first", path, agent.process.pid, elsewhere=True), "ended")
        eventually(lambda: [line["uid"] for line in agent.log("user_barred")] == [uid], "the sender is barred")
        equal(may_connect(uid, agent.socket), True)
    equal(agent.stop(), 0)


@test
def what_a_barred_user_still_has_in_line_hangs_no_further_receiver():
    sever, uid = new_sever(), next(uids)
    holder = sever.call("version")
    with contextlib.ExitStack() as files:
        paths = [files.enter_context(stuck_file()) for _ in range(10)]
        os.kill(holder["pid"], signal.SIGSTOP)
        try:
            sent = [hostile(uid, sever.permit, "permit", path, 1) for path in paths]
            equal([process.stdout.readline().strip() for process in sent], ["sent"] * 10)
        finally:
            os.kill(holder["pid"], signal.SIGCONT)
        equal([process.stdout.readline().strip() for process in sent], ["ended"] * 10)
        permits = sever.status()["permits"]
        assert permits["receivers_stuck"] < 5 and not permits["paused"], permits
        one = hand_over(sever)
        one.end()
    equal(sever.call("version"), holder)
    equal(sever.stop(), 0)


@test_each(["tcp", "file"])
def what_is_queued_behind_a_refused_permit_does_not_hang_the_holder(what):
    sever, uid = new_sever(), next(uids)
    holder = sever.call("version")
    with stuck_file() as path:
        one = hand_over(sever)
        equal(attack(uid, sever.permit, "queued", path if what == "file" else what, holder["pid"]), "ended")
        eventually(lambda: sever.status()["permits"]["refused"] == 1, "it is refused")
        equal([sever.call("version"), sever.status()["permits"]["processes"]], [holder, 1])
        other = hand_over(sever)
        one.end(), other.end()
    equal(sever.stop(), 0)


main()
