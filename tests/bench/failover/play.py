# SPDX-License-Identifier: Apache-2.0
"""play.py - the rounds: clients start, the failover happens, they are watched, the old primary comes back."""
import glob
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

import psycopg2

import figures
import lanes
import proxies
import timeline
from stage import ADDRESSES, NAME, PORT, Background, Stage, eventually

CALM_MS = 3000  # all good for so long: a round of none but homing's lanes may end
TITLES = {"F0": "F0: no failover: the primary restarts in place, at the address that all have. What the clients need themselves",
          "F1": "F1: planned switchover, the old primary returns read-only",
          "F2": "F2: the link goes down, nothing ever arrives again"}


def now_ms():
    return time.time() * 1000


class Player:
    """A lane's processes in one round."""

    def __init__(self, stage, lane, directory):
        self.stage, self.lane, self.directory = stage, lane, directory
        os.makedirs(directory)
        address = stage.place(lane.id)
        host, port = NAME, PORT
        if lane.client.proxy:
            command, port = proxies.BY_NAME[lane.client.proxy](directory, address)
            host = address
            self.proxy = self.start(self.with_homing(command), "proxy")
        command = lane.client.command if lane.client.proxy else self.with_homing(lane.client.command)
        self.process = self.start(command, "lines", self.environment(host, port))

    def environment(self, host, port):
        """PHP's streams know no SCRAM and go in by trust; everybody else logs in with this password."""
        return {"PGHOST": host, "PGPORT": port, "PGUSER": "homing", "PGPASSWORD": "homing-test",
                "PGDATABASE": "postgres", "PGSSLMODE": "disable", "PGSSLROOTCERT": "ca.pem", "CLIENT": self.lane.id,
                **self.lane.client.env}

    def with_homing(self, command):
        return [self.stage.build + "/homingctl", "run", "--", *command] if self.lane.homing else command

    def start(self, command, name, env=None):
        env = dict(os.environ, HOMING_SOCKET=self.stage.work + "/run/agent.sock", **(env or {}))
        with open("%s/%s" % (self.directory, name), "wb") as out, \
                open("%s/%s.err" % (self.directory, name), "wb") as err:
            return subprocess.Popen([*self.stage.net.inside(self.lane.id), *command], stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=err, env=env, cwd=self.stage.work,
                                    start_new_session=True)

    def statements(self):
        with open(self.directory + "/lines", errors="replace") as lines:
            found = figures.parse(lines)
        # What a process that ended left open does not hang.
        return [s for s in found if s[2]] if self.process.poll() is not None else found

    def writes(self):
        if self.process.poll() is not None:
            raise RuntimeError("%s ended with %d: see %s" % (self.lane.id, self.process.returncode, self.directory))
        return any(s[2] == "ok" for s in self.statements())

    def calm_since(self, since):
        """Whether it has written since, and nothing failed or waits from before; or it is over with it."""
        if self.process.poll() is not None:
            return True
        late = [s for s in self.statements() if (s[1] or s[0]) >= since]
        waits = [s for s in self.statements() if s[1] is None and s[0] < since]
        return not waits and bool(late) and all(s[2] != "error" for s in late)

    def stop(self):
        """Reads what it wrote and ends it: `found`, `died`."""
        self.found, self.died = self.statements(), self.process.poll() is not None
        for process in filter(None, (self.process, getattr(self, "proxy", None))):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


def observe(node):
    db = psycopg2.connect(host=ADDRESSES[node], port=PORT, user="postgres", dbname="postgres")
    db.autocommit = True
    return db.cursor()


def promote(standby, times):
    """Notes when it first answered that it is a primary, and when pg_promote() returned, which is later."""
    def call():
        operator = observe(standby)
        ready.set()
        operator.execute("SELECT pg_promote()")
        times["returned"] = now_ms()
        operator.connection.close()

    observer, ready = observe(standby), threading.Event()
    operator = Background(call)
    operator.start()
    ready.wait()
    while True:
        observer.execute("SELECT pg_is_in_recovery()")
        if not observer.fetchone()[0]:
            times["promoted"] = now_ms()
            break
        time.sleep(0.005)
    operator.join()
    observer.connection.close()


def restart(stage, node, times):
    """Notes when it first let somebody in again."""
    stage.pg(node, "stop", node, "fast")
    start = Background(stage.pg, node, "start", node)
    start.start()
    while "promoted" not in times:
        try:
            observe(node).connection.close()
            times["promoted"] = now_ms()
        except psycopg2.OperationalError:
            time.sleep(0.005)
    start.join()
    times["returned"] = now_ms()


def fail_over(stage, kind, writer, standby, options):
    """Times of what happened; in F1 the old primary is on its way back."""
    rejoin, times = None, {"cut": now_ms()}
    if kind == "F0":
        restart(stage, writer, times)
    elif kind == "F1":
        stage.pg(writer, "stop", writer, "fast")
        promote(standby, times)
        rejoin = stage.rejoin(writer, standby)
    else:
        stage.net.cut(writer)
        time.sleep(options.promote_after)
        promote(standby, times)
    return times, rejoin


def watch(stage, players, times, kind, options, standby, whole):
    """Until the time is over or, with nobody there who takes longer and `whole` not asked for, all is calm."""
    end = times["promoted"] + options.watch * 1000
    brief = not whole and (kind == "F0" or all(p.lane.soon for p in players))
    while (now := now_ms()) < end:
        if "dns" not in times and kind != "F0" and now >= times["promoted"] + options.dns_late * 1000:
            stage.point_dns(standby)
            times["dns"] = now
        if brief and now > times["promoted"] + 2 * CALM_MS and all(p.calm_since(now - CALM_MS) for p in players):
            break
        time.sleep(0.5 if brief else 1)
    times["end"] = now_ms()


