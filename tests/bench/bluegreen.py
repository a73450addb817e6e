#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long after the post-processing of a blue/green switchover begins is the green writer in the view, and when does DNS name
it? With stand-ins for servers of Aurora MySQL, and names that follow half a minute late, as in logs of AWS's drivers.

usage: bluegreen.py [ROUNDS]      (default 5; as root)

Each round is a deployment of its own, with an agent that knows nothing of the one before. A thread looks into the view every
half a millisecond; another one asks getaddrinfo(3) for the cluster's name, without homing, as often as it answers.
"""
import os
import socket
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import Agent, own_namespaces  # noqa: E402
from tap import cleanly, eventually  # noqa: E402
from view import Watch  # noqa: E402

own_namespaces("--mount")
from aurora import DOMAIN, SEED, Aurora  # noqa: E402

NAME, BLUE, GREEN = "orders-db.internal", ("a", "b"), ("a-green-abc123", "b-green-abc123")
DNS_LATE = 30  # seconds


def say(db, status):
    """All four servers, of which the writers are the first two; the green side first, and by its own word nothing moves."""
    rows = [f"topology {name}.{DOMAIN} {db.port} BLUE_GREEN_DEPLOYMENT_{side} {status} 1.0"
            for side, names in (("SOURCE", BLUE), ("TARGET", GREEN)) for name in names]
    taken = status in ("AVAILABLE", "SWITCHOVER_INITIATED")
    for names, blocked in ((GREEN, status != "SWITCHOVER_IN_POST_PROCESSING"), (BLUE, not taken)):
        lines = [f"row {name} {'MASTER_SESSION_ID' if name == names[0] else 'reader-' + name} 0.2" for name in names]
        for name in names:
            db.say(*lines, "open " + names[0], *rows, *(["blocked " + names[0]] if blocked else []), of=name)


def start(db):
    agent = Agent(db.cluster((NAME, "writer"))).start()
    agent.wait_writer("orders", db.member(BLUE[0]))
    eventually(lambda: agent.member("orders", db.member(GREEN[0])).get("role") == "writer", "the green writer is heard")
    return agent


def dns_names(address, since):
    """Seconds until it does."""
    while True:
        try:
            if socket.getaddrinfo(SEED, None, socket.AF_INET)[0][4][0] == address:
                return time.monotonic() - since
        except OSError:
            pass  # the file is being written
        time.sleep(0.005)


def one_round(db):
    db.lead_seed(BLUE[0])
    say(db, "AVAILABLE")
    agent = start(db)
    for status in "SWITCHOVER_INITIATED", "SWITCHOVER_IN_PROGRESS":
        say(db, status)
        phase = status.removeprefix("SWITCHOVER_").lower()
        eventually(lambda now=phase: agent.member("orders", db.member(BLUE[0]))["phase"] == now, phase)
    watch = Watch(agent.socket, NAME, db.address(GREEN[0]))
    moment = time.monotonic()
    say(db, "SWITCHOVER_IN_POST_PROCESSING")
    late = threading.Timer(DNS_LATE, db.lead_seed, (GREEN[0],))
    late.start()
    took = watch.since(moment), dns_names(db.address(GREEN[0]), moment)
    late.join()
    agent.stop()
    return took


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    db = Aurora(*BLUE, *GREEN)
    published, named = zip(*[one_round(db) for _ in range(rounds)])
    print("post-processing begins -> the green writer is in the view: n=%d  median %.0f ms  max %.0f ms"
          % (rounds, statistics.median(published), max(published)))
    print("                       -> DNS names it:                    n=%d  median %.1f s  max %.1f s"
          % (rounds, statistics.median(named), max(named)))


cleanly(main)
