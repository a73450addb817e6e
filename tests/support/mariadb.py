# SPDX-License-Identifier: Apache-2.0
"""Throw-away MariaDB servers on loopback addresses, for live tests.

    db = MariaDB(); db.init("a"); db.clone("b", "a")    # 127.X.Y.1 and so on, one port, a root directory of their own
    db.switch("a", "b"); db.follow("a", "b")            # planned, in place: connections stay
    db.kill("b"); db.promote("a"); db.start("b")        # b comes back as it was: a second writer

They never run as root: as mysql, else nobody, if the caller is root. Accounts: root, over the socket; `homing` with what
homing.yaml(5) says; `app`, which may do anything in the database `app` and nothing else."""
import os
import pwd
import random
import shutil
import signal
import subprocess
import tempfile

import homing
from tap import PATIENCE, cleanups, eventually, give_up, say

PASSWORD = "homing-test"
# Small, and quick to start and stop.
OPTIONS = ("--skip-name-resolve", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M", "--key-buffer-size=1M",
           "--innodb-flush-log-at-trx-commit=2", "--performance-schema=OFF", "--max-connections=60", "--skip-ssl",
           "--log-bin=bin", "--relay-log=relay", "--log-slave-updates", "--gtid-strict-mode=ON", "--slave-net-timeout=5")
# In --bootstrap: a statement a line, and privileges have to be read before they can be changed.
ACCOUNTS = f"""FLUSH PRIVILEGES;
CREATE USER homing IDENTIFIED BY '{PASSWORD}';
GRANT SLAVE MONITOR ON *.* TO homing;
CREATE USER repl IDENTIFIED BY '{PASSWORD}';
GRANT REPLICATION SLAVE ON *.* TO repl;
CREATE USER app IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON app.* TO app;
"""


def servers_user():
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("mysql" if "mysql" in names else "nobody")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


