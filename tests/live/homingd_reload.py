#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A reload is all or nothing, and leaves alone what did not change."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import PLAIN, Agent, cluster_text, pair  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402

pg = pair()
A, B = pg.member("a"), pg.member("b")


def cluster(name="orders", members=(A, B), names=None):
    return cluster_text(name, members, names, connection=PLAIN + " application_name=" + name)


def sessions(name):
    return pg.sql("a", "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity "
                       "WHERE application_name = '%s'" % name)


agent = Agent(cluster())


@test
def a_bad_configuration_leaves_the_old_one_and_names_the_place():
    agent.start()
    agent.wait_writer("orders", A)
    agent.write(cluster() + "    colour: blue\n    taste: sweet\n")
    done = agent.ctl("reload")
    equal(done.returncode, 1)
    first, second = done.stderr.splitlines()
    assert first.startswith("homingctl: " + agent.config + ":") and "colour" in first, done.stderr
    assert second.startswith(agent.config + ":") and "taste" in second, done.stderr
    equal(agent.resolve("orders-db"), [pg.address("a")])
    said = agent.log("reload_failed")[-1]
    assert "colour" in said["lines"] and said["error"] is None, said


@test
def a_file_that_is_gone_leaves_the_old_one_too():
    os.unlink(agent.config)
    equal(agent.ctl("reload").returncode, 1)
    equal(agent.resolve("orders-db"), [pg.address("a")])


@test
def directories_cannot_change_while_the_agent_runs():
    agent.write(cluster())
    with open(agent.config) as text:
        moved = text.read().replace("/state", "/elsewhere")
    with open(agent.config, "w") as out:
        out.write(moved)
    done = agent.ctl("reload")
    equal(done.returncode, 1)
    assert "restart" in done.stderr, done.stderr


@test
def a_new_cluster_comes_and_the_unchanged_one_keeps_its_sessions():
    before, instance = sessions("orders"), agent.status()["view"]["instance"]
    assert before
    agent.write(cluster() + cluster("bills"))
    agent.ok("reload")
    agent.wait_writer("bills", A)
    equal(agent.resolve("bills-db"), [pg.address("a")])
    equal(sessions("orders"), before)
    equal(agent.status()["view"]["instance"], instance)


@test
def a_pipe_in_the_configurations_place_is_refused_and_not_waited_for():
    os.rename(agent.config, agent.config + ".away")
    os.mkfifo(agent.config)
    done = agent.ctl("reload")
    equal((done.returncode, done.stderr), (1, "homingctl: %s: is not a regular file, and only those are read again: "
                                              "restart homingd\n" % agent.config))
    os.rename(agent.config + ".away", agent.config)
    agent.ok("reload")


@test
def a_sighup_reloads_too_and_a_name_can_move_and_go():
    agent.write(cluster(names="orders-db, orders-two") + cluster("bills", names="bills-two"))
    agent.process.send_signal(signal.SIGHUP)
    eventually(lambda: agent.resolve("orders-two") == [pg.address("a")], "the new name")
    eventually(lambda: agent.resolve("bills-two") == [pg.address("a")], "the changed name")
    equal(agent.ctl("resolve", "bills-db").returncode, 1)
    agent.write(cluster(names="orders-db, bills-two") + cluster("bills", names="orders-two"))
    agent.ok("reload")
    equal(agent.resolve("bills-two"), [pg.address("a")])
    equal(agent.resolve("orders-two"), [pg.address("a")])
    equal(agent.json("resolve", "orders-two")["cluster"], "bills")


@test
def a_changed_cluster_keeps_its_verdict_and_generation():
    before = agent.cluster("orders")
    agent.write(cluster() + "    interval: 300ms\n")
    agent.ok("reload")
    after = agent.cluster("orders")
    equal((after["writer"], after["term"]), (A, before["term"]))
    equal(after["endpoints"][0]["generation"], before["endpoints"][0]["generation"])
    equal(after["switches"], before["switches"])


@test
def a_removed_cluster_is_unmanaged():
    equal(agent.ctl("explain", "bills").returncode, 1)
    equal(agent.ctl("resolve", "bills-two").returncode, 1)
    eventually(lambda: not sessions("bills"), "its sessions are closed")


@test
def more_names_than_fit_come_in_a_new_view():
    instance = agent.status()["view"]["instance"]
    many = "".join(cluster("c%d" % i, names=", ".join("c%d-%d" % (i, n) for n in range(20)))
                   for i in range(12))
    agent.write(cluster() + many)
    agent.ok("reload")
    eventually(lambda: agent.resolve("c11-19") == [pg.address("a")], "the last name")
    equal(agent.resolve("orders-db"), [pg.address("a")])
    assert agent.status()["view"]["instance"] != instance


@test
def a_reload_that_removes_the_writer_is_ambiguous_and_hands_out_nobody_else():
    agent.write(cluster(members=[B]))
    agent.ok("reload")
    agent.wait_state("orders", "ambiguous")
    equal(agent.resolve("orders-db"), None)
    agent.write(cluster())
    agent.ok("reload")
    agent.wait_writer("orders", A)


@test
def a_hundred_reloads_lose_nothing():
    for i in range(100):
        agent.process.send_signal(signal.SIGHUP)
    agent.ok("reload")
    equal(agent.resolve("orders-db"), [pg.address("a")])


main()
