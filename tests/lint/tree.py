#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shape of the source tree: which folder may use which, by what it includes and by what its objects call; no
circle of files; one idea a folder and a file; and every numbered rule is found in the code, a test and the manual."""
import functools
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

TOP = Path(os.environ.get("HOMING_SRCDIR", ".")).resolve()
BUILD = Path(os.environ.get("HOMING_BUILDDIR", "build")).resolve()
sys.path.insert(0, str(TOP / "tests/support"))
from tap import main, rule  # noqa: E402

# What both ends of the view and the sockets share, as far as it is for readers.
READERS = ["proto/limits.h", "proto/name.h", "proto/attach.h", "proto/view_format.h", "proto/view_read.h",
           "proto/permit.h", "proto/hash.h", "proto/inet_address.h"]
# Folder -> what of ours it may use: folders, or single headers; its own it always may. The way of the data,
# lowest first. A change here changes the architecture.
MAY_USE = {
    "proto": [],
    "agent/base": ["proto"],
    "agent/base/tls": [],
    "agent/base/stream": ["agent/base/tls", "agent/base", "proto"],
    "agent/base/http": ["agent/base/stream", "agent/base/tls", "agent/base", "proto"],
    "agent/conf": ["agent/conf/discovery", "agent/conf/file", "agent/base", "proto"],
    "agent/conf/discovery": ["agent/conf/conf.h", "agent/conf/engine_kind.h", "agent/conf/pattern.h", "agent/conf/value.h",
                             "agent/conf/file"],
    "agent/conf/file": ["agent/conf/conf.h", "agent/conf/keys.h", "agent/conf/engine_kind.h", "agent/base", "proto"],
    "agent/decide": ["proto"],
    "agent/probe": ["agent/decide/report.h", "agent/decide/pace.h", "agent/decide/place.h", "agent/conf", "agent/base", "proto"],
    "agent/probe/mysql": ["agent/base/stream", "agent/base/tls", "agent/base", "proto"],
    # What the engines of a family share: the only way to its client library.
    "agent/probe/postgresql": ["agent/probe/engine.h", "agent/probe/deployment.h", "agent/probe/topology.h",
                               "agent/decide/report.h", "agent/conf", "agent/base/tls", "agent/base", "proto"],
    "agent/probe/engines/postgresql": ["agent/probe/postgresql", "agent/probe/engine.h", "agent/probe/deployment.h",
                                       "agent/probe/topology.h", "agent/decide/report.h", "agent/conf/discovery/alias.h",
                                       "agent/conf", "agent/base", "proto"],
    "agent/probe/engines/mysql/family": ["agent/probe", "agent/probe/mysql", "agent/decide/report.h", "agent/conf",
                                         "agent/base/tls", "agent/base", "proto"],
    "agent/probe/engines/mysql": ["agent/probe/engines/mysql/family", "agent/probe", "agent/probe/mysql", "agent/decide/report.h",
                                  "agent/conf/discovery/alias.h", "agent/conf", "agent/base", "proto"],
    "agent/probe/engines/patroni": ["agent/probe", "agent/decide/report.h", "agent/conf", "agent/base/http", "agent/base/tls",
                                    "agent/base", "proto"],
    "agent/probe/engines": ["agent/probe/engines/postgresql", "agent/probe/engines/patroni", "agent/probe/engines/mysql",
                            "agent/probe", "agent/decide/report.h", "agent/conf", "agent/base", "proto"],
    # Hearsay of the servers about each other, before anybody acts on it.
    "agent/discover": ["agent/probe/topology.h", "agent/conf", "agent/base", "proto"],
    # A process of its own, that asks once and says what to mend.
    "agent/doctor": ["agent/discover/named.h", "agent/probe", "agent/decide/report.h", "agent/conf", "agent/base", "proto"],
    "agent/state": ["agent/discover/roster.h", "agent/decide", "agent/conf", "agent/base", "proto"],
    "agent/publish": ["agent/state", "agent/decide", "agent/conf", "agent/base", "proto"],
    "agent/serve": ["agent/base", "proto"],
    "agent/sever/client": ["agent/base", "proto"],
    "agent/daemon/discovery": ["agent/daemon", "agent/discover", "agent/state", "agent/probe", "agent/decide", "agent/conf",
                               "agent/base", "proto"],
    "agent/daemon": ["agent/daemon/discovery", "agent/serve", "agent/sever/client", "agent/publish", "agent/state", "agent/probe",
                     "agent/discover", "agent/decide", "agent/conf", "agent/base", "proto"],
    "agent/admin": ["agent/daemon", "agent/discover/roster.h", "agent/serve", "agent/sever/client", "agent/publish", "agent/decide",
                    "agent/conf", "agent/base", "proto"],
    # main.c alone stands here: it wires admin's methods and the table of engines into the daemon, and into the doctor.
    "agent": ["agent/admin", "agent/daemon", "agent/doctor", "agent/sever/client", "agent/probe/engines", "agent/conf", "agent/base",
              "proto"],
    # homing-sever, and homingctl.
    "agent/sever/deputy": ["agent/base", "proto"],
    "agent/sever/permits": ["agent/sever/deputy", "agent/base", "proto"],
    "agent/sever/sweep": ["agent/sever/permits", "agent/sever/deputy", "agent/base", "proto"],
    "agent/sever": ["agent/sever/sweep", "agent/sever/permits", "agent/sever/deputy", "agent/base", "proto"],
    # resolve prints what programs get, and run whether they are left alone.
    "agent/ctl": ["agent/ctl/show", "shim/view/route.h", "shim/view/process.h", "agent/base", "proto"],
    "agent/ctl/show": ["agent/base", "proto"],
    # libhoming.so: of proto the reader's half. The interposers stand in shim itself.
    "shim/libc": [],
    "shim/view": ["shim/libc", *READERS],
    "shim/permit": ["shim/view", "shim/libc", *READERS],
    "shim/steer": ["shim/permit", "shim/view", "shim/libc", *READERS],
    "shim": ["shim/steer", "shim/permit", "shim/view", "shim/libc", *READERS],
}
# Pure: no clock and no socket can be had from these; nor an allocation, if no more is called than the second says.
# What begins with __ is the compiler's.
DECIDE_SYSTEM = {"stddef.h", "stdint.h", "stdbool.h", "string.h"}
# bcmp() is what clang makes of memcmp() == 0.
DECIDE_CALLS = re.compile(r"mem(cpy|move|set|cmp)|bcmp|str(len|cmp|ncmp)|__.*|_GLOBAL_OFFSET_TABLE_")
# Client library -> the one file that includes it.
LIBRARIES = {
    r"ev(\+\+)?\.h": "agent/base/loop.c",
    r"openssl/(?!sha\.h).*": "agent/base/tls/(tls|work).c",
    r"openssl/sha\.h": "agent/probe/mysql/proof.c",
    r"sodium\.h": "agent/probe/mysql/proof.c",
    r"yaml\.h": "agent/conf/file/position.c",
    r"cyaml/.*": "agent/conf/file/schema.c",
    r"ares.*\.h": "agent/probe/resolve.c",
    r"(libpq|postgres).*\.h": "agent/probe/postgresql/client.c",
    r"jansson\.h": "agent/probe/engines/patroni/patroni_status.c",
    r"msgpack.*": "proto/msg.c",
}
# What is no client library: libc's and the kernel's.
SYSTEM = re.compile(r"(sys|linux|net|netinet|arpa|asm)/.*|(alloca|assert|byteswap|complex|ctype|dirent|dlfcn|elf|"
                    r"emmintrin|endian|err|errno|fcntl|features|fenv|float|ftw|getopt|glob|grp|ifaddrs|inttypes|"
                    r"iso646|langinfo|libgen|limits|link|locale|malloc|math|netdb|paths|poll|pthread|pwd|regex|resolv|"
                    r"sched|search|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|"
                    r"stdlib|stdnoreturn|string|strings|syslog|termios|threads|time|uchar|unistd|utime|wchar|wctype)"
                    r"\.h")
# What stands in agent/ itself; and what no rule here looks at. A build in the tree leaves objects there, too.
LOOSE = {"main.c", "Makefile.inc"}
STRANGE = {".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".inl", ".s", ".S", ".py", ".sh", ".txt"}
LINES = {".c": 600, ".h": 200}
MODULES_MAX = 12  # .c files of a folder in agent/ or shim/
HEAD_LINES = 15
RULE = re.compile(r"\b(?:W\d+a?|V\d|I\d)\b")
RULES = "agent/decide/RULES.md"


def files(*folders, ext=(".c", ".h")):
    return sorted(p for f in folders for p in (TOP / f).rglob("*")
                  if p.suffix in ext and p.is_file() and "corpus" not in p.parts)


def name(path):
    return str(path.relative_to(TOP))


def folder(path):
    """The longest key of MAY_USE above this file, which is given by its name from the top."""
    return max((f for f in MAY_USE if path.startswith(f + "/")), key=len)


def may_use(user, used):
    """Whether the folder `user` may use this file; a header stands for what its .c defines."""
    header = used[:-2] + ".h" if used.endswith(".c") else used
    return folder(used) == user or any(header == m or folder(used) == m for m in MAY_USE[user])


def includes(path):
    """(line, 'own' or 'system', header); own ones as paths from the top, or None if not found."""
    for number, text in enumerate(path.read_text().splitlines(), 1):
        m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', text)
        if m and m[1] == "<":
            yield number, "system", m[2]
        elif m and m[2] != "config.h":
            yield number, "own", m[2] if (TOP / m[2]).is_file() else None


def object_of(path):
    """What it was compiled to; automake puts a program's name before those that it compiles for itself."""
    plain = (BUILD / name(path)).with_suffix(".o")
    return next(iter([plain] if plain.is_file() else sorted(plain.parent.glob(f"*-{plain.name}"))), None)


