# SPDX-License-Identifier: Apache-2.0
"""A cluster of stand-ins for Aurora MySQL (tests/support/aurora_mysql.py), one process a server, on addresses of its own.

    db = Aurora("a", "b")              # a is the writer; hosts a.abc.test and so on, and the cluster's name as a seed
    db.fail_over("b")                  # what the servers say and take from now on; processes are left alone
    db.freeze("a"); db.restart("a")

`others`: names of other servers, {name: address}, as names can be put once.
"""
import os
import random
import signal
import subprocess
import sys

from homing import SRC, directory, own_hosts
from own_names import own_network
from tap import PATIENCE, cleanups, equal

PASSWORD = "homing-test"
SERVER = os.path.join(SRC, "tests/support/aurora_mysql.py")
DOMAIN, ELSEWHERE = "abc.test", "xyz.test"  # of a region, and of another one
SEED = "orders.cluster-" + DOMAIN
MASTER = "MASTER_SESSION_ID"


class Aurora:
    def __init__(self, *names, others=None):
        self.names, self.file, self.processes = list(names), os.path.join(directory(), "cluster"), {}
        self.password_file = os.path.join(directory(), "pw")  # of every account
        with open(os.open(self.password_file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as out:
            out.write(PASSWORD + "\n")
        self.settle(others or {})
        cleanups.append(lambda: [self.kill(name) for name in list(self.processes)])
        self.fail_over(names[0])
        for name in names:
            self.start(name)

    # --- what they say --------------------------------------------------------------------------------

    def say(self, *lines, of=None):
        """The lines of the file, or of one server's own."""
        path = self.file + ("." + of if of else "")
        with open(path + ".new", "w", encoding="ascii") as out:
            out.write("\n".join(lines) + "\n")
        os.rename(path + ".new", path)

    def rows(self, writer):
        return [f"row {name} {MASTER if name == writer else 'reader-' + name} 0.2" for name in self.names]

    def fail_over(self, writer):
        """Rows and roles of all at once."""
        self.writer = writer
        self.say(*self.rows(writer), "open " + writer)

    def forget(self, name):
        """It says no more than the others."""
        os.unlink(f"{self.file}.{name}")

    # --- where they are -------------------------------------------------------------------------------

    def settle(self, others):
        """Addresses, and names for them."""
        self.net, self.port = own_network(), str(random.randrange(20000, 32000))
        own_hosts({SEED: self.address(self.names[0]), **others,
                   **{f"{name}.{domain}": self.address(name) for name in self.names for domain in (DOMAIN, ELSEWHERE)}})

    def lead_seed(self, name):
        """From now on DNS says that the cluster's name is there."""
        with open("/etc/hosts", encoding="ascii") as hosts:  # own_hosts() has mounted it
            lines = [line for line in hosts if SEED not in line.split()]
        with open("/etc/hosts", "w", encoding="ascii") as hosts:
            hosts.write("".join(lines) + f"{self.address(name)} {SEED}\n")

    def cluster(self, *endpoints):
        """For Agent(): `orders`, of one seed and a pattern; endpoints as (name, role)."""
        listed = ", ".join(f"{{names: [{name}], role: {role}}}" for name, role in endpoints)
        return f"""
  - name: orders
    engine: aurora-mysql
    seeds: ["{SEED}:{self.port}"]
    host_patterns: ["?.{DOMAIN}"]
    connection: "user=homing tls=off"
    password_file: {self.password_file}
    max_switches: 0
    endpoints: [{listed}]
"""

    def where(self, _):
        """What stands before a server's command: for a host of its own."""
        return []

    def address(self, name):
        return f"{self.net}.{self.names.index(name) + 1}"

    def member(self, name):
        return f"{name}.{DOMAIN}:{self.port}"

    def start(self, name):
        self.processes[name] = subprocess.Popen(
            [*self.where(name), sys.executable, "-B", SERVER, name, self.address(name), self.port, self.file], stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, STANDIN_ACCOUNTS=f"homing:{PASSWORD},app:{PASSWORD}", LD_PRELOAD=""))
        equal(self.processes[name].stdout.readline(), "ready\n")

    def freeze(self, name):
        """No FIN, no RST: as the host of a writer that was fenced."""
        self.processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name):
        self.processes[name].send_signal(signal.SIGCONT)

    def kill(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait(PATIENCE)

    def restart(self, name):
        """As Aurora does with a writer that it demotes."""
        self.kill(name)
        self.start(name)
