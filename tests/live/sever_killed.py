#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""homing-sever is killed, in parts and whole, and then a failover comes: 50 pools that are quiet."""
import os
import resource
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import BUILD, Agent, answered, cluster_of, demote, pair, settle  # noqa: E402
from tap import PATIENCE, cleanups, equal, eventually, main, test  # noqa: E402
from manager import Manager  # noqa: E402
from sever import Client, Sever, need_root  # noqa: E402

need_root()
POOLS = int(os.environ.get("HOMING_QUIET_POOLS", "50"))
NAME = "orders-db.invalid"
pg = pair()
agent = Agent(cluster_of(pg, NAME))
sever = Sever(agent.base)


class Pool:
    """holder.py, under the shim: a connection that is quiet until it is asked."""

    def __init__(self):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--", "/usr/bin/python3", "-B",
             os.path.join(HERE, "holder.py"), NAME, pg.port()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        cleanups.append(self.end)
        self.first = self.read()

    def read(self):
        return self.process.stdout.readline().split(None, 2)[:2]

    def ask(self, what="ask"):
        self.process.stdin.write(what + "\n")
        return self.read()

    def end(self):
        self.process.kill()
        self.process.wait()


cleanups.append(sever.kill_at_once)


def alarms():
    return [alarm["alarm"] for alarm in agent.status()["alarms"]]


def holds(count):
    return eventually(lambda: agent.status()["severing"]["processes"] == count, f"{count} permits are held")


def start_pools(count):
    """One after the other: a program waits 20 ms for its view, and where no processor is left it has none."""
    pools = []
    for _ in range(count):
        pools.append(answered(Pool))
        equal(pools[-1].first, [pg.address("a")])
    return pools


def writer():
    return agent.cluster("orders")["writer"].split(":")[0]


