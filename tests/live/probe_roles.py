#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the probe sees of a real streaming pair: roles, promotions, ends of servers, TLS (I5), settings."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from homing import pair  # noqa: E402
from tap import main, test  # noqa: E402
from probe import Dns, Probe, field  # noqa: E402
from pulse import undisturbed  # noqa: E402

USER = "user=homing sslmode=disable"
PG = pair()


def probe(connection=USER, names=("a", "b"), options=()):
    return Probe(connection, [PG.member(name) for name in names], PG.file("pw", "homing-test\n"), options)


def swap(new, old):
    """`new` is made the writer while `old` is down, and `old` comes back as its standby."""
    PG("promote", new)
    PG("rejoin", old, new)


def give_back(to, holder):
    """`to`, whatever became of it, is the writer again, and `holder` its standby."""
    PG("rejoin", to, holder)
    PG("stop", holder)
    swap(to, holder)


@test
def a_pair_is_a_writer_and_a_reader_of_one_identity():
    with probe() as p:
        writer = p.wait("report 0 answer writer term=1 ")
        reader = p.wait("report 1 answer reader term=0 ")
    assert field(writer, "identity") == field(reader, "identity") != "0"
    assert field(writer, "incarnation") != field(reader, "incarnation")
    assert field(writer, "authenticated") == "0"


@test
def a_promotion_while_the_writer_lives_shows_two_writers():
    PG("clone", "c", "a")
    with probe(names="ac") as p:
        p.wait("report 1 answer reader")
        p.say("steady")
        PG("promote", "c")
        p.wait("report 1 answer writer term=2 ")
        assert not [line for line in p.seen if "report 0 answer reader" in line]
    PG("stop", "c")


@test
def a_stopped_writer_says_goodbye_and_its_standby_is_promoted():
    with probe() as p:
        p.wait("report 0 answer writer")
        p.wait("report 1 answer reader")
        PG("stop", "a")
        p.wait("report 0 broken text=terminating connection due to administrator command")
        PG("promote", "b")
        p.wait("report 1 answer writer term=2 ")
        PG("rejoin", "a", "b")
        p.wait("report 0 answer reader")


@test
def a_killed_writer_is_broken_and_comes_back_as_a_reader():
    with probe() as p:
        p.wait("report 1 answer writer")
        p.wait("report 0 answer reader")
        PG("kill", "b")
        p.wait("report 1 broken")
        p.wait("report 1 refused text=Connection refused")
        swap("a", "b")
        p.wait("report 0 answer writer term=3 ")
        p.wait("report 1 answer reader")


@test
def a_frozen_writer_is_late_then_times_out_then_comes_back():
    with probe() as p:
        p.wait("report 0 answer writer")
        PG("freeze", "a")
        try:
            p.wait("report 0 late")
            p.wait("report 0 timeout text=no answer within 1000 ms")
            p.wait("report 0 timeout text=connected, but no login within 1000 ms")
        finally:
            PG("thaw", "a")
        p.wait("report 0 answer writer")


@test
def a_frozen_writer_does_not_hide_the_promotion_of_its_standby():
    with probe() as p:
        p.wait("report 0 answer writer")
        p.wait("report 1 answer reader")
        PG("freeze", "a")
        try:
            p.wait("report 0 late")
            PG("promote", "b")
            p.wait("report 1 answer writer")
        finally:
            PG("thaw", "a")
        p.forget()
    PG("rejoin", "b", "a")


@test
def a_member_whose_name_moves_is_found_at_its_new_address():
    a, b = PG.address("a"), PG.address("b")
    with Dns(PG, f"db 1 {a}") as dns:
        with Probe("user=postgres sslmode=disable", [f"db:{PG.port()}"], None, dns.options) as p:
            before = p.wait("report 0 answer writer")
            PG("promote", "b")
            dns.zone(f"db 1 {b}")
            PG("kill", "a")
            p.wait(f"place 0 is candidate 0 {b}")
            after = p.wait(f"place 0 says answer writer.*incarnation=(?!{field(before, 'incarnation')})")
            assert field(before, "identity") == field(after, "identity")
            p.wait(f"place 0 is candidate 0 {b} named")
            p.say("move 0")
            p.wait(f"place 8 is left 0 {a}")
            p.wait("report 0 answer writer")
    give_back("a", "b")


@test
@undisturbed
def a_stall_of_our_own_is_not_taken_for_silence_of_the_servers():
    with probe(options=["-a"]) as p:
        p.wait("report 0 answer writer")
        p.wait("report 1 answer reader")
        for _ in range(5):
            p.process.send_signal(signal.SIGSTOP)
            time.sleep(1.5)
            p.process.send_signal(signal.SIGCONT)
            p.forget()
            p.wait("report 0 answer writer")
            p.wait("report 1 answer reader")
        assert not [line for line in p.seen if re.search(" (late|timeout|broken)", line)], p.seen


