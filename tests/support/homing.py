# SPDX-License-Identifier: Apache-2.0
"""homingd, homingctl and PostgreSQL servers for live tests."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

from own_names import HOSTS, own_names, own_namespaces, put_names  # noqa: F401
from tap import AGAIN, PATIENCE, cleanups, eventually, give_up, say

SRC = os.environ.get("HOMING_SRCDIR") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("HOMING_BUILDDIR") or os.path.join(SRC, "build")
PG_SH = os.path.join(SRC, "tests/support/pg.sh")
NODE_PATH = os.path.join(BUILD, "tools/node/node_modules")  # where ./bootstrap puts node's pg, if Debian's is not there
PLAIN = "user=postgres dbname=postgres sslmode=disable"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]


class Servers:
    """PostgreSQL servers of one root directory: servers.init("a"), servers.promote("b"). `version`: one that
    postgresql.sh has fetched; without: $HOMING_PG_VERSION, or the machine's own."""

    def __init__(self, version=None):
        self.of = {"HOMING_PG_VERSION": version} if version else {}
        done = subprocess.run(["bash", PG_SH, "root_new"], env=dict(os.environ, **self.of), capture_output=True, text=True)
        if done.returncode != 0:
            give_up(" ".join(done.stderr.split()))
        self.root = done.stdout.strip()
        cleanups.append(lambda: self("destroy"))

    def __call__(self, verb, *args):
        env = dict(os.environ, PG_ROOT=self.root, **self.of)
        done = subprocess.run(["bash", PG_SH, verb, *args], env=env, capture_output=True, text=True)
        assert done.returncode == 0, "pg.sh %s %s: %s" % (verb, " ".join(args), done.stderr)
        return done.stdout.strip()

    def __getattr__(self, verb):
        return lambda *args: self(verb, *args)

    def member(self, name):
        return "%s:%s" % (self.address(name), self.port())

    def load(self, name, file):
        """Runs a file of tests/support."""
        with open(os.path.join(SRC, "tests/support", file), encoding="ascii") as text:
            path = self.file(file, text.read())
        self.own(file)
        self.psql(name, "-f", path)

    def file(self, name, text):
        """A file of ours in the root, private."""
        path = os.path.join(self.root, name)
        with open(path, "w") as out:
            os.chmod(path, 0o600)
            out.write(text)
        return path


def directory():
    path = tempfile.mkdtemp(prefix="homing-test.")
    os.chmod(path, 0o755)
    cleanups.append(lambda: shutil.rmtree(path, ignore_errors=True))
    return path


def preload(*names):
    """The environment of a program that has tests/support/NAME.c preloaded, for each name."""
    at = directory()
    for name in names:
        subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", f"{at}/{name}.so",
                        os.path.join(SRC, "tests/support", name + ".c"), "-ldl"], check=True)
    return dict(os.environ, LD_PRELOAD=":".join(f"{at}/{name}.so" for name in names))


def pair(version=None):
    """Servers "a", and "b", which is its standby."""
    servers = Servers(version)
    servers.init("a")
    servers.clone("b", "a")
    return servers


def cluster_text(name, members, writer=None, reader=None, connection=PLAIN, also="", engine="postgresql"):
    """A cluster for Agent(); its endpoints are the names `writer` (NAME-db) and `reader`; `also`: more keys, a line
    each."""
    return """
  - name: %s
    engine: %s
    members: [%s]
    connection: "%s"
    endpoints: [{names: [%s], role: writer}%s]
%s""" % (name, engine, ", ".join(members), connection, writer or name + "-db",
         ", {names: [%s], role: reader}" % reader if reader else "", also)


def cluster_of(servers, writer, reader=None, connection=PLAIN, also=""):
    """The cluster `orders` of a pair(), through as many switches as a test likes."""
    return cluster_text("orders", [servers.member("a"), servers.member("b")], writer, reader, connection,
                        "    max_switches: 0\n    max_lag: 100GB\n" + also)


def demote(servers, old, new):
    """It stays up, and all connections with it; writes fail from now on. The other one is promoted."""
    servers.sql(old, "ALTER SYSTEM SET default_transaction_read_only = on")
    servers.sql(old, "SELECT pg_reload_conf()")
    servers.promote(new)


def settle(servers, agent, old, new):
    """After the promotion of `new`: `old` follows it, and the agent says so."""
    servers.wait(new, "SELECT NOT pg_is_in_recovery()")
    servers.rejoin(old, new)
    eventually(lambda: agent.member("orders", servers.member(old))["role"] == "reader", old + " is a reader")
    agent.wait_writer("orders", servers.member(new))


def own_hosts(names):
    """From now on only these names exist, {name: address}, and localhost."""
    put_names(HOSTS + "".join("%s %s\n" % (address, name) for name, address in names.items()))


