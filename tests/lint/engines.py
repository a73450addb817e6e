#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An engine has rooms of its own. A family of engines has a folder below agent/probe/engines, and maybe one of its own
beside that for what they share; an engine outside of a family is a family of one. Outside of these, tests and manuals, no
name of the family nor of its client library stands anywhere but in one row an engine of a table, one statement of a
Makefile.inc and, if it has a client library, one line of configure.ac, not even in a comment. Each engine has a unit test,
a fuzz target, a word in homing.yaml(5) and a row of the table of what is supported; and for the doctor advice, and a look
at how far a session came. Names have hyphens, files and symbols
underscores. One TAP line an engine."""
import os
import re
from pathlib import Path

TOP = Path(os.environ.get("HOMING_SRCDIR", "."))
FOLDER = TOP / "agent/probe/engines"
# Where a family is named, and how often.
PLACES = {"agent/probe/engines/engines.c": (1,), "agent/probe/Makefile.inc": (1,), "configure.ac": (0, 1)}
# What an engine has besides; by the name of its files.
TESTS = ("tests/unit/probe/{}_reports.c", "tests/fuzz/{}_reports.c")
MANUAL = "packaging/man/homing.yaml.5"
SUPPORTED = "agent/probe/engines/README.md"


def family(kind):
    """Of an engine, by its file NAME_kind.c."""
    return kind.parent.name if kind.parent != FOLDER else name(kind)


def name(kind):
    return kind.name[:-len("_kind.c")]


def words(kind):
    """The family's name, and that of its client library."""
    return [family(kind), *re.findall(r'\.client = "(\w+)"', kind.read_text())]


def statements(path):
    """Lines, those that a backslash continues joined."""
    return path.read_text().replace("\\\n", " ").splitlines()


def is_own(kind, path):
    own = family(kind)
    return (FOLDER / own in path.parents or FOLDER.parent / own in path.parents or
            path.parent == FOLDER and path.name.startswith(own))


def searched(kind):
    for folder in ("agent", "proto", "shim"):
        for path in sorted((TOP / folder).rglob("*")):
            if path.is_file() and not is_own(kind, path) and path.suffix in (".c", ".h", ".inc"):
                yield path
    yield TOP / "configure.ac"
    yield TOP / "Makefile.am"


def faults(kind):
    pattern = re.compile("|".join(words(kind)), re.I)
    for path in searched(kind):
        where = str(path.relative_to(TOP))
        found = [line for line in statements(path) if pattern.search(line)]
        allowed = PLACES.get(where, (0,))
        if len(found) not in allowed:
            yield f"{where} names {family(kind)} {len(found)} times, not {' or '.join(map(str, allowed))}"
            yield from found
    rows = re.findall(rf"\bROW\({name(kind)}\)", (FOLDER / "engines.c").read_text())
    if len(rows) != 1:
        yield f"engines.c has {len(rows)} rows of it"
    called = name(kind).replace("_", "-")
    if f'.name = "{called}"' not in kind.read_text():
        yield f"{kind.relative_to(TOP)} calls it otherwise than {called}"
    if ".advice = " not in kind.read_text():
        yield f"{kind.relative_to(TOP)} has no advice: nobody is told what to do about its failures"
    engine = kind.with_name(name(kind) + ".c")
    if not re.search(r"\.look = |^(POSTGRES|MYSQL)_ENGINE\(", engine.read_text(), re.M):
        yield f"{engine.relative_to(TOP)} has no look: the doctor cannot say how far a session came"
    for test in TESTS:
        if not (TOP / test.format(name(kind))).is_file():
            yield f"{test.format(name(kind))}: no such test"
    # In the pages a hyphen may be one of roff's.
    if not re.search(rf"(?<![\w-]){called}(?![\w-])", (TOP / MANUAL).read_text().replace("\\-", "-")):
        yield f"{MANUAL} does not name it"
    if f"\n| `{called}` | " not in (TOP / SUPPORTED).read_text():
        yield f"{SUPPORTED} has no row of it"


def main():
    kinds = sorted(FOLDER.rglob("*_kind.c"))
    if not kinds:
        print("Bail out! no engine below " + str(FOLDER))
        return
    print(f"1..{len(kinds)}")
    for number, kind in enumerate(kinds, 1):
        wrong = list(faults(kind))
        print(f"{'not ok' if wrong else 'ok'} {number} - {name(kind)} is named in {', '.join(PLACES)}, nowhere else")
        for line in wrong:
            print(f"# {line}")


main()
