#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Connections in network namespaces for which nobody has handed over a permit, so that homing-sever cannot list them:
`homingctl connections` names them, with the reason. Each program here has a namespace of its own."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import PG_SH, PLAIN, Agent, Holder, cluster_text  # noqa: E402
from moving import HOSTS, PORT, hosts, servers  # noqa: E402
from own_names import own_namespaces, put_names  # noqa: E402
from sever import need_root  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402

need_root()
own_namespaces("--net", "--mount")
NAME, MEMBER = "orders-db.test", "%s:%s" % (HOSTS[0], PORT)
PERMITTED, SANDBOXED, REFUSING, COPYING, SILENT = HOSTS[2:7]
held = {}

# As `RestrictAddressFamilies=` without it does: a filter of system calls, with which socket(AF_NETLINK) fails.
SANDBOX = """
import ctypes, os, struct, sys
AF_NETLINK, EAFNOSUPPORT, FAIL, ALLOW = 16, 97, 0x50000, 0x7fff0000
number = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
code = [(0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, AF_NETLINK), (6, 0, 0, FAIL | EAFNOSUPPORT),
        (6, 0, 0, ALLOW)]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *it) for it in code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(filter)))
libc = ctypes.CDLL(None, use_errno=True)
for words in ((38, 1, 0, 0, 0), (22, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0)):
    if libc.prctl(*words):
        sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
"""
# It keeps a duplicate of its connection and closes the number that it was made with. At a line it looks a name up.
COPIES = """
import os, socket, sys
at = socket.getaddrinfo(sys.argv[1], sys.argv[2], socket.AF_INET, socket.SOCK_STREAM)[0][4]
made = socket.create_connection(at)
kept = os.dup(made.fileno())
made.close()
print(*at, flush=True)
for line in sys.stdin:
    socket.getaddrinfo("localhost", None)
    print("looked", flush=True)
"""


class Copying(Holder):
    program = ["-c", COPIES]


def pg(host, *command):
    done = subprocess.run([*net.inside(host), "bash", PG_SH, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, "pg.sh %s: %s" % (" ".join(command), done.stderr)


def runs(host, kind=Holder, before=(), env=None):
    held[host] = kind(NAME, PORT, agent, [*net.inside(host), *before], env and dict(os.environ, **env))


def said(host):
    """[(user, command, member, what is behind that)] of this program. Another run of this test may have programs that lead
    to the same addresses."""
    rows = [row.split(None, 6) for row in agent.ok("connections").splitlines()[1:]]
    return [(row[1], row[2], row[4], row[6].strip() if len(row) > 6 else "") for row in rows
            if int(row[0]) == held[host].process.pid]


@test
def a_sandboxed_program_is_named_though_nobody_has_handed_over_there():
    global net, agent
    net = hosts()
    servers()
    put_names("127.0.0.1 localhost\n%s %s\n" % (HOSTS[0], NAME))
    pg(HOSTS[0], "init", "a")
    agent = Agent(cluster_text("orders", [MEMBER], NAME, None, PLAIN))
    agent.start()
    agent.wait_writer("orders", MEMBER)
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    runs(SANDBOXED, before=["/usr/bin/python3", "-c", SANDBOX])
    equal(held[SANDBOXED].first, HOSTS[0])
    equal(said(SANDBOXED), [("0", "python3", MEMBER, "untagged: in a sandbox, which needs AF_NETLINK")])
    equal(agent.json("connections")["connections"], [])


@test
def beside_it_a_program_that_has_handed_over_is_listed_once_and_one_that_refuses_is_not():
    runs(PERMITTED)
    runs(REFUSING, env={"HOMING_SEVER": "0"})
    eventually(lambda: len(agent.json("connections")["listed_pids"] or []) == 3, "both have handed over")
    equal([len(said(host)) for host in (PERMITTED, SANDBOXED, REFUSING)], [1, 1, 0])
    assert "untagged" not in said(PERMITTED)[0][3], said(PERMITTED)


@test
def a_duplicate_whose_first_number_was_closed_before_homing_looked_is_named():
    agent.ok("mode", "orders", "names")
    runs(COPYING, Copying)
    agent.ok("mode", "orders", "default")
    equal(held[COPYING].ask(), "looked")
    equal([row[2:] for row in said(COPYING)], [(MEMBER, "untagged: no call since homing looks, or not by a name, or not by libc")])


@test
def a_program_without_homing_is_not_named_where_homing_was_never_asked_for():
    held[SILENT] = Holder(HOSTS[0], PORT, None, net.inside(SILENT))
    equal(held[SILENT].first, HOSTS[0])
    equal(said(SILENT), [])


@test
def one_that_has_ended_is_gone():
    for host in (SANDBOXED, COPYING):
        held[host].end()
    eventually(lambda: not said(SANDBOXED) and not said(COPYING), "they are not named any more")
    equal(len(said(PERMITTED)), 1)


main()
