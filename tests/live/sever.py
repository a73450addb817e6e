#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""W7: what homing-sever aborts and what it leaves alone, with real sockets, in namespaces."""
import contextlib
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, directory  # noqa: E402
from tap import cleanups, equal, eventually, main, test  # noqa: E402
from sever import Client, Sever, need_root, pack  # noqa: E402

need_root()
A, B = "127.77.%d.1" % (os.getpid() % 250 + 1), "127.77.%d.2" % (os.getpid() % 250 + 1)
PORT, OTHER_PORT = 7432, 7433
OWN_PORT = 20000 + os.getpid() % 10000  # where addresses are not this run's alone
ORDERS, READERS = 0x1111, 0x2222  # endpoint ids
# Packets to 10.98.7.0/24 get lost: they come back on lo, and nobody forwards them.
UP = "ip link set lo up && ip route add 10.98.7.0/24 dev lo && exec "
NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all "

sever = Sever().start()
servers = Client()
equal(servers.do("listen", A, PORT), "ok")
equal(servers.do("listen", A, OTHER_PORT), "ok")
equal(servers.do("listen", B, PORT), "ok")


def client(*, wrap=(), to=None):
    """One whose permit is held."""
    to = to or sever
    taken = to.status()["permits"]["taken"]
    one = Client(wrap=wrap)
    equal(one.do("permit", to.permit), "ok")
    eventually(lambda: to.status()["permits"]["taken"] > taken, "the permit is taken")
    return one


def scene(function):
    """A test that begins without clients, whatever the one before has left."""
    def run():
        for one in list(Client.alive):
            if one is not servers:
                one.end()
        sever.wait_processes(0)
        function()
    run.__name__ = function.__name__
    return test(run)


def in_netns(command):
    return ["unshare", "-n", "sh", "-c", UP + command + '"$0"']


@scene
def it_says_that_it_is_able():
    status = sever.status()
    equal([status["able"], status["orders"]], [True, 0])
    assert status["instance"], status


@scene
def every_way_to_wait_is_ended_with_ECONNABORTED():
    one = client()
    for way in ("recv", "send", "poll", "epoll", "fork-recv"):
        fd = one.do("connect", A, PORT, ORDERS, 7)
        equal(one.do(way, fd), "waiting")
        done = sever.sever(ORDERS, 8, (A, PORT))
        equal([done["outdated"], done["severed"]], [1, 1])
        equal(one.read(), "ECONNABORTED")
    one.end()


@scene
def a_descriptor_that_was_duplicated_is_severed_with_the_first():
    one = client()
    fd = one.do("connect", A, PORT, ORDERS, 7)
    copy = one.do("dup", fd)
    sever.sever(ORDERS, 8, (A, PORT))
    equal(one.do("state", copy), "severed")
    one.end()


@scene
def a_hanging_connect_is_freed():
    one = client(wrap=in_netns(""))
    fd = one.do("start", "10.98.7.9", PORT, ORDERS, 7)
    equal(sever.sever(ORDERS, 8, ("10.98.7.9", PORT))["severed"], 1)
    equal(one.do("recv", fd), "waiting")
    equal(one.read(), "ECONNABORTED")
    one.end()


@scene
def v4_mapped_and_IPv6_connections_are_severed():
    one = client()
    equal(one.do("listen", "::1", OWN_PORT), "ok")
    mapped = one.do("connect", "::ffff:" + A, PORT, ORDERS, 7)
    six = one.do("connect", "::1", OWN_PORT, ORDERS, 7)
    equal(sever.sever(ORDERS, 8, ("::1", OWN_PORT), (A, PORT))["severed"], 2)
    equal([one.do("state", mapped), one.do("state", six)], ["severed", "severed"])
    one.end()


@scene
def everything_else_is_left_alone():
    one = client()
    kept = [one.do("connect", *rest) for rest in (
        (B, PORT, ORDERS, 7),          # another member
        (A, OTHER_PORT, ORDERS, 7),    # another port
        (A, PORT, ORDERS, 8),          # made after the switch
        (A, PORT, READERS, 7),         # another endpoint
        (A, PORT, 0, 0))]              # no tag
    outdated = one.do("connect", A, PORT, ORDERS, 7)
    stranger = Client()                # no permit
    kept_by_stranger = stranger.do("connect", A, PORT, ORDERS, 7)
    done = sever.sever(ORDERS, 8, (A, PORT))
    equal([done["seen"], done["outdated"], done["untagged"], done["severed"]], [5, 1, 2, 1])
    equal([one.do("state", fd) for fd in kept], ["alive"] * 5)
    equal(stranger.do("state", kept_by_stranger), "alive")
    equal(one.do("state", outdated), "severed")
    one.end(), stranger.end()


