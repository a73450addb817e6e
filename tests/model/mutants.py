#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Can the tests of the decision fail? Makes one small mistake at a time in a copy of agent/decide and runs its
unit and model tests: each mistake has to be found by one of them. One TAP line per mistake; the mistakes are
made by rule (an operator turned round, a condition negated, a call left out), those known to change nothing
that anybody can see are listed with the reason.

    MUTANTS_EVERY=7 mutants.py    only every seventh of them
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("HOMING_SRCDIR", Path(__file__).resolve().parents[2]))
CC = os.environ.get("CC", "cc").split()
UNIT = ["succession", "succession_orders", "succession_ambiguous", "moves", "places", "writer", "claims", "decision",
        "staleness", "reload", "brake", "report", "warnings"]
MODEL = ["successions", "runs", "walk"]
FILES = ["writer.c", "claims.c", "succession.c", "decision.c", "moves.c", "topo.c", "readers.c", "brake.c", "verdict.c",
         "warnings.c"]

# Text of the line as it is mutated -> why nobody can tell.
SAME = {
    "writer.c: if (rank == RANK_NEWER || last->position >= v->position)": "an equal position is the same one",
    "claims.c: return order <= 0 ? RANK_OLDER : RANK_NEWER;": "equal terms were dealt with above",
    "claims.c: alike = order == 0 || (alike && order <= 0);": "alike in both ways",
    "claims.c: if (order >= 0)": "of two alike neither is taken",
    "readers.c: (held->position < last->position || held->position - last->position <= conf->max_lag);":
        "no distance is no lag",
    "writer.c: other->answered_ms >= newest)": "an equal time is the same one",
    "writer.c: if (confirmed_ms >= v->confirmed_ms)": "an equal time is the same one",
    "writer.c: bool over = in->now_ms > deadline_ms && in->last_call_ms != 0 && in->now_ms > in->last_call_ms;":
        "the last call was not before the deadline",
    "writer.c: else if (rival != MEMBER_NONE && claim_rank(in->topo, v, rival) >= RANK_FOREIGN)":
        "foreign was dealt with above",
    "writer.c: bool waiting = true;": "without an incumbent only a sole claim is adopted: no other is left out",
    "brake.c: if (max_switches >= BRAKE_SWITCHES_MAX)": "the same number",
    "brake.c: b->next = (b->next - 1) % (BRAKE_SWITCHES_MAX + 1);": "a ring has no direction",
    "topo.c: return report->asked_ms <= now_ms ? report->asked_ms : now_ms;": "an equal time is the same one",
    "decision.c: if (at_ms > now_ms && (*wake_ms == 0 || at_ms <= *wake_ms))": "an equal time is the same one",
    "decision.c: if (now_ms >= c->now_ms)": "an equal time is the same one",
    "decision.c: if (v->since_ms >= c->now_ms)": "an equal time is the same one",
    "decision.c: return member <= before->members ? member_within(map[member], after->members) : MEMBER_NONE;":
        "no verdict names the member after the last",
    "writer.c: without v->authenticated = m->last.authenticated;": "absorbed by the decision that follows",
    "writer.c: return true; for return false;": "the decision is taken once more for a new writer",
    "decision.c: without in.asked_again_ms = c->now_ms;": "an early wake-up: the next decision counts from what was noted",
    "decision.c: without in.reaffirmed_ms = in.last_call_ms = 0;":
        "an early wake-up: the next decision counts from what was noted",
    "decision.c: brake_init(&c->brake, true, c->now_ms);": "when quiet began is looked at only while braked",
    "claims.c: bool alike = true;": "the first claim is newer than none, which settles it",
}

SWAPS = [
    (r"(?<![<>=!&|+*/-])<=(?!=)", "<"), (r"(?<![<>=!-])>=(?!=)", ">"),
    (r" < ", " <= "), (r" > ", " >= "), (r" == ", " != "), (r" != ", " == "),
    (r"&&", "||"), (r"\|\|", "&&"), (r" \+ ", " - "), (r" \|= ", " &= "), (r" &= ~", " |= "),
    (r"\btrue\b", "false"), (r"\bfalse\b", "true"), (r"!(?=[a-z(])", ""),
    (r"\bMEMBER_NONE\b(?=;)", "0"),
]


def code_lines(text):
    """Index and text of the lines inside functions that hold code."""
    inside = comment = False
    for number, line in enumerate(text):
        if line.startswith("{"):
            inside = True
        elif line.startswith("}"):
            inside = False
        start = line.strip()
        if start.startswith("/*"):
            comment = True
        if inside and not comment and start and not start.startswith("{"):
            yield number, line
        if "*/" in line:
            comment = False


