#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""proto/PROTOCOL.md is true: clients that know nothing else resolve, attach, and read the view."""
import fcntl
import os
import re
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../support"), HERE]
sys.dont_write_bytecode = True
import client  # noqa: E402
from homing import SRC, Agent, cluster_text, own_hosts, own_namespaces, pair  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402
from view import View, canonical, name_hash  # noqa: E402

own_namespaces("--mount")
pg = pair()
HOST = {"a": "node-a.internal", "b": "node-b.internal"}
A, B = ("%s:%s" % (HOST[node], pg.port()) for node in HOST)
own_hosts({HOST["a"]: pg.address("a"), "official-b.internal " + HOST["b"]: pg.address("b")})
PAGE = open(os.path.join(SRC, "proto/PROTOCOL.md")).read()

agent = Agent(cluster_text("orders", [A, B], "orders-db, orders-db.internal", "orders-ro.internal"))
admin = os.path.join(agent.base, "run-admin/admin.sock")


def documented(section):
    """The keys in the first column of the tables of one section."""
    part = re.split(r"^##+ ", PAGE, flags=re.M)
    rows = re.findall(r"^\| (`.*?) \|", next(p for p in part if p.startswith(section)), flags=re.M)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


STATES = [(state, False) for state in ("steady", "suspect")]  # on a busy machine the writer is late now and then


@test
def the_hashes_of_the_page_are_what_its_formula_says():
    vectors = re.findall(r"^\| `(\S+)` \| (\d+) \| `([0-9a-f]{16})` \|", PAGE, flags=re.M)
    assert len(vectors) >= 7, vectors
    for name, length, value in vectors:
        equal((len(canonical(name)), "%016x" % name_hash(name)), (int(length), value))


@test
def a_client_of_thirty_lines_resolves():
    agent.start()
    agent.wait_writer("orders", A)
    env = dict(os.environ, HOMING_SOCKET=agent.socket)
    done = subprocess.run([sys.executable, os.path.join(HERE, "client.py"), "ORDERS-db.internal."],
                          env=env, capture_output=True, text=True)
    equal(done.returncode, 0)
    assert repr(pg.address("a")) in done.stdout, done.stdout
    error, answer = client.call(agent.socket, "resolve", "orders-db.internal")
    equal(error, None)
    equal((answer["addresses"], answer["port"]), ([pg.address("a")], int(pg.port())))
    assert (answer["state"], answer["stale"]) in STATES, answer


@test
def an_unmanaged_name_is_not_found():
    error, answer = client.call(agent.socket, "resolve", "unheard-of.example")
    equal((error["code"], answer), ("not_found", None))


@test
def the_keys_of_resolve_and_status_are_those_of_the_page():
    equal(set(client.call(agent.socket, "resolve", "orders-db")[1]), documented("`resolve`"))
    status = client.call(admin, "status")[1]
    (cluster,) = status["clusters"]
    equal(set(status) | set(cluster) | set(cluster["members"][0]), documented("`status`"))


@test
def the_other_methods_reply_with_the_keys_of_the_page():
    """All of them stand in the text of section 7, as "key" or as `key`."""
    part = PAGE[PAGE.index("## 7"):PAGE.index("## 8")]
    named = set(re.findall(r'["`](\w+)["`]', part))
    agent.ok("freeze", "orders")
    for method, *params in (("version",), ("explain", "orders-db"), ("explain", "orders"), ("history",),
                            ("history", "orders"), ("mode", "orders", "off"), ("mode", "orders", "default"),
                            ("unfreeze", "orders"), ("reload",)):
        error, answer = client.call(admin, method, *params)
        equal(error, None)
        for entry in answer if isinstance(answer, list) else [answer]:
            assert entry and set(entry) <= named, (method, set(entry) - named)
    error, _ = client.call(admin, "unfreeze", "orders")
    equal(error["code"], "conflict")
    explained = client.call(admin, "explain", "orders-db")[1]["name"]
    assert set(explained) | set(explained["layers"]) <= named, explained
    agent.wait_writer("orders", A)


@test
def the_reply_to_attach_has_its_values_at_fixed_places():
    view = View(agent.socket)
    equal(len(view.reply), 59)
    equal(view.file_size, view.size)
    equal(view.seals & fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_SHRINK)
    equal(struct.unpack_from(">I", view.reply, 12)[0], 2)
    equal([view.word(at) for at in (0, 16, 24)], [0x0077656976676d68, view.size, view.instance])
    equal(view.word(8) >> 32, 2)


@test
def the_view_says_what_resolve_says():
    view = View(agent.socket)
    for name in ("orders-db", "Orders-DB.internal.", "orders-ro.internal"):
        answer, said = view.read(name), client.call(agent.socket, "resolve", name)[1]
        equal((answer.text4, answer.port), (pg.address("a"), said["port"]))
        equal(answer.generation, said["generation"])
        equal(("writer", "reader")[answer.role], said["role"])
        equal((None, "off", "observe", "names", "connect", "sever")[answer.mode], said["mode"])
        assert answer.state in (1, 2), answer.state
        equal((answer.family, answer.hold_ms, answer.max_stale_ms), (4, 2000, 30000))
        assert answer.endpoint == name_hash(said["endpoint"])
        assert 0 < answer.confirmed_ms <= time.monotonic_ns() // 1000000
    equal(view.read("unheard-of.example"), None)


@test
def the_view_has_the_official_name_of_each_members_host():
    view = View(agent.socket)
    assert view.word(144) >= 2
    equal(view.officials(view.read("orders-db").cluster), ["node-a.internal", "official-b.internal"])
    members = client.call(admin, "status")[1]["clusters"][0]["members"]
    equal([member["official"] for member in members], ["node-a.internal", "official-b.internal"])


@test
def the_view_follows_a_promotion_and_names_the_demoted():
    view = View(agent.socket)
    before = view.read("orders-db").generation
    beat = view.word(64)
    pg.kill("a")
    pg.promote("b")
    eventually(lambda: view.read("orders-db").text4 == pg.address("b"), "the view names b")
    equal(view.read("orders-db").generation, before + 1)
    eventually(lambda: view.word(64) > beat, "the heart beats")
    flags = {text: flags for _, _, flags, _, text in view.addresses(view.read("orders-db").cluster)}
    equal((flags[pg.address("a")] & 7, flags[pg.address("b")] & 5), (4, 1))
    first = next(view.addresses(0))
    equal(first[0], socket.inet_aton(pg.address("b")).ljust(16, b"\0"))
    equal((first[1], first[3], first[4]), (4, int(pg.port()), pg.address("b")))


@test
def a_stopped_agent_says_that_its_view_is_retired():
    view = View(agent.socket)
    equal(view.word(72), 0)
    equal(agent.stop(), 0)
    assert view.word(72) != 0


main()
