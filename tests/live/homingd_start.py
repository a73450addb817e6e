#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starting, ending and replacing an agent; what it says to bad arguments. Needs no server."""
import os
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, NOBODY, SRC, Agent, cluster_text, directory  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402

HOMINGD = os.path.join(BUILD, "homingd")
CTL = os.path.join(BUILD, "homingctl")
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


def newest(state):
    paths = [os.path.join(state, name) for name in os.listdir(state) if name[:-1] == "orders.state."]
    with open(max(paths, key=saves)) as text:
        return text.read()


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
def root_is_told_of_a_password_file_that_only_root_can_read():
    config, secret = (os.path.join(agent.base, name) for name in ("pw.yaml", "pw"))
    with open(config, "w") as out, open(agent.config) as given:
        out.write(given.read().replace("    members:", "    password_file: %s\n    members:" % secret, 1))
    with open(secret, "w") as out:
        out.write("x\n")
    for mode, group, told in ((0o600, 0, True), (0o640, 0, True), (0o640, 65534, False), (0o600, 65534, True)):
        os.chown(secret, 0, group)
        os.chmod(secret, mode)
        done = homingd("--check-config", config)
        equal((done.returncode, "only root can read it" in done.stdout), (0, told))
    os.chown(secret, 65534, 65534)
    assert "only root" not in homingd("--check-config", config).stdout


@test
def a_second_agent_on_the_path_ends_and_names_the_first():
    agent.start()
    second = Agent(CLUSTER, base=agent.base)
    second.spawn()
    equal(second.process.wait(30), 1)
    assert "an agent is running there (pid %d" % agent.process.pid in second.text(), second.text()
    assert "start with --takeover" in second.text(), second.text()
    assert agent.answers()


@test
def a_second_agent_that_ends_has_started_no_homing_sever():
    if os.getuid() != 0:
        return
    first = Agent(CLUSTER).start(before=["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"])
    equal(first.log("severer_started"), [])
    second = Agent(CLUSTER, base=first.base).spawn()
    equal(second.process.wait(30), 1)
    equal(second.log("severer_started"), [])
    equal(first.stop(), 0)


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
def a_lost_socket_is_put_back_and_a_closed_directory_is_an_alarm():
    kept = Agent("  []\n").start()
    run_dir = os.path.dirname(kept.socket)
    os.unlink(kept.socket)
    eventually(lambda: os.path.exists(kept.socket), "it is back")
    eventually(lambda: kept.ctl("resolve", "x").returncode == 1, "it answers there")
    equal(len(kept.log("socket_restored")), 1)
    os.chmod(run_dir, 0o700)
    def lost():  # homing-sever may tell of its own
        return [line["message"] for line in kept.log("socket_unreachable")]
    eventually(lambda: [message for message in lost() if "agent.sock" in message], "an alarm")
    equal(kept.ctl("status").returncode, 1)
    assert "chmod o+x " + run_dir in kept.ctl("status").stdout, kept.ctl("status").stdout
    os.chmod(run_dir, 0o755)
    eventually(lambda: kept.ctl("status").returncode == 0, "it is over")
    eventually(lambda: len(kept.log("socket_reachable")) == len(lost()), "each says that it is over")
    equal(len([message for message in lost() if "agent.sock" in message]), 1)
    equal(kept.stop(), 0)


@test
def programs_get_their_socket_back_though_the_directory_of_the_other_one_is_a_file():
    kept = Agent("  []\n").start()
    admin = os.path.dirname(kept.socket) + "-admin"
    os.rename(admin, admin + ".away")
    with open(admin, "w"):
        pass
    os.unlink(kept.socket)
    eventually(lambda: os.path.exists(kept.socket), "it is back")
    eventually(lambda: kept.ctl("resolve", "x").returncode == 1, "it answers there")
    eventually(lambda: any(admin + " is not a directory" in line["message"] for line in kept.log("socket_unreachable")),
               "an alarm for the other one")
    assert "stands in the place of one of its directories: move it away" in kept.ctl("status").stderr
    os.unlink(admin)
    eventually(lambda: kept.ctl("status").returncode == 0, "the other one is back, too")
    equal(kept.stop(), 0)


@test
def a_directory_that_lacks_rights_is_used_after_the_command_that_the_alarm_tells():
    kept = Agent("  []\n").start()
    run_dir = os.path.dirname(kept.socket)
    os.unlink(kept.socket)
    os.chmod(run_dir, 0)
    def command():
        lines = [alarm["text"] for alarm in kept.status()["alarms"] if "cannot make a socket in" in alarm["text"]]
        return lines and lines[0].split(": run ")[1]
    subprocess.run(eventually(command, "an alarm"), shell=True, check=True)
    eventually(lambda: os.path.exists(kept.socket), "it is back")
    os.chmod(run_dir, 0o755)  # other users may enter again, too: another alarm tells that
    eventually(lambda: kept.ctl("status").returncode == 0, "it is over")
    eventually(lambda: kept.ctl("resolve", "x").returncode == 1, "it answers there")
    equal(kept.stop(), 0)


