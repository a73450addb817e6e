#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""AWS's own wrapper for Node.js as a judge of the stand-ins for Aurora, of MySQL and of PostgreSQL: it finds out by itself
that they are Aurora, and fails over on them to the instance that homing publishes, where a program under the library is
too. Of a Global Database it sees one region alone. What it does not look at, as the times of a real failover, it does not
confirm."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, NODE_PATH, PLAIN, SRC, Agent, Servers, own_namespaces  # noqa: E402
from tap import PATIENCE, cleanups, equal, eventually, give_up, main, say, test  # noqa: E402
from sever import need_root  # noqa: E402

PACKAGE = os.path.join(NODE_PATH, "aws-advanced-nodejs-wrapper/package.json")
if not shutil.which("node") or not os.path.exists(PACKAGE):
    give_up("node has no aws-advanced-nodejs-wrapper: ./bootstrap check fetches it")
need_root()
own_namespaces("--mount")
from aurora import DOMAIN, PASSWORD, SEED, Aurora  # noqa: E402

RDS, FAR = "rds.invalid", "far.invalid"
pg = Servers()
pg.init("a")
pg.load("a", "aurora.sql")
pg.sql("a", "INSERT INTO aurora_instances (server_id, writes, region) VALUES ('inst-1', true, 'eu-west-1'),"
            " ('inst-2', false, 'eu-west-1'), ('inst-3', false, 'us-east-1')")
pg.clone("b", "a")
pg.clone("c", "a")
my = Aurora("a", "b", "c", others={f"inst-1.{RDS}": pg.address("a"), f"inst-2.{RDS}": pg.address("b"),
                              f"inst-3.{FAR}": pg.address("c")})

CLUSTERS = f"""
  - name: mysql
    engine: aurora-mysql
    seeds: ["{SEED}:{my.port}"]
    host_patterns: ["?.{DOMAIN}"]
    connection: "user=homing tls=off"
    password_file: {my.password_file}
    endpoints: [{{names: [mysql-db.invalid], role: writer}}]
  - name: pg
    engine: aurora-postgresql
    seeds: ["inst-2.{RDS}:{pg.port()}"]
    host_patterns: ["?.{RDS}"]
    connection: "{PLAIN}"
    endpoints: [{{names: [pg-db.invalid], role: writer}}]
"""
GLOBAL = f"""
  - name: global
    engine: aurora-global-postgresql
    seeds: ["inst-2.{RDS}:{pg.port()}"]
    host_patterns: [{{region: eu-west-1, pattern: "?.{RDS}"}}, {{region: us-east-1, pattern: "?.{FAR}"}}]
    connection: "{PLAIN}"
    endpoints: [{{names: [global-db.invalid], role: writer}}]
"""
agent = Agent(CLUSTERS)


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


def fails_over(engine, first, second, crash, dialect, cluster=None):
    """`first` and `second`: (id, member). `cluster`: if it is not called as the engine's protocol."""
    cluster = cluster or engine
    agent.wait_writer(cluster, first[1])
    host, _, port = first[1].partition(":")
    domain = host.partition(".")[2]
    oracle, pool = Program(engine, host, "?." + domain), Program(engine, cluster + "-db.invalid")
    equal((oracle.ask(), pool.ask()), 2 * (first[0] + " writer",))
    roles = [f"{row['member']} {row['role']}" for row in agent.cluster(cluster)["members"] if FAR not in row["member"]]
    equal(oracle.ask("found"), ", ".join([dialect, *sorted(roles)]))
    eventually(lambda: pool.process.pid in {row["pid"] for row in agent.json("connections")["connections"]},
               "its connection is known")
    crash()
    equal(oracle.ask().partition(":")[0], "FailoverSuccessError")
    equal(oracle.ask(), second[0] + " writer")
    agent.wait_writer(cluster, second[1])
    eventually(lambda: pool.ask() == second[0] + " writer", "the program under the library is on the new writer")


def instance(number):
    return f"inst-{number}", f"inst-{number}.{RDS}:{pg.port()}"


@test
def the_agent_follows_all():
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
    fails_over("pg", *(instance(n) for n in "12"), crash, "AuroraPgDatabaseDialect")


@test
def the_wrapper_fails_over_within_the_region_of_a_global_database():
    """It does not know that this is one: version 2.0.1 asks for the instances of the region alone."""
    def end():
        pg.stop("b")
        pg.promote("a")
    pg.sql("b", "UPDATE aurora_instances SET writes = server_id = 'inst-2'")
    pg.rejoin("c", "b")
    pg.rejoin("a", "b")
    agent.write(CLUSTERS + GLOBAL)
    agent.ok("reload")
    agent.wait_writer("global", instance(2)[1])
    eventually(lambda: {row["role"] for row in agent.cluster("global")["members"]} == {"reader", "writer"}, "all answer")
    fails_over("pg", *(instance(n) for n in "21"), end, "AuroraPgDatabaseDialect", "global")


main()
