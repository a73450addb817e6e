# SPDX-License-Identifier: Apache-2.0
"""Throw-away MySQL servers, as mariadb.py has MariaDB's, and groups of them. They run inside the root that
tests/long/mysql.sh makes, so that the script has to be in a mount namespace of its own; data and sockets are outside.

    own_namespaces("--mount")
    db = MySQL(); db.init("a"); db.clone("b", "a")

    group = Group(hosts()); group.init("a"); group.join("b"); group.join("c")     # each in a network namespace
    group.cut("a"); group.heal("a")                     # from the others; not from the script

Accounts are those of mariadb.py. From 9.0 on MySQL has no other way to log in than caching_sha2_password: the password, inside
of TLS, and once the server knows it, a proof."""
import os
import subprocess
import uuid

from homing import BUILD
from mariadb import PASSWORD, MariaDB
from tap import PATIENCE, eventually, give_up, say

ROOT = os.path.join(BUILD, "long/mysql/root")
PLACE = "/srv"  # there, the servers' root directory
# From the loss of a primary until its group has a new one; from nothing to a member. It takes half a minute by itself.
FAILOVER = 6 * PATIENCE
EVERY = 0.5  # seconds from one question to the next while it lasts: each starts a client
OPTIONS = ("--skip-name-resolve", "--innodb-buffer-pool-size=8M", "--innodb-redo-log-capacity=8M", "--max-connections=60",
           "--innodb-flush-log-at-trx-commit=2", "--secure-file-priv=NULL", "--mysqlx=OFF", "--log-bin=bin", "--relay-log=relay",
           "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--replica-net-timeout=5")
TABLES = ("replication_connection_configuration", "replication_connection_status", "replication_applier_status",
          "replication_group_members", "replication_group_member_stats")
ACCOUNTS = f"""CREATE USER homing IDENTIFIED BY '{PASSWORD}';
CREATE USER repl IDENTIFIED BY '{PASSWORD}';
GRANT REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, GROUP_REPLICATION_STREAM ON *.* TO repl;
CREATE USER app IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON app.* TO app;
""" + "".join(f"GRANT SELECT ON performance_schema.{table} TO homing;\n" for table in TABLES)