@test
def an_answer_that_cannot_be_written_is_not_taken_for_one():
    kept = Agent("  []\n").start()
    with open("/dev/full", "w") as full:
        for command in ("status", "version"):
            done = subprocess.run([CTL, "--socket", kept.socket, command], stdout=full, stderr=subprocess.PIPE, text=True)
            equal((done.returncode, done.stderr), (1, "homingctl: cannot write the answer: No space left on device\n"))
    equal(kept.stop(), 0)


@test
def a_directory_in_which_others_could_replace_the_sockets_is_an_alarm_as_it_is_at_the_start():
    kept = Agent("  []\n").start()
    run_dir = os.path.dirname(kept.socket)
    for directory_ in (run_dir, run_dir + "-admin"):
        before = os.stat(directory_).st_mode & 0o7777
        os.chmod(directory_, before | 0o002)
        text = "%s is writable by everybody: run chmod o-w %s" % (directory_, directory_)
        eventually(lambda: text in kept.ctl("status").stdout, text)
        equal(kept.ctl("status").returncode, 1)
        os.chmod(directory_, before)
        eventually(lambda: kept.ctl("status").returncode == 0, "it is over")
    equal(kept.stop(), 0)


@test
def an_agent_that_does_not_answer_is_not_called_one_that_is_not_there():
    kept = Agent("  []\n").start()
    kept.process.send_signal(signal.SIGSTOP)
    done = kept.ctl("status")
    kept.process.send_signal(signal.SIGCONT)
    equal(done.returncode, 3)
    assert "homingctl: no answer from the agent at " in done.stderr, done.stderr
    equal(kept.stop(), 0)


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


def alarms(agent):
    return [alarm["alarm"] for alarm in agent.status()["alarms"]]


@test
def a_state_directory_that_others_can_write_is_used_after_the_command_that_the_alarm_tells():
    sick = Agent(CLUSTER)
    state = os.path.join(sick.base, "state")
    os.mkdir(state)
    os.chmod(state, 0o777)
    sick.start()
    text = sick.ctl("status").stdout
    assert state + ": others can write there: run chmod o-w on it" in text, text
    equal(sick.ctl("mode", "orders", "off").returncode, 1)
    os.chmod(state, 0o775)
    eventually(lambda: alarms(sick) == [], "it is used")
    os.chmod(state, 0o777)
    eventually(lambda: alarms(sick) == ["state_unsaved"], "a restart would not use it")
    os.chmod(state, 0o775)
    eventually(lambda: alarms(sick) == [], "it is used again")
    sick.kill()
    sick.start()
    equal(sick.cluster("orders")["mode"], "off")
    equal(sick.stop(), 0)


@test
def an_order_that_was_saved_once_is_not_called_saved_when_it_is_given_again_and_cannot_be():
    sick = Agent(CLUSTER)
    state = os.path.join(sick.base, "state")
    sick.start()
    equal(sick.ctl("mode", "orders", "names").returncode, 0)
    os.rename(state, state + ".away")
    with open(state, "w"):
        pass
    eventually(lambda: alarms(sick) == ["state_unsaved"], "an alarm")
    for mode in ("off", "names"):
        done = sick.ctl("mode", "orders", mode)
        equal(done.returncode, 1)
        assert "could not be saved" in done.stderr, done.stderr
    equal(sick.stop(), 0)


@test
def a_state_directory_that_is_lost_while_the_agent_runs_is_made_again_and_all_is_saved_there():
    kept = Agent(CLUSTER)
    state = os.path.join(kept.base, "state")
    kept.start()
    equal(kept.ctl("mode", "orders", "off").returncode, 0)
    shutil.rmtree(state)
    eventually(lambda: os.path.exists(os.path.join(state, "orders.state.1")), "it is there again")
    eventually(lambda: alarms(kept) == [], "nothing is wrong")
    kept.kill()
    kept.start()
    equal(kept.cluster("orders")["mode"], "off")
    os.rename(state, state + ".away")
    with open(state, "w"):
        pass
    eventually(lambda: alarms(kept) == ["state_unsaved"], "an alarm")
    text = kept.ctl("status").stdout
    assert state + ": Not a directory: move away what is in its place" in text, text
    os.unlink(state)
    eventually(lambda: alarms(kept) == [], "it is over")
    equal(kept.stop(), 0)


