#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A blue/green deployment of Aurora MySQL, with stand-ins (tests/support/aurora_mysql.py) that play the statuses as AWS's
own drivers know them; no real Aurora has confirmed it. Both clusters say the same identity. Writes are blocked on the blue
writer while innodb_read_only stays 0, and names follow long after the green one takes writes."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import SRC, Agent, own_namespaces  # noqa: E402
from tap import cleanups, equal, eventually, main, say, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
from aurora import DOMAIN, PASSWORD, SEED, Aurora  # noqa: E402
from mariadb import Holder  # noqa: E402

NAME, READERS = "orders-db.invalid", "orders-ro.invalid"
BLUE, GREEN = ("a", "b"), ("a-green-abc123", "b-green-abc123")
SOURCE, TARGET = "BLUE_GREEN_DEPLOYMENT_SOURCE", "BLUE_GREEN_DEPLOYMENT_TARGET"
IN_PROGRESS, POST, COMPLETED = "SWITCHOVER_IN_PROGRESS", "SWITCHOVER_IN_POST_PROCESSING", "SWITCHOVER_COMPLETED"
db = Aurora(*BLUE, *GREEN)
agent = Agent(f"""
  - name: orders
    engine: aurora-mysql
    seeds: ["{SEED}:{db.port}"]
    host_patterns: ["?.{DOMAIN}"]
    connection: "user=homing tls=off"
    password_file: {db.password_file}
    endpoints: [{{names: [{NAME}], role: writer}}, {{names: [{READERS}], role: reader}}]
""")


def deployment(status, version="1.0", renamed=False):
    """The rows that both clusters have. `renamed`: names are exchanged."""
    blue, green = [f"{name}-old1" for name in BLUE] if renamed else BLUE, BLUE if renamed else GREEN
    of = [(f"orders{'-old1' * renamed}.cluster-{DOMAIN}", SOURCE), *((f"{name}.{DOMAIN}", SOURCE) for name in blue),
          (f"orders{'' if renamed else '-green-abc123'}.cluster-{DOMAIN}", TARGET), *((f"{name}.{DOMAIN}", TARGET) for name in green)]
    return [f"topology {host} {db.port} {role} {status} {version}" for host, role in of]


def cluster(names, *lines):
    """What the servers of one side say: its first one writes."""
    rows = [f"row {name} {'MASTER_SESSION_ID' if name == names[0] else 'reader-' + name} 0.2" for name in names]
    for name in names:
        db.say(*rows, "open " + names[0], *lines, of=name)


def both(status, *blocked, **how):
    """The green side first: what it says alone moves nothing."""
    cluster(GREEN, *deployment(status, **how), *(["blocked " + GREEN[0]] if status != POST else []))
    cluster(BLUE, *deployment(status, **how), *blocked)


def of():
    return agent.cluster("orders")


def member(name):
    return agent.member("orders", db.member(name))


def alarms():
    return {alarm["alarm"] for alarm in of()["alarms"]}


def shown(word="status"):
    return agent.ctl(word, "orders").stdout


def is_blue():
    equal((of()["writer"], of()["state"], alarms()), (db.member("a"), "steady", set()))
    equal(agent.resolve(NAME), [db.address("a")])


@test
def green_servers_are_members_and_neither_rivals_nor_readers():
    both("AVAILABLE")
    agent.start()
    agent.wait_writer("orders", db.member("a"))
    eventually(lambda: {m["member"] for m in of()["members"]} == {db.member(name) for name in (*BLUE, *GREEN)}, "all are members")
    eventually(lambda: member(GREEN[0])["role"] == "writer" and member(GREEN[1])["role"] == "reader", "the green ones answer")
    eventually(lambda: agent.resolve(READERS) == [db.address("b")], "the blue reader serves")
    is_blue()
    equal([line for line in agent.log("alarm_raised")], [])


