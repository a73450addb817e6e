#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pages that people read, one TAP line per promise: how long they may be, that each figure stands in one place,
that no link leads nowhere, that what they say to run can be run, and that the protocol is of the version that the code
has."""
import os
import re
import sys
from pathlib import Path

TOP = Path(os.environ.get("HOMING_SRCDIR", ".")).resolve()
sys.path.insert(0, str(TOP / "tests/support"))
from tap import main, rule  # noqa: E402

# A page that is read to the end.
LINES = {"README.md": 120, ".github/CONTRIBUTING.md": 80}
FIGURES = "tests/bench/README.md"
FIGURES_TAKEN = 6


def pages():
    folders = [TOP / name for name in (".github", "agent", "proto", "shim", "tests", "packaging")]
    return sorted([*TOP.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))])


def is_rule(line):
    return line.startswith("|") and set(line) <= set("|-: ")


def rows(text):
    """The rows of all tables, without their headings."""
    lines = [*text.splitlines(), ""]
    return [line for line, after in zip(lines, lines[1:])
            if line.startswith("|") and not is_rule(line) and not is_rule(after)]


@rule
def pages_are_short():
    for page, most in LINES.items():
        count = len((TOP / page).read_text().splitlines())
        if count > most:
            yield f"{page}: {count} lines, {most} at most"


@rule
def the_readme_takes_its_figures_from_the_page_of_figures():
    taken, all_of_them = rows((TOP / "README.md").read_text()), rows((TOP / FIGURES).read_text())
    if len(taken) != FIGURES_TAKEN:
        yield f"README.md: {len(taken)} rows of figures, {FIGURES_TAKEN} expected"
    for row in taken:
        if row not in all_of_them:
            yield f"README.md: {row}: not so in {FIGURES}"


@rule
def measured_times_stand_on_the_page_of_figures_only():
    for page in [TOP / "README.md", *(TOP / "packaging/man").glob("*.[1-8]")]:
        for number, line in enumerate(page.read_text().splitlines(), 1):
            if re.search(r"\d (ns|µs|\\\(mcs)\b|\bnanoseconds\b", line, re.IGNORECASE):
                yield f"{page.relative_to(TOP)}:{number}: {line.strip()}"


@rule
def every_page_that_a_manual_refers_to_is_a_reference():
    for page in sorted((TOP / "packaging/man").glob("*.[1-8]")):
        for number, line in enumerate(page.read_text().splitlines(), 1):
            others = re.sub(r"Xr \S+ [1-8]", "", line) if line.startswith(".") and "Xr " in line else ""
            for bare in re.findall(r"[\w.-]+ [1-8]\b", others):
                yield f"{page.relative_to(TOP)}:{number}: {bare}: without Xr"


@rule
def what_the_examples_assume_is_a_first_name_of_the_shipped_configuration():
    firsts = re.findall(r"names: \[([\w.-]+)", (TOP / "packaging/homing.yaml").read_text())
    for page in [TOP / "README.md", *sorted((TOP / "packaging/man").glob("*.[1-8]"))]:
        for name in re.findall(r"(?:--assume |HOMING_ASSUME=)([a-z][\w.-]*[\w])", page.read_text()):
            if name not in firsts:
                yield f"{page.relative_to(TOP)}: {name} is no first name in packaging/homing.yaml"


@rule
def every_state_alarm_and_warning_is_explained_where_homingctl_is():
    manual = (TOP / "packaging/man/homingctl.1").read_text()
    for file, of, least in (("agent/decide/verdict.c", r"cluster_state_name\(.*?^}", 7),
                            ("agent/decide/decision.c", r"alarm_name\(.*?^}", 6),
                            ("agent/decide/warnings.c", r"warning_name\(.*?^}", 8),
                            ("agent/admin/status.c", r"put_agent_alarms\(.*?^}", 5)):
        code = re.search(of, (TOP / file).read_text(), re.S | re.M)[0]
        words = {word for word in re.findall(r'"([a-z_]+)"', code) if word != "alarms"}
        if len(words) < least:
            yield f"{file}: {len(words)} words found, {least} expected at least"
        for word in sorted(words):
            if f"\n.It Cm {word}\n" not in manual:
                yield f"packaging/man/homingctl.1: says nothing of {word}, which {file} has"


def headings(page):
    """Anchors of a page, as they are made of its headings."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in found}


@rule
def links_lead_somewhere():
    for page in pages():
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if re.match(r"https?:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path) if path else page
            if not target.exists():
                yield f"{page.relative_to(TOP)}: {link}: no such file"
            elif anchor and anchor not in headings(target):
                yield f"{page.relative_to(TOP)}: {link}: no such heading"


def commands(text):
    """The programs that a page says to run: the first words in blocks, and in a line where arguments follow or sudo stands
    before."""
    block = r"^```\w*\n(.*?)^```"
    lines = [line for lines in re.findall(block, text, re.M | re.S) for line in lines.splitlines()]
    spans = [span for span in re.findall(r"`([^`\n]+)`", re.sub(block, "", text, flags=re.M | re.S)) if " " in span]
    for command in (part for line in lines + spans for part in re.split(r"&&|[;|]", line)):
        words = [word for word in command.split() if not re.fullmatch(r"sudo|\$|\w+=\S*", word)]
        yield from words[:1]


@rule
def what_pages_say_to_run_can_be_run():
    found = 0
    for page in pages():
        for program in commands(page.read_text()):
            if (TOP / program).is_file():
                found += 1
                if not os.access(TOP / program, os.X_OK):
                    yield f"{page.relative_to(TOP)}: {program} is not executable"
    if found < 20:
        yield f"{found} programs found, 20 expected at least"


@rule
def the_protocol_describes_the_layout_that_view_format_h_has():
    code = (TOP / "proto/view_format.h").read_text()
    layout = ".".join(re.search(rf"^#define VIEW_{part} (\d+)", code, re.MULTILINE)[1] for part in ("MAJOR", "MINOR"))
    if f"\n## 5. The view, layout {layout}\n" not in (TOP / "proto/PROTOCOL.md").read_text():
        yield f"proto/PROTOCOL.md: section 5 is not of layout {layout}"


main()
