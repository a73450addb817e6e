#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs whose network has one family, where the agent asks over the other one: servers that have both addresses,
and a user for whom the kernel has no route of one family. By name, and after a real promotion."""
import contextlib
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import (  # noqa: E402
    BUILD, HOSTS, NOBODY, NODE_PATH, NODE_PG, PSYCOPG2, QUERY, Agent, Servers, all_here, cluster_text, directory,
    node_has_pg, own_namespaces, put_names)
from tap import equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--net", "--mount")
NAME = "orders-db.invalid"
SIX = {"a": "fd77::1", "b": "fd77::2"}
WORK = directory()
LIBRARY = shutil.copy(os.path.join(BUILD, "shim/libhoming.so"), WORK)  # where any user may read it


def compiled(compiler, name):
    path = os.path.join(WORK, name)
    return shutil.which(compiler) and subprocess.run(
        [compiler, "-O1", "-o", path, os.path.join(HERE, "connect.c")], check=False).returncode == 0 and path


PROGRAMS = [
    ("psql", shutil.which("psql"), ["psql", "-XAtw", "-U", "postgres", "-h", NAME, "-p", "{port}", "-c", QUERY,
                                    "postgres"]),
    ("psycopg2", True, ["/usr/bin/python3", "-c", PSYCOPG2, NAME, "{port}", QUERY]),
    ("node pg", node_has_pg(), ["node", "-e", NODE_PG, NAME, "{port}", QUERY]),
    ("a musl program", compiled("musl-gcc", "musl"), [WORK + "/musl", NAME, "{port}"]),
    ("a glibc program", compiled("cc", "glibc"), [WORK + "/glibc", NAME, "{port}"]),
]


def servers_with_both():
    """Servers "a" and "b" that listen at an address of each family. The rules for local addresses come behind ours."""
    for address in SIX.values():
        subprocess.run(["ip", "-6", "address", "add", address + "/128", "dev", "lo", "nodad"], check=True)
    for ip in (["ip"], ["ip", "-6"]):
        subprocess.run([*ip, "rule", "add", "pref", "9", "lookup", "local"], check=True)
        subprocess.run([*ip, "rule", "del", "pref", "0"], check=True)
    servers = Servers()
    os.environ["PG_ALSO"] = SIX["a"]
    servers.init("a")
    os.environ["PG_ALSO"] = SIX["b"]
    servers.clone("b", "a")
    put_names(HOSTS + "".join(f"{servers.address(name)} db-{name}.test\n{SIX[name]} db-{name}.test\n" for name in SIX))
    return servers


@contextlib.contextmanager
def without(family):
    """Nobody, who runs the programs, has no route of that family."""
    words = [*(["ip", "-6"] if family == 6 else ["ip"]), "rule"]
    what = ["pref", "1", "uidrange", "65534-65534", "unreachable"]
    subprocess.run([*words, "add", *what], check=True)
    try:
        yield
    finally:
        subprocess.run([*words, "del", *what], check=True)


pg = servers_with_both()


def reached(command, agent):
    env = {"PATH": os.environ["PATH"], "NODE_PATH": NODE_PATH, "LC_ALL": "C", "HOME": WORK, "LD_PRELOAD": LIBRARY,
           "HOMING_SOCKET": agent.socket}
    words = [*NOBODY, "env", *(f"{key}={value}" for key, value in env.items()),
             *(word.replace("{port}", pg.port()) for word in command)]
    done = subprocess.run(words, env={"PATH": env["PATH"]}, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() or done.stderr


def all_reach(writer, agent, lacking):
    wanted = SIX[writer] if lacking == 4 else pg.address(writer)
    with without(lacking):
        for name, here, command in PROGRAMS:
            if here:  # a new process gives its agent 20 ms, which a busy machine may not
                eventually(lambda c=command: reached(c, agent) == wanted,
                           f"{name} without IPv{lacking} is at {wanted}: {reached(command, agent)}")


FIRST = "import socket, sys; print(socket.getaddrinfo(sys.argv[1], 1, type=socket.SOCK_STREAM)[0][4][0])"


def resolve_prints_what_programs_get_first(agent):
    """For whoever asks: also for a user without a route of one family."""
    program, copy = ["/usr/bin/python3", "-c", FIRST, NAME], shutil.copy(os.path.join(BUILD, "homingctl"), WORK)

    def printed():
        return reached([copy, "resolve", NAME], agent).split()[0]
    eventually(lambda: reached(program, agent) == printed(), "the same address comes first")
    for lacking, kept in ((4, SIX["a"]), (6, pg.address("a"))):
        with without(lacking):
            equal(printed(), kept)


@test
def every_program_of_the_matrix_is_here_to_be_tested():
    all_here(PROGRAMS)


@test
def programs_without_the_agents_family_reach_the_writer_and_follow_it():
    members = [f"db-{name}.test:{pg.port()}" for name in SIX]
    agents = {family: Agent(cluster_text("orders", members, NAME, also=f"    max_switches: 0\n    family: {family}\n"))
              for family in (4, 6)}
    for family, agent in agents.items():
        agent.start()
        agent.wait_writer("orders", members[0])
        equal(sorted(agent.resolve(NAME)), sorted([pg.address("a"), SIX["a"]]))
        resolve_prints_what_programs_get_first(agent)
        all_reach("a", agent, family)
        all_reach("a", agent, 10 - family)
    pg.kill("a")
    pg.promote("b")
    for family, agent in agents.items():
        agent.wait_writer("orders", members[1])
        all_reach("b", agent, family)
    without_an_address_status_and_resolve_agree(agents[4], members)


def without_an_address_status_and_resolve_agree(agent, members):
    """Programs ask the real resolver then, though the writer is known."""
    agent.write(cluster_text("orders", members, NAME, also="    allowed_networks: [192.0.2.0/24]\n"))
    agent.ok("reload")
    eventually(lambda: agent.resolve(NAME) is None, "there is no answer")
    eventually(lambda: "no_address" in [w["warning"] for w in agent.cluster("orders")["warnings"]], "status says why")
    equal(agent.ctl("status").returncode, 1)


main()
