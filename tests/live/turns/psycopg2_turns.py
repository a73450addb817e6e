#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Per line of input: a new connection to HOST, one held since the start, a lookup of OTHER; prints where they led.

usage: psycopg2_turns.py HOST PORT OTHER
"""
import socket
import sys

import psycopg2

host, port, other = sys.argv[1:]
held = None


def connect():
    return psycopg2.connect(host=host, port=port, user="postgres", dbname="postgres", sslmode="disable")


def server(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT host(inet_server_addr())")
        return cursor.fetchone()[0]


for _ in sys.stdin:
    try:
        if held is None or held.closed:
            held = connect()
            held.autocommit = True
        new = connect()
        print(server(held), server(new), socket.gethostbyname(other), flush=True)
        new.close()
    except (psycopg2.Error, OSError) as error:
        print("failed:", *str(error).split(), flush=True)