@test
def a_version_that_is_not_known_is_ignored_with_an_alarm():
    both(POST, version="2.0")
    eventually(lambda: "deployment_unknown" in alarms(), "an alarm")
    equal(of()["writer"], db.member("a"))
    both("AVAILABLE")
    eventually(lambda: alarms() == set(), "it is known again")
    is_blue()


@test
def what_readers_and_green_servers_say_moves_nothing():
    cluster(GREEN, *deployment(COMPLETED))
    db.say(*[f"row {n} {'MASTER_SESSION_ID' if n == 'a' else 'reader'} 0.2" for n in BLUE], *deployment(POST), of="b")
    eventually(lambda: member("b")["phase"] == "post" and member(GREEN[0])["phase"] == "completed", "they say so")
    is_blue()
    both("AVAILABLE")


@test
def a_switchover_that_is_rolled_back_moves_nothing_and_raises_no_alarm():
    both("SWITCHOVER_INITIATED")
    eventually(lambda: member("a")["phase"] == "initiated", "it begins")
    both(IN_PROGRESS, "blocked a")
    eventually(lambda: member("a")["phase"] == "in_progress", "it is in progress")
    line = rf"blue/green: in progress for [0-9.]+ s, green: {db.member(GREEN[0])}, {db.member(GREEN[1])}\n"
    for word in ("status", "explain"):
        assert re.search(line, shown(word)), shown(word)
    db.freeze("a")
    eventually(lambda: of()["state"] == "suspect" and of()["warnings"], "the writer is silent for long")
    assert "promote none meanwhile" in of()["reason_text"] and "have another one promoted" not in shown(), shown()
    db.thaw("a")
    eventually(lambda: of()["state"] == "steady", "it is back")
    both("AVAILABLE")
    eventually(lambda: member("a")["phase"] == "available", "it is rolled back")
    is_blue()
    equal([line["alarm"] for line in agent.log("alarm_raised")], ["deployment_unknown"])


@test
def a_program_is_on_the_green_server_at_post_while_names_lead_to_the_blue_one():
    global holder
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    holder = Holder(NAME, db, agent, password=PASSWORD)
    equal((holder.first, holder.say("write")), (db.address("a"), db.address("a")))
    eventually(lambda: len(agent.json("connections")["connections"]) == 1, "its connection is known")
    both(IN_PROGRESS, "blocked a")
    eventually(lambda: member("a")["phase"] == "in_progress", "it is in progress")
    equal(holder.say("write"), "1290")
    equal((of()["writer"], alarms()), (db.member("a"), set()))
    both(POST, "blocked a", renamed=True)
    agent.wait_writer("orders", db.member(GREEN[0]))
    assert "handed over" in agent.log("writer_changed")[-1]["possible_loss"], agent.log("writer_changed")[-1]
    say("asked, answered and published after %(answer_ms)d and %(publish_ms)d ms" % agent.log("writer_changed")[-1])
    equal((of()["reason"], agent.resolve(NAME)), ("handed_over", [db.address(GREEN[0])]))
    eventually(lambda: holder.ask().split()[:2] == ["anew", db.address(GREEN[0])], "its connection was severed")
    equal((holder.say("write"), holder.say("stale")), 2 * (db.address(GREEN[0]),))
    eventually(lambda: agent.resolve(READERS) == [db.address(GREEN[1])], "the green reader serves")
    equal((of()["state"], alarms()), ("steady", set()))
    left = f"blue/green: post, left behind: {db.member('a')}, {db.member('b')}\n"
    eventually(lambda: left in shown(), "the new writer says so, too")


