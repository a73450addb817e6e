#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Canonical names: a real KDC and PostgreSQL's gss authentication, with `rdns = false`. DNS has the managed name as an
alias of one member's host, and each member has a key for its own host only. So a program that is given the alias as
canonical name asks for the ticket of a service that does not exist."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, SRC, Agent, cluster_text, directory, own_namespaces, pair, put_names  # noqa: E402
from tap import cleanups, equal, eventually, give_up, main, test  # noqa: E402

REALM = "CORP.TEST"
NAME, READERS = "pg.corp.test", "pg-ro.corp.test"
OWN = "own.corp.test"  # this name has a key itself, which every member holds
NODE = {"a": "node-a.corp.test", "b": "node-b.corp.test"}
KRB5 = """[libdefaults]
    default_realm = {realm}
    rdns = false
    dns_canonicalize_hostname = {canonicalize}
    dns_lookup_realm = false
    dns_lookup_kdc = false
[realms]
    {realm} = {{
        kdc = 127.0.0.1
    }}
[domain_realm]
    .corp.test = {realm}
"""
KDC = """[kdcdefaults]
    kdc_listen = 127.0.0.1:88
    kdc_tcp_listen = 127.0.0.1:88
[realms]
    {realm} = {{
        database_name = {folder}/principal
        key_stash_file = {folder}/stash
        acl_file = {folder}/acl
        max_life = 1h
    }}
"""
WHO = "SELECT principal || ' ' || host(inet_server_addr()) FROM pg_stat_gssapi WHERE pid = pg_backend_pid()"
HBA = "host all alice samenet gss include_realm=1 krb_realm=%s map=corp\n" % REALM
IDENT = "corp alice@%s alice\n" % REALM
EX = "import socket; print(socket.gethostbyname_ex('{0}')); print(socket.getaddrinfo('{0}', 1, 0, 1, 0, 2))"

own_namespaces("--mount", "--net")
for program in ("krb5kdc", "kdb5_util", "kadmin.local", "kinit", "klist"):
    if not shutil.which(program):
        give_up("no Kerberos is here: " + program)


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, "%s: %s%s" % (" ".join(command), done.stdout, done.stderr)
    return done.stdout


def started(*command):
    """A server in the foreground, which ends with the test."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    cleanups.append(process.wait)
    cleanups.append(process.terminate)
    return process


def put_zone(of_b):
    """a's records, the aliases, and these."""
    write(zone, "new", "%s 1 %s\n%s 60 cname %s\n%s 60 cname %s\n" % (
        NODE["a"], pg.address("a"), NAME, NODE["a"], READERS, NODE["b"]) + of_b)
    os.rename(zone + "/new", zone + "/zone")


def kerberos():
    """A realm with alice, and a service for each node. Returns its folder."""
    folder = directory()
    for canonicalize in ("true", "fallback"):
        write(folder, canonicalize + ".conf", KRB5.format(realm=REALM, canonicalize=canonicalize))
    os.environ["KRB5_CONFIG"] = folder + "/true.conf"
    os.environ["KRB5_KDC_PROFILE"] = write(folder, "kdc.conf", KDC.format(realm=REALM, folder=folder))
    os.environ["KRB5RCACHENAME"] = "none:"  # servers leave no file behind
    run("kdb5_util", "create", "-r", REALM, "-s", "-P", "secret")
    for principal, keytab in [("alice", "alice")] + [("postgres/" + host, node) for node, host in NODE.items()]:
        run("kadmin.local", "addprinc", "-randkey", principal)
        run("kadmin.local", "ktadd", "-k", os.path.join(folder, keytab + ".keytab"), principal)
    run("kadmin.local", "addprinc", "-randkey", "postgres/" + OWN)
    for node in NODE:
        run("kadmin.local", "ktadd", "-norandkey", "-k", os.path.join(folder, node + ".keytab"), "postgres/" + OWN)
    started("krb5kdc", "-n")
    eventually(lambda: subprocess.run(["kinit", "-k", "-t", folder + "/alice.keytab", "-c", folder + "/tickets", "alice"],
                                      capture_output=True, check=False).returncode == 0, "a ticket for alice")
    return folder


