#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""AWS's own wrapper for Node.js as a judge of the stand-ins for Aurora, of MySQL and of PostgreSQL: it finds out by itself
that they are Aurora, and fails over on them to the instance that homing publishes, where a program under the library is
too. What it does not look at, as the times of a real failover, it does not confirm."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, NODE_PATH, PLAIN, SRC, Agent, Servers, directory, own_namespaces  # noqa: E402
from tap import PATIENCE, cleanups, equal, eventually, give_up, main, say, test  # noqa: E402
from sever import need_root  # noqa: E402

PACKAGE = os.path.join(NODE_PATH, "aws-advanced-nodejs-wrapper/package.json")
if not shutil.which("node") or not os.path.exists(PACKAGE):
    give_up("node has no aws-advanced-nodejs-wrapper: ./bootstrap check fetches it")
need_root()
own_namespaces("--mount")
from aurora import DOMAIN, PASSWORD, SEED, Aurora  # noqa: E402

RDS = "rds.invalid"
pg = Servers()
pg.init("a")
with open(os.path.join(SRC, "tests/support/aurora.sql"), encoding="ascii") as text:
    SCHEMA = pg.file("aurora.sql", text.read())
pg.own("aurora.sql")
pg.psql("a", "-f", SCHEMA)
pg.sql("a", "INSERT INTO aurora_instances VALUES ('inst-1', true), ('inst-2', false)")
pg.clone("b", "a")
my = Aurora("a", "b", "c", others={f"inst-1.{RDS}": pg.address("a"), f"inst-2.{RDS}": pg.address("b")})
PASSWORD_FILE = os.path.join(directory(), "pw")
with open(PASSWORD_FILE, "w", encoding="ascii") as password:
    os.chmod(PASSWORD_FILE, 0o600)
    password.write(PASSWORD + "\n")

agent = Agent(f"""
  - name: mysql
    engine: aurora-mysql
    seeds: ["{SEED}:{my.port}"]
    host_patterns: ["?.{DOMAIN}"]
    connection: "user=homing tls=off"
    password_file: {PASSWORD_FILE}
    endpoints: [{{names: [mysql-db.invalid], role: writer}}]
  - name: pg
    engine: aurora-postgresql
    seeds: ["inst-2.{RDS}:{pg.port()}"]
    host_patterns: ["?.{RDS}"]
    connection: "{PLAIN}"
    endpoints: [{{names: [pg-db.invalid], role: writer}}]
""")


class Program:
    """oracle.mjs: AWS's wrapper, which knows nothing of homing; or, without a pattern, a pool under the library."""

    def __init__(self, engine, host, pattern=None):
        run = [] if pattern else [os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--"]
        access = [my.port, "app", PASSWORD, "app"] if engine == "mysql" else [pg.port(), "postgres", "x", "postgres"]
        self.process = subprocess.Popen(
            [*run, "node", os.path.join(SRC, "tests/live/oracle.mjs"), engine, NODE_PATH, host, *access,
             *([pattern] if pattern else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        cleanups.append(self.end)

    def ask(self, line="where"):
        self.process.stdin.write(line + "\n")
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.kill()
        self.process.wait(PATIENCE)


def fails_over(engine, first, second, crash, dialect):
    """`first` and `second`: (id, member)."""
    agent.wait_writer(engine, first[1])
    host, _, port = first[1].partition(":")
    domain = host.partition(".")[2]
    oracle, pool = Program(engine, host, "?." + domain), Program(engine, engine + "-db.invalid")
    equal((oracle.ask(), pool.ask()), 2 * (first[0] + " writer",))
    roles = [f"{row['member']} {row['role']}" for row in agent.cluster(engine)["members"]]
    equal(oracle.ask("found"), ", ".join([dialect, *sorted(roles)]))
    eventually(lambda: pool.process.pid in {row["pid"] for row in agent.json("connections")["connections"]},
               "its connection is known")
    crash()
    equal(oracle.ask().partition(":")[0], "FailoverSuccessError")
    equal(oracle.ask(), second[0] + " writer")
    agent.wait_writer(engine, second[1])
    eventually(lambda: pool.ask() == second[0] + " writer", "the program under the library is on the new writer")


@test
def the_agent_follows_both():
    with open(PACKAGE, encoding="utf-8") as package:
        say("aws-advanced-nodejs-wrapper " + json.load(package)["version"])
    agent.start()
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    agent.wait_writer("mysql", my.member("a"))


@test
def the_wrapper_fails_over_on_the_stand_in_for_aurora_mysql():
    def crash():
        my.kill("a")
        my.fail_over("b")
    fails_over("mysql", ("a", my.member("a")), ("b", my.member("b")), crash, "AuroraMySQLDatabaseDialect")


@test
def the_wrapper_fails_over_on_the_stand_in_for_aurora_postgresql():
    def crash():
        pg.kill("a")
        pg.promote("b")
    fails_over("pg", *((f"inst-{n}", f"inst-{n}.{RDS}:{pg.port()}") for n in "12"), crash, "AuroraPgDatabaseDialect")


main()