@test
def names_follow_and_what_was_left_behind_is_never_followed():
    with open("/etc/hosts", "a", encoding="ascii") as hosts:
        hosts.write("".join(f"{db.address(name)} {name}-old1.{DOMAIN}\n" for name in BLUE))
    both(COMPLETED, "blocked a", renamed=True)
    eventually(lambda: member(GREEN[0])["phase"] == "completed", "it is completed")
    cluster(GREEN, "topology")
    db.restart("a")  # now it takes writes again
    old = [name + "-old1" for name in BLUE]
    rows = [f"row {name} {'MASTER_SESSION_ID' if name == old[0] else 'reader-' + name} 0.2" for name in (*old, "a")]
    for name in BLUE:
        db.say(*[row.replace("a-old1", "a") if name == "a" else row for row in rows[:2]], "open a", "topology", of=name)
    eventually(lambda: "second_writer" in alarms(), "the old writer claims")
    equal((of()["writer"], of()["state"]), (db.member(GREEN[0]), "steady"))
    text = next(alarm["text"] for alarm in of()["alarms"] if alarm["alarm"] == "second_writer")
    assert f"the old cluster's server at {db.address('a')}:{db.port}, known as {db.member('a')}" in text, text
    assert "older term" not in text and "stop" not in text and "delete the old cluster" in text, text
    db.freeze(GREEN[0])
    eventually(lambda: of()["state"] in ("suspect", "ambiguous"), "the writer is silent")
    eventually(lambda: member(GREEN[0]).get("error"), "for long")
    equal((of()["writer"], agent.resolve(NAME)), (db.member(GREEN[0]), [db.address(GREEN[0])]))
    db.thaw(GREEN[0])
    agent.wait_writer("orders", db.member(GREEN[0]))
    equal([m["member"] for m in of()["members"] if "-old1" in m["member"]], [])
    equal(holder.say("write"), db.address(GREEN[0]))


@test
def a_restarted_agent_stays_with_the_green_server():
    agent.stop()
    agent.start()
    agent.wait_writer("orders", db.member(GREEN[0]))
    eventually(lambda: "second_writer" in alarms(), "the old writer still claims")
    equal(agent.resolve(NAME), [db.address(GREEN[0])])


def rename(green, name):
    """The green server has this name from now on."""
    address = db.address(green)
    db.address = lambda of, before=db.address: address if of == name else before(of)
    with open("/etc/hosts", encoding="ascii") as hosts:
        kept = [line for line in hosts if line.split()[1:2] not in ([f"{green}.{DOMAIN}"], [f"{name}.{DOMAIN}"])]
    with open("/etc/hosts", "w", encoding="ascii") as hosts:
        hosts.write("".join(kept) + f"{address} {name}.{DOMAIN}\n")


def renamed_cluster(writer):
    """What the two new servers say when one of them has its new name."""
    rows = [f"row {name} {'MASTER_SESSION_ID' if name == writer else 'reader-' + name} 0.2" for name in (GREEN[0], "b")]
    for name in (GREEN[0], "b"):
        db.say(*rows, "open " + writer, "topology", of=name)


@test
def an_old_name_that_leads_to_a_new_server_serves_readers_again():
    global old
    old = db.address("b")
    for name in ("b", GREEN[1]):
        db.kill(name)
    rename(GREEN[1], "b")
    renamed_cluster(GREEN[0])
    db.start("b")
    eventually(lambda: db.member(GREEN[1]) not in {m["member"] for m in of()["members"]}, "nobody names it by the other name", within=120)
    eventually(lambda: agent.resolve(READERS) == [db.address("b")], "the reader serves")
    equal((member("b").get("deployment"), member("b")["role"], of()["writer"]), (None, "reader", db.member(GREEN[0])))
    assert old != db.address("b"), old


@test
def a_failover_among_the_new_servers_is_followed_beside_an_old_writer_that_claims():
    assert "second_writer" in alarms(), alarms()
    renamed_cluster("b")
    agent.wait_writer("orders", db.member("b"))
    equal((of()["state"], of()["reason"], agent.resolve(NAME)), ("steady", "taken_over", [db.address("b")]))
    eventually(lambda: holder.ask().split()[:2] == ["anew", db.address("b")], "its connection was severed")
    agent.stop()
    agent.start()
    agent.wait_writer("orders", db.member("b"))
    eventually(lambda: "second_writer" in alarms(), "the old writer still claims")
    equal((agent.resolve(NAME), of()["state"]), ([db.address("b")], "steady"))


