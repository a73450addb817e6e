#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the shim costs: ns per lookup beside libc's own, ms per exec, bytes per process, a `configure` run.

usage: bench_lookup.py [--quick]     HOMING_BUILDDIR, HOMING_SRCDIR as for the tests; part of `./bootstrap bench`

Lookups with and without the shim alternate in one process (bench_lookup.c). The unmanaged name is answered by an
nscd of our own in a mount namespace, if there is nscd and the right to make one.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SRC = Path(os.environ.get("HOMING_SRCDIR", ".")).resolve()
BUILD = Path(os.environ.get("HOMING_BUILDDIR", "build")).resolve()
sys.path.insert(0, str(SRC / "tests/shim"))
from harness import LIBRARY, Agent, environment  # noqa: E402  pylint: disable=wrong-import-position

NSCD = shutil.which("nscd") or BUILD / "tools/usr/sbin/nscd"
NSCD_CONF = """enable-cache hosts yes
positive-time-to-live hosts 3600
shared hosts yes
check-files hosts no
enable-cache passwd no
enable-cache group no
enable-cache services no
enable-cache netgroup no
"""
# Starts nscd where only this shell sees its socket, runs the rest, and stops it.
IN_NSCD = """mkdir -p /var/run/nscd && mount -t tmpfs none /var/run/nscd && mount -t tmpfs none /var/cache/nscd 2>/dev/null
"$1" -F -f "$2" >/dev/null 2>&1 & nscd=$!
for i in 1 2 3 4 5 6 7 8 9 10; do [ -S /var/run/nscd/socket ] && break; sleep 0.1; done
getent ahosts localhost >/dev/null
shift 2; LD_PRELOAD=$PRELOAD "$@"; status=$?
kill $nscd; exit $status"""


def lookups(agent, folder, many):
    """The table of bench_lookup.c, with an nscd of our own if that can be."""
    program = [str(BUILD / "tests/bench/bench_lookup"), "orders-db.internal"]
    conf = Path(folder) / "nscd.conf"
    conf.write_text(NSCD_CONF, encoding="ascii")
    env = environment(agent)
    if Path(NSCD).exists() and os.geteuid() == 0 and os.path.isdir("/var/run"):
        env["PRELOAD"] = env.pop("LD_PRELOAD")
        command = ["unshare", "--mount", "sh", "-c", IN_NSCD, "sh", str(NSCD), str(conf), *program, "localhost"]
    else:
        command = [*program, "-"]
    subprocess.run([*command, str(many), "both.internal"], env=env, check=True)


def empty_library(folder):
    path = f"{folder}/empty.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-nostdlib", "-x", "c", "-o", path, "/dev/null"], check=True)
    return path


def exec_ms(env, rounds):
    start = time.monotonic()
    for _ in range(rounds):
        os.posix_spawn("/bin/true", ["true"], env)
        os.wait()
    return (time.monotonic() - start) * 1e3 / rounds


def execs(preloads, blocks):
    """Median of blocks of 50, the preloads in turns."""
    found = {name: [] for name, _ in preloads}
    for _ in range(blocks):
        for name, preload in preloads:
            found[name].append(exec_ms(environment(preload=preload), 50))
    for name, values in found.items():
        print(f"exec of /bin/true, {name:<28} {statistics.median(values):8.3f} ms")


def private_dirty(pid, library):
    """Private_Dirty of all of a process, and of what is mapped from the library, in KiB."""
    total = own = 0
    here = False
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="ascii").splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            words = line.split()
            here = library is not None and words[-1] == str(library)
        elif line.startswith("Private_Dirty:"):
            total += int(line.split()[1])
            own += int(line.split()[1]) if here else 0
    return total, own


def memory(preloads, agent):
    for name, preload in preloads:
        with subprocess.Popen(["/bin/sleep", "60"], env=environment(agent, preload)) as process:
            time.sleep(0.2)
            total, own = private_dirty(process.pid, preload)
            process.kill()
        print(f"private dirty of sleep, {name:<24} {total:6} KiB, of which the library's file {own} KiB")


def configures(preloads, folder):
    """homing's own configure script: some thousand short processes."""
    if not (SRC / "configure").exists():
        return
    found = {name: [] for name, _ in preloads}
    for _ in range(3):
        for name, preload in preloads:
            build = tempfile.mkdtemp(dir=folder)
            start = time.monotonic()
            subprocess.run([SRC / "configure", "-q"], cwd=build, env=environment(preload=preload), check=True,
                           stdout=subprocess.DEVNULL)
            found[name].append(time.monotonic() - start)
    for name, values in found.items():
        print(f"./configure of homing, {name:<25} {statistics.median(values):8.2f} s")


def run(quick):
    with tempfile.TemporaryDirectory() as folder, Agent() as agent:
        preloads = [("no preload", None), ("an empty preload", empty_library(folder)), ("libhoming.so", LIBRARY)]
        agent.do("view 4096")
        agent.entry("orders-db.internal", "10.77.0.2", max_stale=600000)
        agent.entry("both.internal", "10.77.0.2", "fd00::77:2", max_stale=600000)
        for i in range(1000):
            agent.entry(f"n{i}", f"10.78.{i >> 8}.{i & 255}", max_stale=600000)
        print(f"# {BUILD}/tests/bench/bench_lookup orders-db.internal localhost 1000, preloaded")
        lookups(agent, folder, 1000)
        execs(preloads, 5 if quick else 21)
        memory(preloads, agent)
        if not quick:
            configures(preloads, folder)


run("--quick" in sys.argv[1:])
