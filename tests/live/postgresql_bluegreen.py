#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A blue/green deployment of Aurora PostgreSQL, of a Multi-AZ DB cluster of RDS, and of an instance of RDS: three agents look
at the same plain PostgreSQL servers, which stand in for all of these (tests/support/deployments.sql); no real one has confirmed
it. The green servers have the identity of the blue ones and a newer timeline, and claim all the time."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, PLAIN, Agent, Holder, Servers, cluster_text, own_hosts, own_namespaces  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
DOMAIN, GREEN = "rds.invalid", "-green-abc123"
SEED, NAME, READERS = "orders.cluster-" + DOMAIN, "orders-db.invalid", "orders-ro.invalid"
SOURCE, TARGET = "BLUE_GREEN_DEPLOYMENT_SOURCE", "BLUE_GREEN_DEPLOYMENT_TARGET"
INITIATED, IN_PROGRESS = "SWITCHOVER_INITIATED", "SWITCHOVER_IN_PROGRESS"
POST, COMPLETED = "SWITCHOVER_IN_POST_PROCESSING", "SWITCHOVER_COMPLETED"
IDS = {"a": "inst-1", "b": "inst-2", "g": "inst-3" + GREEN, "h": "inst-4" + GREEN}
pg = Servers()
AT = {}  # of each server

def sql(name, *statements):
    pg.psql(name, *[word for statement in ("SET allow_system_table_mods = on", *statements) for word in ("-c", statement)])


def name_servers(writer, reader, suffix):
    """One side's servers have other names from now on: what they say of themselves and of each other."""
    ids = [f"inst-{AT[name].split('.')[3]}{suffix}" for name in (writer, reader)]
    sql(writer, f"""CREATE OR REPLACE FUNCTION pg_catalog.aurora_db_instance_identifier() RETURNS text LANGUAGE sql STABLE AS
        $$SELECT 'inst-' || split_part(host(inet_server_addr()), '.', 4) || '{suffix}'$$""",
        "DELETE FROM aurora_instances", f"INSERT INTO aurora_instances VALUES ('{ids[0]}', true), ('{ids[1]}', false)",
        "DELETE FROM rds_tools.servers", "INSERT INTO rds_tools.servers VALUES " + ", ".join(
            f"('db-{AT[name].split('.')[3]}', '{host}.{DOMAIN}', {PORT}, {name == writer})"
            for name, host in zip((writer, reader), ids)))


pg.init("a", "log_statement = all")
for file in "aurora.sql", "rds_tools.sql", "deployments.sql":
    pg.load("a", file)
pg.clone("b", "a")
pg.clone("g", "a")
pg.promote("g")
pg.clone("h", "g")
pg.init("plain", "log_statement = all")
AT.update({name: pg.address(name) for name in (*IDS, "plain")})
PORT = pg.port()
name_servers("a", "b", "")
name_servers("g", "h", GREEN)
own_hosts({SEED: AT["a"], **{f"{host}.{DOMAIN}": AT[name] for name, host in IDS.items()}})


def member(name):
    return f"{IDS[name]}.{DOMAIN}:{PORT}"


FOUND = f'seeds: ["{SEED}:{PORT}"]\n    host_patterns: ["?.{DOMAIN}"]'
LISTED = "members: [" + ", ".join(map(member, IDS)) + "]"


def text(engine, found, connection=PLAIN):
    return f"""
  - name: orders
    engine: {engine}
    {found}
    connection: "{connection}"
    endpoints: [{{names: [{NAME}], role: writer}}, {{names: [{READERS}], role: reader}}]
    max_switches: 0
"""


class Follower(Agent):
    def __init__(self, engine, found):
        super().__init__(text(engine, found) + cluster_text("plain", [pg.member("plain")]) * (found == LISTED))

    def of(self):
        return self.cluster("orders")

    def said(self, name):
        return self.member("orders", member(name))

    def says(self, word, names=IDS):
        """What it knows of each of these servers."""
        known = {m["member"]: m.get(word) for m in self.of()["members"]}
        return [known.get(member(name)) for name in names]

    def phase(self, name):
        return self.says("phase", name)[0]

    def alarms(self):
        return {alarm["alarm"] for alarm in self.of()["alarms"]}

    def is_blue(self):
        equal((self.of()["writer"], self.of()["state"], self.alarms()), (member("a"), "steady", set()))
        equal(self.resolve(NAME), [AT["a"]])