@scene
def observe_counts_and_changes_nothing():
    one = client()
    fd = one.do("connect", A, PORT, ORDERS, 7)
    done = sever.sever(ORDERS, 8, (A, PORT), observe=True)
    equal([done["outdated"], done["severed"]], [1, 1])
    equal(one.do("state", fd), "alive")
    one.end()


@scene
def untagged_connections_are_severed_where_that_is_ordered():
    one, other = client(), client(wrap=NOBODY.split())
    untagged = one.do("connect", A, PORT, 0, 0)
    reader = one.do("connect", A, PORT, READERS, 7)
    reader_of_other = other.do("connect", A, PORT, READERS, 7)
    # Connections that clients of other tests have closed, and the server has not, are untagged, too.
    assert sever.sever(0, 0, (A, PORT), untagged=True)["severed"] >= 1
    equal(one.do("state", untagged), "severed")
    equal(one.do("state", reader), "alive")
    equal(other.do("state", reader_of_other), "alive")
    one.end(), other.end()


@scene
def untagged_connections_beside_homing_sever_itself_need_no_program_with_a_permit():
    """W7: only where homing-sever can see the namespace itself. In another one it takes a permit."""
    stranger, elsewhere = Client(), Client(wrap=in_netns(""))
    for one in (stranger, elsewhere):
        equal(one.do("listen", "127.0.0.1", OWN_PORT), "ok")
    beside, far = (one.do("connect", "127.0.0.1", OWN_PORT, 0, 0) for one in (stranger, elsewhere))
    to = ("127.0.0.1", OWN_PORT)
    equal(sever.status()["permits"]["processes"], 0)
    done = sever.sever(ORDERS, 8, to)
    equal([done["seen"], done["untagged"], done["namespaces"], done["severed"]], [1, 1, 1, 0])
    equal(stranger.do("state", beside), "alive")
    equal(sever.sever(0, 0, to, untagged=True, spared=[int(stranger.do("cookie", beside))])["severed"], 0)
    done = sever.sever(0, 0, to, untagged=True)
    equal([done["seen"], done["untagged"], done["severed"]], [1, 1, 1])
    equal([stranger.do("state", beside), elsewhere.do("state", far)], ["severed", "alive"])
    stranger.end(), elsewhere.end()


@scene
def a_sender_without_capabilities_in_its_own_network_namespace_is_served():
    one = client(wrap=in_netns(NOBODY))
    equal(one.do("listen", "127.0.0.1", OWN_PORT), "ok")
    fd = one.do("connect", "127.0.0.1", OWN_PORT, ORDERS, 7)
    outside = client()
    equal(outside.do("listen", "127.0.0.1", OWN_PORT), "ok")
    other = outside.do("connect", "127.0.0.1", OWN_PORT, ORDERS, 8)
    done = sever.sever(ORDERS, 8, ("127.0.0.1", OWN_PORT))
    equal([done["severed"], done["denied"], done["namespaces"]], [1, 0, 2])
    equal([one.do("state", fd), outside.do("state", other)], ["severed", "alive"])
    one.end(), outside.end()


@scene
def a_sender_in_a_user_namespace_of_its_own_is_served():
    one = client(wrap=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                       "unshare", "-Urn", "sh", "-c", UP + '"$0"'])
    equal(one.do("listen", "127.0.0.1", PORT), "ok")
    fd = one.do("connect", "127.0.0.1", PORT, ORDERS, 7)
    done = sever.sever(ORDERS, 8, ("127.0.0.1", PORT))
    equal([done["severed"], done["denied"]], [1, 0])
    equal(one.do("state", fd), "severed")
    one.end()


@scene
def connections_lists_who_is_connected():
    one = client()
    one.do("connect", A, PORT, ORDERS, 7)
    rows = sever.call("connections", {"addresses": [[A, PORT]]})
    equal([(r["pid"], r["comm"], r["endpoint"], r["generation"], r["address"], r["port"])
           for r in rows], [(one.process.pid, "permit_client", ORDERS, 7, A, PORT)])
    equal(sever.call("connections", {"addresses": [[B, PORT]]}), [])
    one.end()


