#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# Draws the lanes of the demonstration while they grow: one character per write, and `|` where the
# standby was promoted. On a terminal in place; elsewhere once, when the lanes have ended.
#
# usage: lanes.py DIR     reads DIR/plain, DIR/homing, DIR/pool-*, DIR/promoted; ends when DIR/end exists

import os
import shutil
import signal
import sys
import time

LANES = (("without homing", "plain"), ("with homing", "homing"))
POOLS = (("without homing, a pool", "pool-plain"), ("with homing, a pool", "pool-homing"))


def lines(path):
    try:
        with open(path) as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def writes(path):
    """[(time, good)] of a lane; a line still being written is left for the next look."""
    return [(float(line.split()[0]), line.split()[1] == "good") for line in lines(path) if len(line.split()) > 1]


def promotion(folder):
    found = lines(os.path.join(folder, "promoted"))
    return float(found[0]) if found else None


def draw(lane, promoted):
    marks = ["." if good else "x" for _, good in lane]
    if promoted is not None:
        marks.insert(sum(1 for when, _ in lane if when < promoted), "|")
    return "".join(marks)


def rows(text):
    """Rows of a terminal that a line takes: on a narrow one lanes are longer than these."""
    return max(1, -(-len(text) // shutil.get_terminal_size().columns))


def lanes_of(folder):
    """The pool's lanes only where there is one."""
    return LANES + (POOLS if os.path.exists(os.path.join(folder, "pool-plain")) else ())


def show(folder, drawn):
    """Draws the lanes over those drawn before; returns them."""
    promoted = promotion(folder)
    known = lanes_of(folder)
    width = max(len(label) for label, _ in known) + 1
    lanes = [f"{label:<{width}} {draw(writes(os.path.join(folder, file)), promoted)}" for label, file in known]
    if drawn:
        sys.stdout.write(f"\033[{sum(map(rows, drawn))}A")
    sys.stdout.write("".join(lane + "\n" for lane in lanes))
    sys.stdout.flush()
    return lanes


def outage(lane):
    """Seconds from the last good write before the first failure to the next good one; None: it never came."""
    last_good, failed = None, False
    for when, good in lane:
        if good and failed:
            return when - last_good
        if good:
            last_good = when
        failed = failed or not good
    return None if failed else 0.0


def seconds(value):
    return "never while we watched" if value is None else f"{value:.1f} s"


def summary(folder):
    plain, homing, multi = (outage(writes(os.path.join(folder, name))) for name in ("plain", "homing", "multi"))
    print(f"\nFrom the last good write to the next one: {seconds(plain)} without homing, {seconds(homing)} with homing.")
    if len(lanes_of(folder)) > len(LANES):
        plain, homing = (outage(writes(os.path.join(folder, file))) for _, file in POOLS)
        print(f"The pool: {seconds(plain)} without homing, {seconds(homing)} with homing.")
    print(f"libpq multi-host, if you can reconfigure: {seconds(multi)} (host=a,b target_session_attrs=read-write)")


def main():
    folder = sys.argv[1]
    live = sys.stdout.isatty()
    drawn = []
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends at once and says nothing
    while not os.path.exists(os.path.join(folder, "end")):
        if live:
            drawn = show(folder, drawn)
        time.sleep(0.1)
    show(folder, drawn)
    summary(folder)


main()
