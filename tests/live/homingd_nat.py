#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Members that are known by virtual addresses, each of which NAT leads to one real server: on the node itself, as
kube-proxy does for a ClusterIP, and on a router on the way. What a program is connected to, as the kernel reports it, is the
virtual address: it is tagged, severed and redirected by that.
"""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import PG_SH, PLAIN, Agent, Holder, cluster_text  # noqa: E402
from moving import HOSTS, PORT, hosts, servers  # noqa: E402
from own_names import HOSTS as LOCAL, own_namespaces, put_names  # noqa: E402
from sever import need_root  # noqa: E402
from tap import equal, eventually, give_up, main, test, test_each  # noqa: E402
from net import BRIDGE, ip  # noqa: E402

NFT = shutil.which("nft") or "/usr/sbin/nft"
if not os.access(NFT, os.X_OK):
    give_up("nftables is not installed")
ROUTER = HOSTS[8]
KINDS = {"node": "10.79.0", "router": "10.78.0"}  # where the translation is: the virtual addresses
HOOKS = {"node": "hook output priority -100", "router": "hook prerouting priority -100"}
pools, caches = {}, {}


def rules(kind):
    """Each virtual address leads to the host with the same last number."""
    text = "table ip nat {\n chain to { type nat %s;\n" % HOOKS[kind]
    for n in (1, 2):
        text += "  ip daddr %s.%d dnat to %s\n" % (KINDS[kind], n, HOSTS[n - 1])
    if kind == "router":
        text += " }\n chain from { type nat hook postrouting priority 100; masquerade\n"
    return text + " }\n}\n"


def translate(kind, *at):
    done = subprocess.run([*at, NFT, "-f", "-"], input=rules(kind), stderr=subprocess.PIPE, text=True, check=False)
    return " ".join(done.stderr.split()) if done.returncode else None


need_root()
own_namespaces("--net", "--mount")
refused = translate("router", "unshare", "--net")
if refused:
    give_up("this kernel translates no addresses: " + refused)


def pg(host, *command):
    done = subprocess.run([*net.inside(host), "bash", PG_SH, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, "pg.sh %s: %s" % (" ".join(command), done.stderr)
    return done.stdout.strip()


def member(kind, n):
    return "%s.%d:%s" % (KINDS[kind], n, PORT)


def name(kind):
    return kind + "-db.test"


# It looks the name up once, and says at each line to whom it is connected then.
CACHES = """
import socket, sys
at = socket.getaddrinfo(sys.argv[1], sys.argv[2], socket.AF_INET, socket.SOCK_STREAM)[0][4]
print(*at, flush=True)
for line in sys.stdin:
    with socket.create_connection(at) as there:
        print(*there.getpeername(), flush=True)
"""


class Cache(Holder):
    program = ["-c", CACHES]


@test
def members_at_virtual_addresses_are_found():
    global net, agent
    net = hosts()
    servers()
    ip("route", "add", KINDS["node"] + ".0/24", "dev", BRIDGE)
    ip("route", "add", KINDS["router"] + ".0/24", "via", ROUTER)
    subprocess.run([*net.inside(ROUTER), "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"], check=True)
    equal((translate("node"), translate("router", *net.inside(ROUTER))), (None, None))
    put_names(LOCAL)
    pg(HOSTS[0], "init", "a")
    pg(HOSTS[1], "clone", "b", "a")
    agent = Agent("".join(cluster_text(kind, [member(kind, 1), member(kind, 2)], name(kind), None, PLAIN,
                                       "    max_switches: 0\n") for kind in KINDS))
    agent.start()
    for kind in KINDS:
        agent.wait_writer(kind, member(kind, 1))
        pools[kind], caches[kind] = Holder(name(kind), PORT, agent), Cache(name(kind), PORT, agent)
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")


@test_each(KINDS)
def a_connection_is_listed_under_the_virtual_address(kind):
    equal(pools[kind].first, HOSTS[0])
    equal(agent.resolve(name(kind)), [KINDS[kind] + ".1"])
    rows = eventually(lambda: [row for row in agent.json("connections")["connections"] if row["endpoint"] == name(kind)],
                      "it is listed")
    equal([(row["member"], row["address"], row["outdated"]) for row in rows],
          [(member(kind, 1), KINDS[kind] + ".1", False)])
    equal(caches[kind].ask(), "%s.1 %s" % (KINDS[kind], PORT))


@test
def the_writer_is_demoted_and_lives():
    pg(HOSTS[0], "sql", "a", "ALTER SYSTEM SET default_transaction_read_only = on")
    pg(HOSTS[0], "sql", "a", "SELECT pg_reload_conf()")
    pg(HOSTS[1], "promote", "b")
    for kind in KINDS:
        agent.wait_writer(kind, member(kind, 2))


@test_each(KINDS)
def it_is_severed_and_comes_back_on_the_new_writer(kind):
    eventually(lambda: [e for e in agent.log("severed") if e["cluster"] == kind], "severed")
    equal(pools[kind].ask().split()[:2], ["anew", HOSTS[1]])


@test_each(KINDS)
def a_remembered_address_leads_to_the_new_writers_virtual_address(kind):
    equal(caches[kind].ask(), "%s.2 %s" % (KINDS[kind], PORT))


main()
