#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starting, ending and replacing an agent; what it says to bad arguments. Needs no server."""
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, SRC, Agent, cluster_text, directory  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402

HOMINGD = os.path.join(BUILD, "homingd")
SHIM = os.path.join(BUILD, "shim/libhoming.so")

# A member that refuses at once: a port that is bound, but not listened on.
holder = socket.socket()
holder.bind(("127.0.0.1", 0))
MEMBER = "127.0.0.1:%d" % holder.getsockname()[1]
CLUSTER = cluster_text("orders", [MEMBER])
agent = Agent(CLUSTER)


def saves(path):
    with open(path) as text:
        return [int(line.split()[1]) for line in text if line.startswith("save ")][0]


def homingd(*args):
    return subprocess.run([HOMINGD, *args], capture_output=True, text=True, timeout=30)


@test
def arguments_that_it_does_not_know_end_with_2_and_a_hint():
    for args in (["--colour"], ["extra"], ["--log-format", "xml"]):
        done = homingd(*args)
        equal(done.returncode, 2)
        assert "--help" in done.stderr, done.stderr
    equal(homingd("--version").returncode, 0)
    assert "--takeover" in homingd("--help").stdout


@test
def a_configuration_can_be_checked_and_dumped_without_starting():
    done = homingd("--check-config", agent.config)
    equal((done.returncode, done.stderr), (0, ""))
    assert done.stdout.startswith(agent.config + ": ok, 1 cluster"), done.stdout
    dump = homingd("--dump-config", agent.config)
    equal(dump.returncode, 0)
    again = os.path.join(agent.base, "dump.yaml")
    with open(again, "w") as out:
        out.write(dump.stdout)
    equal(homingd("--dump-config", again).stdout, dump.stdout)
    equal(homingd("--check-config", agent.base + "/missing").returncode, 2)


@test
def a_second_agent_on_the_path_ends_and_names_the_first():
    agent.start()
    second = Agent(CLUSTER, base=agent.base)
    second.spawn()
    equal(second.process.wait(30), 1)
    assert str(agent.process.pid) in second.text(), second.text()
    assert agent.answers()


@test
def a_takeover_leaves_no_moment_without_an_agent():
    second = Agent(CLUSTER, base=agent.base).spawn("--takeover")
    while agent.status()["pid"] != second.process.pid:
        pass
    equal(agent.stop(), 0)
    equal(second.status()["pid"], second.process.pid)
    equal(second.stop(), 0)
    assert not os.path.exists(agent.socket)


@test
def a_stale_socket_file_is_replaced():
    agent.start()
    agent.kill()
    assert os.path.exists(agent.socket)
    agent.start()
    equal(agent.stop(), 0)


@test
def no_clusters_is_a_working_agent():
    empty = Agent("  []\n").start()
    equal(empty.status()["clusters"], [])
    equal(empty.ctl("status").returncode, 0)
    equal(empty.stop(), 0)


@test
def an_unusable_state_directory_is_an_alarm_and_no_end():
    sick = Agent(CLUSTER)
    with open(os.path.join(sick.base, "state"), "w"):
        pass
    sick.start()
    equal([a["alarm"] for a in sick.status()["alarms"]], ["state_unsaved"])
    equal(sick.ctl("status").returncode, 1)
    done = sick.ctl("mode", "orders", "off")
    equal(done.returncode, 1)
    assert "could not be saved" in done.stderr, done.stderr
    equal(sick.cluster("orders")["mode"], "off")
    equal(sick.stop(), 0)


@test
def one_corrupt_copy_of_a_state_is_put_aside_and_the_other_counts():
    sick = Agent(CLUSTER)
    sick.start()
    equal(sick.ctl("mode", "orders", "off").returncode, 0)
    equal(sick.stop(), 0)
    sick.start()
    equal(sick.cluster("orders")["mode"], "off")
    equal(sick.log("state_damaged"), [])
    equal(sick.stop(), 0)
    state = os.path.join(sick.base, "state")
    newest = max(("orders.state.1", "orders.state.2"), key=lambda name: saves(os.path.join(state, name)))
    with open(os.path.join(state, newest), "r+b") as out:
        out.write(b"garbage")
    sick.start()
    equal(sick.cluster("orders")["mode"], "off")
    equal([line["file"] for line in sick.log("state_damaged")], [newest + ".corrupt"])
    equal(sick.log("state_unreadable"), [])
    assert os.path.exists(os.path.join(state, newest + ".corrupt"))
    equal(sick.stop(), 0)


@test
def corrupt_state_is_put_aside_and_said():
    sick = Agent(CLUSTER)
    sick.start()
    equal(sick.stop(), 0)
    state = os.path.join(sick.base, "state")
    for name in os.listdir(state):
        if os.path.isfile(os.path.join(state, name)) and "orders" in name:
            with open(os.path.join(state, name), "wb") as out:
                out.write(b"\x00garbage")
    sick.start()
    equal(len(sick.log("state_unreadable")), 1)
    assert any(name.endswith(".corrupt") for name in os.listdir(state)), os.listdir(state)
    equal(sick.stop(), 0)


@test
def it_does_not_run_under_its_own_shim():
    env = dict(os.environ, LD_PRELOAD=SHIM)
    other = Agent(CLUSTER).start(env=env)
    with open("/proc/%d/maps" % other.process.pid) as maps:
        assert "libhoming.so" not in maps.read()
    equal(other.stop(), 0)