@scene
def a_process_that_ends_takes_its_permit_along_but_not_its_counters():
    before = sever.status()["permits"]["counters"]["connects"]
    one = client()
    one.do("connect", A, PORT, ORDERS, 7)
    sever.wait_processes(1)
    one.end()
    sever.wait_processes(0)
    after = sever.status()["permits"]
    equal([after["groups"], after["counters"]["connects"]], [0, before + 1])


def descriptors():
    return len(os.listdir("/proc/%d/fd" % sever.status()["pid"]))


@scene
def nothing_is_left_open_of_processes_that_have_gone():
    before = descriptors()
    for _ in range(5):
        many = [client() for _ in range(10)]
        for one in many:
            one.do("connect", A, PORT, ORDERS, 7)
        sever.wait_processes(10)
        assert descriptors() > before
        for one in many:
            one.end()
        sever.wait_processes(0)
    eventually(lambda: descriptors() == before, "%d descriptors, as before" % before)


@scene
def a_thousand_connections_of_fifty_processes_are_severed():
    many = [client() for _ in range(50)]
    for one in many:
        one.send("many", 20, A, PORT, ORDERS, 7)
    for one in many:
        equal(one.read(), "ok")
    sever.wait_processes(50)
    kept = [one.do("connect", B, PORT, ORDERS, 7) for one in many]
    begun = time.monotonic()
    done = sever.sever(ORDERS, 8, (A, PORT))
    print("# 1000 sockets of 50 processes: %.1f ms in homing-sever; answered after %.1f s"
          % (done["first_us"] / 1000, time.monotonic() - begun))
    equal([done["outdated"], done["severed"], done["failed"]], [1000, 1000, 0])
    equal([one.count() for one in many], [(1, 20)] * 50)
    equal([one.do("state", fd) for one, fd in zip(many, kept)], ["alive"] * 50)
    for one in many:
        one.end()


@scene
def a_spread_severs_all_of_them_but_not_at_once():
    one = client()
    equal(one.do("many", 200, A, PORT, ORDERS, 7), "ok")
    connection = orderer(1, 60000)
    first = eventually(lambda: one.count()[1], "some are severed")
    alive = eventually(lambda: (left := one.count()[0]) < 200 - first and left, "and more of them later, but not all")
    equal(sever.call("cancel", [ORDERS]), True)
    connection.close()
    alive = one.count()[0]
    assert 0 < alive < 200 - first, (first, alive)
    equal(sever.sever(ORDERS, 8, (A, PORT), spread_ms=1500)["severed"], alive)
    equal(one.count()[0], 0)
    one.end()


def orderer(count, spread_ms):
    """A connection over which so many orders are under way."""
    order = {"endpoints": [[ORDERS, 8]], "addresses": [[A, PORT]], "spread_ms": spread_ms}
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sever.order_path)
    connection.sendall(b"".join(pack([0, 1 + i, "sever", [order]]) for i in range(count)))
    eventually(lambda: sever.status()["orders"] == count, "orders are under way")
    return connection


@scene
def a_repeated_order_does_not_shorten_the_spread():
    one = client()
    equal(one.do("many", 1000, A, PORT, ORDERS, 7), "ok")
    connection = orderer(100, 600000)
    left = sever.sever(ORDERS, 8, (A, PORT), observe=True)["severed"]  # its turn is after theirs
    # The first share, and one more for each order; had each shares of its own, nobody would be left.
    assert 100 <= 1000 - left < 100 + 3 * 1000 / 32, left
    equal(sever.call("cancel", [ORDERS]), True)
    connection.close()
    one.end()


@scene
def an_order_ends_soon_after_the_agent_that_gave_it():
    one = client()
    equal(one.do("many", 50, A, PORT, ORDERS, 7), "ok")
    connection = orderer(1, 600000)
    connection.close()
    eventually(lambda: sever.status()["orders"] == 0, "the order has ended")
    alive = one.count()[0]
    assert alive > 0
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], alive)
    one.end()


