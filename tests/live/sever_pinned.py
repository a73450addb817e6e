#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A user holds back pages of memories whose processes have ended (pinned.py), and homing-sever is killed. Another
user's permit outlives that, and his connection is severed."""
import json
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from sever import Client, Sever, need_root  # noqa: E402
from tap import cleanups, equal, eventually, main, test_each  # noqa: E402

need_root()
HOSTILE, VICTIM = 61002, 61001
COUNT = 60  # the kernel waits more than 0.1 s for each: in all longer than a holder may be silent
A, PORT, ORDERS = f"127.78.{os.getpid() % 250 + 1}.1", 7432, 0x1111
server = Client()
equal(server.do("listen", A, PORT), "ok")


class Pinned:
    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, "-B", os.path.join(HERE, "pinned.py"), path, str(HOSTILE), str(COUNT)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        cleanups.append(self.end)
        equal(self.process.stdout.readline(), "ready\n")

    def end_processes(self):
        self.process.stdin.write("\n")
        equal(self.process.stdout.readline(), "ended\n")

    def end(self):
        """At the end of its input."""
        self.process.communicate()


def answers_anew(sever, before):
    try:
        return sever.call("version")["instance"] != before
    except OSError:
        return False


def events(sever, event):
    return [line for line in map(json.loads, sever.text().splitlines()) if line["event"] == event]


def kill_holder(sever, after=lambda: None):
    now = sever.status()
    os.kill(now["pid"], signal.SIGSTOP)
    after()
    os.kill(now["pid"], signal.SIGKILL)
    eventually(lambda: answers_anew(sever, now["instance"]), "another holder answers")


# When the processes end: while permits are held that were restored, or before they are.
@test_each(["held", "restored"])
def pages_that_are_held_back_take_no_permit_of_another_user(when):
    sever = Sever().start()
    os.chmod(sever.base, 0o755)
    victim = Client(wrap=["setpriv", f"--reuid={VICTIM}", f"--regid={VICTIM}", "--clear-groups"])
    equal(victim.do("permit", sever.permit), "ok")
    fd = victim.do("connect", A, PORT, ORDERS, 7)
    pinned = Pinned(sever.permit)
    sever.wait_processes(COUNT + 1)
    if when == "held":
        kill_holder(sever)
        equal(sever.status()["permits"]["restored"], COUNT + 1)
        pinned.end_processes()
    else:
        kill_holder(sever, pinned.end_processes)
    instance = sever.status()["instance"]
    sever.wait_processes(1)
    equal(sever.status()["permits"]["pinned"], COUNT)
    equal(sum(line["permits"] for line in events(sever, "permit_pinned")), COUNT)
    equal({line["uid"] for line in events(sever, "permit_pinned")}, {HOSTILE})
    equal(len(events(sever, "permits_restored")), 1)
    equal(sever.sever(ORDERS, 8, (A, PORT))["severed"], 1)
    equal(victim.do("state", fd), "severed")
    equal(sever.status()["instance"], instance)
    pinned.end()
    victim.end()
    sever.kill()


main()
