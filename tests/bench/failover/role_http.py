#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""role_http.py - answers 200 on port 8008 while the server at ADDRESS PORT is the primary, else 503.

As Patroni's REST API does, whose HAProxy template the benchmark uses.
"""
import http.server
import sys

import psycopg2


class Role(http.server.BaseHTTPRequestHandler):
    def do_OPTIONS(self):
        try:
            db = psycopg2.connect(host=sys.argv[1], port=sys.argv[2], user="postgres", connect_timeout=2)
            cursor = db.cursor()
            cursor.execute("SELECT NOT pg_is_in_recovery()")
            code = 200 if cursor.fetchone()[0] else 503
            db.close()
        except psycopg2.Error:
            code = 503
        self.send_response(code)
        self.end_headers()

    do_GET = do_OPTIONS

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer((sys.argv[1], 8008), Role).serve_forever()
