# SPDX-License-Identifier: Apache-2.0
"""maria_stage.py - the stage with two MariaDB nodes: as stage.py has it, with the servers of tests/support/mariadb.py."""
import json
import os
import subprocess
import sys
import tempfile

from stage import ADDRESSES, SRC, Stage, eventually

sys.path.insert(0, os.path.join(SRC, "tests/support"))
from mariadb import PASSWORD, MariaDB  # noqa: E402, F401

PORT, USER, DATABASE = "3306", "app", "app"


class Servers(MariaDB):
    """Each in its host's network namespace."""

    def __init__(self, hosts):
        self.hosts = hosts
        super().__init__()
        self.net, self.port = ADDRESSES["a"].rpartition(".")[0], PORT

    def where(self, name):
        return self.hosts.inside(name)

    def begin(self, name, *options):
        # Of rows that are there already replication makes what they are elsewhere: see rewind().
        super().begin(name, "--max-connections=400", "--binlog-format=ROW", "--slave-exec-mode=IDEMPOTENT", *options)

    def close(self, name, standby):
        """It becomes read-only, and keeps its connections."""
        self.sql(name, "SET GLOBAL read_only = 1")
        self.catch_up(standby, name)

    def down(self, name):
        """As a service manager does, but nothing is lost to the replica."""
        self.sql(name, "SHUTDOWN WAIT FOR ALL SLAVES")
        self.processes.pop(name).wait()

    def rewind(self, name, to):
        """It starts with the record of transactions that `to` had when it was promoted. A new clone would have to
        replay all rounds."""
        self.start(name, "--read-only")
        fork = self.sql(to, "SELECT @@global.gtid_slave_pos")
        self.sql(name, f"RESET MASTER; SET GLOBAL gtid_slave_pos = '{fork}'")


class MariaStage(Stage):
    port, kinds = PORT, ("F1", "F2", "F3", "F4")
    cluster_keys = """    engine: mysql
    connection: "user=homing tls=off"
"""

    def start_nodes(self):
        for node, address in ADDRESSES.items():
            self.net.add(node, address, routed=True)
        # In memory: the disk of a busy machine would be measured instead, which takes seconds to write.
        tempfile.tempdir = self.work + "/servers"
        os.mkdir(tempfile.tempdir)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", tempfile.tempdir], check=True)
        self.db = Servers(self.net)
        self.root = self.db.root
        self.db.init("a")
        self.db.sql("a", "CREATE TABLE app.writes (id BIGINT PRIMARY KEY AUTO_INCREMENT, client VARCHAR(60), "
                    "at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)")
        self.db.clone("b", "a")

    def what(self):
        return "MariaDB " + self.db.sql("a", "SELECT VERSION()")

    def wait_agent(self, node):
        """Until the other one is seen to follow, too: it takes over then (W12)."""
        super().wait_agent(node)
        if self.mode == "none":
            return
        other = "%s:%s" % (next(address for name, address in ADDRESSES.items() if name != node), PORT)

        def follows():
            cluster = json.loads(self.homingctl("-o", "json", "status"))["clusters"][0]
            return any(member["member"] == other and member.get("heir") for member in cluster["members"])
        eventually(follows, other + " is an heir")
