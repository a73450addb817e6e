#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every branch of the decision is taken by some test: reads gcov's counts of agent/decide after the tests
ran in a build with --enable-coverage. One TAP line per source file, with the branches that no test took."""
import json
import os
import subprocess
from pathlib import Path

BUILD = Path(os.environ.get("HOMING_BUILDDIR", "."))
GCOV = os.environ.get("GCOV", "gcov")


def sources():
    """Source name -> its lines with their branches, of each file of agent/decide that was compiled."""
    for notes in sorted((BUILD / "agent/decide").glob("*.gcno")):
        out = subprocess.run([GCOV, "--json-format", "--stdout", "--branch-probabilities", str(notes)],
                             check=True, capture_output=True, text=True, cwd=BUILD).stdout
        for text in out.splitlines():
            for file in json.loads(text)["files"]:
                if "agent/decide/" in file["file"] and file["file"].endswith(".c"):
                    yield "agent/decide/" + Path(file["file"]).name, file["lines"]


def missed(lines):
    """(line number, what no test did there)"""
    for line in lines:
        taken = [b["count"] > 0 for b in line["branches"]]
        if not line["count"]:
            yield line["line_number"], "never run"
        elif not all(taken):
            never = [str(i) for i, t in enumerate(taken, 1) if not t]
            yield line["line_number"], f"branch {', '.join(never)} of {len(taken)} never taken"


def main():
    found = list(sources())
    print(f"1..{len(found)}")
    if not found:
        print("Bail out! no counts: configure with --enable-coverage and run the tests")
    for number, (source, lines) in enumerate(found, 1):
        faults = list(missed(lines))
        count = sum(len(line["branches"]) for line in lines)
        print(f"{'not ok' if faults else 'ok'} {number} - all {count} branches of {source} are taken")
        for line, fault in faults:
            print(f"# {source}:{line}: {fault}")


main()
