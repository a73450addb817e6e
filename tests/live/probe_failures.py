#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the probe reports of servers that do not answer as they should, each in its own words."""

import os
import queue
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from homing import Servers  # noqa: E402
from tap import PATIENCE, equal, main, test  # noqa: E402
from probe import Probe, field  # noqa: E402

USER = "user=homing sslmode=disable"
PG = Servers()
PG.init("a")
PG.clone("b", "a")
PG.init("full", "max_connections = 12", "max_wal_senders = 0", "wal_level = minimal")


class Listener:
    """A TCP server on a loopback address of its own that treats every client alike."""

    def __init__(self, treat):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.at = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.clients, self.treat = [], treat
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                client = self.socket.accept()[0]
                self.clients.append(client)
                self.treat(client)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for client in self.clients:
            client.close()


def password(text="homing-test"):
    return PG.file("pw", text + "\n")


def good_beside(probe):
    """Member 1 is a healthy server: what member 0 does must not touch it."""
    probe.wait(r"report 1 answer writer term=1 ")


@test
def a_wrong_password_is_denied_once_and_the_member_left_alone():
    before = PG.sql("a", "SELECT count(*) FROM pg_stat_activity")
    wrong = "user=homing sslmode=disable password=nonsense"
    with Probe(wrong, [PG.member("a")], options=["-a"]) as probe:
        probe.wait(r'report 0 denied text=password authentication failed for user "homing"$')
        probe.say("ask 1")
        assert probe.during(1.5) == [], probe.seen
    assert before == PG.sql("a", "SELECT count(*) FROM pg_stat_activity")


@test
def a_missing_password_is_denied():
    with Probe(USER, [PG.member("a")]) as probe:
        probe.wait("report 0 denied text=fe_sendauth: no password supplied")


@test
def an_unknown_role_is_denied():
    with Probe("user=nobody_here sslmode=disable", [PG.member("a")]) as probe:
        probe.wait('report 0 denied text=role "nobody_here" does not exist')


@test
def an_unknown_database_is_odd():
    with Probe(USER + " dbname=nowhere", [PG.member("a"), PG.member("a")], password()) as probe:
        probe.wait('report 0 odd text=database "nowhere" does not exist')


@test
def an_unknown_host_is_refused():
    with Probe(USER, ["no-such-host.invalid:5432", PG.member("a")], password()) as probe:
        probe.wait("report 0 refused text=cannot resolve no-such-host.invalid: ")
        good_beside(probe)


@test
def a_closed_port_is_refused():
    with Probe(USER, ["127.0.0.1:1", PG.member("a")], password()) as probe:
        probe.wait("report 0 refused text=Connection refused$")
        good_beside(probe)


@test
def a_silent_listener_times_out():
    with Listener(lambda client: None) as silent:
        with Probe(USER, [silent.at, PG.member("a")], password()) as probe:
            good_beside(probe)
            probe.wait("report 0 timeout text=connected, but no login within 1000 ms: it hangs, or no postgresql is at this port$")


@test
def a_listener_that_hangs_up_is_refused():
    with Listener(lambda client: client.close()) as rude:
        with Probe(USER, [rude.at, PG.member("a")], password()) as probe:
            probe.wait("report 0 refused text=(server closed|could not|Connection reset)")
            good_beside(probe)


@test
def garbage_is_odd_and_is_not_asked_often():
    def speak(client):
        client.recv(4096)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    for mode in ("disable", "prefer"):
        with Listener(speak) as http:
            begun = time.monotonic()
            with Probe(f"user=homing sslmode={mode}", [http.at, PG.member("a")], password()) as probe:
                probe.wait("report 0 odd text=.*received.* H")
                good_beside(probe)
                probe.during(2)
                asked, seconds = len(http.clients), time.monotonic() - begun
                assert asked <= 1 + seconds, (asked, seconds)


def memory(probe, what):
    with open(f"/proc/{probe.process.pid}/status", encoding="ascii") as status:
        return int(re.search(what + r":\s+(\d+) kB", status.read())[1])


def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


LOGGED_IN = message(b"R", bytes(4)) + message(b"Z", b"I")
NAME = b"x" * 60


