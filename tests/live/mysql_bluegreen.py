#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A blue/green deployment of RDS for MySQL, with MariaDB servers that have a table mysql.rds_topology: the green one replicates
from the blue one until the switchover. No real RDS has confirmed it."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, Agent, directory, own_hosts, own_namespaces  # noqa: E402
from tap import cleanups, equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
from mariadb import PASSWORD, MariaDB  # noqa: E402

NAME, READERS, DOMAIN = "orders-db.invalid", "orders-ro.invalid", "abc.test"
HOSTS = {"a": f"orders.{DOMAIN}", "b": f"orders-green-abc123.{DOMAIN}"}
db = MariaDB()
db.init("a")
db.clone("b", "a")
own_hosts({host: db.address(name) for name, host in HOSTS.items()})


def text(*names):
    members = ", ".join(f'"{HOSTS[name]}:{db.port}"' for name in names)
    return f"""
  - name: orders
    engine: mysql
    members: [{members}]
    connection: "user=homing tls=off"
    password_file: {db.file("pw", PASSWORD + chr(10))}
    endpoints: [{{names: [{NAME}], role: writer}}, {{names: [{READERS}], role: reader}}]
"""


agent = Agent(text("a", "b"), base=directory())


def of():
    return agent.cluster("orders")


def member(name):
    return agent.member("orders", f"{HOSTS[name]}:{db.port}")


def alarms():
    return [line["alarm"] for line in agent.log("alarm_raised")]


def deployment(name, status, renamed=False):
    """The rows that this server has; they are its own, and not replicated."""
    blue, green = (f"orders-old1.{DOMAIN}", HOSTS["a"]) if renamed else (HOSTS["a"], HOSTS["b"])
    rows = [f"('{i}', '{host}', {db.port}, 'BLUE_GREEN_DEPLOYMENT_{role}', '{status}', '1.0')"
            for i, (host, role) in enumerate(((blue, "SOURCE"), (green, "TARGET")))]
    db.sql(name, f"SET sql_log_bin = 0; DELETE FROM mysql.rds_topology; INSERT INTO mysql.rds_topology VALUES {', '.join(rows)}")


def both(status, **how):
    for name in "ba":
        deployment(name, status, **how)


def is_blue():
    equal((of()["writer"], of()["state"]), (f"{HOSTS['a']}:{db.port}", "steady"))
    equal(agent.resolve(NAME), [db.address("a")])


@test
def a_server_without_the_table_is_as_any_other():
    agent.start()
    agent.wait_writer("orders", f"{HOSTS['a']}:{db.port}")
    eventually(lambda: agent.resolve(READERS) == [db.address("b")], "the replica serves")
    equal((member("a")["phase"], alarms()), (None, []))


@test
def W4a_a_green_server_is_no_reader_once_the_writer_names_it():
    agent.stop()
    db.sql("a", """CREATE TABLE mysql.rds_topology (id VARCHAR(64), endpoint VARCHAR(255), port INT, role VARCHAR(64),
status VARCHAR(64), version VARCHAR(16)); GRANT SELECT ON mysql.rds_topology TO homing""")
    db.catch_up("b", "a")
    both("AVAILABLE")
    agent.start()
    eventually(lambda: member("b").get("deployment") == "green", "the writer names it")
    eventually(lambda: agent.resolve(READERS) == [db.address("a")], "and it reads for nobody")
    is_blue()


def warnings():
    return {line["warning"]: line["text"] for line in of()["warnings"]}


@test
def W4a_a_green_server_that_is_no_member_is_told_of_by_the_agent_and_the_doctor():
    agent.write(text("a"))
    agent.ok("reload")
    eventually(lambda: "green_no_member" in warnings(), "a warning names it")
    says = f"names {HOSTS['b']}:{db.port} as the green server of a blue/green deployment, which is no member"
    assert says in warnings()["green_no_member"], warnings()
    done = subprocess.run([os.path.join(BUILD, "homingd"), "--doctor", agent.config], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and says in done.stdout, done.stdout
    deployment("a", "SWITCHOVER_IN_PROGRESS")
    db.sql("a", "SET GLOBAL read_only = ON")
    eventually(lambda: of()["reason"] == "switchover", "its switchover is waited for all the same")
    equal(alarms(), [])
    db.sql("a", "SET GLOBAL read_only = OFF")
    deployment("a", "AVAILABLE")
    eventually(lambda: of()["state"] == "steady" and member("a")["phase"] == "available", "it is rolled back")
    agent.write(text("a", "b"))
    agent.ok("reload")
    eventually(lambda: "green_no_member" not in warnings() and member("b")["deployment"] == "green", "it is one again")
    is_blue()


@test
def W4a_what_the_green_server_says_moves_nothing_and_a_rollback_neither():
    deployment("b", "SWITCHOVER_COMPLETED")
    eventually(lambda: member("b")["phase"] == "completed", "it says so")
    is_blue()
    both("SWITCHOVER_IN_PROGRESS")
    db.sql("a", "SET GLOBAL read_only = ON")
    eventually(lambda: of()["reason"] == "switchover", "it is waited for")
    db.sql("a", "SET GLOBAL read_only = OFF")
    both("AVAILABLE")
    eventually(lambda: of()["state"] == "steady" and member("a")["phase"] == "available", "it is rolled back")
    is_blue()
    equal(alarms(), [])


@test
def W4a_the_writers_word_hands_over_to_the_green_server():
    both("SWITCHOVER_INITIATED")
    eventually(lambda: member("a")["phase"] == "initiated", "it begins")
    both("SWITCHOVER_IN_PROGRESS")
    db.sql("a", "SET GLOBAL read_only = ON")
    db.catch_up("b", "a")
    db.promote("b")
    eventually(lambda: member("b")["role"] == "writer", "the green one takes writes")
    equal((of()["writer"], of()["reason"]), (f"{HOSTS['a']}:{db.port}", "switchover"))
    both("SWITCHOVER_IN_POST_PROCESSING", renamed=True)
    agent.wait_writer("orders", f"{HOSTS['b']}:{db.port}")
    equal((of()["reason"], agent.resolve(NAME), alarms()), ("handed_over", [db.address("b")], []))
    equal(member("a")["deployment"], "left_behind")


@test
def W4a_the_old_server_is_never_followed_again():
    both("SWITCHOVER_COMPLETED", renamed=True)
    db.sql("a", "SET GLOBAL read_only = OFF; SET sql_log_bin = 0; DELETE FROM mysql.rds_topology")
    eventually(lambda: "second_writer" in alarms(), "it claims")
    db.freeze("b")
    cleanups.append(lambda: db.thaw("b"))
    eventually(lambda: member("b").get("error"), "the writer is silent for long")
    equal((of()["writer"], agent.resolve(NAME)), (f"{HOSTS['b']}:{db.port}", [db.address("b")]))
    db.thaw("b")
    agent.wait_writer("orders", f"{HOSTS['b']}:{db.port}")
    agent.stop()
    agent.start()
    agent.wait_writer("orders", f"{HOSTS['b']}:{db.port}")
    equal(agent.resolve(NAME), [db.address("b")])


cleanups.append(agent.stop)
main()
