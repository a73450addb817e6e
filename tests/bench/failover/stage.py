# SPDX-License-Identifier: Apache-2.0
"""stage.py - where the clients play: two PostgreSQL nodes, DNS, the agent, each in a namespace of its own."""
import json
import os
import shutil
import subprocess
import threading
import time

from net import HERE, Net

SRC = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
NAME = "orders-db.internal"
PORT = "5432"
DNS_TTL = 5
ADDRESSES = {"a": "10.77.0.1", "b": "10.77.0.2"}  # as pg.sh deals them out
CLIENTS = "10.77.1.%d"
PATIENCE = 60


def eventually(check, what, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not (value := check()):
        if time.monotonic() > deadline:
            raise RuntimeError("not within %d s: %s" % (patience, what))
        time.sleep(0.05)
    return value


class Background(threading.Thread):
    """A call whose exception is not lost: join() raises it."""

    def __init__(self, call, *args):
        super().__init__(daemon=True)
        self.call, self.args, self.error = call, args, None

    def run(self):
        try:
            self.call(*self.args)
        except RuntimeError as error:
            self.error = error

    def join(self, timeout=None):
        super().join(timeout)
        if self.error:
            raise self.error


class Stage:
    port = PORT
    cluster_keys = """    engine: postgresql
    connection: "user=homing dbname=postgres sslmode=disable"
"""

    def __init__(self, work, build, mode):
        self.work, self.root, self.build, self.mode = work, work, build, mode
        self.net, self.count, self.services = Net(), 0, []
        self.start_nodes()
        self.start_dns()
        self.start_agent()

    # --- nodes: commands of pg.sh in the node's namespace

    def pg(self, node, *command, check=True):
        env = dict(os.environ, PG_ROOT=self.root)
        done = subprocess.run([*self.net.inside(node), "bash", SRC + "/tests/support/pg.sh", *command],
                              env=env, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise RuntimeError("pg.sh %s: %s" % (" ".join(command), done.stderr))
        return done.stdout.strip()

    def rejoin(self, node, primary):
        """In the background; what it returns waits for it."""
        thread = Background(self.pg, node, "rejoin", node, primary)
        thread.start()
        return thread

    def start_nodes(self):
        for node, address in ADDRESSES.items():
            self.net.add(node, address, routed=True)
        os.environ.update(PG_NET=ADDRESSES["a"].rpartition(".")[0], PG_PORT=PORT)
        self.root = self.pg("a", "root_new", self.work)
        self.pg("a", "init", "a", "max_connections = 300")
        self.certify("a")
        self.pg("b", "clone", "b", "a")
        self.pg("a", "sql", "a", "CREATE TABLE writes (id bigserial, client text, at timestamptz DEFAULT now());"
                "GRANT INSERT ON writes TO homing; GRANT USAGE ON SEQUENCE writes_id_seq TO homing")
        for node in ADDRESSES:
            # What Patroni's REST API is to HAProxy.
            self.spawn(node, [SRC + "/tests/bench/failover/role_http.py", ADDRESSES[node], PORT], "role-" + node)

    def certify(self, node):
        """TLS for who asks for it; clones take the certificate with them."""
        key, certificate = ("%s/%s/server.%s" % (self.root, node, end) for end in ("key", "crt"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "2", "-subj", "/CN=" + NAME, "-addext", "subjectAltName=DNS:" + NAME,
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        shutil.copy(certificate, self.work + "/ca.pem")
        self.pg(node, "own", node + "/server.key", node + "/server.crt")
        with open("%s/%s/postgresql.conf" % (self.root, node), "a") as conf:
            conf.write("ssl = on\n")
        self.pg(node, "sql", node, "SELECT pg_reload_conf()")

    # --- services, which end with us

    def spawn(self, where, command, name, env=None):
        with open("%s/%s.log" % (self.work, name), "ab") as log:
            process = subprocess.Popen([*self.net.inside(where), *command], stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log, env=dict(os.environ, **(env or {})))
        self.services.append((name, process))
        return process

    def start_dns(self):
        address = self.net.add("dns", "10.77.0.53")
        self.point_dns("a")
        self.spawn("dns", [SRC + "/tests/support/dns.py", address, "53", self.work + "/zone"], "dns")
        with open(self.work + "/resolv.conf", "w") as out:
            out.write("nameserver %s\n" % address)
        subprocess.run(["mount", "--bind", self.work + "/resolv.conf", "/etc/resolv.conf"], check=True)
        if os.path.isdir("/run/nscd"):  # a cache of the host must not answer for us
            subprocess.run(["mount", "-t", "tmpfs", "none", "/run/nscd"], check=True)

    def point_dns(self, node):
        with open(self.work + "/zone.new", "w") as out:
            out.write("%s %d %s\n" % (NAME, DNS_TTL, ADDRESSES[node]))
        os.rename(self.work + "/zone.new", self.work + "/zone")

    # --- the agent

    def start_agent(self):
        if self.mode == "none":
            return
        self.net.add("agent", "10.77.0.100")
        with open(os.open(self.work + "/password", os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            out.write("homing-test\n")
        with open(self.work + "/homing.yaml", "w") as out:
            # The brake (W10) would stop severing after five of these switches; all else is as it comes.
            out.write("""agent: {run_dir: %s/run, state_dir: %s/state}
clusters:
  - name: orders
%s%s    max_switches: 0
    members: ["%s:%s", "%s:%s"]
    password_file: password
    endpoints: [{names: [%s], role: writer}]
""" % (self.work, self.work, self.cluster_keys, "" if self.mode == "default" else "    mode: %s\n" % self.mode,
       ADDRESSES["a"], self.port, ADDRESSES["b"], self.port, NAME))
        self.agent = self.spawn("agent", [self.build + "/homingd", "--config", self.work + "/homing.yaml",
                                          "--log-format", "json"], "homingd")
        self.wait_agent("a")
        status = json.loads(self.homingctl("-o", "json", "status"))
        self.mode = status["clusters"][0]["endpoints"][0]["mode"]

    def homingctl(self, *args):
        done = subprocess.run([self.build + "/homingctl", "--socket", self.work + "/run/agent.sock", *args],
                              capture_output=True, text=True)
        return done.stdout

    def wait_agent(self, node):
        if self.mode == "none":
            return

        def follows():
            if self.agent.poll() is not None:
                with open(self.work + "/homingd.log") as log:
                    raise RuntimeError("homingd ended:\n" + log.read())
            out = self.homingctl("-o", "json", "status")
            cluster = json.loads(out)["clusters"][0] if out else {}
            return cluster.get("state") == "steady" and cluster.get("writer") == ADDRESSES[node] + ":" + self.port
        eventually(follows, "the agent's writer is " + node)

    def published_ms(self, since_ms):
        """When the agent published the switch after since_ms, or None."""
        if self.mode == "none":
            return None
        with open(self.work + "/homingd.log") as log:
            for line in log:
                entry = json.loads(line) if line.startswith("{") else {}
                if entry.get("event") == "writer_changed" and (at := parse_ms(entry["time"])) >= since_ms:
                    return at
        return None

    # --- one client's namespace, made at its first round and kept

    def place(self, name):
        if name not in self.net.holders:
            self.count += 1
            self.net.add(name, CLIENTS % self.count)
            self.net.holders[name].address = CLIENTS % self.count
        return self.net.holders[name].address


def parse_ms(text):
    from datetime import datetime
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000
