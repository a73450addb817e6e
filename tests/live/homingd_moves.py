#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""W11 with real servers, each host in a network namespace of its own: a member that is known by name goes silent or
stops, the same data set comes up on another host, and DNS names that. Programs follow, and those that hung on the old
host are severed. What only looks like the member moves nobody. How soon: tests/bench/moves.py.
"""
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, Agent, Holder, cluster_text, directory, protected  # noqa: E402
from moving import HOSTS, MEMBER, NAME, PORT, READER, READERS, Host, Stage, Worker, clients  # noqa: E402
from tap import cleanups, equal, eventually, main, test  # noqa: E402
from net import HERE as HERE_ADDRESS  # noqa: E402

stage = Stage()
net, dns, agent, writer, pg, settled, moves = (
    stage.net, stage.dns, stage.agent, stage.writer, stage.pg, stage.settled, stage.moves)
ROOT, CLIENTS, ORDERS = stage.root, clients(), stage.clusters


def stays(reason):
    """The one claim of another address is called out, and moves nobody."""
    before = len(moves())
    eventually(lambda: agent.cluster("orders")["state"] == "ambiguous" and agent.cluster("orders")["reason"] == reason,
               "ambiguous because of " + reason)
    time_over = time.monotonic() + 3
    while time.monotonic() < time_over:
        equal(len(moves()), before)
        equal(agent.resolve(NAME)[0], writer.at)


def follows(goes, at, ttl):
    """Programs follow a move of the writer, and go on."""
    dns.point(MEMBER, writer.at, ttl)
    settled()
    time.sleep(1.1)  # nobody asked a name server that would still know the old TTL
    running = [protected(agent, Worker(*client, agent).writes()) for client in CLIENTS]
    old = writer.at
    stage.carry(goes, at)
    dns_ms = stage.name(at, ttl)
    equal(agent.resolve(NAME), [at])
    for one in running:
        eventually(lambda: one.first_ok(dns_ms), one.name + " writes again")
        eventually(lambda: one.last_end(dns_ms), one.name + ": nothing hangs that began before")
    settled()
    equal(moves()[-1]["from"].split()[-1], old)
    equal(moves()[-1]["to"].split()[-1], at)
    for one in running:
        equal(one.process.poll(), None)
        one.end()
    net.mend(old)
    return old


@test
def a_silent_member_that_comes_up_elsewhere_is_followed_and_nobody_hangs():
    follows(writer.goes_silent, HOSTS[2], 1)
    assert eventually(lambda: agent.log("severed"), "connections to the silent host were severed")


@test
def a_silent_member_whose_name_has_a_long_ttl_is_followed_as_soon():
    follows(writer.goes_silent, HOSTS[3], 60)


@test
def a_stopped_member_is_followed():
    follows(writer.stops, HOSTS[2], 60)


@test
def left_addresses_are_on_disk():
    with open(os.path.join(agent.base, "state", next(f for f in os.listdir(agent.base + "/state") if "orders" in f))) as saved:
        assert "\nleft %s:%s " % (MEMBER, PORT) in saved.read()


def copied(data, host, also):
    """A copy of the writer's data as of now, on another host; not started."""
    with open("%s/%s.address" % (ROOT, data), "w") as out:
        out.write(host + "\n")
    open("%s/%s.log" % (ROOT, data), "w").close()
    shutil.chown("%s/%s.log" % (ROOT, data), "postgres")
    pg(host, "copy", data, "a")
    os.unlink("%s/%s/standby.signal" % (ROOT, data))
    for name, text in also.items():
        with open("%s/%s/%s" % (ROOT, data, name), "a") as out:
            out.write(text)
        shutil.chown("%s/%s/%s" % (ROOT, data, name), "postgres")


def dialled(address):
    """Where a program lands that means NAME by members' addresses, and has this one from elsewhere."""
    done = subprocess.run([os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--assume", NAME, "--",
                           "psql", "-XAtq", "-c", "SELECT host(inet_server_addr())",
                           "hostaddr=%s port=%s user=app dbname=postgres sslmode=disable connect_timeout=10" % (address, PORT)],
                          capture_output=True, text=True)
    return done.stdout.strip() or done.stderr


def report_at(address):
    for place in agent.member("orders", MEMBER + ":" + PORT)["places"]:
        if place["place"] == address + ":" + PORT and place["kind"] == "left":
            return place["report"]
    return "not asked"


