#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A worker on PyMySQL: one connection; after a failure its ping() connects anew, if the connection is gone."""
import os
import sys

import pymysql

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from pace import SQL, failure, say, turns  # noqa: E402

connection, failed = None, False
for turn in turns():
    try:
        if connection is None:
            connection = pymysql.connect(host=os.environ["DBHOST"], port=int(os.environ["DBPORT"]), user=os.environ["DBUSER"],
                                         password=os.environ["DBPASSWORD"], database=os.environ["DBNAME"], autocommit=True)
        elif failed:
            connection.ping(reconnect=True)
        with connection.cursor() as cursor:
            cursor.execute(SQL)
        say(turn, "ok")
        failed = False
    except pymysql.Error as error:
        failed = True
        say(turn, failure(error.args[0] if error.args else None, str(error)))
