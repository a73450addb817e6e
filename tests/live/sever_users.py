#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""W7: a tag speaks for the connections of its own user, and for nobody else's; with real users and namespaces."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from sever import Client, Sever, need_root  # noqa: E402
from tap import equal, eventually, main, test, test_each  # noqa: E402

need_root()
A, PORT = "127.78.%d.1" % (os.getpid() % 250 + 1), 7432
ORDERS, READERS = 0x1111, 0x2222  # endpoint ids
SLOT = 900  # for what is forged

sever = Sever().start()
servers = Client()
equal(servers.do("listen", A, PORT), "ok")
# Their sockets are to be open to all users, and so is the way there.
for path in (sever.base, sever.run):
    os.chmod(path, 0o755)


def as_user(uid, *wrap):
    return ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups", *wrap]


def taken(one, how="permit"):
    before = sever.status()["permits"]["taken"]
    equal(one.do(how, sever.permit), "ok")
    eventually(lambda: sever.status()["permits"]["taken"] > before, "the permit is taken")
    return one


def client(uid, *wrap):
    return taken(Client(wrap=as_user(uid, *wrap)))


def of_sever(done):
    return [done["outdated"], done["foreign"], done["unsure"], done["severed"]]


# A namespace without a number for its user, one in which it is root, and one in which it has the number that stands
# for those without.
@test_each(["env", "unshare -U", "unshare -Ur", "unshare -U --map-user=65534"])
def a_forged_tag_does_not_end_another_users_connection(attackers):
    victim, attacker = client(61001), client(61002, *attackers.split())
    reader = victim.do("connect", A, PORT, READERS, 7)
    equal(attacker.do("forge", SLOT, victim.do("cookie", reader), ORDERS, 7), "ok")
    equal(of_sever(sever.sever(ORDERS, 8, (A, PORT))), [0, 1, 0, 0])
    equal(victim.do("state", reader), "alive")
    equal([json.loads(line)["uid"] for line in sever.text().splitlines() if '"tags_ignored"' in line][-1], 61002)
    victim.end(), attacker.end()


@test
def each_users_own_connections_are_severed():
    both = [client(61001), client(61002)]
    fds = [one.do("connect", A, PORT, ORDERS, 7) for one in both]
    equal(of_sever(sever.sever(ORDERS, 8, (A, PORT))), [2, 0, 0, 2])
    equal([one.do("state", fd) for one, fd in zip(both, fds)], ["severed"] * 2)
    for one in both:
        one.end()


@test
def so_are_those_of_a_user_namespace_of_its_own():
    one = client(61001, "unshare", "-Urn", "sh", "-c", "ip link set lo up && exec \"$0\"")
    equal(one.do("listen", A, PORT), "ok")
    fd = one.do("connect", A, PORT, ORDERS, 7)
    equal(of_sever(sever.sever(ORDERS, 8, (A, PORT))), [1, 0, 0, 1])
    equal(one.do("state", fd), "severed")
    one.end()


@test
def so_are_those_that_a_program_makes_after_it_has_ceased_to_be_root():
    one = taken(Client())
    fds = [one.do("connect", A, PORT, ORDERS, 7)]
    equal(one.do("drop", 61003), "ok")
    fds.append(one.do("connect", A, PORT, ORDERS, 7))
    equal(of_sever(sever.sever(ORDERS, 8, (A, PORT))), [2, 0, 0, 2])
    equal([one.do("state", fd) for fd in fds], ["severed"] * 2)
    one.end()


@test
def so_are_those_of_a_setuid_program_that_is_now_one_user_and_now_the_other():
    one = taken(Client(wrap=["setpriv", "--ruid=61004", "--euid=61005", "--regid=61004", "--clear-groups"]), "renew")
    fds = [one.do("connect", A, PORT, ORDERS, 7)]
    equal(one.do("become", 61004), "ok")
    taken(one, "renew")  # as the library does
    fds.append(one.do("connect", A, PORT, ORDERS, 7))
    sever.wait_processes(1)
    equal(of_sever(sever.sever(ORDERS, 8, (A, PORT))), [2, 0, 0, 2])
    equal([one.do("state", fd) for fd in fds], ["severed"] * 2)
    one.end()


@test
def a_netlink_socket_of_another_network_namespace_is_refused():
    refused = sever.status()["permits"]["refused"]
    one = Client()
    equal(one.do("hostile", "elsewhere", sever.permit), "ok")
    eventually(lambda: sever.status()["permits"]["refused"] == refused + 1, "it is refused")
    one.end()


main()
