#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every kind of bad member at once, beside a good one: each says what is wrong in status, in the
server's own words, and disturbs nobody."""
import os
import re
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import Agent, Servers, cluster_text, directory  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402

pg = Servers()
pg.init("a")
A = pg.member("a")

unbound = socket.socket()
unbound.bind(("127.0.0.1", 0))
REFUSED = "127.0.0.1:%d" % unbound.getsockname()[1]

silent = socket.socket()
silent.bind(("127.0.0.1", 0))
silent.listen(64)
SILENT = "127.0.0.1:%d" % silent.getsockname()[1]

garbage = socket.socket()
garbage.bind(("127.0.0.1", 0))
garbage.listen(64)
GARBAGE = "127.0.0.1:%d" % garbage.getsockname()[1]


def talk_garbage():
    while True:
        client, _ = garbage.accept()
        try:
            client.sendall(b"SSH-2.0-\x1b[31mnot a database\x07\r\n")
            client.close()
        except OSError:
            pass


threading.Thread(target=talk_garbage, daemon=True).start()

giant = socket.socket()
giant.bind(("127.0.0.1", 0))
giant.listen(64)
GIANT = "127.0.0.1:%d" % giant.getsockname()[1]
# Logged in; then one row of 1 GB, which is never sent to its end.
GIGABYTE = (b"R" + struct.pack("!II", 8, 0) + b"Z" + struct.pack("!I", 5) + b"I",
            b"T" + struct.pack("!IH", 26, 1) + b"c\0" + bytes(18) + b"D" + struct.pack("!IHI", 10**9, 1, 10**9 - 10))


def talk_without_end():
    while True:
        client, _ = giant.accept()
        try:
            for part in GIGABYTE:
                client.recv(4096)
                client.sendall(part)
            while True:
                client.sendall(bytes(1 << 20))
        except OSError:
            client.close()


threading.Thread(target=talk_without_end, daemon=True).start()

secrets = directory()
WRONG = os.path.join(secrets, "wrong.pw")
with open(WRONG, "w") as out:
    out.write("not the password\n")
os.chmod(WRONG, 0o600)

agent = Agent(
    cluster_text("good", [A])
    + cluster_text("mixed", [REFUSED, A, SILENT, GARBAGE, "no-such-host.invalid"])
    + cluster_text("password", [A], connection="user=homing dbname=postgres sslmode=disable",
                   also="    password_file: %s\n" % WRONG)
    + cluster_text("giant", [GIANT])
    + cluster_text("tls", [A], connection="user=postgres dbname=postgres sslmode=require")
    + cluster_text("nobase", [A], connection="user=postgres dbname=no_such_base sslmode=disable"))


def error(name, member):
    return agent.member(name, member)["error"] or ""


@test
def the_good_cluster_is_steady():
    agent.start()
    agent.wait_writer("good", A)
    equal(agent.resolve("good-db"), [pg.address("a")])


@test
def the_one_good_member_among_bad_ones_is_the_writer():
    agent.wait_writer("mixed", A)
    equal(agent.resolve("mixed-db"), [pg.address("a")])


@test
def each_bad_member_says_what_is_wrong():
    eventually(lambda: "refused" in error("mixed", REFUSED), "connection refused")
    eventually(lambda: error("mixed", SILENT), "the silent one")
    eventually(lambda: error("mixed", GARBAGE), "the one that is no PostgreSQL")
    eventually(lambda: error("mixed", "no-such-host.invalid:5432"), "the unknown host")


