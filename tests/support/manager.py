# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a service manager that keeps descriptors, as systemd does for a unit with FileDescriptorStoreMax= and
NotifyAccess=main: where the tests run there is none. From systemd.service(5), sd_pid_notify_with_fds(3) and
sd_listen_fds(3): it takes FDSTORE=1 and FDSTOREREMOVE=1 from the main process alone, with FDNAME=; a name may have
several descriptors; beyond the limit they are dropped; without FDPOLL=0, those that have hung up are dropped, too. The
next main process gets all of them, from 3 on, with LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES."""
import array
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import threading

from homing import directory
from tap import PATIENCE, cleanups

# Puts the descriptors, which it has under other numbers, to 3 and on, and becomes the service.
BEGIN = """import fcntl, os, sys
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD_CLOEXEC, 1000) for fd in filter(None, sys.argv[1].split(","))]
os.closerange(3, 1000)
for to, fd in enumerate(fds, 3):
    os.dup2(fd, to)
if fds:
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])"""


class Manager:
    """It starts `argv` by start(), and again by the next start()."""

    def __init__(self, argv, limit=1000):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # 1,024 is usual, and BEGIN goes above it
        self.argv, self.limit = argv, limit
        self.store = []  # (name, descriptor, whether it is dropped when it hangs up)
        self.main = None
        self.lock = threading.Lock()
        self.heard = threading.Semaphore(0)
        self.path = os.path.join(directory(), "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        threading.Thread(target=self.run, daemon=True).start()

    def hear_all(self):
        """What the main process that has ended had said."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"MARK=1", self.path)
        assert self.heard.acquire(timeout=PATIENCE), "the manager does not listen"

    def start(self, stderr):
        self.hear_all()
        with self.lock:
            self.drop_hung_up()
            fds = [fd for _, fd, _ in self.store]
            self.main = subprocess.Popen(
                [sys.executable, "-c", BEGIN, ",".join(map(str, fds)), ":".join(name for name, _, _ in self.store),
                 *self.argv], pass_fds=fds, env=dict(os.environ, NOTIFY_SOCKET=self.path), stdin=subprocess.DEVNULL,
                stderr=stderr)
        cleanups.append(self.end)
        return self.main

    def end(self):
        if self.main.poll() is None:
            self.main.terminate()
            self.main.wait(PATIENCE)

    def names(self):
        with self.lock:
            return [name for name, _, _ in self.store]

    def drop_hung_up(self):
        """Of those that it polls."""
        poll = select.poll()
        for _, fd, polled in self.store:
            if polled:
                poll.register(fd, 0)
        self.drop({fd for fd, _ in poll.poll(0)})

    def drop(self, gone):
        for _, fd, _ in self.store:
            if fd in gone:
                os.close(fd)
        self.store = [it for it in self.store if it[1] not in gone]

    def run(self):
        while True:
            text, control, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(4 * 16) + socket.CMSG_SPACE(12))
            fds, pid = array.array("i"), 0
            for level, kind, data in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(data)
                elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    pid = struct.unpack("3i", data)[0]
            with self.lock:
                self.take(dict(line.split("=", 1) for line in text.decode().splitlines()), fds, pid)

    def take(self, said, fds, pid):
        if pid == os.getpid() and "MARK" in said:
            self.heard.release()
        mine = self.main and pid == self.main.pid
        if mine and said.get("FDSTOREREMOVE") == "1":
            self.drop({fd for name, fd, _ in self.store if name == said["FDNAME"]})
        for fd in fds:
            if mine and said.get("FDSTORE") == "1" and len(self.store) < self.limit:
                self.store.append((said.get("FDNAME", "stored"), fd, said.get("FDPOLL") != "0"))
            else:
                os.close(fd)
