# SPDX-License-Identifier: Apache-2.0
"""matrix.py - `run --engine mysql` and `aurora-mysql`: clients of MySQL and MariaDB through four kinds of failover.

Beside each client with homing plays the same one without it, whose name leads to the new writer as soon as homing has
published that: what it is late by is not DNS's, it is due to the connections that it keeps, and to its own back-off. F0,
of the stand-in for Aurora alone, is that back-off: no failover, the server restarts in place, and there is no homing.
"""
import os
import shutil
import statistics
import time

import figures
import maria_lanes
import play
from aurora_stage import AuroraStage
from maria_stage import MariaStage
from play import now_ms
from stage import Background, eventually

KINDS = {"F0": "no failover, the writer restarts in place",
         "F1": "the writer is stopped", "F2": "its link goes down, nothing ever arrives",
         "F3": "it restarts in place, and is read-only", "F4": "it becomes read-only, and keeps its connections"}
SHORT = {"F0": "own share", "F1": "stopped", "F2": "silent", "F3": "in place", "F4": "connections kept"}


class Player(play.Player):
    def environment(self, host, port):
        return maria_lanes.environment(self.lane)


def start(stage, lanes, directory, settle):
    players = []
    for lane in lanes:
        players.append(Player(stage, lane, "%s/%s" % (directory, lane.id)))
        time.sleep(0.2)  # one after the other, for two cores
    for player in players:
        eventually(player.writes, player.lane.id + " writes")
    time.sleep(settle)
    return players


def break_it(stage, kind, writer, standby, options):
    if kind == "F2":
        stage.net.cut(writer)
        time.sleep(options.promote_after)
    elif kind == "F4":
        stage.db.close(writer, standby)
    else:
        stage.db.down(writer)
        if kind == "F3":
            stage.db.start(writer, "--read-only")


def move_name(stage, standby, times):
    """For those without homing, as soon as it is published; nobody publishes without an agent."""
    if stage.mode == "none":
        eventually(lambda: "promoted" in times, "the promotion")
        times["published"] = times["promoted"]
    else:
        times["published"] = eventually(lambda: stage.published_ms(times["cut"]), "the new writer is published")
    stage.point_dns(standby)
    times["dns"] = now_ms()


def fail_over(stage, kind, writer, standby, times, options):
    moving = Background(move_name, stage, standby, times)
    moving.start()
    break_it(stage, kind, writer, standby, options)
    stage.db.promote(standby)
    times["promoted"] = times["returned"] = now_ms()
    moving.join()


def restore(stage, kind, writer, standby):
    """The old writer is a replica of the new one."""
    if kind == "F2":  # what it has that was not replicated is nobody's
        stage.db.kill(writer)
        stage.net.mend(writer)
        stage.db.rewind(writer, standby)
    elif kind == "F1":
        stage.db.start(writer, "--read-only")
    stage.db.follow(writer, standby)


def play_round(stage, kind, lanes, nodes, directory, options):
    """times, [(lane, statements, died)]; nodes: the writer and the standby, which change places"""
    writer, standby = nodes
    players = start(stage, lanes, directory, options.settle)
    times = {"cut": now_ms()}
    if kind == "F0":
        stage.db.restart(writer)
        times["promoted"] = times["returned"] = times["published"] = times["dns"] = now_ms()
    else:
        fail_over(stage, kind, writer, standby, times, options)
    play.watch(stage, players, times, "F0", options, standby, False)
    for player in players:
        player.stop()
    if kind != "F0":
        restore(stage, kind, writer, standby)
        nodes.reverse()
    stage.wait_agent(nodes[0])
    return times, [(player.lane, player.found, player.died) for player in players]


# --- What is printed

def late_ms(statements, times):
    """When the last statement that began after the publication was refused as read-only, in ms after that; or None."""
    late = [s[1] - times["published"] for s in statements
            if s[2] == "error" and s[0] >= times["published"] and figures.is_read_only(s)]
    return max(late, default=None)


