#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What homingd tells its service manager. Needs no server."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import Agent  # noqa: E402
from tap import PATIENCE, equal, main, test  # noqa: E402

agent = Agent(" []\n")
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(os.path.join(agent.base, "notify"))
manager.settimeout(PATIENCE)


@test
def it_says_ready_only_when_its_sockets_are_there():
    agent.spawn(env=dict(os.environ, NOTIFY_SOCKET=os.path.join(agent.base, "notify")))
    equal(manager.recv(100), b"READY=1")
    assert agent.answers()


@test
def it_beats_as_long_as_its_loop_turns():
    equal(manager.recv(100), b"WATCHDOG=1")
    equal(manager.recv(100), b"WATCHDOG=1")


@test
def it_says_that_it_stops():
    agent.process.terminate()
    said = b"WATCHDOG=1"
    while said == b"WATCHDOG=1":
        said = manager.recv(100)
    equal(said, b"STOPPING=1")
    equal(agent.process.wait(PATIENCE), 0)


main()