@test
def a_server_that_answers_without_end_is_odd_and_costs_no_memory():
    row = message(b"D", struct.pack("!HI", 1, 1000) + bytes(1000)) * 64
    floods = {
        "rows": LOGGED_IN + message(b"T", struct.pack("!H", 1) + b"c\0" + bytes(18)) + row,
        "parameters": b"".join(message(b"S", NAME + b"%d\0y\0" % i) for i in range(64)),
        "notices": LOGGED_IN + message(b"N", b"SNOTICE\0M" + b"x" * 900 + b"\0\0") * 64,
    }
    for name, flood in floods.items():
        def drown(client, flood=flood):
            client.recv(4096)
            client.sendall(flood[:len(LOGGED_IN)])
            while True:
                client.sendall(flood[len(LOGGED_IN):])

        with Listener(drown) as sea:
            with Probe("user=homing sslmode=disable", [sea.at, PG.member("a")], password()) as probe:
                probe.wait("report 0 (odd|timeout) text=")  # a slow flood is only silence
                good_beside(probe)
                peak = memory(probe, "VmHWM")
                # A sanitizer reserves terabytes, and keeps what was freed.
                assert peak < 64_000 or memory(probe, "VmSize") > 1 << 30, f"{name}: {peak} kB"


@test
def tls_that_the_server_lacks_is_odd():
    with Probe("user=homing sslmode=require", [PG.member("a")], password()) as probe:
        probe.wait("report 0 odd text=server does not support SSL, but SSL was required$")


@test
def a_bad_connection_keyword_is_odd():
    with Probe("user=homing sslmode=maybe", [PG.member("a")], password()) as probe:
        probe.wait('report 0 odd text=invalid sslmode value: "maybe"')


@test
def a_password_file_that_is_gone_is_odd():
    with Probe(USER, [PG.member("a")], "/nonexistent/pw") as probe:
        probe.wait("report 0 odd text=password_file /nonexistent/pw does not exist; create it, or correct the path")


@test
def a_password_file_that_others_can_read_is_odd():
    path = password()
    os.chmod(path, 0o644)
    with Probe(USER, [PG.member("a")], path) as probe:
        probe.wait("report 0 odd text=password_file " + path + " can be read or changed by others; run chmod o-rwx on it")


