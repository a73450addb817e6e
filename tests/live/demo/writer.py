#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# The program of the demonstration, which knows nothing of homing: it keeps one connection, writes a
# row every half second, and connects anew after any error, as most programs do.
#
# usage: writer.py OUT CONNINFO     appends a line "time good|failed error" to OUT for each write

import sys
import time

import psycopg2

PERIOD = 0.5


def write(state, conninfo):
    try:
        if state["connection"] is None:
            state["connection"] = psycopg2.connect(conninfo, connect_timeout=2)
            state["connection"].autocommit = True
        state["connection"].cursor().execute("INSERT INTO demo DEFAULT VALUES")
        return "good"
    except psycopg2.Error as error:
        if state["connection"] is not None:
            state["connection"].close()
        state["connection"] = None
        return "failed " + " ".join(str(error).split())


def main():
    out, conninfo = sys.argv[1:]
    state = {"connection": None}
    due = time.time()
    with open(out, "a", buffering=1) as lines:
        while True:
            result = write(state, conninfo)
            lines.write(f"{time.time():.3f} {result}\n")
            due = max(due + PERIOD, time.time())
            time.sleep(due - time.time() if due > time.time() else 0)


main()
