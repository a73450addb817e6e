#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# The demonstration with MariaDB: a writer and its replica, and two real switchovers. In the first one the old writer is
# demoted in place, and keeps its connections; in the second one it is stopped. Each program is there twice, without
# homing and with it. The name leads those without it to the new writer as soon as homing has published it: no DNS
# follows earlier. What they are late by is due to the connections that they keep. Called by demo.sh, in its namespaces.
#
# usage: mysql.py WORK BUILDDIR NAME     writes WORK/zone, which dns.py reads; NAME is what programs connect to

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../support"))
import lanes  # noqa: E402
from mariadb import PASSWORD, MariaDB  # noqa: E402
from tap import eventually  # noqa: E402

WORK, BUILD, NAME = sys.argv[1:]
START_S = 60   # until all programs write, on a machine that is busy
BEFORE_S = 5   # that all write before a switchover
PYTHON = ["/usr/bin/python3", "-B", HERE + "/writer_mysql.py"]
POOL = ["node", HERE + "/pool_mysql.js"]


def node_has(package):
    return shutil.which("node") and subprocess.run(["node", "-e", f"require('{package}')"], stderr=subprocess.DEVNULL,
                                                   check=False).returncode == 0


# What a program is called, whether it is here, and how it is started.
PROGRAMS = [(name, command) for name, here, command in (
    ("PyMySQL", True, PYTHON),
    ("mysql2 pool", node_has("mysql2"), POOL + ["mysql2"]),
    ("Sequelize", node_has("sequelize") and node_has("mysql2"), POOL + ["sequelize"])) if here]


def replace(path, text):
    with open(path + ".new", "w", encoding="ascii") as out:
        out.write(text)
    os.rename(path + ".new", path)