ENGINES = {"aurora-postgresql": FOUND, "rds-postgresql": FOUND, "postgresql": LISTED}
AGENTS = [Follower(engine, found) for engine, found in ENGINES.items()]


def tell(names, status, version="1.0", renamed=False):
    """What these servers of one side say from now on. `renamed`: names are exchanged. None: nothing."""
    blue, green = [IDS[name] + "-old1" * renamed for name in "ab"], [IDS[name] for name in ("ab" if renamed else "gh")]
    rows = [(f"orders{'-old1' * renamed}.cluster-{DOMAIN}", SOURCE), *((f"{host}.{DOMAIN}", SOURCE) for host in blue),
            (f"orders{'' if renamed else GREEN}.cluster-{DOMAIN}", TARGET), *((f"{host}.{DOMAIN}", TARGET) for host in green)]
    values = [f"('{AT[name]}', '{host}', {PORT}, '{role}', '{status}', '{version}')"
              for name in names for host, role in rows if status]
    sql("a" if names[0] in "ab" else "g",
        "BEGIN; DELETE FROM deployments WHERE teller IN (" + ", ".join(f"'{AT[name]}'" for name in names) + "); " +
        ("INSERT INTO deployments VALUES " + ", ".join(values) if values else "") + "; COMMIT")


def both(status, **how):
    """The green side first: what it says alone moves nothing."""
    tell("gh", status, **how)
    tell("ab", status, **how)


def everywhere(what, text_):
    for agent in AGENTS:
        eventually(lambda of=agent: what(of), lambda of=agent: f"{text_}: {of.of()}")


def statements(name, beginning, having=""):
    with open(pg.log(name), encoding="utf-8", errors="replace") as log:
        return len(re.findall("statement: " + re.escape(beginning) + ".*" * bool(having) + having, log.read()))


def looks_once(name):
    """In each connection, after its first question."""
    looks = statements(name, LOOK)
    assert 1 <= looks <= statements(name, FULL, "pg_postmaster_start_time") < statements(name, FULL), looks


FULL = "SELECT pg_catalog.pg_is_in_recovery(), CASE"
CHEAP = "\n"  # of the engine `postgresql`
LOOK, ASK = "SELECT pg_catalog.bool_and(pg_catalog.has_schema_privilege", "SELECT t.endpoint, t.port"


def function(name, does):
    """What the function of Aurora does before it answers."""
    sql(name, "SET default_transaction_read_only = off", f"""CREATE OR REPLACE FUNCTION
        pg_catalog.get_blue_green_fast_switchover_metadata(client text) RETURNS TABLE (id text, endpoint text, port integer,
        role text, status text, version text, update_stamp timestamptz) LANGUAGE plpgsql AS $$ BEGIN {does} RETURN QUERY
        SELECT md5(d.endpoint), d.endpoint, d.port, d.role, d.status, d.version, clock_timestamp() FROM public.deployments AS d
        WHERE d.teller = host(inet_server_addr()); END $$""")


def doctor(engine, found):
    """As homing's role."""
    secret = pg.file("pw", "homing-test\n")
    config = Agent(text(engine, found, f'user=homing dbname=postgres sslmode=disable"\n    password_file: "{secret}')).config
    return subprocess.run([os.path.join(BUILD, "homingd"), "--doctor", config], capture_output=True, text=True, check=False).stdout


@test
def green_servers_are_members_and_neither_rivals_nor_readers():
    both("AVAILABLE")
    for agent in AGENTS:
        agent.start()
    for agent in AGENTS:
        agent.wait_writer("orders", member("a"))
    everywhere(lambda of: {m["member"] for m in of.of()["members"]} == set(map(member, IDS)), "all are members")
    everywhere(lambda of: of.says("role") == ["writer", "reader"] * 2, "all answer")
    everywhere(lambda of: of.resolve(READERS) == [AT["b"]], "the blue reader serves")
    for agent in AGENTS:
        agent.is_blue()
        equal(agent.log("alarm_raised"), [])