class MariaDB:
    options = OPTIONS
    replica = ("--read-only",)  # how one is started that is set to replicate only then
    start_within, every = PATIENCE, 0.02
    enter = ()  # what stands before a program that has a root of its own

    def __init__(self):
        self.find()
        self.root = self.place = tempfile.mkdtemp(prefix="homing-my.")  # and what the servers call it
        os.chmod(self.root, 0o755)
        self.as_user = servers_user()
        if self.as_user:
            os.chown(self.root, int(self.as_user[1].split("=")[1]), int(self.as_user[2].split("=")[1]))
        self.net = f"127.{random.randrange(20, 220)}.{random.randrange(1, 250)}"
        self.port = str(random.randrange(20000, 40000))
        self.names, self.processes, self.numbers, self.born = [], {}, {}, 0
        cleanups.append(self.destroy)
        self.install()

    def find(self):
        path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
        self.server = shutil.which("mariadbd", path=path)
        if not self.server or not shutil.which("mariadb-install-db") or not shutil.which("mariadb"):
            give_up("no MariaDB server found: install mariadb-server")

    def env(self):
        """Its temporary files are named by process ids, and others have such ids in namespaces of theirs."""
        return dict(os.environ, LD_PRELOAD="", TMPDIR=self.place)

    def run(self, *command, said=""):
        done = subprocess.run([*self.enter, *self.as_user, *command], input=said, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, cwd="/", env=self.env(), check=False)
        assert done.returncode == 0, f"{command[0]}: {done.stdout}"
        return done.stdout.strip()

    def install(self):
        """The data directory that all begin with: accounts are there before a server is asked for the first time."""
        self.run("mariadb-install-db", "--no-defaults", "--datadir=" + self.root + "/new", "--skip-test-db",
                 "--auth-root-authentication-method=normal", "--innodb-log-file-size=4M", "--skip-name-resolve")
        self.run(self.server, "--no-defaults", "--datadir=" + self.root + "/new", "--bootstrap",
                 "--innodb-log-file-size=4M", said=ACCOUNTS)

    def destroy(self):
        for name in list(self.processes):
            self.kill(name)
        shutil.rmtree(self.root, ignore_errors=True)

    # --- one server -----------------------------------------------------------------------------------

    def address(self, name):
        return f"{self.net}.{self.names.index(name) + 1}"

    def member(self, name):
        return f"{self.address(name)}:{self.port}"

    def file(self, name, text):
        """A file of ours in the root, private."""
        path = os.path.join(self.root, name)
        with open(path, "w", encoding="ascii") as out:
            os.chmod(path, 0o600)
            out.write(text)
        return path

    def certify(self, name, ca=None, names=None):
        """NAME.pem and NAME.key in the root, signed by a CA that was made before, or its own."""
        path = f"{self.root}/{name}"
        signed = ["-CA", f"{self.root}/{ca}.pem", "-CAkey", f"{self.root}/{ca}.key"] if ca else ["-signkey", path + ".key"]
        extra = self.file(name + ".ext", f"subjectAltName={names}\n" if names else "basicConstraints=critical,CA:TRUE\n")
        request = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                                  "-keyout", path + ".key", "-subj", f"/CN={name}"], capture_output=True, check=True).stdout
        subprocess.run(["openssl", "x509", "-req", "-days", "2", "-extfile", extra, "-out", path + ".pem", *signed],
                       input=request, capture_output=True, check=True)
        os.chmod(path + ".key", 0o644)

    def sql(self, name, text):
        """As root, whom read_only does not stop. From 11.4 on the client wants TLS, over its socket too, unless it is told otherwise."""
        return self.run("mariadb", "--no-defaults", "--skip-ssl", "--socket=" + f"{self.root}/{name}.sock", "-uroot", "-NB", "-e", text)

    def where(self, _):
        """What stands before a server's command: for a host of its own."""
        return []

    def begin(self, name, *options):
        """Its process; it may not answer yet."""
        with open(f"{self.root}/{name}.log", "a", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen(
                [*self.where(name), *self.enter, *self.as_user, self.server, "--no-defaults", f"--datadir={self.place}/{name}",
                 f"--bind-address={self.address(name)}", f"--port={self.port}", f"--socket={self.place}/{name}.sock",
                 f"--pid-file={self.place}/{name}.pid", f"--server-id={self.numbers[name]}", *self.options, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=self.env())

    def last(self, name):
        """Of its log."""
        with open(f"{self.root}/{name}.log", encoding="utf-8") as log:
            return log.read()[-2000:]

    def answers(self, name):
        if self.processes[name].poll() is not None:
            raise AssertionError(f"{name} has ended:\n" + self.last(name))
        try:
            return self.sql(name, "SELECT 1")
        except AssertionError:
            return None

    def start(self, name, *options):
        self.begin(name, *options)
        try:
            eventually(lambda: self.answers(name), name + " answers", self.start_within, self.every)
        except AssertionError:
            say(self.last(name))
            raise

    def stop(self, name):
        process = self.processes.pop(name)
        process.terminate()
        process.wait(PATIENCE)

    def kill(self, name):
        """No goodbye; what was not yet replicated is lost to the others."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(PATIENCE)

    def freeze(self, name):
        self.processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name):
        self.processes[name].send_signal(signal.SIGCONT)

    # --- how they go together -------------------------------------------------------------------------

    def copy(self, name):
        """What is in the data directory from now on has never been a server before: a server skips events of its number."""
        self.born += 1
        self.numbers[name] = self.born
        self.run("rm", "-rf", f"{self.place}/{name}")
        self.run("cp", "-a", self.place + "/new", f"{self.place}/{name}")

    def init(self, name):
        """A new data set and its writer."""
        self.names.append(name)
        self.copy(name)
        self.start(name)
        self.sql(name, "CREATE DATABASE app; CREATE TABLE app.t (n INT PRIMARY KEY AUTO_INCREMENT);")

    def clone(self, name, source):
        """A new replica, which has all that there is. Of a name that there is already: instead of what that had."""
        if name not in self.names:
            self.names.append(name)
        self.copy(name)
        self.start(name, *self.replica)
        self.follow(name, source)

    def follow(self, name, source):
        self.sql(name, f"""
SET GLOBAL read_only = 1;
SET GLOBAL gtid_slave_pos = @@global.gtid_current_pos;
CHANGE MASTER TO MASTER_HOST = '{self.address(source)}', MASTER_PORT = {self.port}, MASTER_USER = 'repl',
    MASTER_PASSWORD = '{PASSWORD}', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, MASTER_SSL = 0;
START SLAVE""")
        self.catch_up(name, source)

    def catch_up(self, name, source):
        position = self.sql(source, "SELECT @@global.gtid_current_pos")
        assert self.sql(name, f"SELECT MASTER_GTID_WAIT('{position}', {PATIENCE})") == "0", \
            name + " lags: " + self.sql(name, "SHOW SLAVE STATUS\\G")

    def promote(self, name):
        self.sql(name, "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0")

    def switch(self, old, new):
        """Planned: nothing is lost, and both stay up with all their connections."""
        self.sql(old, "SET GLOBAL read_only = 1")
        self.catch_up(new, old)
        self.promote(new)

    def repoint(self, name, source):
        """A replica that follows another server from now on."""
        self.sql(name, "STOP SLAVE")
        self.follow(name, source)


class Holder(homing.Holder):
    """live/holder_mysql.py, of the account app; `ca`: inside of TLS."""

    program = ["-B", os.path.join(homing.SRC, "tests/live/holder_mysql.py")]

    def __init__(self, host, db, of, ca=None, password=PASSWORD):
        super().__init__(host, db.port, of, env=dict(os.environ, APP_PASSWORD=password, APP_CA=ca or ""))

    def say(self, word):
        self.process.stdin.write(word + "\n")
        return self.process.stdout.readline().strip()