@test
def without_its_permits_it_is_not_all_well_and_each_program_is_missed_until_it_has_handed_over_again_or_ended():
    sever.start()
    agent.start()
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    one, other, third = pools = start_pools(3)
    holds(3)
    eventually(lambda: not alarms(), "no alarm")
    sever.kill_at_once()
    eventually(lambda: agent.status()["severing"]["lost"] == 3, "three are missing")
    eventually(lambda: alarms() == ["permits_lost"], "that is an alarm")
    said = agent.ctl("status")
    assert said.returncode == 1 and "all well" not in said.stdout, said.stdout
    assert "3 running programs" in said.stdout and f"pid {one.process.pid}" in said.stdout, said.stdout
    equal(len(agent.log("permits_lost")), 1)
    equal([e["cluster"] for e in agent.json("history") if e["text"].startswith("permits_lost: ")], [None])
    assert "permits_lost" in agent.ok("history"), agent.ok("history")
    sever.start()
    eventually(lambda: agent.status()["severing"]["available"], "severing is available again")
    equal(alarms(), ["permits_lost"])
    pg.sql("a", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name <> 'homingd' "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
    equal(one.ask(), ["anew", pg.address("a")])
    eventually(lambda: agent.status()["severing"]["lost"] == 2, "one has handed over again")
    other.end()
    eventually(lambda: agent.status()["severing"]["lost"] == 1, "one has ended")
    equal(third.ask(), ["anew", pg.address("a")])
    eventually(lambda: not alarms(), "no alarm")
    assert "all well" in agent.ok("status")
    equal(len(agent.log("permits_complete")), 1)
    for pool in pools:
        pool.end()


def status():
    return agent.status()["severing"]


def of_sever(name):
    """Its process of that name; the holder is who answers, the supervisor the holder's parent."""
    if name == "holder":
        return status()["pid"]
    if name == "supervisor":
        with open(f"/proc/{status()['pid']}/stat", encoding="utf-8") as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    return next(pid for pid in sever.parts() if comm(pid) == name)


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return None


def gone(pid):
    """It is not there any more, or nobody has asked yet how it ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def last_severed():
    done = [e["switch"]["sever"] for e in agent.json("history") if e["switch"]]
    return done and done[-1] and done[-1]["done"] and done[-1]["severed"]


def fail_over():
    old, new = ("a", "b") if writer() == pg.address("a") else ("b", "a")
    demote(pg, old, new)
    agent.wait_writer("orders", pg.member(new))
    return old, new


def all_are_severed(pools):
    """By a failover, and come back to the new writer."""
    old, new = fail_over()
    eventually(lambda: last_severed() == len(pools), f"{len(pools)} connections are severed")
    equal([pool.ask() for pool in pools], [["anew", pg.address(new)]] * len(pools))
    settle(pg, agent, old, new)
    holds(len(pools))


def started_as_told():
    """By the command that `status` and the alarm tell."""
    told = agent.status()["alarms"][0]["command"]
    assert "no process listens there" in status()["why"] and status()["why"].endswith("with: " + told), status()["why"]
    assert told in agent.ctl("status").stdout, told
    with open(sever.log_path, "a", encoding="utf-8") as log:
        subprocess.run(told, shell=True, check=True, stderr=log)
    eventually(lambda: status()["available"], "severing is available")


@test
def what_status_and_the_alarm_tell_to_type_starts_it_again():
    pool = start_pools(1)[0]
    holds(1)
    sever.kill_at_once()
    eventually(lambda: alarms() == ["permits_lost"], "that is an alarm")
    started_as_told()
    pool.end()
    eventually(lambda: not alarms(), "no alarm")
    sever.kill_at_once()
    sever.start()
    eventually(lambda: status()["available"], "severing is available again")


@test
def a_socket_of_it_that_cannot_be_put_back_is_an_alarm_with_the_command_that_mends_it():
    eventually(lambda: status()["available"] and not alarms(), "all is well")
    before, pool = status()["pid"], start_pools(1)[0]
    holds(1)
    os.unlink(sever.permit)
    os.mkdir(sever.permit)
    eventually(lambda: alarms() == ["severer_unreachable"], "that is an alarm")
    said = agent.ctl("status")
    assert said.returncode == 1 and "is not a socket" in said.stdout, said.stdout
    equal(len(agent.log("severer_unreachable")), 1)
    subprocess.run(said.stdout[said.stdout.index("mv " + sever.permit):].split("\n")[0], shell=True, check=True)
    eventually(lambda: not alarms(), "no alarm")
    equal(len(agent.log("severer_reachable")), 1)
    other = start_pools(1)[0]
    holds(2)
    equal(status()["pid"], before)
    for one in (pool, other):
        one.end()


@test
def whichever_of_its_processes_is_killed_all_quiet_pools_are_severed():
    global pools
    pools = start_pools(POOLS)
    holds(POOLS)
    for name in ("holder", "supervisor", "sever-receive"):
        before, victim = status()["pid"], of_sever(name)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: gone(victim), name + " has ended")
        eventually(lambda: status()["available"] and (name == "sever-receive" or status()["pid"] != before),
                   f"severing is available again after the {name} was killed")
        holds(POOLS)
        eventually(lambda: not alarms(), "no alarm")
        all_are_severed(pools)
    equal(sever.status()["permits"]["restored"], 0)  # each has handed over again


@test
def a_program_whose_pid_is_not_seen_is_kept_too():
    """homing-sever in a PID namespace of its own."""
    apart = Sever().start(wrap=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
    cleanups.append(lambda: end_apart(apart))
    one, other = Client(), Client()
    address, port, endpoint = f"127.78.{os.getpid() % 250 + 1}.1", 7432, 0x1111
    equal(one.do("listen", address, port), "ok")
    for client in (one, other):
        equal(client.do("permit", apart.permit), "ok")
    apart.wait_processes(2)
    equal(apart.call("holders"), [[0, 0]] * 2)
    fd = one.do("connect", address, port, endpoint, 7)
    instance, victim = apart.status()["instance"], sorted(p for p in apart.parts() if comm(p) == "homing-sever")[1]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: again(apart, instance), "another one answers")
    equal(apart.status()["permits"]["restored"], 2)
    other.end()
    apart.wait_processes(1)
    equal(one.do("permit", apart.permit), "ok")
    eventually(lambda: apart.status()["permits"]["restored"] == 0, "it has handed over again")
    equal(apart.status()["permits"]["processes"], 1)
    equal(apart.sever(endpoint, 8, (address, port))["severed"], 1)
    equal(one.do("state", fd), "severed")
    one.end()
    end_apart(apart)


@test
def a_child_that_goes_on_when_its_parent_has_ended_is_kept_too():
    other, one = Sever().start(), Client()
    address, port, endpoint = f"127.78.{os.getpid() % 250 + 1}.2", 7432, 0x1111
    server = Client()
    equal(server.do("listen", address, port), "ok")
    equal(one.do("permit", other.permit), "ok")
    other.wait_processes(1)
    fd = one.do("connect", address, port, endpoint, 7)
    equal(one.do("fork-recv", fd), "waiting")
    one.process.kill()
    one.process.wait()
    instance = other.status()["instance"]
    os.kill(other.status()["pid"], signal.SIGKILL)
    eventually(lambda: again(other, instance), "another one answers")
    equal([other.status()["permits"][what] for what in ("processes", "restored")], [1, 1])
    equal(other.sever(endpoint, 8, (address, port))["severed"], 1)
    equal(one.read(), "ECONNABORTED")
    other.wait_processes(0)
    for client in (one, server):
        client.end()


@test
def while_no_other_process_can_be_started_what_is_kept_waits():
    """A supervisor that may open no descriptor, which it needs before it forks."""
    other, one = Sever().start(), Client()
    equal(one.do("permit", other.permit), "ok")
    other.wait_processes(1)
    equal(other.status()["permits"]["not_stored"], 1)  # no service manager
    instance, holder = other.status()["instance"], other.status()["pid"]
    allowed = resource.prlimit(other.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(other.process.pid, resource.RLIMIT_NOFILE, (3, allowed[1]))
    os.kill(holder, signal.SIGKILL)
    eventually(lambda: other.text().count('"start_failed"') >= 2, "it has tried twice")
    resource.prlimit(other.process.pid, resource.RLIMIT_NOFILE, allowed)
    eventually(lambda: again(other, instance), "another one answers")
    equal(other.status()["permits"]["restored"], 1)
    resource.prlimit(other.process.pid, resource.RLIMIT_NOFILE, (3, allowed[1]))
    failures = other.text().count('"start_failed"')
    os.kill(other.status()["pid"], signal.SIGKILL)
    eventually(lambda: other.text().count('"start_failed"') > failures, "it tries again")
    equal(other.stop(), 0)
    one.end()


def end_apart(of):
    """unshare heeds no signal, and waits for the init of the namespace."""
    for pid in sorted(of.parts())[:1]:
        os.kill(pid, signal.SIGKILL)
    of.process.wait(PATIENCE)


def again(of, instance):
    try:
        return of.call("version")["instance"] != instance
    except OSError:
        return False


@test
def without_anybody_who_keeps_them_each_is_severed_after_its_next_connect():
    sever.kill_at_once()
    eventually(lambda: alarms() == ["permits_lost"] and status()["lost"] == POOLS, "all of them are missing")
    sever.start()
    eventually(lambda: status()["available"], "severing is available again")
    old, new = fail_over()
    eventually(lambda: last_severed() == 0, "nobody is severed")  # pylint: disable=compare-to-zero
    equal(alarms(), ["permits_lost"])
    equal([pool.ask() for pool in pools], [[pg.address(old)]] * POOLS)
    equal(pools[0].ask("once"), [pg.address(new)])
    eventually(lambda: status()["lost"] == POOLS - 1 and last_severed() == 1, "one has handed over, and is severed")
    equal([pool.ask("once") for pool in pools[1:]], [[pg.address(new)]] * (POOLS - 1))
    eventually(lambda: not alarms(), "no alarm")
    eventually(lambda: last_severed() == POOLS, "all are severed")
    equal([pool.ask() for pool in pools], [["anew", pg.address(new)]] * POOLS)
    settle(pg, agent, old, new)


@test
def with_a_service_manager_that_keeps_descriptors_all_of_it_may_be_killed_at_once():
    """There is no systemd here: manager.py stands in for it."""
    sever.kill_at_once()
    manager = Manager([os.path.join(BUILD, "homing-sever"), "--run-dir", sever.run, "--log-format", "json"])
    log = open(sever.log_path, "a", encoding="utf-8")  # pylint: disable=consider-using-with
    sever.process = manager.start(log)
    eventually(lambda: status()["available"], "severing is available again")
    for pool in pools:
        pool.ask("once")
    holds(POOLS)
    eventually(lambda: len(manager.names()) == 2 * POOLS + 4, "the tags, pidfds and four netlink sockets are kept")
    eventually(lambda: sever.status()["permits"]["not_stored"] == 0, "it says so")  # pylint: disable=compare-to-zero
    sever.kill_at_once()
    equal(len(manager.names()), 2 * POOLS + 4)
    pools.pop().end()  # while nobody looks
    sever.process = manager.start(log)
    eventually(lambda: status()["available"], "severing is available again")
    holds(POOLS - 1)
    equal(sever.status()["permits"]["restored"], POOLS - 1)
    eventually(lambda: not alarms(), "no alarm")
    eventually(lambda: len(manager.names()) == 2 * POOLS + 2, "what was of the one that has ended is let go")
    equal(sever.stop(), 0)  # a planned restart
    sever.process = manager.start(log)
    eventually(lambda: status()["available"], "severing is available again")
    holds(POOLS - 1)
    eventually(lambda: not alarms(), "no alarm")
    all_are_severed(pools)
    sever.kill_at_once()
    for pool in pools:
        pool.end()
    sever.process = manager.start(log)
    eventually(lambda: status()["available"], "severing is available again")
    eventually(lambda: not manager.names(), "nothing is kept of programs that have ended")


@test
def a_planned_restart_waits_until_the_service_manager_has_heard_of_all_permits():
    """It takes few messages at once: as many as wait in its socket, net.unix.max_dgram_qlen."""
    other = Sever()
    manager = Manager([os.path.join(BUILD, "homing-sever"), "--run-dir", other.run, "--log-format", "json"])
    cleanups.append(other.kill_at_once)
    with open(other.log_path, "a", encoding="utf-8") as log:
        other.process = manager.start(log)
        eventually(other.answers, "homing-sever answers")
        with manager.lock:  # it is busy
            clients = [Client() for _ in range(40)]
            for client in clients:
                equal(client.do("permit", other.permit), "ok")
            other.wait_processes(40)
            holder = other.status()["pid"]
            other.process.terminate()
            eventually(lambda: not os.path.exists(f"/proc/{holder}"), "the holder has ended")
        equal(other.process.wait(PATIENCE), 0)
        other.process = manager.start(log)
        eventually(other.answers, "homing-sever answers again")
        equal(permits(other)["restored"], 40)
    other.kill_at_once()
    for client in clients:
        client.end()


@test
def a_planned_end_takes_the_permits_that_are_on_their_way():
    other = Sever()
    manager = Manager([os.path.join(BUILD, "homing-sever"), "--run-dir", other.run, "--log-format", "json"])
    cleanups.append(other.kill_at_once)
    with open(other.log_path, "a", encoding="utf-8") as log:
        other.process = manager.start(log)
        eventually(other.answers, "homing-sever answers")
        holder = other.status()["pid"]
        os.kill(holder, signal.SIGSTOP)
        client = Client()
        equal(client.do("permit", other.permit), "ok")  # it waits in the kernel
        os.kill(holder, signal.SIGTERM)
        os.kill(holder, signal.SIGCONT)
        equal(other.process.wait(PATIENCE), 0)
        other.process = manager.start(log)
        eventually(other.answers, "homing-sever answers again")
        equal(permits(other)["restored"], 1)
    other.kill_at_once()
    client.end()


@test
def more_permits_than_the_service_manager_is_given_are_kept_by_the_supervisor():
    """One user has half of the room there, 512 descriptors, one of which is his netlink socket's at least."""
    other = Sever()
    manager = Manager([os.path.join(BUILD, "homing-sever"), "--run-dir", other.run, "--log-format", "json"], 10000)
    cleanups.append(other.kill_at_once)
    with open(other.log_path, "a", encoding="utf-8") as log:
        other.process = manager.start(log)
        eventually(other.answers, "homing-sever answers")
        clients = [Client() for _ in range(280)]
        for client in clients:
            equal(client.do("permit", other.permit), "ok")
        other.wait_processes(280)
        eventually(lambda: len(manager.names()) in (511, 512), "what one user may have is stored")
        eventually(lambda: 280 - 256 < permits(other)["not_stored"] < 280 - 250, "it says so")
        instance = other.status()["instance"]
        os.kill(other.status()["pid"], signal.SIGKILL)
        eventually(lambda: again(other, instance), "another one answers")
        equal(permits(other)["restored"], 280)
        stored = len([name for name in manager.names() if name.startswith("permit-")]) // 2
        other.kill_at_once()
        other.process = manager.start(log)
        eventually(other.answers, "homing-sever answers again")
        equal(permits(other)["restored"], stored)
    other.kill_at_once()
    for client in clients:
        client.end()


def permits(of):
    return of.status()["permits"]


main()
