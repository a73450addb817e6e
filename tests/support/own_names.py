# SPDX-License-Identifier: Apache-2.0
"""Names that lead where a test says, whatever the machine's own hosts, resolv.conf and nsswitch.conf are.

    own_names()                    # the script starts again where only `localhost` is a name, and nobody is asked

Or in two steps, by a script that is root and learns only on the way what the names are:

    own_namespaces("--mount")
    put_names(hosts="127.0.0.1 localhost\n10.1.2.3 db\n")

An ordinary user does the same in a user namespace. Where that cannot be, the test is skipped, with CI set it fails.
"""
import os
import random
import subprocess
import sys
import tempfile

from tap import give_up

HOSTS = "127.0.0.1 localhost\n"
RESOLV = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
NSSWITCH = "hosts: files\nservices: files\nprotocols: files\n"
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "own_names.sh")
NETWORK = "HOMING_TEST_NETWORK"
STAGE = "HOMING_TEST_NAMESPACES"  # of a script that starts again: nothing, then the ids it has to go back to, then DONE
DONE = "done"


def start_again(stage, *command):
    os.environ[STAGE] = stage
    sys.stdout.flush()
    os.execvp(command[0], [*command, sys.executable, "-B", *sys.argv])


def own_namespaces(*kinds):
    """Goes on in namespaces of our own, of these options of unshare. An ordinary user is root of them."""
    if STAGE not in os.environ:
        unshare = ["unshare", *kinds, *([] if os.geteuid() == 0 else ["--map-root-user"])]
        tried = subprocess.run([*unshare, "mount", "--bind", "/tmp", "/tmp"], capture_output=True, text=True, check=False)
        if tried.returncode:
            give_up("no namespaces of our own can be made here: " + " ".join(tried.stderr.split()))
        start_again("%d:%d" % (os.geteuid(), os.getegid()), *unshare)
    if "--net" in kinds:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def put_names(hosts=HOSTS, resolv=RESOLV, nsswitch=NSSWITCH):
    """Inside: these are the files from now on. No copy is kept: what is mounted stays without a name."""
    with tempfile.TemporaryDirectory(prefix="homing-names-") as folder:
        os.chmod(folder, 0o755)
        for name, text in (("hosts", hosts), ("resolv.conf", resolv), ("nsswitch.conf", nsswitch)):
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(text)
            os.chmod(file.name, 0o644)
        done = subprocess.run(["sh", SCRIPT, folder], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        give_up(" ".join(done.stderr.split()))


def be_oneself():
    """Inside: the ordinary user who started the script again, without rights over the mounts."""
    uid, gid = os.environ[STAGE].split(":")
    if uid != "0":
        start_again(DONE, "unshare", "--map-user=" + uid, "--map-group=" + gid)
    os.environ[STAGE] = DONE


def own_network():
    """The first three numbers of addresses that are this test's alone, so that two runs do not meet. It is the same when
    the script has started again: files that were made before may name it."""
    return os.environ.setdefault(NETWORK, f"127.{random.randrange(16, 250)}.{random.randrange(250)}")


def own_names(hosts=HOSTS):
    """Goes on where `localhost` is 127.0.0.1, no name but those of `hosts` is known, and nobody is asked for one."""
    if os.environ.get(STAGE) != DONE:
        own_namespaces("--mount")
        put_names(hosts)
        be_oneself()