@test
def an_order_stands_though_the_state_directory_becomes_one_with_an_older_order():
    kept = Agent(CLUSTER)
    state = os.path.join(kept.base, "state")
    kept.start()
    equal(kept.ctl("mode", "orders", "names").returncode, 0)
    equal(kept.ctl("mode", "orders", "off").returncode, 0)
    os.rename(state, state + ".old")
    eventually(lambda: os.path.exists(os.path.join(state, "orders.state.1")), "it is made again")
    equal(kept.ctl("mode", "orders", "observe").returncode, 0)
    kept.process.send_signal(signal.SIGSTOP)  # it must not make one between the two
    os.rename(state, state + ".away")
    os.rename(state + ".old", state)
    kept.process.send_signal(signal.SIGCONT)
    eventually(lambda: "mode observe" in newest(state), "it is saved there")
    kept.kill()
    kept.start()
    equal(kept.cluster("orders")["mode"], "observe")
    equal(kept.stop(), 0)


@test
def a_slip_in_a_clusters_name_is_answered_with_the_right_one_by_every_command():
    asked = Agent(CLUSTER).start()
    for command in (["status", "order"], ["history", "order"], ["connections", "order"], ["mode", "order", "off"]):
        done = asked.ctl(*command)
        equal((done.returncode, done.stderr), (1, "homingctl: no cluster order; did you mean 'orders'?\n"))
    equal(asked.ctl("status", "bills").stderr, "homingctl: no cluster bills\n")
    equal(asked.stop(), 0)


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
    last = max(("orders.state.1", "orders.state.2"), key=lambda name: saves(os.path.join(state, name)))
    with open(os.path.join(state, last), "r+b") as out:
        out.write(b"garbage")
    sick.start()
    equal(sick.cluster("orders")["mode"], "off")
    equal([line["file"] for line in sick.log("state_damaged")], [last + ".corrupt"])
    equal(sick.log("state_unreadable"), [])
    assert os.path.exists(os.path.join(state, last + ".corrupt"))
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
def run_preloads_each_library_once_and_from_any_directory():
    def preload(*words, old=None):
        env = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
        env.update({"LD_PRELOAD": old} if old else {})
        done = subprocess.run([os.path.join(BUILD, "homingctl"), "--socket", "/nonexistent/agent.sock", "run", *words,
                               "--", "/bin/sh", "-c", "echo $LD_PRELOAD"], capture_output=True, text=True, env=env,
                              cwd=os.path.dirname(SHIM), check=False)
        return done.returncode, done.stdout.strip()

    equal(preload("--with", "./libhoming.so"), (0, "%s:%s/./libhoming.so" % (SHIM, os.path.dirname(SHIM))))
    equal(preload("--with", "./nothing.so"), (2, ""))
    equal(preload("--with"), (2, ""))  # "--" is no library
    any_width = SHIM.replace("/shim/", "/$LIB/")
    equal(preload(old=any_width), (0, any_width))


def run_says(path, *words, as_user=(), **variables):
    """What `homingctl run` says on stderr, and its exit status; the program says what it was given."""
    done = subprocess.run([*as_user, CTL, "--socket", path, "run", *words, "--", "sh", "-c", "echo $HOMING_ASSUME"],
                          capture_output=True, text=True, env=dict(os.environ, **variables), check=False)
    return done.returncode, done.stdout.strip(), done.stderr


@test
def run_tells_a_name_that_is_not_the_first_of_its_endpoint_from_one_that_is_none():
    other = "orders-db.example.com"
    known = Agent(CLUSTER.replace("orders-db", other + ", orders-db")).start()
    equal(run_says(known.socket, "--assume", other), (0, other, ""))
    code, given, said = run_says(known.socket, "--assume", "orders-db")
    equal((code, given), (2, ""))
    assert "orders-db is a name of the endpoint %s: write that one" % other in said, said
    code, given, said = run_says(known.socket, "--assume", other, "--assume", "none.test")
    equal((code, given), (0, other + ",none.test"))
    assert "first name is none.test:" in said and len(said.splitlines()) == 1, said
    # The environment is no argument: the program runs.
    for value, wanted in (("orders-db", "write that one"), ("none.test", "first name is none.test:"), (other + ", x", "no blank"),
                          (other + ",", "a name is empty")):
        code, given, said = run_says(known.socket, HOMING_ASSUME=value)
        equal((code, given), (0, value))
        assert "HOMING_ASSUME: " in said and wanted in said and len(said.splitlines()) == 1, said
    equal(run_says(known.socket, HOMING_ASSUME=other), (0, other, ""))
    equal(known.stop(), 0)


