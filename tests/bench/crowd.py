#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long it takes to sever the connections of one user while another one makes it as hard as he can; real sockets.

usage: crowd.py [ROUNDS [PERMITS [MEMORIES [NAMESPACES]]]]      (default 15, 4096, 64 and 500; as root; part of
`./bootstrap bench`)

The hostile user holds so many permits, with so many full memories of 32 MiB between them, and a connection to the
demoted member; then, in their place, one permit in each of so many network namespaces. The times are those from the
order until the other user's program has found its connections broken, and until the reply.
"""
import os
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import sever as of_sever  # noqa: E402
from tap import cleanly  # noqa: E402
from sever import Client, Sever  # noqa: E402

of_sever.PATIENCE = 600  # the reply comes when the hostile user's memories have been read, too

FULL = ((32 << 20) - 256) // 32
ADDRESS, PORT = "127.78.%d.2" % (os.getpid() % 250 + 1), 7432
ENDPOINT, EACH = 1, 20
PORTION = 512  # permits: of more at once than may wait, the last ones lose their places
ROUNDS, PERMITS, MEMORIES, NAMESPACES = [int(n) for n in sys.argv[1:]] + [15, 4096, 64, 500][len(sys.argv) - 1:]


def as_user(uid):
    return ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups"]


def round_of(sever, held):
    """ms until all connections of the victim are severed, and until the order was done."""
    victim, done = Client(wrap=as_user(61001)), {}
    victim.do("permit", sever.permit)
    victim.do("many", EACH, ADDRESS, PORT, ENDPOINT, 7)
    sever.wait_processes(held + 1)
    order = threading.Thread(target=lambda: done.update(sever.sever(ENDPOINT, 8, (ADDRESS, PORT))))
    start, severed = time.monotonic(), 0
    order.start()
    while severed < EACH:
        severed += victim.count()[1]
    took = time.monotonic() - start
    order.join()
    whole = time.monotonic() - start
    victim.end()
    sever.wait_processes(held)
    return took * 1000, whole * 1000


def crowd(hostile, sever):
    for held in range(0, PERMITS, PORTION):
        more = min(PORTION, PERMITS - held)
        hostile.do("crowd", more, FULL, max(1, MEMORIES * more // PERMITS), sever.permit)
        sever.wait_processes(held + more + 1)


def show(what, results):
    took, whole = zip(*results)
    print("%-44s %8.1f (%.1f) ms %10.0f ms" % (what, statistics.median(took), max(took), statistics.median(whole)), flush=True)


def run():
    sever = Sever().start()
    for path in (sever.base, sever.run):
        os.chmod(path, 0o755)
    server = Client()
    server.do("listen", ADDRESS, PORT)
    keeper = Client(wrap=as_user(61001))  # the victim's user has been there before the hostile one came
    keeper.do("permit", sever.permit)
    print("%-44s %20s %14s" % ("", "severed (max)", "order done"))
    show("undisturbed", [round_of(sever, 1) for _ in range(ROUNDS)])
    hostile = Client(wrap=as_user(61002))
    hostile.do("connect", ADDRESS, PORT, ENDPOINT, 9)
    crowd(hostile, sever)
    show("beside %d permits, %d full memories" % (PERMITS, MEMORIES), [round_of(sever, PERMITS + 1) for _ in range(ROUNDS)])
    hostile.end()
    sever.wait_processes(1)
    hostile = Client(wrap=as_user(61002) + ["unshare", "-Ur"])
    hostile.do("namespaces", NAMESPACES, sever.permit)
    sever.wait_processes(NAMESPACES + 1)
    show("beside %d network namespaces" % NAMESPACES, [round_of(sever, NAMESPACES + 1) for _ in range(ROUNDS)])


cleanly(run)