def without_call(line):
    """A statement of its own, left out."""
    return re.fullmatch(r"    +(?!return|const|struct|uint|enum|bool|case|default|static)[a-z][^={]*\([^;]*\);\n", line) or \
        re.fullmatch(r"    +(?!return|const|struct|uint|enum|bool|static)[a-z][a-z_>.\[\]-]* (\||&)?= [^;]*;\n", line)


def mutants(text):
    for number, line in code_lines(text):
        code = line.split("/*")[0]
        if code.strip().startswith("for ("):
            continue  # one member too many is an empty one, or for the sanitizers to find
        for pattern, to in SWAPS:
            for hit in re.finditer(pattern, code):
                yield number, line[:hit.start()] + to + line[hit.end():]
        if without_call(line):
            yield number, "    ;\n"


def run(program, env):
    try:
        return subprocess.run([program], env=env, capture_output=True, timeout=60).returncode
    except subprocess.TimeoutExpired:
        return 1


def compile_all(work, decide):
    """The objects; None if one does not compile."""
    objects = []
    for source in sorted(decide.glob("*.c")):
        target = work / (source.name + ".o")
        if not target.exists() or target.stat().st_mtime_ns < source.stat().st_mtime_ns:
            done = subprocess.run([*CC, "-std=gnu17", "-O1", "-w", f"-I{work}", f"-I{work / 'top'}", "-c", str(source),
                                   "-o", str(target)], capture_output=True)
            if done.returncode != 0:
                return None
        objects.append(str(target))
    return objects


def prepare(work):
    """A copy of what the tests need, and the tests' own objects."""
    (work / "config.h").touch()
    top = work / "top"
    for part in ["agent/decide", "proto", "tests/unit", "tests/model", "tests/support"]:
        shutil.copytree(TOP / part, top / part)
    def compile_test(path):
        target = work / (path.replace("/", "_") + ".o")
        subprocess.run([*CC, "-std=gnu17", "-O1", "-w", f"-I{work}", f"-I{top}", "-c", str(top / path), "-o", str(target)],
                       check=True)
        return target
    story = [compile_test(f"tests/support/{part}.c") for part in ["story", "heirs"]]
    world = [compile_test(f"tests/model/{part}.c")
             for part in ["world", "rules", "said", "moved", "merge", "pack", "domains", "chance", "servers"]]
    programs = {name: [compile_test(f"tests/unit/decide/{name}.c"), *story] for name in UNIT}
    programs |= {name: [compile_test(f"tests/model/{name}.c"), *world] for name in MODEL}
    return top / "agent/decide", programs


def killer(work, programs, objects):
    """The first test, cheapest first, that finds the mistake."""
    env = dict(os.environ, HOMING_MODEL_STATES="15000", HOMING_MODEL_RUNS="100", HOMING_MODEL_SEED="1",
               CMOCKA_MESSAGE_OUTPUT="TAP")
    for name, parts in programs.items():
        subprocess.run([*CC, "-o", str(work / name), *map(str, parts), *objects, "-lcmocka"], check=True)
        if run(work / name, env) != 0:
            return name
    return None


def main():
    every, number, survivors = int(os.environ.get("MUTANTS_EVERY", "1")), 0, 0
    only = sys.argv[1:] or FILES
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        decide, programs = prepare(work)
        if killer(work, programs, compile_all(work, decide)) is not None:
            sys.exit("Bail out! the tests fail without any mistake")
        seen = 0
        for file in only:
            path = decide / file
            original = path.read_text().splitlines(keepends=True)
            for at, line in mutants(original):
                seen += 1
                if seen % every != 0:
                    continue
                path.write_text("".join(original[:at] + [line] + original[at + 1:]))
                objects = compile_all(work, decide)
                if objects is None:
                    continue
                number += 1
                found = killer(work, programs, objects)
                what = f"{file}:{at + 1}: {line.strip() or 'left out'}".replace("#", "")
                was = original[at].strip()
                known = SAME.get(f"{file}: {line.strip()}") or (found is None and SAME.get(
                    f"{file}: without {was}" if line.strip() == ";" else f"{file}: {line.strip()} for {was}")) or None
                survivors += found is None and known is None
                if found is None and known is None:
                    print(f"not ok {number} - {what} # was: {original[at].strip()}", flush=True)
                else:
                    print(f"ok {number} - {what}" + (f" # by {found}" if found else f" # SKIP {known}"), flush=True)
            path.write_text("".join(original))
    print(f"1..{number}")
    print(f"# {number} mistakes, {survivors} not found")
    return survivors != 0


if __name__ == "__main__":
    sys.exit(main())