class MySQL(MariaDB):
    options = OPTIONS
    replica = ("--super-read-only",)
    start_within, every = FAILOVER, EVERY

    def find(self):
        self.server, self.enter = "/usr/sbin/mysqld", ("chroot", ROOT)
        if not os.path.exists(ROOT + self.server):
            give_up("no MySQL in build/long: tests/long/mysql.sh build makes it, as root")

    def install(self):
        self.place = PLACE
        # In memory: a new data directory is a hundred megabytes, each of which is synced.
        _, uid, gid, _ = self.as_user
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755," + uid[4:] + "," + gid[4:], "none", self.root], check=True)
        for source, at in ((self.root, PLACE), ("/dev", "/dev"), ("/proc", "/proc")):
            subprocess.run(["mount", "--rbind", source, ROOT + at], check=True)
        os.chmod(self.file("accounts", ACCOUNTS), 0o644)
        self.run(self.server, "--no-defaults", f"--datadir={PLACE}/new", "--initialize-insecure", "--innodb-redo-log-capacity=8M",
                 f"--init-file={PLACE}/accounts")
        # Each server makes a name of its own.
        self.run("rm", PLACE + "/new/auto.cnf")

    def destroy(self):
        super().destroy()
        subprocess.run(["umount", "--lazy", self.root], check=True)
        os.rmdir(self.root)

    def sql(self, name, text):
        """As root, whom super_read_only stops, too."""
        return self.run("mysql", "--no-defaults", f"--socket={PLACE}/{name}.sock", "-uroot", "-NB", "-e", text)

    def follow(self, name, source):
        self.sql(name, f"""
SET GLOBAL super_read_only = 1;
STOP REPLICA;
CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{self.address(source)}', SOURCE_PORT = {self.port}, SOURCE_USER = 'repl',
    SOURCE_PASSWORD = '{PASSWORD}', SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1, SOURCE_SSL = 1;
START REPLICA""")
        self.catch_up(name, source)

    def catch_up(self, name, source):
        has = self.sql(source, "SELECT @@global.gtid_executed").replace("\\n", "")
        assert self.sql(name, f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{has}', {PATIENCE})") == "0", \
            name + " lags: " + self.sql(name, "SHOW REPLICA STATUS\\G")

    def promote(self, name):
        self.sql(name, "STOP REPLICA; RESET REPLICA ALL; SET GLOBAL read_only = 0")

    def switch(self, old, new):
        self.sql(old, "SET GLOBAL super_read_only = 1")
        self.catch_up(new, old)
        self.promote(new)


class Group(MySQL):
    """With a single primary. Members are a, b and c."""

    def __init__(self, hosts):
        self.hosts, self.group = hosts, str(uuid.uuid4())
        super().__init__()
        self.net, self.names = "10.77.0", ["a", "b", "c"]

    def where(self, name):
        return self.hosts.inside(self.address(name))

    def begin(self, name, *options):
        # It is thrown out as soon as it is missed: elsewhere the others wait five seconds more.
        super().begin(name, "--plugin-load-add=group_replication.so", f"--report-host={self.address(name)}",
                      f"--group-replication-group-name={self.group}", "--group-replication-start-on-boot=OFF",
                      f"--group-replication-local-address={self.address(name)}:33061", "--group-replication-group-seeds=" +
                      ",".join(f"{self.address(other)}:33061" for other in self.names),
                      "--group-replication-member-expel-timeout=0", "--group-replication-recovery-use-ssl=ON",
                      "--group-replication-message-cache-size=134217728", *options)

    def enlist(self, name, *options):
        """A new server, with an account by which others bring it up to date."""
        self.copy(name)
        self.start(name, *options)
        self.sql(name, f"CHANGE REPLICATION SOURCE TO SOURCE_USER = 'repl', SOURCE_PASSWORD = '{PASSWORD}' "
                 "FOR CHANNEL 'group_replication_recovery'")

    def begin_group(self, name):
        """A member that gets no answers within bounds of its own gives up, as on a busy machine: it is told once more."""
        for left in range(4, -1, -1):
            try:
                return self.sql(name, "START GROUP_REPLICATION")
            except AssertionError as failure:
                if not left:
                    raise
                say(f"again: {failure}\n{self.last(name)}")
        return None

    def init(self, name):
        self.enlist(name)
        self.sql(name, "SET GLOBAL group_replication_bootstrap_group = ON")
        self.begin_group(name)
        self.sql(name, "SET GLOBAL group_replication_bootstrap_group = OFF")
        eventually(lambda: self.primary(name) == name, name + " is the primary", FAILOVER, EVERY)
        self.sql(name, "CREATE DATABASE app; CREATE TABLE app.t (n INT PRIMARY KEY AUTO_INCREMENT);")

    def join(self, name):
        if name not in self.processes:
            self.enlist(name)
        self.begin_group(name)
        self.wait_online(name)

    def rejoin(self, name):
        """It has been killed."""
        self.start(name)
        self.join(name)

    # --- what a member says ---------------------------------------------------------------------------

    def members(self, name):
        """{member: (state, role)}"""
        rows = self.sql(name, "SELECT MEMBER_HOST, MEMBER_STATE, MEMBER_ROLE FROM performance_schema.replication_group_members")
        fields = [row.split("\t") for row in rows.splitlines()]
        return {other: tuple(states) for other in self.names for host, *states in fields if host == self.address(other)}

    def primary(self, name):
        return next((other for other, states in self.members(name).items() if states == ("ONLINE", "PRIMARY")), None)

    def view(self, name):
        return self.sql(name, "SELECT VIEW_ID FROM performance_schema.replication_group_member_stats WHERE MEMBER_ID = @@server_uuid")

    def wait_online(self, name):
        eventually(lambda: self.members(name).get(name, ("",))[0] == "ONLINE", name + " is ONLINE", FAILOVER, EVERY)

    def wait_primary(self, old, by):
        """Which member `by` says has taken over from `old`."""
        return eventually(lambda: self.primary(by) not in (old, None) and self.primary(by), "a new primary", FAILOVER, EVERY)

    def appoint(self, name):
        self.sql(name, "SELECT group_replication_set_as_primary(@@server_uuid)")

    # --- a member that the others do not reach ----------------------------------------------------------

    def filter(self, name, rules):
        subprocess.run([*self.where(name), "nft", "-f", "-"], input=rules, text=True, check=True)

    def cut(self, name):
        others = ", ".join(self.address(other) for other in self.names if other != name)
        self.filter(name, f"""table ip cut {{
    chain from {{ type filter hook input priority 0; ip saddr {{ {others} }} drop; }}
    chain to {{ type filter hook output priority 0; ip daddr {{ {others} }} drop; }}
}}""")

    def heal(self, name):
        self.filter(name, "delete table ip cut")
