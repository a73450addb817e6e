#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""client.py NAME: what homingd says of a name. Written from proto/PROTOCOL.md alone, with nothing but Python."""
import os, pprint, socket, sys

def pack_str(text):
    return b"\xda" + len(text.encode()).to_bytes(2, "big") + text.encode()

def unpack(f):
    lead = f.read(1)[0]
    number = lambda size, signed=False: int.from_bytes(f.read(size), "big", signed=signed)
    if lead < 0x80 or lead >= 0xe0 or lead in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}.get(lead, lead if lead < 0x80 else lead - 256)
    if 0xcc <= lead <= 0xd3:
        return number(1 << (lead & 3), lead >= 0xd0)
    kind, count = {0x80: ("map", lead & 15), 0x90: ("array", lead & 15), 0xa0: ("str", lead & 31), 0xb0: ("str", lead & 31)}.get(
        lead & 0xf0) or {0xd9: ("str", 1), 0xda: ("str", 2), 0xdb: ("str", 4), 0xdc: ("array", 2), 0xdd: ("array", 4), 0xde: ("map", 2), 0xdf: ("map", 4)}[lead]
    count = number(count) if lead >= 0xd9 else count
    return (f.read(count).decode() if kind == "str" else [unpack(f) for _ in range(count)] if kind == "array"
            else {unpack(f): unpack(f) for _ in range(count)})

def call(path, method, *texts):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(1)
        s.connect(path)
        s.sendall(b"\x94\x00\x07" + pack_str(method) + bytes([0x90 + len(texts)]) + b"".join(map(pack_str, texts)))
        return unpack(s.makefile("rb"))[2:]

if __name__ == "__main__":
    error, answer = call(os.environ.get("HOMING_SOCKET", "/run/homing/agent.sock"), "resolve", sys.argv[1])
    print(error["code"], error["message"], sep=": ") if error else pprint.pprint(answer)
    sys.exit(1 if error else 0)
