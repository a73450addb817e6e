#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`homingd --doctor` with real servers: what it finds, what it says has to be done, and how it ends."""
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from homing import BUILD, HOSTS, NOBODY, PLAIN, Agent, cluster_text, own_namespaces, pair, put_names  # noqa: E402
from mariadb import PASSWORD, MariaDB  # noqa: E402
from tap import AGAIN, cleanups, equal, main, test  # noqa: E402

own_namespaces("--mount", "--net")
PG = pair()
PG.init("other")
MY = MariaDB()
MY.init("a")
MY.clone("b", "a")
USER = "user=homing sslmode=disable"
MANY = [f"c{n}" for n in range(256)]
DNS = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # which never answers
DNS.bind((PG.net() + ".253", 53))
put_names(HOSTS + f"""{PG.address('a')} pg-a orders-db
{PG.address('b')} pg-b
{PG.address('a')} both
{PG.address('b')} both
{MY.address('a')} shop-db
""" + "".join(f"127.0.0.1 {name}-db\n" for name in MANY), resolv=f"nameserver {DNS.getsockname()[0]}\n")


class Seen:
    """What one run printed. `silent`: how many servers, and names of theirs, give no answer in time; None: whatever. If
    it is another number, the machine was too busy for a server of the test, and the run says nothing: it is repeated."""

    def __init__(self, clusters, before=(), silent=0):
        self.agent = Agent(clusters)
        for _ in range(AGAIN):
            done = subprocess.run([*before, os.path.join(BUILD, "homingd"), "--doctor", self.agent.config],
                                  capture_output=True, text=True, check=False)
            self.code, self.text, self.errors = done.returncode, done.stdout, done.stderr
            self.lines = done.stdout.splitlines()
            if silent is None or sum("PROBLEM" in line and " within 5 s" in line for line in self.lines) == silent:
                return

    def has(self, pattern):
        found = [line for line in self.lines if re.search(pattern, line)]
        assert found, f"no line has {pattern}:\n{self.text}{self.errors}"
        return found[0]

    def mend(self, pattern):
        """What the line below the one with the pattern says is to be done."""
        below = self.lines[self.lines.index(self.has(pattern)) + 1]
        assert below.startswith("           -> "), self.text
        return below.removeprefix("           -> ")

    def ends(self, problems, remarks):
        equal((self.lines[-1:], self.code), ([f"{problems} problem{'s' * (problems != 1)}, "
                                             f"{remarks} remark{'s' * (remarks != 1)}"], int(problems > 0)))


def postgres(*members, connection=USER, password="homing-test", name="orders", also=""):
    secret = PG.file("pw-" + name, password + "\n")
    return cluster_text(name, members, connection=connection, also=f"    password_file: {secret}\n{also}")


def mariadb(*members, connection="user=homing tls=off", password=PASSWORD, name="shop"):
    secret = MY.file("pw-" + name, password + "\n")
    return cluster_text(name, members, connection=connection, engine="mysql", also=f"    password_file: {secret}\n")


def has_left(client):
    poll = select.poll()
    poll.register(client, select.POLLRDHUP)
    return bool(poll.poll(0))


class Listener:
    """Does with each client what `treat` does, and then nothing until the client leaves. `most`: at once."""

    def __init__(self, treat=lambda client: None, address="127.0.0.1"):
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        self.at = f"127.0.0.1:{self.port}"
        self.treat, self.lock, self.here, self.most = treat, threading.Lock(), set(), 0
        threading.Thread(target=self.serve, daemon=True).start()
        cleanups.append(self.socket.close)

    def serve(self):
        try:
            while True:
                client = self.socket.accept()[0]
                threading.Thread(target=self.keep, args=[client], daemon=True).start()
        except OSError:
            pass

    def keep(self, client):
        with self.lock:
            self.here.add(client)
            # Who has hung up already is not here, even if his thread has not seen it yet.
            self.most = max(self.most, sum(not has_left(one) for one in self.here))
        try:
            self.treat(client)
            while client.recv(4096):
                pass
        except OSError:
            pass
        with self.lock:
            self.here.remove(client)
        client.close()


def forward(client):
    """To the server "a", as a virtual address does."""
    with socket.create_connection((PG.address("a"), int(PG.port()))) as server:
        def back():
            try:
                while data := server.recv(4096):
                    client.sendall(data)
            except OSError:
                pass  # the client has left
        threading.Thread(target=back, daemon=True).start()
        while data := client.recv(4096):
            server.sendall(data)


def accept_tls(client):
    client.recv(8)
    client.sendall(b"S")


def flood(client):
    """A login that never ends: notices."""
    client.recv(4096)
    client.sendall(b"R" + struct.pack("!II", 8, 0))
    notice = b"SNOTICE\0C00000\0M" + b"x" * 4000 + b"\0\0"
    while True:
        client.sendall(b"N" + struct.pack("!I", len(notice) + 4) + notice)