@test
def a_full_server_is_refused_and_not_asked_often():
    room = PG.sql("full", "SHOW max_connections")
    conninfo = PG.conninfo("full").replace("user=postgres", "user=homing")
    env = dict(os.environ, PGPASSWORD="homing-test")
    guests = [subprocess.Popen(["psql", "-XAtq", conninfo], env=env, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
              for _ in range(int(room) - 3)]  # 3 are kept for superusers
    try:
        for guest in guests:
            guest.stdin.write("SELECT 1;\n")
            guest.stdin.flush()
            guest.stdout.readline()
        with Probe(USER, [PG.member("full")], password(), ["-a"]) as probe:
            probe.wait("report 0 refused text=(remaining connection slots|sorry, too many clients)")
            more = [line for line in probe.during(2) if "refused" in line]
            assert len(more) <= 3, more
            guests.pop().communicate()
            probe.wait("report 0 answer writer")
    finally:
        for guest in guests:
            guest.communicate()


@test
def a_server_that_is_starting_up_is_refused_in_its_words_and_then_answers():
    # Recovery waits for WAL that never comes, and readers are not let in.
    PG("stop", "b")
    PG("start_hidden", "b")
    with Probe(USER, [PG.member("b"), PG.member("a")], password()) as probe:
        probe.wait("report 0 refused text=the database system is (starting up|not accepting connections)")
        good_beside(probe)
        PG("stop", "b")
        PG("start", "b")
        probe.wait("report 0 answer reader")


@test
def an_identity_that_may_not_be_read_is_zero_and_said_so():
    PG.sql("a", "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    try:
        with Probe(USER, [PG.member("a")], password()) as probe:
            line = probe.wait("report 0 answer writer term=1 identity=0 ")
            assert "note=homing's role may not execute pg_control_system()" in line, line
            assert field(line, "incarnation") != "0", line
            assert "text=" not in line, line
    finally:
        PG.sql("a", "GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")


@test
def the_same_server_twice_is_one_incarnation():
    with Probe(USER, [PG.member("a"), PG.member("a")], password()) as probe:
        said = [probe.wait(f"report {i} answer writer") for i in (0, 1)]
        assert len({field(line, "incarnation") for line in said}) == 1, said
        assert len({field(line, "identity") for line in said}) == 1, said


@test
def another_data_set_has_another_identity():
    with Probe(USER, [PG.member("a"), PG.member("full")], password()) as probe:
        said = [probe.wait(f"report {i} answer writer") for i in (0, 1)]
        assert len({field(line, "identity") for line in said}) == 2, said


@test
def the_environment_of_libpq_is_ignored():
    env = {"PGHOST": "127.0.0.1", "PGUSER": "nobody_here", "PGOPTIONS": "-c nonsense=1",
           "PGPASSWORD": "nonsense", "PGSSLMODE": "require", "PGSERVICE": "nonsense"}
    with Probe("user=homing", [PG.member("a")], password(), env=env) as probe:
        probe.wait("report 0 answer writer")


def message(kind, body):
    return kind + struct.pack(">I", len(body) + 4) + body


def message_of(client):
    """The body of the next message, after its kind, if it has one."""
    return client.recv(struct.unpack(">I", client.recv(4, socket.MSG_WAITALL))[0] - 4, socket.MSG_WAITALL)


def wants_rounds(client):
    """Begins SCRAM, and wants the password hashed as often as libpq goes along with: for an hour."""
    message_of(client)
    client.sendall(message(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256\0\0"))
    client.recv(1)
    nonce = message_of(client).rpartition(b",r=")[2]
    client.sendall(message(b"R", struct.pack(">I", 11) + b"r=" + nonce + b"x,s=c2FsdA==,i=2147483647"))


@test
def a_server_that_wants_the_password_hashed_without_end_is_odd_and_delays_nobody():
    with Listener(wants_rounds) as greedy:
        with Probe(USER, [greedy.at, PG.member("a")], password()) as probe:
            probe.wait("report 0 odd text=the server wants the password hashed more often than")
            good_beside(probe)


def wants_kerberos(client):
    message_of(client)
    client.sendall(message(b"R", struct.pack(">I", 7)))
    client.recv(1)


@test
def a_server_that_wants_kerberos_makes_nobody_wait_for_a_kdc():
    with Listener(wants_kerberos) as realm:
        with Probe(USER, [realm.at, PG.member("a")], password()) as probe:
            probe.wait("report 0 odd text=the server wants Kerberos, for which the agent would have to wait")
            good_beside(probe)
        with Probe(USER + " gssencmode=prefer", [realm.at, PG.member("a")], password()) as probe:
            probe.wait("report 0 odd text=GSSAPI continuation error")


@test
def no_server_makes_libpq_reckon_with_a_prime_of_its_choice():
    """A real one may have 10,000 bits; a small one tells as well that it is not asked for."""
    own = PG.file("own", "")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", own, "-out", own + ".pem",
                    "-subj", "/CN=x", "-days", "2"], check=True, capture_output=True)
    with open(own + ".dh", "w", encoding="ascii") as file:
        subprocess.run(["openssl", "dhparam", "-dsaparam", "2048"], check=True, stdout=file, stderr=subprocess.DEVNULL)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers("DHE-RSA-AES128-GCM-SHA256")
    tls.load_cert_chain(own + ".pem", own)
    tls.load_dh_params(own + ".dh")
    heard = queue.Queue()

    def choose(client):
        message_of(client)
        client.sendall(b"S")
        try:
            tls.wrap_socket(client, server_side=True).close()
            heard.put("the prime is taken")
        except ssl.SSLError as error:
            heard.put(error.reason)
        client.close()

    with Listener(choose) as choosy:
        with Probe("user=homing sslmode=require", [choosy.at, PG.member("a")], password()) as probe:
            probe.wait("report 0 (odd|refused) text=.*handshake failure")
    equal(heard.get(timeout=PATIENCE), "NO_SHARED_CIPHER")


main()