@test
def a_left_address_is_assumed_while_its_data_set_is_there_and_not_when_it_is_another_databases():
    left = HOSTS[3]
    pg(writer.at, "sql", "a", "CREATE ROLE app LOGIN")
    copied("w", left, {})
    open(ROOT + "/spare.address", "w").close()  # as pg.sh deals hosts out, the next one is not the left one
    pg(HOSTS[4], "init", "x")
    other = Host(stage, "x")
    equal(other.at, HOSTS[4])
    pg(other.at, "sql", "x", "CREATE ROLE app LOGIN")
    other.stops()
    with open(ROOT + "/x/pg_hba.conf", "w") as out:
        out.write("host all app samenet trust\n")  # whose administrator never heard of this agent
    pg(left, "start", "w")
    eventually(lambda: report_at(left) == "answer", "the old data set answers at the left address")
    eventually(lambda: dialled(left) == writer.at, "what is dialled there leads to the writer")
    pg(left, "kill", "w")
    other.comes_up(left)
    eventually(lambda: report_at(left) == "denied", "somebody else is, and does not let the agent in")
    equal(dialled(left), left)
    equal(dialled(writer.at), writer.at)
    settled()
    pg(left, "kill", "x")
    for data in ("w", "x", "spare"):
        os.unlink("%s/%s.address" % (ROOT, data))


def is_not_followed(data, host, reason):
    """While the writer is silent, DNS names `host`, where `data` runs."""
    pg(writer.at, "sql", "a", "INSERT INTO writes VALUES ('after the copy'); CHECKPOINT")
    settled()
    written = int(pg(writer.at, "sql", "a", "SELECT pg_current_wal_flush_lsn() - '0/0'"))
    eventually(lambda: agent.member("orders", MEMBER + ":" + PORT)["position"] >= written, "the full question has seen that")
    writer.goes_silent()
    agent.wait_state("orders", "suspect")
    pg(host, "start", data)
    dns.point(MEMBER, host)
    stays(reason)
    dns.point(MEMBER, writer.at)
    net.mend(writer.at)
    settled()
    pg(host, "kill", data)


@test
def a_restored_snapshot_moves_nobody():
    copied("s", HOSTS[5], {})
    is_not_followed("s", HOSTS[5], "behind")


@test
def a_clone_as_of_an_earlier_time_moves_nobody():
    copied("t", HOSTS[6], {"recovery.signal": "", "postgresql.auto.conf":
                           "restore_command = 'false'\nrecovery_target = 'immediate'\nrecovery_target_action = 'promote'\n"})
    is_not_followed("t", HOSTS[6], "behind")


@test
def a_reused_address_with_another_data_set_moves_nobody():
    os.environ["PG_NET"] = "10.77.0"
    n = len([f for f in os.listdir(ROOT) if f.endswith(".address")])
    host = HOSTS[n]  # as pg.sh deals them out
    pg(host, "init", "u")
    pg(host, "kill", "u")
    is_not_followed("u", host, "other_identity")


@test
def a_name_that_is_spoofed_while_the_member_answers_moves_nobody():
    before = len(moves())
    copied("v", HOSTS[5], {})
    pg(HOSTS[5], "start", "v")
    dns.point(MEMBER, HOSTS[5])
    over = time.monotonic() + 5
    while time.monotonic() < over:
        now = agent.cluster("orders")  # "suspect": this machine is busy
        assert (now["writer"], now["rival"]) == (MEMBER + ":" + PORT, None) and now["state"] in ("steady", "suspect"), now
    dns.point(MEMBER, writer.at)
    equal(len(moves()), before)
    pg(HOSTS[5], "kill", "v")


class Liar:
    """Whoever DNS names: it asks each client for the password in clear, and keeps what it gets."""

    def __init__(self):
        self.socket, self.asked, self.got = socket.create_server((HERE_ADDRESS, int(PORT))), 0, b""
        threading.Thread(target=self.serve, daemon=True).start()
        cleanups.append(self.socket.close)

    def serve(self):
        while True:
            client = self.socket.accept()[0]
            client.recv(1000)
            client.sendall(b"R" + struct.pack("!II", 8, 3))
            self.got += client.recv(1000)
            client.close()
            self.asked += 1


@test
def no_password_goes_in_clear_to_an_address_that_only_dns_vouches_for():
    secret = os.path.join(directory(), "pw")
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
        out.write("homing-test\n")
    dns.point("pw.test", writer.at)
    other = Agent(cluster_text("secret", ["pw.test"], "secret-db.test", None, "user=homing dbname=postgres sslmode=disable",
                               "    password_file: %s\n" % secret))
    other.start()
    other.wait_writer("secret", "pw.test:" + PORT)
    liar = Liar()
    writer.goes_silent()
    other.wait_state("secret", "suspect")
    dns.point("pw.test", HERE_ADDRESS)
    eventually(lambda: liar.asked, "the liar is asked")
    equal(liar.got, b"")
    eventually(lambda: "no password is sent to a new address without TLS and SCRAM" in other.ctl("status").stdout,
               "why the new address is denied, and what to do")
    net.mend(writer.at)
    other.stop()
    settled()