@test
def all_is_well_and_nothing_is_written():
    seen = Seen(postgres("pg-a:" + PG.port(), PG.member("b")) + mariadb(MY.member("a"), MY.member("b")))
    seen.has("ok .* pg-a:.* resolves to " + PG.address("a"))
    seen.has(rf"ok .* pg-a:\d+ at {PG.address('a')}: login works \(no TLS\); version \d+.*, writer, term 1, position 0/")
    seen.has("ok .*: login works .*, reader, position ")
    seen.has("ok .* all 2 that answered hold one data set")
    seen.has(f"ok .* one claims to be the writer: {MY.member('a')}")
    seen.has(rf"hint .* orders-db \(writer\) is in plain DNS: {PG.address('a')} \(pg-a:\d+, a writer\)")
    seen.ends(0, 0)
    equal(os.listdir(seen.agent.base), ["homing.yaml"])


@test
def an_ordinary_user_beside_a_running_agent_sees_the_same():
    cluster = cluster_text("orders", [PG.member("a"), PG.member("b")])
    agent = Agent(cluster).start()
    Seen(cluster, before=NOBODY).ends(0, 0)
    assert agent.answers()
    agent.stop()


@test
def what_is_wrong_with_the_configuration_itself_ends_with_2():
    seen = Seen(cluster_text("orders", ["a:1"]).replace("members:", "membres:"))
    equal((seen.code, seen.text), (2, ""))
    assert "homing.yaml:8:5: unknown key" in seen.errors, seen.errors
    done = subprocess.run([BUILD + "/homingd", "--doctor"], capture_output=True, text=True, check=False)
    equal(done.returncode, 2)


@test
def a_wrong_password_is_named_and_what_mends_it_does():
    seen = Seen(postgres(PG.member("a"), password="nonsense") + mariadb(MY.member("a"), password="nonsense"))
    line = 'PROBLEM .*: TCP works, login does not: password authentication failed for user "homing"'
    statement = re.search(r"ALTER ROLE \S+ LOGIN PASSWORD '...';", seen.mend(line))[0]
    seen.has("PROBLEM .*: TCP works, login does not: .*Access denied for user 'homing'@'")
    assert "password_file" in seen.mend("Access denied for user"), seen.text
    seen.ends(2, 0)
    PG.sql("a", statement.replace("...", "nonsense"))
    try:
        Seen(postgres(PG.member("a"), password="nonsense")).ends(0, 0)
    finally:
        PG.sql("a", "ALTER ROLE homing PASSWORD 'homing-test'")


@test
def a_missing_password_a_missing_role_and_a_missing_database_are_named():
    seen = Seen(cluster_text("orders", [PG.member("a")], connection=USER))
    assert "password_file" in seen.mend("PROBLEM .* no password supplied"), seen.text
    seen = Seen(postgres(PG.member("a"), connection="user=nobody_here sslmode=disable"))
    assert seen.mend('PROBLEM .*"nobody_here"').startswith("correct user in connection, or "), seen.text
    seen = Seen(postgres(PG.member("a"), connection=USER + " dbname=nowhere"))
    assert "dbname=" in seen.mend('PROBLEM .*: TCP works, .*database "nowhere" does not exist'), seen.text


@test
def a_role_that_may_not_come_in_is_let_in_by_the_statement_that_is_printed():
    cluster = postgres(PG.member("a"))
    for spoiled in ("NOLOGIN", "CONNECTION LIMIT 0"):
        PG.sql("a", "ALTER ROLE homing " + spoiled)
        try:
            PG.sql("a", Seen(cluster).mend('PROBLEM .*role "homing"').removeprefix("on the writer: "))
            Seen(cluster).ends(0, 0)
        finally:
            PG.sql("a", "ALTER ROLE homing LOGIN CONNECTION LIMIT -1")


