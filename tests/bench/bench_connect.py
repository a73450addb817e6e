#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the shim costs a connect(): ns beside libc's own, in turns in one process (bench_connect.c).

usage: bench_connect.py     HOMING_BUILDDIR, HOMING_SRCDIR as for the tests; part of `./bootstrap bench`

A listener at permit.sock takes the permits, as homing-sever would, and drops them.
"""
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

SRC = Path(os.environ.get("HOMING_SRCDIR", ".")).resolve()
BUILD = Path(os.environ.get("HOMING_BUILDDIR", "build")).resolve()
sys.path.insert(0, str(SRC / "tests/shim"))
from harness import Agent, environment  # noqa: E402  pylint: disable=wrong-import-position


def take_permits(server):
    kept = []
    while True:
        try:
            kept.append(server.accept()[0])
        except OSError:
            return
        _, fds, _, _ = socket.recv_fds(kept[-1], 64, 8)
        for fd in fds:
            os.close(fd)


def publish(agent, writer, old, port):
    agent.do(f"members w={writer}@{port} rd={old}@{port}")
    agent.do(f"entry managed.test sever steady writer 4 {writer} - 600000 0 port={port}")


def run_without_agent():
    subprocess.run([BUILD / "tests/bench/bench_connect", "0"], env=environment("/nonexistent/agent.sock"), check=True)


def run():
    with Agent() as agent, socket.socket() as listener, socket.socket(socket.AF_UNIX) as permits:
        listener.bind(("127.0.0.2", 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        permits.bind(os.path.dirname(agent.path) + "/permit.sock")
        permits.listen(64)
        threading.Thread(target=take_permits, args=(permits,), daemon=True).start()
        publish(agent, "127.0.0.2", "127.0.0.3", port)
        with subprocess.Popen([BUILD / "tests/bench/bench_connect", str(port)], env=environment(agent),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as bench:
            for line in bench.stdout:
                print(line, end="", flush=True)
                if line.startswith("# socket"):
                    listener.close()
                if line.startswith("# switched"):
                    publish(agent, "127.0.0.3", "127.0.0.2", port)
                if line.startswith("#"):
                    bench.stdin.write("done\n")


run()
run_without_agent()
