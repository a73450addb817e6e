# SPDX-License-Identifier: Apache-2.0
"""figures.py - from what the pools wrote to figures. Pure: no clock, no process. All times: seconds.

A statement's time counts from when it was due. While its worker was late, each turn that it skipped
counts as a statement that waited from then on: else who hangs would hide what all others of it would
have met. Who failed, or waits at the end, took forever.
"""
import bisect
import math
from dataclasses import dataclass

WINDOW = 0.5   # p99 of the statements due in so long
STEP = 0.1
CALM = 2.0     # all windows of so long are good: it is back
SLOWER = 2     # than before is still good
FOREVER = math.inf


@dataclass
class Figures:
    before: float         # p99 before the failover
    failed: int           # statements
    slowest: float        # p99 in the worst window after the promotion in which none failed or hung
    attempts: int         # logins begun in the second with most of them
    at_once: int          # logins under way at once
    refused: int          # 53300
    opened: int           # logins that succeeded
    windows: list         # [(promotion → its begin, p99)]


def parse(lines):
    """[(due, end or None, how)], [(begin, end, how)]"""
    found = {"S": [], "L": []}
    for line in lines:
        words = line.split()
        if len(words) == 4 and words[0] in found:
            end = int(words[2]) / 1e6
            found[words[0]].append((int(words[1]) / 1e6, end or None, words[3]))
    return found["S"], found["L"]


def samples(statements, pace, until):
    """[(due, how long)] in order, with those that were skipped."""
    out = []
    for due, end, how in statements:
        good = end is not None and how == "ok"
        last = until if end is None else end
        at = due
        while at == due or at < last:
            out.append((at, last - at if good else FOREVER))
            at += pace
    return sorted(out)


def p99(times):
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] if ordered else FOREVER


def windows(found, since, until):
    """[(begin, p99)]"""
    dues, out, at = [due for due, _ in found], [], since
    while at + WINDOW <= until:
        inside = found[bisect.bisect_left(dues, at):bisect.bisect_left(dues, at + WINDOW)]
        out.append((at, p99([took for _, took in inside])))
        at += STEP
    return out


def back(figures, bar):
    """Promotion → the first window from which on, for CALM, all are below `bar`; FOREVER: not while watched."""
    run = round(CALM / STEP)
    good = [value <= bar for _, value in figures.windows]
    for i in range(len(good) - run + 1):
        if all(good[i:i + run]):
            return figures.windows[i][0]
    return FOREVER


def served(figures):
    """Promotion → the end of the last window in whose p99 a statement failed or hung; FOREVER: to the end."""
    bad = [at for at, value in figures.windows if value == FOREVER]
    if bad and bad[-1] == figures.windows[-1][0]:
        return FOREVER
    return bad[-1] + WINDOW if bad else 0.0


def most_at_once(spans):
    events = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    now = most = 0
    for _, change in events:
        now += change
        most = max(most, now)
    return most


def most_in_a_second(begins):
    ordered = sorted(begins)
    return max((i + 1 - bisect.bisect_left(ordered, at - 1) for i, at in enumerate(ordered)), default=0)


def measure(statements, logins, times, pace):
    """times: settled, cut, promoted, end."""
    found = samples(statements, pace, times["end"])
    before = p99([took for due, took in found if times["settled"] <= due < times["cut"] - WINDOW])
    # What is due in the last second may not have had the time to end.
    of_windows = windows(found, times["promoted"], times["end"] - 1)
    storm = [login for login in logins if login[0] >= times["promoted"]]
    return Figures(
        before=before, windows=[(at - times["promoted"], value) for at, value in of_windows],
        failed=sum(how != "ok" and end is not None and end >= times["cut"] for _, end, how in statements),
        slowest=max((value for _, value in of_windows if value != FOREVER), default=FOREVER),
        attempts=most_in_a_second([begin for begin, _, _ in storm]),
        at_once=most_at_once([(begin, end) for begin, end, _ in storm]),
        refused=sum(how == "53300" for _, _, how in storm), opened=sum(how == "ok" for _, _, how in storm))
