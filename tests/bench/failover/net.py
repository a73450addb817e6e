# SPDX-License-Identifier: Apache-2.0
"""net.py - network namespaces on one bridge, inside the caller's own network and process namespaces.

Each namespace lives as long as the process that holds it, so all are gone with the caller's process
namespace, however it ends. A host that is cut off stays in everybody's neighbour table: as behind a
router, packets to it vanish and nobody is told "no route to host".
"""
import subprocess

BRIDGE = "br0"
HERE = "10.77.255.1"  # the caller's own address


def ip(*args, at=()):
    subprocess.run([*at, "ip", *args], check=True)


def mac(address):
    return "02:77:" + ":".join("%02x" % int(part) for part in address.split("."))


class Net:
    def __init__(self):
        self.holders, self.routed = {}, []
        ip("link", "set", "lo", "up")
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("address", "add", HERE + "/16", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")

    def add(self, name, address, routed=False):
        """A namespace with `address`; `routed`: one that may be cut."""
        holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        holder.stdout.readline()
        self.holders[name], port = holder, "v%d" % len(self.holders)
        holder.port = port
        ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "address", mac(address),
           "netns", str(holder.pid))
        ip("link", "set", port, "master", BRIDGE, "up")
        inside = self.inside(name)
        ip("link", "set", "lo", "up", at=inside)
        ip("address", "add", address + "/16", "dev", "eth0", at=inside)
        ip("link", "set", "eth0", "up", at=inside)
        for other in self.routed:
            self.remember(inside, other)
        if routed:
            self.routed.append(address)
            for other in self.holders:
                if other != name:
                    self.remember(self.inside(other), address)
        return address

    @staticmethod
    def remember(inside, address):
        ip("neighbour", "replace", address, "lladdr", mac(address), "dev", "eth0", "nud", "permanent", at=inside)

    def inside(self, name):
        """What to put before a command."""
        return ["nsenter", "--target", str(self.holders[name].pid), "--net"]

    def cut(self, name):
        ip("link", "set", self.holders[name].port, "down")

    def mend(self, name):
        ip("link", "set", self.holders[name].port, "up")
