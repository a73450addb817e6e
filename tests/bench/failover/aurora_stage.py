# SPDX-License-Identifier: Apache-2.0
"""aurora_stage.py - the stage with two stand-ins for servers of Aurora MySQL (tests/support/aurora_mysql.py): a failover in
place, in which innodb_read_only changes on both and no connection ends."""
import os
import sys
import tempfile

from maria_stage import PORT
from stage import ADDRESSES, SRC, Stage

sys.path.insert(0, os.path.join(SRC, "tests/support"))
from aurora import Aurora  # noqa: E402


class Servers(Aurora):
    """Each in its host's network namespace."""

    def __init__(self, hosts):
        self.hosts = hosts
        super().__init__(*ADDRESSES)

    def settle(self, others):
        self.net, self.port = ADDRESSES["a"].rpartition(".")[0], PORT

    def where(self, name):
        return self.hosts.inside(name)

    def close(self, name, _):
        self.say(*self.rows(name))

    def promote(self, name):
        self.fail_over(name)

    def follow(self, *_):
        """It does, since both have one volume."""


class AuroraStage(Stage):
    port, kinds = PORT, ("F0", "F4")
    cluster_keys = """    engine: aurora-mysql
    connection: "user=homing tls=off"
"""

    def start_nodes(self):
        for node, address in ADDRESSES.items():
            self.net.add(node, address, routed=True)
        tempfile.tempdir = self.work
        self.db = Servers(self.net)

    def what(self):
        return "A stand-in for Aurora MySQL"
