#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A program that knows nothing of homing and holds one connection, like a pool that is quiet.

usage: holder.py HOST PORT     prints the server's address; on "ask" asks for it again over the same
connection; on an error prints it, connects anew, and prints the new server's address. On "once" opens one more
connection, prints that server's address, and closes it. On "look" it looks some name up, and says so.
"""
import socket
import sys

import psycopg2


def connect():
    connection = psycopg2.connect(host=sys.argv[1], port=sys.argv[2], user="postgres", dbname="postgres",
                                  sslmode="disable", connect_timeout=5)
    connection.autocommit = True
    return connection


def ask(connection):
    cursor = connection.cursor()
    cursor.execute("SELECT host(inet_server_addr())")
    return cursor.fetchone()[0]


held = connect()
print(ask(held), flush=True)
for line in sys.stdin:
    if line == "look\n":
        print("looked", len(socket.getaddrinfo("localhost", None)), flush=True)
        continue
    if line == "once\n":
        other = connect()
        print(ask(other), flush=True)
        other.close()
        continue
    try:
        print(ask(held), flush=True)
    except psycopg2.Error as error:
        held.close()
        held = connect()
        print("anew", ask(held), " ".join(str(error).split()), flush=True)
