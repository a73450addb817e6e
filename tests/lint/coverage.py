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


def main():
    found = list(sources())
    print(f"1..{len(found)}")
    if not found:
        print("Bail out! no counts: configure with --enable-coverage and run the tests")
    for number, (source, lines) in enumerate(found, 1):
        branches = [(line["line_number"], b["count"]) for line in lines for b in line["branches"]]
        missed = sorted({n for n, count in branches if not count} |
                        {line["line_number"] for line in lines if not line["count"]})
        print(f"{'not ok' if missed else 'ok'} {number} - all {len(branches)} branches of {source} are taken")
        for n in missed:
            print(f"# {source}:{n}: not taken, or not both ways")


main()
