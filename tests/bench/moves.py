#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How soon programs follow a member that comes up at another address (W11), with real servers and clients.

usage: moves.py [ROUNDS]      (default 5 of each kind; as root; part of `./bootstrap bench`)

In each round the writer's host goes silent, or its server stops; the same data set comes up on another host, and then DNS
names that. What is printed is the time from that moment: until the agent has published the new address, and until each
client's first good write. Beside each client plays the same one without homing, at an address that refuses connections
during the same outage and is right in that very moment: what it takes is the client's own. A client whose write began
before and is not over by then fails the run.
"""
import datetime
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from moving import HOSTS, MEMBER, Stage, Worker, clients  # noqa: E402
from tap import cleanly, eventually  # noqa: E402
from net import ip, mac  # noqa: E402

KINDS = [(how, ttl) for how in ("silent", "stopped") for ttl in (1, 60)]
ROAMING = "10.77.9.9"  # of the clients without homing: an address that all hosts have
OUTSIDE = "outside"    # the namespace that they share


def published_ms(stage):
    """When the last move was."""
    said = stage.moves()[-1]["time"].replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(said).timestamp() * 1000


class Roaming:
    """Where ROAMING leads."""

    def __init__(self, stage):
        stage.net.add(OUTSIDE, "10.77.1.250")
        self.inside = stage.net.inside(OUTSIDE)
        for host in HOSTS:
            ip("address", "add", ROAMING + "/32", "dev", "lo", at=stage.net.inside(host))
        stage.pg(stage.writer.at, "stop", "a", "fast")  # it could not listen there before
        stage.pg(stage.writer.at, "start", "a")
        self.leads_to(stage.writer.at)

    def leads_to(self, host):
        ip("neighbour", "replace", ROAMING, "lladdr", mac(host), "dev", "eth0", "nud", "permanent", at=self.inside)
        subprocess.run([*self.inside, "ip", "route", "del", "unreachable", ROAMING], stderr=subprocess.DEVNULL, check=False)

    def refuses(self):
        """Also ends what is connected."""
        ip("route", "add", "unreachable", ROAMING, at=self.inside)
        subprocess.run([*self.inside, "ss", "-K", "-t", "dst", ROAMING], stdout=subprocess.DEVNULL, check=True)


def start(stage, roaming, commands):
    """[worker]: each with homing and without."""
    running = []
    for name, command in commands:
        running.append(Worker(name, command, stage.agent))
        running.append(Worker(name + ", right address", command, before=roaming.inside, host=ROAMING))
    for one in running:
        eventually(lambda one=one: one.first_ok(0), one.name + " writes")
    return running


def one_round(stage, roaming, commands, how, ttl):
    """{what: ms}"""
    writer, old = stage.writer, stage.writer.at
    stage.dns.point(MEMBER, old, ttl)
    stage.settled()
    running = start(stage, roaming, commands)  # meanwhile the agent's resolver forgets the last TTL
    at = next(host for host in HOSTS[2:] if host != old)
    gone_ms = time.time() * 1000
    roaming.refuses()
    stage.carry(writer.goes_silent if how == "silent" else writer.stops, at)
    roaming.leads_to(at)
    named_ms = stage.name(at, ttl)
    took = {"(the outage before)": named_ms - gone_ms, "published": published_ms(stage) - named_ms}
    for one in running:
        took[one.name] = eventually(lambda one=one: one.first_ok(named_ms), one.name + " writes again") - named_ms
        eventually(lambda one=one: one.last_end(named_ms), one.name + ": what began before is over")
        one.end()
    stage.net.mend(old)
    return took


def run():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    os.environ["PG_ALSO"] = ROAMING
    stage = Stage()
    roaming, commands = Roaming(stage), clients()
    for how, ttl in KINDS:
        found = [one_round(stage, roaming, commands, how, ttl) for _ in range(rounds)]
        print("%s, TTL %d s" % (how, ttl))
        for what in found[0]:
            took = [one[what] / 1000 for one in found]
            print("  %-32s %5.2f s (%.2f)" % (what, statistics.median(took), max(took)), flush=True)


cleanly(run)