def measure(lane, statements, died, times):
    found = figures.measure(statements, dict(times, promoted=times["published"]), died)
    return found, late_ms(statements, times)


def cell(found, watch_ms):
    """Median and worst of a client's rounds."""
    if not found:
        return ""
    first = [f.first_ms if f.first_ms is not None else watch_ms for f, _ in found]
    median, worst = statistics.median(first), max(first)
    text = "never" if median >= watch_ms else "%.2f" % (median / 1000)
    if len(first) > 1 and median < watch_ms:
        text += " (%s)" % ("never" if worst >= watch_ms else "%.2f" % (worst / 1000))
    return text


def faults(name, kind, found):
    """A line for each that a client with homing is not free of."""
    hung = sum(f.never > 0 for f, _ in found)
    died = sum(f.died for f, _ in found)
    late = [ms for _, ms in found if ms is not None]
    for count, what in ((hung, "a statement never returned"), (died, "it ended by itself"),
                        (len(late), "refused as read-only, though begun after the publication, the last after %.0f ms"
                         % max(late, default=0))):
        if count:
            yield "%s, %s: in %d of %d rounds %s" % (kind, name, count, len(found), what)


def table(results, clients, kinds, watch_ms):
    """results: {(kind, client's name, homing): [(Figures, late ms)]}"""
    heads = ["%s %s, %s" % (kind, SHORT[kind], which) for kind in kinds for which in ("without", "with homing")]
    lines = ["| client | %s |" % " | ".join(heads), "|---" * (1 + len(heads)) + "|"]
    for client in clients:
        cells = [cell(results.get((kind, client.name, homing), []), watch_ms) for kind in kinds for homing in (False, True)]
        lines.append("| %s | %s |" % (client.name, " | ".join(cells)))
    found = [line for kind in kinds for client in clients
             for line in faults(client.name, kind, results.get((kind, client.name, True), []))]
    count = sum(len(found) for (_, _, homing), found in results.items() if homing)
    return "%s\n\nWith homing, %d failovers of a client: %s\n" % (
        "\n".join(lines), count, "\n".join(["", *found]) if found else "none hung or ended, and none was refused as read-only.")


def proxies():
    """What people put between, of which Debian has none."""
    for name in ("proxysql", "maxscale"):
        print("left out: beside %s, %s" % (name, "for which there is no lane yet" if shutil.which(name) else
                                           "which is not installed; Debian has no package of it"), flush=True)


def play_all(stage, options, out):
    out += "/" + options.engine
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    print("%s; homing's mode: %s. Seconds from the publication of the new writer to a client's first good write,\n"
          "median (worst)" % (stage.what(), stage.mode), flush=True)
    proxies()
    clients, kinds = maria_lanes.choose(options.only), options.kind or stage.kinds
    results, nodes = {}, ["a", "b"]
    for kind in kinds:
        for number in range(options.rounds):
            for part, group in enumerate(play.in_groups(clients, options.apart)):
                lanes = maria_lanes.lanes_of(group, stage.mode != "none" and kind != "F0",
                                             kind == "F0" or number < options.plain_rounds)
                directory = "%s/%s.%d.%d" % (out, kind, number + 1, part + 1)
                times, played = play_round(stage, kind, lanes, nodes, directory, options)
                play.say_round("%s round %d: %d clients" % (kind, number + 1, len(lanes)), times)
                for lane, statements, died in played:
                    results.setdefault((kind, lane.client.name, lane.homing), []).append(
                        measure(lane, statements, died, times))
        text = table(results, clients, [k for k in kinds if any(key[0] == k for key in results)], options.watch * 1000)
        with open(out + "/table.txt", "w") as file:
            file.write(text)
    print("\n" + text)
    print("\n".join("%s: %s" % (kind, KINDS[kind]) for kind in kinds) + "\nIn %s: table.txt, and the raw lines" % out)


def main(options, work, build):
    play.main(options, work, build, AuroraStage if options.engine == "aurora-mysql" else MariaStage, play_all)
