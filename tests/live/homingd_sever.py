#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""W7, all of it: homingd, homing-sever, the shim, and programs whose server is demoted but alive, so that nothing
breaks by itself: it is set read-only, its connections stay, and the other one is promoted."""
import os
import signal
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
import homing  # noqa: E402
from homing import BUILD, NOBODY, Agent, cluster_of, demote, pair, preload, settle  # noqa: E402
from tap import PATIENCE, cleanups, end, equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
pg = pair()
PORT = pg.port()
NAME, READERS = "orders-db.invalid", "orders-ro.invalid"

CLUSTERS = cluster_of(pg, NAME, READERS)
agent = Agent(CLUSTERS)


class Holder(homing.Holder):
    """Of this test's agent and port."""

    def __init__(self, host, plain=False, of=agent, before=()):
        super().__init__(host, PORT, None if plain else of, before)


def last_switch():
    return [e["switch"] for e in agent.json("history") if e["switch"]][-1]


def wait_severed(count, key="severed"):
    return eventually(lambda: last_switch()["sever"] and last_switch()["sever"]["done"]
                      and last_switch()["sever"][key] == count and last_switch(),
                      "%d connections %s: %s" % (count, key, agent.json("history")))


def able():
    return eventually(lambda: agent.status()["severing"]["available"], "severing is available")


def effective_capabilities(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(line.split()[1] for line in status if line.startswith("CapEff:"))


@test
def an_agent_that_may_starts_homing_sever_and_keeps_no_capability():
    agent.start(env=dict(os.environ, PGPASSWORD="secret"))
    able()
    agent.wait_writer("orders", pg.member("a"))
    with open("/proc/%d/environ" % agent.status()["severing"]["pid"], encoding="utf-8") as environment:
        assert "PGPASSWORD" not in environment.read()
    equal(int(effective_capabilities(agent.process.pid), 16), 0)
    equal(int(effective_capabilities(agent.status()["severing"]["pid"]), 16), 1 << 12)
    assert "severing: available" in agent.ctl("status").stdout, agent.ctl("status").stdout


@test
def connections_names_process_endpoint_and_member():
    global holder
    holder = Holder(NAME)
    equal(holder.first, pg.address("a"))
    rows = eventually(lambda: agent.json("connections")["connections"], "one connection")
    equal([(r["pid"], r["endpoint"], r["member"], r["outdated"]) for r in rows],
          [(holder.process.pid, NAME, pg.member("a"), False)])
    assert "python3" in agent.ok("connections", "orders")
    equal(agent.ctl("connections", "nothing").returncode, 1)


def sever_processes():
    """homing-sever's own: those that a process of its process group started, too."""
    of = os.getpgid(agent.status()["severing"]["pid"])
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and group_of(pid) == of and "homing-sever" in name_of(pid)]


def group_of(pid):
    try:
        return os.getpgid(int(pid))
    except OSError:
        return None


def name_of(pid):
    try:
        with open("/proc/%s/comm" % pid) as name:
            return name.read()
    except OSError:
        return ""


@test
def connections_blames_homing_sever_and_not_homingd_if_homing_sever_hangs():
    stopped = sever_processes()
    assert agent.status()["severing"]["pid"] in stopped, stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        done = agent.ctl("connections")
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    equal(done.returncode, 1)
    assert "homing-sever knows them, and it does not answer" in done.stderr, done.stderr
    able()
    eventually(lambda: agent.json("connections")["connections"], "it is listed again")


@test
def a_connection_to_a_demoted_member_that_lives_is_severed_and_comes_back_to_the_new_writer():
    demote(pg, "a", "b")
    agent.wait_writer("orders", pg.member("b"))
    change = wait_severed(1)
    said = holder.ask().split(None, 2)
    equal(said[:2], ["anew", pg.address("b")])
    equal((change["from"], change["to"], change["loss_exact"]), (pg.member("a"), pg.member("b"), True))
    assert change["sever"]["order_ms"] is not None and change["loss"], change


@test
def healthy_connections_are_left_alone():
    # One each to the writer, and to the demoted member: by a reader endpoint, and past homing.
    readers = eventually(lambda: agent.resolve(READERS) == [pg.address("a")] and Holder(READERS), "a serves readers")
    equal(readers.first, pg.address("a"))
    plain = Holder(pg.address("a"), plain=True)
    by_address = Holder(pg.address("a"))
    agent.kill()
    agent.start()  # which orders again
    able()
    eventually(lambda: agent.status()["severing"]["processes"] >= 1, "permits were kept")
    agent.wait_writer("orders", pg.member("b"))
    equal([holder.ask(), readers.ask(), plain.ask(), by_address.ask()],
          [pg.address("b")] + 3 * [pg.address("a")])
    for one in (readers, plain, by_address):
        one.end()


