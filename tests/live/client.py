#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""client.py NAME: what homingd says of a name. Written from proto/PROTOCOL.md, with Python alone."""
import os, pprint, socket, sys

CONSTANTS = {0xc0: None, 0xc2: False, 0xc3: True}
SIZED = {0xd9: (str, 1), 0xda: (str, 2), 0xdb: (str, 4), 0xdc: (list, 2), 0xdd: (list, 4),
         0xde: (dict, 2), 0xdf: (dict, 4)}

def pack(text):
    return b"\xda" + len(text.encode()).to_bytes(2, "big") + text.encode()

def unpack(f):
    lead = f.read(1)[0]
    if lead < 0x80 or lead >= 0xe0:
        return lead if lead < 0x80 else lead - 256
    if lead in CONSTANTS:
        return CONSTANTS[lead]
    if 0xcc <= lead <= 0xd3:
        return int.from_bytes(f.read(1 << (lead & 3)), "big", signed=lead >= 0xd0)
    if lead < 0xc0:
        kind, n = (dict, list, str, str)[(lead >> 4) - 8], lead & (0x0f if lead < 0xa0 else 0x1f)
    else:
        kind, n = SIZED[lead][0], int.from_bytes(f.read(SIZED[lead][1]), "big")
    if kind is str:
        return f.read(n).decode()
    return [unpack(f) for _ in range(n)] if kind is list else {unpack(f): unpack(f) for _ in range(n)}

def call(path, method, *texts):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(1)
        s.connect(path)
        s.sendall(b"\x94\x00\x07" + pack(method) + bytes([0x90 + len(texts)]) + b"".join(map(pack, texts)))
        return unpack(s.makefile("rb"))[2:]

if __name__ == "__main__":
    error, answer = call(os.environ.get("HOMING_SOCKET", "/run/homing/agent.sock"), "resolve", sys.argv[1])
    pprint.pprint(error or answer)
    sys.exit(1 if error else 0)