@test
def homing_sever_says_which_value_is_wrong():
    for option, value, wanted in (("--run-dir", "", "absolute"), ("--admin-dir", "sub", "absolute"), ("--run-dir", "/", "absolute"),
                                  ("--idle-exit", "1s", "seconds"), ("--idle-exit", "99999999999", "31536000")):
        done = subprocess.run([os.path.join(BUILD, "homing-sever"), option, value], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and option + " is " in done.stderr and wanted in done.stderr, done


@test
def run_says_which_fault_the_names_to_assume_have():
    for names, wanted in (("", "a name is empty"), ("a,,b", "a name is empty: 'a,,b'"), ("a, b", "no blank: ' b'"),
                          ("10.0.0.1", "no endpoint's name: '10.0.0.1'"), ("a,b,c,d,e,f,g,h,i", "too many: 'i'"),
                          ("x" * 300, "no endpoint's name: 'xxx")):
        code, given, said = run_says("/nonexistent/agent.sock", "--assume=" + names)
        equal((code, given), (2, ""))
        assert wanted in said, said


@test
def run_says_that_it_runs_without_homing_where_that_was_chosen():
    running = Agent(CLUSTER).start()
    for value, lines in (("1", 1), ("yes", 1), ("0", 0), ("No", 0), ("", 0)):
        code, _, said = run_says(running.socket, "--assume", "orders-db", HOMING_DISABLE=value)
        equal((value, code, len(said.splitlines())), (value, 0, lines))
        assert not lines or "HOMING_DISABLE=%s: running without homing" % value in said, said
    equal(running.stop(), 0)


@test
def wrong_arguments_end_with_2_whether_there_is_an_agent_or_not():
    wrong = [["mode", "orders", "bogus"], ["mode", "orders"], ["mode", "orders", ""], ["status", "a", "b"],
             ["resolve"], ["resolve", ""], ["explain", "a", "b"], ["accept", "orders"], ["freeze"], ["unfreeze", "a", "b"],
             ["reload", "x"], ["version", "x"], ["history", "a", "b"], ["connections", "a", "b"], ["help", "bogus"],
             ["bogus"], [], ["--socket"], ["-o", "xml", "status"], ["status", "--with=x"], ["run"]]
    there = Agent(CLUSTER).start()
    for path in (there.socket, "/nonexistent/agent.sock"):
        for words in wrong:
            done = subprocess.run([os.path.join(BUILD, "homingctl"), *words], capture_output=True, text=True,
                                  env=dict(os.environ, HOMING_SOCKET=path), check=False)
            equal((words, done.returncode, done.stdout), (words, 2, ""))
            assert done.stderr, words
    equal(there.cluster("orders")["mode"], None)
    equal(there.stop(), 0)


@test
def who_may_not_ask_is_told_which_right_is_missing():
    if os.getuid() != 0:
        return
    closed = Agent(CLUSTER)
    copy = shutil.copy(os.path.join(BUILD, "homingctl"), closed.base)  # where any user may run it
    closed.start()

    def told(*words):
        done = subprocess.run([*NOBODY, copy, "--socket", closed.socket, *words], capture_output=True, text=True,
                              check=False)
        equal(done.returncode, 3)
        return done.stderr

    run_dir = os.path.dirname(closed.socket)
    assert "root, homingd's user and its group" in told("status")
    assert run_dir + "-admin: root" in told("status"), told("status")
    os.chmod(run_dir, 0o750)
    assert "chmod o+x " + run_dir in told("resolve", "orders-db"), told("resolve", "orders-db")
    assert "group" not in told("resolve", "orders-db")
    os.makedirs(closed.base + "/shim")
    shutil.copy(SHIM, closed.base + "/shim")
    os.chmod(closed.base, 0o755)
    done = subprocess.run([*NOBODY, copy, "--socket", closed.socket, "run", "--", "true"], capture_output=True, text=True,
                          check=False)
    equal(done.returncode, 0)
    assert "chmod o+x " + run_dir in done.stderr, done.stderr
    for said in (done.stderr, told("resolve", "orders-db"), told("status")):
        assert "no agent" not in said, said
    equal(closed.stop(), 0)


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


# nice(1) adds to what this test itself was started with.
AT_NICENESS = """import os, sys
os.setpriority(os.PRIO_PROCESS, 0, int(sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])"""


@test
def it_takes_precedence_where_it_may_and_where_nobody_has_chosen():
    may, own = may_take_precedence(), os.getpriority(os.PRIO_PROCESS, 0)
    for chosen, wanted in ((0, -10), (5, 5)) if may else ((own, own), (19, 19)):
        agent = Agent(CLUSTER).spawn(before=[sys.executable, "-c", AT_NICENESS, str(chosen)])
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