def start_players(stage, chosen, directory, settle):
    players = []
    try:
        for lane in chosen:
            players.append(Player(stage, lane, "%s/%s" % (directory, lane.id)))
            time.sleep(0.2)  # one after the other, for two cores
        for player in players:
            eventually(player.writes, player.lane.id + " writes")
    except BaseException:
        for player in players:
            player.stop()
        raise
    time.sleep(settle)
    return players


def play_round(stage, kind, chosen, nodes, directory, options, whole):
    """times, [(lane, statements, died)]; nodes: the writer and the standby, which change places"""
    writer, standby = nodes
    players = start_players(stage, chosen, directory, options.settle)
    times, rejoin = fail_over(stage, kind, writer, standby, options)
    watch(stage, players, times, kind, options, standby, whole)
    for player in players:
        player.stop()
    times["published"] = stage.published_ms(times["cut"]) if kind != "F0" else None
    if kind != "F0":
        restore(stage, writer, standby, rejoin)
        nodes.reverse()
    stage.wait_agent(nodes[0])
    return times, [(p.lane, p.found, p.died) for p in players]


def restore(stage, writer, standby, rejoin):
    if not rejoin:
        stage.net.mend(writer)
        rejoin = stage.rejoin(writer, standby)
    rejoin.join()
    stage.point_dns(standby)


class Results:
    def __init__(self, out, options, mode):
        self.out, self.options, self.mode, self.text, self.tsv, self.panels = out, options, mode, [], [], []

    def add(self, kind, rounds, order):
        watch_ms = self.options.watch * 1000
        by_lane = {lane.id: (lane, []) for lane in order}
        for _, times, played in rounds:
            since = {False: dict(times, published=None), True: times}
            for lane, statements, died in played:
                by_lane[lane.id][1].append(figures.measure(statements, since[lane.homing], died))
        rows = [figures.row(lane.client.name, self.mode if lane.homing else "-", of_lane, watch_ms)
                for lane, of_lane in by_lane.values() if of_lane]
        self.text.append("%s\n\n%s" % (TITLES[kind], figures.table(rows)))
        self.tsv.append(figures.tsv(kind, rows))
        if kind != "F0":
            self.panels.append((TITLES[kind], *timeline.aligned([r for r in rounds if r[0] == 0], order)))
        self.save()
        print("\n" + self.text[-1], flush=True)

    def command(self):
        return shlex.join(["tests/bench/failover/run"] + [it for it in sys.argv[1:] if it != self.options.build])

    def save(self):
        for name, content in (("table.txt", "\n".join((*self.text, figures.LEGEND))),
                              ("table.tsv", "\t".join(("kind", *figures.COLUMNS)) + "\n" + "".join(self.tsv)),
                              ("timeline.svg", timeline.svg(self.panels, self.mode, self.command()))):
            with open("%s/%s" % (self.out, name), "w") as file:
                file.write(content)


def main(options, work, build, stage_type=Stage, play=None):
    """Plays it all, on a stage of its own whose logs are kept."""
    out = os.path.realpath(options.out or build + "/bench/failover")
    stage = stage_type(work, build, options.mode)
    try:
        (play or play_all)(stage, options, out)
    finally:
        for log in glob.glob(work + "/*.log") + glob.glob(stage.root + "/*.log"):
            shutil.copy(log, out)


def say_round(which, times):
    """A line for who waits."""
    happened = ["%s %+.0f ms" % (what, times[at] - times["promoted"])
                for what, at in (("view", "published"), ("address", "opened")) if times.get(at)]
    print("%s, %.1f s, load %.1f%s" % (which, (times["end"] - times["cut"]) / 1000, os.getloadavg()[0],
                                       happened and ", %s after the promotion" % ", ".join(happened) or ""), flush=True)


def in_groups(some, apart):
    """At most `apart` at a time; 0: all at once."""
    size = apart or max(1, len(some))
    return [some[at:at + size] for at in range(0, len(some), size)]


def together(kind, chosen, number, options):
    """Who plays the same failover in a round: [[lane]]. Apart, those who are soon well do not wait for each
    other's processor time; those who are not wait for something else, and play all together."""
    if kind == "F0":
        return in_groups([lane for lane in chosen if lane.floor], options.apart)
    soon = [lane for lane in chosen if lane.soon]
    if number >= options.plain_rounds:
        return in_groups(soon, options.apart)
    if not options.apart:
        return [chosen]
    return [g for g in ([lane for lane in chosen if not lane.soon], *in_groups(soon, options.apart)) if g]


def play_kind(stage, kind, chosen, nodes, out, options):
    """[(round, times, played)], several of a round if some play apart."""
    found = []
    for number in range(max(options.rounds, options.plain_rounds if kind != "F0" else 0)):
        for part, players in enumerate(together(kind, chosen, number, options)):
            directory = "%s/rounds/%s.%d.%d" % (out, kind, number + 1, part + 1)
            times, played = play_round(stage, kind, players, nodes, directory, options, number == 0 and kind != "F0")
            found.append((number, times, played))
            say_round("%s round %d: %d clients" % (kind, number + 1, len(players)), times)
    return found


def play_all(stage, options, out):
    shutil.rmtree(out + "/rounds", ignore_errors=True)
    results, nodes = Results(out, options, stage.mode), ["a", "b"]
    chosen = lanes.choose(options.only, stage.mode != "none")
    print("Seconds from the promotion to a client's first good write; homing's mode: %s" % stage.mode, flush=True)
    for kind in options.kind or ("F0", "F1", "F2"):
        results.add(kind, play_kind(stage, kind, chosen, nodes, out, options), chosen)
    print(figures.LEGEND + "\nIn %s: table.txt, table.tsv, timeline.svg, rounds/" % out)
