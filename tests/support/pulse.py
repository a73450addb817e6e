# SPDX-License-Identifier: Apache-2.0
"""For a test whose servers have to answer in time: a machine that stood still meanwhile has shown nothing, and the test
is run again.

    @test
    @undisturbed
    def a_sentence(): ...       # it can be run any number of times
"""
import functools
import threading
import time

from tap import AGAIN, say

BEAT = 0.01  # seconds between two looks at the clock
LATE_MS = 100  # less than the shortest time in which a server has to answer here


class Pulse(threading.Thread):
    """How late this process was at worst, and in all, while it is entered: for so long this machine stood still."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.worst_ms, self.total_ms = threading.Event(), 0, 0

    def run(self):
        before = time.monotonic()
        while not self.over.wait(BEAT):
            now = time.monotonic()
            late_ms = (now - before - BEAT) * 1000
            self.worst_ms, self.total_ms, before = max(self.worst_ms, late_ms), self.total_ms + late_ms, now

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def undisturbed(function):
    @functools.wraps(function)
    def runs():
        for left in range(AGAIN, -1, -1):
            with Pulse() as pulse:
                try:
                    return function()
                except AssertionError as failure:
                    if not left or pulse.worst_ms < LATE_MS:
                        raise
                    say(f"again, this machine stood still for {pulse.worst_ms:.0f} ms; found: {failure}")
        return None
    return runs