def with_gss(node):
    """alice has to show a ticket; the server's key is in its own data directory."""
    data = pg.data(node)
    shutil.copy(os.path.join(realm, node + ".keytab"), os.path.join(data, "krb5.keytab"))
    pg.own(node + "/krb5.keytab")
    with open(data + "/pg_hba.conf", encoding="ascii") as file:
        hba = file.read()
    write(data, "pg_hba.conf", HBA + hba.replace(HBA, ""))
    write(data, "pg_ident.conf", IDENT)
    with open(data + "/postgresql.auto.conf", "a", encoding="ascii") as file:
        file.write("krb_server_keyfile = 'FILE:krb5.keytab'\n")
    pg.sql(node, "SELECT pg_reload_conf()")


def program(*command, shim=True, **more):
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C", **more}
    if shim:
        env.update(LD_PRELOAD=os.path.join(BUILD, "shim/libhoming.so"), HOMING_SOCKET=agent.socket)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() or done.stderr.strip()


def login(name=NAME, shim=True, canonicalize="true"):
    """What the server says of a login by ticket, and the service that the ticket was for."""
    cache = os.path.join(realm, "cache")
    shutil.copy(os.path.join(realm, "tickets"), cache)
    said = program("psql", "-XAtw", "-c", WHO, "host=%s port=%s user=alice dbname=postgres gssencmode=disable "
                   "sslmode=disable" % (name, pg.port()), shim=shim, KRB5CCNAME=cache, KRB5_CONFIG=os.path.join(realm, canonicalize + ".conf"))
    tickets = run("klist", "-c", cache).split()
    return said, [word for word in tickets if word.startswith("postgres/") and word.endswith("@" + REALM)]


def logs_in(expected, *args, **more):
    """A new process gives its agent 20 ms, which a busy machine may not, and then asks DNS."""
    eventually(lambda: login(*args, **more) == expected, f"a login is {expected}: {login(*args, **more)}")


def by(node, service=None):
    """What login() returns if it reached the node."""
    return ("alice@%s %s" % (REALM, pg.address(node)), ["postgres/%s@%s" % (service or NODE[node], REALM)])


put_names(resolv="nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", nsswitch="hosts: files dns\nservices: files\n")
realm = kerberos()
pg = pair()
zone = directory()
put_zone("%s 1 %s\n" % (NODE["b"], pg.address("b")))
dns = started(sys.executable, "-B", os.path.join(SRC, "tests/support/dns.py"), "127.0.0.1", "53", zone + "/zone")
equal(dns.stdout.readline().split()[0], "ready")
pg.sql("a", "CREATE ROLE alice LOGIN")
for each in NODE:
    with_gss(each)
agent = Agent(cluster_text("orders", ["%s:%s" % (host, pg.port()) for host in NODE.values()], NAME + ", " + OWN,
                           READERS, also="    max_lag: 100GB\n"))
A, B = ("%s:%s" % (host, pg.port()) for host in NODE.values())


@test
def without_homing_the_alias_logs_in_as_dns_says():
    equal(login(shim=False), by("a"))


@test
def a_managed_alias_logs_in_as_it_does_without_homing():
    agent.start()
    agent.wait_writer("orders", A)
    logs_in(by("a"))
    equal([agent.member("orders", member)["official"] for member in (A, B)], [NODE["a"], NODE["b"]])
    eventually(lambda: agent.member("orders", B)["reader"], "b serves readers")
    logs_in(by("b"), READERS)


@test
def programs_are_told_the_same_names_as_without_homing():
    for name in (NAME, READERS):
        ask = (sys.executable, "-c", EX.format(name))
        equal(program(*ask), program(*ask, shim=False))


@test
def a_key_of_the_managed_name_itself_is_used_where_it_is_tried_first():
    logs_in(by("a", OWN), OWN, canonicalize="fallback")
    logs_in(by("a"), NAME, canonicalize="fallback")


@test
def after_a_switch_the_ticket_is_for_the_new_writers_host():
    pg.kill("a")
    pg.promote("b")
    agent.wait_writer("orders", B)
    logs_in(by("b"))
    logs_in(by("b", OWN), OWN, canonicalize="fallback")
    eventually(lambda: NODE["b"] in program(sys.executable, "-c", EX.format(NAME)), "the new host's name is given")


@test
def a_change_of_the_hosts_name_alone_is_followed_and_is_no_new_answer():
    generation = agent.cluster("orders")["endpoints"][0]["generation"]
    put_zone("%s 1 cname renamed.corp.test\nrenamed.corp.test 1 %s\n" % (NODE["b"], pg.address("b")))
    eventually(lambda: "'renamed.corp.test'" in program(sys.executable, "-c", EX.format(NAME)), "the new name is given")
    equal(agent.cluster("orders")["endpoints"][0]["generation"], generation)


main()
