#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent is killed again and again under load, and the writer changes half-way (I2, V3, V4, W2).

Four programs look up a name that DNS does not have, some 10,000 times a second in all, from before the
first kill. HOMING_KILL_SECONDS (60) bounds it. As root: in a network and mounts of its own.
"""
import os
import random
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import BUILD, Agent, cluster_of, directory, own_namespaces, pair, put_names  # noqa: E402
from tap import PATIENCE, cleanups, equal, main, test  # noqa: E402

SECONDS = float(os.environ.get("HOMING_KILL_SECONDS", "60"))
NAME = "orders-db.absent.test"
PROCESSES, RATE = 4, 3500
LOAD = os.path.join(BUILD, "tests/live/load")
DNS = "127.53.0.1"


def name_server():
    """Knows no name at all, so that a lookup which is not answered from the view fails at once."""
    zone = os.path.join(directory(), "zone")
    with open(zone, "w"):
        pass
    process = subprocess.Popen([os.path.join(HERE, "../support/dns.py"), DNS, "53", zone],
                               stdout=subprocess.PIPE, text=True)
    cleanups.append(process.kill)
    assert process.stdout.readline().startswith("ready")
    put_names(resolv="nameserver %s\n" % DNS, nsswitch="hosts: files dns\n")


def start_load(preload=True):
    env = dict(os.environ, HOMING_SOCKET=agent.socket)
    if preload:
        env["LD_PRELOAD"] = os.path.join(BUILD, "shim/libhoming.so")
    process = subprocess.Popen([LOAD, NAME, str(RATE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env=env)
    cleanups.append(process.kill)
    return process


def next_answer(process):
    """(ms, address, lines of lookups that failed before that), as soon as the answer is another one."""
    failures = []
    signal.alarm(PATIENCE)
    while " failed " in (line := process.stdout.readline()):
        failures.append(line)
    signal.alarm(0)
    return (*line.split(), failures)


def end_load(process):
    """([(ms, address)], lookups, failed, worst_us, [failure lines])"""
    out, _ = process.communicate()
    lines = out.splitlines()
    failures = [line for line in lines if " failed " in line]
    answers = [(int(line.split()[0]), line.split()[1]) for line in lines[:-1] if line not in failures]
    return (answers, *map(int, lines[-1].split()[1:]), failures)


def now_ms():
    return time.monotonic() * 1000


def until_up():
    agent.start()
    return now_ms()


own_namespaces("--net", "--mount")
name_server()
servers = pair()
agent = Agent(cluster_of(servers, NAME, also="    max_stale: 20s\n"))


@test
def without_homing_the_name_cannot_be_looked_up():
    plain = start_load(preload=False)
    assert " failed " in plain.stdout.readline()
    answers, lookups, failed, _, _ = end_load(plain)
    assert lookups > 0 and failed == lookups and not answers


def gave_up(*_):
    raise AssertionError("a program was not answered anew")


@test
def no_lookup_fails_while_the_agent_is_killed_in_a_loop_and_every_process_finds_the_new_writer():
    signal.signal(signal.SIGALRM, gave_up)
    agent.start()
    agent.wait_writer("orders", servers.member("a"))
    loads = [start_load() for _ in range(PROCESSES)]
    # Each has had its first answer before the first kill. A process that the agent did not answer in time began with DNS.
    equal({next_answer(load)[1] for load in loads}, {servers.address("a")})
    began, kills, up_ms = time.monotonic(), 0, None
    while time.monotonic() - began < SECONDS:
        agent.kill()
        kills += 1
        down_until = time.monotonic() + random.uniform(0.1, 0.5)
        if up_ms is None and time.monotonic() - began > SECONDS / 2:
            servers.kill("a")
            servers.promote("b")
            up_ms = 0
        time.sleep(max(0, down_until - time.monotonic()))
        started_ms = until_up()
        up_ms = started_ms if up_ms == 0 else up_ms
        time.sleep(random.uniform(1.0, 1.5))
    moved = [next_answer(load) for load in loads]
    results = [end_load(load) for load in loads]
    print("# %d kills, %d lookups, slowest %.1f ms" % (
        kills, sum(r[1] for r in results), max(r[3] for r in results) / 1000))
    equal([(address, failures) for _, address, failures in moved], [(servers.address("b"), [])] * PROCESSES)
    equal([(r[0], r[4]) for r in results], [([], [])] * PROCESSES)
    print("# the new writer was answered %.0f ms after the next agent was up, in the slowest process" % (
        max(int(ms) for ms, *_ in moved) - up_ms))


main()
