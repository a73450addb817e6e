#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""W7: connections that programs made while homing was not looking (before the agent ran, in mode names, before a reload
added the name) are severed at a failover, if the programs have looked any name up since. One that has not is not
reached, and is counted."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import BUILD, Agent, cluster_of, demote, own_hosts, own_namespaces, pair  # noqa: E402
from tap import cleanups, equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
own_namespaces("--mount")
NAME, ADDED = "orders-db.absent.test", "orders-db2.absent.test"
pg = pair()
A, B = pg.address("a"), pg.address("b")
own_hosts({NAME: A, ADDED: A})  # what DNS says
agent = Agent(cluster_of(pg, NAME))
programs = {}


class Holder:
    """holder.py, under the shim."""

    def __init__(self, host, homing=True):
        run = [os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--"] if homing else []
        self.process = subprocess.Popen([*run, "/usr/bin/python3", "-B", os.path.join(HERE, "holder.py"), host, pg.port()],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        cleanups.append(self.end)
        equal(self.process.stdout.readline().strip(), A)

    def say(self, word):
        self.process.stdin.write(word + "\n")
        return self.process.stdout.readline().split(None, 2)[:2]

    def end(self):
        self.process.kill()
        self.process.wait()


def handed_over():
    return agent.status()["severing"]["processes"]


def looks(which, count):
    """So many have handed over once this one has looked a name up."""
    equal(handed_over(), count - 1)
    eventually(lambda: programs[which].say("look")[0] == "looked" and handed_over() == count, which + " has handed over")


@test
def what_connected_before_the_agent_ran_hands_over_at_its_next_lookup():
    programs["early"], programs["silent"] = Holder(NAME), Holder(NAME)
    agent.start()
    agent.wait_writer("orders", pg.member("a"))
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    looks("early", 1)


@test
def what_connected_in_mode_names_hands_over_when_the_mode_is_sever():
    agent.ok("mode", "orders", "names")
    programs["names"] = Holder(NAME)
    equal(programs["names"].say("look")[0], "looked")
    equal(handed_over(), 1)
    agent.ok("mode", "orders", "default")
    looks("names", 2)


@test
def what_connected_before_a_reload_added_the_name_hands_over_afterwards():
    programs["added"] = Holder(ADDED)
    equal(programs["added"].say("look")[0], "looked")
    agent.write(cluster_of(pg, NAME + ", " + ADDED))
    agent.ok("reload")
    looks("added", 3)


@test
def who_has_made_no_call_is_named_among_the_connections_and_so_is_who_has_no_homing():
    """Beside them there is the standby's own connection."""
    stranger = Holder(A, homing=False)
    equal({(row["pid"], row["endpoint"], row["member"]) for row in agent.json("connections")["untagged"]},
          {(0, None, pg.member("a"))})
    rows = [row.split(None, 6) for row in agent.ok("connections").splitlines() if "untagged:" in row]
    why = {int(row[0]): (row[2], row[4], row[6].strip()) for row in rows}
    for holder, reason in ((programs["silent"], "no call since homing looks, or not by a name, or not by libc"), (stranger, "without homing")):
        equal(why[holder.process.pid], ("python3", pg.member("a"), "untagged: " + reason))
    for which in ("early", "names", "added"):
        assert programs[which].process.pid not in why, which
    stranger.end()


@test
def a_failover_severs_all_of_them_but_not_who_made_no_call():
    demote(pg, "a", "b")
    agent.wait_writer("orders", pg.member("b"))
    severed = eventually(lambda: agent.log("severed"), "it is logged")[0]  # a spread of 50 ms lies before it
    for which in ("early", "names", "added"):
        equal((which, programs[which].say("ask")), (which, ["anew", B]))
    equal(programs["silent"].say("ask"), [A])
    equal((severed["severed"], severed["untagged"] >= 1), (3, True))


@test
def who_looks_a_name_up_only_then_is_severed_a_moment_later():
    """Long after the first orders it would be the same: that it is told late makes homingd repeat them."""
    equal(programs["silent"].say("look")[0], "looked")
    eventually(lambda: programs["silent"].say("ask") == ["anew", B], "it is severed")


main()