@test
def in_observe_it_is_counted_and_nothing_else():
    settle(pg, agent, "a", "b")
    agent.ok("mode", "orders", "observe")
    demote(pg, "b", "a")
    agent.wait_writer("orders", pg.member("a"))
    wait_severed(1, "would_sever")
    equal(last_switch()["sever"]["severed"], 0)
    equal(holder.ask(), pg.address("b"))
    equal(agent.cluster("orders")["would_sever"], 1)
    assert "would have been" in agent.ok("history", "orders"), agent.ok("history", "orders")


@test
def a_mode_below_sever_leaves_connections_and_sever_takes_them_at_once():
    for mode in ("off", "names", "connect"):
        agent.ok("mode", "orders", mode)
        equal(holder.ask(), pg.address("b"))
    agent.ok("mode", "orders", "default")
    eventually(lambda: agent.cluster("orders")["severed"] == 1, "the connection is severed")
    equal(holder.ask().split()[:2], ["anew", pg.address("a")])


@test
def an_agent_that_was_dead_during_the_failover_severs_when_it_is_back():
    settle(pg, agent, "b", "a")
    agent.kill()
    demote(pg, "a", "b")
    equal(holder.ask(), pg.address("a"))
    agent.start()
    agent.wait_writer("orders", pg.member("b"))
    wait_severed(1)
    equal(holder.ask().split()[:2], ["anew", pg.address("b")])


@test
def the_kill_switch_ends_a_spread_that_is_under_way():
    settle(pg, agent, "a", "b")
    holder.end()
    agent.write(cluster_of(pg, NAME, READERS, also="    sever_spread: 10m\n"))
    agent.ok("reload")
    many = [Holder(NAME) for _ in range(4)]
    equal([one.first for one in many], 4 * [pg.address("b")])
    demote(pg, "b", "a")
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: last_switch()["sever"], "severing was ordered")
    equal(last_switch()["sever"]["done"], False)
    agent.ok("mode", "orders", "off")
    change = eventually(lambda: last_switch()["sever"]["done"] and last_switch(), "the order has ended")
    left = [one for one in many if one.ask() == pg.address("b")]
    equal(len(left), len(many) - change["sever"]["severed"])
    agent.ok("mode", "orders", "default")
    agent.write(CLUSTERS)  # no spread
    agent.ok("reload")
    eventually(lambda: all(pg.address("a") in one.ask().split() for one in left), "all are severed and back")


@test
def without_homing_sever_the_other_layers_work_and_status_says_what_to_do():
    lone = Agent(CLUSTERS).of_nobody()
    lone.start(before=NOBODY)
    lone.wait_writer("orders", pg.member("a"))
    equal(lone.resolve(NAME), [pg.address("a")])
    severing = lone.status()["severing"]
    equal(severing["available"], False)
    assert "the socket is not there" in severing["why"], severing
    assert "not available" in lone.ctl("status").stdout
    equal(lone.ctl("status").returncode, 1)
    equal(lone.ctl("status", "orders").returncode, 1)
    lone.ok("mode", "orders", "connect")
    lone.ok("status")
    lone.ok("mode", "orders", "default")
    equal(lone.ctl("connections").returncode, 1)
    helper = subprocess.Popen([*NOBODY, os.path.join(BUILD, "homing-sever"), "--run-dir", lone.base + "/run"],
                              stderr=subprocess.DEVNULL)
    cleanups.append(lambda: end(helper))
    why = eventually(lambda: "no CAP_NET_ADMIN" in lone.status()["severing"]["why"]
                     and lone.status()["severing"]["why"], "it says that it is not able")
    equal(lone.status()["severing"]["available"], False)
    assert why
    helper.terminate()
    equal(helper.wait(PATIENCE), 0)
    told = severing["why"].partition("start it, as root, with: ")[2]
    subprocess.run(told, shell=True, check=True, stderr=subprocess.DEVNULL)
    eventually(lambda: lone.status()["severing"]["available"], "what it says to type is right")
    os.kill(lone.status()["severing"]["pid"], signal.SIGTERM)
    eventually(lambda: not lone.status()["severing"]["pid"], "that one has ended")


