#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that libc gave a member's address for no name: PgBouncer, whose resolver is c-ares, and Erlang, whose resolver
is another process. Both know the old writer's address only. With --assume they are severed from it, and their next connect
to that very address is to the new writer. Each server is a host of its own, in a network namespace.
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../support"), os.path.join(HERE, "../bench/failover")]
from homing import BUILD, NOBODY, PG_SH, Agent, cluster_text, directory, own_hosts, own_namespaces  # noqa: E402
from net import HERE as HERE_ADDRESS, Net  # noqa: E402
from sever import need_root  # noqa: E402
from tap import Skip, cleanups, equal, eventually, give_up, main, test  # noqa: E402

need_root()
own_namespaces("--net", "--mount")
NAME, PORT, POOLER = "orders-db.test", "5432", 6432
A, B = "10.77.0.1", "10.77.0.2"
PGBOUNCER = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
SETTINGS = """[databases]
postgres = host=%s port=%s dbname=postgres user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
server_login_retry = 0
"""
os.environ.update(PG_NET="10.77.0", PG_PORT=PORT)
net = Net()
for name, address in (("a", A), ("b", B)):
    net.add(name, address)
cleanups.append(lambda: [holder.kill() for holder in net.holders.values()])
done = subprocess.run(["bash", PG_SH, "root_new"], capture_output=True, text=True, check=False)
if done.returncode != 0:
    give_up(" ".join(done.stderr.split()))
os.environ["PG_ROOT"] = done.stdout.strip()
cleanups.append(lambda: subprocess.run(["bash", PG_SH, "destroy"], check=False))


def pg(host, *command):
    done = subprocess.run([*net.inside(host), "bash", PG_SH, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, "pg.sh %s: %s" % (" ".join(command), done.stderr)
    return done.stdout.strip()


pg("a", "init", "a")
pg("b", "clone", "b", "a")
own_hosts({NAME: A})  # what a resolver that is not libc's says, and goes on saying
agent = Agent(cluster_text("orders", [A + ":" + PORT, B + ":" + PORT], NAME, also="    max_switches: 0\n"))
agent.start()
agent.wait_writer("orders", A + ":" + PORT)
eventually(lambda: agent.status()["severing"]["available"], "severing is available")


class Program:
    """Reads a line, and says to which server it is connected."""

    def __init__(self, argv, assume=(), as_nobody=False):
        run = [os.path.join(BUILD, "homingctl"), "--socket", agent.socket, "run", *assume, "--", *argv]
        self.process = subprocess.Popen([*NOBODY, *run] if as_nobody else run, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1, cwd=directory())
        cleanups.append(self.end)

    def read(self):
        for line in self.process.stdout:
            if line.startswith("server "):
                return line.split()[1:]
        raise AssertionError("it has ended")

    def ask(self):
        self.process.stdin.write("ask\n")
        return self.read()

    def end(self):
        self.process.kill()
        self.process.wait()


def pgbouncer(port, *assume):
    """It, and a client of it, which is no program under homing: it asks anew over each of its connections."""
    path = os.path.join(directory(), "pgbouncer.ini")
    with open(path, "w") as out:
        out.write(SETTINGS % (NAME, PORT, port))
    Program([PGBOUNCER, "-q", path], assume, as_nobody=True)

    def ask():
        done = subprocess.run(["psql", "-XAtq", "-c", "SELECT host(inet_server_addr())",
                               "host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable" % port],
                              capture_output=True, text=True, check=False)
        return done.stdout.strip()
    eventually(ask, "an answer through PgBouncer")
    return ask


def erlang(out, *assume):
    said = Program(["erl", "-noshell", "-pa", out, "-run", "assume", "main", NAME, PORT], assume)
    equal(said.read(), [A])
    return said


def switch(old, new):
    """The old writer stays up, and all connections with it."""
    pg(old, "sql", old, "ALTER SYSTEM SET default_transaction_read_only = on")
    pg(old, "sql", old, "SELECT pg_reload_conf()")
    pg(new, "promote", new)


def tagged():
    return [row["command"] for row in agent.json("connections")["connections"]]


@test
def what_assumes_the_endpoint_follows_and_what_does_not_stays():
    has = {"pgbouncer": os.access(PGBOUNCER, os.X_OK), "erlang": shutil.which("erlc") and has_p1_pgsql()}
    if not all(has.values()):
        raise Skip("not installed: " + " ".join(name for name, there in has.items() if not there))
    out = directory()
    subprocess.run(["erlc", "-o", out, os.path.join(HERE, "assume.erl")], check=True)
    pooled, plain = pgbouncer(POOLER, "--assume", NAME), pgbouncer(POOLER + 1)
    holds, alone = erlang(out, "--assume", NAME), erlang(out)
    equal([pooled(), plain(), holds.ask(), alone.ask()], [A, A, [A], [A]])
    eventually(lambda: sorted(tagged()) == ["beam.smp", "pgbouncer"], "both are tagged")
    switch("a", "b")
    agent.wait_writer("orders", B + ":" + PORT)
    eventually(lambda: agent.cluster("orders")["severed"] == 2, "both are severed")
    equal([eventually(pooled, "an answer through PgBouncer"), holds.ask()], [B, ["anew", B]])
    equal([plain(), alone.ask()], [A, [A]])


@test
def a_name_that_the_agent_does_not_have_is_told_at_the_start():
    said = agent.ctl("run", "--assume", NAME + ",none.test", "--", "true")
    equal(said.returncode, 0)
    assert "first name is none.test:" in said.stderr and NAME not in said.stderr, said.stderr


def has_p1_pgsql():
    return subprocess.run(["erl", "-noshell", "-eval", "halt(case code:which(pgsql) of non_existing -> 1; _ -> 0 end)."],
                          check=False).returncode == 0


main()
