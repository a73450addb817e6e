# SPDX-License-Identifier: Apache-2.0
"""maria_lanes.py - the clients of MySQL and MariaDB that matrix.py compares, and whether each is installed."""
import subprocess
from dataclasses import dataclass

from lanes import CLIENTS, Client, Lane, hikari, node
from maria_stage import DATABASE, PASSWORD, PORT, USER
from stage import NAME

OWN = CLIENTS + "mysql/"
JDBC = "jdbc:mariadb://%s:%s/%s?user=%s&password=%s" % (NAME, PORT, DATABASE, USER, PASSWORD)


@dataclass
class Installed:
    """A client, and the command that fails where it is not installed."""
    client: Client
    needs: list
    package: str


def php(program, extension):
    return ["php", OWN + program], ["php", "-r", "exit(extension_loaded('%s') ? 0 : 1);" % extension]


def js(program, *args, package="mysql2"):
    return node("mysql/" + program, *args), ["node", "-e", "require.resolve('%s')" % package]


def dbi(driver):
    return ["perl", OWN + "perl_dbi.pl", driver], ["perl", "-MDBD::" + driver, "-e", "1"]


# What it is called, (its command, what it needs), and how that is had.
ALL = [Installed(Client(name, command), needs, package) for name, (command, needs), package in (
    ("mysql2 pool", js("mysql2_pool.js"), "npm"),
    ("mysql2 pool, transactions", js("mysql2_pool.js", "transaction"), "npm"),
    ("Sequelize", js("sequelize.js", package="sequelize"), "npm"),
    ("TypeORM", js("typeorm.js", package="typeorm"), "npm"),
    ("Knex", js("knex.js", package="knex"), "npm"),
    ("HikariCP, MariaDB Connector/J", (hikari(JDBC), ["javap", "Hikari", "org.mariadb.jdbc.Driver"]),
     "libmariadb-java libhikaricp-java"),
    ("PHP mysqli", php("php_mysqli.php", "mysqli"), "php-mysql"),
    ("PHP PDO", php("php_pdo.php", "pdo_mysql"), "php-mysql"),
    ("Perl DBD::MariaDB", dbi("MariaDB"), "libdbd-mariadb-perl"),
    ("Perl DBD::mysql", dbi("mysql"), "libdbd-mysql-perl"),
    ("PyMySQL", ([OWN + "pymysql_loop.py"], ["python3", "-c", "import pymysql"]), "python3-pymysql"),
    ("Ruby mysql2", (["ruby", OWN + "ruby_mysql2.rb"], ["ruby", "-e", "require 'mysql2'"]), "ruby-mysql2"),
)]


def is_here(installed):
    try:
        return subprocess.run(installed.needs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


def choose(only):
    """[Client] of those that are here; a line for each that is not."""
    chosen = []
    for it in ALL:
        if only and not any(word.lower() in it.client.name.lower() for word in only):
            continue
        if is_here(it):
            chosen.append(it.client)
        else:
            print("left out: %s is not installed (%s)" % (it.client.name, it.package), flush=True)
    return chosen


def lanes_of(clients, homing, plain):
    return [Lane(client, with_it) for client in clients for with_it in (True, False) if (homing if with_it else plain)]


def environment(lane):
    return {"DBHOST": NAME, "DBPORT": PORT, "DBUSER": USER, "DBPASSWORD": PASSWORD, "DBNAME": DATABASE, "CLIENT": lane.id}