@functools.cache
def symbols():
    """For each of our names, the source file that defines it; and (file, name) of each that an object lacks."""
    source = {str(object_of(p)): name(p) for p in files("agent", "proto", ext=(".c",)) if object_of(p)}
    out = subprocess.run(["nm", "--print-file-name", *source], check=True, capture_output=True, text=True).stdout
    defined, lacking = {}, []
    for line in out.splitlines():
        file, rest = line.split(":", 1)
        *_, kind, symbol = rest.split()
        if kind == "U":
            lacking.append((source[file], symbol))
        elif kind.isupper() and symbol != "main":
            defined[symbol] = source[file]
    return defined, sorted(lacking)


def calls():
    """(file, name, the file that defines it) for each of our names that an object takes from another."""
    defined, lacking = symbols()
    return [(user, symbol, defined[symbol]) for user, symbol in lacking if defined.get(symbol, user) != user]


def module(path):
    """A .c file and its header are one module."""
    return path.rsplit(".", 1)[0]


# --- Who may use whom ---------------------------------------------------------------------------------

@rule
def includes_follow_the_way_of_the_data():
    for p in files("proto", "agent", "shim"):
        for line, kind, header in includes(p):
            if kind == "own" and header is None:
                yield f"{name(p)}:{line}: no such file; name it from the top"
            elif kind == "own" and not may_use(folder(name(p)), header):
                yield f"{name(p)}:{line}: {folder(name(p))} may not use {header}"


