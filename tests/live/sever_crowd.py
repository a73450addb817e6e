#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A user who makes sweeps as costly as he can delays nobody but himself: with real users, sockets and namespaces. How long
it takes is a figure: tests/bench/crowd.py. Here it is what the first sweep did, and what it has left for later."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from sever import Client, Sever, need_root  # noqa: E402
from tap import equal, eventually, main, test  # noqa: E402

need_root()
A, PORT = "127.76.%d.1" % (os.getpid() % 250 + 1), 7432
ORDERS = 0x1111  # endpoint id
FULL = ((32 << 20) - 256) // 32  # tags that a memory has room for
PERMITS, MEMORIES = 40, 2

sever = Sever().start()
for path in (sever.base, sever.run):
    os.chmod(path, 0o755)
servers = Client()
equal(servers.do("listen", A, PORT), "ok")


def client(uid, *wrap):
    """One whose permit is held."""
    one = Client(wrap=["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups", *wrap])
    taken = sever.status()["permits"]["taken"]
    equal(one.do("permit", sever.permit), "ok")
    eventually(lambda: sever.status()["permits"]["taken"] > taken, "the permit is taken")
    return one


def crowded(one, *words):
    held = sever.status()["permits"]["processes"]
    equal(one.do(*words, sever.permit), "ok")
    sever.wait_processes(held + int(words[1]))
    return one


@test
def full_memories_of_another_user_are_left_for_later_and_then_read_once():
    victim = client(61001)
    hostile = crowded(client(61002), "crowd", PERMITS, FULL, MEMORIES)
    fds = [one.do("connect", A, PORT, ORDERS, 7) for one in (victim, hostile)]
    done = sever.sever(ORDERS, 8, (A, PORT))
    # The memories of both come first, because they are small; so does the hostile user's own connection.
    equal([done["outdated"], done["severed"], done["behind"]], [2, 2, 1])
    equal([one.do("state", fd) for one, fd in zip((victim, hostile), fds)], ["severed"] * 2)
    assert done["memories"] < PERMITS, done
    victim.end(), hostile.end()
    sever.wait_processes(0)


@test
def memories_whose_user_has_no_connection_there_are_not_waited_for():
    victim = client(61001)
    hostile = crowded(client(61002), "crowd", PERMITS, FULL, MEMORIES)
    tagged, untagged = victim.do("connect", A, PORT, ORDERS, 7), victim.do("connect", A, PORT, 0, 0)
    done = sever.sever(ORDERS, 8, (A, PORT), untagged=True)
    equal([done["behind"], done["outdated"], done["severed"] >= 2], [0, 1, True])
    equal([victim.do("state", fd) for fd in (tagged, untagged)], ["severed"] * 2)
    victim.end(), hostile.end()
    sever.wait_processes(0)


@test
def of_many_namespaces_of_one_user_most_are_left_for_later():
    victim = client(61001)
    hostile = crowded(client(61002, "unshare", "-Ur"), "namespaces", 200)
    fd = victim.do("connect", A, PORT, ORDERS, 7)
    done = sever.sever(ORDERS, 8, (A, PORT))
    equal([done["severed"], done["behind"]], [1, 1])
    # What a busy machine has no time for within ten seconds is given up until the order is repeated.
    assert done["namespaces"] == 201 or done["given_up"], done
    eventually(lambda: 201 in (done["namespaces"], sever.sever(ORDERS, 8, (A, PORT))["namespaces"]), "all are looked at")
    equal(victim.do("state", fd), "severed")
    victim.end(), hostile.end()


main()