@scene
def hostile_permits_are_refused_and_harm_nobody():
    taken = sever.status()["permits"]["taken"]
    good = client()
    fd = good.do("connect", A, PORT, ORDERS, 7)
    refused = sever.status()["permits"]["refused"]
    bad = []
    for kind in ("swapped", "tcp", "route", "file", "unsealed", "huge", "blank", "endless", "one", "many", "text"):
        bad.append(Client())
        equal(bad[-1].do("hostile", kind, sever.permit), "ok")
        refused += 1
        eventually(lambda: sever.status()["permits"]["refused"] == refused, kind + " is refused")
    for kind in ("silent", "more"):
        bad.append(Client())
        equal(bad[-1].do("hostile", kind, sever.permit), "ok")
    eventually(lambda: sever.status()["permits"]["waiting"] == 0, "who is silent is dropped")
    sever.wait_processes(1)
    status = sever.status()["permits"]
    equal([status["receivers_stuck"], status["paused"]], [0, False])
    assert status["taken"] >= taken + 1, status
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 1)
    equal(good.do("state", fd), "severed")
    for one in [good, *bad]:
        one.end()


def receiver():
    """The pid of the process that takes descriptors."""
    holder = sever.status()["pid"]
    with open("/proc/%d/task/%d/children" % (holder, holder)) as children:
        for pid in children.read().split():
            with open("/proc/%s/status" % pid) as status:
                if "State:\tZ" not in status.read():
                    return int(pid)
    return None


@scene
def none_of_many_permits_that_come_at_once_is_lost():
    before = sever.status()["permits"]
    one, holder = Client(), sever.call("version")["pid"]
    os.kill(holder, signal.SIGSTOP)
    equal([one.do("permit", sever.permit) for _ in range(400)], ["ok"] * 400)
    os.kill(holder, signal.SIGCONT)
    sever.wait_processes(400)
    after = sever.status()["permits"]
    equal([after[what] - before[what] for what in ("taken", "refused", "receivers_stuck")], [400, 0, 0])
    one.end()


@scene
def a_receiver_that_hangs_is_replaced_and_costs_one_permit():
    stuck = sever.status()["permits"]["receivers_stuck"]
    hanging = receiver()
    os.kill(hanging, signal.SIGSTOP)
    unlucky = Client()
    equal(unlucky.do("permit", sever.permit), "ok")
    good = client()
    equal(sever.status()["permits"]["receivers_stuck"], stuck + 1)
    assert receiver() != hanging
    fd = good.do("connect", A, PORT, ORDERS, 7)
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 1)
    equal(good.do("state", fd), "severed")
    unlucky.end(), good.end()


@scene
def who_reads_the_replies_meant_for_us_does_not_keep_his_neighbours_connected():
    def dealt_with():
        permits = sever.status()["permits"]
        return permits["taken"] + permits["refused"]
    thief, before = Client(), dealt_with()
    equal(thief.do("hostile", "keep", sever.permit), "ok")
    eventually(lambda: dealt_with() > before, "it is taken, or refused, if a reply was stolen while it was looked at")
    good = client()
    fd = good.do("connect", A, PORT, ORDERS, 7)
    severed = 0
    while severed == 0:
        severed = sever.sever(ORDERS, 8, (A, PORT))["severed"]
    equal(good.do("state", fd), "severed")
    good.end(), thief.end()


@scene
def permits_outlive_whoever_orders():
    one = client()
    fd = one.do("connect", A, PORT, ORDERS, 7)
    subprocess.run([sys.executable, "-c", "import socket,sys;s=socket.socket(socket.AF_UNIX);"
                    "s.connect(sys.argv[1]);s.send(b'\\x94')", sever.order_path], check=True)
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 1)
    equal(one.do("state", fd), "severed")
    one.end()


@scene
def a_second_one_ends_with_an_error():
    second = Sever(sever.base).spawn()
    equal(second.process.wait(30), 1)
    assert "a homing-sever is running there (pid " in second.text(), second.text()
    assert "--takeover" not in second.text(), second.text()
    assert sever.answers()


@scene
def a_holder_that_dies_is_replaced_with_another_instance():
    before = sever.call("version")
    os.kill(before["pid"], 9)
    eventually(lambda: sever.answers() not in (False, before["instance"]), "a new holder")
    one = client()
    fd = one.do("connect", A, PORT, ORDERS, 7)
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 1)
    equal(one.do("state", fd), "severed")
    one.end()