class Agent:
    """A homingd of its own directory; `clusters` is the YAML below `clusters:`."""

    def __init__(self, clusters, base=None, agent=""):
        self.base = base or directory()
        self.config = os.path.join(self.base, "homing.yaml")
        self.socket = os.path.join(self.base, "run/agent.sock")
        self.log_path = os.path.join(self.base, "homingd.%d.log" % len(os.listdir(self.base)))
        self.agent = agent
        self.process = None
        self.write(clusters)

    def write(self, clusters):
        with open(self.config, "w") as out:
            out.write("agent:\n  run_dir: %s/run\n  state_dir: %s/state\n%sclusters:\n%s"
                      % (self.base, self.base, self.agent, clusters))

    def spawn(self, *args, env=None, before=()):
        log = open(self.log_path, "a")
        self.process = subprocess.Popen([*before, os.path.join(BUILD, "homingd"), "--config", self.config,
                                         "--log-format", "json", *args], stderr=log, stdout=log,
                                        stdin=subprocess.DEVNULL, env=env)
        log.close()
        cleanups.append(self.kill)
        return self

    def of_nobody(self):
        """For one that is started with before=NOBODY."""
        os.chown(self.base, 65534, 65534)
        os.chmod(self.config, 0o644)
        return self

    def start(self, *args, env=None, before=()):
        """Returns when this very agent answers."""
        self.spawn(*args, env=env, before=before)
        eventually(self.answers, "an answer of the agent; log:\n" + self.log_path)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("homingd ended with %d:\n%s" % (self.process.returncode, self.text()))
        status = self.status()
        return status and status["pid"] == self.process.pid

    def stop(self):
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def text(self):
        with open(self.log_path) as log:
            return log.read()

    def log(self, event):
        lines = [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def ctl(self, *args):
        return subprocess.run([os.path.join(BUILD, "homingctl"), "--socket", self.socket, *args],
                              capture_output=True, text=True)

    def ok(self, *args):
        done = self.ctl(*args)
        assert done.returncode == 0, "homingctl %s: exit %d\n%s%s" % (
            " ".join(args), done.returncode, done.stdout, done.stderr)
        return done.stdout

    def json(self, *args):
        done = self.ctl("-o", "json", *args)
        return json.loads(done.stdout) if done.stdout else None

    def status(self):
        return self.json("status")

    def cluster(self, name):
        return next(c for c in self.status()["clusters"] if c["cluster"] == name)

    def member(self, cluster, member):
        return next(m for m in self.cluster(cluster)["members"] if m["member"] == member)

    def resolve(self, name):
        """The addresses, or None."""
        done = self.ctl("resolve", name)
        return done.stdout.split() if done.returncode == 0 else None

    def wait_state(self, cluster, state):
        return eventually(lambda: self.cluster(cluster)["state"] == state,
                          "%s is %s" % (cluster, state))

    def wait_writer(self, cluster, member, state="steady"):
        def there():
            now = self.cluster(cluster)
            return now["writer"] == member and now["state"] == state
        return eventually(there, "%s: %s is the %s writer" % (cluster, member, state))


def answered(start):
    """What start() returns: a program that has said its first line, which is .first. The library waits 20 ms for its view,
    which a busy machine may not have for it. Then nobody knows the name, the program ends at once, and another one is
    started."""
    for left in range(AGAIN, -1, -1):
        one = start()
        if one.first or not left:
            return one
        one.end()
        say("again: a program has ended at its first lookup")
    return None


def protected(agent, one):
    """`one`, a program with a connection, once homing-sever knows of that. If the agent has not answered in time when it
    began, and it connects no more, it is started .again()."""
    def is_known():
        return one.process.pid in {row["pid"] for row in agent.json("connections")["connections"]}
    for _ in range(AGAIN):
        try:
            eventually(is_known, "its connection is known", 5)
            return one
        except AssertionError:
            say(f"again: {one.name} is none of homing's")
            one = one.again()
    raise AssertionError("no program is homing's")


class Holder:
    """live/holder.py with the library of the agent `of`; None: as without homing."""

    program = ["-B", os.path.join(SRC, "tests/live/holder.py")]

    def __init__(self, host, port, of, before=(), env=None):
        run = [os.path.join(BUILD, "homingctl"), "--socket", of.socket, "run", "--"] if of else []
        self.command, self.env = [*before, *run, "/usr/bin/python3", *self.program, host, port], env
        cleanups.append(self.end)
        answered(self.begin)

    def begin(self):
        self.process = subprocess.Popen(self.command, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        bufsize=1)
        self.first = self.process.stdout.readline().strip()
        return self

    def ask(self):
        """The server's address; or "anew", that of the next connection, and the error that ended the one before."""
        self.process.stdin.write("ask\n")
        return self.process.stdout.readline().strip()

    def look(self):
        """It looks some name up."""
        self.process.stdin.write("look\n")
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.kill()
        self.process.wait()


def all_here(programs):
    """Names what is not installed, of [(name, whether it is here, ...)]: most has to be, with CI set all."""
    missing = [name for name, here, *_ in programs if not here]
    for name in missing:
        print("# not tested, because it is not installed: " + name)
    assert not (missing and os.environ.get("CI")), missing
    assert len(missing) < len(programs) / 2, missing


# Clients that say where the server is which they got to; they are given host, port and QUERY.
QUERY = "SELECT host(inet_server_addr())"
NODE_PG = """const {Client} = require("pg"); const [host, port, q] = process.argv.slice(1);
const c = new Client({host, port, user: "postgres", database: "postgres"});
c.connect().then(() => c.query(q)).then(r => { console.log(r.rows[0].host); return c.end(); })
 .catch(e => { console.error(String(e)); process.exit(1); })"""
PSYCOPG2 = """import psycopg2, sys
c = psycopg2.connect(host=sys.argv[1], port=sys.argv[2], user="postgres", dbname="postgres").cursor()
c.execute(sys.argv[3]); print(c.fetchone()[0])"""


def node_has_pg():
    return bool(shutil.which("node")) and subprocess.run(
        ["node", "-e", 'require("pg")'], env=dict(os.environ, NODE_PATH=NODE_PATH), stderr=subprocess.DEVNULL,
        check=False).returncode == 0
