# SPDX-License-Identifier: Apache-2.0
"""lanes.py - what is compared: a line per client, played without homing and (homing=True) with it."""
import os
from dataclasses import dataclass, field

from stage import ADDRESSES, NAME, PORT

HERE = os.path.dirname(os.path.realpath(__file__))
CLIENTS = HERE + "/clients/"
BOTH = ",".join(ADDRESSES.values())
JDBC = "jdbc:postgresql://%s/postgres?sslmode=disable"
JDBC_BOTH = JDBC % ",".join("%s:%s" % (address, PORT) for address in ADDRESSES.values())
JDBC_BOTH += "&targetServerType=primary"
JDBC_TLS = "jdbc:postgresql://%s:%s/postgres?sslmode=verify-full&sslrootcert=ca.pem" % (NAME, PORT)
LIBPQ_TUNED = ("target_session_attrs=read-write connect_timeout=2 tcp_user_timeout=2000 "
               "keepalives_idle=2 keepalives_interval=1 keepalives_count=2")
# JDBC cannot set TCP_USER_TIMEOUT: socketTimeout bounds the statement instead, also a slow one.
JDBC_TUNED = ("&connectTimeout=2&socketTimeout=2&loginTimeout=4&tcpKeepAlive=true&hostRecheckSeconds=1"
              "&cancelSignalTimeout=2")


@dataclass
class Client:
    name: str
    command: list
    homing: bool = True     # also with homing
    plain: bool = True      # also without
    repeat: bool = True     # also in the rounds of homing alone, which end when all are well
    proxy: str = ""         # a function of proxies.py
    env: dict = field(default_factory=dict)


def python(program, *args):
    return [CLIENTS + program, *args]


def node(program, *args):
    return ["node", CLIENTS + program, *args]


def hikari(url):
    # As many threads as a service's, little memory: this machine runs several at once.
    return ["java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "Hikari", url]


ALL = [
    Client("HikariCP", hikari(JDBC % (NAME + ":" + PORT))),
    Client("node pg Pool", node("node_pg.js")),
    Client("node pg Pool, no 'error' listener", node("node_pg.js", "unheard"), repeat=False),
    Client("Sequelize", node("sequelize.js")),
    Client("TypeORM", node("typeorm.js")),
    Client("asyncpg pool", python("asyncpg_pool.py")),
    Client("psycopg2", python("psycopg2_loop.py")),
    Client("psql in a loop", [CLIENTS + "psql.sh"]),
    Client("Ruby pg", ["ruby", CLIENTS + "ruby_pg.rb"]),
    Client("Perl DBD::Pg", [CLIENTS + "perl_dbi.pl"]),
    # PHP loads extensions so that no preload is seen by them, unless libpq is there already.
    Client("PHP pgsql", ["php", CLIENTS + "php_pgsql.php"], repeat=False),
    Client("PHP pgsql, libpq preloaded", ["php", CLIENTS + "php_pgsql.php"], plain=False,
           env={"LD_PRELOAD": "libpq.so.5"}),
    Client("PHP streams", ["php", CLIENTS + "php_streams.php"]),
    # The files are in the directory that clients run in.
    Client("psycopg2, TLS verify-full", python("psycopg2_loop.py"), plain=False, env={"PGSSLMODE": "verify-full"}),
    Client("HikariCP, TLS verify-full", hikari(JDBC_TLS), plain=False),
    Client("psycopg2 through PgBouncer", python("psycopg2_loop.py"), repeat=False, proxy="pgbouncer"),
    Client("psycopg2 through HAProxy, checks", python("psycopg2_loop.py"), homing=False, proxy="haproxy"),
    Client("libpq, both hosts", python("psycopg2_loop.py", "target_session_attrs=read-write"), homing=False,
           env={"PGHOST": BOTH}),
    Client("libpq, both hosts, tuned", python("psycopg2_loop.py", LIBPQ_TUNED), homing=False,
           env={"PGHOST": BOTH}),
    Client("HikariCP, both hosts", hikari(JDBC_BOTH), homing=False),
    Client("HikariCP, both hosts, tuned", hikari(JDBC_BOTH + JDBC_TUNED), homing=False),
]


@dataclass
class Lane:
    client: Client
    homing: bool

    @property
    def id(self):
        name = "".join(c if c.isalnum() else "-" for c in self.client.name.lower())
        return name + ("+homing" if self.homing else "")

    @property
    def soon(self):
        """Whether it is expected to write again within seconds."""
        return self.homing and self.client.repeat

    @property
    def floor(self):
        """Whether what it needs by itself is worth knowing: beside it stands the same client with homing."""
        return not self.homing and self.client.homing and self.client.repeat


def choose(only, homing):
    clients = [c for c in ALL if not only or any(word.lower() in c.name.lower() for word in only)]
    return [Lane(c, with_homing) for c in clients for with_homing in (False, True)
            if (homing and c.homing if with_homing else c.plain)]
