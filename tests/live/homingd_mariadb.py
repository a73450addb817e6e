#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine mysql with real MariaDB servers, which have no term (W12): switchovers in place, crashes, old writers that
come back, and programs of MySQL's world under the library."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, Agent, cluster_text  # noqa: E402
from mariadb import PASSWORD, Holder, MariaDB  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
db = MariaDB()
db.init("a")
db.clone("b", "a")
NAME, READERS = "orders-db.invalid", "orders-ro.invalid"
MEMBERS = [f"{db.net}.{n}:{db.port}" for n in (1, 2)]
A, B = MEMBERS
PASSWORD_FILE = db.file("pw", PASSWORD + "\n")


def cluster(also="", user="homing"):
    return cluster_text("orders", MEMBERS, NAME, READERS, f"user={user} tls=off",
                        f"    password_file: {PASSWORD_FILE}\n    max_switches: 0\n" + also, engine="mysql")


agent = Agent(cluster())


def client(host):
    """What the command-line client says is the server's address."""
    done = subprocess.run([os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--", "mariadb",
                           "--no-defaults", "--skip-ssl", "-h", host, "-P", db.port, "-uapp", "-p" + PASSWORD, "-NB", "-e",
                           "SELECT @@bind_address"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr


def member(name):
    return agent.member("orders", db.member(name))


def steady(name, term):
    agent.wait_writer("orders", db.member(name))
    equal((agent.cluster("orders")["term"], agent.resolve(NAME)), (term, [db.address(name)]))


def settled(name):
    """It is seen to follow: from now on it is an heir, and serves readers."""
    eventually(lambda: member(name)["heir"] and member(name)["reader"], name + " follows")


@test
def a_missing_privilege_is_named_with_its_grant():
    db.sql("a", "REVOKE SLAVE MONITOR ON *.* FROM homing")
    agent.start()
    error = eventually(lambda: member("a").get("error"), "an error")
    assert "GRANT SLAVE MONITOR ON *.* TO 'homing'@'%'" in error, error
    db.sql("a", "GRANT SLAVE MONITOR ON *.* TO homing")
    agent.kill()


@test
def the_writer_and_its_replica_are_found_by_what_they_say():
    agent.start()
    steady("a", "1")
    settled("b")
    equal(agent.resolve(READERS), [db.address("b")])
    eventually(lambda: agent.ctl("status").returncode == 0, "all is well")
    assert "0 transactions" in agent.ok("status"), agent.ok("status")
    for name, at in ((NAME, "a"), (READERS, "b")):
        eventually(lambda name=name, at=at: client(name) == db.address(at), name + " leads to " + at)


@test
def a_switchover_in_place_severs_programs_and_redirects_stale_addresses():
    global holder
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    holder = Holder(NAME, db, agent)
    equal((holder.first, holder.say("write")), (db.address("a"), db.address("a")))
    eventually(lambda: len(agent.json("connections")["connections"]) == 1, "its connection is known")
    db.switch("a", "b")
    steady("b", "2")
    eventually(lambda: agent.cluster("orders")["severed"] == 1, "its connection is severed")
    equal(holder.ask().split()[:2], ["anew", db.address("b")])
    equal((holder.say("stale"), holder.say("write")), 2 * (db.address("b"),))


@test
def in_a_mode_that_severs_nothing_its_writes_fail():
    db.follow("a", "b")
    settled("a")
    agent.ok("mode", "orders", "connect")
    db.switch("b", "a")
    steady("a", "3")
    equal(holder.say("write"), "1290")
    agent.ok("mode", "orders", "default")
    eventually(lambda: holder.ask().split()[:2] == ["anew", db.address("a")], "it is severed, and back")
    db.follow("b", "a")
    settled("b")


@test
def W12_the_heir_of_a_writer_that_crashed_takes_over():
    db.sql("b", "STOP SLAVE SQL_THREAD")  # what is written now, is lost
    equal(holder.say("write"), db.address("a"))
    db.kill("a")
    eventually(lambda: agent.cluster("orders")["state"] != "steady", "nobody claims")
    db.promote("b")
    steady("b", "4")
    equal(holder.ask().split()[:2], ["anew", db.address("b")])


@test
def W12_a_writer_of_before_that_comes_back_as_one_is_not_followed():
    equal(holder.say("write"), db.address("b"))
    db.start("a")
    eventually(lambda: (member("a")["connected"], member("a")["role"], member("a")["term"]) == (True, "writer", "3"),
               "it claims, on an older term")
    equal(agent.cluster("orders")["writer"], B)
    db.kill("b")
    eventually(lambda: agent.cluster("orders")["state"] not in ("steady", "suspect"), "b is gone")
    equal(agent.cluster("orders")["writer"], B)
    equal(agent.resolve(NAME) != [db.address("a")], True)
    db.start("b")
    steady("b", "4")


@test
def an_old_writer_that_is_built_anew_is_a_reader_and_an_heir_again():
    db.kill("a")
    db.clone("a", "b")
    settled("a")
    equal(agent.cluster("orders")["writer"], B)
    db.switch("b", "a")
    steady("a", "5")


@test
def a_replica_that_somebody_opened_is_no_writer():
    db.follow("b", "a")
    settled("b")
    db.sql("b", "SET GLOBAL read_only = 0")
    note = eventually(lambda: member("b").get("note"), "a note")
    assert "set to replicate" in note, note
    equal((member("b")["role"], agent.cluster("orders")["state"]), ("reader", "steady"))
    db.sql("b", "SET GLOBAL read_only = 1")
    holder.end()


@test
def a_manager_may_clear_the_record_of_the_replica_that_it_promotes():
    """mariadb-operator does. In an idle cluster such a server counts from 1 then."""
    db.stop("b")
    db.start("b", "--read-only", "--skip-log-slave-updates")
    db.sql("b", "STOP SLAVE; RESET MASTER; START SLAVE")
    db.catch_up("b", "a")
    settled("b")
    db.sql("a", "SET GLOBAL read_only = 1")
    db.catch_up("b", "a")
    db.sql("b", "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL gtid_slave_pos = ''; SET GLOBAL read_only = 0")
    db.sql("b", "INSERT INTO app.t VALUES (NULL)")
    steady("b", "6")
    equal(db.sql("b", "SELECT @@global.gtid_current_pos").split("-")[2], "1")


@test
def a_wrong_password_is_denied_in_the_servers_words():
    agent.write(cluster(user="nobody"))
    agent.ok("reload")
    eventually(lambda: "Access denied" in (member("a").get("error") or ""), "it is denied")


main()
