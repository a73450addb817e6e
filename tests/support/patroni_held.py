#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The real Patroni, whose loop of high availability waits while a file is there: what a full disk, a hanging mount or a
debugger does to it. Its REST API, which has threads of its own, goes on answering. While it waits, FILE.waits is there.

usage: patroni_held.py FILE CONFIGURATION"""
import os
import runpy
import sys
import time

del sys.path[0]  # this folder's modules are not Patroni's
import patroni.postgresql  # noqa: E402,F401  # first, in version 4: its modules import each other
from patroni.ha import Ha  # noqa: E402

HELD = sys.argv.pop(1)
run_cycle = Ha.run_cycle


def held(self):
    while os.path.exists(HELD):
        with open(HELD + ".waits", "w", encoding="ascii"):
            time.sleep(0.05)
    if os.path.exists(HELD + ".waits"):
        os.unlink(HELD + ".waits")
    return run_cycle(self)


Ha.run_cycle = held
sys.argv[0] = "patroni"
runpy.run_module("patroni", run_name="__main__", alter_sys=True)
