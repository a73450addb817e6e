#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# The demonstration's program in Python with MariaDB, which knows nothing of homing: it keeps one connection, as a worker
# does, and has PyMySQL's ping() look at it before each write, which connects anew if the connection is gone. A row
# every half second.
#
# usage: writer_mysql.py OUT HOST PORT     appends a line "time good|failed error" to OUT for each write

import os
import sys
import time

import pymysql

PERIOD = 0.5


def write(connection):
    try:
        connection.ping(reconnect=True)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO demo VALUES (NULL)")
        return "good"
    except pymysql.Error as error:
        return "failed " + " ".join(str(error).split())


def main():
    out, host, port = sys.argv[1:]
    connection = pymysql.connect(host=host, port=int(port), user="app", password=os.environ["APP_PASSWORD"], database="app",
                                 autocommit=True, connect_timeout=2)
    due = time.time()
    with open(out, "a", buffering=1) as lines:
        while True:
            result = write(connection)
            lines.write(f"{time.time():.3f} {result}\n")
            due = max(due + PERIOD, time.time())
            time.sleep(due - time.time() if due > time.time() else 0)


main()