@test
def a_bad_member_beside_a_good_writer_is_not_well_and_is_logged_once():
    """Though the cluster is steady: the next failover would have nowhere to go."""
    def warned():
        return {w["member"]: w["text"] for w in agent.cluster("mixed")["warnings"]}
    unheard = {REFUSED, SILENT, GARBAGE, "no-such-host.invalid:5432"}
    eventually(lambda: set(warned()) == unheard, "a warning for each")
    assert "refused" in warned()[REFUSED] and "host and port" in warned()[REFUSED], warned()
    assert "may reach it" in warned()[SILENT], warned()
    assert "correct connection" in warned()[GARBAGE], warned()
    agent.wait_state("mixed", "steady")
    status = agent.ctl("status", "mixed")
    equal(status.returncode, 1)
    assert "WARNING member_unreachable: " + REFUSED in status.stdout, status.stdout
    logged = [line["member"] for line in agent.log("warning_raised") if line["cluster"] == "mixed"]
    equal(sorted(logged), sorted(unheard))
    equal(agent.cluster("good")["warnings"], [])
    eventually(lambda: agent.ctl("status", "good").returncode == 0, "the good cluster is well")


@test
def a_wrong_password_is_an_alarm_with_the_servers_words():
    eventually(lambda: "password authentication failed" in error("password", A), "its words")
    alarms = {a["alarm"]: a for a in agent.cluster("password")["alarms"]}
    equal(alarms["denied"]["text"],
          "credentials refused by %s: correct connection or password_file, then reload" % A)
    equal(alarms["denied"]["command"], "homingctl reload")


@test
def a_right_password_is_tried_at_a_reload():
    with open(WRONG, "w") as out:
        out.write("homing-test\n")
    agent.ok("reload")
    agent.wait_writer("password", A)


@test
def a_password_that_became_unreadable_is_not_well_until_it_is_back():
    def warned():
        return [w["warning"] for w in agent.cluster("password")["warnings"]]
    os.rename(WRONG, WRONG + ".away")
    eventually(lambda: warned() == ["password_unreadable"], "a warning")
    equal(agent.ctl("status", "password").returncode, 1)
    assert "does not exist" in agent.ctl("status", "password").stdout
    os.rename(WRONG + ".away", WRONG)
    eventually(lambda: warned() == [], "it is over")
    equal(agent.ctl("status", "password").returncode, 0)
    equal([(line["event"], line["warning"]) for event in ("warning_raised", "warning_cleared")
           for line in agent.log(event) if line["cluster"] == "password"],
          [("warning_raised", "password_unreadable"), ("warning_cleared", "password_unreadable")])


@test
def a_tls_mismatch_and_a_missing_database_have_the_servers_words_too():
    eventually(lambda: "SSL" in error("tls", A), "no SSL")
    eventually(lambda: "no_such_base" in error("nobase", A), "no such database")
    equal(agent.resolve("tls-db"), None)


@test
def a_member_that_announces_a_gigabyte_costs_a_connection_and_no_memory():
    eventually(lambda: agent.member("giant", GIANT)["report"] == "odd" and error("giant", GIANT), "it is odd")
    with open("/proc/%d/status" % agent.process.pid) as status:
        sizes = {key: int(value) for key, value in re.findall(r"^(VmHWM|VmSize):\s+(\d+) kB", status.read(), re.M)}
    # A sanitizer reserves terabytes.
    assert sizes["VmHWM"] < 64_000 or sizes["VmSize"] > 1 << 30, sizes


@test
def what_a_server_says_cannot_reach_the_terminal_as_control_characters():
    text = agent.ctl("status").stdout
    assert not [c for c in text if ord(c) < 32 and c != "\n" or ord(c) == 127], text


@test
def a_server_listed_twice_is_one_server():
    first, second = pg.address("a"), pg.address("a")[:-1] + "9"
    pg.sql("a", "ALTER SYSTEM SET listen_addresses = '%s, %s'" % (first, second))
    pg.restart("a")
    twin = "%s:%s" % (second, pg.port())
    agent.write(cluster_text("good", [A]) + cluster_text("twice", [A, twin]))
    agent.ok("reload")
    agent.wait_writer("twice", A)
    eventually(lambda: agent.member("twice", twin)["alias_of"] == A, "the twin is known as one")
    equal(agent.cluster("twice")["alarms"], [])


main()