@rule
def calls_follow_the_way_of_the_data():
    for p in files("agent", "proto", ext=(".c",)):
        if not object_of(p):
            yield f"{name(p)}: no object of it in {BUILD}, so that nobody sees what it calls"
    for source, symbol, definer in calls():
        if not may_use(folder(source), definer):
            yield f"{source} calls {symbol}() of {definer}: {folder(source)} may not use that"


@rule
def no_files_stand_in_a_circle():
    arrows = defaultdict(set)
    for p in files("proto", "agent", "shim"):
        for _, kind, header in includes(p):
            if kind == "own" and header:
                arrows[module(name(p))].add(module(header))
    for source, _, definer in calls():
        arrows[module(source)].add(module(definer))
    done = set()

    def walk(at, path):
        if at in path:
            yield " -> ".join([*path[path.index(at):], at])
        elif at not in done:
            for to in sorted(arrows[at] - {at}):
                yield from walk(to, [*path, at])
            done.add(at)

    for start in sorted(arrows):
        yield from walk(start, [])


@rule
def decide_includes_nothing_that_has_an_effect():
    for p in files("agent/decide"):
        for line, kind, header in includes(p):
            if kind == "system" and header not in DECIDE_SYSTEM:
                yield f"{name(p)}:{line}: <{header}>"


