#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One dialect: where a thing can be written in two ways, the tree has one. Each fault is a line to mend."""
import os
import re
import sys
from pathlib import Path

TOP = Path(os.environ.get("HOMING_SRCDIR", ".")).resolve()
sys.path.insert(0, str(TOP / "tests/support"))
from tap import main, rule  # noqa: E402

C = sorted(p for folder in ("agent", "proto", "shim", "tests") for p in (TOP / folder).rglob("*.[ch]")
           if "corpus" not in p.parts)
# Of proto/, but compiled into libhoming.so too, whose functions carry their file's name.
IN_SHIM = ("proto/name.c", "proto/view_read.c")
# What a manual is written in: these macros of mdoc(7), and no others.
MDOC = set("Ar Bd Bl Cm Dd Dl Dq Dt Dv Ed El Em Ev Fl Fn It Li Nd Nm Op Os Pa Pp Pq Ql Sh Sq Ss Sx Va Xr".split())
# Files named by a verb: check_role() says what it does, not where it is.
VERBS = ("check", "dump")
RULE_NAME = r"(?:[WVI]\d+a?_)*"
SENTENCE = re.compile(RULE_NAME + r"[a-z0-9][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+")


def name(path):
    return str(path.relative_to(TOP))


def prose(path):
    return path.read_text(encoding="utf-8")


