#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""W7 across forks: what a process has connected is severed for as long as a child of it has the connection, by whichever
permit covers it then. The real library and homing-sever; the agent is a fake one."""
import os
import sys
from pathlib import Path

TOP = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(TOP, "../support"), os.path.join(TOP, "../shim")]
from homing import HOSTS, own_namespaces, put_names  # noqa: E402
from tap import equal, eventually, main, test_each  # noqa: E402
from sever import Sever, need_root  # noqa: E402
from harness import LIBCS, Agent, Probe, hash_of  # noqa: E402
from peers import Peers  # noqa: E402

need_root()
own_namespaces("--net", "--mount")
put_names(HOSTS)
A, B, NAME = "127.77.1.1", "127.77.1.2", "db.test"
per_libc = test_each(LIBCS)


def writer(agent, port, address, other, generation):
    agent.do(f"members w={address}@{port} d={other}@{port}")
    agent.do(f"entry {NAME} sever steady writer 4 {address} - 60000 0 port={port} generation={generation}")


def offered(sever):
    """Those of processes that ended at once are refused, or not even looked at."""
    permits = sever.status()["permits"]
    return permits["taken"] + permits["refused"] + permits["left"]


def orphaned(libc, child=(), connections=1):
    """A process connects to the writer. A child of it does what it is told, and waits for the end of that connection. The
    process is killed, and the writer demoted: so many connections are severed, and that is the child's end."""
    sever = Sever().start()
    with Agent(os.path.join(sever.run, "agent.sock")) as agent, Peers(A, B) as peers:
        agent.do(f"sever {sever.call('version')['instance']}")
        writer(agent, peers.port, A, B, 1)
        with Probe(libc, agent) as probe:
            equal(probe.address(NAME), A)
            fd = probe.ask("dial", A, peers.port, "k").rpartition("=")[2]
            sever.wait_processes(1)
            first = [*child, "dial", A, peers.port, ""] if child else ["fds"]
            words = ["chain", 1, "after", len(first), *first, "hangup", fd, 20000]
            probe.process.stdin.write("\t".join(map(str, words)) + "\n")
            eventually(Path(f"/proc/{probe.process.pid}/task/{probe.process.pid}/children").read_text, "it forks")
            if child:
                eventually(lambda: offered(sever) > 1, "another permit comes")
            probe.process.kill()
            probe.process.wait()
            sever.wait_processes(1)
            writer(agent, peers.port, B, A, 2)
            done = sever.sever(hash_of(NAME), 2, [A, peers.port])
            equal([done["outdated"], done["severed"]], [connections] * 2)
            sever.wait_processes(0)
    sever.kill()


@per_libc
def a_child_that_has_handed_over_itself_has_the_tag(libc):
    orphaned(libc, ("times", 1), connections=2)


@per_libc
def a_child_that_connects_nothing_has_its_parents_permit(libc):
    orphaned(libc)


@per_libc
def a_child_for_which_only_a_vforked_child_connects_has_its_parents_permit(libc):
    orphaned(libc, ("vfork",))


def inherited(libc, *does, twin=False, connections=1):
    """A process connects to the writer, and ends; a child goes on with the connection, under another number with `twin`. All
    permits are lost with homing-sever, and the child does something. The writer is demoted: what it has is severed."""
    sever = Sever().start()
    with Agent(os.path.join(sever.run, "agent.sock")) as agent, Peers(A, B) as peers:
        agent.do(f"sever {sever.call('version')['instance']}")
        writer(agent, peers.port, A, B, 1)
        with Probe(libc, agent) as probe:
            equal(probe.address(NAME), A)
            fd = probe.ask("dial", A, peers.port, "k").rpartition("=")[2]
            sever.wait_processes(1)
            assert int(probe.ask("daemon")) > 0
            if twin:
                equal([probe.ask("dup", fd, 60), probe.ask("close", fd), probe.ask("open")], ["60", "0", fd])
            sever.kill_at_once()
            sever.start()
            agent.do(f"sever {sever.call('version')['instance']}")
            probe.ask(*(peers.port if word == "PORT" else word for word in does))
            sever.wait_processes(1)
            writer(agent, peers.port, B, A, 2)
            done = sever.sever(hash_of(NAME), 2, [A, peers.port])
            equal([done["outdated"], done["severed"]], [connections] * 2)
    sever.kill()


LOOK = "gai0", "localhost", "-"
CONNECT = "dial", A, "PORT", "k"


@per_libc
def a_child_of_a_process_that_has_ended_tells_a_new_homing_sever_at_its_next_lookup(libc):
    inherited(libc, *LOOK)


@per_libc
def a_child_of_a_process_that_has_ended_tells_a_new_homing_sever_at_its_next_connect(libc):
    inherited(libc, *CONNECT, connections=2)


@per_libc
def so_it_does_of_a_duplicate(libc):
    inherited(libc, *LOOK, twin=True)
    inherited(libc, *CONNECT, twin=True, connections=2)


@per_libc
def a_duplicate_is_out_of_reach_once_the_child_of_a_process_that_has_ended_connects_with_its_first_number(libc):
    """A number has one tag. The parent's permit, which had the other one, ends when the child has handed over."""
    sever = Sever().start()
    with Agent(os.path.join(sever.run, "agent.sock")) as agent, Peers(A, B) as peers:
        agent.do(f"sever {sever.call('version')['instance']}")
        writer(agent, peers.port, A, B, 1)
        with Probe(libc, agent) as probe:
            equal(probe.address(NAME), A)
            fd = probe.ask("dial", A, peers.port, "k").rpartition("=")[2]
            sever.wait_processes(1)
            assert int(probe.ask("daemon")) > 0
            equal([probe.ask("dup", fd, 60), probe.ask("close", fd)], ["60", "0"])
            equal(probe.ask("dial", A, peers.port, "k").rpartition("=")[2], fd)
            eventually(lambda: sever.status()["permits"]["taken"] == 2, "the child's permit comes")
            sever.wait_processes(1)
            writer(agent, peers.port, B, A, 2)
            done = sever.sever(hash_of(NAME), 2, [A, peers.port])
            equal([done["outdated"], done["severed"], done["untagged"]], [1, 1, 1])
    sever.kill()


main()
