#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An engine has rooms of its own: outside of its files (agent/probe/engines/NAME*, or that folder's NAME/, and
agent/probe/NAME, if its client is our own), tests and manuals it is named by one row of a table, one statement of a Makefile.inc and, if it has a client
library, one line of configure.ac, not even in a comment. It has a unit test, a fuzz target and a word in homing.yaml(5).
One TAP line an engine."""
import os
import re
from pathlib import Path

TOP = Path(os.environ.get("HOMING_SRCDIR", "."))
FOLDER = TOP / "agent/probe/engines"
# Where it is named, and how often.
PLACES = {"agent/probe/engines/engines.c": (1,), "agent/probe/Makefile.inc": (1,), "configure.ac": (0, 1)}
# What it has besides.
TESTS = ("tests/unit/probe/{}_reports.c", "tests/fuzz/{}_reports.c")
MANUAL = "packaging/man/homing.yaml.5"


def kinds():
    return sorted([*FOLDER.glob("*_kind.c"), *FOLDER.glob("*/*_kind.c")])


def words(engine):
    """Its name, and that of its client library."""
    kind = next(p for p in kinds() if p.name == f"{engine}_kind.c")
    return [engine, *re.findall(r'\.client = "(\w+)"', kind.read_text())]


def statements(path):
    """Lines, those that a backslash continues joined."""
    return path.read_text().replace("\\\n", " ").splitlines()


def searched(engine):
    for folder in ("agent", "proto", "shim"):
        for path in sorted((TOP / folder).rglob("*")):
            own = path.parent == FOLDER and path.name.startswith(engine) or path.parent in (FOLDER / engine, FOLDER.parent / engine)
            if path.is_file() and not own and path.suffix in (".c", ".h", ".inc"):
                yield path
    yield TOP / "configure.ac"
    yield TOP / "Makefile.am"


def faults(engine):
    pattern = re.compile("|".join(words(engine)), re.I)
    for path in searched(engine):
        name = str(path.relative_to(TOP))
        found = [line for line in statements(path) if pattern.search(line)]
        allowed = PLACES.get(name, (0,))
        if len(found) not in allowed:
            yield f"{name} names it {len(found)} times, not {' or '.join(map(str, allowed))}"
            yield from found
    for test in TESTS:
        if not (TOP / test.format(engine)).is_file():
            yield f"{test.format(engine)}: no such test"
    if not re.search(rf"\b{engine}\b", (TOP / MANUAL).read_text()):
        yield f"{MANUAL} does not name it"


def main():
    engines = sorted(p.name[:-len("_kind.c")] for p in kinds())
    if not engines:
        print("Bail out! no engine below " + str(FOLDER))
        return
    print(f"1..{len(engines)}")
    for number, engine in enumerate(engines, 1):
        wrong = list(faults(engine))
        print(f"{'not ok' if wrong else 'ok'} {number} - {engine} is named in {', '.join(PLACES)}, nowhere else")
        for line in wrong:
            print(f"# {line}")


main()