@test
def the_grant_that_is_missing_is_printed_as_it_has_to_be_run_on_PostgreSQL():
    cluster = postgres(PG.member("a"), PG.member("b"))
    PG.sql("a", "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    try:
        PG.wait("b", "SELECT NOT has_function_privilege('homing', 'pg_control_system()', 'EXECUTE')")
        seen = Seen(cluster)
        seen.ends(2, 0)
        seen.has("PROBLEM .* no identity. In database postgres; as an administrator, on the writer:$")
        PG.sql("a", seen.mend("PROBLEM .* no identity"))
        PG.wait("b", "SELECT has_function_privilege('homing', 'pg_control_system()', 'EXECUTE')")
        Seen(cluster).ends(0, 0)
    finally:
        PG.sql("a", "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM homing")
        PG.sql("a", "GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")


@test
def the_grant_that_is_missing_is_printed_as_it_has_to_be_run_on_MariaDB():
    cluster = mariadb(MY.member("a"), MY.member("b"))
    MY.sql("a", "REVOKE SLAVE MONITOR ON *.* FROM homing")
    MY.catch_up("b", "a")
    seen = Seen(cluster)
    seen.ends(2, 0)
    MY.sql("a", seen.mend("PROBLEM .*: login works, but a privilege is missing; as an administrator, on the writer:$"))
    MY.catch_up("b", "a")
    Seen(cluster).ends(0, 0)


@test
def a_wrong_port_and_another_engine_behind_it_are_named():
    seen = Seen(postgres("127.0.0.1:1", MY.member("a")) + mariadb("127.0.0.1:1", PG.member("a")), silent=1)
    seen.has("PROBLEM .* 127.0.0.1:1: no TCP connection: Connection refused")
    assert "listens" in seen.mend("no TCP connection: .*Connection refused"), seen.text
    assert "something else listens" in seen.mend(f"PROBLEM .* {MY.member('a')}: TCP works, TLS or login does not: "), seen.text
    assert "no mysql is at this port" in seen.mend(f"PROBLEM .* {PG.member('a')}: TCP works, but no login within 5 s"), seen.text
    seen.ends(4, 0)


@test
def a_REST_API_that_is_not_there_is_named_by_its_own_port():
    address, port = PG.member("a").rsplit(":", 1)
    member = address + ":1"  # nobody asks there
    for rest, what in ("2", "no TCP connection: REST API, port 2: cannot connect: Connection refused"), (
            port, f"TCP works, TLS or login does not: REST API, port {port}: the server has closed the connection without an answer"):
        seen = Seen(cluster_text("orders", [member], connection="rest_port=" + rest, engine="patroni"))
        assert "rest_port" in seen.mend(f"PROBLEM .* {member}: {what}"), seen.text


@test
def a_server_without_the_TLS_that_is_required_is_named():
    seen = Seen(postgres(PG.member("a"), connection="user=homing sslmode=require") + mariadb(MY.member("a"), connection=""))
    assert "ssl = on" in seen.mend("PROBLEM .* server does not support SSL"), seen.text
    assert "ssl_cert" in seen.mend("PROBLEM .*: TCP works, .*the server offers no TLS"), seen.text
    seen.ends(2, 0)


@test
def two_data_sets_and_two_writers_are_named():
    seen = Seen(postgres(PG.member("a"), PG.member("b"), PG.member("other")))
    seen.has(f"PROBLEM .* {PG.member('other')} holds another data set than {PG.member('a')} ")
    seen.has(rf"PROBLEM .* 2 claim to be the writer: {PG.member('a')} \(term 1\), {PG.member('other')} \(term 1\)")
    seen.ends(2, 0)


@test
def a_cluster_without_its_writer_is_a_problem():
    seen = Seen(postgres(PG.member("b")))
    seen.has("PROBLEM .* none of the 1 that answered claims to be the writer")
    seen.ends(1, 0)


@test
def one_server_under_two_names_and_one_name_of_two_servers_are_problems():
    seen = Seen(postgres(PG.member("a"), Listener(forward).at))
    seen.has(f"PROBLEM .* {PG.member('a')} and 127.0.0.1:.* are one server under two names")
    seen.ends(1, 0)
    seen = Seen(postgres("both:" + PG.port()))
    seen.has("PROBLEM .* both:.* leads to different servers")
    seen.ends(1, 0)


@test
def an_address_outside_of_allowed_networks_is_named_and_not_connected_to():
    listener = Listener()
    seen = Seen(postgres(f"localhost:{listener.port}", PG.member("a"), also=f"    allowed_networks: [{PG.net()}.0/24]\n"))
    seen.has("PROBLEM .* localhost:.*: 127.0.0.1 is outside of allowed_networks")
    equal((listener.most, seen.code), (0, 1))


@test
def servers_that_hang_or_lie_are_named_and_keep_nobody_for_ever():
    cases = {Listener().at: "TCP works, but no login within 5 s", Listener(flood).at: "TCP works, but no login within 5 s",
             Listener(lambda client: client.sendall(b"HTTP/1.1 400\r\n\r\n")).at: "TCP works, TLS or login does not: "}
    PG.freeze("a")
    try:
        cases[PG.member("a")] = "TCP works, but no login within 5 s"
        seen = Seen(postgres(*cases, "no-such-name:1") +
                    postgres(Listener(accept_tls).at, name="tls", connection="user=homing sslmode=require") +
                    mariadb(Listener().at), silent=None)
    finally:
        PG.thaw("a")
    for at, what in cases.items():
        seen.has(f"PROBLEM .* {at}: {what}")
    seen.has("PROBLEM .* no-such-name:1: DNS does not answer within 5 s")
    seen.has("PROBLEM .*: TCP works, but no TLS within 5 s")
    assert "no mysql is at this port" in seen.text, seen.text
    seen.ends(7, 0)


@test
def at_most_eight_are_logged_in_to_at_once():
    listener = Listener(address="0.0.0.0")
    seen = Seen(postgres(*[f"127.0.0.{n}:{listener.port}" for n in range(1, 25)]), silent=None)
    seen.ends(24, 0)
    equal(listener.most, 8)


@test
def two_hundred_and_fifty_six_clusters_come_in_their_order():
    members = [PG.member("a"), PG.member("b")]
    seen = Seen("".join(cluster_text(name, members) for name in MANY), silent=None)
    equal([line.split()[1] for line in seen.lines if line.startswith("cluster ")], MANY)
    seen.has(r"^\d+ problems?, 0 remarks$")


main()
