#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A program of MySQL's world that knows nothing of homing and holds one connection, like a pool that is quiet.

usage: APP_PASSWORD=... [APP_CA=FILE] holder_mysql.py HOST PORT      prints the server's address; on "ask" asks for it again over the same
connection; on an error prints it, connects anew, and prints the new server's address. On "stale" opens one more
connection, to the address that the name had at the start, prints that server's address, and closes it. On "write" it
writes, and prints the server's address or the error's number.
"""
import os
import socket
import sys

import pymysql

HOST, PORT = sys.argv[1], int(sys.argv[2])
# Of a certificate that was made for no name: MySQL makes such.
TLS = {"ca": os.environ["APP_CA"], "check_hostname": False} if os.environ.get("APP_CA") else None
ADDRESS = socket.getaddrinfo(HOST, PORT, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]


def connect(host):
    return pymysql.connect(host=host, port=PORT, user="app", password=os.environ["APP_PASSWORD"], database="app", autocommit=True,
                           connect_timeout=5, ssl=TLS)


def ask(connection, first="DO 0"):
    with connection.cursor() as cursor:
        cursor.execute(first)
        cursor.execute("SELECT @@bind_address")
        return cursor.fetchone()[0]


def write(connection):
    try:
        return ask(connection, "INSERT INTO t VALUES (NULL)")
    except pymysql.Error as error:
        return error.args[0]


held = connect(HOST)
print(ask(held), flush=True)
for line in sys.stdin:
    if line == "stale\n":
        other = connect(ADDRESS)
        print(ask(other), flush=True)
        other.close()
        continue
    try:
        print(write(held) if line == "write\n" else ask(held), flush=True)
    except pymysql.Error as error:
        held.close()
        held = connect(HOST)
        print("anew", ask(held), " ".join(map(str, error.args)), flush=True)
