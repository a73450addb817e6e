# SPDX-License-Identifier: Apache-2.0
"""What every test script in Python is made of. It prints TAP.

    from tap import equal, eventually, main, test

    @test
    def the_endpoint_follows_a_promotion(): ...

    main()      # runs every @test in the order of the file; each may go on where the one before ended

The name of a test is a sentence. It fails by raising, mostly an AssertionError that says what was found. Nothing
sleeps for a fixed time that decides a verdict: eventually() waits for a condition. `SCRIPT NAME…` runs only the tests
with these names.
"""
import functools
import os
import re
import signal
import subprocess
import sys
import time
import traceback

PATIENCE = 30  # seconds until a test gives up waiting; no figure is asserted
AGAIN = 20  # times that a test is run again which failed with an excuse

tests = []  # (function's name, name, function)
cleanups = []  # functions, called in reverse order when the script ends
before_each = []  # functions, called before a test, and before it is run again
excuses = []  # functions: each returns why a failure just now is no verdict, or nothing


class Skip(Exception):
    """Raised by a test that cannot be run here."""


class Faults(AssertionError):
    """Of a rule: a line for each, which say where they are."""


# --- What a test says ---------------------------------------------------------------------------------

def equal(found, expected):
    assert found == expected, f"found    {found!r}\nexpected {expected!r}"


def eventually(condition, what, within=PATIENCE, every=0.02):
    """Waits until condition() is true, and returns what it returned. `every`: longer, where to ask costs much."""
    end = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(every)


# --- How it is listed ---------------------------------------------------------------------------------

def add(function, *arguments):
    name = re.sub("_", " ", function.__name__) + "".join(f" ({it})" for it in arguments)
    tests.append((function.__name__, name, functools.partial(function, *arguments)))


def test(function):
    add(function)
    return function


def test_each(values):
    """A test that takes one of these: one test for each."""
    def listed(function):
        for value in values:
            add(function, value)
        return function
    return listed


def rule(function):
    """A test that is a generator of faults: there has to be none."""
    @functools.wraps(function)
    def holds():
        faults = list(function())
        if faults:
            raise Faults("\n".join(faults))
    return test(holds)


# --- Running ------------------------------------------------------------------------------------------

def say(text):
    """A comment in TAP."""
    print("".join(f"# {line}\n" for line in text.splitlines()), end="", flush=True)


def give_up(why):
    """Ends a script that cannot be run here: all of it is skipped, with CI set it fails."""
    if os.environ.get("CI"):
        print("1..1\nnot ok 1 - " + why)
        sys.exit(1)
    print("1..0 # SKIP " + why)
    sys.exit(0)


def attempt(function):
    for left in range(AGAIN, -1, -1):
        for begin in before_each:
            begin()
        try:
            return function()
        except Skip:
            raise
        except Exception as failure:  # pylint: disable=broad-exception-caught  # also of what it did not expect to be read
            why = [reason for reason in (excuse() for excuse in excuses) if reason]
            if not why or not left:
                raise
            say(f"again, {', '.join(why)}; found: {failure}")
    return None


def run_one(number, name, function):
    start = time.monotonic()
    try:
        attempt(function)
        print(f"ok {number} - {name}", flush=True)
    except Skip as why:
        print(f"ok {number} - {name} # SKIP {why}", flush=True)
    except Exception as error:  # pylint: disable=broad-exception-caught  # a test that breaks has failed
        print(f"not ok {number} - {name}", flush=True)
        say(str(error) if isinstance(error, Faults) else traceback.format_exc())
        return False
    finally:
        if time.monotonic() - start > 3:
            say(f"{time.monotonic() - start:.1f} s")
    return True


def end(process):
    """A process of a test has ended afterwards, also one that was stopped or hangs."""
    if process.poll() is None:
        process.terminate()
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def clean_up():
    """All of it, whatever becomes of one; whether all went well."""
    well = True
    for cleanup in reversed(cleanups):
        try:
            cleanup()
        except BaseException:  # pylint: disable=broad-exception-caught  # also the SystemExit of a SIGTERM meanwhile
            say("cleaning up: " + traceback.format_exc())
            well = False
    return well


def cleanly(function):
    """Runs it, and leaves nothing behind however it ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        result = function()
    finally:
        well = clean_up()
    if not well:
        sys.exit(1)
    return result


def run_all():
    chosen = [it for it in tests if it[0] in sys.argv[1:] or not sys.argv[1:]]
    print(f"1..{len(chosen)}", flush=True)
    return [run_one(number, name, function) for number, (_, name, function) in enumerate(chosen, 1)]


def keep_stdout():
    """Whoever reads the results reads to the end of the pipe: what a test starts must not hold it."""
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w")  # which no other program inherits
    os.dup2(2, 1)


def main():
    keep_stdout()
    sys.exit(not all(cleanly(run_all)))
