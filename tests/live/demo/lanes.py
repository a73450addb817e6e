#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# Draws the lanes of the demonstration while they grow: one character per write, and `|` where the
# standby was promoted. On a terminal in place; elsewhere once, when the lanes have ended. With MariaDB
# mysql.py draws its own lanes with what is here.
#
# usage: lanes.py DIR     reads DIR/plain, DIR/homing, DIR/pool-*, DIR/promoted; ends when DIR/end exists. What was
#                         before the time in DIR/began, if there is one, is not drawn

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


def moment(folder, name):
    found = lines(os.path.join(folder, name))
    return float(found[0]) if found else None


def since(when, lane):
    return [it for it in lane if it[0] >= when]


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


def show(folder, known, drawn):
    """Draws the lanes [(label, file)] over those drawn before; returns them."""
    promoted, began = moment(folder, "promoted"), moment(folder, "began") or 0
    width = max(len(label) for label, _ in known) + 1
    lanes = [f"{label:<{width}} {draw(since(began, writes(os.path.join(folder, file))), promoted)}" for label, file in known]
    if drawn:
        sys.stdout.write(f"\033[{sum(map(rows, drawn))}A")
    sys.stdout.write("".join(lane + "\n" for lane in lanes))
    sys.stdout.flush()
    return lanes


def watch(folder, known, ended):
    """Until ended(); known(folder): the lanes that there are by now."""
    drawn = []
    while not ended():
        if sys.stdout.isatty():
            drawn = show(folder, known(folder), drawn)
        time.sleep(0.1)
    show(folder, known(folder), drawn)


def outage(lane):
    """Seconds from the last good write before the first failure to the next good one; None: it never came."""
    last_good, failed = None, False
    for when, good in lane:
        if good and failed:
            return when - last_good
        if good:
            last_good = when
        failed = failed or (not good and last_good is not None)
    return None if failed else 0.0


def seconds(value):
    return "never while we watched" if value is None else f"{value:.1f} s"


def both(folder, plain, homing):
    """What the lanes of these files say of a program."""
    without, with_it = (seconds(outage(writes(os.path.join(folder, file)))) for file in (plain, homing))
    return f"{without} without homing, {with_it} with homing."


def summary(folder):
    print(f"\nFrom the last good write to the next one: {both(folder, 'plain', 'homing')}")
    if len(lanes_of(folder)) > len(LANES):
        print(f"The pool: {both(folder, 'pool-plain', 'pool-homing')}")
    multi = seconds(outage(writes(os.path.join(folder, "multi"))))
    print(f"libpq multi-host, if you can reconfigure: {multi} (host=a,b target_session_attrs=read-write)")


def main():
    folder = sys.argv[1]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends at once and says nothing
    watch(folder, lanes_of, lambda: os.path.exists(os.path.join(folder, "end")))
    summary(folder)


if __name__ == "__main__":
    main()
