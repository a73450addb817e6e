#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What applications do to themselves: close everything, fork, change identity, replace malloc. The shim must
neither be harmed by it nor harm (I3), and HOMING_DISABLE turns it off."""
import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from harness import (AI_CANONNAME, BUILD, DNS, LIBRARY, NONE, Agent, Probe, compiled, environment, eventually, main, make_setuid, per_libc,
                     to_be_setuid)
from tap import Skip, equal, test

JEMALLOC = Path(f"/usr/lib/{platform.machine()}-linux-gnu/libjemalloc.so.2")
ATTACH_S = 0.020  # HOMING_ATTACH_DEADLINE_MS


def probe_path(flavour):
    return str(BUILD / f"tests/shim/probe-{flavour}")


def closed(libc, agent):
    """A probe whose 0, 1 and 2 are closed."""
    return Probe(libc, agent, argv=["bash", "-c", 'exec "$0" 98<&0 99>&1 <&- >&- 2>&-', probe_path(libc)])


@per_libc
def descriptors_0_1_and_2_stay_closed_if_they_were(libc):
    with Agent() as agent, closed(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        equal(probe.ask("fds"), "98 99")
        equal(probe.address("db"), "10.1.2.3")
        equal(agent.standard(), 0)
        equal(probe.ask("fds"), "98 99")
        equal(probe.ask("open"), "0")
    with Agent() as agent, closed(libc, agent) as probe:
        for manner in ("silent", "garbage", "half", "no-fd", "unsealed"):
            agent.do(f"manner {manner}")
            probe.gai(DNS)
            equal((manner, probe.ask("fds")), (manner, "98 99"))


@per_libc
def a_process_that_closes_everything_loses_nothing(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        equal(probe.address("db"), "10.1.2.3")
        equal(probe.ask("closefrom", 3), "0")
        equal(probe.address("db"), "10.1.2.3")
        equal(probe.ask("open"), "3")
        agent.do("retire")
        agent.do("view")
        agent.entry("db", "10.1.2.4")
        eventually(lambda: probe.address("db") == "10.1.2.4", "the next view")
        equal(probe.ask("fds"), "0 1 2 3")


@per_libc
def forked_children_follow_too(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        wanted = probe.gai("db")
        equal(probe.gai("db", how=("fork",)), wanted)
        equal(probe.gai("db", how=("fork", "fork", "fork")), wanted)
        equal(probe.gai("db", how=("times", 300, "fork")), wanted + " changes=1")
        equal(probe.gai("db", how=("threads", 16, "times", 5, "fork")), wanted + " changes=1")


@per_libc
def a_child_forked_before_the_first_lookup_attaches_for_itself(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry(NONE, "10.1.2.3")
        equal(agent.attached(), 0)
        for wanted in (1, 2):
            assert " 10.1.2.3 " in probe.gai(NONE, how=("fork",))
            equal(agent.attached(), wanted)


@per_libc
def forks_in_the_middle_of_first_lookups_attach_too(libc):
    right = 0
    for _ in range(60):
        with Agent() as agent, Probe(libc, agent) as probe:
            agent.entry(NONE, "10.1.2.3")
            begun = time.monotonic()
            said = probe.gai(NONE, how=("threads", 16, "fork", "threads", 2))
            took = time.monotonic() - begun
        good = "DIFFERS" not in said and " 10.1.2.3 " in said
        # Who goes on without a view has waited for it (V3): in a round that is shorter than that, everybody has one.
        assert good or took > ATTACH_S, (said, took)
        right += good
        if right == 5:
            return
    raise AssertionError(said)


@per_libc
def a_vforked_child_does_its_parent_no_harm(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        wanted = probe.gai("db", how=("vfork",))
        assert " 10.1.2.3 " in wanted, wanted
        equal(probe.gai("db"), wanted)
        equal(probe.ask("fds"), "0 1 2")


@per_libc
def a_process_can_still_enter_a_user_namespace(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        agent.entry("db", "10.1.2.3")
        equal(probe.address("db"), "10.1.2.3")
        equal(probe.ask("unshare"), plain.ask("unshare"))
        equal(probe.address("db"), "10.1.2.3")


@per_libc
def homing_disable_turns_everything_off(libc):
    with Agent() as agent, Probe(libc, preload=None) as plain:
        agent.entry(DNS, "10.1.2.3")
        values = [(value, True) for value in ("1", "true", "TRUE", "yes", "on", "2", "false positive", "00", " 0", "n")]
        for value, off in (*values, *((value, False) for value in ("0", "false", "False", "no", "NO", "off", "Off", ""))):
            with Probe(libc, agent, env={"HOMING_DISABLE": value}) as probe:
                equal((value, probe.address(DNS)), (value, plain.address(DNS) if off else "10.1.2.3"))
                equal(probe.ask("maps"), "views=0" if off else "views=1")


@per_libc
def the_environment_of_the_start_counts(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        equal(probe.address("db"), "10.1.2.3")
        probe.ask("setenv", "HOMING_SOCKET", "/nonexistent")
        probe.ask("setenv", "HOMING_DISABLE", "1")
        agent.do("retire")
        agent.do("view")
        agent.entry("db", "10.1.2.4")
        eventually(lambda: probe.address("db") == "10.1.2.4", "the next view")


@per_libc
def a_socket_path_that_cannot_be_is_no_agent(libc):
    with Probe(libc, preload=None) as plain:
        for path in ("/" + "x" * 200, "/", "/dev/null", "relative"):
            with Probe(libc, path) as probe:
                equal((path, probe.gai(DNS)), (path, plain.gai(DNS)))
                equal(probe.ask("fds"), "0 1 2")


@per_libc
def nothing_is_printed(libc):
    with Agent() as agent:
        agent.entry("db", "10.1.2.3")
        for socket in (agent, "/nonexistent"):
            done = subprocess.run([probe_path(libc)], env=environment(socket), input="gai0\tdb\t80\n" * 3,
                                  capture_output=True, text=True, check=True)
            equal((done.stderr, done.stdout.count("\n")), ("", 3))


@per_libc
def lookups_need_no_descriptor(libc):
    with Agent() as agent, Probe(libc, agent) as probe:
        agent.entry("db", "10.1.2.3")
        equal(probe.address("db"), "10.1.2.3")
        resource.prlimit(probe.process.pid, resource.RLIMIT_NOFILE, (3, 3))
        equal(probe.address("db"), "10.1.2.3")
        agent.do("beat 5000")  # late: a new view is asked for, and cannot be had
        assert " 10.1.2.3 " in probe.gai("db", how=("times", 1000))
        equal(probe.ask("fds"), "0 1 2")


@per_libc
def a_process_without_descriptors_does_without_an_agent(libc):
    with Agent() as agent, Probe(libc, agent) as probe, Probe(libc, preload=None) as plain:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for process in (probe, plain):
            equal(process.ask("fds"), "0 1 2")  # it has started
            resource.prlimit(process.process.pid, resource.RLIMIT_NOFILE, (3, hard[1]))
        agent.entry(DNS, "10.1.2.3")
        equal(probe.gai(DNS), plain.gai(DNS))
        resource.prlimit(probe.process.pid, resource.RLIMIT_NOFILE, hard)
        eventually(lambda: probe.address(DNS) == "10.1.2.3", "attached when there are some again")


@test
def another_malloc_changes_nothing():
    if not JEMALLOC.exists():
        raise Skip("no libjemalloc2")
    with Agent() as agent:
        agent.entry("db", "10.1.2.3")
        for preload in (f"{JEMALLOC}:{LIBRARY}", f"{LIBRARY}:{JEMALLOC}"):
            with Probe("glibc", agent, preload=preload) as probe:
                for words in (("times", 5000), ("threads", 8, "times", 500)):
                    said = probe.gai("db", flags=AI_CANONNAME, how=words)
                    assert said.endswith(" db] changes=1"), said
                equal(probe.close(), 0)


@test
def valgrind_finds_nothing():
    if not shutil.which("valgrind"):
        raise Skip("no valgrind")
    with Agent() as agent:
        agent.entry("db", "10.1.2.3")
        agent.entry(DNS, "10.1.2.3", state="stale")
        agent.do("members w=10.1.2.3 d=127.0.0.1 d=::1")
        with Probe("glibc", agent, argv=["valgrind", "-q", "--error-exitcode=9", "--leak-check=full",
                                         "--errors-for-leak-kinds=definite", probe_path("glibc")]) as probe:
            for name in ("db", "DB.", DNS):
                assert " 10.1.2.3 " in probe.gai(name, flags=AI_CANONNAME, how=("times", 20))
                for words in (("h", name), ("hr", name, 500), ("hr", name, 30), ("h2", name, 2)):
                    probe.ask(*words)
            equal(probe.close(), 0)


@test
def a_library_opened_with_deepbind_is_not_reached_and_not_harmed():
    source = Path(os.environ["HOMING_SRCDIR"]) / "tests/shim/deepbind.c"
    code = ("import ctypes, os, socket, sys\n"
            "lib = ctypes.CDLL(sys.argv[1], mode=os.RTLD_DEEPBIND | os.RTLD_NOW)\n"
            "print(lib.deepbind_lookup(sys.argv[2].encode()) >> 24, socket.gethostbyname(sys.argv[2]))\n")
    with Agent() as agent, tempfile.TemporaryDirectory() as folder:
        agent.entry(DNS, "10.1.2.3")
        library = compiled(folder, "deepbind.so", "-shared", "-fPIC", str(source))
        said = subprocess.run(["/usr/bin/python3", "-c", code, library, DNS], env=environment(agent),
                              capture_output=True, text=True, check=True).stdout
        equal(said, "127 10.1.2.3\n")


@test
def its_client_library_preloaded_beside_the_shim_is_reached():
    here = Path(os.environ["HOMING_SRCDIR"]) / "tests/shim"
    code = ("import ctypes, os, sys\n"
            "lib = ctypes.CDLL(sys.argv[1], mode=os.RTLD_DEEPBIND | os.RTLD_NOW)\n"
            "print(lib.extension_lookup(sys.argv[2].encode()) >> 24)\n")
    with Agent() as agent, tempfile.TemporaryDirectory() as folder:
        agent.entry(DNS, "10.1.2.3")
        client = compiled(folder, "libclient.so", "-shared", "-fPIC", "-Wl,-soname,libclient.so", str(here / "deepbind.c"))
        extension = compiled(folder, "extension.so", "-shared", "-fPIC", str(here / "extension.c"), client,
                             f"-Wl,-rpath,{folder}")
        for libraries, reached in ((LIBRARY, "127\n"), (f"{LIBRARY}:{client}", "10\n")):
            said = subprocess.run(["/usr/bin/python3", "-c", code, extension, DNS],
                                  env=environment(agent) | {"LD_PRELOAD": libraries}, capture_output=True, text=True,
                                  check=True).stdout
            equal((libraries, said), (libraries, reached))


@per_libc
def a_preload_that_refuses_system_calls_and_gives_another_time_stands_in_nobodys_way(libc):
    """In whatever order both are preloaded. A view that seems to be stale, or none, would leave the name to libc."""
    source = Path(os.environ["HOMING_SRCDIR"]) / "tests/shim/meddler.c"
    with Agent() as agent, tempfile.TemporaryDirectory() as folder:
        meddler = compiled(folder, "meddler.so", "-shared", "-fPIC", "-nostdlib", str(source))
        agent.entry(DNS, "10.1.2.3")
        for preload in (f"{LIBRARY}:{meddler}", f"{meddler}:{LIBRARY}"):
            with Probe(libc, agent, preload=preload) as probe:
                eventually(lambda probe=probe: probe.address(DNS) == "10.1.2.3", "the agent is asked")


@per_libc
def errno_is_kept_where_the_kernel_has_no_clock_to_be_called(libc):
    source = Path(os.environ["HOMING_SRCDIR"]) / "tests/shim/no_image.c"
    with Agent() as agent, tempfile.TemporaryDirectory() as folder:
        no_image = compiled(folder, "no_image.so", "-shared", "-fPIC", "-nostdlib", str(source))
        agent.entry("db", "10.1.2.3")
        with Probe(libc, agent, preload=f"{no_image}:{LIBRARY}") as probe:
            assert probe.gai("db").startswith("rc=0 errno=77 "), "the first lookup, which looks for the clock"


@test
def a_setuid_program_ignores_the_environment():
    if os.geteuid() != 0:
        raise Skip("needs root, to make a program of another user")
    with Agent() as agent, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        os.chmod(os.path.dirname(agent.path), 0o755)
        os.chmod(agent.path, 0o777)
        agent.entry(DNS, "10.1.2.3")
        program = to_be_setuid(folder)
        with Probe("glibc", agent, preload=None, argv=[program]) as probe:
            equal(probe.address(DNS), "10.1.2.3")
        make_setuid(program)
        with Probe("glibc", agent, preload=None, argv=[program]) as probe, \
                Probe("glibc", preload=None) as plain:
            equal(probe.gai(DNS), plain.gai(DNS))
            equal(probe.ask("maps"), "views=0")


def as_nobody(*options):
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *options]


@test
def a_program_with_file_capabilities_is_not_reached_and_one_with_ambient_ones_is():
    if os.geteuid() != 0 or not shutil.which("setcap"):
        raise Skip("needs root, and setcap")
    with Agent() as agent, tempfile.TemporaryDirectory() as folder, Probe("glibc", preload=None) as plain:
        for path, mode in ((folder, 0o755), (os.path.dirname(agent.path), 0o755), (agent.path, 0o777)):
            os.chmod(path, mode)
        agent.entry(DNS, "10.1.2.3")
        library, program = (shutil.copy(path, folder) for path in (LIBRARY, probe_path("glibc")))
        for path in (library, program):
            os.chmod(path, 0o755)
        ambient = as_nobody("--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service", program)
        with Probe("glibc", agent, preload=library, argv=ambient) as probe:
            equal(probe.address(DNS), "10.1.2.3")
            status = Path(f"/proc/{probe.process.pid}/status").read_text()
            assert "\nCapEff:\t0000000000000400\n" in status, status
        if subprocess.run(["setcap", "cap_net_bind_service+ep", program], check=False).returncode:
            raise Skip("files have no capabilities here")
        with Probe("glibc", agent, preload=library, argv=as_nobody(program)) as probe:
            equal(probe.address(DNS), plain.address(DNS))
            equal(probe.ask("maps"), "views=0")


@test
def a_program_that_refuses_a_preload_is_reached_in_the_ways_that_the_manual_names():
    """That is what gcc's AddressSanitizer does."""
    if not shutil.which("gcc"):
        raise Skip("no gcc")
    sources = [str(Path(os.environ["HOMING_SRCDIR"]) / f"tests/shim/{part}.c") for part in ("probe", "beget", "byways", "dial", "midway")]
    with Agent() as agent, tempfile.TemporaryDirectory() as folder:
        agent.entry("db", "10.1.2.3")
        program = f"{folder}/probe"
        subprocess.run(["gcc", "-O1", "-g", "-fsanitize=address", "-pthread", "-I", os.environ["HOMING_SRCDIR"],
                        "-o", program, *sources], check=True)
        first = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True,
                               check=True).stdout.strip()
        for preload, options in ((LIBRARY, "verify_asan_link_order=0"), (f"{os.path.realpath(first)}:{LIBRARY}", "")):
            with Probe("glibc", agent, preload=preload, argv=[program], env={"ASAN_OPTIONS": options}) as probe:
                equal((preload, probe.address("db")), (preload, "10.1.2.3"))
                equal(probe.close(), 0)


main()
