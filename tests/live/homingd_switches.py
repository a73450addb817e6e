#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many switches in a row with many clients, each with one quiet connection that is severed each time: nobody is
lost, and neither homingd nor homing-sever nor the clients get larger or keep descriptors.

HOMING_SWITCHES (20) is how many.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import BUILD, Agent, cluster_of, demote, pair, settle  # noqa: E402
from tap import cleanups, equal, eventually, main, test  # noqa: E402
from sever import need_root  # noqa: E402

need_root()
SWITCHES = int(os.environ.get("HOMING_SWITCHES", "20"))
CLIENTS = 20
WARM = 3  # switches after which everything has its size
HISTORY = 256  # entries of homingd's history: from then on a new one takes the place of the oldest
# Of one process after that: entries of the history that hold a switch are larger than those before, 2 KB each, and all
# together bounded. A leak of 1 KB per client and switch would be far more.
GROWTH_KB = 256
NAME = "orders-db.invalid"
pg = pair()
agent = Agent(cluster_of(pg, NAME))


class Client:
    """holder.py, under the shim."""

    def __init__(self):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", "--", "/usr/bin/python3", "-B",
             os.path.join(HERE, "holder.py"), NAME, pg.port()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        cleanups.append(lambda: (self.process.kill(), self.process.wait()))

    def said(self):
        return self.process.stdout.readline().split()[:2]

    def ask(self):
        self.process.stdin.write("ask\n")


def started():
    """A client, connected; another one, should the agent not have answered the first lookup in time."""
    one = Client()
    return one if one.said() == [pg.address("a")] else started()


def fill_history():
    for _ in range(HISTORY // 2):
        agent.ok("mode", "orders", "sever")
        agent.ok("mode", "orders", "default")


def size(pid):
    """(descriptors, KB of memory)"""
    with open("/proc/%d/status" % pid) as status:
        memory = next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))
    return len(os.listdir("/proc/%d/fd" % pid)), memory


def family(pid):
    """It and its children."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as children:
        return [pid, *map(int, children.read().split())]


def sizes(clients):
    """By name."""
    found = {"homingd": size(agent.process.pid)}
    found.update(("homing-sever %d" % n, size(pid)) for n, pid in enumerate(family(agent.status()["severing"]["pid"])))
    found.update(("client %d" % n, size(one.process.pid)) for n, one in enumerate(clients))
    return found


def switch(clients, old, new):
    demote(pg, old, new)
    agent.wait_writer("orders", pg.member(new))
    eventually(lambda: agent.cluster("orders")["severed"] == switch.severed + CLIENTS,
               "all are severed: %s" % agent.json("history"))
    switch.severed += CLIENTS
    for one in clients:
        one.ask()
    equal([one.said() for one in clients], [["anew", pg.address(new)]] * CLIENTS)
    settle(pg, agent, old, new)


@test
def every_client_follows_every_switch_and_nothing_leaks():
    agent.start()
    eventually(lambda: agent.status()["severing"]["available"], "severing is available")
    agent.wait_writer("orders", pg.member("a"))
    fill_history()
    clients = [started() for _ in range(CLIENTS)]
    switch.severed, old, new = 0, "a", "b"
    for number in range(1, SWITCHES + 1):
        switch(clients, old, new)
        old, new = new, old
        if number == min(WARM, SWITCHES - 1):
            before = sizes(clients)
    eventually(lambda: all(now[0] <= before.get(name, (0, 0))[0] for name, now in sizes(clients).items()),
               "no descriptor is left open")
    after = sizes(clients)
    grown = {name: after[name][1] - before[name][1] for name in after}
    for name in after:
        if "client" not in name or name == "client 0":
            print("# %s: descriptors, KB: %s, then %s" % (name, before[name], after[name]))
    print("# clients grew by %d KB at most" % max(kb for name, kb in grown.items() if "client" in name))
    equal({name: kb for name, kb in grown.items() if kb > GROWTH_KB}, {})
    rows = agent.json("connections")["connections"]
    equal(sorted((row["pid"], row["member"], row["outdated"]) for row in rows),
          sorted((one.process.pid, pg.member(old), False) for one in clients))
    equal(agent.status()["severing"]["processes"], CLIENTS)


main()