def code(path):
    """The text with comments, strings and characters blanked, line by line as it was."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])
    return re.sub(r"/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", blank, prose(path), flags=re.S)


def found(pattern, text=code, files=tuple(C), group=0):
    """(file:line, match) of each place; the line is the one on which `group` begins."""
    for path in files:
        whole = text(path)
        for match in re.finditer(pattern, whole, re.M):
            yield f"{name(path)}:{whole.count(chr(10), 0, match.start(group)) + 1}", match


def functions(path):
    """(file:line, whether it is static, name) of each function that is defined in this file."""
    for where, match in found(r"^(?!#)([\w*(),\"\[\] \n]*?)\b(\w+)\([^;{}#]*\)\n\{", files=[path], group=2):
        yield where, bool(re.search(r"\bstatic\b", match[1])), match[2]


# --- Expressions --------------------------------------------------------------------------------------

@rule
def a_pointer_is_asked_without_NULL():
    null = r"(?:\(\s*)*(?:NULL\b|\(\s*void\s*\*\s*\)\s*0\b)"
    for where, match in found(rf"[=!]=\s*{null}|\bNULL\s*[=!]="):
        yield f"{where}: '{match[0]}': write !p or p"


@rule
def sizeof_has_parentheses_and_no_space():
    for where, _ in found(r"\bsizeof(?!\()"):
        yield f"{where}: write sizeof(x)"


@rule
def a_result_variable_is_called_rv():
    for where, match in found(r"^    +int (?:\*?\w+(?: = [^,;]*)?, )*(r|ret|result|err)\b(?: =|;|,)",
                              files=[p for p in C if p.suffix == ".c"]):
        yield f"{where}: '{match[1]}': write rv"


# --- Files --------------------------------------------------------------------------------------------

def include_block(path):
    """The lines of the first block of includes."""
    match = re.search(r"^#include [^\n]*\n(?:#include [^\n]*\n|\n)*", prose(path), re.M)
    return [line.partition(" ")[2] for line in match[0].splitlines() if line] if match else []


@rule
def includes_are_config_h_then_the_systems_then_ours_each_sorted():
    for path in C:
        lines = include_block(path)
        own = [line for line in lines if line[0] == '"' and line != '"config.h"']
        system = [line for line in lines if line[0] == "<" and line != "<cmocka.h>"]  # which wants others before it
        first = [line for line in lines if line == '"config.h"']
        if [line for line in lines if line != "<cmocka.h>"] != first + sorted(system) + sorted(own):
            yield f"{name(path)}: in this order: config.h, <…> sorted, \"…\" sorted"
        for line in own:
            if not (TOP / line.strip('"')).is_file():
                yield f"{name(path)}: {line} is not named from the top"


@rule
def an_include_is_written_in_one_way():
    for where, match in found(r"^[ \t]*#\s*(?:include\w*|import)\b[^\n]*", prose):
        if not re.fullmatch(r'#include (?:<[^<>"]+>|"[^<>"]+")', match[0]):
            yield f"{where}: '{match[0]}': write #include <…> or #include \"…\""


@rule
def a_headers_guard_is_its_path():
    for path in C:
        guard = "HOMING_" + re.sub("[^A-Z0-9]", "_", name(path).upper())
        if path.suffix == ".h" and f"#ifndef {guard}\n#define {guard}\n" not in prose(path):
            yield f"{name(path)}: no guard {guard}"


@rule
def the_head_of_a_C_file_names_it():
    for path in C:
        if not re.match(rf"/\*[^\n]*\n \*\n \* {re.escape(path.name)} - \S", prose(path)):
            yield f"{name(path)}: the head's first sentence begins with '{path.name} - '"


@rule
def no_comment_ends_on_a_line_of_its_own_but_the_head():
    for where, match in found(r"/\*(?:[^*]|\*(?!/))*\n *\*/", prose):
        if "SPDX" not in match[0]:
            yield f"{where}: its last line is only */"


# --- Names --------------------------------------------------------------------------------------------

@rule
def a_static_function_does_without_its_files_name():
    for path in C:
        if path.suffix == ".c" and name(path).startswith(("agent/", "proto/")) and name(path) not in IN_SHIM:
            for where, static, function in functions(path):
                if static and path.stem not in VERBS and function.startswith(path.stem + "_"):
                    yield f"{where}: {function}() without {path.stem}_"


@rule
def in_the_shim_a_static_function_carries_its_files_name():
    for path in C:
        if path.suffix == ".c" and name(path).startswith("shim/"):
            for where, static, function in functions(path):
                if static and not function.startswith(path.stem + "_"):
                    yield f"{where}: {function}() with {path.stem}_"


@rule
def a_test_is_named_by_a_sentence_and_lists_itself_by_test_h():
    tests = [p for p in C if name(p).startswith("tests/") and p.name != "test.h"]
    for where, match in found(r"^ +TEST(?:_[A-Z_]+)?\(\s*(?:\w+,\s*)*(\w+)\)", files=tests):
        if not SENTENCE.fullmatch(match[1]) or match[1].startswith("test_"):
            yield f"{where}: {match[1]}"
    for where, match in found(r"cmocka_unit_test\w*\(|<cmocka\.h>", files=tests):
        yield f"{where}: '{match[0]}' is for tests/support/test.h"


@rule
def a_test_in_Python_is_named_by_a_sentence():
    scripts = [p for folder in ("shim", "live", "lint") for p in (TOP / "tests" / folder).glob("*.py")]
    for where, match in found(r"^@(?:test|rule|per_libc)\ndef (\w+)\(", prose, scripts):
        if not SENTENCE.fullmatch(match[1]) or match[1].startswith("test_"):
            yield f"{where}: {match[1]}"


@rule
def a_rule_in_a_tests_name_is_written_as_RULES_md_does():
    for where, match in found(r"^static void ([wvi]\d+a?_\w+)\(void \*\*state"):
        yield f"{where}: {match[1]}: {match[1].partition('_')[0].upper()}_…"


@rule
def a_manual_has_one_set_of_macros():
    manuals = sorted((TOP / "packaging/man").glob("*.[1-8]"))
    for where, match in found(r"^\.([A-Za-z]\w*)", prose, manuals):
        if match[1] not in MDOC:
            yield f"{where}: .{match[1]}"
    for path in manuals:
        if not re.search(r"^\.Dd ", prose(path), re.M):
            yield f"{name(path)}: no .Dd"


main()
