#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for one server of an Aurora MySQL cluster: Aurora cannot be had outside of AWS. It speaks MySQL's protocol as
8.0 does, answers what drivers and homing ask, and says of its cluster what a file says. Nothing is stored: a write is taken
or refused. How Aurora really behaves is known from AWS's manuals and drivers alone, and no test with this shows it; AWS's
own wrapper for Node.js takes it for one (tests/live/oracle.py).

usage: aurora_mysql.py ID ADDRESS PORT FILE     prints "ready" once it listens; the accounts, as USER:PASSWORD with commas
between them, are in the environment as STANDIN_ACCOUNTS

FILE is read again for each question, so that a new one, renamed over it, is a failover; if FILE.ID is there, that is what
this server says instead. `#` starts a comment. Its lines:

    row ID SESSION AGE [REGION LSN]   a row of replica_host_status and of aurora_global_db_instance_status. SESSION of the
                                      writer is MASTER_SESSION_ID. AGE is in seconds; NULL: the row has no time
    open ID                           this server takes writes: innodb_read_only is 0
    blocked ID                        it takes none, although innodb_read_only is 0
    topology [ENDPOINT PORT ROLE STATUS VERSION]
                                      a row of mysql.rds_topology, which is there once there is such a line; alone it is
                                      an empty table
    deny ID USER                      it refuses this account
    plain ID                          it is no Aurora: an ordinary MySQL