class Namespace:
    """A network namespace, as a pod's, in which the servers' addresses lead to the servers."""

    def __init__(self, targets):
        ours, theirs = socket.socketpair()
        held = subprocess.Popen(["unshare", "-n", sys.executable, "-c", LISTEN, *targets], stdin=theirs,
                                stdout=subprocess.DEVNULL)
        cleanups.append(lambda: (held.kill(), held.wait()))
        fds = []
        while len(fds) < len(targets):
            fds += socket.recv_fds(ours, 1, len(targets))[1]
        self.enter = ["nsenter", "--net=/proc/%d/ns/net" % held.pid]
        for fd, target in zip(fds, targets):
            threading.Thread(target=self.accept, args=(socket.socket(fileno=fd), target), daemon=True).start()

    def accept(self, listening, target):
        while True:
            near = listening.accept()[0]
            try:
                far = socket.create_connection((target, int(PORT)))
            except OSError:
                near.close()
                continue
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=pair, daemon=True).start()

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


LISTEN = """import socket, subprocess, sys, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
s = socket.socket(fileno=0)
for address in sys.argv[1:]:
    listening = socket.create_server((address, %s))
    socket.send_fds(s, [b"x"], [listening.fileno()])
time.sleep(3600)
""" % PORT


@test
def a_process_without_any_privilege_in_a_network_namespace_of_its_own_is_severed_by_one_capability():
    settle(pg, agent, "b", "a")
    agent.kill()
    pod = Agent(CLUSTERS).of_nobody()
    with open(pod.base + "/sever.log", "w") as log:
        sever = subprocess.Popen(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                  "--inh-caps=-all,+net_admin", "--ambient-caps=-all,+net_admin",
                                  "--bounding-set=-all,+net_admin", os.path.join(BUILD, "homing-sever"),
                                  "--run-dir", pod.base + "/run"], stderr=log)
    cleanups.append(lambda: end(sever))
    pod.start(before=NOBODY)
    pod.wait_writer("orders", pg.member("a"))
    eventually(lambda: pod.status()["severing"]["available"], "severing is available")
    namespace = Namespace([pg.address("a"), pg.address("b")])
    there = Holder(NAME, of=pod, before=[*namespace.enter, *NOBODY])
    equal(there.first, pg.address("a"))
    demote(pg, "a", "b")
    pod.wait_writer("orders", pg.member("b"))
    eventually(lambda: pod.cluster("orders")["severed"] == 1, "it is severed")
    equal(there.ask().split()[:2], ["anew", pg.address("b")])
    pod.kill()


KEEPS_THE_ADDRESS = """import socket, sys
at = socket.getaddrinfo(sys.argv[1], sys.argv[2], socket.AF_INET, socket.SOCK_STREAM)[0][4]
print(at[0], flush=True)
for line in sys.stdin:
    with socket.create_connection(at) as s: print(s.getpeername()[0], flush=True)
"""


class Keeper(Holder):
    """Looks up once, and on ask() connects to that address again and says where it got."""

    program = ["-c", KEEPS_THE_ADDRESS]


@test
def on_a_kernel_that_cannot_abort_sockets_names_and_connects_follow_and_status_says_so():
    agent.start()
    settle(pg, agent, "a", "b")
    old_kernel = Agent(CLUSTERS)
    with open(old_kernel.base + "/sever.log", "w") as log:
        sever = subprocess.Popen([os.path.join(BUILD, "homing-sever"), "--run-dir", old_kernel.base + "/run"],
                                 env=preload("no_destroy"), stderr=log)
    cleanups.append(lambda: end(sever))
    eventually(lambda: os.path.exists(old_kernel.base + "/run-admin/sever.sock"), "homing-sever listens")
    old_kernel.start()
    old_kernel.wait_writer("orders", pg.member("b"))
    eventually(lambda: "CONFIG_INET_DIAG_DESTROY" in old_kernel.status()["severing"]["why"], "it says what is missing")
    equal(old_kernel.status()["severing"]["available"], False)
    status = old_kernel.ctl("status")
    equal(status.returncode, 1)
    assert "severing: not available: this kernel cannot abort sockets: it needs CONFIG_INET_DIAG_DESTROY" in status.stdout
    assert "CONFIG_INET_DIAG_DESTROY" in old_kernel.ok("explain", NAME), old_kernel.ok("explain", NAME)
    held, keeper = Holder(NAME, of=old_kernel), Keeper(NAME, of=old_kernel)
    equal([held.first, keeper.first, keeper.ask()], [pg.address("b")] * 3)
    demote(pg, "b", "a")
    old_kernel.wait_writer("orders", pg.member("a"))
    equal(old_kernel.resolve(NAME), [pg.address("a")])
    equal(keeper.ask(), pg.address("a"))
    equal(Holder(NAME, of=old_kernel).first, pg.address("a"))
    equal(held.ask(), pg.address("b"))  # as without homing
    equal(old_kernel.cluster("orders")["severed"], 0)
    old_kernel.ok("mode", "orders", "connect")
    equal(old_kernel.ctl("status").returncode, 0)


main()
