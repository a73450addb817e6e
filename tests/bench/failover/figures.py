# SPDX-License-Identifier: Apache-2.0
"""figures.py - from what the clients wrote to figures and the table. Pure: no clock, no process.

A client writes `TIME_MS NUMBER begin`, and later `TIME_MS NUMBER ok` or `TIME_MS NUMBER error CODE TEXT`;
lines that look otherwise are its own business. A round is a dict of times (ms): cut, promoted,
published (or None), end.
"""
import re
import statistics
from dataclasses import dataclass

LINE = re.compile(r"(\d{13}) (\d+) (begin|ok|error)(?: (\S+) ?(.*))?$")
# PostgreSQL's, and MySQL's and MariaDB's: the option read_only, a transaction, InnoDB.
READ_ONLY_CODES = ("25006", "1290", "1792", "1836")
READ_ONLY = re.compile("read-only transaction|--read-only option", re.IGNORECASE)
# The new writer cannot take a write before its promotion, and the old one is gone well before it: so much
# a client's clock reading may precede the observer's.
SKEW_MS = 20
# A statement still open at the end that began so long before counts as one that never returns.
HUNG_MS = 5000


@dataclass
class Figures:
    first_ms: float | None      # promotion → first good write; None: not while watched
    returned_ms: float | None   # the same from the return of pg_promote()
    outage_ms: float | None     # last good write before → first good write
    failed: int                 # all from the cut on
    late: int                   # of those, begun after the view was published (or the promotion)
    read_only: int              # of those, refused as read-only (25006)
    last_ms: float | None       # promotion → last failure
    never: int                  # statements that never returned
    died: bool                  # the process ended by itself


def parse(lines):
    """[(begin_ms, end_ms or None, 'ok' | 'error' | None, code, text)], in order of their end."""
    begun, done = {}, []
    for line in lines:
        match = LINE.match(line.strip())
        if not match:
            continue
        at, number, what, code, text = match.groups()
        if what == "begin":
            begun[number] = int(at)
        elif number in begun:
            done.append((begun.pop(number), int(at), what, code, text or ""))
    return done + [(at, None, None, None, "") for at in begun.values()]


def is_read_only(statement):
    return statement[3] in READ_ONLY_CODES or bool(READ_ONLY.search(statement[4]))


def measure(statements, times, died=False):
    cut, promoted = times["cut"], times["promoted"]
    since = times["published"] or promoted
    good = [s[1] for s in statements if s[2] == "ok"]
    before = [at for at in good if at < promoted - SKEW_MS]
    after = [at for at in good if at >= promoted - SKEW_MS]
    failed = [s for s in statements if s[2] == "error" and s[1] >= cut]
    late = [s for s in failed if s[0] >= since]
    never = [s for s in statements if s[2] is None and s[0] < times["end"] - HUNG_MS]
    return Figures(
        first_ms=max(0, after[0] - promoted) if after else None,
        returned_ms=max(0, after[0] - times["returned"]) if after else None,
        outage_ms=after[0] - before[-1] if after and before else None,
        failed=len(failed), late=len(late), read_only=sum(map(is_read_only, late)),
        last_ms=max((s[1] for s in failed), default=promoted) - promoted if failed else None,
        never=len(never), died=died)


# --- The table

COLUMNS = ("client", "homing", "n", "first", "max", "returned", "outage", "failed", "max", "late", "25006", "last", "open", "hung",
           "died")
LEGEND = """Seconds, of n rounds. first: promotion to first good write, median and max. returned: the same from the return of
pg_promote(), median. outage: last good write before the promotion to that write, median. failed: statements,
median and max. Of one round at most: late: failed although begun after the view was published (without homing:
after the promotion); 25006: late, and refused as read-only; last: promotion to last failure; open: statements
that never returned. Rounds: hung: no write again, a statement open; died: the process ended by itself.
"""


def seconds(ms, watch_ms):
    return "> %.0f" % (watch_ms / 1000) if ms is None or ms >= watch_ms else "%.3f" % (ms / 1000)


def row(name, mode, figures, watch_ms):
    """A line of the table; a client that never recovered counts as the whole time watched."""
    first, returned, outage = ([watch_ms if value is None else value for value in values] for values in zip(
        *((f.first_ms, f.returned_ms, f.outage_ms) for f in figures)))
    failed = [f.failed for f in figures]
    last = [f.last_ms for f in figures if f.last_ms is not None]
    return (name, mode, str(len(figures)), seconds(statistics.median(first), watch_ms),
            seconds(max(first), watch_ms), seconds(statistics.median(returned), watch_ms),
            seconds(statistics.median(outage), watch_ms),
            "%.0f" % statistics.median(failed), str(max(failed)), str(max(f.late for f in figures)),
            str(max(f.read_only for f in figures)), "%.2f" % (max(last) / 1000) if last else "-",
            str(max(f.never for f in figures)), str(sum(f.first_ms is None and f.never > 0 for f in figures)),
            str(sum(f.died for f in figures)))


def table(rows):
    widths = [max(len(r[i]) for r in (COLUMNS, *rows)) for i in range(len(COLUMNS))]
    return "\n".join("  ".join(v.ljust(w) if i < 2 else v.rjust(w) for i, (v, w) in enumerate(zip(r, widths))).rstrip()
                     for r in (COLUMNS, *rows)) + "\n"


def tsv(kind, rows):
    return "".join("\t".join((kind, *r)) + "\n" for r in rows)