@scene
def with_CAP_NET_ADMIN_alone_it_works_for_any_uid():
    lone = Sever()
    os.chown(lone.base, 65533, 65533)
    lone.start(wrap=["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups",
                     "--bounding-set=-all,+net_admin", "--inh-caps=-all,+net_admin",
                     "--ambient-caps=-all,+net_admin"])
    equal(lone.status()["able"], True)
    one = client(wrap=in_netns(NOBODY), to=lone)
    equal(one.do("listen", "127.0.0.1", PORT), "ok")
    fd = one.do("connect", "127.0.0.1", PORT, ORDERS, 7)
    equal(lone.sever(ORDERS, 8, ("127.0.0.1", PORT))["severed"], 1)
    equal(one.do("state", fd), "severed")
    with open("/proc/%d/status" % lone.status()["pid"]) as status:
        caps = dict(line.split(":\t") for line in status.read().splitlines() if line.startswith("Cap"))
    equal(sorted(caps.items()), [("CapAmb", "0" * 16), ("CapBnd", "%016x" % (1 << 12)),
                                 ("CapEff", "%016x" % (1 << 12)), ("CapInh", "0" * 16),
                                 ("CapPrm", "%016x" % (1 << 12))])
    one.end()
    equal(lone.stop(), 0)


@scene
def without_the_capability_it_says_so_and_counts_what_was_denied():
    weak = Sever()
    weak.start(wrap=["setpriv", "--bounding-set=-net_admin"])
    status = weak.status()
    equal(status["able"], False)
    assert "CAP_NET_ADMIN" in status["ability"], status
    one = client(to=weak)
    fd = one.do("connect", A, PORT, ORDERS, 7)
    done = weak.sever(ORDERS, 8, (A, PORT))
    assert done["denied"] >= 1 and done["severed"] == 0, done
    equal(one.do("state", fd), "alive")
    one.end()
    equal(weak.stop(), 0)


def wipe(*paths):
    for path in paths:
        shutil.rmtree(path)


def listen_at(path):
    """In place of what is there."""
    one = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    one.bind(path)
    one.listen()
    return one


def lose_sockets(of):
    """The ways in which the sockets get lost, one after the other."""
    run, admin = of.run, os.path.dirname(of.order_path)
    yield lambda: os.unlink(of.permit)
    yield lambda: os.unlink(of.order_path)
    yield lambda: wipe(run)
    yield lambda: (wipe(run), os.mkdir(run))
    yield lambda: wipe(run, admin)
    yield lambda: listen_at(of.permit).close()
    yield lambda: os.rename(of.permit, of.permit + ".old")
    yield lambda: os.chmod(of.permit, 0o600)


def is_back(of):
    try:
        return of.answers() and os.stat(of.permit).st_mode & 0o777 == 0o666 and of.accepts()
    except OSError:
        return False


@scene
def a_socket_that_is_removed_or_replaced_is_put_back_and_the_permits_are_held_on():
    lost = Sever().start()
    one = client(to=lost)
    fd = one.do("connect", A, PORT, ORDERS, 7)
    before = lost.answers()
    for lose in lose_sockets(lost):
        lose()
        eventually(lambda: is_back(lost), "the sockets are there")
        later = client(to=lost)
        equal(lost.status()["permits"]["processes"], 2)
        later.end()
        lost.wait_processes(1)
    equal(lost.answers(), before)
    equal(lost.status()["unreachable"], None)
    equal(lost.sever(ORDERS, 8, (A, PORT))["severed"], 1)
    equal(one.do("state", fd), "severed")
    one.end()
    equal(lost.stop(), 0)
    equal([os.path.exists(lost.permit), os.path.exists(lost.order_path)], [False, False])


def unreachable(of, part):
    return eventually(lambda: part in (of.status()["unreachable"] or "") and of.status()["unreachable"], part)


def command_of(text, word):
    """What an operator can type: from this word on."""
    return text[text.rindex(word + " "):].split(";")[0]


