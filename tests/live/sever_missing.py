#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whose permits were lost with a homing-sever is known across restarts of homingd: by its file, `missing`."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
import homing  # noqa: E402
from homing import Agent, cluster_of, pair  # noqa: E402
from tap import cleanups, equal, eventually, main, test  # noqa: E402
from sever import Sever, need_root  # noqa: E402

need_root()
NAME = "orders-db.invalid"
pg = pair()


class Watcher(Agent):
    """It may not start a homing-sever of its own."""

    def spawn(self, *args, env=None, before=()):
        return super().spawn(*args, env=env, before=[*before, "setpriv", "--bounding-set=-net_admin"])


agent = Watcher(cluster_of(pg, NAME))
sever = Sever(agent.base)
cleanups.append(sever.kill_at_once)
FILE = os.path.join(agent.base, "state/missing")


class Holder(homing.Holder):
    def __init__(self):
        super().__init__(NAME, pg.port(), agent)
        equal(self.first, pg.address("a"))

    def once(self):
        """One more connection."""
        self.process.stdin.write("once\n")
        equal(self.process.stdout.readline().strip(), pg.address("a"))

    def hand_over(self):
        """It does so at a connection after it has found the agent that runs now, which takes up to a second."""
        def done():
            self.once()
            return self.process.pid not in agent.status()["severing"]["lost_pids"]
        eventually(done, "it has handed over")


def alarms(of=None):
    return [alarm["alarm"] for alarm in (of or agent.status())["alarms"]]


def first_status(*args):
    """What a new agent says when it is asked for the first time."""
    agent.spawn(*args)
    process = agent.process
    cleanups.append(lambda: (process.kill(), process.wait()))
    return eventually(lambda: agent.answers() and agent.status(), "an answer of the agent")


def holds(count):
    eventually(lambda: agent.status()["severing"]["processes"] == count, f"{count} permits are held")


def is_missing(said, holders):
    equal(alarms(said), ["permits_lost"])
    equal(said["severing"]["lost"], len(holders))
    equal(sorted(said["severing"]["lost_pids"]), sorted(one.process.pid for one in holders))
    done = agent.ctl("status")
    assert done.returncode == 1 and "all well" not in done.stdout, done.stdout
    assert f"the permits of {len(holders)} running program" in done.stdout, done.stdout


def is_well():
    eventually(lambda: not alarms(), "no alarm")
    eventually(lambda: not os.path.exists(FILE), "no file says that anybody is missing")
    assert "all well" in agent.ok("status")


@test
def nothing_is_on_disk_while_nobody_is_missing():
    global holders
    sever.start()
    agent.start()
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    holders = [Holder() for _ in range(4)]
    holds(4)
    is_well()


@test
def who_is_missing_is_known_to_the_next_agents_first_status_however_the_one_before_ended():
    sever.kill_at_once()
    eventually(lambda: alarms() == ["permits_lost"], "that is an alarm")
    for end in (agent.kill, agent.stop):
        end()
        said = first_status()
        is_missing(said, holders)
        equal(len(agent.log("permits_complete")), 0)
    assert "start it, as root" not in said["alarms"][0]["text"], said  # it may be about to answer
    eventually(lambda: "start it, as root, with: " in agent.ctl("status").stdout, "it says what to start")
    assert f"pid {min(one.process.pid for one in holders)}" in agent.ctl("status").stdout, agent.ctl("status").stdout


@test
def who_has_ended_meanwhile_is_not_and_a_new_homing_sever_alone_mends_nothing():
    agent.kill()
    holders.pop().end()
    sever.start()
    is_missing(first_status(), holders)
    eventually(lambda: agent.status()["severing"]["available"], "severing is available again")
    is_missing(agent.status(), holders)
    equal(agent.log("permits_complete"), [])


@test
def an_agent_that_takes_over_knows_it_and_the_end_of_the_other_one_changes_nothing():
    before = agent.process
    is_missing(first_status("--takeover"), holders)
    before.terminate()
    equal(before.wait(), 0)
    agent.kill()  # what the file says now is what the next one knows
    is_missing(first_status(), holders)


@test
def each_is_struck_off_when_it_hands_over_and_then_nothing_is_on_disk():
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    holders[0].hand_over()
    equal(agent.status()["severing"]["lost"], 2)
    agent.kill()
    is_missing(first_status(), holders[1:])
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    for one in holders[1:]:
        one.hand_over()
    is_well()
    holds(3)


@test
def what_is_held_when_homingd_ends_is_not_missing_if_it_is_held_afterwards():
    raised = len(agent.log("permits_lost"))
    agent.stop()
    assert os.path.exists(FILE)
    agent.start()
    holds(3)
    is_well()
    equal(len(agent.log("permits_lost")), raised)


@test
def an_agent_that_was_replaced_leaves_no_list_behind():
    before = agent.process
    first_status("--takeover")
    holds(3)
    before.terminate()
    equal(before.wait(), 0)
    assert not os.path.exists(FILE)
    is_well()


@test
def what_goes_with_a_homing_sever_while_homingd_is_away_is_missing_too():
    raised = len(agent.log("permits_lost"))
    agent.stop()
    sever.kill_at_once()
    sever.start()
    agent.start()
    eventually(lambda: alarms() == ["permits_lost"], "that is an alarm")
    is_missing(agent.status(), holders)
    equal(len(agent.log("permits_lost")), raised + 1)
    agent.wait_writer("orders", pg.member("a"))
    for one in holders:
        one.hand_over()
    is_well()


@test
def a_file_that_makes_no_sense_is_said_and_ignored():
    agent.kill()
    with open(FILE, "w", encoding="utf-8") as out:
        out.write("homing-missing 1\nmissing 1 1\n")
    agent.start()
    holds(3)
    equal([line["state_dir"] for line in agent.log("state_unreadable")], [os.path.dirname(FILE)])
    assert os.path.exists(FILE + ".corrupt")
    is_well()
    for one in holders:
        one.end()
    agent.stop()


main()