class Stage:
    def __init__(self):
        tempfile.tempdir = WORK
        self.db = MariaDB()
        self.db.init("a")
        self.db.sql("a", "CREATE TABLE app.demo (id INT PRIMARY KEY AUTO_INCREMENT)")
        self.db.clone("b", "a")
        self.point("a")
        self.log = WORK + "/homingd.log"
        self.start_agent()

    def point(self, server):
        """Where the name leads who has no homing."""
        replace(WORK + "/zone", f"{NAME} 1 {self.db.address(server)}\n")

    def start_agent(self):
        self.db.file("password", PASSWORD + "\n")
        replace(WORK + "/homing.yaml", f"""agent: {{run_dir: {WORK}/run, state_dir: {WORK}/state}}
clusters:
  - name: orders
    engine: mysql
    members: ["{self.db.member("a")}", "{self.db.member("b")}"]
    connection: "user=homing tls=off"
    password_file: {self.db.root}/password
    endpoints:
      - {{names: [{NAME}], role: writer}}
""")
        with open(self.log, "wb") as log:
            subprocess.Popen([BUILD + "/homingd", "--config", WORK + "/homing.yaml", "--log-format", "json"],
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.environ.update(HOMING_SOCKET=WORK + "/run/agent.sock", APP_PASSWORD=PASSWORD)
        eventually(lambda: self.knows("a", "b"), "homingd knows the writer and its heir")

    def knows(self, writer, heir):
        done = subprocess.run([BUILD + "/homingctl", "-o", "json", "status"], capture_output=True, text=True, check=False)
        cluster = json.loads(done.stdout)["clusters"][0] if done.stdout else {}
        heirs = [member["member"] for member in cluster.get("members", []) if member.get("heir")]
        return cluster.get("writer") == self.db.member(writer) and self.db.member(heir) in heirs

    def published(self):
        """How often a writer was."""
        return sum('"writer_changed"' in line for line in lanes.lines(self.log))

    def follow_name(self, server, before):
        """The name leads to that server as soon as homing has published it."""
        eventually(lambda: self.published() > before, "the new writer is published")
        self.point(server)


class Scene:
    """One switchover from `old` to `new`, and its programs."""

    def __init__(self, stage, name, old, new):
        self.stage, self.db, self.folder, self.old, self.new = stage, stage.db, os.path.join(WORK, name), old, new
        self.rows, self.processes, self.error = [], [], None
        os.mkdir(self.folder)
        for number, (program, command) in enumerate(PROGRAMS):
            for label, run in (("without homing", []), ("with homing", [BUILD + "/homingctl", "run", "--"])):
                file = "%d-%s" % (number, "homing" if run else "plain")
                self.rows.append((f"{label}, {program}", file))
                self.processes.append(subprocess.Popen(
                    [*run, *command, os.path.join(self.folder, file), NAME, self.db.port], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def good(self, file):
        return any(good for _, good in lanes.writes(os.path.join(self.folder, file)))

    def note(self, what):
        replace(os.path.join(self.folder, what), f"{time.time():.3f}\n")

    def play(self, go, watch_s):
        """go(old, new) makes the old one no writer, until it is the new one's turn."""
        def switchover():
            try:
                eventually(lambda: all(self.good(file) for _, file in self.rows), "all programs write", within=START_S)
                self.note("began")
                time.sleep(BEFORE_S)
                before = self.stage.published()
                go(self.old, self.new)
                self.db.promote(self.new)
                self.note("promoted")
                self.stage.follow_name(self.new, before)
                time.sleep(watch_s)
            except AssertionError as error:
                self.error = str(error)

        thread = threading.Thread(target=switchover, daemon=True)
        thread.start()
        lanes.watch(self.folder, lambda _: self.rows, lambda: not thread.is_alive())
        for process in self.processes:
            process.kill()
            process.wait()
        assert not self.error, self.error
        self.summary()

    def summary(self):
        print("\nFrom the last good write to the next one:")
        for number, (program, _) in enumerate(PROGRAMS):
            print(f"{program}: {lanes.both(self.folder, f'{number}-plain', f'{number}-homing')}")


def introduce():
    if len(PROGRAMS) > 1:
        who = f"""{len(PROGRAMS)} programs write twice a second to {NAME}, each twice: as it is, and under homing.
PyMySQL keeps a connection, and pings it before each write. mysql2 and Sequelize have a pool."""
    else:
        who = f"""A program writes twice a second to {NAME}, and twice there is one: as it is, and under homing. It
keeps a connection (PyMySQL), and pings it before each write. Those with a pool need node, mysql2 and Sequelize."""
    print(f"""{who} For those
without homing, the name leads to the new writer as soon as homing has published it: no DNS is late here.
. good  x failed  | promotion
""", flush=True)


def main():
    print("Starting a MariaDB writer and its replica …", flush=True)
    stage = Stage()
    db = stage.db

    def demote(old, new):
        db.sql(old, "SET GLOBAL read_only = 1")
        db.catch_up(new, old)

    def stop(old, _):
        db.sql(old, "SHUTDOWN WAIT FOR ALL SLAVES")
        db.processes.pop(old).wait()

    introduce()
    print(f"""Demoted in place: in {BEFORE_S} s the writer becomes read-only, as in a planned switchover, and keeps its connections.
Writes over them fail (error 1290); a ping does not.
""", flush=True)
    Scene(stage, "in-place", "a", "b").play(demote, 13)
    db.follow("a", "b")
    eventually(lambda: stage.knows("b", "a"), "the old writer is an heir")
    print(f"""
Stopped: in {BEFORE_S} s the writer, which is the other server now, is shut down. That ends its connections.
""", flush=True)
    Scene(stage, "stopped", "b", "a").play(stop, 8)
    db.start("b", "--read-only")
    db.follow("b", "a")
    eventually(lambda: stage.knows("a", "b"), "the writer that was stopped is an heir")
    print(f"\n$ homingctl explain {NAME}", flush=True)
    subprocess.run([BUILD + "/homingctl", "explain", NAME], check=False)


try:
    main()
except AssertionError as why:  # with what the agent said, as its log goes with the namespaces
    sys.exit("\n".join([*lanes.lines(WORK + "/homingd.log")[-20:], f"demo: {why}"]))
