#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a hostile local user takes from another one: how long the other one's programs wait for their view, and until
their permit is read, on a kernel without SO_PASSRIGHTS (before Linux 6.16).

usage: hostile.py [ROUNDS [SECONDS]]      (default 5 and 3, some five minutes; as root; part of `./bootstrap bench`)

Each round has each lane once: its first second, and SECONDS after that. What a hostile user does, he does to another
homingd and homing-sever on the same machine first ("elsewhere"): all have less of the processors then. After that to those
that are measured ("here"). What that takes longer is homing's. In each lane he is a user whom nobody knows yet.
"""
import contextlib
import datetime
import fcntl
import itertools
import json
import os
import select
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from homing import BUILD, NOBODY, Agent, cluster_text, directory, own_namespaces, preload  # noqa: E402
from sever import Sever, need_root  # noqa: E402
from stuck_files import mount_stuck  # noqa: E402
from tap import cleanly, cleanups, end, eventually  # noqa: E402

ATTACH = b"\x94\x00\x01\xa6attach\x91\x02"
SLOTS = 64
PERMIT = b"\x93\x02\xa6permit\x93\x02\xce" + SLOTS.to_bytes(4, "big") + b"\xce\0\0\0\0"
TAGS = b"".join(word.to_bytes(8, "little") for word in (0x0073676174676D68, 2, SLOTS))
SEALS = 0x2 | 0x4  # F_SEAL_SHRINK and F_SEAL_GROW
NETLINK_SOCK_DIAG, SIOCOUTQ = 4, 0x5411
PATIENCE_S = 10  # what takes longer counts as lost
SHIM_MS = 20  # for so long a program waits for its view at a lookup
PAUSE_S = 0.001
VICTIM = 61001
FIRST_S = 1
QUOTA, PORTION = 4096, 512  # PERMITS_PER_GROUP_MAX
uids = itertools.count(62000)  # each is a user that nobody has barred yet


# --- Who waits: a process of its own, of another user ----------------------------------------------------

def dial(path, until):
    """As the library does: without waiting, and again while too many others are just connecting."""
    one = socket.socket(socket.AF_UNIX)
    one.setblocking(False)
    while time.monotonic() < until:
        try:
            one.connect(path)
            return one
        except BlockingIOError:
            time.sleep(PAUSE_S)
    one.close()
    return None


def attach(path, until):
    """Whether there was a view. Who is turned away comes again."""
    while time.monotonic() < until:
        one = dial(path, until)
        if not one:
            return False
        with one:
            with contextlib.suppress(OSError):
                one.sendall(ATTACH)
                select.select([one], [], [], max(0, until - time.monotonic()))
                data, rights, *_ = one.recvmsg(64, socket.CMSG_SPACE(4))
                for *_, fds in rights:
                    os.close(int.from_bytes(fds[:4], "little"))
                if len(data) == 59 and rights:
                    return True
        time.sleep(PAUSE_S)
    return False


def is_read(one, until):
    """Whether what was sent is no longer in the kernel, because the receiver has it. False: it was closed, unread."""
    poll = select.poll()
    poll.register(one, 0)
    while time.monotonic() < until:
        left = fcntl.ioctl(one, SIOCOUTQ, bytes(4)) != bytes(4)
        if poll.poll(0):
            return False
        if not left:
            return True
        time.sleep(PAUSE_S / 5)
    return False


def hand_over(path, until):
    memory = os.memfd_create("homing-tags", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(memory, 256 + 32 * SLOTS)
    os.pwrite(memory, TAGS, 0)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, SEALS)
    try:
        while time.monotonic() < until:
            one = dial(path, until)
            if not one:
                return False
            with one, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
                with contextlib.suppress(OSError):
                    socket.send_fds(one, [PERMIT], [netlink.fileno(), memory])
                    netlink.close()
                    if is_read(one, until):
                        return True
            time.sleep(PAUSE_S)
        return False
    finally:
        os.close(memory)


def timed(what, path):
    """ms, or None."""
    begun = time.monotonic()
    well = what(path, begun + PATIENCE_S)
    return (time.monotonic() - begun) * 1000 if well else None


def victim(agent, permit):
    """For each line, which is a number of seconds, what came of that many."""
    for line in sys.stdin:
        over, found = time.monotonic() + float(line), {"attach": [], "permit": []}
        while time.monotonic() < over:
            for _ in range(4):
                found["attach"].append(timed(attach, agent))
                time.sleep(PAUSE_S)  # who comes without a pause is barred
            found["permit"].append(timed(hand_over, permit))
        print(json.dumps(found), flush=True)


# --- What homing is here -----------------------------------------------------------------------------------

def as_user(uid, *command):
    return ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups", *command]


def cpu_ticks(pid):
    """Of a process, and of its children that have ended."""
    with contextlib.suppress(OSError):
        with open("/proc/%d/stat" % pid) as stat:
            return sum(map(int, stat.read().rpartition(")")[2].split()[11:15]))
    return 0


class Node:
    """An agent and a homing-sever, each without the other, as both would be on an older kernel."""

    def __init__(self, older):
        self.agent = Agent(cluster_text("orders", ["127.0.0.1:1"])).of_nobody()
        self.agent.start(env=older, before=NOBODY)  # so it starts no homing-sever
        self.sever = Sever().start(wrap=["env", "LD_PRELOAD=" + older["LD_PRELOAD"]])
        for path in (self.sever.base, self.sever.run):
            os.chmod(path, 0o755)

    def ticks(self):
        return cpu_ticks(self.agent.process.pid), sum(map(cpu_ticks, self.sever.parts()))

    def barred(self, uid):
        """Of each socket, after how many of what he has sent, as the log tells; None: he is not."""
        lines = [json.loads(line) for line in (self.agent.text() + self.sever.text()).splitlines() if line.startswith("{")]
        mine = [line for line in lines if line.get("uid") == uid]
        return {line["socket"]: line["time"] for line in mine if line["event"] == "user_barred"}, mine

    def is_quiet(self):
        permits = self.sever.status()["permits"]
        return permits["waiting"] == 0 and permits["processes"] == 0


# --- What a hostile user does --------------------------------------------------------------------------------

def hostile(path, how, what):
    return ["hostile", path, how, what, "0"]


def flood(path, how, processes, keep):
    return ["flood", path, how, str(processes), str(keep)]


def lingering(node, _):
    return [hostile(node.agent.socket, how, "tcp") for how in ("first", "urgent", "behind")] + [
        hostile(node.sever.permit, "many", "tcp")]


def stuck(node, file):
    return [hostile(node.agent.socket, how, file) for how in ("first", "urgent", "behind")] + [
        hostile(node.sever.permit, "permit", file)]


def connects(node, _):
    return [flood(node.agent.socket, "silent", 2, 512), flood(node.sever.permit, "silent", 2, 512)]


def permits(node, _):
    return [flood(node.agent.socket, "attach", 2, 64), flood(node.sever.permit, "permit", 4, 1024)]


def forks(node, _):
    return [flood(node.agent.socket, "attach", 2, 0), flood(node.sever.permit, "permit", 2, 0)]


def quota(node, _):
    return [["permit_client"]]


LANES = [("sockets that linger, sent in a loop", lingering), ("files of a FUSE system, in a loop", stuck),
         ("connects that say nothing", connects), ("views and permits without end", permits),
         ("%d permits that are held" % QUOTA, quota), ("a storm of forks", forks)]


def fill(node, process):
    """In portions, because more at once than may wait lose their places."""
    for taken in range(0, QUOTA, PORTION):
        process.stdin.write(("crowd %d 0 1 %s\n" % (PORTION, node.sever.permit)).encode())
        process.stdin.flush()
        process.stdout.readline()
        eventually(lambda least=taken + PORTION: node.sever.status()["permits"]["processes"] >= least, "permits are held")


@contextlib.contextmanager
def doing(lane, node, file):
    """A new user does that to this node."""
    uid = next(uids)
    loops = [subprocess.Popen(as_user(uid, os.path.join(BUILD, "tests/support", name), *words), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for name, *words in lane(node, file)]
    cleanups.extend(process.kill for process in loops)
    try:
        if lane is quota:
            fill(node, loops[0])
        yield uid
    finally:
        for process in loops:
            process.kill()
        for process in loops:
            process.stdin.close()
            process.stdout.close()  # some end only with the file system: they are not waited for


# --- Figures ---------------------------------------------------------------------------------------------------

class Figures:
    """Of one lane: what the victim's calls took, and what all took of the processors."""

    def __init__(self):
        self.took = {"attach": [], "permit": []}
        self.ticks, self.seconds, self.barred = [0, 0], 0, []

    def add(self, found, ticks, seconds):
        for what, times in found.items():
            self.took[what] += times
        self.ticks = [have + more for have, more in zip(self.ticks, ticks)]
        self.seconds += seconds

    def of(self, what):
        return sorted(ms for ms in self.took[what] if ms is not None)

    def lost(self):
        return sum(times.count(None) for times in self.took.values())

    def percentile(self, what, of_100):
        times = self.of(what)
        return times[min(len(times) - 1, len(times) * of_100 // 100)] if times else float("inf")

    def columns(self):
        parts = []
        for what in ("attach", "permit"):
            times = self.of(what) or [float("inf")]
            parts.append("%6.2f %7.2f %7.1f" % (statistics.median(times), self.percentile(what, 99), max(times)))
        late = sum(ms > SHIM_MS for ms in self.of("attach"))
        share = [100 * ticks / os.sysconf("SC_CLK_TCK") / self.seconds for ticks in self.ticks]
        return "%s %5.1f%% | %s | %4d %5.0f %% %5.0f %%" % (
            parts[0], 100 * late / max(1, len(self.took["attach"])), parts[1], self.lost(), *share)


def measure(asked, seconds, node, figures):
    before, begun = node.ticks(), time.monotonic()
    asked.stdin.write("%f\n" % seconds)
    asked.stdin.flush()
    found = json.loads(asked.stdout.readline())
    figures.add(found, [now - then for now, then in zip(node.ticks(), before)], time.monotonic() - begun)


def seconds_between(begun, stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() - begun


def what_became(node, uid, begun):
    """When he was barred at each socket, and after how many descriptors or connections that could be told."""
    barred, mine = node.barred(uid)
    sent = sum(line["event"] in ("client_dropped", "receiver_replaced") for line in mine)
    return barred and ", ".join("%s after %.2f s" % (os.path.basename(name), seconds_between(begun, at)) for name, at in sorted(barred.items())) + (
        "; %d descriptors were told of" % sent if sent else "")


def measure_lane(lane, nodes, where, asked, seconds, found):
    node, begun = nodes[where], time.time()
    file, let_go = mount_stuck(directory())  # a new one: whoever opens one that was used hangs by itself
    with doing(lane, node, file) as uid:
        for when, how_long in (("first second", FIRST_S), ("then", seconds)):
            measure(asked, how_long, nodes["here"], found[where, when])
    let_go()
    for one in nodes.values():
        eventually(one.is_quiet, "nobody waits any more, and nobody has a permit")
    found[where, "then"].barred.append(what_became(node, uid, begun) or "no")


def run():
    rounds, seconds = int((sys.argv[1:] + ["5"])[0]), float((sys.argv[2:] + ["3"])[0])
    older = preload("no_passrights")
    nodes = {"elsewhere": Node(older), "here": Node(older)}
    asked = subprocess.Popen(as_user(VICTIM, sys.executable, "-B", os.path.abspath(__file__), "victim", nodes["here"].agent.socket,
                                     nodes["here"].sever.permit), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    cleanups.append(lambda: end(asked))
    calm = Figures()
    found = {name: {key: Figures() for key in itertools.product(nodes, ("first second", "then"))} for name, _ in LANES}
    for number in range(rounds):
        measure(asked, seconds, nodes["here"], calm)
        for turn in range(len(LANES)):
            name, lane = LANES[(turn + number) % len(LANES)]
            for where in nodes:
                measure_lane(lane, nodes, where, asked, seconds, found[name])
    report(calm, found)


def report(calm, found):
    print("%-24s %-23s | %29s | %23s | %s" % ("ms", "", "an attach", "a permit", ""))
    print("%-48s | median     p99     max  >20ms | median     p99     max | lost homingd sever" % "")
    print("%-48s | %s" % ("undisturbed", calm.columns()))
    for name, lane in found.items():
        print("\n" + name)
        for (where, when), figures in lane.items():
            print("  %-46s | %s" % (where + ", " + when, figures.columns()))
        for what in ("attach", "permit"):
            mine = lane["here", "then"].percentile(what, 99)
            print("  p99 of %s, then: %.1f times that of nobody disturbed, %.1f times that beside the same elsewhere" % (
                "an " * (what == "attach") + "a " * (what == "permit") + what, mine / calm.percentile(what, 99),
                mine / lane["elsewhere", "then"].percentile(what, 99)))
        print("  barred: " + " · ".join(lane["here", "then"].barred))


if __name__ == "__main__" and sys.argv[1:2] == ["victim"]:
    victim(*sys.argv[2:])
else:
    need_root()
    own_namespaces("--net", "--mount")
    cleanly(run)
