#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine mysql with real MySQL servers that replicate asynchronously, with GTIDs: how the agent logs in, switchovers in
place, writers that stop, freeze and come back, and a program under the library that follows."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import Agent, cluster_text, own_namespaces  # noqa: E402
from sever import need_root  # noqa: E402
from tap import equal, eventually, main, say, test  # noqa: E402

need_root()
own_namespaces("--mount")
from mariadb import PASSWORD, Holder  # noqa: E402
from mysql import PLACE, MySQL  # noqa: E402

NAME, READERS = "orders-db.invalid", "orders-ro.invalid"
db = MySQL()
db.certify("ca")
db.certify("db", "ca", f"IP:{db.net}.1,IP:{db.net}.2")
db.options += (f"--ssl-ca={PLACE}/ca.pem", f"--ssl-cert={PLACE}/db.pem", f"--ssl-key={PLACE}/db.key")
A, B = MEMBERS = [f"{db.net}.{n}:{db.port}" for n in (1, 2)]
CA, PASSWORD_FILE = db.root + "/ca.pem", db.file("pw", PASSWORD + "\n")


def cluster(tls=f"verify-full tls_ca={CA}"):
    return cluster_text("orders", MEMBERS, NAME, READERS, f"user=homing tls={tls}",
                        f"    password_file: {PASSWORD_FILE}\n    max_switches: 0\n", engine="mysql")


agent = Agent(cluster("off"))


def member(name):
    return agent.member("orders", db.member(name))


def steady(name, term):
    agent.wait_writer("orders", db.member(name))
    equal((agent.cluster("orders")["term"], agent.resolve(NAME)), (term, [db.address(name)]))


def settled(name):
    eventually(lambda: member(name)["heir"] and member(name)["reader"], name + " follows")


def error(name, words):
    return eventually(lambda: words in (member(name).get("error") or ""), words)


def again(*tls):
    agent.stop()
    agent.write(cluster(*tls))
    agent.start()


@test
def a_password_that_has_to_be_said_is_not_said_without_TLS():
    """No server knows it yet: caching_sha2_password."""
    db.init("a")
    db.clone("b", "a")
    say("MySQL " + db.sql("a", "SELECT @@version"))
    agent.start()
    for name in "ab":
        error(name, "the server wants the password itself, which is only said inside of TLS: write tls=verify-full or tls=require")


@test
def it_is_said_to_who_proves_the_name_that_members_has():
    again("verify-full")
    error("a", "the CA of the server's certificate is not in the system's list")
    again()
    steady("a", "1")
    settled("b")
    equal([member(name).get("unauthenticated", False) for name in "ab"], [False, False])


@test
def a_missing_privilege_is_named_with_its_grant():
    grant = "SELECT ON performance_schema.replication_connection_status"
    db.sql("a", f"REVOKE {grant} FROM homing")
    error("a", f"GRANT {grant} TO 'homing'@'%'")
    db.sql("a", f"GRANT {grant} TO homing")
    db.catch_up("b", "a")
    steady("a", "1")
    settled("b")
    equal(agent.resolve(READERS), [db.address("b")])
    eventually(lambda: agent.ctl("status").returncode == 0, "all is well")


@test
def a_switchover_in_place_severs_programs_and_redirects_stale_addresses():
    global holder
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    holder = Holder(NAME, db, agent, CA)
    equal((holder.first, holder.say("write")), 2 * (db.address("a"),))
    eventually(lambda: len(agent.json("connections")["connections"]) == 1, "its connection is known")
    db.switch("a", "b")
    steady("b", "2")
    equal(holder.ask().split()[:2], ["anew", db.address("b")])
    equal((holder.say("stale"), holder.say("write")), 2 * (db.address("b"),))


@test
def a_writer_that_is_closed_and_opened_again_stays_the_writer():
    db.follow("a", "b")
    settled("a")
    db.sql("b", "SET GLOBAL super_read_only = 1")
    agent.wait_state("orders", "no_writer")
    equal(holder.say("write"), "1290")
    db.sql("b", "SET GLOBAL read_only = 0")
    steady("b", "2")
    eventually(lambda: holder.say("write") == db.address("b"), "it writes")


@test
def W12_the_heir_of_a_writer_that_was_stopped_takes_over():
    db.stop("b")
    eventually(lambda: agent.cluster("orders")["state"] != "steady", "nobody claims")
    db.promote("a")
    steady("a", "3")
    equal(holder.ask().split()[:2], ["anew", db.address("a")])
    db.start("b", *db.replica)
    db.follow("b", "a")
    settled("b")


@test
def W12_the_heir_of_a_writer_that_is_frozen_takes_over_and_programs_leave_it():
    equal(holder.say("write"), db.address("a"))
    db.catch_up("b", "a")
    db.freeze("a")
    eventually(lambda: agent.cluster("orders")["state"] == "suspect", "it is silent")
    db.promote("b")
    steady("b", "4")
    equal(holder.ask().split()[:2], ["anew", db.address("b")])


@test
def W12_who_was_frozen_and_writes_on_with_more_than_the_writer_is_not_followed():
    def claims():
        return (member("a")["connected"], member("a")["role"], member("a")["term"]) == (True, "writer", "3")
    db.thaw("a")
    eventually(claims, "it claims, on an older term")
    db.sql("a", 20 * "INSERT INTO app.t VALUES (NULL);")
    eventually(lambda: int(member("a")["position"]) > int(member("b")["position"]) and claims(), "it still does, with more")
    equal((agent.cluster("orders")["writer"], holder.say("write")), (B, db.address("b")))
    db.kill("b")
    eventually(lambda: agent.cluster("orders")["state"] not in ("steady", "suspect"), "b is gone")
    equal((agent.cluster("orders")["writer"], agent.resolve(NAME) != [db.address("a")]), (B, True))
    db.start("b")
    steady("b", "4")


@test
def an_old_writer_that_is_built_anew_is_an_heir_again():
    db.kill("a")
    db.clone("a", "b")
    settled("a")
    db.switch("b", "a")
    steady("a", "5")
    db.follow("b", "a")
    settled("b")


@test
def W12_who_has_lost_its_record_of_transactions_is_no_heir():
    had = member("b")["position"]
    db.sql("b", "RESET BINARY LOGS AND GTIDS")
    db.sql("a", "INSERT INTO app.t VALUES (NULL)")
    # As it replicates still. Seen stopped at once, it might be one whose manager has cleared its record.
    eventually(lambda: 0 < member("b")["position"] < had, "the agent knows that it counts from there")
    db.kill("a")
    eventually(lambda: agent.cluster("orders")["state"] != "steady", "nobody claims")
    db.promote("b")
    eventually(lambda: member("b")["role"] == "writer", "it claims")
    agent.wait_state("orders", "ambiguous")
    equal(agent.cluster("orders")["writer"], A)
    agent.ok("accept", "orders", B)
    agent.wait_writer("orders", B)
    holder.end()


main()
