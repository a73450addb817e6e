#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A user keeps the kernel's lock of a memory that he has handed over, or of a connection (locked.py): who waits for it
cannot even be killed. homing-sever does not wait: another user's connection is severed, and it is the same homing-sever afterwards."""
import os
import re
import signal
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from homing import directory, preload  # noqa: E402
from sever import Client, Sever, need_root, pack, unpack  # noqa: E402
from stuck_files import SILENT_READ, mount_stuck  # noqa: E402
from tap import Skip, cleanups, equal, eventually, main, test, test_each  # noqa: E402

need_root()
HOSTILE, VICTIM = 61004, 61003
A, PORT, ORDERS = f"127.79.{os.getpid() % 250 + 1}.1", 7432, 0x1111
KERNEL = tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups()))
server = Client()
equal(server.do("listen", A, PORT), "ok")


class Locked:
    def __init__(self, path, what, uid=HOSTILE, wrap=()):
        self.file, self.let_go = mount_stuck(directory(), SILENT_READ)
        self.process = subprocess.Popen(
            [*wrap, sys.executable, "-B", os.path.join(HERE, "locked.py"), path, str(uid), self.file, A, str(PORT),
             str(ORDERS), what],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        cleanups.append(self.end)
        equal(self.process.stdout.readline(), "ready\n")

    def lock(self):
        self.process.stdin.write("\n")
        self.pid = int(self.process.stdout.readline())

    def give_back(self):
        """The permit. The process may hang when it closes what is locked."""
        self.process.stdin.close()

    def end_process(self):
        """But for who has the lock."""
        self.give_back()
        self.process.wait()

    def end(self):
        self.let_go()
        self.process.kill()
        self.process.wait()


def need_own_locks():
    if KERNEL < (6, 9):
        raise Skip("before Linux 6.9 one lock is for all who list or abort, and it is held as long")


def lines(sever, event):
    return len([line for line in sever.text().splitlines() if f'"{event}"' in line])


def answers_anew(sever, before):
    """Who hangs does not."""
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(1)
            s.connect(sever.order_path)
            s.sendall(pack([0, 1, "version", []]))
            (_, _, _, version), _ = unpack(s.recv(4096))
            return version["instance"] != before
    except (OSError, IndexError):
        return False


def begin_sever():
    sever = Sever().start()
    os.chmod(sever.base, 0o755)
    return sever


def begin_victim(sever):
    victim = Client(wrap=["setpriv", f"--reuid={VICTIM}", f"--regid={VICTIM}", "--clear-groups"])
    equal(victim.do("permit", sever.permit), "ok")
    return victim, victim.do("connect", A, PORT, ORDERS, 7)


def begin(what="memory"):
    sever = begin_sever()
    victim, fd = begin_victim(sever)
    locked = Locked(sever.permit, what)
    sever.wait_processes(2)
    return sever, victim, fd, locked


def end(sever, victim, locked):
    locked.end()
    victim.end()
    sever.kill()


# `untagged`: all memories of the network namespace are read, whoever they are of.
@test_each([False, True])
def a_memory_that_is_locked_keeps_no_order_waiting(untagged):
    sever, victim, fd, locked = begin()
    locked.lock()
    instance = sever.status()["instance"]
    equal(sever.sever(ORDERS, 8, (A, PORT), untagged=untagged)["severed"], 2)
    equal(victim.do("state", fd), "severed")
    equal(sever.status()["instance"], instance)
    end(sever, victim, locked)


# Who aborts it waits, and so does who lists more of it than its addresses.
@test_each(["tcp", "untagged", "mptcp"])
def a_connection_that_is_locked_keeps_no_order_waiting(what):
    need_own_locks()
    sever, victim, fd, locked = begin(what)
    locked.lock()
    instance = sever.status()["instance"]
    equal(sever.sever(ORDERS, 8, (A, PORT), untagged=what == "untagged")["severed"], 1)
    equal(victim.do("state", fd), "severed")
    equal(sever.status()["instance"], instance)
    equal(lines(sever, "socket_locked"), 2 if what == "untagged" else 1)
    end(sever, victim, locked)


# Each may have so many deputies hang, and no more of his is tried until one is back.
@test
def four_users_who_lock_all_they_can_keep_no_fifth_one_from_being_severed():
    need_own_locks()
    sever = begin_sever()
    hostile = [Locked(sever.permit, "tcp", HOSTILE + user) for user in range(4) for _ in range(3)]
    sever.wait_processes(len(hostile))
    for one in hostile:
        one.lock()
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 0)
    victim, fd = begin_victim(sever)
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 1)
    equal(victim.do("state", fd), "severed")
    equal((lines(sever, "socket_locked"), lines(sever, "stuck")), (8, 4))
    for one in hostile:
        one.let_go()
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 4)  # which nobody has tried yet
    for one in hostile:
        one.end()
    end(sever, victim, hostile[0])


