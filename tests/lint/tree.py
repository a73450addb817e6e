#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shape of the source tree, one TAP line per rule: who includes whom, how long a file may be,
what stands at its head, and that every numbered rule is found in the code, a test and the manual."""
import os
import re
import sys
from pathlib import Path

TOP = Path(os.environ.get("HOMING_SRCDIR", "."))
sys.path.insert(0, str(TOP / "tests/support"))
from tap import main, rule  # noqa: E402

# Folder -> what it may include of ours (a folder's every header, or one header). The longest prefix
# counts. Their own folder is allowed to all. A change here changes the architecture.
MAY_INCLUDE = {
    "proto": [],
    # The configuration checks names and counts as the rest of homing bounds them.
    "agent/base": ["proto/limits.h", "proto/name.h"],
    "agent/decide": ["proto"],
    "agent/probe": ["agent/base", "agent/decide/report.h", "agent/decide/pace.h", "proto"],
    "agent/publish": ["agent/base", "agent/decide/writer.h", "proto"],
    "agent/sever": ["agent/base", "proto"],
    "agent/ctl": ["agent/base", "proto"],
    "agent": ["agent/base", "agent/decide", "agent/probe", "agent/publish", "proto"],
    "shim": ["proto/limits.h", "proto/inet_address.h", "proto/name.h", "proto/attach.h", "proto/view_format.h",
             "proto/view_read.h", "proto/permit.h"],
}
# Pure: no clock, no socket, no allocation can be had from these.
DECIDE_SYSTEM = {"stddef.h", "stdint.h", "stdbool.h", "string.h"}
# Client library -> the one file that includes it.
LIBRARIES = {
    r"ev(\+\+)?\.h": "agent/base/loop.c",
    r"yaml\.h": "agent/base/",
    r"cyaml/.*": "agent/base/",
    r"ares.*\.h": "agent/probe/resolve.c",
    r"(libpq|postgres).*\.h": "agent/probe/engines/postgresql.c",
    r"msgpack.*": "proto/msg.c",
    r"hiredis/.*": "agent/base/redisio.c",
    r"microhttpd\.h": "agent/publish/http.c",
    r"sodium.*\.h": "agent/publish/announce.c",
}
LINES = {".c": 600, ".h": 200}
HEAD_LINES = 15
RULES = "agent/decide/RULES.md"
RULE = re.compile(r"\b(?:W\d+a?|[VI]\d)\b")


def files(*folders, ext=(".c", ".h")):
    return sorted(p for f in folders for p in (TOP / f).rglob("*")
                  if p.suffix in ext and p.is_file() and "corpus" not in p.parts)


def name(path):
    return str(path.relative_to(TOP))


def folder(path):
    """The longest key of MAY_INCLUDE above this file."""
    return max((f for f in MAY_INCLUDE if name(path).startswith(f + "/")), key=len)


def includes(path):
    """(line, 'own' or 'system', header); own ones as paths from the top, or None if not found."""
    for number, text in enumerate(path.read_text().splitlines(), 1):
        m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', text)
        if not m:
            continue
        if m[1] == "<":
            yield number, "system", m[2]
        elif m[2] != "config.h":
            near = [c for c in ((path.parent / m[2]).resolve(), (TOP / m[2]).resolve())
                    if c.is_file()]
            yield number, "own", str(near[0].relative_to(TOP.resolve())) if near else None


def allowed(user, header):
    return header.startswith(user + "/") and folder(TOP / header) == user or any(
        header == a or header.startswith(a + "/") for a in MAY_INCLUDE[user])


@rule
def own_includes_follow_the_data():
    for p in files(*MAY_INCLUDE):
        for line, kind, header in includes(p):
            if kind == "own" and header is None:
                yield f"{name(p)}:{line}: no such file"
            elif kind == "own" and not allowed(folder(p), header):
                yield f"{name(p)}:{line}: {folder(p)} may not include {header}"


@rule
def decide_includes_nothing_that_has_an_effect():
    for p in files("agent/decide"):
        for line, kind, header in includes(p):
            if kind == "system" and header not in DECIDE_SYSTEM:
                yield f"{name(p)}:{line}: <{header}>"


@rule
def each_client_library_is_included_by_one_file():
    users = {}
    for p in files("agent", "proto", "shim"):
        for line, kind, header in includes(p):
            for pattern, owner in LIBRARIES.items():
                if kind == "system" and re.fullmatch(pattern, header):
                    users.setdefault(pattern, set()).add(name(p))
                    if not name(p).startswith(owner) or p.suffix != ".c":
                        yield f"{name(p)}:{line}: <{header}> belongs to {owner}"
    for pattern, who in users.items():
        if len(who) > 1:
            yield f"{pattern} is included by {', '.join(sorted(who))}"


@rule
def config_h_comes_first_and_stays_out_of_the_shim():
    shared = {h[:-2] + ".c" for h in MAY_INCLUDE["shim"]}
    for p in files("agent", "proto", "shim", ext=(".c",)):
        in_shim = folder(p) == "shim" or name(p) in shared
        m = re.search(r"#\s*include\s*(\S+)", p.read_text())
        if in_shim and '"config.h"' in p.read_text():
            yield f"{name(p)}: part of the shim, which is the same for every system: no config.h"
        elif not in_shim and m and m[1] != '"config.h"':
            yield f"{name(p)}: the first include is {m[1]}"


@rule
def no_file_includes_a_c_file():
    for p in files("agent", "proto", "shim", "tests"):
        for line, _, header in includes(p):
            if header and header.endswith(".c"):
                yield f"{name(p)}:{line}: {header}"


@rule
def files_and_headers_stay_short():
    for p in files("agent", "proto", "shim", "tests"):
        count = len(p.read_text().splitlines())
        if count > LINES[p.suffix]:
            yield f"{name(p)}: {count} lines, {LINES[p.suffix]} at most"


@rule
def every_file_says_its_license_and_what_it_is():
    scripts = files("shim", "tests", ext=(".sh", ".py", ".map"))
    for p in [*files("agent", "proto", "shim", "tests"), *scripts]:
        text = p.read_text()
        if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.splitlines()[:3]):
            yield f"{name(p)}: no SPDX line at its head"
        if p.suffix not in (".c", ".h"):
            continue
        head = text.split("*/")[0].splitlines() if text.startswith("/*") else []
        if not 2 < len(head) <= HEAD_LINES:
            yield f"{name(p)}: a head comment of {len(head)} lines, expected 3 to {HEAD_LINES}"


def rules_named(paths):
    """Rule -> the first of these files that names it."""
    named = {}
    for p in paths:
        for rule in RULE.findall(p.read_text(errors="replace")):
            named.setdefault(rule, name(p))
    return named


def rules_stated():
    """Rule -> its section, of all that stand in RULES.md, but for those that are not built."""
    sections = re.split(r"^## (?=[WVI]\d)", (TOP / RULES).read_text(), flags=re.MULTILINE)[1:]
    return {RULE.match(s)[0]: s for s in sections if "(not built)" not in s.splitlines()[0]}


@rule
def every_rule_is_in_code_tests_and_manual():
    stated = rules_stated()
    manual = [*files("packaging/man", ext=tuple(f".{n}" for n in range(1, 9))),
              *files("proto", ext=(".md",))]
    places = {
        # A header may state a rule before it is built.
        "the code": rules_named(files("agent", "proto", "shim", ext=(".c",))),
        "a header": rules_named(files("agent", "proto", "shim", ext=(".h",))),
        "a test": rules_named(p for p in files("tests", ext=(".c", ".h", ".py", ".sh"))
                              if p.name != Path(__file__).name),
        "the manual": rules_named(manual),
    }
    for rule, section in stated.items():
        wanted = ["a test", "the manual"]
        if rule[0] in "WV":
            wanted.append("the code")
        elif "No one place of the code carries this" not in " ".join(section.split()):
            # A promise may be kept by what a header declares, as bounds are.
            wanted.append("a header" if rule not in places["the code"] else "the code")
        for place in wanted:
            if rule not in places[place]:
                yield f"{rule} is not named in {place}"
    for rules in places.values():
        for rule, where in rules.items():
            if rule not in stated:
                yield f"{where} names {rule}, which does not stand in {RULES}"


assert files("agent", "proto"), f"no source below {TOP}"
main()