@test
def without_an_agent_ctl_says_what_to_look_at_and_ends_with_3():
    nowhere = os.path.join(directory(), "agent.sock")
    done = subprocess.run([os.path.join(BUILD, "homingctl"), "--socket", nowhere, "status"],
                          capture_output=True, text=True)
    equal(done.returncode, 3)
    assert "-admin/admin.sock" in done.stderr and "homingd running" in done.stderr, done.stderr
    with open(nowhere, "w"):
        pass
    done = subprocess.run([os.path.join(BUILD, "homingctl"), "--socket", nowhere, "resolve", "x"],
                          capture_output=True, text=True)
    equal(done.returncode, 3)
    assert "That is no socket" in done.stderr, done.stderr


@test
def run_starts_a_program_under_the_shim_with_or_without_an_agent():
    ctl = os.path.join(BUILD, "homingctl")
    done = subprocess.run([ctl, "--socket", "/nonexistent/agent.sock", "run", "--", "sh", "-c",
                           "echo $LD_PRELOAD $HOMING_SOCKET; exit 7"], capture_output=True, text=True)
    equal(done.returncode, 7)
    equal(done.stdout.split(), [os.path.realpath(SHIM), "/nonexistent/agent.sock"])
    equal(len(done.stderr.splitlines()), 1)
    equal(subprocess.run([ctl, "run"], capture_output=True).returncode, 2)
    equal(subprocess.run([ctl, "run", "--", "/nonexistent/x"], capture_output=True).returncode, 127)
    equal(subprocess.run([ctl, "run", "--", "/etc/passwd"], capture_output=True).returncode, 126)


@test
def who_watches_is_told_of_every_event():
    watched = Agent(CLUSTER).start()
    client = socket.socket(socket.AF_UNIX)
    client.connect(watched.base + "/run-admin/admin.sock")
    client.settimeout(30)
    client.sendall(b"\x94\x00\x07\xa5watch\x90")
    told = b""
    while not told:
        told = client.recv(100)
    assert told.startswith(b"\x94\x01\x07\xc0\xc3"), told  # [1, 7, nil, true]
    watched.ok("mode", "orders", "off")
    while b"mode off" not in told:
        told += client.recv(1000)
    assert b"\x93\x02\xa5event\x91" in told, told


@test
def bash_completes_clusters_members_and_names_of_the_running_agent():
    known = Agent(CLUSTER).start()
    env = dict(os.environ, HOMING_SOCKET=known.socket, PATH=BUILD + ":" + os.environ["PATH"])
    script = os.path.join(SRC, "packaging/completion/homingctl")
    for words, wanted in ((["sta"], "status"), (["mode", ""], "orders"), (["mode", "orders", "o"], "observe"),
                          (["accept", "orders", "127"], MEMBER), (["resolve", ""], "orders-db"),
                          (["-o", "json", "explain", "orders-"], "orders-db")):
        done = subprocess.run(["bash", "-c", "source %s; COMP_WORDS=(homingctl \"$@\"); COMP_CWORD=$#; "
                               "_homingctl; printf '%%s\\n' \"${COMPREPLY[@]}\"" % script, "bash", *words],
                              env=env, capture_output=True, text=True)
        assert wanted in done.stdout.split(), (words, done.stdout, done.stderr)


@test
def an_agent_short_of_descriptors_goes_on_and_says_so():
    silent = [socket.create_server(("127.0.0.1", 0)) for _ in range(8)]
    members = ", ".join("127.0.0.1:%d" % listener.getsockname()[1] for listener in silent)
    poor = Agent(CLUSTER.replace(MEMBER, members))
    poor.spawn(before=["prlimit", "--nofile=14:14"])
    eventually(lambda: poor.log("ready") or poor.process.poll() is not None, "it is ready, or ended")
    equal(poor.process.poll(), None)
    equal(poor.log("descriptors_short")[0]["limit"], 14)
    equal(poor.stop(), 0)


def may_take_precedence():
    return subprocess.run(["nice", "-n", "-10", "true"], capture_output=True, text=True).stderr == ""


@test
def it_takes_precedence_where_it_may_and_where_nobody_has_chosen():
    for chosen, wanted in (("0", -10 if may_take_precedence() else 0), ("5", 5)):
        agent = Agent(CLUSTER).spawn(before=["nice", "-n", chosen])
        eventually(lambda: agent.log("ready"), "it is ready")
        equal(os.getpriority(os.PRIO_PROCESS, agent.process.pid), wanted)
        equal(agent.stop(), 0)


@test
def nobody_but_root_and_its_own_user_may_give_orders():
    if os.getuid() != 0:
        return
    guarded = Agent(CLUSTER).start()
    os.chmod(guarded.base + "/run-admin", 0o755)
    os.chmod(guarded.base + "/run-admin/admin.sock", 0o666)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                 os.path.join(BUILD, "homingctl"), "--socket", guarded.socket]
    looked = subprocess.run(as_nobody + ["status"], capture_output=True, text=True)
    assert "orders" in looked.stdout, looked.stderr
    for order in (["mode", "orders", "off"], ["freeze", "orders"], ["reload"],
                  ["accept", "orders", MEMBER]):
        done = subprocess.run(as_nobody + order, capture_output=True, text=True)
        equal(done.returncode, 1)
        assert "root" in done.stderr, done.stderr
    eventually(lambda: guarded.cluster("orders")["mode"] is None, "nothing was changed")


main()