# A network namespace of which there is one netlink socket, which came with a program that means no harm.
@test
def a_netlink_socket_with_which_a_list_hung_costs_no_permit_and_is_of_use_again():
    need_own_locks()
    sever = begin_sever()
    victim = Client(wrap=["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$0"'])
    equal(victim.do("listen", A, PORT), "ok")
    equal(victim.do("permit", sever.permit), "ok")
    fd = victim.do("connect", A, PORT, ORDERS, 7)
    locked = Locked(sever.permit, "mptcp", wrap=["nsenter", "-t", str(victim.process.pid), "-n"])
    locked.lock()
    locked.give_back()
    sever.wait_processes(1)
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 0)
    equal((lines(sever, "socket_locked"), lines(sever, "unlisted")), (1, 1))
    equal(sever.status()["permits"]["groups_without_socket"], 1)
    equal(sever.status()["permits"]["processes"], 1)
    locked.let_go()
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 1)
    equal(victim.do("state", fd), "severed")
    equal(sever.status()["permits"]["groups_without_socket"], 0)
    end(sever, victim, locked)


# Whatever it is that hangs it: its sockets listen as long as it is there, and another one takes their names.
@test
def a_holder_that_hangs_where_it_cannot_be_killed_is_replaced():
    stuck = os.path.join(directory(), "stuck")
    environment = dict(preload("stuck_pread"), HOMING_TEST_STUCK=stuck)
    sever = Sever().start(wrap=["env", *(f"{key}={environment[key]}" for key in ("LD_PRELOAD", "HOMING_TEST_STUCK"))])
    os.chmod(sever.base, 0o755)
    victim = Client(wrap=["setpriv", f"--reuid={VICTIM}", f"--regid={VICTIM}", "--clear-groups"])
    equal(victim.do("permit", sever.permit), "ok")
    fd = victim.do("connect", A, PORT, ORDERS, 7)
    before = sever.wait_processes(1) and sever.status()
    file, let_go = mount_stuck(directory())
    os.symlink(file, stuck)
    with socket.socket(socket.AF_UNIX) as order:
        order.connect(sever.order_path)
        order.sendall(pack([0, 1, "sever", [{"endpoints": [[ORDERS, 8]], "addresses": [[A, PORT]]}]]))
        eventually(lambda: answers_anew(sever, before["instance"]), "another holder answers")
    os.kill(before["pid"], 0)  # the one before is still there
    equal(sever.status()["permits"]["restored"], 1)
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 1)
    equal(victim.do("state", fd), "severed")
    let_go()
    victim.end()
    sever.kill()


# Its process ends: is there a child that goes on with it?
@test
def a_locked_memory_whose_process_has_ended_takes_no_permit_of_another_user():
    sever, victim, fd, locked = begin()
    before = sever.status()
    os.kill(before["pid"], signal.SIGKILL)
    eventually(lambda: answers_anew(sever, before["instance"]), "another holder answers")
    equal(sever.status()["permits"]["restored"], 2)
    locked.lock()
    locked.end_process()
    sever.wait_processes(1)
    now = sever.status()
    equal(now["permits"]["pinned"], 1)
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 1)
    equal(victim.do("state", fd), "severed")
    equal(sever.status()["instance"], now["instance"])
    end(sever, victim, locked)


main()
