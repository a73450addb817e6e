# SPDX-License-Identifier: Apache-2.0
"""A throw-away Patroni cluster on loopback addresses, for live tests: etcd, and for each member a real Patroni with a real
PostgreSQL.

    p = Patroni(); p.begin("a"); p.begin("b")           # 127.X.Y.1 and so on, one port each for the database and for REST
    p.switch("a", "b"); p.kill("b"); p.begin("b")       # planned; all of b's processes at once
    p.hold("a"); p.release("a")                         # its loop alone: its REST API goes on answering
    p.stop("a"); p.go_on("a")                           # SIGSTOP, SIGCONT

They never run as root: as postgres, else nobody, if the caller is root. Everybody may log in without a password."""
import glob
import json
import os
import pwd
import random
import shutil
import signal
import subprocess
import tempfile
import urllib.request

from tap import PATIENCE, cleanups, end, eventually, give_up

HELD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "patroni_held.py")
# The shortest `ttl` that all releases take, and with it the longest that a busy machine may keep etcd's answers from a leader
# until he gives up.
TIMES = {"ttl": 20, "loop_wait": 1, "retry_timeout": 9}
# From the loss of a leader until the lock has run out and another one is promoted; from nothing to a replica.
FAILOVER = 4 * PATIENCE


def servers_user():
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    # Whom a busy machine keeps from answering for 150 ms beside another claim has ended (W3).
    return ["nice", "-n", "-10", "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def children(pid):
    """The process and those that it began."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [pid, *(int(word) for word in file.read().split())]
    except FileNotFoundError:
        return []


class Patroni:
    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
        if not found or not shutil.which("patroni") or not shutil.which("etcd"):
            give_up("no Patroni, etcd or PostgreSQL found: install patroni, etcd-server and postgresql")
        self.bin = found[-1]
        self.root = tempfile.mkdtemp(prefix="homing-patroni.")
        os.chmod(self.root, 0o755)
        self.as_user = servers_user()
        if self.as_user:
            os.chown(self.root, *(int(word.split("=")[1]) for word in self.as_user if "id=" in word))
        self.net = f"127.{random.randrange(20, 220)}.{random.randrange(1, 250)}"
        self.port, self.rest, self.store, self.peers = map(str, random.sample(range(20000, 32000), 4))
        self.names, self.processes = ["a", "b"], {}
        self.seen = lambda: ""  # what else to say of a failure
        cleanups.append(self.destroy)
        self.begin_store()

    def spawn(self, name, *command):
        with open(f"{self.root}/{name}.log", "a", encoding="utf-8") as log:
            env = {"PATH": os.environ["PATH"], "HOME": self.root, "TMPDIR": self.root, "LC_ALL": "C.UTF-8"}
            self.processes[name] = subprocess.Popen([*self.as_user, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                    cwd="/", env=env, start_new_session=True)

    def log(self, name):
        with open(f"{self.root}/{name}.log", encoding="utf-8") as log:
            return log.read()[-3000:]

    def destroy(self):
        for name in self.names:
            if name in self.processes:
                self.signal(name, signal.SIGKILL)
        for process in self.processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    # --- etcd -------------------------------------------------------------------------------------------

    def begin_store(self):
        client, peer = f"http://{self.net}.9:{self.store}", f"http://{self.net}.9:{self.peers}"
        self.spawn("etcd", "etcd", "--data-dir", self.root + "/etcd", "--listen-client-urls", client,
                   "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                   "--initial-cluster", "default=" + peer)
        eventually(lambda: self.get(client + "/health"), "etcd answers")

    def end_store(self):
        end(self.processes["etcd"])

    # --- one member -------------------------------------------------------------------------------------

    def address(self, name):
        return f"{self.net}.{self.names.index(name) + 1}"

    def member(self, name):
        return f"{self.address(name)}:{self.port}"

    def configure(self, name, rest=None):
        at, data = self.address(name), f"{self.root}/{name}"
        account = {"username": "postgres", "password": "none"}
        text = {
            "scope": "orders", "name": name,
            "log": {"level": "INFO"},
            "etcd3": {"host": f"{self.net}.9:{self.store}"},
            "restapi": {"listen": f"{at}:{self.rest}", "connect_address": f"{at}:{self.rest}", **(rest or {})},
            "bootstrap": {"dcs": dict(TIMES, postgresql={"use_pg_rewind": True}),
                          "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, {"auth": "trust"}, {"username": "postgres"},
                                     "no-sync"]},
            "postgresql": {"basebackup": [{"checkpoint": "fast"}, "no-sync"], "listen": f"{at}:{self.port}", "connect_address": f"{at}:{self.port}", "data_dir": data,
                           "bin_dir": self.bin, "pgpass": f"{self.root}/{name}.pass",
                           "authentication": {"superuser": account, "replication": account, "rewind": account},
                           "parameters": {"unix_socket_directories": "", "fsync": "off", "shared_buffers": "16MB",
                                          "max_connections": "30", "wal_keep_size": "64MB"},
                           "pg_hba": ["local all all trust", "host all all all trust", "host replication all all trust"]},
        }
        with open(f"{self.root}/{name}.yml", "w", encoding="ascii") as out:
            json.dump(text, out)

    def begin(self, name, rest=None):
        self.configure(name, rest)
        self.spawn(name, "/usr/bin/python3", HELD, f"{self.root}/{name}.held", f"{self.root}/{name}.yml")

    def postmaster(self, name):
        try:
            with open(f"{self.root}/{name}/postmaster.pid", encoding="ascii") as file:
                return int(file.readline())
        except (FileNotFoundError, ValueError):
            return None

    def signal(self, name, which):
        """To its Patroni, its PostgreSQL and that one's processes."""
        top = self.postmaster(name)
        for pid in [self.processes[name].pid, *(children(top) if top else [])]:
            try:
                os.kill(pid, which)
            except ProcessLookupError:
                pass

    def kill(self, name):
        self.signal(name, signal.SIGKILL)
        self.processes[name].wait()

    def stop(self, name):
        self.signal(name, signal.SIGSTOP)

    def go_on(self, name):
        self.signal(name, signal.SIGCONT)

    def hold(self, name):
        held = f"{self.root}/{name}.held"
        with open(held, "w", encoding="ascii"):
            pass
        self.in_time(lambda: os.path.exists(held + ".waits"), f"the loop of {name} waits")

    def release(self, name):
        held = f"{self.root}/{name}.held"
        os.unlink(held)
        self.in_time(lambda: not os.path.exists(held + ".waits"), f"the loop of {name} goes on")

    # --- the cluster --------------------------------------------------------------------------------------

    @staticmethod
    def get(url):
        """The status of HTTP, and the document; None: there is no answer."""
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or "{}")
        except OSError:
            return None

    def says(self, name):
        return self.get(f"http://{self.address(name)}:{self.rest}/primary") or (None, {})

    def in_time(self, condition, what):
        """Patroni takes its time; if it takes too much, its logs say with what."""
        try:
            return eventually(condition, what, FAILOVER)
        except AssertionError as failure:
            logs = "\n".join(f"--- {name}\n{self.log(name)}" for name in self.processes)
            raise AssertionError(f"{failure}\n{self.seen()}\n{logs}") from None

    def wait_leader(self, name):
        def there():
            status, document = self.says(name)
            return status == 200 and document.get("state") == "running"
        self.in_time(there, f"{name} is the leader")

    def streams(self, name):
        """Another one says so: who crashed as the leader is a replica for a moment, before it has to be rewound."""
        text = f"SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = '{name}'"
        return any(self.run_sql(other, text).stdout.strip() == "1" for other in self.names if other != name)

    def wait_replica(self, name):
        def there():
            document = self.says(name)[1]
            return (document.get("state"), document.get("role")) == ("running", "replica") and self.streams(name)
        self.in_time(there, f"{name} is a replica")

    def run_ctl(self, *args):
        return subprocess.run([*self.as_user, "patronictl", "-c", f"{self.root}/a.yml", *args], capture_output=True, text=True,
                              cwd="/", env={"PATH": os.environ["PATH"], "HOME": self.root, "LC_ALL": "C.UTF-8"}, check=False)

    def ctl(self, *args):
        done = self.run_ctl(*args)
        assert done.returncode == 0, f"patronictl {args}: {done.stdout}{done.stderr}"

    def switch(self, to):
        self.ctl("switchover", "orders", "--candidate", to, "--force")

    def fail_over(self, to):
        """Asked for; who asks may not live to see it."""
        self.run_ctl("failover", "orders", "--candidate", to, "--force")

    def run_sql(self, name, text):
        return subprocess.run([self.bin + "/psql", "-XAtq", "-h", self.address(name), "-p", self.port, "-U", "postgres", "-c", text],
                              capture_output=True, text=True, env={"PATH": os.environ["PATH"], "PGCONNECT_TIMEOUT": "2"}, check=False)

    def sql(self, name, text):
        done = self.run_sql(name, text)
        assert done.returncode == 0, f"psql: {done.stderr}"
        return done.stdout.strip()