@test
def a_server_without_the_function_is_asked_once_whether_it_has_it_and_refuses_nothing():
    eventually(lambda: statements("plain", FULL) >= 5, "it is asked in full several times")
    looks_once("plain")
    equal(statements("plain", ASK), 0)
    with open(pg.log("plain"), encoding="utf-8") as log:
        assert "ERROR" not in log.read()


@test
def a_server_with_the_function_is_asked_no_more_often_than_in_full():
    before = statements("a", ASK)
    eventually(lambda: statements("a", ASK) >= before + 3, "it is asked on")
    asked = statements("a", ASK)
    assert asked <= statements("a", FULL), (asked, statements("a", FULL))
    looks_once("a")


@test
def a_grant_that_is_missing_is_printed_as_it_has_to_be_run():
    schema, functions = "SCHEMA rds_tools", "ALL FUNCTIONS IN SCHEMA rds_tools"
    metadata = "FUNCTION pg_catalog.get_blue_green_fast_switchover_metadata"
    for engine, found, grants in (("postgresql", f"members: [{member('a')}]", (f"USAGE ON {schema}", f"EXECUTE ON {functions}")),
                                  ("aurora-postgresql", f'members: [{member("a")}]\n    host_patterns: ["?.{DOMAIN}"]',
                                   (f"EXECUTE ON {metadata}",))):
        sql("a", *[f"REVOKE {grant} FROM PUBLIC, homing" for grant in grants])
        for grant in grants:
            said = doctor(engine, found)
            equal(set(re.findall("-> (GRANT .*)", said)), {f'GRANT {grant} TO "homing";'})
            sql("a", f'GRANT {grant} TO "homing";')
        eventually(lambda of=(engine, found): "GRANT" not in doctor(*of), "nothing more is to be granted")


FAULTED = "a transient fault", "canceling statement due to statement timeout"
FAULTS = {"an error": "RAISE EXCEPTION 'a transient fault';",
          "a statement_timeout": "RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = '57014';",
          "too many rows": "RETURN QUERY SELECT '', '', i, '', '', '', now() FROM generate_series(1, 100000) AS i;"}


def is_missed():
    """Of Aurora alone: that a's function has failed is known."""
    return "does not tell of blue/green" in (AGENTS[0].said("a").get("note") or "")


@test
def a_function_that_fails_takes_nothing_back_and_ends_no_session():
    backends = "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE (application_name, usename) = ('homingd', 'postgres')"
    before = pg.psql("a", "-Atc", backends)
    for fault, does in FAULTS.items():
        function("a", does)
        eventually(is_missed, fault)
        AGENTS[0].is_blue()
        equal(AGENTS[0].says("phase"), ["available"] * 4)
        equal(AGENTS[0].says("deployment"), [None, None, "green", "green"])
        function("a", "")
        eventually(lambda: not is_missed(), "it tells again at its next full question")
    equal(pg.psql("a", "-Atc", backends), before)


@test
def a_version_that_is_not_known_is_ignored_with_an_alarm():
    both(POST, version="2.0")
    everywhere(lambda of: of.alarms() == {"deployment_unknown"} and of.of()["writer"] == member("a"), "an alarm")
    both("AVAILABLE")
    everywhere(lambda of: of.alarms() == set(), "it is known again")
    for agent in AGENTS:
        agent.is_blue()


@test
def what_readers_and_green_servers_say_moves_nothing():
    tell("gh", COMPLETED)
    tell("b", POST)
    everywhere(lambda of: of.says("phase", "bgh") == ["post", "completed", "completed"], "they say so")
    for agent in AGENTS:
        agent.is_blue()
    both("AVAILABLE")
    everywhere(lambda of: of.says("phase") == ["available"] * 4, "all is as before")


@test
def a_switchover_that_is_rolled_back_moves_nothing_and_raises_no_alarm():
    for status, phase in (INITIATED, "initiated"), (IN_PROGRESS, "in_progress"), ("AVAILABLE", "available"):
        both(status)
        everywhere(lambda of, p=phase: of.phase("a") == p, status)
    for agent in AGENTS:
        agent.is_blue()
        equal([line["alarm"] for line in agent.log("alarm_raised")], ["deployment_unknown"])