"""
import hashlib
import os
import re
import secrets
import socketserver
import struct
import sys
import threading
import time

ER_DENIED, ER_UNKNOWN_TABLE, ER_NO_TABLE, ER_UNKNOWN_VARIABLE, ER_SYNTAX = 1045, 1109, 1146, 1193, 1064
ER_READ_ONLY, ER_READ_ONLY_MODE, ER_UNSUPPORTED = 1290, 1836, 1295
# LONG_PASSWORD, FOUND_ROWS, LONG_FLAG, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH
CAPABILITIES = 0x1 | 0x2 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
NATIVE = b"mysql_native_password"
STRING, NUMBER, FRACTION = 253, 8, 5
OF_TYPE = {int: NUMBER, float: FRACTION}
FIXED = {
    "version": "8.0.39", "version_comment": "Source distribution", "autocommit": 1, "auto_increment_increment": 1,
    "character_set_client": "utf8mb4", "character_set_connection": "utf8mb4", "character_set_results": "utf8mb4",
    "character_set_server": "utf8mb4", "collation_server": "utf8mb4_0900_ai_ci", "collation_connection": "utf8mb4_0900_ai_ci",
    "init_connect": "", "interactive_timeout": 28800, "license": "GPL", "lower_case_table_names": 0,
    "max_allowed_packet": 67108864, "net_write_timeout": 60, "performance_schema": 0, "sql_mode": "", "system_time_zone": "UTC",
    "time_zone": "UTC", "transaction_isolation": "REPEATABLE-READ", "transaction_read_only": 0, "wait_timeout": 28800,
}


class Refused(Exception):
    """An error in place of an answer: code, text."""


# --- What the file says -------------------------------------------------------------------------------

class Cluster:
    def __init__(self, path, server):
        own = f"{path}.{server}"
        with open(own if os.path.exists(own) else path, encoding="ascii") as file:
            lines = [line.split("#")[0].split() for line in file]
        self.rows = [line[1:] for line in lines if line[:1] == ["row"]]
        self.deployment = [line[1:] for line in lines if line[:1] == ["topology"]]
        self.blocked = ["blocked", server] in lines
        self.open = ["open", server] in lines
        self.plain = ["plain", server] in lines
        self.denied = {line[2] for line in lines if line[:2] == ["deny", server]}


# --- The wire -----------------------------------------------------------------------------------------

def length_coded(data):
    if isinstance(data, int):
        return bytes([data]) if data < 251 else b"\xfc" + struct.pack("<H", data) if data < 65536 else b"\xfe" + struct.pack("<Q", data)
    return length_coded(len(data)) + data


def native(password, scramble):
    """What a client sends that knows the password."""
    if not password:
        return b""
    once = hashlib.sha1(password.encode()).digest()
    mix = hashlib.sha1(scramble + hashlib.sha1(once).digest()).digest()
    return bytes(a ^ b for a, b in zip(once, mix))


class Wire:
    def __init__(self, stream):
        self.stream, self.number = stream, 0

    def exactly(self, count):
        data = self.stream.read(count)
        if len(data) < count:
            raise ConnectionError
        return data

    def read(self):
        head = self.exactly(4)
        self.number = head[3] + 1
        return self.exactly(int.from_bytes(head[:3], "little"))

    def write(self, *packets):
        for data in packets:
            self.stream.write(len(data).to_bytes(3, "little") + bytes([self.number & 255]) + data)
            self.number += 1
        self.stream.flush()

    def ok(self):
        self.write(b"\0\0\0\2\0\0\0")

    def error(self, code, text, state="HY000"):
        self.write(b"\xff" + struct.pack("<H", code) + b"#" + state.encode() + text.encode())

    def table(self, names, rows):
        end = b"\xfe\0\0\2\0"
        packets = [length_coded(len(names))]
        for at, name in enumerate(names):
            kinds = {type(row[at]) for row in rows}
            kind = OF_TYPE.get(kinds.pop(), STRING) if len(kinds) == 1 else STRING
            packets.append(b"".join(map(length_coded, (b"def", b"", b"", b"", name.encode(), name.encode()))) + b"\x0c" +
                           struct.pack("<HIBHBH", 45 if kind == STRING else 63, 1024, kind, 0, 31 * (kind == FRACTION), 0))
        packets.append(end)
        for row in rows:
            packets.append(b"".join(b"\xfb" if value is None else length_coded(str(value).encode()) for value in row))
        self.write(*packets, end)


# --- What is asked ------------------------------------------------------------------------------------

def items(text):
    """The items of a list, apart where no bracket is open."""
    depth, at, out = 0, 0, []
    for i, c in enumerate(text):
        depth += (c in "(") - (c in ")")
        if c == "," and depth == 0:
            out.append(text[at:i].strip())
            at = i + 1
    return [*out, text[at:].strip()]


def named(columns):
    """(what each asks for, its name)"""
    of = [re.fullmatch(r"(.*?)(?:\s+as\s+[`']?(\w+)[`']?)?", column, re.I | re.S) for column in columns]
    return [it[1] for it in of], [it[2] or it[1] for it in of]


class Server:
    def __init__(self, name, address, port, path):
        self.name, self.address, self.port, self.path = name, address, port, path
        self.started = int(time.time())
        self.accounts = dict(pair.split(":", 1) for pair in os.environ.get("STANDIN_ACCOUNTS", "").split(",") if pair)

    def cluster(self):
        return Cluster(self.path, self.name)

    def variable(self, name):
        """None: it has no such variable."""
        cluster = self.cluster()
        closed = int(not cluster.open)
        own = {"hostname": "ip-" + self.address.replace(".", "-"), "bind_address": self.address, "port": self.port,
               "innodb_read_only": closed, "read_only": closed, "server_id": 1, "report_host": "",
               "server_uuid": "00000000-0000-0000-0000-" + hashlib.sha1(self.name.encode()).hexdigest()[:12]}
        if not cluster.plain:
            own.update({"aurora_server_id": self.name, "aurora_version": "3.08.0"})
        return own.get(name, FIXED.get(name))

    def value(self, item, user):
        """Of an item behind SELECT."""
        known = {"database()": None, "schema()": None, "connection_id()": threading.get_ident() & 0x7FFFFFFF, "now()": self.now(0),
                 "version()": FIXED["version"], "current_user()": user + "@%", "user()": user + "@%", "null": None}
        low = item.lower()
        variable = re.fullmatch(r"@@(?:global\.|session\.)?(\w+)", low)
        joined = re.fullmatch(r"concat\((.*)\)", item, re.I)
        of_table = re.search(r"variable_value from [\w.]+ where variable_name = '(\w+)'", low)
        if variable:
            found = self.variable(variable[1])
            if found is None:
                raise Refused(ER_UNKNOWN_VARIABLE, f"Unknown system variable '{variable[1]}'")
            return found
        if of_table:
            return self.started if of_table[1] == "uptime" else self.variable(of_table[1])
        if joined:
            return "".join(str(self.value(one, user)) for one in items(joined[1]))
        if re.fullmatch(r"\d+", item):
            return int(item)
        if re.fullmatch(r"'[^']*'|\"[^\"]*\"", item):
            return item[1:-1]
        if low not in known:
            raise Refused(ER_SYNTAX, "the stand-in does not know " + item)
        return known[low]

    @staticmethod
    def now(age):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - age))

    def row(self, columns, row):
        """Of one of the two tables of the cluster, as the question has its columns."""
        server, session, age, region, lsn = [*row, *["eu-west-1", "1000"][len(row) - 3:]]
        seconds = None if age == "NULL" else float(age)
        of_column = {"server_id": server, "session_id": session, "aws_region": region, "durable_lsn": int(lsn), "cpu": 1.5,
                     "replica_lag_in_milliseconds": 0.0 if session == "MASTER_SESSION_ID" else 12.5, "visibility_lag_in_msec": 12,
                     "last_update_timestamp": None if seconds is None else self.now(seconds)}
        out = []
        for column in columns:
            low = column.lower()
            if low.startswith("timestampdiff(microsecond"):
                out.append(None if seconds is None else int(seconds * 1000000))
            elif low in ("null", "0"):
                out.append(None if low == "null" else 0)
            elif low.startswith("case when"):
                out.append(int(session == "MASTER_SESSION_ID"))
            else:
                out.append(of_column[low])
        return out

    def rows(self, columns, table, where):
        cluster = self.cluster()
        if cluster.plain:
            raise Refused(ER_UNKNOWN_TABLE, f"Unknown table '{table.upper()}' in information_schema")
        rows = cluster.rows
        if "server_id = @@aurora_server_id" in where:
            rows = [row for row in rows if row[:2] == [self.name, "MASTER_SESSION_ID"]]
        if "<= 300 or session_id = 'master_session_id'" in where:
            rows = [row for row in rows if row[1] == "MASTER_SESSION_ID" or row[2] != "NULL" and float(row[2]) <= 300]
        asked, names = named(columns)
        return names, [self.row(asked, row) for row in rows]

    def deployment(self, columns):
        told = self.cluster().deployment
        if not told:
            raise Refused(ER_NO_TABLE, "Table 'mysql.rds_topology' doesn't exist")
        own = ("endpoint", "port", "role", "status", "version")
        names = ["id", *own] if columns == ["*"] else columns
        rows = [dict(zip(own, row), id=str(at)) for at, row in enumerate(told) if row]
        return names, [[row[name] for name in names] for row in rows]

    def select(self, text, user):
        deployment = re.fullmatch(r"select (.*) from mysql\.rds_topology", text, re.I)
        if deployment:
            return self.deployment(items(deployment[1].lower()))
        table = re.search(r"\sfrom\s+information_schema\.(replica_host_status|aurora_global_db_instance_status)\b(.*)$", text,
                          re.I | re.S)
        if table:
            return self.rows(items(text[:table.start()][6:].strip()), table[1].lower(), table[2].lower())
        if re.search(r"\sfrom\s+information_schema\.tables\s", text, re.I):
            return ["tmp"], []
        other = re.search(r"^[^(]*\sfrom\s+([\w.`]+)", text, re.I)
        if other:
            raise Refused(ER_NO_TABLE, f"Table '{other[1]}' doesn't exist")
        columns = items(re.sub(r"\s+limit\s+\d+$", "", text[6:].strip(), flags=re.I))
        asked, names = named(columns)
        return names, [[self.value(column, user) for column in asked]]

    def answer(self, text, user):
        """(names, rows), or None: it is done."""
        text = " ".join(re.sub(r"/\*.*?\*/", " ", text, flags=re.S).split()).rstrip(";")
        verb = text.split(" ")[0].lower() if text else ""
        cluster = self.cluster()
        closed = not cluster.open or cluster.blocked
        if verb in ("insert", "update", "delete", "replace") and closed:
            raise Refused(ER_READ_ONLY, "The MySQL server is running with the --read-only option so it cannot execute this statement")
        if verb in ("create", "drop", "alter", "truncate") and closed:
            raise Refused(ER_READ_ONLY_MODE, "Running in read-only mode")
        if verb == "show":
            name = re.search(r"like '(\w+)'", text, re.I)
            found = self.variable(name[1]) if name else None
            return ["Variable_name", "Value"], ([] if found is None else [[name[1], str(found)]])
        return self.select(text, user) if verb == "select" else None


# --- One connection -----------------------------------------------------------------------------------

class Connection(socketserver.StreamRequestHandler):
    wbufsize = -1

    def log_in(self, wire, of):
        """The account's name; None: it is refused."""
        scramble = bytes(secrets.choice(range(33, 127)) for _ in range(20))
        wire.write(b"\x0a" + FIXED["version"].encode() + b"\0" + struct.pack("<I", threading.get_ident() & 0xFFFFFFF) + scramble[:8] +
                   b"\0" + struct.pack("<HBHH", CAPABILITIES & 0xFFFF, 45, 2, CAPABILITIES >> 16) + b"\x15" + bytes(10) +
                   scramble[8:] + b"\0" + NATIVE + b"\0")
        hello = wire.read()
        user, rest = hello[32:].split(b"\0", 1)
        proof = rest[1:1 + rest[0]]
        if int.from_bytes(hello[:4], "little") & 0x80000 and NATIVE not in rest:
            wire.write(b"\xfe" + NATIVE + b"\0" + scramble + b"\0")
            proof = wire.read()
        name = user.decode()
        if name in of.cluster().denied or of.accounts.get(name) is None or proof != native(of.accounts[name], scramble):
            wire.error(ER_DENIED, f"Access denied for user '{name}'@'{self.client_address[0]}' (using password: YES)", "28000")
            return None
        wire.ok()
        return name

    def obey(self, wire, of, user, packet):
        """False: it says goodbye."""
        command, body = packet[0], packet[1:].decode(errors="replace")
        try:
            if command == 1:
                return False
            if command == 3:
                table = of.answer(body, user)
                wire.ok() if table is None else wire.table(*table)
            elif command in (2, 14, 31):  # a database, a ping, a reset
                wire.ok()
            else:
                raise Refused(ER_UNSUPPORTED, "the stand-in does not know this command")
        except Refused as refused:
            wire.error(*refused.args)
        return True

    def handle(self):
        wire, of = Wire(self.stream()), self.server.of
        try:
            user = self.log_in(wire, of)
            while user and self.obey(wire, of, user, wire.read()):
                wire.number = 0
        except (ConnectionError, OSError):
            pass

    def stream(self):
        """Reads and writes of one object."""
        class Both:
            read, write, flush = self.rfile.read, self.wfile.write, self.wfile.flush
        return Both


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 64


def serve():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    name, address, port, path = sys.argv[1:]
    with Listener((address, int(port)), Connection) as listener:
        listener.of = Server(name, address, int(port), path)
        print("ready", flush=True)
        listener.serve_forever()


if __name__ == "__main__":
    try:
        serve()
    except KeyboardInterrupt:
        pass