@test
def a_name_that_flips_back_and_forth_moves_once():
    before, old, new = len(moves()), writer.at, HOSTS[4]
    writer.goes_silent()
    agent.wait_state("orders", "suspect")
    writer.comes_up(new)
    for n in range(16):
        dns.point(MEMBER, (new, old)[n % 2])
        time.sleep(0.7)
    dns.point(MEMBER, new)
    settled()
    equal(len(moves()), before + 1)
    equal(agent.resolve(NAME), [new])
    net.mend(old)


def stays_suspect():
    """The writer is silent, and nothing that DNS names is taken for it."""
    before, asked = len(moves()), dns.asked(MEMBER)
    writer.goes_silent()
    eventually(lambda: dns.asked(MEMBER) > asked + 12, "its name was asked again and again")
    equal([agent.cluster("orders")["state"], len(moves()), *agent.resolve(NAME)], ["suspect", before, writer.at])
    net.mend(writer.at)


@test
def two_members_that_swap_addresses_do_not_move():
    reader = Host(stage, "b")
    before, asked = len(moves()), [dns.asked(name) for name in (MEMBER, READER)]
    dns.point(MEMBER, reader.at)
    dns.point(READER, writer.at)
    eventually(lambda: all(dns.asked(name) > count + 2 for name, count in zip((MEMBER, READER), asked)), "both names were asked")
    settled()
    equal([len(moves()), *agent.resolve(NAME), *agent.resolve(READERS)], [before, writer.at, reader.at])
    stays_suspect()
    dns.point(MEMBER, writer.at)
    dns.point(READER, reader.at)
    settled()


@test
def an_address_of_another_cluster_is_no_place_to_move_to():
    """Though what runs there is a copy of the writer's own data that lacks nothing."""
    elsewhere = HOSTS[5]
    copied("y", elsewhere, {})
    pg(elsewhere, "start", "y")
    agent.write(ORDERS + cluster_text("spare", [elsewhere], "spare-db.test"))
    agent.ok("reload")
    agent.wait_writer("spare", elsewhere + ":" + PORT)
    settled()
    dns.point(MEMBER, elsewhere)
    stays_suspect()
    dns.point(MEMBER, writer.at)
    settled()
    agent.write(ORDERS)
    agent.ok("reload")
    pg(elsewhere, "kill", "y")


@test
def a_reader_that_moves_is_found_too():
    reader = Host(stage, "b")
    reader.goes_silent()
    eventually(lambda: agent.member("orders", READER + ":" + PORT)["report"] != "answer", "the reader is silent")
    old = reader.comes_up(HOSTS[7])
    dns.point(READER, HOSTS[7])
    eventually(lambda: agent.resolve(READERS) == [HOSTS[7]], "the reader's new address")
    equal(agent.log("member_moved")[-1]["to"].split()[-1], HOSTS[7])
    net.mend(old)


def sessions(holders):
    """What `connections` says of the programs' connections: by process, whether it is outdated."""
    rows = agent.json("connections")["connections"]
    return {row["pid"]: row["outdated"] for row in rows
            if row["member"] == MEMBER + ":" + PORT and row["endpoint"] == NAME and row["pid"] in holders}


@test
def an_address_that_DNS_names_no_more_stays_the_members_while_it_answers_there():
    known, before = writer.at, len(moves())
    early = Holder(NAME, PORT, agent)
    dns.point(MEMBER, HOSTS[8])
    asked = dns.asked(MEMBER)
    eventually(lambda: dns.asked(MEMBER) > asked + 2, "the agent has heard of the other address more than once")
    late = Holder(NAME, PORT, agent)
    equal([early.first, early.ask(), late.first, *agent.resolve(NAME)], [known] * 4)
    pids = {one.process.pid: False for one in (early, late)}
    eventually(lambda: sessions(pids) == pids, "both are connected to the member, and to the right one")
    # Its successor is promoted, and it lives on: what is connected to the address that only the agent knows is severed.
    pg(known, "sql", "a", "ALTER SYSTEM SET default_transaction_read_only = on")
    pg(known, "sql", "a", "SELECT pg_reload_conf()")
    pg(Host(stage, "b").at, "promote", "b")
    agent.wait_writer("orders", READER + ":" + PORT)
    for one in (early, late):
        eventually(lambda: one.ask().split()[:2] == ["anew", Host(stage, "b").at],
                   "it is severed, and comes back to the new writer")
    equal([len(moves()), agent.member("orders", MEMBER + ":" + PORT)["report"]], [before, "answer"])


main()
