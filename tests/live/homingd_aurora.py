#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engines aurora-mysql and aurora-global-mysql with stand-ins for Aurora's servers (tests/support/aurora_mysql.py), which no real Aurora has
confirmed: one seed and a pattern are configured; failovers, and programs of MySQL's world under the library."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, NODE_PATH, SRC, Agent, own_namespaces  # noqa: E402
from tap import Skip, cleanups, equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
from aurora import DOMAIN, ELSEWHERE, MASTER, PASSWORD, SEED, Aurora  # noqa: E402
from mariadb import Holder  # noqa: E402

NAME, READERS = "orders-db.invalid", "orders-ro.invalid"
db = Aurora("a", "b", "c")


def cluster(engine="aurora-mysql", of="seeds: [%s:%s]" % (SEED, db.port), pattern=f"?.{DOMAIN}", user="homing"):
    patterns = f'    host_patterns: ["{pattern}"]\n' if pattern else ""
    return f"""
  - name: orders
    engine: {engine}
    {of}
{patterns}    connection: "user={user} tls=off"
    password_file: {db.password_file}
    max_switches: 0
    endpoints: [{{names: [{NAME}], role: writer}}, {{names: [{READERS}], role: reader}}]
"""


agent = Agent(cluster())


def member(name):
    return agent.member("orders", db.member(name))


def members():
    return {m["member"] for m in agent.cluster("orders")["members"]}


def steady(name):
    agent.wait_writer("orders", db.member(name))
    equal(agent.resolve(NAME), [db.address(name)])


def readers(*names):
    eventually(lambda: agent.resolve(READERS) and set(agent.resolve(READERS)) == {db.address(name) for name in names},
               "readers are " + " ".join(names))


@test
def one_seed_and_a_pattern_bring_all_members():
    agent.start()
    steady("a")
    readers("b", "c")
    equal(members(), {db.member(name) for name in "abc"})
    equal(agent.cluster("orders")["term"], "1")


@test
def a_failover_with_a_frozen_writer_frees_programs_whose_connections_nobody_closed():
    global holder
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    holder = Holder(NAME, db, agent, password=PASSWORD)
    equal((holder.first, holder.say("write")), (db.address("a"), db.address("a")))
    eventually(lambda: len(agent.json("connections")["connections"]) == 1, "its connection is known")
    db.freeze("a")
    eventually(lambda: agent.cluster("orders")["state"] == "suspect", "the writer is silent")
    equal(agent.resolve(NAME), [db.address("a")])
    db.fail_over("b")
    steady("b")
    equal(holder.ask().split()[:2], ["anew", db.address("b")])
    equal((holder.say("write"), holder.say("stale")), 2 * (db.address("b"),))


@test
def the_old_writer_is_restarted_and_comes_back_as_a_reader():
    db.restart("a")
    eventually(lambda: member("a")["role"] == "reader", "a is a reader")
    readers("a", "c")
    equal(agent.cluster("orders")["writer"], db.member("b"))


@test
def back_again_in_place_severs_the_connection_of_a_pool():
    eventually(lambda: len(agent.json("connections")["connections"]) == 1, "its connection is known")
    severed = agent.cluster("orders")["severed"]
    db.fail_over("a")
    steady("a")
    eventually(lambda: agent.cluster("orders")["severed"] > severed, "its connection is severed")
    equal(holder.ask().split()[:2], ["anew", db.address("a")])
    equal(holder.say("write"), db.address("a"))


@test
def a_writer_that_was_just_demoted_and_still_names_itself_is_a_reader():
    """As its own row has no time. The new one is not named by anybody yet, and takes writes."""
    db.say(f"row a {MASTER} NULL", "row b reader-b 0.2", "row c reader-c 0.2", of="a")
    db.say(*db.rows("a"), "open b")
    note = eventually(lambda: member("b").get("note"), "b says that it is not named yet")
    assert "does not call it the writer" in note, note
    eventually(lambda: member("a")["role"] == "reader", "a claims no more")
    equal((agent.cluster("orders")["writer"], agent.resolve(NAME)), (db.member("a"), [db.address("a")]))
    db.fail_over("b")
    steady("b")
    db.forget("a")
    eventually(lambda: holder.ask() == db.address("b"), "the program is on the new writer")


@test
def a_writers_row_of_nine_hours_ago_and_a_second_one_move_nothing():
    db.say("row old " + MASTER + " 32400", "row a " + MASTER + " 90", *db.rows("b"), "open b")
    full = db.member("a")
    eventually(lambda: member("a")["role"] == "reader" and agent.cluster("orders")["writer"] == db.member("b"), full)
    equal(agent.cluster("orders")["state"], "steady")
    equal("old." + DOMAIN + ":" + db.port in members(), False)


@test
def an_empty_topology_is_a_failure_and_empties_no_cluster():
    db.say("open b")
    error = eventually(lambda: member("c").get("error"), "an error")
    assert "has no rows" in error, error
    equal((members(), agent.resolve(NAME)), ({db.member(name) for name in "abc"}, [db.address("b")]))
    db.fail_over("b")
    steady("b")
    eventually(lambda: not any(member(name).get("error") for name in "abc"), "all answer again")


@test
def a_member_that_refuses_the_account_is_no_hindrance():
    db.say(*db.rows("b"), "open b", "deny c homing")
    db.restart("c")
    eventually(lambda: "Access denied" in (member("c").get("error") or ""), "c refuses it")
    db.say(*db.rows("a"), "open a", "deny c homing")
    steady("a")
    db.fail_over("a")
    agent.ok("reload")
    eventually(lambda: member("c")["role"] == "reader" and not member("c").get("error"), "c answers again")


