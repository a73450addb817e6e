# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL servers that stand in for those of a managed service, which name each other: an agent is given one seed, and
patterns, and finds all of them.

    pg = Managed("aurora-postgresql", "aurora.sql", {"a": "inst-1.rds.invalid", "b": "inst-2.rds.invalid"}, ["?.rds.invalid"])
    pg.sql("a", ...)                   # who there is, as the file of tests/support wants it
    pg.agent.start(); pg.steady("a")   # the first one is the writer, and the others are its standbys
    pg.hold(); pg.reaches("b")         # a program has a connection; it is with b now

Beside them `plain` is a PostgreSQL that is none of the service's, in a cluster of its own."""
import os
import subprocess

from homing import BUILD, PLAIN, Agent, Holder, Servers, cluster_text, own_hosts
from tap import equal, eventually

SEED, NAME, READERS = "orders.cluster.invalid", "orders-db.invalid", "orders-ro.invalid"


class Managed(Servers):
    def __init__(self, engine, schema, hosts, patterns, astray=None):
        """`astray`: hosts of which DNS knows, too, and whose they are in truth."""
        super().__init__()
        self.hosts, names, self.number = hosts, list(hosts), self("port")
        self.init(names[0])
        self.load(names[0], schema)
        for name in names[1:]:
            self.clone(name, names[0])
        self.init("plain")
        own_hosts({SEED: self.address(names[1]), **{host: self.address(name) for name, host in hosts.items()},
                   **{host: self.address(name) for host, name in (astray or {}).items()}})
        self.clusters = f"""
  - name: orders
    engine: {engine}
    seeds: ["{SEED}:{self.port()}"]
    host_patterns: [{", ".join(patterns)}]
    connection: "{PLAIN}"
    endpoints: [{{names: [{NAME}], role: writer}}, {{names: [{READERS}], role: reader}}]
    mode: sever
    max_switches: 0
"""
        self.agent = Agent(self.clusters + cluster_text("plain", [self.member("plain")], engine=engine))

    def port(self):
        return self.number

    def member(self, name):
        return f"{self.hosts.get(name) or self.address(name)}:{self.port()}"

    # --- what the agent says --------------------------------------------------------------------------

    def cluster(self):
        return self.agent.cluster("orders")

    def said(self, name):
        return self.agent.member("orders", self.member(name))

    def members(self):
        return {m["member"] for m in self.cluster()["members"]}

    def switch(self):
        return [e["switch"] for e in self.agent.json("history") if e["switch"]][-1]

    def steady(self, name):
        self.agent.wait_writer("orders", self.member(name))
        equal(self.agent.resolve(NAME), [self.address(name)])

    def stays(self, name, state):
        """In this state, and with this writer."""
        self.agent.wait_state("orders", state)
        equal((self.cluster()["writer"], self.agent.resolve(NAME)), (self.member(name), [self.address(name)]))

    def readers(self, *names):
        for name in names:
            eventually(lambda n=name: self.said(n)["role"] == "reader" and self.said(n)["reader"],
                       f"{name} serves readers: {self.said(name)}")

    def fails(self, name, text):
        eventually(lambda: text in (self.said(name)["error"] or ""), f"{name} says {text}")

    def plain_says(self, text):
        error = eventually(lambda: self.agent.cluster("plain")["members"][0]["error"], "it says what is wrong")
        assert text in error, error

    # --- what the doctor says -------------------------------------------------------------------------

    def doctor(self, pattern="", instead=""):
        """What it prints, and its exit status; with one pattern instead of another."""
        config = Agent(self.clusters.replace(pattern, instead) if pattern else self.clusters).config
        done = subprocess.run([os.path.join(BUILD, "homingd"), "--doctor", config], capture_output=True, text=True, check=False)
        return done.stdout, done.returncode

    # --- a program ------------------------------------------------------------------------------------

    def hold(self, name):
        """A program that has a connection to this one, by the writer's name."""
        eventually(lambda: self.agent.status()["severing"]["available"], "severing is available")
        self.program = Holder(NAME, self.port(), self.agent)
        eventually(lambda: self.agent.json("connections")["connections"], "its connection is known")
        equal(self.program.first, self.address(name))

    def reaches(self, name):
        """It has left the connection that it had."""
        said = self.program.ask()
        assert said.startswith("anew " + self.address(name)), said

    def remains(self, name):
        equal(self.program.ask(), self.address(name))
