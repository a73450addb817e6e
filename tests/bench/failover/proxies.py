# SPDX-License-Identifier: Apache-2.0
"""proxies.py - what people put between; each answers (command, its port) for a lane's directory and address."""
import glob
import os

from stage import ADDRESSES, NAME, PORT


def program(*command):
    """Where bootstrap only unpacked it, its libraries are beside it."""
    beside = glob.glob(os.environ["HOMING_BUILDDIR"] + "/tools/usr/lib/*-linux-gnu")
    return ["env", "LD_LIBRARY_PATH=" + ":".join(beside), *command] if beside else list(command)


def write(path, text):
    with open(path, "w") as out:
        out.write(text)
    return path


def pgbouncer(directory, address):
    """As its example configuration: every time-out is its default."""
    config = write(directory + "/pgbouncer.ini", """[databases]
postgres = host=%s port=%s user=homing password=homing-test
[pgbouncer]
listen_addr = %s
listen_port = 6432
auth_type = any
pool_mode = transaction
unix_socket_dir =
""" % (NAME, PORT, address))
    return program("pgbouncer", "-u", "postgres", config), "6432"


def haproxy(directory, address):
    """As Patroni's template for HAProxy, apart from names."""
    servers = "".join("    server %s %s:%s maxconn 100 check port 8008\n" % (name, at, PORT)
                      for name, at in ADDRESSES.items())
    config = write(directory + "/haproxy.cfg", """global
    maxconn 100
defaults
    log global
    mode tcp
    retries 2
    timeout client 30m
    timeout connect 4s
    timeout server 30m
    timeout check 5s
listen postgres
    bind %s:5000
    option httpchk
    http-check expect status 200
    default-server inter 3s fall 3 rise 2 on-marked-down shutdown-sessions
%s""" % (address, servers))
    return program("haproxy", "-db", "-f", config), "5000"


BY_NAME = {"pgbouncer": pgbouncer, "haproxy": haproxy}
