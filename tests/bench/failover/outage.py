# SPDX-License-Identifier: Apache-2.0
"""outage.py - `run --outage SECONDS`: there is no writer for so long, and then there is. Who is late, by whose doing?

Beside each client with homing plays the same one without, at an address of its own that is right: it refuses
connections during the same outage, and leads to the new writer at once when that is there. What both are late by is
the client's own back-off. "new" ones are started in mid-outage, with their first lookup then.
"""
import os
import shutil
import statistics
import subprocess
import time

import figures
import lanes
import play
from net import ip, mac
from play import Player, now_ms
from stage import ADDRESSES, NAME, Background, Stage, eventually

KINDS = {"N1": "the old writer is stopped", "N2": "its link is down, nothing ever arrives",
         "N3": "it is up and read-only"}
ROAMING = "10.77.0.9"  # of the clients without homing: an address that both nodes have
PLAIN = "plain"        # the namespace that they share
NEW_AFTER = 1          # seconds, into the outage


class OutageStage(Stage):
    """With an address that leads where a route in one namespace says."""

    def start_nodes(self):
        os.environ["PG_ALSO"] = ROAMING
        super().start_nodes()
        for node in ADDRESSES:  # which could not listen there before
            ip("address", "add", ROAMING + "/32", "dev", "lo", at=self.net.inside(node))
            self.pg(node, "stop", node, "fast")
            self.pg(node, "start", node)

    def start_dns(self):
        self.net.add(PLAIN, "10.77.1.250")
        self.net.holders[PLAIN].address = "10.77.1.250"
        super().start_dns()

    def roam(self, node):
        inside = self.net.inside(PLAIN)
        ip("neighbour", "replace", ROAMING, "lladdr", mac(ADDRESSES[node]), "dev", "eth0", "nud", "permanent",
           at=inside)
        subprocess.run([*inside, "ip", "route", "del", "unreachable", ROAMING], stderr=subprocess.DEVNULL)

    def refuse(self):
        """Also ends what is connected."""
        inside = self.net.inside(PLAIN)
        ip("route", "add", "unreachable", ROAMING, at=inside)
        subprocess.run([*inside, "ss", "-K", "-t", "dst", ROAMING], stdout=subprocess.DEVNULL, check=True)


def client(name, command, homing):
    host = NAME if homing else ROAMING
    return lanes.Lane(lanes.Client(name, [word.replace(NAME, host) for word in command], env={"PGHOST": host}), homing)


def chosen(words, when):
    """[Lane]: each with homing and without."""
    names = {"HikariCP": "HikariCP", "node pg Pool": "node pg", "psycopg2": "psycopg2", "psql in a loop": "psql"}
    commands = {c.name: c.command for c in lanes.ALL if c.name in names}
    if when == "new":
        del commands["psql in a loop"]  # which always is
    return [client("%s, %s" % (names[name], when), command, homing) for name, command in commands.items()
            for homing in (True, False) if not words or any(w.lower() in name.lower() for w in words)]


def start(stage, some, directory):
    players = []
    for lane in some:
        if not lane.homing:
            stage.net.holders[lane.id] = stage.net.holders[PLAIN]
        players.append(Player(stage, lane, directory + "/" + lane.id))
        time.sleep(0.1)
    return players


def break_it(stage, kind, writer):
    if kind == "N2":
        stage.net.cut(writer)
        return
    stage.pg(writer, "stop", writer, "fast")
    if kind == "N3":
        with open("%s/%s/standby.signal" % (stage.root, writer), "w"):
            pass
        stage.pg(writer, "start", writer)


def open_when_promoted(stage, standby, times):
    while "promoted" not in times:
        time.sleep(0.002)
    stage.roam(standby)
    times["opened"] = now_ms()


def play_round(stage, kind, seconds, nodes, directory, options):
    """times, players; nodes: the writer and the standby, which change places"""
    writer, standby = nodes
    stage.roam(writer)
    players = start(stage, chosen(options.only, "running"), directory)
    for player in players:
        eventually(player.writes, player.lane.id + " writes")
    time.sleep(options.settle)
    times = {"cut": now_ms()}
    stage.refuse()
    break_it(stage, kind, writer)
    time.sleep(NEW_AFTER)
    players += start(stage, chosen(options.only, "new"), directory)
    time.sleep(max(0, seconds - (now_ms() - times["cut"]) / 1000))
    opening = Background(open_when_promoted, stage, standby, times)
    opening.start()
    play.promote(standby, times)
    opening.join()
    play.watch(stage, players, times, "F0", options, standby, False)
    for player in players:
        player.stop()
    times["published"] = stage.published_ms(times["cut"])
    play.restore(stage, writer, standby, None)
    nodes.reverse()
    stage.wait_agent(nodes[0])
    return times, players


def measure(times, player):
    since = times if player.lane.homing else dict(times, published=None, promoted=times["opened"])
    return figures.measure(player.found, since, player.died)


def cell(found, watch_ms):
    """Median (worst) of the seconds until the first good write, and how many never returned or died."""
    first = [f.first_ms if f.first_ms is not None else watch_ms for f in found]
    bad = sum(f.died or f.first_ms is None or f.never > 0 for f in found)
    return "%s (%s)%s" % (figures.seconds(statistics.median(first), watch_ms), figures.seconds(max(first), watch_ms),
                          " %d BAD" % bad if bad else "")


def table(rounds, watch_ms):
    """A line per client, from [(times, players)]."""
    by_client = {}
    for times, players in rounds:
        for player in players:
            by_client.setdefault(player.lane.client.name, {True: [], False: []})[player.lane.homing].append(
                measure(times, player))
    lines = ["| %-18s | %-18s | %-18s |" % (name, *(cell(found[homing], watch_ms) for homing in (True, False)))
             for name, found in by_client.items()]
    return "\n".join(["| %-18s | %-18s | %-18s |" % ("", "with homing", "right address"), "|---|---|---|", *lines])


def main(options, work, build):
    play.main(options, work, build, OutageStage, play_all)


def play_all(stage, options, out):
    out += "/outage"
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    nodes = ["a", "b"]
    for seconds in options.outage:
        for kind in [k for k in KINDS if not options.kind or k in options.kind]:
            rounds = []
            for number in range(options.rounds):
                directory = "%s/%s.%g.%d" % (out, kind, seconds, number + 1)
                rounds.append(play_round(stage, kind, seconds, nodes, directory, options))
                play.say_round("%s, %g s, round %d" % (kind, seconds, number + 1), rounds[-1][0])
            text = ("\n%s: no writer for %g s: %s. Seconds from the promotion to the first good write, median "
                    "(worst)\n\n%s\n" % (kind, seconds, KINDS[kind], table(rounds, options.watch * 1000)))
            print(text, flush=True)
            with open(out + "/table.txt", "a") as file:
                file.write(text)