@test
def while_a_switchover_moves_each_question_is_a_full_one():
    both(INITIATED)
    everywhere(lambda of: of.phase("a") == "initiated", "it begins")
    cheap, asked = statements("a", CHEAP), statements("a", ASK)
    eventually(lambda: statements("a", ASK) >= asked + 5, "it is asked on")
    equal(statements("a", CHEAP), cheap)
    both("AVAILABLE")
    everywhere(lambda of: of.phase("a") == "available", "it is rolled back")
    eventually(lambda: statements("a", CHEAP) > cheap, "it is asked cheaply again")


@test
def a_program_is_on_the_green_server_at_post_while_names_lead_to_the_blue_one():
    global held
    everywhere(lambda of: of.status()["severing"]["available"], "severing is available")
    held = [Holder(NAME, PORT, agent) for agent in AGENTS]
    equal([holder.first for holder in held], [AT["a"]] * len(held))
    everywhere(lambda of: len(of.json("connections")["connections"]) == 1, "its connection is known")
    both(INITIATED)
    everywhere(lambda of: of.phase("a") == "initiated", "it begins")
    both(IN_PROGRESS)
    everywhere(lambda of: of.phase("a") == "in_progress", "it is in progress")
    sql("a", "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    eventually(lambda: AGENTS[-1].of()["state"] == "no_writer", "nobody takes writes")
    for agent in AGENTS:
        equal((agent.of()["writer"], agent.alarms()), (member("a"), set()))
    equal([holder.ask() for holder in held], [AT["a"]] * len(held))
    function("a", FAULTS["an error"])
    eventually(is_missed, "its word is missed")
    equal((AGENTS[0].phase("a"), AGENTS[0].of()["writer"], AGENTS[0].alarms()), ("in_progress", member("a"), set()))
    function("a", "")
    tell("gh", POST, renamed=True)
    pg.psql("a", "-c", "SET default_transaction_read_only = off", "-c", "UPDATE deployments SET status = '%s'" % POST)
    for agent, holder in zip(AGENTS, held):
        agent.wait_writer("orders", member("g"))
        assert "handed over" in agent.log("writer_changed")[-1]["possible_loss"], agent.log("writer_changed")[-1]
        equal(agent.resolve(NAME), [AT["g"]])
        eventually(lambda h=holder: h.ask().split()[:2] == ["anew", AT["g"]], "its connection was severed")
    everywhere(lambda of: of.resolve(READERS) == [AT["h"]], "the green reader serves")
    for agent in AGENTS:
        equal((agent.of()["state"], agent.alarms()), ("steady", set()))


@test
def names_follow_and_what_was_left_behind_is_never_followed():
    with open("/etc/hosts", "a", encoding="ascii") as hosts:
        hosts.write("".join(f"{AT[name]} {IDS[name]}-old1.{DOMAIN}\n" for name in "ab"))
    tell("gh", COMPLETED, renamed=True)
    sql("a", "SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only",
        "DELETE FROM deployments", "SELECT pg_reload_conf()")
    name_servers("a", "b", "-old1")
    everywhere(lambda of: of.phase("g") == "completed", "it is completed")
    tell("gh", None)
    everywhere(lambda of: of.alarms() == {"second_writer"}, "the old writer claims")
    pg.freeze("g")
    everywhere(lambda of: of.of()["state"] in ("suspect", "ambiguous") and of.said("g").get("error"), "the writer is silent")
    for agent in AGENTS:
        equal((agent.of()["writer"], agent.resolve(NAME)), (member("g"), [AT["g"]]))
    pg.thaw("g")
    for agent, holder in zip(AGENTS, held):
        agent.wait_writer("orders", member("g"))
        equal([m["member"] for m in agent.of()["members"] if "-old1" in m["member"]], [])
        equal(holder.ask(), AT["g"])


@test
def no_server_was_asked_what_it_refuses():
    for name in IDS:
        with open(pg.log(name), encoding="utf-8") as log:
            wrong = [line for line in log if "ERROR" in line and not any(fault in line for fault in FAULTED)]
        equal(wrong, [])


main()