POOL = """const mysql = require("mysql2/promise"); const [host, port, password] = process.argv.slice(1);
const pool = mysql.createPool({host, port, user: "app", password, database: "app", connectionLimit: 2});
require("readline").createInterface({input: process.stdin}).on("line", async () => {
    for (let left = 9; ; left--)
        try { await pool.query("INSERT INTO t VALUES (NULL)"); const [rows] = await pool.query("SELECT @@bind_address AS b");
              return console.log(rows[0].b); } catch (e) { if (!left) return console.log(String(e)); } });"""


@test
def a_pool_of_mysql2_lands_on_the_new_writer():
    env = dict(os.environ, NODE_PATH=NODE_PATH)
    if subprocess.run(["node", "-e", 'require("mysql2")'], env=env, stderr=subprocess.DEVNULL, check=False).returncode:
        assert not os.environ.get("CI"), "node has no mysql2"
        raise Skip("node has no mysql2: ./bootstrap check fetches it")
    pool = subprocess.Popen([os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--", "node", "-e", POOL, NAME,
                             db.port, PASSWORD], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    cleanups.append(pool.kill)

    def write():
        pool.stdin.write("\n")
        return pool.stdout.readline().strip()

    equal(write(), db.address("a"))
    eventually(lambda: pool.pid in {row["pid"] for row in agent.json("connections")["connections"]}, "its connection is known")
    db.freeze("a")
    db.fail_over("b")
    steady("b")
    equal(write(), db.address("b"))
    db.restart("a")
    eventually(lambda: member("a")["role"] == "reader", "a is a reader")
    pool.kill()


@test
def the_command_line_client_is_led_to_the_writer():
    done = subprocess.run([os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--", "mariadb", "--no-defaults",
                           "--skip-ssl", "-h", NAME, "-P", db.port, "-uapp", "-p" + PASSWORD, "-NB", "-e",
                           "SELECT @@aurora_server_id"], capture_output=True, text=True, check=False)
    equal(done.stdout.strip() or done.stderr, next(name for name in "abc" if member(name)["role"] == "writer"))


@test
def a_server_that_is_no_aurora_is_told_which_engine_it_needs():
    db.say(*db.rows("b"), "open b", "plain c")
    db.restart("c")
    eventually(lambda: "no Aurora MySQL; write engine: mysql" in (member("c").get("error") or ""), "which engine is needed")
    equal(agent.cluster("orders")["writer"], db.member("b"))
    db.fail_over("b")
    db.restart("c")


@test
def another_engine_says_that_these_are_aurora():
    holder.end()
    agent.write(cluster("mysql", of="members: [%s]" % db.member("b"), pattern=None))
    agent.ok("reload")
    eventually(lambda: "write engine: aurora-mysql" in (member("b").get("error") or ""), "which engine is needed")


@test
def a_global_database_is_followed_into_another_region():
    agent.kill()
    of = (f"seeds: [{SEED}:{db.port}]\n    host_patterns: [{{region: eu-west-1, pattern: '?.{DOMAIN}'}}, "
          f"{{region: us-east-1, pattern: '?.{ELSEWHERE}'}}]")
    far = f"c.{ELSEWHERE}:{db.port}"
    db.say(f"row a {MASTER} 0 eu-west-1 1000", "row b reader-b 0 eu-west-1 1000", "row c reader-c 0 us-east-1 900", "open a")
    other = Agent(cluster("aurora-global-mysql", of, pattern=None)).start()
    other.wait_writer("orders", db.member("a"))
    equal({m["member"] for m in other.cluster("orders")["members"]}, {db.member("a"), db.member("b"), far})
    eventually(lambda: other.member("orders", far)["role"] == "reader", "the other region was seen to follow")
    db.say(f"row a {MASTER} 0 eu-west-1 1200", "row b reader-b 0 eu-west-1 1200", "row c reader-c 0 us-east-1 1100", "open a")
    eventually(lambda: other.member("orders", db.member("a"))["position"] == 1200, "the writer has written")
    db.say("row a reader-a 0 eu-west-1 1200", "row b reader-b 0 eu-west-1 1200", f"row c {MASTER} 0 us-east-1 1150", "open c")
    other.wait_writer("orders", far)
    equal([e["switch"]["loss_bytes"] for e in other.json("history") if e["switch"]][-1], 50)
    db.say("row a reader-a 0 eu-west-1 1150", "row b reader-b 0 eu-west-1 1150", f"row c {MASTER} 0 us-east-1 1160", "open c")
    eventually(lambda: other.member("orders", db.member("a"))["position"] == 1150, "the old region follows, without what was lost")
    db.say(f"row a {MASTER} 0 eu-west-1 1202", "row b reader-b 0 eu-west-1 1202", "row c reader-c 0 us-east-1 1160", "open a")
    other.wait_writer("orders", db.member("a"))
    equal(other.resolve(NAME), [db.address("a")])
    other.kill()
    agent.start()


@test
def a_pattern_without_its_mark_is_refused_where_it_stands():
    agent.write(cluster(pattern="a." + DOMAIN))
    done = agent.ctl("reload")
    assert done.returncode != 0 and "has not exactly one '?'" in done.stdout + done.stderr, done


main()
