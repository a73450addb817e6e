#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A program that knows nothing of homing: looks up HOST, connects to it and hangs up, again and again, while a thread
looks up other names. Prints one JSON object per attempt; times are those of the wall clock in ms.

usage: dialer.py blocking|nonblocking HOST PORT OTHER...
"""
import errno
import json
import socket
import sys
import threading
import time

TIMEOUT = 30  # of a non-blocking connect; far longer than what is waited for here
kind, host, port, others = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]


def now_ms():
    return time.time() * 1000


def attempt(what, call):
    began = now_ms()
    try:
        said, failed = call(), None
    except socket.gaierror as error:
        said, failed = None, "lookup: " + str(error)
    except OSError as error:
        said, failed = None, errno.errorcode.get(error.errno, str(error))
    print(json.dumps({"what": what, "began": began, "ended": now_ms(), "peer": said, "error": failed}) + "\n",
          end="", flush=True)


def dial():
    family, _, _, _, address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0]
    with socket.socket(family) as s:
        s.settimeout(TIMEOUT if kind == "nonblocking" else None)
        s.connect(address)
        return s.getpeername()[0]


def look_up_others():
    while True:
        for name in others:
            attempt("lookup", lambda name=name: socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0][4][0])
        time.sleep(0.05)


threading.Thread(target=look_up_others, daemon=True).start()
while True:
    attempt("connect", dial)
    time.sleep(0.05)
