/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_kind.c - what MySQL and MariaDB are: see conf/engine_kind.h. Without a client.
 *
 * The keywords are our own, as the client is. Those of mysql and mariadb, which people know, are
 * refused with the ones that are meant.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/conf/connection.h"
#include "agent/probe/engines/mysql_advice.h"
#include "agent/probe/engines/mysql_kind.h"

static const char *check_user(const char *value, size_t len)
{
    bool empty = len == 0 || (len == 2 && memcmp(value, "''", 2) == 0);
    return empty || len >= MYSQL_USER_SIZE ? "user is empty or too long; write an account's name"
                                           : NULL;
}

static const struct engine_keyword keywords[] = {
    {.name = "user", .check = check_user},
    {.name = "tls", .check = tls_mode_check},
    {.name = "tls_ca", .file = true},
    {.name = "tls_cert", .file = true},
    {.name = "tls_key", .file = true},
    {.name = "host", .instead = "servers are listed under members"},
    {.name = "port", .instead = "ports are given with the members"},
    {.name = "socket", .instead = "servers are listed under members"},
    {.name = "password", .instead = "put it into a file and name that in password_file"},
    {.name = "passwd", .instead = "put it into a file and name that in password_file"},
    {.name = "database", .instead = "the agent asks for no database's data; leave it out"},
    {.name = "dbname", .instead = "the agent asks for no database's data; leave it out"},
    {.name = "ssl_mode", .instead = "write tls=off, tls=require or tls=verify-full"},
    {.name = "ssl-mode", .instead = "write tls=off, tls=require or tls=verify-full"},
    {.name = "sslmode", .instead = "write tls=off, tls=require or tls=verify-full"},
    {.name = "ssl", .instead = "write tls=off, tls=require or tls=verify-full"},
    {.name = "ssl_ca", .instead = "write tls_ca"},
    {.name = "ssl-ca", .instead = "write tls_ca"},
    {.name = "ssl_cert", .instead = "write tls_cert"},
    {.name = "ssl-cert", .instead = "write tls_cert"},
    {.name = "ssl_key", .instead = "write tls_key"},
    {.name = "ssl-key", .instead = "write tls_key"},
    {.name = NULL},
};

static const char *refuse_uri(const char *connection)
{
    if (strncmp(connection, "mysql:", 6) == 0 || strncmp(connection, "mariadb:", 8) == 0 ||
        strncmp(connection, "jdbc:", 5) == 0)
        return "connection is a URI; write keywords, as in \"user=homing tls=require\"";
    return NULL;
}

/* NULL: it is not given. */
static const char *read_path(const char *connection, const char *keyword, char *ret)
{
    bool given = conf_connection_get(connection, keyword, ret, MYSQL_PATH_SIZE);
    return given && ret[0] != '\0' ? ret : NULL;
}

void mysql_connection_read(const char *connection, struct mysql_connection *ret)
{
    char mode[32];
    *ret = (struct mysql_connection){.user = "homing", .tls = {.mode = TLS_REQUIRE}};
    conf_connection_get(connection, "user", ret->user, sizeof(ret->user));
    if (conf_connection_get(connection, "tls", mode, sizeof(mode)))
        tls_mode_find(mode, strlen(mode), &ret->tls.mode);
    ret->tls.ca = read_path(connection, "tls_ca", ret->ca);
    ret->tls.cert = read_path(connection, "tls_cert", ret->cert);
    ret->tls.key = read_path(connection, "tls_key", ret->key);
}

static const char *check_tls(const char *connection)
{
    struct mysql_connection c;
    mysql_connection_read(connection, &c);
    return tls_settings_check(&c.tls);
}

/* A position is one more than this: 0 is "not known". */
static void print_count(uint64_t position, char *ret, size_t size)
{
    snprintf(ret, size, "%" PRIu64, position == 0 ? 0 : position - 1);
}

/* A group's view as its members show it; else the count of switches. */
static void print_view(uint64_t hi, uint64_t lo, char *ret, size_t size)
{
    if (hi == 0)
        snprintf(ret, size, "%" PRIu64, lo);
    else
        snprintf(ret, size, "%" PRIu64 ":%" PRIu64, hi, lo);
}

const struct engine_kind engine_kind_mysql = {
    .name = "mysql",
    .default_port = 3306,
    .client = "mysql",
    .keywords = keywords,
    .check_connection = refuse_uri,
    .check_together = check_tls,
    .proof_keyword = "tls",
    .proof_value = "verify-full",
    .advice = mysql_advice,
    .print_position = print_count,
    .print_term = print_view,
    .lag_unit = "transactions",
    .lag_in_transactions = true,
    .takes_circular = true,
    .branch = "position when it took over",
};