@scene
def what_cannot_be_put_back_is_told_with_the_command_that_mends_it():
    """Orders go on, over the connection that homingd has."""
    lost = Sever().start()
    one = client(to=lost)
    with other_listens(lost.permit) as other:
        text = unreachable(lost, "process %d of uid 0" % other.pid)
        subprocess.run(command_of(text, "kill"), shell=True, check=True)
        other.wait()
    eventually(lambda: lost.status()["unreachable"] is None, "it is back")
    client(to=lost).end()
    os.unlink(lost.permit)
    os.mkdir(lost.permit)
    subprocess.run(command_of(unreachable(lost, "is not a socket"), "mv"), shell=True, check=True)
    eventually(lambda: lost.status()["unreachable"] is None, "it is back")
    os.chmod(lost.run, 0o700)
    subprocess.run(command_of(unreachable(lost, "is closed to other users"), "chmod"), shell=True, check=True)
    eventually(lambda: lost.status()["unreachable"] is None, "it is open")
    wipe(lost.run)
    with open(lost.run, "w"):
        pass
    subprocess.run(command_of(unreachable(lost, "is not a directory"), "mv"), shell=True, check=True)
    eventually(lambda: lost.status()["unreachable"] is None, "it is back")
    client(to=lost).end()
    equal(lost.text().count('"socket_unreachable"'), 4)
    equal(lost.text().count('"socket_reachable"'), 4)
    one.end()
    equal(lost.stop(), 0)


@contextlib.contextmanager
def other_listens(path):
    code = "import socket, os, signal; s = socket.socket(socket.AF_UNIX); os.unlink(%r); s.bind(%r); s.listen(); " \
           "print(flush=True); signal.pause()" % (path, path)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    cleanups.append(process.kill)
    try:
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@scene
def an_unprivileged_one_that_may_not_make_its_directory_says_how_to():
    lone = Sever()
    os.chown(lone.base, 65533, 65533)
    lone.start(wrap=["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"])
    os.chown(lone.base, 0, 0)
    os.chmod(lone.base, 0o755)
    wipe(lone.run)
    text = unreachable(lone, "Permission denied")
    subprocess.run(command_of(text, "install"), shell=True, check=True)
    eventually(lambda: lone.status()["unreachable"] is None, "it is back")
    client(to=lone).end()
    equal(lone.stop(), 0)


@scene
def one_that_homingd_has_left_ends_when_its_directories_are_gone_and_not_before():
    left = Sever().start("--idle-exit", "3600")
    os.unlink(left.permit)
    eventually(lambda: os.path.exists(left.permit), "it is back")
    wipe(left.base)
    equal(left.process.wait(30), 0)


@scene
def it_ends_when_nobody_orders_for_long():
    lonely = Sever().spawn("--idle-exit", "1")
    equal(lonely.process.wait(30), 0)
    assert '"started"' in lonely.text(), lonely.text()
    equal([os.path.exists(lonely.permit), os.path.exists(lonely.order_path)], [False, False])


def staged(with_homing_sever=True):
    """A moved installation, with what starts homing-sever in homingd's place."""
    prefix = directory()
    os.makedirs(prefix + "/sbin")
    os.makedirs(prefix + "/libexec/homing")
    shutil.copy(os.path.join(BUILD, "tests/support/start_sever_child"), prefix + "/sbin/homingd")
    if with_homing_sever:
        shutil.copy(os.path.join(BUILD, "homing-sever"), prefix + "/libexec/homing/homing-sever")
    return prefix + "/sbin/homingd"


def begin(homingd, at, *wrap):
    """Its exit code. It ends at once; what it has started does not."""
    with open(at.log_path, "a") as log:
        return subprocess.run([*wrap, homingd, at.run], stderr=log, stdin=subprocess.DEVNULL).returncode


@scene
def homingd_starts_one_that_outlives_it_and_only_one():
    homingd, left = staged(), Sever()
    equal(begin(homingd, left), 0)
    eventually(lambda: os.path.exists(left.order_path), "started")
    first = left.call("version")
    cleanups.append(lambda: os.path.exists(left.order_path) and os.kill(first["pid"], signal.SIGTERM))
    one = client(to=left)
    fd = one.do("connect", A, PORT, ORDERS, 7)
    equal(begin(homingd, left), 0)     # the next homingd
    equal(left.call("version"), first)
    equal(left.sever(ORDERS, 8, (A, PORT))["severed"], 1)
    equal(one.do("state", fd), "severed")
    with open("/proc/%d/status" % first["pid"]) as status:
        supervisor = next(int(l.split()[1]) for l in status if l.startswith("PPid:"))
    os.kill(supervisor, signal.SIGTERM)
    eventually(lambda: not os.path.exists(left.order_path), "ended")


@scene
def without_the_privilege_or_the_program_none_is_started():
    none = Sever()
    equal(begin(staged(), none, "setpriv", "--bounding-set=-net_admin"), 0)
    equal(begin(staged(with_homing_sever=False), none), errno.ENOENT)
    equal(os.path.exists(none.base + "/run-admin"), False)


main()