@rule
def decide_calls_nothing_that_has_an_effect():
    defined, lacking = symbols()
    for source, symbol in lacking:
        if folder(source) == "agent/decide" and symbol not in defined and not DECIDE_CALLS.fullmatch(symbol):
            yield f"{source} calls {symbol}()"


@rule
def each_client_library_is_included_by_one_file():
    unused = set(LIBRARIES)
    for p in files("agent", "proto", "shim"):
        for line, kind, header in includes(p):
            if kind != "system" or SYSTEM.fullmatch(header):
                continue
            pattern = next((known for known in LIBRARIES if re.fullmatch(known, header)), None)
            unused.discard(pattern)
            if pattern is None:
                yield f"{name(p)}:{line}: <{header}> is of no library in LIBRARIES, nor of libc (SYSTEM)"
            elif not re.fullmatch(LIBRARIES[pattern], name(p)):
                yield f"{name(p)}:{line}: <{header}> belongs to {LIBRARIES[pattern]}"
    for pattern in sorted(unused):
        yield f"nobody includes {pattern}"


@rule
def config_h_comes_first_and_stays_out_of_the_shim():
    listed = re.findall(r"^SHIM_C \+?= (.*)", (TOP / "shim/Makefile.inc").read_text(), re.MULTILINE)
    shared = {f for line in listed for f in line.split() if f.startswith("proto/")}
    for p in files("agent", "proto", "shim", ext=(".c",)):
        in_shim = name(p).startswith("shim/") or name(p) in shared
        m = re.search(r"#\s*include\s*(\S+)", p.read_text())
        if in_shim and '"config.h"' in p.read_text():
            yield f"{name(p)}: part of the shim, which is the same for every system: no config.h"
        elif not in_shim and m and m[1] != '"config.h"':
            yield f"{name(p)}: the first include is {m[1]}"


# --- One idea a folder, one idea a file ---------------------------------------------------------------

@rule
def nothing_is_loose_in_agent_but_main_c():
    for p in sorted((TOP / "agent").iterdir()):
        if p.suffix in {".c", ".h", ".inc", ".md"} | STRANGE and p.name not in LOOSE:
            yield f"{name(p)}: in which folder does it belong?"
    for p in files("proto", "agent", "shim", ext=STRANGE):
        yield f"{name(p)}: no rule looks at a file of this kind"
    for p in files("proto", "agent", "shim"):
        if folder(name(p)) != name(p.parent):
            yield f"{name(p)}: {name(p.parent)} does not stand in MAY_USE, and would have what the folder above it may"
    for user, used in MAY_USE.items():
        for f in [user, *used]:
            if not (TOP / f).exists():
                yield f"{f}: a room for what does not exist"


@rule
def a_folder_has_a_dozen_modules_at_most():
    count = defaultdict(int)
    for p in files("agent", "shim", ext=(".c",)):
        count[name(p.parent)] += 1
    for f, n in count.items():
        if n > MODULES_MAX:
            yield f"{f}: {n} modules, {MODULES_MAX} at most"


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


# --- The rules ----------------------------------------------------------------------------------------

def rules_named(paths):
    """Rule -> the first of these files that names it."""
    named = {}
    for p in paths:
        for found in RULE.findall(p.read_text(errors="replace")):
            named.setdefault(found, name(p))
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
    for stated_rule, section in stated.items():
        wanted = ["a test", "the manual"]
        if stated_rule[0] in "WV":
            wanted.append("the code")
        elif "No one place of the code carries this" not in " ".join(section.split()):
            # A promise may be kept by what a header declares, as bounds are.
            wanted.append("a header" if stated_rule not in places["the code"] else "the code")
        for place in wanted:
            if stated_rule not in places[place]:
                yield f"{stated_rule} is not named in {place}"
    for found in places.values():
        for named, where in found.items():
            if named not in stated:
                yield f"{where} names {named}, which does not stand in {RULES}"


main()