def leads(name, address):
    """What DNS says of it."""
    with open("/etc/hosts", encoding="ascii") as hosts:
        kept = [line for line in hosts if line.split()[1:2] != [f"{name}.{DOMAIN}"]]
    with open("/etc/hosts", "w", encoding="ascii") as hosts:
        hosts.write("".join(kept) + f"{address} {name}.{DOMAIN}\n")


@test
def an_old_answer_of_DNS_does_not_lead_the_writer_back_to_its_old_server():
    new, here = db.address("b"), db.address
    db.say("row old MASTER_SESSION_ID 0.2", "open old", "topology", of="old")
    db.address = lambda of: old if of == "old" else here(of)
    db.start("old")  # at the address that b has left, as no agent has seen it, and it takes writes
    eventually(lambda: [at for at in member("b")["places"] if at["role"] == "writer"], "it claims")
    leads("b", old)
    db.kill("b")
    ambiguous = eventually(lambda: [alarm for alarm in of()["alarms"] if alarm["alarm"] == "ambiguous"], "only the old ones claim")[0]
    assert "the old cluster's server at" in ambiguous["text"] and "accept" not in ambiguous["text"], ambiguous
    equal(ambiguous["command"], None)
    eventually(lambda: db.member("b") in {warning["member"] for warning in of()["warnings"]}, "the writer is gone for long")
    equal((of()["writer"], agent.resolve(NAME)), (db.member("b"), [new]))
    leads("b", new)
    db.start("b")
    eventually(lambda: of()["state"] == "steady", "the writer is back")
    equal(agent.resolve(NAME), [new])
    db.kill("old")


@test
def an_old_cluster_that_was_deleted_needs_nothing():
    db.kill("a")
    eventually(lambda: db.member("a") in {warning["member"] for warning in of()["warnings"]}, "a warning")
    text = next(warning["text"] for warning in of()["warnings"] if warning["member"] == db.member("a"))
    assert f"the old cluster's server at {db.address('a')}:{db.port}, known as {db.member('a')}" in text, text
    assert "that needs nothing" in text and "look whether" not in text, text
    refused = [warning["text"] for warning in of()["warnings"] if warning["warning"] == "member_refused"]
    assert all("that needs nothing" in text for text in refused), refused


@test
def without_what_was_saved_the_new_servers_have_their_new_names():
    """What homing.yaml(5) says to do at the end."""
    agent.stop()
    rename(GREEN[0], "a")
    with open("/etc/hosts", "a", encoding="ascii") as hosts:
        hosts.write(f"{db.address('a')} {SEED}\n")
    for name in list(db.processes):
        db.kill(name)
    for name in BLUE:
        db.forget(name)
        db.start(name)
    db.say(*[f"row {name} {'MASTER_SESSION_ID' if name == 'a' else 'reader-b'} 0.2" for name in BLUE], "open a", "topology")
    with open(os.path.join(SRC, "packaging/man/homing.yaml.5"), encoding="ascii") as page:
        removed = re.search(r"^rm (.*)", page.read(), re.MULTILINE)[1].split()
    state = os.path.join(agent.base, "state")
    equal({name for name in os.listdir(state) if name.startswith("orders")}, {os.path.basename(path) for path in removed})
    for path in removed:
        os.unlink(os.path.join(state, os.path.basename(path)))
    agent.start()
    agent.wait_writer("orders", db.member("a"))
    eventually(lambda: agent.resolve(READERS) == [db.address("b")], "the reader serves")
    equal(({m["member"] for m in of()["members"]}, agent.resolve(NAME), alarms()),
          ({db.member(name) for name in BLUE}, [db.address("a")], set()))
    assert "blue/green" not in shown(), shown()


cleanups.append(agent.stop)
main()
