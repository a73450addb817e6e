#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""homingd follows a real promotion, remembers it across restarts, and takes orders."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import Agent, cluster_text, pair  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402

pg = pair()
A, B = pg.member("a"), pg.member("b")

CLUSTERS = cluster_text("orders", [A, B], "orders-db, orders-db.internal", "orders-ro.internal",
                        also="    mode: connect\n")
agent = Agent(CLUSTERS)


def generation():
    return agent.cluster("orders")["endpoints"][0]["generation"]


@test
def an_agent_finds_the_writer_and_answers_with_its_address():
    agent.start()
    agent.wait_writer("orders", A)
    equal(agent.resolve("orders-db"), [pg.address("a")])
    equal(agent.resolve("ORDERS-DB.internal."), [pg.address("a")])
    equal(agent.cluster("orders")["term"], "1")


@test
def a_reader_endpoint_answers_with_the_standby():
    eventually(lambda: agent.resolve("orders-ro.internal") == [pg.address("b")], "b serves readers")


@test
def a_name_that_is_only_near_is_named_and_refused():
    done = agent.ctl("resolve", "orders-db.default.svc")
    equal(done.returncode, 1)
    assert "orders-db" in done.stderr and "search suffixes" in done.stderr, done.stderr
    # Eight bytes: the canonical form fills its words, and nothing comes behind it.
    assert "orders-db" in agent.ctl("resolve", "ORDERS-D").stderr, agent.ctl("resolve", "ORDERS-D").stderr
    equal(agent.ctl("resolve", "unheard-of.example").returncode, 1)


@test
def the_endpoint_follows_a_promotion():
    before = generation()
    pg.kill("a")
    pg.promote("b")
    agent.wait_writer("orders", B)
    equal(agent.resolve("orders-db"), [pg.address("b")])
    equal(agent.cluster("orders")["term"], "2")
    equal(generation(), before + 1)


@test
def the_log_says_who_when_and_why():
    said = agent.log("writer_changed")[-1]
    equal((said["from"], said["to"], said["term"]), (A, B, "2"))
    assert B in said["evidence"] and "term 2" in said["evidence"], said
    assert said["answer_ms"] >= 0 and said["publish_ms"] >= 0, said
    equal((agent.log("answer_changed")[-1]["text4"], agent.log("answer_changed")[-1]["generation"]),
          (pg.address("b"), generation()))
    assert any(e["event"] == "writer_changed" and B in e["text"] for e in agent.json("history"))


@test
def term_and_generation_survive_a_clean_restart():
    before = generation()
    equal(agent.stop(), 0)
    assert not os.path.exists(agent.socket)
    agent.start()
    agent.wait_writer("orders", B)
    equal((agent.cluster("orders")["term"], generation()), ("2", before))


@test
def term_and_generation_survive_kill_9():
    before = generation()
    agent.kill()
    agent.start()
    agent.wait_writer("orders", B)
    equal((agent.cluster("orders")["term"], generation()), ("2", before))


@test
def a_restarted_agent_publishes_what_it_knew_while_the_database_is_silent():
    agent.kill()
    pg.freeze("b")
    agent.start()
    equal(agent.cluster("orders")["state"], "suspect")
    equal(agent.resolve("orders-db"), [pg.address("b")])
    pg.thaw("b")
    agent.wait_writer("orders", B)


@test
def the_old_writer_comes_back_as_a_reader_and_is_known_as_demoted():
    pg.rejoin("a", "b")
    eventually(lambda: agent.member("orders", A)["reader"], "a serves readers")
    equal(agent.member("orders", A)["demoted"], True)
    equal(agent.cluster("orders")["writer"], B)
    eventually(lambda: agent.ctl("status").returncode == 0, "status exits 0")


@test
def two_agents_that_overlap_in_a_rollout_agree():
    young = Agent("", base=agent.base)
    young.write(CLUSTERS)
    young.spawn("--takeover")
    eventually(lambda: young.status()["pid"] == young.process.pid, "the younger one answers")
    pg.kill("b")
    pg.promote("a")
    young.wait_writer("orders", A)
    eventually(lambda: agent.log("writer_changed")[-1]["to"] == A, "the older one has moved too")
    equal(agent.stop(), 0)
    after = young.cluster("orders")
    equal((after["writer"], after["term"]), (A, "3"))
    agent.process = young.process
    agent.log_path = young.log_path
    pg.rejoin("b", "a")


@test
def a_mode_ordered_by_the_operator_holds_across_restarts_until_default():
    agent.ok("mode", "orders", "off")
    equal(agent.cluster("orders")["endpoints"][0]["mode"], "off")
    agent.kill()
    agent.start()
    equal(agent.cluster("orders")["mode"], "off")
    agent.ok("mode", "orders", "default")
    equal(agent.cluster("orders")["endpoints"][0]["mode"], "connect")
    equal(agent.cluster("orders")["mode"], None)


@test
def what_is_no_mode_is_refused():
    equal(agent.ctl("mode", "orders", "sideways").returncode, 2)


@test
def a_frozen_cluster_does_not_follow_until_it_is_unfrozen():
    agent.ok("freeze", "orders")
    equal(agent.cluster("orders")["state"], "frozen")
    pg.kill("a")
    pg.promote("b")
    eventually(lambda: agent.member("orders", B)["role"] == "writer", "b claims")
    equal(agent.cluster("orders")["writer"], A)
    agent.kill()
    agent.start()
    equal(agent.cluster("orders")["frozen"], True)
    eventually(lambda: agent.member("orders", B)["role"] == "writer", "b claims")
    equal(agent.cluster("orders")["writer"], A)
    agent.ok("unfreeze", "orders")
    agent.wait_writer("orders", B)
    equal(agent.ctl("unfreeze", "orders").returncode, 1)


@test
def explain_names_the_rule_and_the_evidence():
    text = agent.ok("explain", "orders-db")
    for word in ("W3: ", B, "generation", "answers the writer", "would change if"):
        assert word in text, text


@test
def explain_of_a_reader_endpoint_names_the_readers():
    pg.rejoin("a", "b")
    eventually(lambda: agent.json("explain", "orders-ro.internal")["name"]["addresses"] == [pg.address("a")],
               "a serves readers")
    equal(agent.json("explain", "orders-db")["name"]["addresses"], [pg.address("b")])


@test
def an_order_is_audited():
    orders = [line["order"] for line in agent.log("order")]
    assert "freeze" in orders and "mode off" in orders, orders
    assert all(line["uid"] == os.getuid() for line in agent.log("order"))


main()
