# SPDX-License-Identifier: Apache-2.0
"""Plays the files of tests/scenarios with servers that run: what their lines mean is in the README.md there.

    scenario.play("aws_failover", stage)

A stage has a method for each act, one that tells where the cluster's name leads, and two that look:

    writes, claims_on, falls_silent, answers_again, ends, lets_nobody_in, starts    (server)
    names(server), is_followed(server), stays(server, state or None)
"""
import glob
import os
import re

from homing import SRC

FOLDER = os.path.join(SRC, "tests/scenarios")
LINES = [  # of each line, what is called with what stands in brackets
    (r"([abc]) is the writer", "writes"), (r"([abc]) claims on", "claims_on"), (r"([abc]) falls silent", "falls_silent"),
    (r"([abc]) answers again", "answers_again"), (r"([abc]) ends", "ends"), (r"([abc]) lets nobody in", "lets_nobody_in"),
    (r"([abc]) starts", "starts"), (r"DNS names ([abc])", "names"), (r"then ([abc]) is followed", "is_followed"),
    (r"then ([abc]) stays(?:, (\w+))?", "stays"),
]


def names():
    return sorted(os.path.basename(path)[:-len(".txt")] for path in glob.glob(FOLDER + "/*.txt"))


def play_line(text, stage):
    for pattern, method in LINES:
        found = re.fullmatch(pattern, text)
        if found:
            return getattr(stage, method)(*found.groups())
    raise AssertionError("these words are not known")


def play(name, stage):
    with open(os.path.join(FOLDER, name + ".txt"), encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            text = line.split("#")[0].strip()
            try:
                if text:
                    play_line(text, stage)
            except AssertionError as wrong:
                raise AssertionError(f"{name}.txt:{number}: {text}: {wrong}") from None
