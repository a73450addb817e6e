# SPDX-License-Identifier: Apache-2.0
"""pace.py - the beat of the Python clients: a turn every PACE_MS, and one line per event (figures.py says which)."""
import os
import time

PACE = int(os.environ.get("PACE_MS", 20)) / 1000
SQL = "INSERT INTO writes (client) VALUES ('%s')" % os.environ.get("CLIENT", "?")


def say(number, what):
    print("%d %d %s" % (time.time() * 1000, number, " ".join(what.split())), flush=True)


def turns():
    """Numbers, one per beat; a turn that took longer delays the next."""
    number = 0
    due = time.monotonic()
    while True:
        number += 1
        say(number, "begin")
        yield number
        due = max(due + PACE, time.monotonic())
        time.sleep(max(0, due - time.monotonic()))


def failure(code, error):
    return "error %s %s" % (code or "-", error)
