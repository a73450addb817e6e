#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every branch of the decision is taken by some test: reads gcov's counts of agent/decide after the tests
ran in a build with --enable-coverage. One TAP line per source file, with the branches that no test took."""
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from tap import Faults, main, test_each  # noqa: E402

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


COUNTS = dict(sources())


@test_each(COUNTS)
def all_branches_are_taken(source):
    faults = [f"{source}:{line}: {fault}" for line, fault in missed(COUNTS[source])]
    if faults:
        raise Faults("\n".join(faults))


assert COUNTS, "no counts: configure with --enable-coverage and run the tests"
main()
