# SPDX-License-Identifier: Apache-2.0
"""timeline.py - one round of each kind as an SVG: a line per client, without homing above with homing.

timeline.svg, which README shows, is not drawn by hand: its <desc> names the command that left it in
BUILD/bench/failover. A comment could not, as XML allows no `--` in one.
"""
from xml.sax.saxutils import escape

STEP_MS = 100
BEFORE_MS = 3000
BEAT = 3  # steps: a process for each INSERT takes so long
LINE, LABEL, PANEL, GAP, TOP = 13, 250, 440, 30, 62
# Also told apart by people who do not tell red from green, and in grey.
COLOURS = {"ok": "#2b7bba", "mixed": "#f0a860", "error": "#d9541e", "wait": "#d8d8d8"}
LEGEND = (("ok", "writes succeed"), ("error", "writes fail"), ("mixed", "both"), ("wait", "a statement waits"))


def buckets(statements, begin, end):
    """What each step of the time axis shows: ok, error, mixed, wait or None."""
    count = int((end - begin) / STEP_MS)
    seen = [set() for _ in range(count)]
    for start, done, what, _, _ in statements:
        if what and begin <= done < begin + count * STEP_MS:
            seen[int((done - begin) / STEP_MS)].add(what)
        for at in range(max(0, int((start - begin) / STEP_MS)), min(count, int(((done or end) - begin) / STEP_MS))):
            seen[at].add("wait")
    return [pick(s) for s in seen]


def pick(seen):
    if {"ok", "error"} <= seen:
        return "mixed"
    return next((what for what in ("ok", "error", "wait") if what in seen), None)


def fill(values):
    out = list(values)
    for at in range(1, len(out)):
        ahead = out[at + 1:at + BEAT + 1]
        if out[at] in (None, "wait") and out[at - 1] in ("ok", "error") and out[at - 1] in ahead:
            out[at] = out[at - 1]
    return out


def runs(values):
    """[(value, first, length)] of equal neighbours, without None; short gaps are a client's own beat."""
    values, out, at = fill(values), [], 0
    while at < len(values):
        to = at
        while to < len(values) and values[to] == values[at]:
            to += 1
        if values[at]:
            out.append((values[at], at, to - at))
        at = to
    return out


def text(x, y, what, anchor="start", weight="normal"):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" font-weight="%s">%s</text>' % (x, y, anchor, weight, escape(what))


def panel(x, title, times, lanes, height):
    """One kind of failover; lanes: [(client, homing, statements)]."""
    begin, end = times["cut"] - BEFORE_MS, times["end"]
    scale = PANEL / (end - begin)
    out = [text(x, 18, title, weight="bold")]
    for number, (_, _, statements) in enumerate(lanes):
        y = TOP + number * LINE
        for what, first, length in runs(buckets(statements, begin, end)):
            thin = what == "wait"
            out.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"/>' % (
                x + first * STEP_MS * scale, y + (4 if thin else 1), length * STEP_MS * scale,
                LINE - 9 if thin else LINE - 3, COLOURS[what]))
    marks = [("cut", "cut", 34), ("promoted", "promotion", 46)]
    if times.get("dns") and times["dns"] < end:
        marks.append(("dns", "DNS changed", 46))
    for key, label, y in marks:
        at = x + (times[key] - begin) * scale
        out.append('<path d="M%.1f %d V%d" stroke="#000" stroke-width="0.7" stroke-dasharray="2 2"/>' % (
            at, y + 2, TOP + height))
        out.append(text(at, y, label, "middle" if key != "promoted" else "start"))
    for second in range(0, int((end - times["cut"]) / 1000) + 1, 10):
        at = x + (times["cut"] - begin + second * 1000) * scale
        out.append(text(at, TOP + height + 14, "%d s" % second, "middle"))
    return out


def aligned(rounds, order):
    """times and lanes of a panel, from failovers of one round: all as if they had been that of the first."""
    times, lanes = rounds[0][1], {}
    for _, own, played in rounds:
        shift = times["promoted"] - own["promoted"]
        for lane, statements, _ in played:
            lanes[lane.id] = [(s[0] + shift, s[1] and s[1] + shift, *s[2:]) for s in statements]
    return times, [(lane.client.name, lane.homing, lanes.get(lane.id, [])) for lane in order]


def svg(panels, mode, command):
    """panels: [(title, times, [(client, homing, statements)])], the same lanes in each."""
    if not panels:
        return "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n"
    lanes = panels[0][2]
    height = LINE * len(lanes)
    width = LABEL + len(panels) * (PANEL + GAP)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="10">'
           % (width, TOP + height + 62), "<desc>Made by %s</desc>" % escape(command),
           '<rect width="100%" height="100%" fill="#fff"/>']
    for number, (client, homing, _) in enumerate(lanes):
        out.append(text(LABEL - 10, TOP + number * LINE + 9.5, client, "end",
                        "bold" if homing else "normal"))
    for number, (title, times, of_panel) in enumerate(panels):
        out += panel(LABEL + number * (PANEL + GAP), title, times, of_panel, height)
    for number, (what, label) in enumerate(LEGEND):
        x, y = LABEL + number * 120, TOP + height + 28
        out.append('<rect x="%d" y="%d" width="14" height="9" fill="%s"/>' % (x, y, COLOURS[what]))
        out.append(text(x + 19, y + 8.5, label))
    out.append(text(LABEL, TOP + height + 54, "Names in bold: with homing, mode %s." % mode))
    return "\n".join(out) + "\n</svg>\n"
