#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A worker on psycopg2: one connection, made anew when the driver says that it is closed.

usage: psycopg2_loop.py [CONNINFO]     what it does not say is in PGHOST and its like
"""
import sys

import psycopg2
from pace import SQL, failure, say, turns

conninfo = sys.argv[1] if len(sys.argv) > 1 else ""
connection = None
for turn in turns():
    try:
        if connection is None or connection.closed:
            connection = psycopg2.connect(conninfo)
            connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(SQL)
        say(turn, "ok")
    except psycopg2.Error as error:
        say(turn, failure(error.pgcode, str(error)))
