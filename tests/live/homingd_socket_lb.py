#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Members that are known by virtual addresses, in whose place the kernel itself puts the real ones while a connection
is made: BPF programs of the control group do that, as Cilium's in the place of kube-proxy. A program sees the virtual
address of its peer, the kernel lists the real one. It is severed all the same, and listed as its member's.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, PG_SH, PLAIN, Agent, Holder, cluster_text  # noqa: E402
from moving import HOSTS, PORT, hosts, servers  # noqa: E402
from own_names import HOSTS as LOCAL, own_namespaces, put_names  # noqa: E402
from sever import need_root  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402

LB, INSIDE = os.path.join(BUILD, "tests/support/socket_lb"), "HOMING_TEST_SOCKET_LB"
VIRTUAL = ["10.79.0.1", "10.79.0.2"]
VPORT = "6000"
RULES = ["%s:%s=%s:%s" % (virtual, VPORT, real, PORT) for virtual, real in zip(VIRTUAL, HOSTS)]
NAME = "orders-db.test"


def replace_addresses():
    """The script starts again under the programs, and all that it starts. A kernel that has none is no failure, wherever
    it is: then the test is left out."""
    if INSIDE not in os.environ:
        tried = subprocess.run([LB, *RULES, "--", "true"], stderr=subprocess.PIPE, text=True, check=False)
        if tried.returncode == 77:
            print("1..0 # SKIP left out, the kernel replaces no addresses here: " + " ".join(tried.stderr.split()))
            sys.exit(0)
        os.environ[INSIDE] = "yes"
        sys.stdout.flush()
        os.execv(LB, [LB, *RULES, "--", sys.executable, "-B", *sys.argv])


need_root()
replace_addresses()
own_namespaces("--net", "--mount")


def pg(host, *command):
    done = subprocess.run([*net.inside(host), "bash", PG_SH, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, "pg.sh %s: %s" % (" ".join(command), done.stderr)
    return done.stdout.strip()


def member(n):
    return "%s:%s" % (VIRTUAL[n], VPORT)


# It looks the name up once, and says at each line to whom it is connected then.
CACHES = """
import socket, sys
at = socket.getaddrinfo(sys.argv[1], sys.argv[2], socket.AF_INET, socket.SOCK_STREAM)[0][4]
print(*at, flush=True)
for line in sys.stdin:
    with socket.create_connection(at) as there:
        print(*there.getpeername(), flush=True)
"""
# It holds one connection, over a socket of IPv6 as Java's are. At a line it says what that has come to.
MAPPED = """
import socket, sys
at = socket.getaddrinfo(sys.argv[1], sys.argv[2], socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_V4MAPPED)[0][4]
held = socket.socket(socket.AF_INET6)
held.connect(at)
print(*held.getpeername()[:2], flush=True)
for line in sys.stdin:
    print(held.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), flush=True)
"""


class Cache(Holder):
    program = ["-c", CACHES]


class Mapped(Holder):
    program = ["-c", MAPPED]


def orders(keys):
    return cluster_text("orders", [member(0), member(1)], NAME, None, PLAIN, keys)


def ours(key):
    """The connections of that kind in `homingctl connections`, but the inode."""
    return sorted((row["member"], row["address"], row["port"], row["endpoint"], row["outdated"])
                  for row in agent.json("connections")[key])


@test
def the_agent_finds_out_how_its_own_connections_are_listed():
    global net, agent
    net = hosts()
    servers()
    put_names(LOCAL)
    pg(HOSTS[0], "init", "a")
    pg(HOSTS[1], "clone", "b", "a")
    agent = Agent(orders("    max_switches: 0\n"))
    agent.start()
    agent.wait_writer("orders", member(0))
    told = eventually(lambda: len(agent.log("listed")) == 2 and agent.log("listed"), "it says so of both")
    equal(sorted((e["address"], e["port"], e["listed"], e["listed_port"]) for e in told),
          [(virtual, int(VPORT), real, int(PORT)) for virtual, real in zip(VIRTUAL, HOSTS)])
    equal([m["listed"] for m in agent.status()["clusters"][0]["members"]], ["%s:%s" % (h, PORT) for h in HOSTS[:2]])
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")


@test
def a_programs_connection_is_listed_as_its_members():
    global pool, cache, mapped, direct
    pool, cache = Holder(NAME, VPORT, agent), Cache(NAME, VPORT, agent)
    mapped, direct = Mapped(NAME, VPORT, agent), Holder(HOSTS[0], PORT, None)
    equal((pool.first, mapped.first), (HOSTS[0], "::ffff:%s %s" % (VIRTUAL[0], VPORT)))
    equal(agent.resolve(NAME), [VIRTUAL[0]])
    eventually(lambda: len(ours("connections")) == 2, "both are listed")
    equal(ours("connections"), [(member(0), HOSTS[0], int(PORT), NAME, False)] * 2)
    equal(cache.ask(), "%s %s" % (VIRTUAL[0], VPORT))


@test
def what_nobody_noted_is_listed_there_and_the_agents_own_is_not():
    equal(direct.first, HOSTS[0])
    equal(ours("untagged"), [(member(0), HOSTS[0], int(PORT), None, False)])


@test
def what_was_connected_while_homing_was_not_looking_is_told_of_late():
    global late
    agent.ok("mode", "orders", "names")
    late = Holder(NAME, VPORT, agent)
    agent.ok("mode", "orders", "default")
    equal(late.look().split()[0], "looked")
    eventually(lambda: len(ours("connections")) == 3, "it is listed with the others")


@test
def the_writer_goes_silent_and_the_other_one_is_promoted():
    net.cut(HOSTS[0])
    agent.wait_state("orders", "suspect")
    pg(HOSTS[1], "promote", "b")
    agent.wait_writer("orders", member(1))


@test
def all_are_severed_and_what_nobody_noted_is_counted():
    done = eventually(lambda: [e for e in agent.log("severed") if e["severed"]], "severed")[0]
    equal((done["severed"], done["untagged"]), (3, 1))
    for program in (pool, late):
        equal(program.ask().split()[:2], ["anew", HOSTS[1]])
    equal(mapped.ask(), "103")  # ECONNABORTED


@test
def a_remembered_address_leads_to_the_new_writers_virtual_address():
    equal(cache.ask(), "%s %s" % (VIRTUAL[1], VPORT))


@test
def after_a_reload_what_was_listed_before_is_known_still():
    agent.write(orders("    max_switches: 1\n"))
    agent.ok("reload")
    equal(ours("untagged"), [(member(0), HOSTS[0], int(PORT), None, False)])


main()