@test
@undisturbed
def the_steady_pace_asks_cheaply_between_full_questions():
    PG.sql("a", "ALTER ROLE homing SET log_statement = 'all'")
    try:
        with probe(names="a", options=["-a"]) as p:
            p.wait("report 0 answer writer")
            p.say("steady")
            p.forget()
            log = Path(PG.root) / "a.log"
            before = log.read_text().count("statement: SELECT pg_catalog.pg_is_in_recovery")
            answers = [line for line in p.during(3) if "report 0 answer writer" in line]
            full = log.read_text().count("statement: SELECT pg_catalog.pg_is_in_recovery") - before
    finally:
        PG.sql("a", "ALTER ROLE homing RESET log_statement")
    # Before 14 no server reports by itself what has changed.
    cheaply = 0 < 2 * full < len(answers) if int(PG.version("a")) >= 14 else full >= len(answers) - 1
    assert cheaply, (full, len(answers))


@test
def a_setting_that_makes_the_server_read_only_is_seen_at_the_steady_pace():
    with probe(names="a", options=["-a"]) as p:
        p.wait("report 0 answer writer")
        p.say("steady")
        p.forget()
        PG.sql("a", "ALTER SYSTEM SET default_transaction_read_only = on")
        PG.sql("a", "SELECT pg_reload_conf()")
        try:
            line = p.wait("report 0 answer reader")
            assert "note=default_transaction_read_only is on for the whole server" in line, line
        finally:
            PG("psql", "a", "-c", "SET default_transaction_read_only = off", "-c",
               "ALTER SYSTEM RESET default_transaction_read_only", "-c", "SELECT pg_reload_conf()")
        p.wait("report 0 answer writer")


@test
def a_read_only_monitoring_role_says_nothing_about_the_server():
    PG.sql("a", "ALTER ROLE homing SET default_transaction_read_only = on")
    try:
        with probe(names="a") as p:
            line = p.wait("report 0 answer writer")
            assert "note=default_transaction_read_only is on for homing's own role" in line, line
    finally:
        PG.sql("a", "ALTER ROLE homing RESET default_transaction_read_only")


@test
def hostile_objects_in_the_search_path_do_not_change_the_answer():
    PG.sql("a", "CREATE SCHEMA evil")
    PG.sql("a", "CREATE FUNCTION evil.pg_is_in_recovery() RETURNS bool LANGUAGE sql AS 'SELECT true'")
    PG.sql("a", "CREATE FUNCTION evil.lie(text, text) RETURNS bool LANGUAGE sql AS 'SELECT true'")
    PG.sql("a", "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.lie)")
    PG.sql("a", "GRANT USAGE ON SCHEMA evil TO homing")
    PG.sql("a", "ALTER ROLE homing SET search_path = evil, pg_catalog")
    try:
        with probe(names="a") as p:
            p.wait("report 0 answer writer")
    finally:
        PG.sql("a", "ALTER ROLE homing RESET search_path")
        PG.sql("a", "SET client_min_messages = warning; DROP SCHEMA evil CASCADE")


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def enable_tls(name):
    """A self-signed certificate for the server's address."""
    key, crt = PG.file("server.key", ""), PG.file("server.crt", "")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", crt, "-days",
            "2", "-subj", "/CN=homing-test", "-addext", f"subjectAltName=IP:{PG.address(name)}")
    PG("own", "server.key", "server.crt")
    PG.sql(name, f"ALTER SYSTEM SET ssl_cert_file = '{crt}'")
    PG.sql(name, f"ALTER SYSTEM SET ssl_key_file = '{key}'")
    PG.sql(name, "ALTER SYSTEM SET ssl = on")
    PG.sql(name, "SELECT pg_reload_conf()")
    return crt


@test
def only_a_verified_certificate_authenticates_a_claim():
    crt = enable_tls("a")
    with probe("user=homing sslmode=require", "a") as p:
        assert field(p.wait("report 0 answer writer"), "authenticated") == "0"
    with probe(f"user=homing sslmode=verify-full sslrootcert={crt}", "a") as p:
        assert field(p.wait("report 0 answer writer"), "authenticated") == "1"


# I5: and thereby no claim.
@test
def a_certificate_that_does_not_fit_is_odd():
    crt = Path(PG.root) / "server.crt"
    with probe("user=homing sslmode=verify-full sslrootcert=/nonexistent", "a") as p:
        p.wait('report 0 odd text=root certificate file "/nonexistent" does not exist')
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-out",
            str(crt) + ".other", "-days", "2", "-subj", "/CN=other")
    with probe(f"user=homing sslmode=verify-full sslrootcert={crt}.other", "a") as p:
        p.wait("report 0 odd text=SSL error: certificate verify failed")


main()
