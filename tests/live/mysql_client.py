#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The MySQL client of the agent against a real MariaDB: ways to log in, in clear and inside of TLS; certificates that
are not good; servers that stall or go away."""
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from homing import BUILD  # noqa: E402
from mariadb import MariaDB, PASSWORD  # noqa: E402
from tap import PATIENCE, equal, main, test  # noqa: E402

CLI = os.path.join(BUILD, "tests/support/mysql_cli")
LONG = "a password of more than thirty-two bytes, with 'quotes' and \\ in it"
NAME = "db1.example.com"

DB = MariaDB()


for ca in ("ca", "other"):
    DB.certify(ca)
DB.certify("db", "ca", f"DNS:{NAME},IP:127.0.0.1")
DB.certify("us", "ca", "DNS:homing")
# Debian has this plugin in a package whose server would run from the next boot on, and which is not installed for that.
ED25519 = any(Path("/usr/lib/mysql/plugin").glob("auth_ed25519.so"))
DB.names.append("a")
DB.copy("a")
DB.start("a", *(["--plugin-load-add=auth_ed25519"] if ED25519 else []), "--ssl", f"--ssl-ca={DB.root}/ca.pem", f"--ssl-cert={DB.root}/db.pem",
         f"--ssl-key={DB.root}/db.key")
DB.names.append("plain")
DB.copy("plain")
DB.start("plain")
QUOTED = LONG.replace("\\", "\\\\").replace("'", "\\'")
DB.sql("a", f"""
CREATE USER native IDENTIFIED BY '{PASSWORD}'; CREATE USER nobody IDENTIFIED BY '';
CREATE USER proved IDENTIFIED BY '{PASSWORD}' REQUIRE X509""")
if ED25519:
    DB.sql("a", f"""
CREATE USER ed IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}');
CREATE USER longer IDENTIFIED VIA ed25519 USING PASSWORD('{QUOTED}');
CREATE USER several IDENTIFIED VIA unix_socket OR ed25519 USING PASSWORD('x')
    OR mysql_native_password USING PASSWORD('{PASSWORD}')""")
DB.sql("plain", f"CREATE USER native IDENTIFIED BY '{PASSWORD}'")

VERIFY = ("-t", "verify-full", "-a", f"{DB.root}/ca.pem")


def ask(*questions, user="native", password=PASSWORD, options=(), host=NAME, server="a"):
    """The lines that the client prints, but for the last one, which is a time."""
    done = subprocess.run([CLI, "-u", user, "-p", password, *options, f"{host}={DB.member(server)}", "--", *questions],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[:-1]


def fails(words, **how):
    lines = ask(**how)
    assert len(lines) == 1 and lines[0].startswith("0 failed " + words), lines
    return lines[0]


@test
def each_way_to_log_in_works_in_clear_and_inside_of_TLS():
    users = [("native", PASSWORD), ("nobody", "")]
    if ED25519:
        users += [("ed", PASSWORD), ("longer", LONG), ("several", PASSWORD)]
    for options in ((), ("-t", "require"), VERIFY):
        for user, password in users:
            lines = ask("SELECT CURRENT_USER() AS me, NULL AS nothing, VARIABLE_VALUE <> '' AS tls FROM "
                        "information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'",
                        user=user, password=password, options=options)
            equal(lines[1:], ["0 columns me|nothing|tls", f"0 row {user}@%|NULL|{int(bool(options))}", "0 done"])


@test
def a_wrong_password_is_the_servers_1045():
    for user in ("native", "nobody", *(["ed"] if ED25519 else [])):
        fails("login server 1045 28000 Access denied", user=user, password="wrong")


@test
def a_certificate_is_checked_against_the_members_host_and_not_against_what_was_dialled():
    equal(ask(options=VERIFY)[-1], "0 done")
    equal(ask(options=VERIFY, host="127.0.0.1")[-1], "0 done")
    fails(f"login tls 0 - the server's certificate is for {NAME}, not for other.example.com", options=VERIFY,
          host="other.example.com")
    fails("login tls 0 - the server's certificate is for", options=VERIFY, host=DB.address("a"))


@test
def another_ca_is_refused_and_require_does_not_look():
    other = ("-t", "verify-full", "-a", f"{DB.root}/other.pem")
    fails("login tls 0 - the CA of the server's certificate is not in", options=other)
    fails("login tls 0 - the CA of the server's certificate is not in the system's list", options=("-t", "verify-full"))
    equal(ask(options=("-t", "require"), host="other.example.com")[-1], "0 done")


@test
def a_server_without_TLS_is_refused_where_TLS_is_required():
    equal(ask(server="plain")[-1], "0 done")
    fails("login tls 0 - the server offers no TLS", options=("-t", "require"), server="plain")
    equal(DB.sql("plain", "SHOW GLOBAL STATUS LIKE 'Aborted_connects'").split()[-1], "1")


@test
def a_user_who_needs_a_certificate_logs_in_with_it():
    fails("login server 1045", user="proved", options=VERIFY)
    us = ("-c", f"{DB.root}/us.pem", "-k", f"{DB.root}/us.key")
    equal(ask(user="proved", options=(*VERIFY, *us))[-1], "0 done")


class Stalled:
    """Passes on a real server's greeting, takes the request for TLS, and says nothing more."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.at = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.began = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with socket.create_connection((DB.address("a"), int(DB.port))) as server:
            head = server.recv(4, socket.MSG_WAITALL)
            greeting = server.recv(struct.unpack("<I", head[:3] + b"\0")[0], socket.MSG_WAITALL)
        self.client = self.socket.accept()[0]
        self.client.sendall(head + greeting)
        self.client.recv(36, socket.MSG_WAITALL)
        self.client.recv(1)
        self.began.set()


@test
def a_server_that_stalls_while_TLS_begins_delays_nobody():
    stalled = Stalled()
    with subprocess.Popen([CLI, "-w", "600000", "-u", "native", "-p", PASSWORD, *VERIFY, f"{NAME}={stalled.at}",
                           f"{NAME}={DB.member('a')}", "--", "SELECT 1"], stdout=subprocess.PIPE, text=True) as client:
        try:
            assert stalled.began.wait(PATIENCE)
            lines = [next(client.stdout) for _ in range(4)]
        finally:
            client.kill()
        equal([line[:2] for line in lines], ["1 "] * 4)
        equal(lines[-1], "1 done\n")


@test
def a_session_that_is_killed_and_a_server_that_is_stopped_are_told():
    for end in (lambda: DB.sql("a", "KILL CONNECTION " + DB.sql(
            "a", "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'native'")), lambda: DB.stop("a")):
        with subprocess.Popen([CLI, "-u", "native", "-p", PASSWORD, "-w", "600000", f"{NAME}={DB.member('a')}", "--",
                               "SELECT 'begun'", "DO SLEEP(600)"], stdout=subprocess.PIPE, text=True) as client:
            while "0 row begun\n" != next(client.stdout):
                pass
            end()
            said = client.stdout.read()
        assert said.startswith(("0 failed session network", "0 failed session server", "0 columns\n0 failed",
                                "0 error")), said


main()
